//! The allocator of these programs: sigheap's, or the system's alone where the environment has `PLAIN_ALLOCATOR`. It can
//! hold up a thread for good.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU32, Ordering};

use sigheap::Heap;

use crate::raw;

pub(crate) struct Switch(Heap);

/// The first room of a list of pointers.
const LIST: Layout = Layout::new::<[usize; 4]>();

static HOLDING: AtomicU32 = AtomicU32::new(0);
const ARMED: u32 = 1;
const HELD: u32 = 2;

/// From now on the first thread that makes a list of pointers never returns from doing so.
pub(crate) fn hold_up_a_list() {
    HOLDING.store(ARMED, Ordering::SeqCst);
}

/// Waits until one does.
pub(crate) fn wait_until_held_up() {
    while HOLDING.load(Ordering::SeqCst) != HELD {
        std::thread::yield_now();
    }
}

impl Switch {
    pub(crate) const fn new() -> Self {
        Switch(Heap::system())
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by contract")]
// SAFETY: every call is forwarded unchanged, always to the same of two allocators that keep the contract.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout == LIST
            && HOLDING
                .compare_exchange(ARMED, HELD, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        {
            loop {
                std::thread::park();
            }
        }
        // SAFETY: the caller's promises.
        unsafe {
            match raw::is_in_environment(c"PLAIN_ALLOCATOR") {
                true => System.alloc(layout),
                false => self.0.alloc(layout),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        unsafe {
            match raw::is_in_environment(c"PLAIN_ALLOCATOR") {
                true => System.dealloc(block, layout),
                false => self.0.dealloc(block, layout),
            }
        }
    }
}
