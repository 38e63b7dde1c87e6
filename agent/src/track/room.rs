//! ON THE PROGRAM'S HOT PATH: memory that is given out piece by piece and never taken back, for what never changes.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use crate::os::map;

/// Room in units of so many bytes, a multiple of 8. It is mapped when the first is taken. Unit zero is never given out.
pub(super) struct Room<const UNIT: usize> {
    /// Null until the first is taken.
    start: AtomicPtr<u64>,
    /// Units there are.
    units: AtomicU32,
    /// Units given out.
    used: AtomicU32,
}

impl<const UNIT: usize> Room<UNIT> {
    pub(super) const fn new() -> Room<UNIT> {
        Room {
            start: AtomicPtr::new(ptr::null_mut()),
            units: AtomicU32::new(0),
            used: AtomicU32::new(1),
        }
    }

    /// Takes units, and says which is the first. Before, the first of `sizes` in bytes is mapped that can be had.
    pub(super) fn take(&self, units: u32, sizes: &[usize]) -> Option<u32> {
        if self.start().is_null() {
            self.map(sizes)?;
        }
        let limit = self.units.load(Ordering::Acquire);
        let fits = |used: u32| used.checked_add(units).filter(|&after| after <= limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok()
    }

    fn map(&self, sizes: &[usize]) -> Option<()> {
        let (start, bytes) = map::reserve_first(sizes)?;
        let won = self.start.compare_exchange(
            ptr::null_mut(),
            start.as_ptr().cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match won {
            Ok(_) => self.limit((bytes / UNIT) as u32),
            // SAFETY: another thread's won; ours was mapped above and published nowhere.
            Err(_) => unsafe { map::release(start, bytes) },
        }
        Some(())
    }

    /// Says how many units there are.
    pub(super) fn limit(&self, units: u32) {
        self.units.store(units, Ordering::Release);
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
        let units = u64::from(self.units.load(Ordering::Relaxed));
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
