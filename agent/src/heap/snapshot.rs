//! The snapshot: the whole frozen heap as the study sees it.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::{Address, Birth, Block, Gap, Mode, Module, Root, Site, SiteId, Thread};

/// The heap of a process at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The program's name, as in `/proc/PID/comm` or better.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// When it stopped, by the calendar.
    pub taken: SystemTime,
    /// When it stopped, in nanoseconds of a monotonic clock that stands still during looks. With `births` it gives ages.
    pub taken_ns: u64,
    /// How long stopping all threads took.
    pub stop: Duration,
    /// Which look at this process this is, from 1.
    pub look: u32,
    /// Every live block, in order of address.
    pub blocks: Vec<Block>,
    /// Every site that a block refers to, and every one that the counts of the look before do: `growth` names what has
    /// gone by it.
    pub sites: HashMap<SiteId, Site>,
    /// For each tick of the agent's clock when it began, on the same clock as `taken_ns`.
    pub births: Vec<u64>,
    /// The object files of the program.
    pub modules: Vec<Module>,
    /// Where words outside the blocks may hold some, what says most first.
    pub roots: Vec<Root>,
    /// The threads that were stopped, and those that could not be.
    pub threads: Vec<Thread>,
    /// Where the resident memory is.
    pub memory: MemorySplit,
    /// Where it was at the look before, if there was one.
    pub before: Option<Before>,
    /// How the tracker stood.
    pub tracking: Tracking,
    /// What could not be captured.
    pub gaps: Vec<Gap>,
    /// What the user should know of how the program was started: that it is part of a pipeline, say.
    pub hints: Vec<String>,
}

impl Snapshot {
    /// How long before the stop a block was born, if the clock was running then, in time that the program ran.
    pub fn age(&self, birth: Birth) -> Option<Duration> {
        let began = *self.births.get(birth.0 as usize)?;
        (began != 0).then(|| Duration::from_nanos(self.taken_ns.saturating_sub(began)))
    }

    /// The threads but the agent's own.
    pub fn programs_threads(&self) -> impl Iterator<Item = &Thread> {
        self.threads.iter().filter(|thread| !thread.is_agents())
    }

    /// Bytes in live blocks.
    pub fn live_bytes(&self) -> u64 {
        self.blocks.iter().map(|block| block.size).sum()
    }
}

/// Where the resident memory is, in bytes. The parts add up to `resident`, with `unexplained` for the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemorySplit {
    /// Resident set size of the process.
    pub resident: u64,
    /// Live Rust blocks, as asked for, those without a record included.
    pub live: u64,
    /// What the allocator takes for those beyond what was asked for, where it is glibc's.
    pub rounding: Option<u64>,
    /// Free memory that the allocator keeps, if it could be asked.
    pub free: Option<u64>,
    /// What else `malloc` has given out, where it is glibc's: to C code, or kept aside for threads to take.
    pub foreign: Option<u64>,
    /// The agent's own: tables, stacks, arena.
    pub own: u64,
    /// Stacks of threads.
    pub stacks: u64,
    /// Mapped files: code and data of the program and its libraries.
    pub files: u64,
    /// The rest: mappings of the program's own; where the allocator does not say, what it keeps and rounds up, too.
    pub unexplained: u64,
    /// The largest mapping in which no block of the program's lies.
    pub largest_other: Option<Mapped>,
}

/// Where the resident memory was at the look before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The parts.
    pub memory: MemorySplit,
    /// When, on the clock of the snapshot's `taken_ns`.
    pub taken_ns: u64,
}

/// A mapping without a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Where it begins.
    pub start: Address,
    /// Bytes of it in memory.
    pub bytes: u64,
}

/// What glibc's allocator says of itself, all arenas together, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Malloc {
    /// Free, in memory or given back to the kernel page by page.
    pub free: u64,
    /// Given out, or kept aside for threads to take, from its arenas.
    pub used: u64,
    /// Given out in mappings of their own: large blocks.
    pub mapped: u64,
}

/// How the tracker stood when the program stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Whether the program allocates through `sigheap::Heap` at all.
    pub present: bool,
    /// How much is recorded.
    pub mode: Mode,
    /// For how long before the stop; none since the program's first allocation.
    pub mode_for: Option<Duration>,
    /// How long nothing was recorded, of the time that may still matter: what was not recorded before it is known to
    /// have died.
    pub off_for: Duration,
    /// The same of the time that a sample was recorded.
    pub sampled_for: Duration,
    /// Recorded blocks that stand for others: [`Block::rate`].
    pub sample: u64,
    /// Live blocks without a record, exactly.
    pub unknown_blocks: u64,
    /// Bytes of those, as asked for.
    pub unknown_bytes: u64,
    /// Distinct call stacks kept.
    pub sites: u64,
    /// Share of the sites' room in use, in thousandths.
    pub sites_used_permille: u32,
    /// Blocks recorded without a stack because that room was full, ever.
    pub without_stack: u64,
    /// Blocks that could not be recorded at all for want of memory, ever.
    pub unrecorded: u64,
    /// Records lost because the allocator puts blocks closer together than they can be told apart, ever.
    pub crowded: u64,
    /// Bytes of memory that the records of blocks take.
    pub records_bytes: u64,
    /// Bytes of memory that the call stacks take.
    pub sites_bytes: u64,
}
