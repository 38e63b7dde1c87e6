//! What tracking costs in each mode: a `malloc` and a `free` through a dozen frames with 500 live blocks, `sigheap::Heap`
//! against the system's allocator under it. Runs interleave, and the quietest of each counts.
#![expect(unsafe_code, reason = "allocators are called directly")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use sigheap::Heap;
use sigheap::internals::{self, Mode};

static TRACKED: Heap = Heap::system();

const LIVE: usize = 500;
const PAIRS: usize = 10_000;
const RUNS: usize = 300;

fn main() {
    let mean = |bytes| NonZeroU64::new(bytes).map_or(Mode::Off, Mode::Sampled);
    let modes = [Mode::Full, mean(64 << 10), mean(512 << 10), Mode::Off];
    for depth in [1, 5, 12, 20] {
        let mut plain = Duration::MAX;
        let mut tracked = [Duration::MAX; 4];
        for _ in 0..RUNS {
            plain = plain.min(time(&System, depth));
            for (mode, best) in modes.iter().zip(&mut tracked) {
                internals::set_mode(*mode);
                *best = time(&TRACKED, depth).min(*best);
            }
        }
        for (mode, best) in modes.iter().zip(tracked) {
            report(depth, &mode.to_string(), plain, best);
        }
    }
    // Last, since there is no way back.
    internals::end();
    let (mut plain, mut ended) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        plain = plain.min(time(&System, 1));
        ended = ended.min(time(&TRACKED, 1));
    }
    report(1, "ended", plain, ended);
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
fn report(depth: usize, mode: &str, plain: Duration, tracked: Duration) {
    let each = |time: Duration| time.as_nanos() as f64 / PAIRS as f64;
    let (plain, tracked) = (each(plain), each(tracked));
    println!(
        "{depth:2} frames more, {mode:<15} {plain:6.1} ns a pair, tracked {tracked:6.1} ns: {:+6.1} ns, ratio {:.2}",
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
    FRAMES[0].0(heap, &FRAMES[1..depth], &mut live);
    let time = start.elapsed();
    for (block, layout) in live {
        // SAFETY: allocated from this heap with this layout.
        unsafe { heap.dealloc(block, layout) };
    }
    time
}

type Live = [(*mut u8, Layout); LIVE];

#[derive(Clone, Copy)]
struct Frame(fn(&dyn GlobalAlloc, &[Frame], &mut Live));

/// Frames of different functions: of one they would be a recursion, which is folded.
static FRAMES: [Frame; 20] = [
    Frame(frame::<0>),
    Frame(frame::<1>),
    Frame(frame::<2>),
    Frame(frame::<3>),
    Frame(frame::<4>),
    Frame(frame::<5>),
    Frame(frame::<6>),
    Frame(frame::<7>),
    Frame(frame::<8>),
    Frame(frame::<9>),
    Frame(frame::<10>),
    Frame(frame::<11>),
    Frame(frame::<12>),
    Frame(frame::<13>),
    Frame(frame::<14>),
    Frame(frame::<15>),
    Frame(frame::<16>),
    Frame(frame::<17>),
    Frame(frame::<18>),
    Frame(frame::<19>),
];

/// One frame; those of `rest` below it, and below them the work.
#[inline(never)]
fn frame<const NUMBER: usize>(heap: &dyn GlobalAlloc, rest: &[Frame], live: &mut Live) {
    match rest.split_first() {
        Some((next, rest)) => next.0(heap, rest, live),
        None => churn(heap, live),
    }
    black_box(NUMBER);
}

#[inline(never)]
fn churn(heap: &dyn GlobalAlloc, live: &mut Live) {
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
