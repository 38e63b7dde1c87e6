//! The allocator of this program, chosen by the environment: one of three, bare or with [`sigheap::Heap`] over it.
#![expect(unsafe_code, reason = "an allocator is unsafe by contract")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU8, Ordering};

use sigheap::Heap;

#[global_allocator]
static HEAP: Chosen = Chosen;

/// The variable that chooses: a digit, twice the allocator's number in [`NAMES`] and one more if it is tracked.
pub(crate) const VARIABLE: &str = "SIGHEAP_LOAD";

/// The allocators.
pub(crate) const NAMES: [&str; 3] = ["system", "jemalloc", "mimalloc"];

const UNKNOWN: u8 = u8::MAX;

static CHOICE: AtomicU8 = AtomicU8::new(UNKNOWN);

#[inline(always)]
fn choice() -> u8 {
    match CHOICE.load(Ordering::Relaxed) {
        UNKNOWN => choose(),
        known => known,
    }
}

/// At the first allocation, before there is a second thread.
#[cold]
#[inline(never)]
fn choose() -> u8 {
    // SAFETY: the name ends with a zero; nobody changes the environment yet. A value has a first byte, its end at least.
    let digit = unsafe {
        let value = libc::getenv(c"SIGHEAP_LOAD".as_ptr());
        if value.is_null() { 0 } else { *value as u8 }
    };
    let choice = digit.saturating_sub(b'0');
    CHOICE.store(choice, Ordering::Relaxed);
    choice
}

static SYSTEM: Heap = Heap::system();
static JEMALLOC: Heap<tikv_jemallocator::Jemalloc> = Heap::new(tikv_jemallocator::Jemalloc);
static MIMALLOC: Heap<mimalloc::MiMalloc> = Heap::new(mimalloc::MiMalloc);

struct Chosen;

macro_rules! forward {
    ($heap:ident => $call:expr) => {
        match choice() {
            0 => {
                let $heap = &System;
                $call
            }
            1 => {
                let $heap = &SYSTEM;
                $call
            }
            2 => {
                let $heap = &tikv_jemallocator::Jemalloc;
                $call
            }
            3 => {
                let $heap = &JEMALLOC;
                $call
            }
            4 => {
                let $heap = &mimalloc::MiMalloc;
                $call
            }
            _ => {
                let $heap = &MIMALLOC;
                $call
            }
        }
    };
}

// SAFETY: every call of the process goes to the same allocator, which keeps the contract.
unsafe impl GlobalAlloc for Chosen {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        forward!(heap => unsafe { heap.alloc(layout) })
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises.
        forward!(heap => unsafe { heap.alloc_zeroed(layout) })
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises.
        forward!(heap => unsafe { heap.dealloc(block, layout) })
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises.
        forward!(heap => unsafe { heap.realloc(block, layout, size) })
    }
}
