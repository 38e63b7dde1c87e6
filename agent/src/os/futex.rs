//! Waiting for a word to change: the one way of the agent to sleep and to be woken. No descriptor that the program
//! could close, nothing to allocate, and `wake` may be called in a signal handler.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` holds `seen`, until a [`wake`], a signal, or the end of `limit`.
pub(crate) fn wait(word: &AtomicU32, seen: u32, limit: Option<Duration>) {
    let limit = limit.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the word outlives the call, and the kernel reads `limit` (null means for ever) during the call alone.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), WAIT, seen, limit) };
}

/// Wakes all who wait for `word`.
pub(crate) fn wake(word: &AtomicU32) {
    // SAFETY: the word outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), WAKE, i32::MAX) };
}

const WAIT: i32 = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
const WAKE: i32 = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;

pub(super) fn timespec(span: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(span.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}
