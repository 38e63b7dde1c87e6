//! What tracking costs: a `malloc` and a `free` through a dozen frames with 500 live blocks, `sigheap::Heap` against the
//! system's allocator under it. Runs interleave, and the quietest of each counts.
#![expect(unsafe_code, reason = "allocators are called directly")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::{Duration, Instant};

use sigheap::Heap;

static TRACKED: Heap = Heap::system();

const LIVE: usize = 500;
const PAIRS: usize = 200_000;
const RUNS: usize = 25;

fn main() {
    for depth in [0, 4, 12, 20] {
        let (mut plain, mut tracked) = (Duration::MAX, Duration::MAX);
        for _ in 0..RUNS {
            plain = plain.min(time(&System, depth));
            tracked = tracked.min(time(&TRACKED, depth));
        }
        report(depth, plain, tracked);
    }
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
fn report(depth: usize, plain: Duration, tracked: Duration) {
    let each = |time: Duration| time.as_nanos() as f64 / PAIRS as f64;
    let (plain, tracked) = (each(plain), each(tracked));
    println!(
        "{depth:2} frames more: {plain:6.1} ns a pair, tracked {tracked:6.1} ns: +{:.1} ns, ratio {:.2}",
        tracked - plain,
        tracked / plain
    );
}

fn time(heap: &dyn GlobalAlloc, depth: usize) -> Duration {
    let mut live = [(std::ptr::null_mut(), Layout::new::<u64>()); LIVE];
    for (number, slot) in live.iter_mut().enumerate() {
        *slot = take(heap, number);
    }
    let start = Instant::now();
    down(heap, depth, &mut live);
    let time = start.elapsed();
    for (block, layout) in live {
        // SAFETY: allocated from this heap with this layout.
        unsafe { heap.dealloc(block, layout) };
    }
    time
}

/// `depth` frames, and below them the work.
#[inline(never)]
fn down(heap: &dyn GlobalAlloc, depth: usize, live: &mut [(*mut u8, Layout); LIVE]) {
    // A call from another place at each depth, so that the frames are not one recursion that is folded.
    match depth {
        0 => churn(heap, live),
        _ if depth.is_multiple_of(4) => down(heap, black_box(depth - 1), live),
        _ if depth % 4 == 1 => down(heap, black_box(depth - 1), live),
        _ if depth % 4 == 2 => down(heap, black_box(depth - 1), live),
        _ => down(heap, black_box(depth - 1), live),
    }
    black_box(live);
}

#[inline(never)]
fn churn(heap: &dyn GlobalAlloc, live: &mut [(*mut u8, Layout); LIVE]) {
    let mut dice = 1u64;
    for _ in 0..PAIRS {
        dice = dice
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let index = (dice >> 33) as usize % LIVE;
        let (block, layout) = live[index];
        // SAFETY: allocated from this heap with this layout.
        unsafe { heap.dealloc(block, layout) };
        live[index] = take(heap, (dice >> 50) as usize);
    }
}

#[inline(never)]
fn take(heap: &dyn GlobalAlloc, number: usize) -> (*mut u8, Layout) {
    let layout = Layout::from_size_align(16 + number % 400, 8).unwrap_or(Layout::new::<u64>());
    // SAFETY: the size is not zero.
    (unsafe { heap.alloc(layout) }, layout)
}
