//! An allocator that counts and bounds what the study of one damaged file takes, and takes all of it back afterwards: what
//! is read of a file stays as long as the process, which here sees a hundred thousand of them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What one file may take, in bytes: hundreds of times the largest of them.
pub(crate) const ROOM: usize = 256 << 20;

/// The system's allocator, and for a thread that asks for it a region that is filled from its beginning.
pub(crate) struct Bounded;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The region's first byte, once there is a region, and how much of it is taken. One thread at a time uses it.
static BEGIN: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` in the region and returns how many bytes it took. What `work` allocates is gone afterwards, so that it must give
/// nothing back that holds any of it.
pub(crate) fn bounded(work: impl FnOnce()) -> usize {
    if BEGIN.load(Ordering::Relaxed) == 0 {
        let layout = Layout::from_size_align(ROOM, 4096).unwrap();
        // SAFETY: the layout's size is not zero.
        BEGIN.store(unsafe { System.alloc(layout) } as usize, Ordering::Relaxed);
    }
    TAKEN.store(0, Ordering::Relaxed);
    INSIDE.set(true);
    work();
    INSIDE.set(false);
    TAKEN.load(Ordering::Relaxed)
}

fn take(layout: Layout) -> *mut u8 {
    let begin = BEGIN.load(Ordering::Relaxed);
    let at = (begin + TAKEN.load(Ordering::Relaxed)).next_multiple_of(layout.align());
    let Some(end) = at
        .checked_add(layout.size())
        .filter(|end| *end <= begin + ROOM)
    else {
        return ptr::null_mut();
    };
    TAKEN.store(end - begin, Ordering::Relaxed);
    at as *mut u8
}

fn is_inside(block: *mut u8) -> bool {
    let begin = BEGIN.load(Ordering::Relaxed);
    begin != 0 && (begin..begin + ROOM).contains(&(block as usize))
}

/// Whether a block is the last of the region: it can grow, and go.
fn is_last(block: *mut u8, layout: Layout) -> bool {
    let end = BEGIN.load(Ordering::Relaxed) + TAKEN.load(Ordering::Relaxed);
    is_inside(block) && block as usize + layout.size() == end
}

fn give_back(layout: Layout) {
    TAKEN.fetch_sub(layout.size(), Ordering::Relaxed);
}

// SAFETY: blocks of the region do not overlap until it is emptied, and others are the system's.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match INSIDE.get() {
            true => take(layout),
            // SAFETY: the caller's promises.
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_last(block, layout) {
            give_back(layout);
        } else if !is_inside(block) {
            // SAFETY: the caller's promises; the block is not of the region.
            unsafe { System.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_last(block, layout) {
            give_back(layout);
        }
        // SAFETY: the caller promises that the new size fits the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the size is not zero, as the caller promises.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() && moved != block {
            // SAFETY: both blocks have room for the smaller of the sizes; they may overlap where the last one grows.
            unsafe { ptr::copy(block, moved, layout.size().min(size)) };
            // SAFETY: the caller's promises.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}
