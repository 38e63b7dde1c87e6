//! What the stopped threads were doing: their call stacks and system calls. Runs in the clone, whose memory stands still.

use std::collections::HashMap;
use std::ops::Range;

use super::maps::Mapping;
use crate::heap::{Doing, Gap, Registers, Thread};
use crate::os::memory::Door;
use crate::track;

/// Tells for each thread that stopped with these registers what it was doing. `mappings` are the clone's own.
pub(super) fn look_at(
    threads: &mut [Thread],
    registers: &[(u32, Registers)],
    mappings: &[Mapping],
) -> Option<Gap> {
    let mut door = match Door::open() {
        Ok(door) => door,
        Err(error) => return Some(Gap::new("the stacks of threads", error.to_string())),
    };
    let place = Place { mappings };
    let registers: HashMap<u32, Registers> = registers.iter().copied().collect();
    for thread in threads {
        if let Some(registers) = registers.get(&thread.tid) {
            thread.doing = doing(registers, &place, &mut door);
            (thread.stack, thread.stack_at) = track::frozen_stack(*registers, |address, sp| {
                door.word(address, &place.stack(sp)?)
            });
        }
    }
    None
}

/// Where stacks and code are.
struct Place<'m> {
    mappings: &'m [Mapping],
}

impl Place<'_> {
    /// The part of a stack that is in use: from the stack pointer to the end of what is mapped there. None where that is
    /// no memory of a stack's kind.
    fn stack(&self, sp: u64) -> Option<Range<u64>> {
        let mapping = self.mapping(sp)?;
        mapping.writable.then_some(sp..mapping.end)
    }

    /// The code around an instruction.
    fn code(&self, ip: u64) -> Option<Range<u64>> {
        let mapping = self.mapping(ip)?;
        mapping.executable.then_some(mapping.start..mapping.end)
    }

    fn mapping(&self, address: u64) -> Option<&Mapping> {
        let after = self.mappings.partition_point(|m| m.start <= address);
        let mapping = self.mappings.get(after.checked_sub(1)?)?;
        (address < mapping.end).then_some(mapping)
    }
}

/// The instruction that enters the kernel, two bytes long.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Bytes before it in which its number is looked for.
const BEFORE: usize = 24;
/// What a system call that a signal ended leaves behind: minus EINTR.
const INTERRUPTED: u64 = (-4i64).cast_unsigned();
/// Numbers of system calls end before this one.
const NUMBERS: u32 = 1024;

/// A call that the kernel begins again after the signal stands before its instruction, the number in place. One that ends
/// with EINTR stands behind it, and the number is in the code before, where the C library's wrappers put it.
fn doing(registers: &Registers, place: &Place<'_>, door: &mut Door) -> Doing {
    let Some(code) = place.code(registers.ip) else {
        return Doing::Unknown;
    };
    let mut read = |address: u64| {
        let mut bytes = [0; 2];
        door.bytes(address, &code, &mut bytes).map(|()| bytes)
    };
    let (here, before) = (read(registers.ip), read(registers.ip.wrapping_sub(2)));
    if here == Some(SYSCALL) {
        let number = u32::try_from(registers.ax).ok().filter(|n| *n < NUMBERS);
        return number.map_or(Doing::Running, |number| Doing::Calling(Some(number)));
    }
    if before != Some(SYSCALL) || registers.ax != INTERRUPTED {
        return Doing::Running;
    }
    let mut bytes = [0; BEFORE];
    let begin = registers.ip.wrapping_sub((BEFORE + SYSCALL.len()) as u64);
    let read = door.bytes(begin, &code, &mut bytes);
    Doing::Calling(read.and_then(|()| number(&bytes)))
}

/// The number that the code before a system call loads: `mov eax, N`, the last one.
fn number(code: &[u8]) -> Option<u32> {
    let loads = code.windows(5).rev().filter(|five| five[0] == 0xb8);
    let number = |five: &[u8]| Some(u32::from_le_bytes(five[1..].try_into().ok()?));
    loads.filter_map(number).find(|number| *number < NUMBERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_in_the_code_before() {
        // mov eax, 230; syscall (clock_nanosleep), after another load that is none.
        let code = [0xb8, 0xff, 0xff, 0xff, 0xff, 0x90, 0xb8, 230, 0, 0, 0];
        assert_eq!(number(&code), Some(230));
        assert_eq!(number(&code[..6]), None);
        assert_eq!(number(&[0xb8, 1]), None);
    }

    #[test]
    fn addresses_outside_every_mapping_are_nowhere() {
        let text = "1000-3000 rw-p 00000000 00:00 0\n5000-6000 r-xp 00000000 00:00 0\n";
        let mappings = super::super::maps::parse(text);
        let place = Place {
            mappings: &mappings,
        };
        assert_eq!(place.stack(0x2000), Some(0x2000..0x3000));
        assert_eq!(place.code(0x5fff), Some(0x5000..0x6000));
        for address in [0, 0xfff, 0x3000, 0x5000, 0x6000, u64::MAX] {
            assert_eq!(place.stack(address), None, "{address:#x}");
        }
        assert_eq!(place.code(0x2000), None);
        let mut door = Door::open().expect("a pipe");
        let nowhere = Registers {
            ip: 0x5100,
            ..Registers::default()
        };
        assert_eq!(doing(&nowhere, &place, &mut door), Doing::Running);
        assert_eq!(
            doing(&Registers::default(), &place, &mut door),
            Doing::Unknown
        );
    }
}
