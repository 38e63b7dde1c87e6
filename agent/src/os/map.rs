//! THE ONLY DOOR TO THE KERNEL: address ranges for the agent's own tables.
//!
//! Called from inside the program's allocator, so nothing here allocates, takes a lock or changes `errno`.

use std::io;
use std::ops::Range;
use std::ptr::NonNull;

/// Bytes of a page. Fixed by the architecture this agent runs on.
pub(crate) const PAGE: usize = 4096;

/// Reserves `bytes` of zeroed memory that costs nothing until it is written, or nothing if the kernel refuses.
///
/// It is left out of core dumps: a dump of the tables would be larger than the program's. And it gets no huge pages,
/// where the system gives them unasked: a table with a word here and there would cost 2 MiB for each.
pub(crate) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
    reserve_as(bytes, libc::PROT_READ | libc::PROT_WRITE)
}

fn reserve_as(bytes: usize, access: libc::c_int) -> Option<NonNull<u8>> {
    if cfg!(miri) {
        return interpreted::reserve(bytes);
    }
    let _errno = Errno::save();
    // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that exists.
    let mapped = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            bytes,
            access,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the range was mapped just now; the advice changes no content. Failing, the dump is larger, or the table; no
    // more.
    unsafe {
        libc::madvise(mapped, bytes, libc::MADV_DONTDUMP);
        libc::madvise(mapped, bytes, libc::MADV_NOHUGEPAGE);
    }
    NonNull::new(mapped.cast())
}

/// Reserves the first of `sizes` that the kernel grants and that leaves the program enough addresses: where their number
/// is limited (`ulimit -v`), no reservation takes more than an eighth.
pub(crate) fn reserve_first(sizes: &[usize]) -> Option<(NonNull<u8>, usize)> {
    first(sizes, reserve)
}

fn first(
    sizes: &[usize],
    reserve: fn(usize) -> Option<NonNull<u8>>,
) -> Option<(NonNull<u8>, usize)> {
    let most = address_limit() / 8;
    let modest = sizes.iter().filter(|&&bytes| bytes as u64 <= most);
    modest
        .copied()
        .find_map(|bytes| Some((reserve(bytes)?, bytes)))
}

/// The same, of addresses alone: nothing can be read or written there before it is [opened](open). Where the kernel
/// keeps account of what it promised (`vm.overcommit_memory=2`), they count for nothing until then.
pub(crate) fn reserve_closed_first(sizes: &[usize]) -> Option<(NonNull<u8>, usize)> {
    first(sizes, |bytes| reserve_as(bytes, libc::PROT_NONE))
}

/// Opens a part of a closed reservation, if the kernel has memory for it.
///
/// # Safety
/// The range lies in one reservation of the caller's, and consists of whole pages.
pub(crate) unsafe fn open(start: u64, bytes: usize) -> bool {
    let _errno = Errno::save();
    // SAFETY: the caller owns the range; what was open stays as it was.
    let opened =
        unsafe { libc::mprotect(start as *mut _, bytes, libc::PROT_READ | libc::PROT_WRITE) };
    opened == 0
}

/// How many bytes of addresses this process may have.
pub(super) fn address_limit() -> u64 {
    if cfg!(miri) {
        return libc::RLIM_INFINITY;
    }
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the kernel fills the structure. Failing, it leaves it as it is, without a limit.
    unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) };
    limit.rlim_cur
}

/// Gives a reservation back.
///
/// # Safety
/// `start` and `bytes` are those of one call of [`reserve`], and nothing refers into it any more.
pub(crate) unsafe fn release(start: NonNull<u8>, bytes: usize) {
    if cfg!(miri) {
        // SAFETY: the caller's promise.
        return unsafe { interpreted::release(start, bytes) };
    }
    let _errno = Errno::save();
    // SAFETY: the caller owns the whole mapping.
    unsafe { libc::munmap(start.as_ptr().cast(), bytes) };
}

/// Gives the memory of the whole pages in a range back; it reads as zeros from then on. The addresses stay.
///
/// # Safety
/// The range is private anonymous memory of the caller's, in which any reader takes zeros as well as what was there.
pub(crate) unsafe fn discard(start: u64, bytes: usize) {
    let _errno = Errno::save();
    let page = PAGE as u64;
    let (first, end) = (
        start.next_multiple_of(page),
        (start + bytes as u64) / page * page,
    );
    if cfg!(miri) {
        // SAFETY: the caller's promise.
        return unsafe { (start as *mut u8).write_bytes(0, bytes) };
    }
    if first < end {
        // SAFETY: the caller's promise.
        unsafe { libc::madvise(first as *mut _, (end - first) as usize, libc::MADV_DONTNEED) };
    }
}

/// Says for each page from `start` on whether it was ever written (in memory or swapped out).
///
/// `mincore` would call a swapped page absent. Fails where `/proc` is missing or closed, as after a setuid: then
/// every page has to be taken for touched.
pub(crate) fn touched(start: u64, into: &mut [bool]) -> io::Result<()> {
    if cfg!(miri) {
        interpreted::touched(start, into);
        return Ok(());
    }
    const BATCH: usize = 512;
    const PRESENT_OR_SWAPPED: u64 = 0b11 << 62;
    let pagemap = Pagemap::open()?;
    for (batch, pages) in into.chunks_mut(BATCH).enumerate() {
        let mut entries = [0u64; BATCH];
        pagemap.read(
            start / PAGE as u64 + (batch * BATCH) as u64,
            &mut entries[..pages.len()],
        )?;
        for (page, entry) in pages.iter_mut().zip(entries) {
            *page = entry & PRESENT_OR_SWAPPED != 0;
        }
    }
    Ok(())
}

/// Bytes of a range that are in memory now, counted in whole pages. Zero where nothing is mapped.
pub(crate) fn resident(range: Range<u64>) -> u64 {
    let mut pages = 0;
    each_resident(range, MOST_STATES, |_| pages += 1);
    pages * PAGE as u64
}

/// Pages whose states are asked for at once, at most.
const MOST_STATES: u64 = 16384;

/// Calls `each` with the number of every page of a range that is in memory now, asking for `batch` pages at a time: of a
/// batch that is not mapped throughout, none counts.
pub(super) fn each_resident(range: Range<u64>, batch: u64, mut each: impl FnMut(u64)) {
    let _errno = Errno::save();
    let page = PAGE as u64;
    let mut states = [0u8; MOST_STATES as usize];
    let mut at = range.start / page;
    let end = range.end.div_ceil(page);
    while at < end {
        let pages = (end - at).min(batch).min(MOST_STATES);
        let (start, bytes) = ((at * page) as *mut _, (pages * page) as usize);
        // SAFETY: the kernel writes one byte a page, and there is room for all; it reads no memory of ours.
        let code = unsafe { libc::mincore(start, bytes, states.as_mut_ptr()) };
        let asked = &states[..if code == 0 { pages as usize } else { 0 }];
        for (number, state) in (at..).zip(asked) {
            if state & 1 != 0 {
                each(number);
            }
        }
        at += pages;
    }
}

/// The kernel's file with one word for each page of this process.
struct Pagemap(libc::c_int);

impl Pagemap {
    fn open() -> io::Result<Pagemap> {
        let path = c"/proc/self/pagemap".as_ptr();
        // SAFETY: the path is a C string.
        let file = unsafe { libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Pagemap(file))
    }

    /// Reads the words of the pages from number `page` on.
    fn read(&self, page: u64, into: &mut [u64]) -> io::Result<()> {
        let bytes = size_of_val(into);
        // SAFETY: `into` has room for `bytes`, and any bits make a u64.
        let got = unsafe {
            libc::pread(
                self.0,
                into.as_mut_ptr().cast(),
                bytes,
                (page * 8).cast_signed(),
            )
        };
        if usize::try_from(got) == Ok(bytes) {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::UnexpectedEof))
        }
    }
}

impl Drop for Pagemap {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours and is used no more.
        unsafe { libc::close(self.0) };
    }
}

/// This thread's `errno`, put back when dropped: `malloc` and `free` must not change it where the program's allocator would not.
#[must_use]
pub(crate) struct Errno(libc::c_int);

impl Errno {
    /// Remembers it.
    pub(crate) fn save() -> Errno {
        // SAFETY: the C library returns a valid pointer to this thread's own variable.
        Errno(unsafe { *libc::__errno_location() })
    }
}

impl Drop for Errno {
    fn drop(&mut self) {
        // SAFETY: as in `save`.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// The same for Miri, which runs the tests of the rooms above and knows no kernel: `.ci/miri`.
mod interpreted {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::NonNull;

    use super::PAGE;

    fn layout(bytes: usize) -> Option<Layout> {
        Layout::from_size_align(bytes, PAGE).ok()
    }

    pub(super) fn reserve(bytes: usize) -> Option<NonNull<u8>> {
        // SAFETY: nobody reserves nothing.
        NonNull::new(unsafe { alloc_zeroed(layout(bytes)?) })
    }

    /// # Safety
    /// As for the real one.
    pub(super) unsafe fn release(start: NonNull<u8>, bytes: usize) {
        if let Some(layout) = layout(bytes) {
            // SAFETY: allocated above with the same layout, the caller says.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }

    /// A page is touched that has anything in it.
    pub(super) fn touched(start: u64, into: &mut [bool]) {
        for (number, page) in into.iter_mut().enumerate() {
            let page_start = (start as usize + number * PAGE) as *const [u8; PAGE];
            // SAFETY: the tests ask for pages of one reservation, which no other thread writes to meanwhile.
            *page = unsafe { *page_start } != [0; PAGE];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_zeroed_and_untouched_until_written() {
        let bytes = 64 * PAGE;
        let start = reserve(bytes).unwrap();
        // SAFETY: the page is inside the reservation.
        unsafe { start.add(3 * PAGE).write(7) };
        let mut pages = [false; 64];
        touched(start.as_ptr() as u64, &mut pages).unwrap();
        assert_eq!(pages.iter().filter(|&&page| page).count(), 1);
        assert!(pages[3]);
        let from = start.as_ptr() as u64;
        assert_eq!(resident(from..from + bytes as u64), PAGE as u64);
        // SAFETY: as reserved above.
        unsafe { release(start, bytes) };
        assert_eq!(resident(from..from + bytes as u64), 0);
    }

    /// The flags that the kernel has for the mapping at an address, as in `/proc/self/smaps`.
    fn flags(address: u64) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let holds = |line: &str| {
            let range = line
                .split(' ')
                .next()
                .and_then(|range| range.split_once('-'));
            range.is_some_and(|(from, to)| {
                let number = |text| u64::from_str_radix(text, 16).unwrap_or(0);
                number(from) <= address && address < number(to)
            })
        };
        let mut lines = maps.lines().skip_while(|line| !holds(line));
        let flags = lines.find_map(|line| line.strip_prefix("VmFlags: "));
        flags.unwrap().to_owned()
    }

    #[test]
    fn a_table_gets_no_huge_pages_and_is_in_no_core() {
        let start = reserve(4 << 20).unwrap();
        let flags = flags(start.as_ptr() as u64);
        assert!(flags.contains("dd") && flags.contains("nh"), "{flags}");
        // SAFETY: as reserved above.
        unsafe { release(start, 4 << 20) };
    }

    #[test]
    fn what_is_closed_counts_for_nothing_until_it_is_opened() {
        let (start, bytes) = reserve_closed_first(&[16 << 20]).unwrap();
        let from = start.as_ptr() as u64;
        // `ac`: what the kernel takes account of, and promises memory for.
        assert!(!flags(from).contains("ac") && !flags(from).contains("wr"));
        // SAFETY: two pages of the reservation, which nothing else refers to, written once they are open.
        unsafe {
            assert!(open(from + PAGE as u64, 2 * PAGE));
            start.add(2 * PAGE).write(7);
        }
        assert!(flags(from + PAGE as u64).contains("wr"));
        assert!(!flags(from + 3 * PAGE as u64).contains("wr"));
        // SAFETY: as reserved above.
        unsafe { release(start, bytes) };
    }

    #[test]
    fn an_impossible_reservation_falls_back() {
        let (start, bytes) = reserve_first(&[1 << 60, 1 << 16]).unwrap();
        assert_eq!(bytes, 1 << 16);
        // SAFETY: as reserved above.
        unsafe { release(start, bytes) };
    }
}
