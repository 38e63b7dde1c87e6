//! The allocator of these programs: sigheap's, or the system's alone where the environment has `PLAIN_ALLOCATOR`.

use std::alloc::{GlobalAlloc, Layout, System};

use sigheap::Heap;

use crate::raw;

pub(crate) struct Switch(Heap);

impl Switch {
    pub(crate) const fn new() -> Self {
        Switch(Heap::system())
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by contract")]
// SAFETY: every call is forwarded unchanged, always to the same of two allocators that keep the contract.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
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
