//! The stack of a thread that stands still, walked from outside by the same rules as the program's own walks. For the
//! clone: it is a matter of microseconds a stack, but not of nanoseconds.
//!
//! Nothing is believed: each word comes from whoever is asked for it, who may refuse, and the number of frames is bounded.

use std::cell::RefCell;

use super::stack::{Registers, Words};
use super::unwind::{self, Rule};
use super::walk::{plain_step, special_step};
use crate::heap::{self, Address, Site};

/// Frames kept: the innermost.
const FRAMES: usize = 1000;

/// The call stack of a thread that stopped with these registers, and the stack pointer in each frame. `word` is asked for
/// the words of its stack: at an address, while the stack pointer is at another.
pub(crate) fn stack(
    at: heap::Registers,
    word: impl FnMut(u64, u64) -> Option<u64>,
) -> (Site, Vec<u64>) {
    let word = RefCell::new(word);
    let mut site = Site::default();
    let mut stack_at = Vec::new();
    let mut at = Registers {
        pc: at.ip,
        sp: at.sp,
        bp: at.bp,
    };
    loop {
        // Return addresses are kept: whoever looks one byte before one finds the call, or what was interrupted.
        site.frames.push(Address(at.pc.wrapping_add(1)));
        stack_at.push(at.sp);
        let rule = unwind::rule(at.pc);
        let words = Asked {
            word: &word,
            sp: at.sp,
        };
        let caller = match rule {
            Rule::END => break,
            rule if rule.is_plain() => plain_step(rule, at, words),
            rule => special_step(rule, at, words),
        };
        match caller {
            // So ends the stack of a thread that something else than the C library began.
            Some(Registers { pc: u64::MAX, .. }) => break,
            // A handler's frames may be on another stack than what it interrupted.
            Some(caller) if caller.sp > at.sp || rule == Rule::SIGNAL => at = caller,
            _ => {
                site.marks.broken = true;
                break;
            }
        }
        if site.frames.len() == FRAMES {
            site.marks.deep = true;
            break;
        }
    }
    (site, stack_at)
}

struct Asked<'a, W> {
    word: &'a RefCell<W>,
    sp: u64,
}

impl<W> Clone for Asked<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Asked<'_, W> {}

impl<W: FnMut(u64, u64) -> Option<u64>> Words for Asked<'_, W> {
    fn word(self, address: u64) -> Option<u64> {
        (self.word.borrow_mut())(address, self.sp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nowhere(ip: u64) -> heap::Registers {
        heap::Registers {
            ip,
            sp: 0x1000,
            bp: 0x2000,
            ..heap::Registers::default()
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no unwind tables")]
    fn registers_into_nowhere_give_one_frame_and_say_so() {
        let code = registers_into_nowhere_give_one_frame_and_say_so as *const () as u64;
        for ip in [0, 1, code, code + 40, u64::MAX, 1 << 47] {
            let (site, at) = stack(nowhere(ip), |_, _| None);
            assert_eq!(at, [0x1000]);
            assert_eq!(site.frames, [Address(ip.wrapping_add(1))]);
            assert!(site.marks.broken, "{ip:#x}");
        }
    }

    /// A stack whose every word is a return address into a function never ends by itself.
    #[test]
    #[cfg_attr(miri, ignore = "it has no unwind tables")]
    fn an_endless_stack_is_cut() {
        let code = an_endless_stack_is_cut as *const () as u64 + 1;
        let (site, at) = stack(nowhere(code), |_, _| Some(code));
        assert_eq!(at.len(), site.frames.len());
        assert!(site.frames.len() <= FRAMES);
        assert!(site.marks.deep || site.marks.broken);
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "it has no unwind tables")]
        fn no_words_and_registers_harm(ip: u64, sp: u64, bp: u64, salt: u64, near in 0u64..1 << 16) {
            let code = registers_into_nowhere_give_one_frame_and_say_so as *const () as u64;
            // Sometimes an address in code, so that rules are found and followed.
            let word = |address: u64, _| match address.wrapping_mul(salt | 1) >> 61 {
                0 => None,
                1 => Some(address),
                2..6 => Some(code + (address ^ salt) % (1 << 16)),
                _ => Some(address.wrapping_mul(salt)),
            };
            for ip in [ip, code + near] {
                let registers = heap::Registers { ip, sp, bp, ..heap::Registers::default() };
                let (site, _) = stack(registers, word);
                prop_assert!(site.frames.len() <= FRAMES);
            }
        }
    }
}
