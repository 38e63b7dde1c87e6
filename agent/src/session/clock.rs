//! The clock by which blocks have an age: ticks, and when each began, in time that the program ran.

use std::time::Duration;

use crate::os::process;
use crate::track;

/// Numbers moments: a block is stamped with the tick in which it is born, which costs the program one load.
///
/// It stands still while the program does: ten minutes at the prompt make no block ten minutes older, and two looks are as
/// far apart as the program worked in between. A program stopped by others (SIGSTOP, a debugger) ages: nobody tells.
///
/// A tick is a second long for the first six days of a process and half a minute from then on, so that the numbers last
/// for half a year; after that the last tick goes on for ever, and the ages of what is born in it are too large.
pub(super) struct Clock {
    /// When each tick began. Eight bytes a tick, in the agent's arena.
    began: Vec<u64>,
    /// How long the program has stood still for looks, in nanoseconds.
    still: u64,
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
            still: 0,
        };
        clock.advance();
        clock
    }

    /// The time, in nanoseconds of the monotonic clock less those that the program stood still. Never zero.
    pub(super) fn now(&self) -> u64 {
        process::now_ns().saturating_sub(self.still).max(1)
    }

    /// The program stands still from now on, until [`go_on`](Self::go_on).
    pub(super) fn stop(&self) -> Stopped {
        let now = process::now_ns();
        track::stand_still(now);
        Stopped(now)
    }

    /// Lets the program go on, by dropping what holds it.
    pub(super) fn go_on<Holds>(&mut self, still: Option<(Holds, Stopped)>) {
        if let Some((holds, since)) = still {
            self.still += process::now_ns().saturating_sub(since.0);
            track::stood_still(self.still);
            drop(since);
            drop(holds);
        }
    }

    /// A tick has passed.
    pub(super) fn tick(&mut self) {
        let last = self.began.last().copied().unwrap_or(0);
        if self.began.len() < Self::FINE || self.now().saturating_sub(last) >= Self::COARSE_NS {
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
            self.began.push(self.now());
            track::set_epoch(self.began.len() as u32 - 1);
        }
    }
}

/// When the program stopped.
#[must_use]
pub(super) struct Stopped(u64);

impl Drop for Stopped {
    fn drop(&mut self) {
        track::go_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_at_the_prompt_does_not_count() {
        let mut clock = Clock::new();
        let before = clock.now();
        // As if the program had stood still for half of the machine's time.
        let stopped = Stopped(process::now_ns() / 2);
        clock.go_on(Some(((), stopped)));
        let began = clock.begin_tick();
        assert!(clock.now() < before);
        assert!(began.last() < Some(&before), "ticks are of that time");
    }
}
