//! Modes switched while the program allocates: no stale record, no lost free, and what has no record is counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError, mpsc};

use sigheap::Heap;
use sigheap::internals::{self, Address, Block, Mode, Rate};

use crate::books::{all_blocks, alone, check};
use crate::life::in_fork;
use crate::work::Dice;

fn sampled(mean: u64) -> Mode {
    Mode::Sampled(NonZeroU64::new(mean).unwrap())
}

/// Puts the mode back that all other tests expect.
struct Full;

impl Drop for Full {
    fn drop(&mut self) {
        internals::set_mode(Mode::Full);
    }
}

fn at(block: *mut u8) -> Option<Block> {
    internals::block_at(Address(block as u64))
}

/// An allocator over a region of its own, that gives the address freed last first: whatever is stale shows.
struct Pool;

const POOL: usize = 256 << 20;
static START: AtomicU64 = AtomicU64::new(0);
static USED: AtomicU64 = AtomicU64::new(0);
static FREE: Mutex<[Vec<u64>; 32]> = Mutex::new([const { Vec::new() }; 32]);

fn class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(32);
    size.next_power_of_two().ilog2() as usize
}

// SAFETY: each block is a part of the region that no live block has, as large and aligned as its class, which is as
// asked.
unsafe impl GlobalAlloc for Pool {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let block = free[class].pop().unwrap_or_else(|| {
            let bytes = 1u64 << class;
            let aligned = USED.load(Ordering::Relaxed).next_multiple_of(bytes);
            assert!(aligned + bytes <= POOL as u64);
            USED.store(aligned + bytes, Ordering::Relaxed);
            START.load(Ordering::Relaxed) + aligned
        });
        block as *mut u8
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free[class(layout)].push(block as u64);
    }
}

static POOLED: Heap<Pool> = Heap::new(Pool);

/// The region, mapped at the first call and aligned to itself.
fn region() -> std::ops::Range<u64> {
    if START.load(Ordering::Relaxed) == 0 {
        // SAFETY: the size is not zero. The region is never freed; its pages are touched when used.
        let region = unsafe { System.alloc_zeroed(Layout::from_size_align(POOL, POOL).unwrap()) };
        START.store(region as u64, Ordering::Relaxed);
    }
    let start = START.load(Ordering::Relaxed);
    start..start + POOL as u64
}

type Owned = (u64, Layout);

/// Blocks just allocated that had another's record. A thread that panicked would keep the others waiting.
static STALE: AtomicU64 = AtomicU64::new(0);

fn allocate(dice: &mut Dice) -> Owned {
    let size = match dice.roll() % 50 {
        0 => 1 + dice.roll() % 100_000,
        1..10 => 1 + dice.roll() % 5000,
        _ => 1 + dice.roll() % 200,
    };
    let layout = Layout::from_size_align(size as usize, 1 << (dice.roll() % 7)).unwrap();
    // SAFETY: the size is not zero.
    let block = unsafe { POOLED.alloc(layout) };
    let stale = |seen: &Block| seen.size != size || seen.align() != layout.align() as u64;
    if at(block).is_some_and(|seen| stale(&seen)) {
        STALE.fetch_add(1, Ordering::Relaxed);
    }
    (block as u64, layout)
}

fn free((block, layout): Owned) {
    // SAFETY: allocated with this layout, and owned.
    unsafe { POOLED.dealloc(block as *mut u8, layout) };
}

fn grow((block, layout): Owned, dice: &mut Dice) -> Owned {
    let size = (1 + dice.roll() % 6000) as usize;
    // SAFETY: allocated with this layout, and owned.
    let moved = unsafe { POOLED.realloc(block as *mut u8, layout, size) };
    (
        moved as u64,
        Layout::from_size_align(size, layout.align()).unwrap(),
    )
}

fn work(dice: &mut Dice, mine: &mut Vec<Owned>, calls: usize, others: &[mpsc::Sender<Owned>]) {
    for _ in 0..calls {
        let pick = (dice.roll() % mine.len().max(1) as u64) as usize;
        match dice.roll() % 8 {
            _ if mine.len() < 10 => mine.push(allocate(dice)),
            0..=2 => mine.push(allocate(dice)),
            3..=4 => mine[pick] = grow(mine[pick], dice),
            5 => {
                let other = (dice.roll() % others.len() as u64) as usize;
                others[other].send(mine.swap_remove(pick)).unwrap();
            }
            _ => free(mine.swap_remove(pick)),
        }
    }
}

/// Whether every record of the pool is that of a live block, and blocks with and without add up.
fn judge(live: &[Owned]) -> Result<usize, String> {
    let (blocks, count, bytes) = all_blocks();
    // Before anything is allocated here, which may be without a record.
    let (unknown_count, unknown_bytes) = internals::unknown();
    let known: HashMap<u64, Layout> = live.iter().copied().collect();
    let range = region();
    let ours: Vec<&Block> = blocks
        .iter()
        .filter(|b| range.contains(&b.address.0))
        .collect();
    for block in &ours {
        let layout = known.get(&block.address.0);
        let right =
            |l: &&Layout| l.size() as u64 == block.size && l.align() as u64 == block.align();
        if block.moving || layout.filter(right).is_none() {
            return Err(format!("{block:?} is {layout:?}"));
        }
    }
    let recorded: u64 = blocks.iter().map(|block| block.size).sum();
    let pooled: u64 = live.iter().map(|(_, layout)| layout.size() as u64).sum();
    let found = (
        blocks.len() as u64 + unknown_count,
        recorded + unknown_bytes,
    );
    let expected = (count as u64 + live.len() as u64, bytes as u64 + pooled);
    if found != expected {
        return Err(format!("{found:?} blocks and bytes, not {expected:?}"));
    }
    Ok(ours.len())
}

const THREADS: usize = 16;
const ROUNDS: usize = 6;

#[test]
fn modes_switched_at_random_leave_no_stale_record_and_lose_no_free() {
    let _alone = alone();
    let _full = Full;
    region();
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    let (barrier, live) = (Barrier::new(THREADS + 1), Mutex::new(Vec::new()));
    let (switching, over) = (AtomicBool::new(true), AtomicBool::new(false));
    let mut rounds = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let modes = [Mode::Full, sampled(1 << 10), Mode::Off, sampled(64 << 10)];
            let mut dice = Dice(77);
            while !over.load(Ordering::Relaxed) {
                if switching.load(Ordering::Relaxed) {
                    internals::set_mode(modes[(dice.roll() % 4) as usize]);
                }
                std::thread::yield_now();
            }
        });
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let (senders, barrier, live) = (senders.clone(), &barrier, &live);
            scope.spawn(move || {
                let (mut dice, mut mine) = (Dice(number as u64 + 1), Vec::new());
                for _ in 0..ROUNDS {
                    for _ in 0..20 {
                        work(&mut dice, &mut mine, 150, &senders);
                        inbox.try_iter().for_each(free);
                    }
                    barrier.wait();
                    inbox.try_iter().for_each(free);
                    live.lock().unwrap().extend_from_slice(&mine);
                    barrier.wait();
                    barrier.wait();
                }
                mine.drain(..).for_each(free);
            });
        }
        for _ in 0..ROUNDS {
            barrier.wait();
            barrier.wait();
            switching.store(false, Ordering::Relaxed);
            let known = std::mem::take(&mut *live.lock().unwrap());
            // A record that outlives its block is noticed.
            let some = known.iter().find(|one| at(one.0 as *mut u8).is_some());
            let without = |gone: &Owned| {
                let left: Vec<Owned> = known
                    .iter()
                    .filter(|one| one.0 != gone.0)
                    .copied()
                    .collect();
                judge(&left)
            };
            let control = some.map(without);
            rounds.push((judge(&known), known.len(), control));
            switching.store(true, Ordering::Relaxed);
            barrier.wait();
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(STALE.load(Ordering::Relaxed), 0);
    let mut mixed = false;
    for (judged, all, control) in rounds {
        let recorded = judged.unwrap();
        mixed |= recorded > 0 && recorded < all;
        assert!(control.is_none_or(|control| control.is_err()));
    }
    assert!(mixed, "some were recorded and some were not");
    judge(&[]).unwrap();
}

#[test]
fn a_block_is_recorded_as_the_mode_has_it_whatever_it_was_before() {
    let _alone = alone();
    let _full = Full;
    region();
    let small = Layout::from_size_align(100, 8).unwrap();
    let large = Layout::from_size_align(1 << 20, 8).unwrap();
    let (_, before) = internals::unknown();
    // SAFETY: each block is used with the layout it has, and freed once.
    unsafe {
        let one = POOLED.alloc(small);
        assert_eq!(at(one).unwrap().rate, Rate::WHOLE);
        internals::set_mode(Mode::Off);
        assert!(at(one).is_some(), "what is recorded stays");
        let two = POOLED.alloc(small);
        assert_eq!(at(two), None);
        let one = POOLED.realloc(one, small, 90);
        assert_eq!(at(one), None, "recorded, then moved while off");
        let small_one = Layout::from_size_align(90, 8).unwrap();
        assert!(internals::unknown().1 >= before + 190);
        internals::set_mode(Mode::Full);
        let two = POOLED.realloc(two, small, 100_000);
        assert_eq!(at(two).unwrap().size, 100_000, "not recorded, then moved");
        let large_two = Layout::from_size_align(100_000, 8).unwrap();
        internals::set_mode(sampled(1 << 10));
        let three = POOLED.alloc(large);
        assert_eq!(at(three).unwrap().rate.mode(), sampled(1 << 10));
        let two = POOLED.realloc(two, large_two, 1 << 20);
        assert_eq!(at(two).unwrap().rate.mode(), sampled(1 << 10));
        internals::set_mode(sampled(8 << 20));
        assert_eq!(
            at(three).unwrap().rate.mode(),
            sampled(1 << 10),
            "it says what it meant"
        );
        internals::set_mode(Mode::Full);
        let three = POOLED.realloc(three, large, 50);
        assert_eq!(at(three).unwrap().rate, Rate::WHOLE);
        let birth = at(three).unwrap().birth;
        internals::set_mode(Mode::Off);
        POOLED.dealloc(three, Layout::from_size_align(50, 8).unwrap());
        assert_eq!(at(three), None, "freed while off");
        let reused = POOLED.alloc(Layout::from_size_align(40, 8).unwrap());
        assert_eq!((reused, at(reused)), (three, None), "{birth:?}");
        POOLED.dealloc(reused, Layout::from_size_align(40, 8).unwrap());
        POOLED.dealloc(one, small_one);
        POOLED.dealloc(two, large);
    }
    internals::set_mode(Mode::Full);
    judge(&[]).unwrap();
}

/// Sizes from 8 bytes to 10 MiB, most of them small.
fn heavy_tail(dice: &mut Dice) -> usize {
    let number = ((dice.roll() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    (8.0 / number.powf(1.1)).min(10.0 * 1048576.0) as usize
}

#[test]
fn a_sample_of_four_threads_tells_count_and_bytes() {
    let _alone = alone();
    let _full = Full;
    let mode = internals::set_mode(sampled(16 << 10));
    let rate = Rate::of(mode).unwrap();
    let work = |seed: u64| {
        move || {
            let mut dice = Dice(seed);
            let sizes = (0..30_000).map(|_| heavy_tail(&mut dice));
            let sizes = sizes.chain([16 << 10; 3000]);
            sizes.map(Vec::<u8>::with_capacity).collect::<Vec<_>>()
        }
    };
    let threads: Vec<_> = (1..=4)
        .map(|seed| std::thread::spawn(work(seed * 977)))
        .collect();
    let held: Vec<Vec<u8>> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    internals::set_mode(Mode::Full);
    let error = |weight: &dyn Fn(&Block) -> f64| {
        let (mut count, mut bytes, mut variance) = (0.0, 0.0, (0.0, 0.0));
        for block in &held {
            let size = block.capacity();
            let seen = at(block.as_ptr().cast_mut());
            let taken = seen.map_or(0.0, |seen| weight(&seen));
            count += taken - 1.0;
            bytes += (taken - 1.0) * size as f64;
            let each = rate.weight(size as u64) - 1.0;
            variance.0 += each;
            variance.1 += each * (size as f64).powi(2);
        }
        (count / f64::sqrt(variance.0), bytes / f64::sqrt(variance.1))
    };
    let (count, bytes) = error(&|block| block.rate.weight(block.size));
    assert!(
        count.abs() < 5.0 && bytes.abs() < 5.0,
        "{count:.1} and {bytes:.1} sigma"
    );
    // Whoever takes a sample of n bytes for mean / n blocks is wrong about large ones.
    let naive = |block: &Block| f64::max(1.0, 16384.0 / block.size as f64);
    let (_, bytes) = error(&naive);
    assert!(
        bytes.abs() > 5.0,
        "a biased estimate passes: {bytes:.1} sigma"
    );
    drop(held);
    check(&[]).unwrap();
}

#[test]
fn once_ended_nothing_is_recorded_and_memory_is_given_back() {
    let _alone = alone();
    let held: Vec<Box<[u8; 100]>> = (0..50_000).map(|_| Box::new([1; 100])).collect();
    let (before, unknown) = (internals::stats(), internals::unknown());
    let fine = in_fork(|| {
        internals::end();
        let after = internals::stats();
        let mut grown = vec![1u8; 10];
        grown.extend_from_slice(&[2; 100_000]);
        let unseen = at(grown.as_mut_ptr()).is_none() && at(held[7].as_ptr().cast_mut()).is_none();
        drop(grown);
        drop(held);
        let mut left = 0;
        internals::for_each_block(|_| left += 1);
        let ended = internals::set_mode(Mode::Full) == Mode::Off;
        left == 0
            && unseen
            && ended
            && internals::unknown() == unknown
            && after.own_bytes + (400 << 10) < before.own_bytes
    });
    assert!(fine);
    check(&[]).unwrap();
}

/// An allocator whose `realloc` waits until it is told to go on.
struct Slow;

static WAITING: AtomicBool = AtomicBool::new(false);
static GO_ON: AtomicBool = AtomicBool::new(false);

// SAFETY: forwards to `System`.
unsafe impl GlobalAlloc for Slow {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        WAITING.store(true, Ordering::SeqCst);
        while !GO_ON.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[test]
fn a_forked_child_forgets_what_other_threads_were_moving() {
    let _alone = alone();
    static SLOW: Heap<Slow> = Heap::new(Slow);
    let moving = || {
        let mut moving = 0;
        internals::for_each_block(|block| moving += usize::from(block.moving));
        moving
    };
    let slots = internals::slots_taken();
    let mover = std::thread::spawn(|| {
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: one block, freed once with its last layout.
        unsafe {
            let block = SLOW.alloc(layout);
            let moved = SLOW.realloc(block, layout, 200);
            SLOW.dealloc(moved, Layout::from_size_align(200, 8).unwrap());
        }
    });
    while !WAITING.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert_eq!(moving(), 1);
    let forgotten = in_fork(|| moving() == 0 && internals::slots_taken() <= slots.max(1));
    assert_eq!(moving(), 1, "the program's own is still there");
    GO_ON.store(true, Ordering::SeqCst);
    mover.join().unwrap();
    assert!(forgotten);
    check(&[]).unwrap();
}
