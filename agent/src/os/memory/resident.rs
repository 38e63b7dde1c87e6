//! THE ONE GUARDED DOOR to the heap's bytes: plain loads in the copy of the process, of pages that are in memory.
//!
//! `mincore` says which those are, in batches of two megabytes that are remembered; memory stands still in the copy.
//! Only then are the bytes copied, behind the guard of [`copy`], so that a list of mappings that is wrong costs an error.
//! Not `process_vm_readv`, which makes the copy of the process take a page of its own for each it reads.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use super::copy::copy;
use crate::heap::{Address, Memory};
use crate::os::map::{self, PAGE};

/// What of the process's memory can be read.
pub(crate) struct Resident<F> {
    list: F,
    /// Mappings that may be read, in order and apart; asked for when something is first read.
    mappings: OnceCell<Vec<Range<u64>>>,
    /// Which pages of a window are in memory.
    windows: RefCell<HashMap<u64, Window>>,
    /// The window asked for last, by its number.
    last: Cell<(u64, Window)>,
}

const PAGE_BYTES: u64 = PAGE as u64;
/// Pages whose state is asked for together.
const PAGES: u64 = 512;
/// Pages asked for together where a long range is gone through.
const BATCH: u64 = 16384;

/// A bit for each page: whether it is in memory and may be read.
type Window = [u64; (PAGES / 64) as usize];

impl<F: Fn() -> Vec<Range<u64>>> Resident<F> {
    /// `list` gives the address ranges, of whole pages, that may be read.
    pub(crate) fn new(list: F) -> Self {
        Resident {
            list,
            mappings: OnceCell::new(),
            windows: RefCell::default(),
            last: Cell::new((u64::MAX, [0; 8])),
        }
    }

    fn mappings(&self) -> &[Range<u64>] {
        self.mappings.get_or_init(|| {
            let mut mappings = (self.list)();
            mappings.sort_unstable_by_key(|mapping| mapping.start);
            mappings
        })
    }

    /// The parts of mappings that lie in a range.
    fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let mappings = self.mappings();
        let first = mappings.partition_point(|mapping| mapping.end <= range.start);
        let inside = mappings[first..].iter();
        let end = range.end;
        inside
            .take_while(move |mapping| mapping.start < end)
            .map(move |mapping| mapping.start.max(range.start)..mapping.end.min(range.end))
    }

    fn has_page(&self, page: u64) -> bool {
        let (number, inside) = (page / PAGES, page % PAGES);
        let (last, mut window) = self.last.get();
        if last != number {
            let mut windows = self.windows.borrow_mut();
            window = *windows.entry(number).or_insert_with(|| self.window(number));
            self.last.set((number, window));
        }
        window[(inside / 64) as usize] >> (inside % 64) & 1 != 0
    }

    fn window(&self, number: u64) -> Window {
        let mut window = Window::default();
        let start = number * PAGES * PAGE_BYTES;
        let end = start.saturating_add(PAGES * PAGE_BYTES);
        for part in self.within(start..end) {
            map::each_resident(part, PAGES, |page| {
                let inside = page % PAGES;
                window[(inside / 64) as usize] |= 1 << (inside % 64);
            });
        }
        window
    }
}

impl<F: Fn() -> Vec<Range<u64>>> Memory for Resident<F> {
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()> {
        let Some(more) = (into.len() as u64).checked_sub(1) else {
            return Some(());
        };
        let last = at.0.checked_add(more)?;
        let mut pages = at.0 / PAGE_BYTES..=last / PAGE_BYTES;
        pages.all(|page| self.has_page(page)).then_some(())?;
        copy(at.0, into)
    }

    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut found: Vec<Range<u64>> = Vec::new();
        for part in self.within(within) {
            map::each_resident(part.clone(), BATCH, |page| {
                let start = (page * PAGE_BYTES).max(part.start);
                let end = ((page + 1) * PAGE_BYTES).min(part.end);
                match found.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end = end,
                    None => found.push(start..end),
                }
            });
        }
        found
    }
}

impl<F> fmt::Debug for Resident<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resident").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::iter::once;

    use super::*;

    const GIGABYTE: usize = 1 << 30;

    #[test]
    fn looking_makes_nothing_resident() {
        let start = map::reserve(GIGABYTE).expect("addresses");
        let from = start.as_ptr() as u64;
        let all = from..from + GIGABYTE as u64;
        // SAFETY: inside the reservation, which nothing else refers to.
        unsafe { start.add(5 * PAGE).write(7) };
        let listed = all.clone();
        let memory = Resident::new(move || once(listed.clone()).collect());
        let mut byte = [0];
        let mut read = 0;
        for at in all.clone().step_by(PAGE) {
            read += usize::from(memory.read(Address(at), &mut byte).is_some());
        }
        assert_eq!(read, 1);
        let page = from + 5 * PAGE_BYTES..from + 6 * PAGE_BYTES;
        let readable = |within| -> Vec<_> {
            let pieces = memory.readable(within).into_iter();
            pieces.map(|piece| (piece.start, piece.end)).collect()
        };
        assert_eq!(readable(all.clone()), [(page.start, page.end)]);
        let inside = (page.start + 8, page.start + 9);
        assert_eq!(readable(inside.0..inside.1), [inside]);
        assert_eq!(map::resident(all), PAGE_BYTES);
        // The negative control: what looks otherwise does make it so.
        copy(from, &mut byte).expect("it is mapped");
        assert_eq!(map::resident(from..from + PAGE_BYTES), PAGE_BYTES);
        // SAFETY: as reserved above.
        unsafe { map::release(start, GIGABYTE) };
    }

    #[test]
    fn no_list_is_believed() {
        // First of all: which pages are in memory is asked for many at once, and remembered.
        let word = 0x0123_4567_89ab_cdef_u64;
        let everything = vec![0..1 << 47, 1 << 47..!0xfff];
        let memory = Resident::new(move || everything.clone());
        let mut bytes = [0; 16];
        for at in [0, 8, 1 << 46, (1 << 47) - 8, u64::MAX - 8, u64::MAX] {
            assert_eq!(memory.read(Address(at), &mut bytes), None, "{at:#x}");
            assert_eq!(memory.word(Address(at)), None, "{at:#x}");
        }
        let closed = map::reserve_closed_first(&[PAGE]).expect("addresses").0;
        assert_eq!(memory.word(Address(closed.as_ptr() as u64)), None);
        // SAFETY: as reserved above.
        unsafe { map::release(closed, PAGE) };
        let at = Address((&raw const word) as u64);
        assert_eq!(memory.word(at), Some(word));
        assert_eq!(Resident::new(Vec::new).word(at), None);
    }

    #[test]
    fn what_crosses_a_border_is_read_whole_or_not_at_all() {
        let start = map::reserve(3 * PAGE).expect("addresses");
        let from = start.as_ptr() as u64;
        // SAFETY: inside the reservation.
        unsafe {
            start.write(1);
            start.add(PAGE).write(2);
        }
        let memory = Resident::new(move || once(from..from + 2 * PAGE_BYTES).collect());
        let mut bytes = [0; 2 * PAGE];
        assert_eq!(memory.read(Address(from), &mut bytes), Some(()));
        assert_eq!((bytes[0], bytes[PAGE]), (1, 2));
        assert_eq!(memory.read(Address(from + 1), &mut bytes), None);
        assert_eq!(memory.read(Address(from + 1), &mut []), Some(()));
        // SAFETY: as reserved above.
        unsafe { map::release(start, 3 * PAGE) };
    }
}
