//! ON THE PROGRAM'S HOT PATH: the allocator, its table, sites, stacks, the agent's arena.
#![expect(
    unsafe_code,
    reason = "one of the two rooms that hold it: an allocator is unsafe by contract"
)]

use std::alloc::{GlobalAlloc, Layout, System};

/// The global allocator that remembers every live block.
#[derive(Debug)]
pub struct Heap<A = System> {
    inner: A,
}

impl Heap<System> {
    /// Over the system's allocator.
    pub const fn system() -> Self {
        Heap { inner: System }
    }
}

impl<A> Heap<A> {
    /// Over any other allocator.
    pub const fn new(inner: A) -> Self {
        Heap { inner }
    }
}

// SAFETY: every call is forwarded unchanged to an allocator that keeps the contract.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the inner allocator's.
        unsafe { self.inner.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.inner.dealloc(block, layout) }
    }
}
