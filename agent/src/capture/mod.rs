//! The paused process -> raw heap: blocks, sites, modules, threads, roots, where the memory is. Runs in the clone.

mod maps;
mod memory;
mod roots;
mod threads;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::heap::{
    Address, Before, Block, Files, Gap, Malloc, Memory, MemorySplit, Mode, Module, Rate, Registers,
    Site, SiteId, Snapshot, Thread, Tracking,
};
use crate::os::map;
use crate::os::memory::Resident;
use crate::os::stop;
use crate::pause::Pause;
use crate::track;

/// What the program's side knows of the moment it stopped, and a clone could not find out.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    /// The program's process id.
    pub(crate) pid: u32,
    /// When it stopped, by the calendar.
    pub(crate) taken: SystemTime,
    /// When it stopped, in nanoseconds of a monotonic clock that stands still during looks.
    pub(crate) taken_ns: u64,
    /// How long stopping took.
    pub(crate) stop: Duration,
    /// Which look this is, from 1.
    pub(crate) look: u32,
    /// The program's threads.
    pub(crate) threads: Vec<Thread>,
    /// The registers of each thread that stopped, by its id.
    pub(crate) registers: Vec<(u32, Registers)>,
    /// When each tick of the clock began.
    pub(crate) births: Vec<u64>,
    /// What the allocator says of itself, or why it does not.
    pub(crate) malloc: Result<Malloc, &'static str>,
    /// Where the memory was at the look before.
    pub(crate) before: Option<Before>,
    /// What the agent lacks.
    pub(crate) gaps: Vec<Gap>,
    /// What the user should know of how the program was started.
    pub(crate) hints: Vec<String>,
}

/// Reads the frozen heap out of the clone's own memory. `past_sites` are wanted besides those of the live blocks: what
/// was there at the last look may be gone, and must still have a name.
pub(crate) fn heap(
    mut frozen: Frozen,
    past_sites: impl Iterator<Item = SiteId>,
    files: &dyn Files,
) -> Snapshot {
    // First, while the clone has no memory of its own yet.
    let (mappings, resident) = mappings(frozen.pid);
    let (blocks, tracking) = blocks(frozen.taken_ns);
    let program = program(frozen.pid);
    let (modules, mut gaps): (Vec<Module>, Vec<Gap>) = maps::modules(&mappings, &program, files);
    gaps.extend(frozen.gaps);
    gaps.extend(threads_that_run(&frozen.threads));
    gaps.extend(threads::look_at(
        &mut frozen.threads,
        &frozen.registers,
        &mappings,
    ));
    let roots = roots::Places {
        mappings: &mappings,
        modules: &modules,
        files,
        threads: &frozen.threads,
        registers: &frozen.registers,
    }
    .roots();
    let stacks: Vec<u64> = frozen.registers.iter().map(|(_, at)| at.sp).collect();
    let untold = frozen.malloc.err();
    gaps.extend(untold.map(|why| Gap::new("how much memory the allocator keeps free", why)));
    let memory = memory(
        (&mappings, resident),
        &stacks,
        &blocks,
        tracking.unknown_bytes,
        frozen.malloc.ok(),
    );
    Snapshot {
        program: name(&program),
        pid: frozen.pid,
        taken: frozen.taken,
        taken_ns: frozen.taken_ns,
        stop: frozen.stop,
        look: frozen.look,
        sites: sites(&blocks, past_sites),
        blocks,
        births: frozen.births,
        modules,
        roots,
        threads: frozen.threads,
        memory,
        before: frozen.before,
        tracking,
        gaps,
        hints: frozen.hints,
    }
}

/// The live blocks in order of address, and how the tracker stood.
pub(crate) fn blocks(taken_ns: u64) -> (Vec<Block>, Tracking) {
    // Counted first: a list of tens of megabytes that grows is copied again and again.
    let mut count = 0;
    track::for_each_block(|_| count += 1);
    let mut blocks: Vec<Block> = Vec::with_capacity(count);
    track::for_each_block(|block| blocks.push(block));
    blocks.sort_unstable_by_key(|block| block.address);
    let tracking = tracking(&mut blocks, taken_ns);
    (blocks, tracking)
}

fn program(pid: u32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

fn name(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches(" (deleted)").to_string()
}

/// The program's list, with how much of what is no file is in memory, and how much there is in all. `smaps` says both, and walks
/// every page of the process for that: 15 ms a GiB. So the clone asks of its own pages, which are the same. The totals are the
/// program's; the clone's, where those are refused (a program that changed its user), lack file pages that only the program touched.
fn mappings(pid: u32) -> (Vec<maps::Mapping>, u64) {
    let mut mappings = own_mappings();
    for mapping in &mut mappings {
        mapping.resident = match mapping.is_memory() {
            true => map::resident(mapping.start..mapping.end),
            false => 0,
        };
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.or_else(|_| fs::read_to_string("/proc/self/status"));
    (mappings, maps::resident(&status.unwrap_or_default()))
}

/// The stopped threads as a look sees them; for tests, which look without a clone.
pub fn threads_of(pause: &Pause) -> (Vec<Thread>, Option<Gap>) {
    let mut threads = pause.threads();
    let gap = threads::look_at(&mut threads, &pause.registers(), &own_mappings());
    (threads, gap)
}

/// The clone's own, which are what it can read.
fn own_mappings() -> Vec<maps::Mapping> {
    let text = fs::read("/proc/self/maps").unwrap_or_default();
    maps::parse(&String::from_utf8_lossy(&text))
}

/// The memory of the frozen program, the agent's own left out. `pid` is the program's.
pub(crate) fn memory_of_the_program(pid: u32) -> impl Memory {
    let resident = Resident::new(|| {
        // Of the clone itself: `maps` alone does not tell devices, and these it may always read.
        let own = own_ranges();
        let mappings = detailed("self").unwrap_or_default();
        let parts = mappings.iter().map(|mapping| mapping.parts_to_read(&own));
        parts.flatten().collect()
    });
    OfProgram { pid, resident }
}

fn detailed(process: &str) -> Option<Vec<maps::Mapping>> {
    let text = fs::read(format!("/proc/{process}/smaps")).ok()?;
    Some(maps::parse(&String::from_utf8_lossy(&text)))
}

struct OfProgram<F> {
    pid: u32,
    resident: Resident<F>,
}

impl<F: Fn() -> Vec<Range<u64>>> Memory for OfProgram<F> {
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()> {
        self.resident.read(at, into)
    }

    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>> {
        self.resident.readable(within)
    }

    fn gaps(&self) -> Vec<Gap> {
        let whole = detailed(&self.pid.to_string());
        let mappings = whole.or_else(|| detailed("self")).unwrap_or_default();
        maps::unread(&mappings, &own_ranges())
    }
}

fn own_ranges() -> Vec<(u64, u64)> {
    let mut own = Vec::new();
    let stopped = stop::range();
    own.push((stopped.start, stopped.end));
    track::for_each_own_range(|range| own.push((range.start, range.end)));
    own
}

/// The call stacks of these blocks and those besides. Their numbers are small: a million blocks are marked in a table of them
/// sooner than hashed.
fn sites(blocks: &[Block], besides: impl Iterator<Item = SiteId>) -> HashMap<SiteId, Site> {
    let most = blocks.iter().map(|block| block.site.0).max();
    let mut seen = vec![false; most.map_or(0, |most| most as usize + 1)];
    for block in blocks {
        seen[block.site.0 as usize] = true;
    }
    let numbers = (0..).map(SiteId).zip(seen);
    let of_blocks = numbers.filter_map(|(id, seen)| seen.then_some(id));
    let ids: HashSet<SiteId> = of_blocks.chain(besides).collect();
    ids.into_iter()
        .filter_map(|id| Some((id, track::site(id)?)))
        .collect()
}

fn memory(
    mappings: (&[maps::Mapping], u64),
    stacks: &[u64],
    blocks: &[Block],
    unrecorded: u64,
    malloc: Option<Malloc>,
) -> MemorySplit {
    memory::split(mappings, &own_ranges(), stacks, blocks, unrecorded, malloc)
}

/// How the tracker stands. Where every live block turns out to have a record, none stands for another.
fn tracking(blocks: &mut [Block], taken_ns: u64) -> Tracking {
    let stats = track::stats();
    let period = track::period();
    if all_have_records(&stats) {
        blocks.iter_mut().for_each(|one| one.rate = Rate::WHOLE);
    }
    let mode_for = Duration::from_nanos(taken_ns.saturating_sub(period.since_ns));
    let spent = |before, is_now| {
        Duration::from_nanos(before) + if is_now { mode_for } else { Duration::ZERO }
    };
    let picked = |block: &&Block| block.rate != Rate::WHOLE;
    Tracking {
        present: track::present(),
        mode: period.mode,
        mode_for: (period.since_ns != 0).then_some(mode_for),
        off_for: spent(period.off_ns, period.mode == Mode::Off),
        sampled_for: spent(period.sampled_ns, matches!(period.mode, Mode::Sampled(_))),
        sample: blocks.iter().filter(picked).count() as u64,
        unknown_blocks: stats.unknown_blocks,
        unknown_bytes: stats.unknown_bytes,
        sites: stats.sites,
        sites_used_permille: stats.sites_used_permille,
        without_stack: stats.without_stack,
        unrecorded: stats.unrecorded,
        crowded: stats.crowded,
        records_bytes: stats.records_bytes,
        sites_bytes: stats.sites_bytes,
    }
}

/// Whether every live block has a record. Not known once blocks lay so close that one's record took the other's place: each
/// such block, freed, counts for one without a record too many.
fn all_have_records(stats: &track::Stats) -> bool {
    stats.unknown_blocks == 0 && stats.crowded == 0
}

fn threads_that_run(threads: &[Thread]) -> impl Iterator<Item = Gap> {
    threads.iter().filter_map(|thread| {
        let why = thread.stopped.as_ref().err()?;
        Some(Gap::new(
            format!(
                "thread {} ({}) runs on, and what it allocates meanwhile",
                thread.name, thread.tid
            ),
            why,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record that gave way makes the count of blocks without one too small, and then sampled figures passed for exact.
    #[test]
    fn where_blocks_lay_too_close_nothing_passes_for_exact() {
        let stats = track::Stats {
            unknown_blocks: 0,
            crowded: 0,
            ..track::stats()
        };
        assert!(all_have_records(&stats));
        assert!(!all_have_records(&track::Stats {
            crowded: 1,
            ..stats
        }));
    }
}
