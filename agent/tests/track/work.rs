//! A million calls at random on many threads, and what a single lost record does to the comparison.

use std::alloc::Layout;
use std::sync::{Barrier, Mutex, mpsc};

use sigheap::internals::{self, Address};

use crate::books::{alone, check};
use crate::life::in_fork;

/// A small generator of numbers (xorshift), so that a failure repeats.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
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

pub(crate) type Owned = (u64, Layout);

pub(crate) fn allocate(dice: &mut Dice) -> Owned {
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

pub(crate) fn free((block, layout): Owned) {
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
    // In a child, since the free of the forgotten block would later be taken for that of one without a record.
    let noticed = in_fork(|| {
        internals::forget(victim);
        check(&mine).is_err() && check(&[]).is_err()
    });
    assert!(noticed);
    mine.into_iter().for_each(free);
    check(&[]).unwrap();
}
