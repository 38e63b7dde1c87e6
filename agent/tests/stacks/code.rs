//! Rust code of many kinds, which allocates.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::compare::{comparing, kind};

/// Collections, formatting, sorting, closures.
pub(crate) fn collections() {
    for seed in 0..4 {
        varied(seed);
    }
}

fn varied(seed: usize) {
    let words: Vec<String> = (0..50)
        .map(|n| (n * 7919 % (seed + 13)).to_string())
        .collect();
    let mut tree: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, word) in words.iter().enumerate() {
        tree.entry(word.to_uppercase()).or_default().push(index);
    }
    let mut sorted = words.clone();
    sorted.sort_by_key(|word| word.chars().rev().collect::<String>());
    let calls: Vec<Box<dyn Fn(usize) -> String>> = vec![Box::new(move |n| format!("{n} {seed}"))];
    black_box((calls[0](1), tree.len(), sorted, std::env::args().count()));
}

#[inline(never)]
fn recurse(depth: u32, made: &mut Vec<String>) {
    made.push(format!("depth {depth}"));
    if depth > 0 {
        recurse(depth - 1, made);
    }
    black_box(made);
}

/// A function that calls itself.
pub(crate) fn recursion() {
    recurse(150, &mut Vec::new());
}

/// A recursion that goes on as far as the stack does, nearly: half a mebibyte of it. It allocates at the end.
pub(crate) fn recursion_without_end() {
    fn down(depth: u32) -> usize {
        let room = black_box([depth; 16]);
        if depth == 0 {
            return black_box(format!("{room:?}")).len();
        }
        down(depth - 1) + room[3] as usize
    }
    black_box(down(2000));
}

#[inline(never)]
fn even(depth: u32) -> usize {
    let boxed = Box::new(depth);
    if depth == 0 {
        0
    } else {
        black_box(odd(depth - 1)) + *boxed as usize
    }
}

#[inline(never)]
fn odd(depth: u32) -> usize {
    let boxed = black_box(Box::new(depth));
    if depth == 0 {
        0
    } else {
        black_box(even(depth - 1)) + *boxed as usize
    }
}

/// Two functions that call each other.
pub(crate) fn mutual_recursion() {
    black_box(even(100));
}

/// Recursion from three places in an order in which nothing ever follows itself (Thue's), so that none of it is folded.
#[inline(never)]
fn wander(depth: u32) -> usize {
    let boxed = black_box(Box::new(depth));
    let parity = |number: u32| number.count_ones() % 2;
    let below = match (parity(depth), parity(depth + 1)) {
        _ if depth == 0 => 0,
        (0, 1) => black_box(wander(depth - 1)) + 1,
        (1, 0) => black_box(wander(depth - 1)) + 2,
        _ => black_box(wander(depth - 1)) + 3,
    };
    below + *boxed as usize
}

/// A stack of more frames than are kept.
pub(crate) fn deep() {
    black_box(wander(80));
}

/// A frame of more than 64 KiB, whose rule does not fit 17 bits.
pub(crate) fn large_frame() {
    let mut large = [1u8; 200_000];
    black_box(&mut large);
    black_box(format!("{}", large[7]));
}

unsafe extern "C" fn by_text(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: `qsort` passes pointers to elements.
    let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
    a.to_string().cmp(&b.to_string()) as c_int
}

/// Callbacks through C.
pub(crate) fn through_qsort() {
    let mut numbers: Vec<u32> = (0..40).map(|n| n * 7919 % 1009).collect();
    let (count, size) = (numbers.len(), size_of::<u32>());
    // SAFETY: the elements are as many and as large as said.
    unsafe { libc::qsort(numbers.as_mut_ptr().cast(), count, size, Some(by_text)) };
}

struct Noisy(u32);

impl Drop for Noisy {
    fn drop(&mut self) {
        black_box(format!("dropped {}", self.0));
    }
}

fn panic_below(depth: u32) -> u32 {
    let noisy = Noisy(depth);
    if depth == 0 {
        std::panic::panic_any(depth);
    }
    panic_below(depth - 1) + noisy.0
}

/// Panics, whose unwinding allocates.
pub(crate) fn panics() {
    for depth in 0..6 {
        drop(std::panic::catch_unwind(|| panic_below(depth)));
    }
}

/// Threads, their starts and ends.
pub(crate) fn threads() {
    let kind = kind();
    let spawn = |seed| thread::spawn(move || comparing(kind, || varied(seed)));
    for thread in [1, 2].map(spawn) {
        thread.join().unwrap();
    }
}

/// Waits until it was polled so many times.
struct Soon(u32);

impl Future for Soon {
    type Output = String;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<String> {
        self.0 = self.0.saturating_sub(1);
        match self.0 {
            0 => Poll::Ready("ready".to_owned()),
            left => {
                black_box(format!("{left} to go"));
                Poll::Pending
            }
        }
    }
}

async fn answer(number: u32) -> usize {
    let words = vec![number.to_string(); 3];
    let first = Soon(2).await;
    let boxed: Pin<Box<dyn Future<Output = String>>> = Box::pin(async move {
        let second = Soon(3).await;
        format!("{first} {second}")
    });
    boxed.await.len() + words.concat().len()
}

/// Futures of futures, polled by hand: what a runtime does, without one.
pub(crate) fn futures() {
    let mut tasks: Vec<Pin<Box<dyn Future<Output = usize>>>> = Vec::new();
    for number in 0..5 {
        tasks.push(Box::pin(
            async move { answer(number).await + answer(7).await },
        ));
    }
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() {
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
    }
    let mut last = pin!(answer(9));
    while last.as_mut().poll(&mut context).is_pending() {}
}
