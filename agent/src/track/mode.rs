//! ON THE PROGRAM'S HOT PATH: how much is recorded; and off it, since when.
//!
//! One byte says it, read once in each call of the allocator, so that no call is torn between two modes. Switching needs
//! no more than storing it: whatever a call did under the mode before stays true, because in every mode a free removes
//! the record of its block, if it has one. So no record outlives its block, and a block without a record is one that was
//! born, or moved by `realloc`, while not all was recorded.
//!
//! Blocks without a record are counted (see `thread`): the tracker does not know which they are, but how many there are
//! and their bytes, and so also when none is left.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use super::section::Section;
use super::thread::{self, Slot};
use crate::heap::{Mode, Rate};
use crate::os::process;

/// How a call of the allocator records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way(u8);

impl Way {
    /// Every block.
    pub(super) const FULL: Way = Way(0);
    /// None.
    const OFF: Way = Way(0xfe);
    /// None, nor will there ever be: not even counted.
    pub(super) const ENDED: Way = Way(0xff);

    fn of(mode: Mode) -> Way {
        Rate::of(mode).map_or(Way::OFF, |rate| Way(rate.number()))
    }

    fn mode(self) -> Mode {
        match self {
            Way::OFF | Way::ENDED => Mode::Off,
            Way(number) => Rate::numbered(number).mode(),
        }
    }

    /// Whether a thread with this slot is to record a block of so many bytes, and as picked how.
    #[inline(always)]
    pub(super) fn pick(self, slot: Option<&Slot>, size: usize) -> Option<Rate> {
        match self {
            Way::FULL => Some(Rate::WHOLE),
            Way::OFF | Way::ENDED => None,
            Way(number) => {
                let rate = Rate::numbered(number);
                thread::picks(slot, size, rate).then_some(rate)
            }
        }
    }
}

static WAY: AtomicU8 = AtomicU8::new(Way::FULL.0);

/// The way at this moment.
#[inline(always)]
pub(super) fn way() -> Way {
    Way(WAY.load(Ordering::Relaxed))
}

/// Changes how much is recorded, from the next allocation of every thread on, and says what was set: the mean of a
/// sample becomes the nearest power of two from 1 KiB to 8 MiB. What is recorded already stays, and means what it
/// meant. It takes no lock that a stopped thread may hold. After `end` it does nothing.
pub fn set_mode(mode: Mode) -> Mode {
    PERIODS.locked(|periods| {
        if way() == Way::ENDED {
            return Mode::Off;
        }
        let new = Way::of(mode);
        if new != way() {
            periods.begin(now_ns());
            WAY.store(new.0, Ordering::Relaxed);
        }
        new.mode()
    })
}

/// Ends all recording for good. The caller then drops what was recorded: no free looks for a record any more.
pub(super) fn end() {
    PERIODS.locked(|_| WAY.store(Way::ENDED.0, Ordering::Relaxed));
}

/// How much is recorded, and for how long it was less than all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The mode now.
    pub mode: Mode,
    /// Since when, in nanoseconds of the clock that `stand_still` stops; zero for the first allocation of the process.
    pub since_ns: u64,
    /// How long tracking was off before, in nanoseconds: since all that lived was last recorded.
    pub off_ns: u64,
    /// The same of sampling.
    pub sampled_ns: u64,
}

/// The mode and its past. Exact in the clone; in the running program one that is just being set may be half seen.
pub fn period() -> Period {
    let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
    Period {
        mode: way().mode(),
        since_ns: read(&PERIODS.since_ns),
        off_ns: read(&PERIODS.off_ns),
        sampled_ns: read(&PERIODS.sampled_ns),
    }
}

/// The program stands still from this moment of the monotonic clock on: the clock by which periods are measured stops.
pub(crate) fn stand_still(since_ns: u64) {
    STOPPED_NS.store(since_ns, Ordering::Relaxed);
}

/// The program runs again.
pub(crate) fn go_on() {
    STOPPED_NS.store(0, Ordering::Relaxed);
}

/// How long the program has stood still so far, in nanoseconds: time that does not count.
pub(crate) fn stood_still(ns: u64) {
    STILL_NS.store(ns, Ordering::Relaxed);
}

static STOPPED_NS: AtomicU64 = AtomicU64::new(0);
static STILL_NS: AtomicU64 = AtomicU64::new(0);

fn now_ns() -> u64 {
    let now = match STOPPED_NS.load(Ordering::Relaxed) {
        0 => process::now_ns(),
        stopped => stopped,
    };
    now.saturating_sub(STILL_NS.load(Ordering::Relaxed)).max(1)
}

/// What [`Period`] is read from. Written by one thread at a time.
struct Periods {
    busy: AtomicBool,
    since_ns: AtomicU64,
    off_ns: AtomicU64,
    sampled_ns: AtomicU64,
}

static PERIODS: Periods = Periods {
    busy: AtomicBool::new(false),
    since_ns: AtomicU64::new(0),
    off_ns: AtomicU64::new(0),
    sampled_ns: AtomicU64::new(0),
};

impl Periods {
    /// Runs `work` alone, in a section: no thread is stopped with the lock.
    fn locked<T>(&self, work: impl FnOnce(&Periods) -> T) -> T {
        let _section = Section::enter();
        while self.busy.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        let answer = work(self);
        self.busy.store(false, Ordering::Release);
        answer
    }

    /// Closes the period that ends at a moment.
    fn begin(&self, now_ns: u64) {
        let spent = now_ns.saturating_sub(self.since_ns.load(Ordering::Relaxed));
        match way() {
            // What was not known has died meanwhile.
            Way::FULL if thread::unrecorded() == (0, 0) => {
                self.off_ns.store(0, Ordering::Relaxed);
                self.sampled_ns.store(0, Ordering::Relaxed);
            }
            Way::FULL => {}
            Way::OFF => _ = self.off_ns.fetch_add(spent, Ordering::Relaxed),
            _ => _ = self.sampled_ns.fetch_add(spent, Ordering::Relaxed),
        }
        self.since_ns.store(now_ns, Ordering::Relaxed);
    }
}
