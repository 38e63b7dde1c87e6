//! What one look leaves for the next: a mapping that the clone and the program share.
//!
//! Two halves and a commit word. A writer fills the half that is not current and then names it in the word, so a clone
//! that is killed in the middle leaves what was there before. There is one writer at a time: a clone, of which there
//! is one at a time.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use super::map;

/// A mapping that survives the clone that wrote it.
#[derive(Debug)]
pub(crate) struct Shared {
    at: NonNull<u8>,
    /// Bytes in a half.
    half: usize,
}

// SAFETY: the mapping is reached through `publish` and `latest` alone, which order their accesses by the commit word.
unsafe impl Send for Shared {}

/// Bytes before the first half: the commit word, with room to keep the halves aligned.
const HEAD: usize = 64;

impl Shared {
    /// Reserves room for contents of at most `most` bytes, or of fewer where addresses are limited (`ulimit -v`): then they
    /// are for the program, and this takes a thirty-second of them. Takes no memory until it is used.
    pub(crate) fn within(most: usize) -> io::Result<Self> {
        Self::new(share(most, map::address_limit()))
    }

    /// Reserves room for contents of at most `half` bytes.
    fn new(half: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let at = unsafe { libc::mmap(ptr::null_mut(), HEAD + 2 * half, protection, flags, -1, 0) };
        match NonNull::new(at.cast::<u8>()) {
            Some(at) if at.as_ptr().cast() != libc::MAP_FAILED => {
                // SAFETY: the range was mapped just now. A core dump has no use for it.
                unsafe { libc::madvise(at.as_ptr().cast(), HEAD + 2 * half, libc::MADV_DONTDUMP) };
                Ok(Shared { at, half })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The longest content, in bytes.
    pub(crate) fn room(&self) -> usize {
        self.half
    }

    /// Replaces the content. False if it is too long, and then the old one stays.
    pub(crate) fn publish(&self, content: &[u8]) -> bool {
        if content.len() > self.half || content.len() > u32::MAX as usize {
            return false;
        }
        let turn = (self.word().load(Ordering::Acquire) >> 32).wrapping_add(1) as u32;
        // SAFETY: the content fits in the half, which is not the current one, so nobody reads it.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), self.start(turn), content.len()) };
        self.word().store(
            u64::from(turn) << 32 | content.len() as u64,
            Ordering::Release,
        );
        true
    }

    /// A copy of the content; empty before the first. The length is checked, the content is the reader's to check.
    pub(crate) fn latest(&self) -> Vec<u8> {
        let word = self.word().load(Ordering::Acquire);
        let length = (word as u32 as usize).min(self.half);
        // SAFETY: the half is mapped for `length` bytes, and a writer writes to the other one.
        unsafe { std::slice::from_raw_parts(self.start((word >> 32) as u32), length) }.to_vec()
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: the mapping is page-aligned, at least HEAD long, lives as long as `self`, and its head is only ever
        // reached as an atomic.
        unsafe { self.at.cast::<AtomicU64>().as_ref() }
    }

    fn start(&self, turn: u32) -> *mut u8 {
        // SAFETY: both halves lie inside the mapping.
        unsafe { self.at.as_ptr().add(HEAD + (turn as usize & 1) * self.half) }
    }
}

/// Bytes for one half, of which both take at most a thirty-second of the limit; no less than the smallest that is of use.
fn share(most: usize, limit: u64) -> usize {
    const LEAST: usize = 1 << 20;
    let half = usize::try_from(limit / 32 / 2).unwrap_or(usize::MAX);
    half.clamp(LEAST.min(most), most) & !(HEAD - 1)
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.at.as_ptr().cast(), HEAD + 2 * self.half) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It took a sixth of what `ulimit -v 400000` allows, and the program aborted for want of addresses.
    #[test]
    fn where_addresses_are_few_it_takes_few() {
        const MOST: usize = 32 << 20;
        assert_eq!(share(MOST, u64::MAX), MOST);
        let half = share(MOST, 400_000 << 10);
        assert!((4 << 20..7 << 20).contains(&half), "{half}");
        assert_eq!(share(MOST, 0), 1 << 20);
        assert_eq!(share(64, u64::MAX), 64);
    }

    #[test]
    fn the_last_content_that_fits_is_kept() {
        let shared = Shared::new(16).unwrap();
        assert_eq!(shared.latest(), b"");
        assert!(shared.publish(b"one") && shared.publish(b"two"));
        assert!(!shared.publish(&[0; 17]));
        assert_eq!(shared.latest(), b"two");
    }
}
