//! SIGQUIT: the handler that a press of Ctrl-\ runs.
//!
//! It may run on any thread in any code, so it does three things alone: count, wake the agent, and, when nobody
//! acknowledges the presses, help the user out of a program that hangs: the second press writes a hint, the third does
//! what SIGQUIT did before sigheap came.
//!
//! Registered through signal-hook, so that whoever else listens to SIGQUIT through it goes on hearing it.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::{futex, process};

/// What SIGQUIT did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Killed the program with a core: the normal case.
    Default,
    /// Nothing: the parent had it ignored, as a shell does for a script's `&` and `nohup` for its child.
    Ignored,
    /// Called a handler of the program's own.
    Handled,
}

/// What SIGQUIT does now.
pub(crate) fn disposition() -> Before {
    // SAFETY: reads the disposition into plain data that is valid when zeroed.
    let action = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(libc::SIGQUIT, std::ptr::null(), &raw mut action);
        action.sa_sigaction
    };
    match action {
        libc::SIG_DFL => Before::Default,
        libc::SIG_IGN => Before::Ignored,
        _ => Before::Handled,
    }
}

/// Installs the handler. From then on [`wait`] sees the presses.
pub(crate) fn install() -> io::Result<()> {
    OWNER.store(process::pid(), Ordering::SeqCst);
    // SAFETY: `press` touches atomics, the futex and `write` alone: it is async-signal-safe.
    unsafe { signal_hook::low_level::register(libc::SIGQUIT, press)? };
    handle_on_alternate_stacks()
}

/// Sleeps until there are presses that nobody acknowledged, or for `limit`. True if there are.
pub(crate) fn wait(limit: Duration) -> bool {
    let seen = PRESSES.load(Ordering::SeqCst);
    if seen == SEEN.load(Ordering::SeqCst) {
        futex::wait(&PRESSES, seen, Some(limit));
    }
    PRESSES.load(Ordering::SeqCst) != SEEN.load(Ordering::SeqCst)
}

/// Acknowledges all presses so far.
pub(crate) fn acknowledge() {
    SEEN.store(PRESSES.load(Ordering::SeqCst), Ordering::SeqCst);
}

static PRESSES: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicU32 = AtomicU32::new(0);
/// The process that installed the handler. A child that the program forks has another id and no agent.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// When the last press came, in nanoseconds of the monotonic clock.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Presses that follow each other faster are the key's own repetition: holding it down must not kill a server.
const REPEAT_NS: u64 = 120_000_000;

fn press() {
    if OWNER.load(Ordering::SeqCst) != process::pid() {
        // A failure leaves the child as it is: alive, with the handler.
        let _ = signal_hook::low_level::emulate_default_handler(libc::SIGQUIT);
        return;
    }
    let now = process::now_ns();
    if now.saturating_sub(LAST.swap(now, Ordering::SeqCst)) < REPEAT_NS {
        return;
    }
    let presses = PRESSES.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    futex::wake(&PRESSES);
    match presses.wrapping_sub(SEEN.load(Ordering::SeqCst)) {
        0 | 1 => {}
        2 => process::write(
            2,
            b"\r\n[sigheap: not answering yet; once more ends the program]\r\n",
        ),
        _ => process::die_of_quit(),
    }
}

/// signal-hook installs without SA_ONSTACK; a program that switches stacks may have too little room where it stands.
fn handle_on_alternate_stacks() -> io::Result<()> {
    // SAFETY: reads the action that was just installed into plain data and installs it again with one flag more.
    let done = unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(libc::SIGQUIT, std::ptr::null(), &raw mut action);
        action.sa_flags |= libc::SA_ONSTACK;
        libc::sigaction(libc::SIGQUIT, &raw const action, std::ptr::null_mut())
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
