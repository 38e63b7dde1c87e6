//! The answers of each second, and their median: the buffers of `--leak spare`. Pure: touches nothing.
//!
//! A second's answers are gathered in its slot of a wheel, summed up when the next second begins, and not needed any more.
//! [`Vec::clear`] leaves the slot as large as the burst made it, so that in an hour each of 3,600 slots has the room that
//! one of them needs. `--leak spare` is the server that does so; the other gives the room back.

use crate::combined::Entry;

/// Slots of the wheel: the seconds of an hour.
const SLOTS: usize = 3600;

/// Answers of a second that count for its median; in a flood the first ones do.
const MOST: usize = 16 * 1024;

/// An answer, as far as it counts.
#[derive(Clone, Copy, Debug)]
struct Answer {
    bytes: u32,
    status: u16,
}

/// The wheel.
#[derive(Debug)]
pub(crate) struct Seconds {
    slots: Box<[Vec<Answer>]>,
    /// The second whose answers are being gathered, by the log's clock.
    now: i64,
    /// Median size in bytes of the good answers of the second before.
    median: u32,
    /// Whether a slot keeps its room.
    spares: bool,
}

impl Seconds {
    /// With nothing in it. `spares` is the leak.
    pub(crate) fn new(spares: bool) -> Self {
        Seconds {
            slots: vec![Vec::new(); SLOTS].into(),
            now: 0,
            median: 0,
            spares,
        }
    }

    /// Adds an answer to its second. Logs are not always in order: one that is late counts for the second under way.
    pub(crate) fn record(&mut self, entry: &Entry<'_>) {
        if entry.at > self.now {
            self.sum_up();
            self.now = entry.at;
        }
        let slot = self.slot();
        if slot.len() < MOST {
            slot.push(Answer {
                bytes: u32::try_from(entry.bytes).unwrap_or(u32::MAX),
                status: entry.status,
            });
        }
    }

    /// Median size in bytes of the good answers of the last whole second.
    pub(crate) fn median(&self) -> u32 {
        self.median
    }

    fn sum_up(&mut self) {
        let spares = self.spares;
        let slot = self.slot();
        slot.retain(|answer| answer.status < 400);
        slot.sort_unstable_by_key(|answer| answer.bytes);
        let median = slot.get(slot.len() / 2).map_or(0, |answer| answer.bytes);
        slot.clear();
        if !spares {
            slot.shrink_to_fit();
        }
        self.median = median;
    }

    fn slot(&mut self) -> &mut Vec<Answer> {
        let slot = usize::try_from(self.now.rem_euclid(SLOTS as i64)).unwrap_or(0);
        &mut self.slots[slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    fn entry(second: u32, bytes: u32) -> String {
        format!(
            r#"h - - [10/Oct/2000:13:{:02}:{:02} +0000] "GET / HTTP/1.1" 200 {bytes} "-" "-""#,
            second / 60,
            second % 60
        )
    }

    fn wheel(spares: bool) -> Seconds {
        let mut seconds = Seconds::new(spares);
        for second in 0..10 {
            for bytes in 0..101 {
                seconds.record(&parse(entry(second, bytes).as_bytes()).unwrap());
            }
        }
        seconds
    }

    fn room(seconds: &Seconds) -> usize {
        seconds.slots.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn cleared_slots_keep_their_room_and_shrunk_ones_do_not() {
        let (leaking, sound) = (wheel(true), wheel(false));
        let slot = sound.slots.iter().map(Vec::capacity).max().unwrap();
        assert_eq!((room(&leaking), room(&sound)), (10 * slot, slot));
        assert_eq!((leaking.median(), sound.median()), (50, 50));
    }

    #[test]
    fn a_late_line_and_a_flood_do_no_harm() {
        let mut seconds = wheel(false);
        for _ in 0..2 * MOST {
            seconds.record(&parse(entry(3, 7).as_bytes()).unwrap());
        }
        assert!(room(&seconds) <= MOST);
    }
}
