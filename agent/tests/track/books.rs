//! The bookkeeper: what the process allocated, counted without the tracker's help.

use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sigheap::Heap;
use sigheap::internals::{self, Block};

#[global_allocator]
static HEAP: Counted = Counted(Heap::system());

/// The bookkeeper: `Heap`, and counters that owe nothing to it.
struct Counted(Heap);

pub(crate) static BLOCKS: AtomicI64 = AtomicI64::new(0);
pub(crate) static BYTES: AtomicI64 = AtomicI64::new(0);
/// Calls begun and calls ended: when equal and still, nothing is being allocated.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

fn counted<T>(call: impl FnOnce() -> (T, i64, i64)) -> T {
    BEGUN.fetch_add(1, Ordering::SeqCst);
    let (answer, blocks, bytes) = call();
    BLOCKS.fetch_add(blocks, Ordering::SeqCst);
    BYTES.fetch_add(bytes, Ordering::SeqCst);
    ENDED.fetch_add(1, Ordering::SeqCst);
    answer
}

// SAFETY: forwards to `Heap`.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.alloc(layout) }, 1, layout.size() as i64))
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let bytes = layout.size() as i64;
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.alloc_zeroed(layout) }, 1, bytes))
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let bytes = layout.size() as i64;
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.dealloc(block, layout) }, -1, -bytes));
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let more = size as i64 - layout.size() as i64;
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.realloc(block, layout, size) }, 0, more))
    }
}

/// One test at a time: they compare the whole process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every live block, at a moment in which nothing is allocated, with the bookkeeper's count and bytes.
pub(crate) fn all_blocks() -> (Vec<Block>, i64, i64) {
    let mut blocks = Vec::with_capacity(1 << 18);
    for _ in 0..1000 {
        let calls = BEGUN.load(Ordering::SeqCst);
        let (count, bytes) = (BLOCKS.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
        blocks.clear();
        internals::for_each_block(|block| blocks.push(block));
        let still = ENDED.load(Ordering::SeqCst) == calls && BEGUN.load(Ordering::SeqCst) == calls;
        if still {
            return (blocks, count, bytes);
        }
        std::thread::yield_now();
    }
    panic!("the process never stands still");
}

/// Whether the tracker and the bookkeeper agree on the whole process, and on each of `known`.
pub(crate) fn check(known: &[(u64, Layout)]) -> Result<(), String> {
    let (blocks, count, bytes) = all_blocks();
    // Without a record are some that the harness allocated while a test had tracking off.
    let (unknown, unknown_bytes) = internals::unknown();
    let tracked: u64 = blocks.iter().map(|block| block.size).sum();
    let found = (
        (blocks.len() as u64 + unknown) as i64,
        (tracked + unknown_bytes) as i64,
    );
    if found != (count, bytes) {
        return Err(format!(
            "{found:?} blocks and bytes, not {count} of {bytes}"
        ));
    }
    let by_address: HashMap<u64, Block> = blocks.iter().map(|b| (b.address.0, *b)).collect();
    if by_address.len() != blocks.len() {
        return Err("an address twice".to_owned());
    }
    for (address, layout) in known {
        match by_address.get(address) {
            Some(b) if b.size == layout.size() as u64 && b.align() == layout.align() as u64 => {}
            other => return Err(format!("{address:#x}: {layout:?}, not {other:?}")),
        }
    }
    Ok(())
}
