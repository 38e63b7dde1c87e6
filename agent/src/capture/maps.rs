//! The kernel's list of mappings, read as text: which object files are mapped where, and where resident memory is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSegment};

use crate::heap::{Files, Gap, MemorySplit, Module};

/// One mapping of `/proc/PID/smaps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) end: u64,
    readable: bool,
    pub(super) writable: bool,
    pub(super) executable: bool,
    /// Offset of its first byte in the file.
    offset: u64,
    /// The file, `[stack]`, or nothing.
    path: String,
    /// Bytes of it in memory.
    pub(super) resident: u64,
    /// Whether it is a device's, or of pages that the kernel keeps no account of: reading it may do something.
    device: bool,
    /// Bytes of it that are swapped out.
    swapped: u64,
    /// Why the copy of the process does not have it as the program does.
    withheld: Option<&'static str>,
}

/// Reads `/proc/PID/smaps` (or `maps`, which lacks the sizes). What it cannot read of a line it leaves out.
pub(super) fn parse(text: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        if let Some(mapping) = header(line) {
            mappings.push(mapping);
        } else if let (Some(last), Some(resident)) =
            (mappings.last_mut(), line.strip_prefix("Rss:"))
        {
            last.resident = kilobytes(resident);
        } else if let (Some(last), Some(swapped)) =
            (mappings.last_mut(), line.strip_prefix("Swap:"))
        {
            last.swapped = kilobytes(swapped);
        } else if let (Some(last), Some(flags)) =
            (mappings.last_mut(), line.strip_prefix("VmFlags:"))
        {
            let mut flags = flags.split(' ');
            last.device |= flags.clone().any(|flag| matches!(flag, "io" | "pf"));
            last.withheld = flags.find_map(withheld);
        }
    }
    mappings
}

fn kilobytes(text: &str) -> u64 {
    let number = text.trim().trim_end_matches(" kB").parse();
    number.map_or(0, |number: u64| number.saturating_mul(1024))
}

fn withheld(flag: &str) -> Option<&'static str> {
    match flag {
        "dc" => Some("the program keeps it from copies of itself (MADV_DONTFORK)"),
        "wf" => Some("it is wiped in copies of the program (MADV_WIPEONFORK)"),
        _ => None,
    }
}

/// What words the program may have that the copy cannot read: a block that nothing else holds passes for lost.
pub(super) fn unread(mappings: &[Mapping], own: &[(u64, u64)]) -> Vec<Gap> {
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    let theirs = mappings
        .iter()
        .filter(|mapping| !mapping.is_of(own) && !mapping.device);
    for mapping in theirs {
        let (why, bytes) = match mapping.withheld {
            Some(why) => (why, mapping.resident + mapping.swapped),
            None if !mapping.readable && !mapping.path.starts_with('/') => (
                "it is closed to reading (PROT_NONE)",
                mapping.resident + mapping.swapped,
            ),
            None => (
                "it is swapped out, and looking brings nothing in",
                mapping.swapped,
            ),
        };
        *found.entry(why).or_default() += bytes;
    }
    found.retain(|_, bytes| *bytes > 0);
    let gap = |(why, bytes): (&str, u64)| {
        Gap::new(format!("what {} KiB of memory hold", bytes / 1024), why)
    };
    found.into_iter().map(gap).collect()
}

/// `7f12a000-7f12b000 r-xp 00001000 fe:00 1234   /usr/lib/libc.so.6`
fn header(line: &str) -> Option<Mapping> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (
        u64::from_str_radix(start, 16).ok()?,
        u64::from_str_radix(end, 16).ok()?,
    );
    let access = words.next()?.as_bytes();
    let offset = u64::from_str_radix(words.next()?, 16).ok()?;
    let path = words.nth(2).unwrap_or("").trim_start().to_string();
    let device = path.starts_with("[v") || path.starts_with("/dev/") && !is_memory(&path);
    Some(Mapping {
        start,
        end,
        readable: access.first() == Some(&b'r'),
        writable: access.get(1) == Some(&b'w'),
        executable: access.get(2) == Some(&b'x'),
        offset,
        path,
        resident: 0,
        device,
        swapped: 0,
        withheld: None,
    })
}

/// Whether a file below `/dev` is nothing but memory: shared, or a private copy of zeros.
fn is_memory(path: &str) -> bool {
    path.starts_with("/dev/shm/") || path.starts_with("/dev/zero")
}

/// The object files among the mappings. `program` is the path of the program itself, which is opened through
/// `/proc/self/exe`, so that it is found even when a newer build has taken its place.
pub(super) fn modules(
    mappings: &[Mapping],
    program: &Path,
    files: &dyn Files,
) -> (Vec<Module>, Vec<Gap>) {
    let mut found: BTreeMap<&str, Module> = BTreeMap::new();
    let mut gaps = Vec::new();
    for mapping in mappings
        .iter()
        .filter(|mapping| mapping.executable && mapping.path.starts_with('/'))
    {
        match found.get_mut(mapping.path.as_str()) {
            Some(module) => module.end = module.end.max(mapping.end),
            None => match module(mapping, program, files) {
                Ok(module) => {
                    found.insert(&mapping.path, module);
                }
                Err(gap) => gaps.push(gap),
            },
        }
    }
    (found.into_values().collect(), gaps)
}

fn module(mapping: &Mapping, program: &Path, files: &dyn Files) -> Result<Module, Gap> {
    let is_program = Path::new(&mapping.path) == program;
    let path = if is_program {
        PathBuf::from("/proc/self/exe")
    } else {
        PathBuf::from(&mapping.path)
    };
    let gap = |why: String| Gap::new(format!("names in {}", mapping.path), why);
    let bytes = files.open(&path).map_err(|error| gap(error.to_string()))?;
    let object = object::File::parse(bytes).map_err(|error| gap(error.to_string()))?;
    let bias = object
        .segments()
        .find_map(|segment| {
            // The kernel maps whole pages, so a mapping begins a little before its segment. The end of the segment before
            // may lie in the same page, so the beginning alone decides.
            let (offset, _) = segment.file_range();
            let begin = offset / PAGE * PAGE;
            let address = segment.address().wrapping_sub(offset - begin);
            (begin == mapping.offset).then(|| mapping.start.wrapping_sub(address))
        })
        .ok_or_else(|| gap("its segments do not match what is mapped".into()))?;
    let name = mapping.path.trim_end_matches(" (deleted)").to_string();
    Ok(Module {
        path,
        name,
        start: mapping.start,
        end: mapping.end,
        bias,
    })
}

const PAGE: u64 = 4096;

impl Mapping {
    /// What of it may be read: all but what is the agent's own, and nothing of a device.
    pub(super) fn parts_to_read(&self, own: &[(u64, u64)]) -> Vec<Range<u64>> {
        if !self.readable || self.device {
            return Vec::new();
        }
        let mut own: Vec<_> = own.to_vec();
        own.sort_unstable();
        let mut parts = Vec::new();
        let mut at = self.start;
        for (start, end) in own
            .into_iter()
            .filter(|(start, end)| *start < self.end && self.start < *end)
        {
            parts.push(at..start);
            at = at.max(end);
        }
        parts.push(at..self.end);
        parts.retain(|part| part.start < part.end);
        parts
    }

    /// Whether words in it may point at blocks: the program can read it, and wrote it, or may still.
    pub(super) fn may_hold(&self) -> bool {
        let is_file = self.path.starts_with('/');
        self.readable && !self.device && (self.writable || !is_file && !self.executable)
    }

    /// Whether it is memory of this process without a file.
    pub(super) fn is_memory(&self) -> bool {
        self.readable && !self.device && !self.path.starts_with('/')
    }

    /// Whether it is the very stack that a thread was made with: the kernel's, or one whose end has the thread's control block.
    pub(super) fn is_stack_of(&self, sp: u64, base: u64) -> bool {
        self.path == "[stack]" || sp < base && base < self.end
    }

    /// Whether neither a file, nor the agent's, nor a stack is there.
    pub(super) fn is_anonymous(&self, own: &[(u64, u64)], stacks: &[u64]) -> bool {
        !self.path.starts_with('/') && !self.is_of(own) && !self.is_stack(stacks)
    }

    fn is_of(&self, ranges: &[(u64, u64)]) -> bool {
        let mut ranges = ranges.iter();
        ranges.any(|(start, end)| self.start < *end && *start < self.end)
    }

    fn is_stack(&self, stacks: &[u64]) -> bool {
        let holds = |address: &u64| (self.start..self.end).contains(address);
        self.path == "[stack]" || stacks.iter().any(holds)
    }
}

/// Adds up where the resident memory is, so many bytes in all: what is in no mapping without a file is in one with a file.
/// `own` are the agent's address ranges, `stacks` a stack pointer a thread.
pub(super) fn split(
    mappings: &[Mapping],
    resident: u64,
    own: &[(u64, u64)],
    stacks: &[u64],
) -> MemorySplit {
    let mut split = MemorySplit::default();
    let mut without_file = 0;
    for mapping in mappings.iter().filter(|mapping| mapping.is_memory()) {
        without_file += mapping.resident;
        if mapping.is_of(own) {
            split.own += mapping.resident;
        } else if mapping.is_stack(stacks) {
            split.stacks += mapping.resident;
        }
    }
    // The kernel's total may lag behind by some pages.
    split.resident = resident.max(without_file);
    split.files = split.resident - without_file;
    split
}

/// Bytes of a process in memory, by `/proc/PID/status`.
pub(super) fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
55d0c0000000-55d0c0100000 r--p 00000000 fe:00 11                         /srv/my server (deleted)
Size:               1024 kB
Rss:                 100 kB
55d0c0100000-55d0c0200000 r-xp 00100000 fe:00 11                         /srv/my server (deleted)
Rss:                  60 kB
7f0000000000-7f0000200000 rw-p 00000000 00:00 0
Rss:                 200 kB
7f1000000000-7f1000100000 rw-p 00000000 00:00 0
Rss:                  40 kB
7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0                          [stack]
Rss:                  16 kB
nonsense
";

    #[test]
    fn resident_memory_is_split_by_what_lies_there() {
        let mappings = parse(SMAPS);
        assert_eq!(mappings.len(), 5);
        assert_eq!(mappings[1].path, "/srv/my server (deleted)");
        assert!(mappings[1].executable && !mappings[0].executable);
        let total = resident("Name:\tdemo\nVmRSS:\t     416 kB\n");
        let split = split(
            &mappings,
            total,
            &[(0x7f1000000000, 0x7f1000100000)],
            &[0x7f0000000100],
        );
        assert_eq!(split.resident, 416 * 1024);
        assert_eq!(split.files, 160 * 1024);
        assert_eq!(split.stacks, 216 * 1024);
        assert_eq!(split.own, 40 * 1024);
    }

    #[test]
    fn what_the_copy_does_not_have_is_told_by_why() {
        let text = "\
7f0000000000-7f0000200000 rw-p 00000000 00:00 0
Rss:                 200 kB
Swap:                  8 kB
VmFlags: rd wr mr mw me ac
7f1000000000-7f1000100000 rw-p 00000000 00:00 0
Rss:                  40 kB
VmFlags: rd wr mr mw me dc ac
7f2000000000-7f2000100000 ---p 00000000 00:00 0
Rss:                  12 kB
7f3000000000-7f3000100000 ---p 00000000 00:00 0
Rss:                   0 kB
7f4000000000-7f4000100000 rw-p 00000000 00:00 0
Rss:                   4 kB
VmFlags: rd wr dc
";
        let mappings = parse(text);
        let what = |own: &[(u64, u64)]| -> Vec<String> {
            let gaps = unread(&mappings, own).into_iter();
            gaps.map(|gap| format!("{}: {}", gap.what, gap.why))
                .collect()
        };
        let own = [(0x7f40_0000_0000, 0x7f40_0010_0000)];
        assert_eq!(
            what(&own),
            [
                "what 12 KiB of memory hold: it is closed to reading (PROT_NONE)",
                "what 8 KiB of memory hold: it is swapped out, and looking brings nothing in",
                "what 40 KiB of memory hold: the program keeps it from copies of itself (MADV_DONTFORK)",
            ]
        );
        assert_eq!(unread(&mappings[3..4], &[]), []);
    }

    /// The bias of this very test program leads from a function's address to its symbol.
    #[test]
    fn the_bias_leads_from_an_address_to_the_file() {
        use object::ObjectSymbol;
        let mappings = parse(&std::fs::read_to_string("/proc/self/maps").unwrap());
        let program = std::env::current_exe().unwrap();
        let files = crate::os::files::Mapped::default();
        let (modules, _) = modules(&mappings, &program, &files);
        let here = super::parse as *const () as u64;
        let module = modules.iter().find(|module| module.contains(here)).unwrap();
        assert_eq!(module.path, Path::new("/proc/self/exe"));
        let object = object::File::parse(files.open(&module.path).unwrap()).unwrap();
        let symbol = object
            .symbols()
            .find(|symbol| symbol.address() == module.to_file(here));
        assert!(symbol.unwrap().name().unwrap().contains("parse"));
    }
}
