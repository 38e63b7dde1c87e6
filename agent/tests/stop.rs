//! A thread interrupted anywhere in `realloc`: where it does not defer the stop, its block is seen exactly once.
#![cfg(sigheap_supported)]
#![expect(
    unsafe_code,
    reason = "signals are what is tested, and a test ends where it is wrong"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sigheap::Heap;
use sigheap::internals;

#[global_allocator]
static HEAP: Heap = Heap::system();

/// Times that the thread is stopped, at least.
const STOPS: u64 = 1000;

/// The birth of the one block that moves.
const BIRTH: u32 = 777;

static SEEN_ONCE: AtomicU64 = AtomicU64::new(0);
static SEEN_OTHERWISE: AtomicU64 = AtomicU64::new(0);
static DEFERRED: AtomicU64 = AtomicU64::new(0);
static MOVES: AtomicU64 = AtomicU64::new(0);
static RAISED_AGAIN: AtomicU64 = AtomicU64::new(0);
/// Stops put off where the block would have been seen otherwise.
static TORN: AtomicU64 = AtomicU64::new(0);

/// Whether the block is seen once, in the tables as the clone would find them.
fn is_seen_once() -> bool {
    let mut seen = 0;
    internals::for_each_block(|block| seen += u32::from(block.birth.0 == BIRTH));
    seen == 1
}

fn look() {
    let counter = if is_seen_once() {
        &SEEN_ONCE
    } else {
        &SEEN_OTHERWISE
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn on_stop(_: libc::c_int) {
    // SAFETY: this thread's own variable, put back as it was.
    let errno = unsafe { *libc::__errno_location() };
    if internals::defer_stop() {
        DEFERRED.fetch_add(1, Ordering::Relaxed);
        // The negative control: what a stop that is not put off would find.
        TORN.fetch_add(u64::from(!is_seen_once()), Ordering::Relaxed);
    } else {
        look();
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Moves a block until told to end.
fn keep_moving(end: &AtomicBool) {
    internals::set_epoch(BIRTH);
    let mut block: Vec<u8> = Vec::with_capacity(1000);
    internals::set_epoch(1);
    while !end.load(Ordering::Relaxed) {
        let moves = MOVES.fetch_add(1, Ordering::Relaxed);
        block.reserve_exact(1 + (moves * 7919 % 100_003) as usize);
        block.shrink_to(1 + (moves % 1000) as usize);
    }
}

#[test]
fn a_thread_stopped_anywhere_shows_its_block_once() {
    internals::set_stop_hook(|| {
        RAISED_AGAIN.fetch_add(1, Ordering::Relaxed);
        look();
    });
    // SAFETY: the handler has the demanded signature, and does only what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_stop as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut());
    }
    static END: AtomicBool = AtomicBool::new(false);
    let mover = std::thread::spawn(|| keep_moving(&END));
    let thread = std::os::unix::thread::JoinHandleExt::as_pthread_t(&mover);
    for signal in 0.. {
        if signal >= STOPS && TORN.load(Ordering::Relaxed) > 0 {
            break;
        }
        assert!(signal < 100 * STOPS, "no section was ever found torn");
        // Not before the thread went on: it would be interrupted where it was.
        let next = MOVES.load(Ordering::Relaxed) + 2 + signal % 5;
        while MOVES.load(Ordering::Relaxed) < next {
            std::thread::yield_now();
        }
        // SAFETY: the thread lives until it is told to end below.
        unsafe { libc::pthread_kill(thread, libc::SIGUSR2) };
    }
    END.store(true, Ordering::Relaxed);
    mover.join().unwrap();
    let counts = [&SEEN_ONCE, &SEEN_OTHERWISE, &DEFERRED, &RAISED_AGAIN, &TORN];
    let [once, otherwise, deferred, raised, torn] =
        counts.map(|count| count.load(Ordering::Relaxed));
    println!("once {once}, otherwise {otherwise}, deferred {deferred}, raised again {raised}");
    println!("{torn} of those deferred would have seen it otherwise");
    assert_eq!(otherwise, 0);
    assert!(once >= STOPS / 2 && deferred > 0 && raised == deferred);
}
