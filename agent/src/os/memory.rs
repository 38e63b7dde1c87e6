//! THE ONE GUARDED DOOR to memory whose address nobody vouches for: a word, or a few bytes, by way of the kernel.
//!
//! The kernel is asked to write a page into a pipe and refuses where there is none, so that no address can make this
//! process fault: a thread's registers may hold anything. Not `process_vm_readv`, which makes the copy of the process
//! take a page of its own for each it reads; this way the pages stay shared with the program.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

use super::map::PAGE;

mod copy;
mod resident;

pub(crate) use resident::Resident;

/// The door. Meant for the copy of the process, where memory stands still: what was read once is not read again.
#[derive(Debug)]
pub(crate) struct Door {
    read: i32,
    write: i32,
    /// Pages read by their addresses; none where there is nothing to read.
    pages: HashMap<u64, Option<Box<Page>>>,
}

type Page = [u8; PAGE];

/// Pages kept at most: 1 MiB.
const PAGES: usize = 256;

impl Door {
    /// Opens it.
    pub(crate) fn open() -> io::Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: the kernel writes two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Door {
            read: ends[0],
            write: ends[1],
            pages: HashMap::new(),
        })
    }

    /// The word at an address, if all of it lies within these addresses and in memory that can be read.
    pub(crate) fn word(&mut self, address: u64, within: &Range<u64>) -> Option<u64> {
        let mut word = [0; 8];
        self.bytes(address, within, &mut word)?;
        Some(u64::from_le_bytes(word))
    }

    /// Fills `into` from an address on, under the same conditions.
    pub(crate) fn bytes(
        &mut self,
        address: u64,
        within: &Range<u64>,
        into: &mut [u8],
    ) -> Option<()> {
        let end = address.checked_add(into.len() as u64)?;
        (within.start <= address && end <= within.end).then_some(())?;
        for (at, byte) in (address..).zip(into) {
            let page = self.page(at & !(PAGE as u64 - 1))?;
            *byte = page[at as usize % PAGE];
        }
        Some(())
    }

    fn page(&mut self, start: u64) -> Option<&Page> {
        if self.pages.len() >= PAGES {
            self.pages.clear();
        }
        if !self.pages.contains_key(&start) {
            let page = self.fetch(start);
            self.pages.insert(start, page);
        }
        self.pages.get(&start)?.as_deref()
    }

    fn fetch(&self, start: u64) -> Option<Box<Page>> {
        // SAFETY: the kernel reads the page for us and returns an error where it cannot; an empty pipe takes a page.
        let written = unsafe { libc::write(self.write, start as *const _, PAGE) };
        let written = usize::try_from(written).ok()?;
        let mut page = Box::new([0; PAGE]);
        // SAFETY: as many bytes are read as were written, and the page has room for them.
        let read = unsafe { libc::read(self.read, page.as_mut_ptr().cast(), written) };
        (written == PAGE && usize::try_from(read) == Ok(PAGE)).then_some(page)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // SAFETY: both descriptors are this value's own.
        unsafe {
            libc::close(self.read);
            libc::close(self.write);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::map;

    const ANYWHERE: Range<u64> = 0..u64::MAX;

    #[test]
    fn words_are_read_within_bounds_alone() {
        let mut door = Door::open().unwrap();
        let words = [1u64, 2, 3];
        let at = words.as_ptr() as u64;
        assert_eq!(door.word(at + 8, &ANYWHERE), Some(2));
        assert_eq!(door.word(at + 8, &(at..at + 16)), Some(2));
        assert_eq!(door.word(at + 9, &(at..at + 16)), None);
        assert_eq!(door.word(at, &(at + 8..at + 16)), None);
        let mut bytes = [0; 3];
        assert_eq!(door.bytes(at + 16, &ANYWHERE, &mut bytes), Some(()));
        assert_eq!(bytes, [3, 0, 0]);
    }

    #[test]
    fn no_address_is_believed() {
        let mut door = Door::open().unwrap();
        for round in 0..100 {
            for address in [0, 8, 1 << 46, 1 << 47, u64::MAX - 8, u64::MAX, !0xfff] {
                assert_eq!(
                    door.word(address, &ANYWHERE),
                    None,
                    "{address:#x} in {round}"
                );
            }
            door.pages.clear();
        }
        let start = map::reserve(2 * PAGE).unwrap();
        let end = start.as_ptr() as u64 + 2 * PAGE as u64;
        assert_eq!(door.word(end - 8, &ANYWHERE), Some(0));
        // SAFETY: the second page of the reservation; it is read by the kernel alone.
        unsafe { libc::mprotect((end - PAGE as u64) as *mut _, PAGE, libc::PROT_NONE) };
        door.pages.clear();
        assert_eq!(door.word(end - 8, &ANYWHERE), None);
        assert_eq!(
            door.word(end - PAGE as u64 - 4, &ANYWHERE),
            None,
            "across the border"
        );
        assert_eq!(door.word(end - PAGE as u64 - 8, &ANYWHERE), Some(0));
        // SAFETY: as reserved above.
        unsafe { map::release(start, 2 * PAGE) };
    }
}
