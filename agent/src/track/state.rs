//! ON THE PROGRAM'S HOT PATH: the epoch; and off it, what the tracker knows, for whoever looks.
//!
//! Meant for the clone, where nothing moves. In the running program the answers are true of each block, not of all at
//! one moment.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::memo::MEMO;
use super::record::MAX_BIRTH;
use super::sites::SITES;
use super::table::TABLE;
use super::{arena, mode, thread, unwind};
use crate::heap::{Address, Block, Site, SiteId};
use crate::os::map;

/// The birth of the blocks allocated now.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The epoch: the birth of the blocks allocated now.
#[inline(always)]
pub fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Sets the epoch. It saturates at the last that a record can hold, 2^20 - 1.
pub fn set_epoch(epoch: u32) {
    EPOCH.store(epoch.min(MAX_BIRTH), Ordering::Relaxed);
}

/// Calls `visit` with every recorded live block: first those in the table in order of address, then those that threads were
/// moving when they stopped, at the addresses they were at. Such an address may by then be another block's too.
pub fn for_each_block(mut visit: impl FnMut(Block)) {
    TABLE.for_each(&mut visit);
    thread::for_each_moving(&mut visit);
}

/// The recorded live block that begins at an address.
pub fn block_at(address: Address) -> Option<Block> {
    TABLE
        .block(address.0)
        .filter(|block| block.address == address)
}

/// A call stack by its number. Nothing for zero, and for a number that is none.
pub fn site(id: SiteId) -> Option<Site> {
    SITES.read(id)
}

/// Whether any allocation ever came through [`Heap`](super::Heap).
pub fn present() -> bool {
    TABLE.was_used()
}

/// Whether blocks come from the system's allocator, as far as the tracker has been told.
static OVER_SYSTEM: AtomicBool = AtomicBool::new(false);

/// Whether blocks come from the system's allocator. Not so for [`Heap::new`](super::Heap::new), whatever it is over.
pub(crate) fn is_over_system() -> bool {
    OVER_SYSTEM.load(Ordering::Relaxed)
}

pub(super) fn set_over_system(is_so: bool) {
    OVER_SYSTEM.store(is_so, Ordering::Relaxed);
}

/// How the tracker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Distinct call stacks kept.
    pub sites: u64,
    /// Share of the sites' room in use, in thousandths.
    pub sites_used_permille: u32,
    /// Blocks recorded without a stack because that room was full, ever.
    pub without_stack: u64,
    /// Blocks not recorded at all because the table could not grow, ever.
    pub unrecorded: u64,
    /// Records lost because the allocator put blocks closer together than the table can tell apart, ever.
    pub crowded: u64,
    /// Live blocks without a record: born or moved while not all was recorded.
    pub unknown_blocks: u64,
    /// Bytes of those, as asked for.
    pub unknown_bytes: u64,
    /// Bytes of the tracker's tables and the arena in memory now.
    pub own_bytes: u64,
    /// Bytes of those that hold the records of blocks.
    pub records_bytes: u64,
    /// Bytes of those that hold call stacks.
    pub sites_bytes: u64,
}

/// How the tracker stands.
pub fn stats() -> Stats {
    let mut own_bytes = 0;
    for_each_own_range(|range| own_bytes += map::resident(range));
    let mut records_bytes = map::resident(addresses(&TABLE));
    TABLE.for_each_range(&mut |range| records_bytes += map::resident(range));
    let (unknown_blocks, unknown_bytes) = unknown();
    Stats {
        sites: SITES.count(),
        sites_used_permille: SITES.used_permille(),
        without_stack: SITES.without_stack(),
        unrecorded: TABLE.unrecorded(),
        crowded: TABLE.crowded(),
        unknown_blocks,
        unknown_bytes,
        own_bytes,
        records_bytes,
        sites_bytes: map::resident(addresses(&SITES)) + map::resident(SITES.range()),
    }
}

/// How many live blocks have no record, and their bytes.
pub fn unknown() -> (u64, u64) {
    let (blocks, bytes) = thread::unrecorded();
    (blocks.max(0) as u64, bytes.max(0) as u64)
}

/// Calls `visit` with every address range of the tracker's own, mapped or static. Most of their pages were never
/// touched.
pub fn for_each_own_range(mut visit: impl FnMut(Range<u64>)) {
    visit(addresses(&TABLE));
    visit(addresses(&SITES));
    visit(unwind::range());
    TABLE.for_each_range(&mut visit);
    thread::for_each_range(&mut visit);
    visit(SITES.range());
    MEMO.ranges().into_iter().for_each(&mut visit);
    visit(arena::range());
}

fn addresses<T>(what: &'static T) -> Range<u64> {
    let start = std::ptr::from_ref(what) as u64;
    start..start + size_of::<T>() as u64
}

/// Slots that threads hold, for tests: threads that ended hold none.
pub fn slots_taken() -> usize {
    thread::slots_taken()
}

/// Drops the record of a live block, as a faulty tracker would: the negative control of the tests of exactness.
pub fn forget(block: Block) {
    TABLE.remove(block.address.0, block.size as usize);
}

/// Ends tracking for the life of the process: what was recorded is dropped, its memory given back, and an allocation
/// costs no more than a look at the mode. For a program in which there will never be a look.
pub fn end() {
    mode::end();
    TABLE.discard();
    SITES.discard();
    MEMO.discard();
}
