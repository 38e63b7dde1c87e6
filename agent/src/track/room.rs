//! ON THE PROGRAM'S HOT PATH: memory that is given out piece by piece and never taken back, for what never changes.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering;

use super::atomic::{AtomicPtr, AtomicU32};
use crate::os::map;

/// Room in units of so many bytes, a multiple of 8. It is mapped when the first is taken. Unit zero is never given out.
pub(super) struct Room<const UNIT: usize> {
    /// Null until the first is taken. The word there, in unit zero, says how many units there are: whoever sees a room
    /// sees that too.
    start: AtomicPtr<u64>,
    /// Units given out.
    used: AtomicU32,
}

impl<const UNIT: usize> Room<UNIT> {
    pub(super) const fn new() -> Room<UNIT> {
        Room {
            start: AtomicPtr::new(ptr::null_mut()),
            used: AtomicU32::new(1),
        }
    }

    /// Takes units, and says which is the first. Before, the first of `sizes` in bytes is mapped that can be had.
    pub(super) fn take(&self, units: u32, sizes: &[usize]) -> Option<u32> {
        if self.start().is_null() {
            self.map(sizes)?;
        }
        let limit = self.units();
        let fits = |used: u32| used.checked_add(units).filter(|&after| after <= limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok()
    }

    fn map(&self, sizes: &[usize]) -> Option<()> {
        let (start, bytes) = map::reserve_first(sizes)?;
        // SAFETY: mapped just now, and no smaller than a unit.
        unsafe { start.as_ptr().cast::<u64>().write((bytes / UNIT) as u64) };
        let won = self.start.compare_exchange(
            ptr::null_mut(),
            start.as_ptr().cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if won.is_err() {
            // SAFETY: another thread's won; ours was mapped above and published nowhere.
            unsafe { map::release(start, bytes) };
        }
        Some(())
    }

    /// Units there are: none before the first is taken, and none after [`discard`](Self::discard).
    fn units(&self) -> u32 {
        // SAFETY: what was published is mapped and begins with this word, which does not change before it is discarded.
        unsafe { self.start().as_ref() }.map_or(0, |&units| units as u32)
    }

    /// Where unit zero is; null while none was taken.
    #[inline(always)]
    pub(super) fn start(&self) -> *mut u64 {
        self.start.load(Ordering::Acquire)
    }

    /// Units given out, unit zero among them: those below are mapped, once there is a start.
    #[inline(always)]
    pub(super) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Share given out, in thousandths; nothing while none was taken.
    pub(super) fn used_permille(&self) -> Option<u32> {
        let units = u64::from(self.units());
        let share = (u64::from(self.used()) * 1000).checked_div(units)?;
        Some(share.min(1000) as u32)
    }

    /// The addresses of what was given out.
    pub(super) fn range(&self) -> Range<u64> {
        let start = self.start() as u64;
        let bytes = u64::from(self.used()) * UNIT as u64;
        start..start + if start == 0 { 0 } else { bytes }
    }

    /// Gives the memory back; it reads as zeros from then on.
    pub(super) fn discard(&self) {
        let range = self.range();
        // SAFETY: mapped by `map`; who reads it takes zeros as well as what was there.
        unsafe { map::discard(range.start, (range.end - range.start) as usize) };
    }
}

#[cfg(test)]
impl<const UNIT: usize> Room<UNIT> {
    /// Says that there are no more units than these, once the first was taken.
    pub(super) fn limit(&self, units: u32) {
        // SAFETY: as in `units`; the test that says so is alone with its room.
        unsafe { self.start().write(units.into()) };
    }
}

/// The room of the process is a static, and stays.
#[cfg(test)]
impl<const UNIT: usize> Drop for Room<UNIT> {
    fn drop(&mut self) {
        if let Some(start) = std::ptr::NonNull::new(self.start().cast()) {
            // SAFETY: mapped by `map` with this size, and nobody is left to read it.
            unsafe { map::release(start, self.units() as usize * UNIT) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::model::{self, Moment, explore};
    use std::sync::Mutex;

    /// The first who come find one room between them, and each a part of it.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of orders")]
    fn every_order_of_the_first_takes_gives_each_its_own() {
        type Shared = (Room<64>, Mutex<Vec<u32>>);
        let take = |(room, taken): &Shared| {
            let first = room.take(2, &[1 << 16]).expect("there is room");
            taken.lock().unwrap().push(first);
        };
        let after = |(room, taken): &Shared| {
            let mut taken = taken.lock().unwrap().clone();
            taken.sort_unstable();
            assert_eq!((taken, room.used()), (vec![1, 3, 5], 7));
        };
        let make = || (Room::new(), Mutex::default());
        assert!(explore(2, make, &[&take, &take, &take], after) > 200);
    }

    /// Whoever sees the room sees what the thread that mapped it did before.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of orders")]
    fn a_room_is_seen_whole_in_every_order() {
        type Shared = (Room<64>, Mutex<Option<Moment>>);
        let seen_whole = || {
            let take = |(room, mapped): &Shared| {
                *mapped.lock().unwrap() = Some(model::moment());
                room.take(1, &[1 << 16]).unwrap();
            };
            let look = |(room, mapped): &Shared| {
                if room.used_permille().is_some() {
                    assert!(model::knows(mapped.lock().unwrap().unwrap()));
                }
            };
            explore(
                3,
                || (Room::new(), Mutex::default()),
                &[&take, &look],
                |_| {},
            );
        };
        seen_whole();
        assert!(model::fails_without_its_orderings(seen_whole));
    }
}
