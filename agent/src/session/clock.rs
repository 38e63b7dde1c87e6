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
    /// When each tick began. Eight bytes a tick, in the agent's arena; where that has no room for more, the last tick goes
    /// on for ever.
    began: Vec<u64>,
    /// How long the program has stood still for looks, in nanoseconds.
    still: u64,
    /// Bytes of the arena.
    room: usize,
}

impl Clock {
    /// How long the agent's thread sleeps between ticks.
    pub(super) const TICK: Duration = Duration::from_secs(1);
    /// Ticks of a second before they become longer.
    const FINE: usize = track::LAST_EPOCH as usize / 2;
    const FINE_NS: u64 = Self::TICK.as_nanos() as u64;
    const COARSE_NS: u64 = 30 * Self::FINE_NS;

    /// Begins with the blocks that were born before install: their tick began at the process's first look at a clock,
    /// which is now. Of the arena's `room` bytes the clock takes a small part.
    pub(super) fn new(room: u64) -> Self {
        let mut clock = Clock {
            began: vec![process::now_ns()],
            still: 0,
            room: usize::try_from(room).unwrap_or(usize::MAX),
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

    /// Begins a tick if the last one is over. To be called as often as one likes: whoever wakes the agent early uses up
    /// no numbers.
    pub(super) fn tick(&mut self) {
        let long = match self.began.len() < Self::FINE {
            true => Self::FINE_NS,
            false => Self::COARSE_NS,
        };
        let last = self.began.last().copied().unwrap_or(0);
        if self.now().saturating_sub(last) >= long {
            self.advance();
        }
    }

    /// Begins a tick for a look, so that what is born after it is told from what it saw.
    pub(super) fn begin_tick(&mut self) {
        self.advance();
    }

    /// When each tick began. For the copy, whose clock stands still.
    pub(super) fn take_births(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.began)
    }

    fn advance(&mut self) {
        if self.began.len() <= track::LAST_EPOCH as usize && self.has_room() {
            self.began.push(self.now());
            track::set_epoch(self.began.len() as u32 - 1);
        }
    }

    /// Whether one more tick can be noted. Growing needs three times as much for a moment, and must leave the agent most of
    /// an arena that is small.
    fn has_room(&mut self) -> bool {
        let full = self.began.len() == self.began.capacity();
        let needed = 3 * size_of::<u64>() * self.began.len();
        !full || needed <= self.room / 4 && self.began.try_reserve(self.began.len().max(64)).is_ok()
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

    const ROOM: u64 = 1 << 30;

    /// A second later, as far as the clock knows.
    fn a_second_passes(clock: &mut Clock) {
        for began in &mut clock.began {
            *began = began.saturating_sub(Clock::FINE_NS);
        }
    }

    /// A program that made marks all the time ran out of numbers in a week.
    #[test]
    fn whoever_wakes_the_agent_early_uses_up_no_ticks() {
        let mut clock = Clock::new(ROOM);
        let ticks = clock.began.len();
        (0..1000).for_each(|_| clock.tick());
        assert_eq!(clock.began.len(), ticks);
        a_second_passes(&mut clock);
        (0..1000).for_each(|_| clock.tick());
        assert_eq!(clock.began.len(), ticks + 1);
    }

    #[test]
    fn in_a_small_arena_the_last_tick_goes_on() {
        let mut clock = Clock::new(16 << 20);
        (0..track::LAST_EPOCH).for_each(|_| clock.advance());
        let noted = clock.began.capacity() * size_of::<u64>();
        assert!((1 << 20..4 << 20).contains(&noted), "{noted}");
        let mut clock = Clock::new(ROOM);
        (0..track::LAST_EPOCH).for_each(|_| clock.advance());
        assert_eq!(clock.began.len(), track::LAST_EPOCH as usize + 1);
    }

    #[test]
    fn time_at_the_prompt_does_not_count() {
        let mut clock = Clock::new(ROOM);
        let before = clock.now();
        // As if the program had stood still for half of the machine's time.
        let stopped = Stopped(process::now_ns() / 2);
        clock.go_on(Some(((), stopped)));
        clock.begin_tick();
        assert!(clock.now() < before);
        assert!(
            clock.take_births().last() < Some(&before),
            "ticks are of that time"
        );
    }
}
