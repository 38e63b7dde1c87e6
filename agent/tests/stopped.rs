//! The tracker while the world is stopped: at any instant, every block that the program holds is recorded exactly, once.
//!
//! Sixteen threads allocate, move and free blocks, also each other's, and write each into a board of the test's own,
//! which lies in static memory. A place on the board is *busy* while a call is under way. A hundred times the world is
//! stopped in the middle of it all, and the board compared with the table: what is not busy must agree to the byte, and
//! the busy places must account for all that is left.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "raw layouts are what is tested")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sigheap::internals::{self, Block, Pause, arena};

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

const THREADS: usize = 16;
const CALLS: usize = 1_000_000 / THREADS;
const STOPS: u32 = 100;
const CALLS_BETWEEN: usize = 1000;

/// A place on the board. Its state is free, busy or held; whoever makes it busy owns it until it changes it again.
struct Place {
    state: AtomicU64,
    address: AtomicU64,
    size: AtomicU64,
    align: AtomicU64,
}

const FREE: u64 = 0;
const BUSY: u64 = 1;
const HELD: u64 = 2;
const PLACES: usize = 20_000;

static BOARD: [Place; PLACES] = [const {
    Place {
        state: AtomicU64::new(FREE),
        address: AtomicU64::new(0),
        size: AtomicU64::new(0),
        align: AtomicU64::new(0),
    }
}; PLACES];

static DONE: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicUsize = AtomicUsize::new(0);
static CALLED: AtomicUsize = AtomicUsize::new(0);

impl Place {
    fn layout(&self) -> Layout {
        let part = |part: &AtomicU64| part.load(Ordering::Relaxed) as usize;
        Layout::from_size_align(part(&self.size), part(&self.align)).unwrap()
    }

    fn hold(&self, block: *mut u8, layout: Layout) {
        assert!(!block.is_null());
        self.address.store(block as u64, Ordering::Relaxed);
        self.size.store(layout.size() as u64, Ordering::Relaxed);
        self.align.store(layout.align() as u64, Ordering::Relaxed);
        self.state.store(HELD, Ordering::SeqCst);
    }

    fn claim(&self, from: u64) -> bool {
        self.state
            .compare_exchange(from, BUSY, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

/// One call on one place, whoever filled it.
fn call(roll: u64) {
    let place = &BOARD[(roll >> 20) as usize % PLACES];
    let size = match roll % 64 {
        0 => 60_000 + (roll >> 8) as usize % 80_000,
        1..8 => 1 + (roll >> 8) as usize % 5000,
        _ => 1 + (roll >> 8) as usize % 160,
    };
    if place.claim(FREE) {
        let layout = Layout::from_size_align(size, 1 << (roll >> 40 & 3)).unwrap();
        // SAFETY: the size is not zero.
        place.hold(
            unsafe {
                if roll >> 43 & 1 == 0 {
                    alloc(layout)
                } else {
                    alloc_zeroed(layout)
                }
            },
            layout,
        );
    } else if place.claim(HELD) {
        let (block, layout) = (
            place.address.load(Ordering::Relaxed) as *mut u8,
            place.layout(),
        );
        if roll >> 44 & 3 == 0 {
            // SAFETY: the place is this thread's while it is busy, and holds a live block of this layout.
            unsafe { dealloc(block, layout) };
            place.state.store(FREE, Ordering::SeqCst);
        } else {
            let new = Layout::from_size_align(size, layout.align()).unwrap();
            // SAFETY: as above; the new size is not zero.
            place.hold(unsafe { realloc(block, layout, size) }, new);
        }
    }
}

fn work(seed: usize) {
    STARTED.fetch_add(1, Ordering::SeqCst);
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed as u64 + 1);
    let mut calls = 0;
    while calls < CALLS || !DONE.load(Ordering::Relaxed) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        call(state);
        calls += 1;
        CALLED.fetch_add(1, Ordering::SeqCst);
    }
}

/// Lets the threads make some calls, so that each stop finds another heap.
fn let_them_work() {
    let before = CALLED.load(Ordering::SeqCst);
    while CALLED.load(Ordering::SeqCst) < before + CALLS_BETWEEN {
        std::thread::yield_now();
    }
}

/// What one stop saw.
#[derive(Debug)]
struct Seen {
    /// Blocks recorded that the board does not hold.
    others: usize,
    /// Calls that were under way.
    busy: usize,
    /// Blocks that `realloc` was moving.
    moving: usize,
}

/// Stops the world and compares the table with the board while it stands. Allocates in the arena: a stopped thread may
/// hold the allocator's lock.
fn look(generation: u32) -> Result<Seen, String> {
    let _arena = arena::enter();
    let pause = Pause::begin(generation, Duration::from_secs(30)).unwrap();
    assert!(pause.threads().iter().all(|thread| thread.stopped.is_ok()));
    let mut blocks: Vec<Block> = Vec::new();
    internals::for_each_block(|block| blocks.push(block));
    let verdict = compare(&blocks);
    drop(pause);
    verdict
}

/// Every block held must be recorded exactly, and none twice. Where a block that is being moved was, another may be by now.
fn compare(blocks: &[Block]) -> Result<Seen, String> {
    let resting = blocks.iter().filter(|block| !block.moving);
    let by_address: HashMap<u64, &Block> = resting.map(|block| (block.address.0, block)).collect();
    let moving = blocks.len() - by_address.len();
    if moving != blocks.iter().filter(|block| block.moving).count() {
        return Err("a block is there twice".to_owned());
    }
    let (mut held, mut busy) = (0, 0);
    for place in &BOARD {
        let state = place.state.load(Ordering::SeqCst);
        busy += usize::from(state == BUSY);
        if state != HELD {
            continue;
        }
        held += 1;
        let (address, layout) = (place.address.load(Ordering::Relaxed), place.layout());
        let found = by_address.get(&address);
        let exact = |block: &&&Block| {
            (block.size, block.align()) == (layout.size() as u64, layout.align() as u64)
        };
        if found.filter(exact).is_none() {
            return Err(format!(
                "{address:#x} of {layout:?}: the table has {found:?}"
            ));
        }
    }
    Ok(Seen {
        others: blocks.len() - held,
        busy,
        moving,
    })
}

/// One test, because it stops the whole process; with its negative control.
#[test]
fn the_world_stopped_a_hundred_times_agrees_with_the_program() {
    arena::reserve().unwrap();
    internals::prepare_to_stop().unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|seed| std::thread::spawn(move || work(seed)))
        .collect();
    while STARTED.load(Ordering::SeqCst) < THREADS {
        std::thread::yield_now();
    }
    let seen: Vec<Seen> = (1..=STOPS)
        .map(|generation| {
            let_them_work();
            look(generation).unwrap()
        })
        .collect();
    DONE.store(true, Ordering::SeqCst);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());

    // Beside the board the process holds what it held all the time, and at most a block for each call under way: neither
    // a record lost nor one too many.
    let fewest = seen.iter().map(|seen| seen.others).min().unwrap();
    let wrong = seen
        .iter()
        .find(|seen| seen.others > fewest + THREADS + seen.busy);
    assert!(wrong.is_none(), "{wrong:?}, at other times {fewest}");
    let moving: usize = seen.iter().map(|seen| seen.moving).sum();
    assert!(
        moving > 0 && seen.iter().any(|seen| seen.busy > 0),
        "no stop came in the middle of a call"
    );
    let last = look(STOPS + 1).unwrap();
    assert_eq!((last.busy, last.moving), (0, 0));
    dropping_one_record_in_ten_thousand_is_noticed();
}

fn dropping_one_record_in_ten_thousand_is_noticed() {
    let held = BOARD
        .iter()
        .filter(|place| place.state.load(Ordering::SeqCst) == HELD);
    let forgotten = held
        .step_by(10_000)
        .map(|place| place.address.load(Ordering::Relaxed));
    let forgotten: Vec<u64> = forgotten.collect();
    assert!(!forgotten.is_empty());
    for address in forgotten {
        internals::forget(internals::block_at(internals::Address(address)).unwrap());
    }
    assert!(look(STOPS + 2).is_err());
}
