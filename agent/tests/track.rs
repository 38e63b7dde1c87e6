//! The tracker in a real program: every block exact, whatever the program does.
//!
//! The global allocator is [`sigheap::Heap`] with a bookkeeper of the test's own around it, which counts what the whole
//! process allocates and frees. Where a test compares the two, it makes sure that nothing was allocated meanwhile.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "allocators, fork and raw layouts are what is tested"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use sigheap::Heap;
use sigheap::internals::{self, Address, Block};

#[global_allocator]
static HEAP: Counted = Counted(Heap::system());

/// The bookkeeper: `Heap`, and counters that owe nothing to it.
struct Counted(Heap);

static BLOCKS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);
/// Calls begun and calls ended: when equal and still, nothing is being allocated.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

fn counted<T>(call: impl FnOnce() -> (T, i64, i64)) -> T {
    BEGUN.fetch_add(1, Ordering::SeqCst);
    let (answer, blocks, bytes) = call();
    BLOCKS.fetch_add(blocks, Ordering::SeqCst);
    BYTES.fetch_add(bytes, Ordering::SeqCst);
    ENDED.fetch_add(1, Ordering::SeqCst);
    answer
}

// SAFETY: forwards to `Heap`.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.alloc(layout) }, 1, layout.size() as i64))
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        counted(|| {
            (
                unsafe { self.0.alloc_zeroed(layout) },
                1,
                layout.size() as i64,
            )
        })
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        counted(|| {
            (
                unsafe { self.0.dealloc(block, layout) },
                -1,
                -(layout.size() as i64),
            )
        });
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let more = size as i64 - layout.size() as i64;
        // SAFETY: as the caller promises.
        counted(|| (unsafe { self.0.realloc(block, layout, size) }, 0, more))
    }
}

/// One test at a time: they compare the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every live block, at a moment in which nothing is allocated, with the bookkeeper's count and bytes.
fn all_blocks() -> (Vec<Block>, i64, i64) {
    let mut blocks = Vec::with_capacity(4 << 20);
    for _ in 0..1000 {
        let calls = BEGUN.load(Ordering::SeqCst);
        let (count, bytes) = (BLOCKS.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst));
        blocks.clear();
        internals::for_each_block(|block| blocks.push(block));
        let still = ENDED.load(Ordering::SeqCst) == calls && BEGUN.load(Ordering::SeqCst) == calls;
        if still {
            return (blocks, count, bytes);
        }
        std::thread::yield_now();
    }
    panic!("the process never stands still");
}

/// Whether the tracker and the bookkeeper agree on the whole process, and on each of `known`.
fn check(known: &[(u64, Layout)]) -> Result<(), String> {
    let (blocks, count, bytes) = all_blocks();
    let tracked: i64 = blocks.iter().map(|block| block.size as i64).sum();
    if (blocks.len() as i64, tracked) != (count, bytes) {
        return Err(format!(
            "{} blocks of {tracked} B, not {count} of {bytes}",
            blocks.len()
        ));
    }
    let by_address: HashMap<u64, Block> = blocks.iter().map(|b| (b.address.0, *b)).collect();
    if by_address.len() != blocks.len() {
        return Err("an address twice".to_owned());
    }
    for (address, layout) in known {
        match by_address.get(address) {
            Some(b) if b.size == layout.size() as u64 && b.align() == layout.align() as u64 => {}
            other => return Err(format!("{address:#x}: {layout:?}, not {other:?}")),
        }
    }
    Ok(())
}

/// A small generator of numbers (xorshift), so that a failure repeats.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn layout(&mut self) -> Layout {
        let size = match self.roll() % 100 {
            0 => 60_000 + self.roll() % 10_000,
            1 => 1 + self.roll() % 300_000,
            2..20 => 1 + self.roll() % 4000,
            _ => 1 + self.roll() % 200,
        };
        let align = 1
            << if self.roll().is_multiple_of(50) {
                self.roll() % 13
            } else {
                self.roll() % 5
            };
        Layout::from_size_align(size as usize, align).unwrap()
    }
}

type Owned = (u64, Layout);

fn allocate(dice: &mut Dice) -> Owned {
    let layout = dice.layout();
    let zeroed = dice.roll().is_multiple_of(8);
    // SAFETY: the size is not zero.
    let block = unsafe {
        if zeroed {
            std::alloc::alloc_zeroed(layout)
        } else {
            std::alloc::alloc(layout)
        }
    };
    assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
    (block as u64, layout)
}

fn free((block, layout): Owned) {
    // SAFETY: allocated with this layout, and owned.
    unsafe { std::alloc::dealloc(block as *mut u8, layout) };
}

fn reallocate((block, layout): Owned, dice: &mut Dice) -> Owned {
    let size = dice.layout().size();
    // SAFETY: allocated with this layout, and owned.
    let moved = unsafe { std::alloc::realloc(block as *mut u8, layout, size) };
    (
        moved as u64,
        Layout::from_size_align(size, layout.align()).unwrap(),
    )
}

/// One thread's share of the work: allocates, moves, frees, and hands blocks to the others.
fn work(seed: u64, calls: usize, mine: &mut Vec<Owned>, post: &Post) {
    let mut dice = Dice(seed);
    for _ in 0..calls {
        let pick = |dice: &mut Dice, len: usize| (dice.roll() % len as u64) as usize;
        match dice.roll() % 8 {
            _ if mine.len() < 10 => mine.push(allocate(&mut dice)),
            0..=2 => mine.push(allocate(&mut dice)),
            3..=4 => {
                let index = pick(&mut dice, mine.len());
                mine[index] = reallocate(mine[index], &mut dice);
            }
            5 => {
                let index = pick(&mut dice, mine.len());
                post.send(mine.swap_remove(index), &mut dice);
            }
            _ => {
                let index = pick(&mut dice, mine.len());
                free(mine.swap_remove(index));
            }
        }
        post.free_received();
    }
}

/// Blocks sent to other threads, which free them.
struct Post {
    others: Vec<mpsc::Sender<Owned>>,
    inbox: mpsc::Receiver<Owned>,
}

impl Post {
    fn send(&self, block: Owned, dice: &mut Dice) {
        let other = &self.others[(dice.roll() % self.others.len() as u64) as usize];
        other.send(block).unwrap();
    }

    fn free_received(&self) {
        self.inbox.try_iter().for_each(free);
    }
}

const THREADS: usize = 16;
const ROUNDS: u64 = 10;

#[test]
fn a_million_calls_on_16_threads_are_exact() {
    let _alone = alone();
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel()).unzip();
    let barrier = Barrier::new(THREADS + 1);
    let live = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let post = Post {
                others: senders.clone(),
                inbox,
            };
            let (barrier, live) = (&barrier, &live);
            scope.spawn(move || {
                let mut mine = Vec::new();
                for round in 0..ROUNDS {
                    work(number as u64 * 100 + round + 1, 6500, &mut mine, &post);
                    barrier.wait();
                    post.free_received();
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
            let known = std::mem::take(&mut *live.lock().unwrap());
            check(&known).unwrap();
            barrier.wait();
        }
    });
    assert_eq!(internals::stats().unrecorded, 0);
    check(&[]).unwrap();
}

#[test]
fn dropping_one_record_in_ten_thousand_is_noticed() {
    let _alone = alone();
    let mut dice = Dice(7);
    let mine: Vec<Owned> = (0..10_000).map(|_| allocate(&mut dice)).collect();
    check(&mine).unwrap();
    let victim = internals::block_at(Address(mine[5000].0)).unwrap();
    internals::forget(victim);
    assert!(check(&mine).is_err() && check(&[]).is_err());
    mine.into_iter().for_each(free);
    check(&[]).unwrap();
}

#[test]
fn a_block_keeps_its_birth_when_it_moves_and_its_address_has_another_later() {
    let _alone = alone();
    internals::set_epoch(100);
    let mut block = vec![1u8; 100];
    internals::set_epoch(200);
    let before = internals::block_at(Address(block.as_ptr() as u64)).unwrap();
    block.reserve_exact(1 << 20);
    let after = internals::block_at(Address(block.as_ptr() as u64)).unwrap();
    assert_eq!((before.birth.0, after.birth.0), (100, 100));
    assert_eq!(after.size, (1 << 20) + 100);
    assert_ne!(before.site, after.site);
    internals::set_epoch(u32::MAX);
    assert_eq!(internals::epoch(), (1 << 20) - 1);
    internals::set_epoch(201);
}

/// An allocator over `System` whose next `realloc` fails, or that looks around while it moves.
struct Odd;

static MOVES_SEEN: AtomicUsize = AtomicUsize::new(0);
static ODD_BLOCK: AtomicU64 = AtomicU64::new(0);

// SAFETY: forwards to `System`; a null answer is allowed.
unsafe impl GlobalAlloc for Odd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        internals::for_each_block(|seen| {
            if seen.moving && seen.address.0 == ODD_BLOCK.load(Ordering::Relaxed) {
                MOVES_SEEN.fetch_add(seen.size as usize, Ordering::Relaxed);
            }
        });
        if size > 1 << 20 {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[test]
fn a_block_is_seen_while_it_moves_and_stays_when_the_move_fails() {
    let _alone = alone();
    static ODD: Heap<Odd> = Heap::new(Odd);
    for size in [40, 70_000] {
        let layout = Layout::from_size_align(size, 64).unwrap();
        MOVES_SEEN.store(0, Ordering::Relaxed);
        // SAFETY: one block, freed once with its last layout.
        unsafe {
            let block = ODD.alloc(layout);
            ODD_BLOCK.store(block as u64, Ordering::Relaxed);
            let first = internals::block_at(Address(block as u64)).unwrap();
            assert!(ODD.realloc(block, layout, 2 << 20).is_null());
            assert_eq!(
                MOVES_SEEN.load(Ordering::Relaxed),
                size,
                "seen once, with its old size"
            );
            assert_eq!(internals::block_at(Address(block as u64)), Some(first));
            let moved = ODD.realloc(block, layout, 90_000);
            assert_eq!(
                internals::block_at(Address(moved as u64)).unwrap().size,
                90_000
            );
            ODD.dealloc(moved, Layout::from_size_align(90_000, 64).unwrap());
            assert_eq!(internals::block_at(Address(moved as u64)), None);
        }
    }
}

/// An allocator that packs blocks as tightly as their layouts allow and never frees.
struct Tight;

static TIGHT_NEXT: AtomicU64 = AtomicU64::new(0);

// SAFETY: each block lies in a fresh part of a leaked region, as aligned as asked.
unsafe impl GlobalAlloc for Tight {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = TIGHT_NEXT
            .load(Ordering::Relaxed)
            .next_multiple_of(layout.align() as u64);
        TIGHT_NEXT.store(next + layout.size() as u64, Ordering::Relaxed);
        next as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[test]
fn a_foreign_allocator_that_packs_tightly_is_exact() {
    let _alone = alone();
    static HEAP: Heap<Tight> = Heap::new(Tight);
    let region: &mut [u8] = Vec::leak(vec![0u8; 8 << 20]);
    TIGHT_NEXT.store(region.as_ptr() as u64, Ordering::Relaxed);
    let mut expected = HashMap::new();
    let mut dice = Dice(3);
    for _ in 0..20_000 {
        let size = 1 + (dice.roll() % 40) as usize;
        let layout = Layout::from_size_align(size, 1 << (dice.roll() % 5)).unwrap();
        // SAFETY: the sizes are not zero, and a block is used with the layout it has.
        unsafe {
            let block = HEAP.alloc(layout);
            match dice.roll() % 4 {
                0 => HEAP.dealloc(block, layout),
                1 => drop(expected.insert(HEAP.realloc(block, layout, size * 2) as u64, size * 2)),
                _ => drop(expected.insert(block as u64, size)),
            }
        }
    }
    let range = region.as_ptr_range();
    let inside = |b: &Block| (range.start as u64..range.end as u64).contains(&b.address.0);
    // The region itself is a block too: it begins where the first of them does, and no other record is lost.
    let blocks: Vec<Block> = all_blocks().0.into_iter().filter(inside).collect();
    for block in &blocks {
        assert_eq!(
            expected.get(&block.address.0),
            Some(&(block.size as usize)),
            "{block:?}"
        );
    }
    assert_eq!(blocks.len(), expected.len());
    // Leave the bookkeeper's view as it was: the region's own record went under the first block's.
    blocks.into_iter().for_each(internals::forget);
    BLOCKS.fetch_sub(1, Ordering::SeqCst);
    BYTES.fetch_sub(8 << 20, Ordering::SeqCst);
}

/// Runs `what` in a forked child and says whether it returned true.
fn in_fork(what: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what it was given and ends without unwinding or running destructors.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let fine =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_or(false);
            libc::_exit(i32::from(!fine));
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

#[test]
fn a_forked_child_goes_on_exactly() {
    let _alone = alone();
    let mut dice = Dice(11);
    let mut mine: Vec<Owned> = (0..1000).map(|_| allocate(&mut dice)).collect();
    let fine = in_fork(|| {
        mine.drain(..500).for_each(free);
        mine.extend((0..2000).map(|_| allocate(&mut dice)));
        check(&mine).is_ok()
    });
    assert!(fine);
    check(&mine).unwrap();
    mine.drain(..).for_each(free);
}

#[test]
fn short_threads_give_their_slots_back() {
    let _alone = alone();
    let before = internals::slots_taken();
    for _ in 0..1250 {
        let grow = || {
            let mut grown = Vec::new();
            grown.extend(0..100u8);
            grown.push(1);
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(grow)).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
    // A joined thread may still hold its slot for an instant of its end.
    assert!(
        internals::slots_taken() <= before + 16,
        "{before} slots before"
    );
    check(&[]).unwrap();
}

#[test]
fn a_zeroed_gibibyte_stays_untouched() {
    let _alone = alone();
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let before = resident();
    let zeroed = vec![0u8; 1 << 30];
    let block = internals::block_at(Address(zeroed.as_ptr() as u64)).unwrap();
    assert_eq!(block.size, 1 << 30);
    assert!(resident() < before + (64 << 20));
}

#[test]
fn huge_alignments_are_exact() {
    let _alone = alone();
    let mut known = Vec::new();
    for shift in 5..27 {
        let layout = Layout::from_size_align(10 << shift, 1 << shift).unwrap();
        // SAFETY: the size is not zero.
        let block = unsafe { std::alloc::alloc(layout) };
        assert!(block.addr().is_multiple_of(1 << shift));
        known.push((block as u64, layout));
    }
    check(&known).unwrap();
    known.into_iter().for_each(free);
    check(&[]).unwrap();
}

#[test]
fn the_destructors_of_thread_locals_allocate_exactly() {
    let _alone = alone();
    static GROWN: AtomicUsize = AtomicUsize::new(0);
    struct Late(Vec<u8>);
    impl Drop for Late {
        fn drop(&mut self) {
            grow(&mut self.0);
        }
    }
    fn grow(bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&[1; 5000]);
        let block = internals::block_at(Address(bytes.as_ptr() as u64)).unwrap();
        assert_eq!(block.size as usize, bytes.capacity());
        GROWN.fetch_add(1, Ordering::Relaxed);
    }
    thread_local!(static LATE: Late = Late(vec![1; 10]));
    /// A destructor of the C library's kind, which may run after the tracker's own.
    unsafe extern "C" fn last(bytes: *mut libc::c_void) {
        // SAFETY: the value set below, once.
        grow(&mut unsafe { *Box::from_raw(bytes.cast::<Vec<u8>>()) });
    }
    let mut key = 0;
    std::thread::spawn(move || {
        LATE.with(|late| std::hint::black_box(late.0.len()));
        let value = Box::into_raw(Box::new(vec![1u8; 10]));
        // SAFETY: the destructor fits the value.
        unsafe {
            libc::pthread_key_create(&mut key, Some(last));
            libc::pthread_setspecific(key, value.cast());
        }
    })
    .join()
    .unwrap();
    assert_eq!(GROWN.load(Ordering::Relaxed), 2);
    check(&[]).unwrap();
}

/// Filled before `main`, by the loader.
static EARLY: AtomicPtr<Vec<u8>> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn early() {
    let mut bytes = vec![1u8; 333];
    bytes.reserve_exact(1000);
    EARLY.store(Box::into_raw(Box::new(bytes)), Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".init_array")]
static RUN_EARLY: extern "C" fn() = early;

#[test]
fn an_allocation_before_main_is_tracked() {
    // SAFETY: stored before main, and never freed.
    let bytes = unsafe { &*EARLY.load(Ordering::Relaxed) };
    let block = internals::block_at(Address(bytes.as_ptr() as u64)).unwrap();
    assert_eq!(block.size, 1333);
    let site = internals::site(block.site).unwrap();
    assert!(!site.marks.broken && site.frames.len() > 3, "{site:?}");
    assert!(internals::present());
}

#[test]
fn the_arena_is_not_the_programs() {
    let _alone = alone();
    let reserved = internals::arena::reserve().unwrap();
    let before = all_blocks().0.len();
    let kept = {
        let _inside = internals::arena::enter();
        let mut numbers: Vec<u64> = (0..100_000).collect();
        numbers.push(1);
        numbers
    };
    assert!(internals::arena::used() > 800_000 && internals::arena::used() < reserved);
    let address = Address(kept.as_ptr() as u64);
    assert_eq!(internals::block_at(address), None);
    assert_eq!(kept[99_999], 99_999);
    // Moved by the program's code, it becomes a block of the program; freed there, it goes back.
    let mut moved = kept;
    moved.reserve_exact(200_000);
    assert!(internals::block_at(Address(moved.as_ptr() as u64)).is_some());
    assert_eq!((moved[0], moved[99_999]), (0, 99_999));
    drop(moved);
    let mut own = vec![5u8; 50];
    {
        let _inside = internals::arena::enter();
        own.resize(5000, 6);
    }
    assert_eq!((own[49], own[4999]), (5, 6));
    assert_eq!(internals::block_at(Address(own.as_ptr() as u64)), None);
    drop(own);
    assert_eq!(all_blocks().0.len(), before);
}

#[test]
fn the_clone_never_frees_what_is_not_its_own_and_keeps_its_bound() {
    let _alone = alone();
    internals::arena::reserve().unwrap();
    let mut own = vec![5u8; 50];
    let fine = in_fork(|| {
        let _inside = internals::arena::enter();
        internals::arena::set_in_clone();
        let first = Address(own.as_ptr() as u64);
        own.resize(5000, 6);
        let frozen = internals::block_at(first).is_some_and(|block| block.size == 50);
        internals::arena::limit(internals::arena::used() + (1 << 20));
        let refused = Vec::<u8>::new().try_reserve_exact(64 << 20).is_err();
        frozen && refused && own[49] == 5 && Vec::<u8>::new().try_reserve_exact(1 << 16).is_ok()
    });
    assert!(fine);
}

#[test]
fn what_the_tracker_costs_is_said() {
    let stats = internals::stats();
    assert!(stats.sites > 10 && stats.own_bytes > 4096, "{stats:?}");
    assert_eq!((stats.without_stack, stats.unrecorded), (0, 0));
    let mut ranges = 0;
    internals::for_each_own_range(|range| ranges += usize::from(!range.is_empty()));
    assert!(ranges >= 3);
}
