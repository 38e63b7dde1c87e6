//! The clock by which blocks have an age: ticks, and when each began.

use crate::os::process;
use crate::track;
use std::time::Duration;

/// Numbers moments: a block is stamped with the tick in which it is born, which costs the program one load.
///
/// A tick is a second long for the first six days of a process and half a minute from then on, so that the numbers last
/// for half a year; after that the last tick goes on for ever, and the ages of what is born in it are too large.
pub(super) struct Clock {
    /// When each tick began, in nanoseconds of the monotonic clock. Eight bytes a tick, in the agent's arena.
    began: Vec<u64>,
}

impl Clock {
    /// How long the agent's thread sleeps between ticks.
    pub(super) const TICK: Duration = Duration::from_secs(1);
    /// Ticks of a second before they become longer.
    const FINE: usize = track::LAST_EPOCH as usize / 2;
    const COARSE_NS: u64 = 30_000_000_000;

    /// Begins with the blocks that were born before install: their tick began at the process's first look at a clock,
    /// which is now.
    pub(super) fn new() -> Self {
        let mut clock = Clock {
            began: vec![process::now_ns()],
        };
        clock.advance();
        clock
    }

    /// A tick has passed.
    pub(super) fn tick(&mut self) {
        let last = self.began.last().copied().unwrap_or(0);
        if self.began.len() < Self::FINE
            || process::now_ns().saturating_sub(last) >= Self::COARSE_NS
        {
            self.advance();
        }
    }

    /// Begins a tick for a look, so that what is born after it is told from what it saw. Gives when the ticks before it
    /// began.
    pub(super) fn begin_tick(&mut self) -> Vec<u64> {
        self.advance();
        self.began.clone()
    }

    fn advance(&mut self) {
        if self.began.len() <= track::LAST_EPOCH as usize {
            self.began.push(process::now_ns());
            track::set_epoch(self.began.len() as u32 - 1);
        }
    }
}
