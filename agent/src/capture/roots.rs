//! Where the words are that may hold blocks: statics, thread-locals, stacks, registers, and, of less weight, all other
//! memory of the program's. Only the places are listed; whoever reads them leaves the agent's own out.
//!
//! The agent's thread, whose copy this runs in, is no thread of the program's: neither its stack nor its registers count, so
//! that looking holds nothing alive.

use std::ops::Range;

use object::elf::{PF_W, PT_LOAD, PT_TLS};
use object::read::elf::ProgramHeader;

use super::maps::Mapping;
use crate::heap::{Files, Module, Registers, Root, RootKind, Thread, Words};
use crate::os::map::PAGE;
use crate::os::stop;

/// What the roots of a program are found by.
pub(super) struct Places<'a> {
    pub(super) mappings: &'a [Mapping],
    pub(super) modules: &'a [Module],
    pub(super) files: &'a dyn Files,
    pub(super) threads: &'a [Thread],
    pub(super) registers: &'a [(u32, Registers)],
}

/// Bytes below the stack pointer that a function without calls may use.
const RED_ZONE: u64 = 128;
/// Bytes that glibc keeps of a thread from its control block on: those of `struct pthread`, rounded up.
const CONTROL_BLOCK: u64 = 2560;

impl Places<'_> {
    /// All of them, what says most first.
    pub(super) fn roots(&self) -> Vec<Root> {
        let layouts: Vec<Layout> = self
            .modules
            .iter()
            .map(|module| self.layout(module))
            .collect();
        let mut found = Found::default();
        for (number, layout) in (0..).zip(&layouts) {
            let module = &self.modules[number as usize];
            for range in layout.data.iter().filter(|_| !is_c_library(module)) {
                found.add(RootKind::Static { module: number }, range.clone());
            }
        }
        let program = self.modules.iter().position(is_program);
        for (tid, registers) in self.registers {
            self.thread_locals(*tid, registers.base, program, &layouts, &mut found);
        }
        for (tid, registers) in self.registers {
            self.stacks(*tid, registers, &mut found);
        }
        self.leave_out_own_stack(&mut found);
        for mapping in self.mappings.iter().filter(|mapping| mapping.may_hold()) {
            found.add_rest(mapping.start..mapping.end);
        }
        found.roots
    }

    fn layout(&self, module: &Module) -> Layout {
        self.files.open(&module.path).map_or_else(
            |_| Layout::default(),
            |bytes| Layout::of(bytes, module.bias),
        )
    }

    /// The program's own lie right below the control block, those of its libraries below them.
    fn thread_locals(
        &self,
        tid: u32,
        base: u64,
        program: Option<usize>,
        layouts: &[Layout],
        found: &mut Found,
    ) {
        let Some(mapping) = self.mapping(base).filter(|mapping| mapping.writable) else {
            return;
        };
        let within = |start: u64, end: u64| {
            start.clamp(mapping.start, mapping.end)..end.clamp(mapping.start, mapping.end)
        };
        let of_program = program.map_or(0, |program| layouts[program].thread_locals);
        let all: u64 = layouts.iter().map(|layout| layout.thread_locals).sum();
        let first = base.saturating_sub(of_program);
        let module = program.map(|program| program as u32);
        found.add(RootKind::ThreadLocal { tid, module }, within(first, base));
        let module = None;
        let rest = [
            (base.saturating_sub(all), first),
            (base, base.saturating_add(CONTROL_BLOCK)),
        ];
        for (start, end) in rest {
            found.add(RootKind::ThreadLocal { tid, module }, within(start, end));
        }
    }

    /// Registers, and every stack that a thread has frames on: a handler may stand on another. What calls left is told of the
    /// stack alone that the thread was made with: below a coroutine's may lie another one's, which waits.
    fn stacks(&self, tid: u32, registers: &Registers, found: &mut Found) {
        found.roots.push(Root {
            kind: RootKind::Register { tid },
            words: Words::Values(registers.general.to_vec()),
        });
        if registers.vectors != 0 {
            found.add(
                RootKind::Register { tid },
                registers.vectors..registers.vectors + 256,
            );
        }
        let frames = self.threads.iter().filter(|thread| thread.tid == tid);
        let frames = frames.flat_map(|thread| &thread.stack_at).copied();
        let mut tops: Vec<(u64, &Mapping)> = Vec::new();
        for sp in std::iter::once(registers.sp).chain(frames) {
            let Some(mapping) = self.mapping(sp).filter(|mapping| mapping.writable) else {
                continue;
            };
            match tops
                .iter_mut()
                .find(|(_, known)| known.start == mapping.start)
            {
                Some((top, _)) => *top = sp.min(*top),
                None => tops.push((sp, mapping)),
            }
        }
        for (sp, mapping) in tops {
            let top = sp.saturating_sub(RED_ZONE).max(mapping.start);
            // A mapping that several stacks share ends for this one where the next thread's data begin.
            let end = found.next_taken(top).min(mapping.end);
            found.add(RootKind::Stack { tid }, top..end);
            if mapping.is_stack_of(sp, registers.base) {
                let saved = Some(registers.vectors).filter(|at| (mapping.start..top).contains(at));
                let before = found.last_taken(saved.unwrap_or(top));
                found.add(RootKind::Leftover { tid }, before.max(mapping.start)..top);
            }
        }
    }

    fn leave_out_own_stack(&self, found: &mut Found) {
        let here = 0u8;
        for address in [&raw const here as u64, stop::base()] {
            if let Some(mapping) = self.mapping(address) {
                let end = found.next_taken(address).min(mapping.end);
                found
                    .taken
                    .push(found.last_taken(address).max(mapping.start)..end);
                found.taken.sort_unstable_by_key(|range| range.start);
            }
        }
    }

    fn mapping(&self, address: u64) -> Option<&Mapping> {
        let after = self
            .mappings
            .partition_point(|mapping| mapping.start <= address);
        let mapping = self.mappings.get(after.checked_sub(1)?)?;
        (address < mapping.end).then_some(mapping)
    }
}

fn is_program(module: &Module) -> bool {
    module.path.as_os_str() == "/proc/self/exe"
}

/// Whether it is the C library, whose allocator keeps addresses of blocks, and of what lies beside them, for its own use.
fn is_c_library(module: &Module) -> bool {
    let file = module.name.rsplit('/').next().unwrap_or_default();
    file.starts_with("libc.so") || file.starts_with("libc-")
}

/// The roots found so far, and which addresses they take.
#[derive(Default)]
struct Found {
    roots: Vec<Root>,
    /// In order of address.
    taken: Vec<Range<u64>>,
}

impl Found {
    /// Adds those addresses that are not taken.
    fn add(&mut self, kind: RootKind, range: Range<u64>) {
        let mut free = Vec::new();
        let mut at = range.start;
        let first = self.taken.partition_point(|taken| taken.end <= range.start);
        for taken in self.taken[first..]
            .iter()
            .take_while(|taken| taken.start < range.end)
        {
            free.push(at..taken.start);
            at = at.max(taken.end);
        }
        free.push(at..range.end);
        free.retain(|part| part.start < part.end);
        for part in free {
            self.roots.push(Root {
                kind,
                words: Words::At(part.clone()),
            });
            let place = self.taken.partition_point(|taken| taken.start < part.start);
            self.taken.insert(place, part);
        }
    }

    fn add_rest(&mut self, range: Range<u64>) {
        self.add(RootKind::Untracked, range);
    }

    /// Where the next addresses begin that are taken.
    fn next_taken(&self, address: u64) -> u64 {
        let next = self.taken.iter().find(|taken| taken.end > address);
        next.map_or(u64::MAX, |taken| taken.start.max(address))
    }

    /// Where the last ones before it end.
    fn last_taken(&self, address: u64) -> u64 {
        let last = self.taken.iter().rfind(|taken| taken.start < address);
        last.map_or(0, |taken| taken.end.min(address))
    }
}

/// What an object file says of its data.
#[derive(Debug, Default)]
struct Layout {
    /// Where its writable data are in the process.
    data: Vec<Range<u64>>,
    /// Bytes that its thread-locals take in each thread, from where they begin to where the next may.
    thread_locals: u64,
}

impl Layout {
    fn of(bytes: &'static [u8], bias: u64) -> Self {
        let mut layout = Layout::default();
        let Ok(object::File::Elf64(file)) = object::File::parse(bytes) else {
            return layout;
        };
        let endian = file.endian();
        for header in file.elf_program_headers() {
            let (address, size) = (header.p_vaddr(endian), header.p_memsz(endian));
            match header.p_type(endian) {
                PT_LOAD if header.p_flags(endian).contains(PF_W) => {
                    let start = address.wrapping_add(bias);
                    layout.data.push(start..start.saturating_add(size));
                }
                PT_TLS => {
                    let align = header.p_align(endian).clamp(1, PAGE as u64);
                    layout.thread_locals = size.checked_next_multiple_of(align).unwrap_or(0);
                }
                _ => {}
            }
        }
        layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::maps;
    use crate::os::files;
    use std::cell::Cell;
    use std::path::Path;

    static HERE: u64 = 7;
    static THERE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

    thread_local! {
        static MINE: Cell<u64> = const { Cell::new(1) };
    }

    fn kind_at(roots: &[Root], address: u64) -> Option<RootKind> {
        let is_there =
            |root: &&Root| matches!(&root.words, Words::At(range) if range.contains(&address));
        let mut there = roots.iter().filter(is_there);
        let found = there.next().map(|root| root.kind);
        assert_eq!(there.next(), None, "{address:#x} is in two roots");
        found
    }

    /// Another thread stands still as if it had been stopped; this one is the agent's.
    #[test]
    fn every_kind_of_place_is_found_in_this_very_process() {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            let local = 1u64;
            let at = [
                &raw const local as u64,
                MINE.with(Cell::as_ptr) as u64,
                stop::base(),
            ];
            tell.send(at).expect("the test waits");
            wait.recv().expect("the test says so");
            local
        });
        let [local, thread_local, base] = told.recv().expect("the thread runs");
        let text = std::fs::read_to_string("/proc/self/maps").expect("it is there");
        let mappings = maps::parse(&text);
        let files = files::Mapped::default();
        let program = std::env::current_exe().expect("it has a path");
        let (modules, _) = maps::modules(&mappings, &program, &files);
        let number = modules
            .iter()
            .position(|module| module.path == Path::new("/proc/self/exe"));
        let number = number.expect("the program") as u32;
        let mut registers = Registers {
            sp: local,
            base,
            ..Registers::default()
        };
        registers.general[15] = local;
        let places = Places {
            mappings: &mappings,
            modules: &modules,
            files: &files,
            threads: &[],
            registers: &[(9, registers)],
        };
        let roots = places.roots();
        end.send(()).expect("the thread waits");
        other.join().expect("it ends");
        let mine = 0u64;
        let boxed = Box::new(1u64);
        let at = |address| kind_at(&roots, address);
        assert_eq!(
            at(THERE.as_ptr() as u64),
            Some(RootKind::Static { module: number })
        );
        assert_eq!(at(&raw const HERE as u64), None, "what is never written");
        let module = Some(number);
        assert_eq!(
            at(thread_local),
            Some(RootKind::ThreadLocal { tid: 9, module })
        );
        assert_eq!(
            at(base + 8),
            Some(RootKind::ThreadLocal {
                tid: 9,
                module: None
            })
        );
        assert_eq!(at(local), Some(RootKind::Stack { tid: 9 }));
        assert_eq!(at(local - RED_ZONE), Some(RootKind::Stack { tid: 9 }));
        assert_eq!(at(local - 4096), Some(RootKind::Leftover { tid: 9 }));
        assert_eq!(at(&raw const *boxed as u64), Some(RootKind::Untracked));
        assert_eq!(at(&raw const mine as u64), None, "the agent's own stack");
    }

    /// Below the stack of a coroutine that runs may lie that of one that waits. What that holds is not left over.
    #[test]
    fn nothing_is_left_over_below_a_stack_that_is_not_the_threads_own() {
        let mappings = maps::parse(
            "100000-200000 rw-p 00000000 00:00 0\n300000-400000 rw-p 00000000 00:00 0\n",
        );
        let kinds = |sp, vectors| {
            let registers = Registers {
                sp,
                vectors,
                base: 0x3f_f000,
                ..Registers::default()
            };
            let places = Places {
                mappings: &mappings,
                modules: &[],
                files: &files::Mapped::default(),
                threads: &[],
                registers: &[(9, registers)],
            };
            let roots = places.roots();
            [0x10_8000, 0x18_8000, 0x30_8000, 0x38_8000].map(|at| kind_at(&roots, at))
        };
        let (stack, left) = (RootKind::Stack { tid: 9 }, RootKind::Leftover { tid: 9 });
        let other = RootKind::Untracked;
        assert_eq!(kinds(0x18_0000, 0), [other, stack, other, other].map(Some));
        // Its own: also below what the kernel saved of its registers where it stopped.
        let own = [other, other, left, stack].map(Some);
        assert_eq!(kinds(0x38_0000, 0), own);
        assert_eq!(kinds(0x38_0000, 0x37_f000), own);
    }

    #[test]
    fn what_is_taken_is_not_taken_twice() {
        let mut found = Found::default();
        found.add(RootKind::Stack { tid: 1 }, 20..30);
        found.add(RootKind::Stack { tid: 2 }, 40..50);
        found.add_rest(0..60);
        let rest: Vec<_> = found.roots[2..]
            .iter()
            .map(|root| root.words.clone())
            .collect();
        assert_eq!(
            rest,
            [Words::At(0..20), Words::At(30..40), Words::At(50..60)]
        );
        assert_eq!((found.next_taken(65), found.last_taken(65)), (u64::MAX, 60));
    }
}
