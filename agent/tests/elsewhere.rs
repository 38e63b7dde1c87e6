//! What other targets get: the allocator forwards every call as it is, and `install` says why nothing happens. Built on
//! this one with `SIGHEAP_ELSEWHERE` set, as `.ci/run` does.
#![cfg(not(sigheap_supported))]
#![expect(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator is called as one, and a test ends where it is wrong"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::{self, Write};
use std::ptr;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Notes each call and what it was given, and leaves the work to the system's allocator.
struct Noting(Mutex<Vec<(&'static str, usize, usize)>>);

impl Noting {
    fn note(&self, call: &'static str, size: usize, align: usize) {
        self.0.lock().unwrap().push((call, size, align));
    }
}

// SAFETY: every call is the system's allocator's.
unsafe impl GlobalAlloc for &Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.note("alloc", layout.size(), layout.align());
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.note("zeroed", layout.size(), layout.align());
        // SAFETY: the caller's promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.note("dealloc", layout.size(), layout.align());
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.note("realloc", size, layout.align());
        // SAFETY: the caller's promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[test]
fn every_call_is_forwarded_with_the_layout_it_came_with() {
    let noting = Noting(Mutex::default());
    let heap = sigheap::Heap::new(&noting);
    let (small, large) = (
        Layout::new::<[u8; 3]>(),
        Layout::from_size_align(24, 8).unwrap(),
    );
    // SAFETY: sizes are not zero, and each block is given back with the layout it has.
    unsafe {
        let block = heap.alloc(small);
        block.write_bytes(7, 3);
        let moved = heap.realloc(block, small, 40);
        assert_eq!(ptr::read(moved.add(2)), 7);
        heap.dealloc(moved, Layout::from_size_align(40, 1).unwrap());
        let zeroed = heap.alloc_zeroed(large);
        assert_eq!(ptr::read(zeroed.add(23)), 0);
        heap.dealloc(zeroed, large);
    }
    let calls = noting.0.into_inner().unwrap();
    assert_eq!(
        calls,
        [
            ("alloc", 3, 1),
            ("realloc", 40, 1),
            ("dealloc", 40, 1),
            ("zeroed", 24, 8),
            ("dealloc", 24, 8)
        ]
    );
}

#[test]
fn install_says_why_nothing_happens() {
    let log = Log::default();
    let agent = tracing::subscriber::with_default(log.clone(), sigheap::install);
    assert!(!agent.is_active());
    let text = log.0.lock().unwrap().clone();
    assert!(
        text.contains("not installed") && text.contains("x86-64"),
        "{text}"
    );
}

/// Keeps what is said.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "{value:?} ");
    }
}
