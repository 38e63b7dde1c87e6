//! An allocator that remembers the stacks of live blocks while a thread asks for it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};

/// A live block and the return addresses that allocated it, innermost first.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) address: usize,
    pub(crate) layout: Layout,
    pub(crate) stack: Vec<u64>,
}

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static LIVE: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Runs a function and returns the blocks it left alive.
#[inline(never)]
pub(crate) fn record(work: &mut dyn FnMut()) -> Vec<Block> {
    LIVE.with_borrow_mut(Vec::clear);
    ON.set(true);
    work();
    ON.set(false);
    LIVE.take()
}

pub(crate) struct Recorder;

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Recorder {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        let block = unsafe { System.alloc(layout) };
        born(block, layout);
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        died(block);
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        died(block);
        // SAFETY: the caller's promises.
        let moved = unsafe { System.realloc(block, layout, size) };
        // SAFETY: the caller promises that the new size fits the alignment.
        born(moved, unsafe {
            Layout::from_size_align_unchecked(size, layout.align())
        });
        moved
    }
}

#[inline(never)]
fn born(block: *mut u8, layout: Layout) {
    let here = 0u8;
    quietly(|| {
        let (address, stack) = (block as usize, stack_above(&raw const here as usize));
        LIVE.with_borrow_mut(|live| {
            live.push(Block {
                address,
                layout,
                stack,
            })
        });
    });
}

#[inline(never)]
fn died(block: *mut u8) {
    quietly(|| LIVE.with_borrow_mut(|live| live.retain(|one| one.address != block as usize)));
}

/// Does something that allocates without recording it.
fn quietly(work: impl FnOnce()) {
    if ON.try_with(Cell::get).unwrap_or(false) {
        ON.set(false);
        work();
        ON.set(true);
    }
}

/// The return addresses of the calls that led into the allocator: those whose stack frames lie above its own.
fn stack_above(address: usize) -> Vec<u64> {
    let mut frames = Vec::new();
    // SAFETY: the recorder runs on one thread.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            if frame.sp() as usize > address {
                frames.push(frame.ip() as u64);
            }
            frames.len() < 64
        });
    }
    frames
}
