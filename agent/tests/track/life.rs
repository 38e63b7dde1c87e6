//! What happens in the life of a process: before `main`, threads that come and go, forks, untouched memory.

use std::alloc::Layout;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use sigheap::internals::{self, Address};

use crate::books::{alone, check};
use crate::work::{Dice, Owned, allocate, free};

/// Runs `what` in a forked child and says whether it returned true.
pub(crate) fn in_fork(what: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does what it was given and ends without unwinding or running destructors.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            let fine =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(what)).unwrap_or(false);
            libc::_exit(i32::from(!fine));
        }
        let mut status = 0;
        libc::waitpid(child, &mut status, 0);
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

#[test]
fn a_forked_child_goes_on_exactly() {
    let _alone = alone();
    let mut dice = Dice(11);
    let mut mine: Vec<Owned> = (0..1000).map(|_| allocate(&mut dice)).collect();
    let fine = in_fork(|| {
        mine.drain(..500).for_each(free);
        mine.extend((0..2000).map(|_| allocate(&mut dice)));
        check(&mine).is_ok()
    });
    assert!(fine);
    check(&mine).unwrap();
    mine.drain(..).for_each(free);
}

#[test]
fn short_threads_give_their_slots_back() {
    let _alone = alone();
    let before = internals::slots_taken();
    for _ in 0..1250 {
        let grow = || {
            let mut grown = Vec::new();
            grown.extend(0..100u8);
            grown.push(1);
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(grow)).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
    // A joined thread may still hold its slot for an instant of its end.
    assert!(
        internals::slots_taken() <= before + 16,
        "{before} slots before"
    );
    check(&[]).unwrap();
}

#[test]
fn a_zeroed_gibibyte_stays_untouched() {
    let _alone = alone();
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    let before = resident();
    let zeroed = vec![0u8; 1 << 30];
    let block = internals::block_at(Address(zeroed.as_ptr() as u64)).unwrap();
    assert_eq!(block.size, 1 << 30);
    assert!(resident() < before + (64 << 20));
}

#[test]
fn huge_alignments_are_exact() {
    let _alone = alone();
    let mut known = Vec::new();
    for shift in 5..27 {
        let layout = Layout::from_size_align(10 << shift, 1 << shift).unwrap();
        // SAFETY: the size is not zero.
        let block = unsafe { std::alloc::alloc(layout) };
        assert!(block.addr().is_multiple_of(1 << shift));
        known.push((block as u64, layout));
    }
    check(&known).unwrap();
    known.into_iter().for_each(free);
    check(&[]).unwrap();
}

#[test]
fn the_destructors_of_thread_locals_allocate_exactly() {
    let _alone = alone();
    static GROWN: AtomicUsize = AtomicUsize::new(0);
    struct Late(Vec<u8>);
    impl Drop for Late {
        fn drop(&mut self) {
            grow(&mut self.0);
        }
    }
    fn grow(bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&[1; 5000]);
        let block = internals::block_at(Address(bytes.as_ptr() as u64)).unwrap();
        assert_eq!(block.size as usize, bytes.capacity());
        GROWN.fetch_add(1, Ordering::Relaxed);
    }
    thread_local!(static LATE: Late = Late(vec![1; 10]));
    /// A destructor of the C library's kind, which may run after the tracker's own.
    unsafe extern "C" fn last(bytes: *mut libc::c_void) {
        // SAFETY: the value set below, once.
        grow(&mut unsafe { *Box::from_raw(bytes.cast::<Vec<u8>>()) });
    }
    let mut key = 0;
    std::thread::spawn(move || {
        LATE.with(|late| std::hint::black_box(late.0.len()));
        let value = Box::into_raw(Box::new(vec![1u8; 10]));
        // SAFETY: the destructor fits the value.
        unsafe {
            libc::pthread_key_create(&mut key, Some(last));
            libc::pthread_setspecific(key, value.cast());
        }
    })
    .join()
    .unwrap();
    assert_eq!(GROWN.load(Ordering::Relaxed), 2);
    check(&[]).unwrap();
}

/// Filled before `main`, by the loader.
static EARLY: AtomicPtr<Vec<u8>> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn early() {
    let mut bytes = vec![1u8; 333];
    bytes.reserve_exact(1000);
    EARLY.store(Box::into_raw(Box::new(bytes)), Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".init_array")]
static RUN_EARLY: extern "C" fn() = early;

#[test]
fn an_allocation_before_main_is_tracked() {
    // SAFETY: stored before main, and never freed.
    let bytes = unsafe { &*EARLY.load(Ordering::Relaxed) };
    let block = internals::block_at(Address(bytes.as_ptr() as u64)).unwrap();
    assert_eq!(block.size, 1333);
    let site = internals::site(block.site).unwrap();
    assert!(!site.marks.broken && site.frames.len() > 3, "{site:?}");
    assert!(internals::present());
}
