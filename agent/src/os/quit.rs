//! The signal that opens the heap: the handler that a press of Ctrl-\ runs.
//!
//! It may run on any thread in any code, so it does few things: count, wake the agent, call the handler that was there
//! before (if the program asked for that), and, when nobody acknowledges the presses, help the user out of a program
//! that hangs: the second press writes a hint, the third does what the signal did before sigheap came.
//!
//! Why it is installed by hand and not through a registry of handlers: in a forked child of the program it must tell
//! whether anybody else has come since. As the bare handler of the process it knows: if the kernel still names it, nobody
//! has, and the child dies as it would have; if not, another handler has called it in passing and takes care itself.
//! Registries (signal-hook's, and so tokio's) do call the handler they found.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::map::Errno;
use super::{futex, process, stop};

/// What the signal did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Killed the program: the normal case.
    Default,
    /// Nothing: the parent had it ignored, as a shell does for a script's `&` and `nohup` for its child.
    Ignored,
    /// Called a handler of the program's own.
    Handled,
}

/// What a signal does now.
pub(crate) fn disposition(signal: i32) -> Before {
    match action(signal).sa_sigaction {
        libc::SIG_DFL => Before::Default,
        libc::SIG_IGN => Before::Ignored,
        _ => Before::Handled,
    }
}

/// Installs the handler. From then on [`wait`] sees the presses. A handler that is there already is called after it.
pub(crate) fn install(signal: i32) -> io::Result<()> {
    let before = action(signal);
    EARLIER.set(before);
    SIGNAL.store(signal, Ordering::SeqCst);
    OWNER.store(process::pid(), Ordering::SeqCst);
    // SAFETY: the action is plain data, valid when zeroed. `press` has the signature that SA_SIGINFO asks for, and is
    // async-signal-safe as long as the handler it calls is, which the kernel called before.
    unsafe {
        let mut ours: libc::sigaction = MaybeUninit::zeroed().assume_init();
        ours.sa_sigaction = press as *const () as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        if is_function(&before) {
            // It goes on with what it had: blocked signals, stack, interrupted calls.
            let kept = libc::SA_RESTART | libc::SA_ONSTACK | libc::SA_NODEFER;
            ours.sa_flags = libc::SA_SIGINFO | before.sa_flags & kept;
            ours.sa_mask = before.sa_mask;
        }
        if libc::sigaction(signal, &raw const ours, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The signal that opens the heap.
pub(crate) fn signal() -> i32 {
    SIGNAL.load(Ordering::SeqCst)
}

/// These blocked signals, a bit each, without the two that are the agent's: the handler that woke it may not have returned
/// yet, and whoever is given this mask must be one that can be stopped.
pub(crate) fn without_ours(blocked: u64) -> u64 {
    [signal(), stop::signal()]
        .into_iter()
        .fold(blocked, |mask, ours| mask & !(1 << (ours - 1)))
}

/// Whether the terminal sends it, to every program in its foreground.
pub(crate) fn is_of_the_terminal() -> bool {
    signal() == libc::SIGQUIT
}

/// Whether this process installed the handler: a child that it forked did not.
pub(crate) fn is_installed_here() -> bool {
    OWNER.load(Ordering::SeqCst) == process::pid()
}

/// Whether somebody has put something else in the handler's place.
pub(crate) fn is_replaced() -> bool {
    !is_ours(&action(signal()))
}

/// Sleeps until there are presses that nobody answered, or for `limit`. True if there are.
pub(crate) fn wait(limit: Duration) -> bool {
    if !is_pressed() {
        futex::wait(&PRESSES, ANSWERED.load(Ordering::SeqCst), Some(limit));
    }
    is_pressed()
}

/// Whether there are presses that nobody answered.
pub(crate) fn is_pressed() -> bool {
    presses() != ANSWERED.load(Ordering::SeqCst)
}

/// Presses so far; the number wraps.
pub(crate) fn presses() -> u32 {
    PRESSES.load(Ordering::SeqCst)
}

/// Has [`wait`] return early, if it sleeps already.
pub(crate) fn nudge() {
    futex::wake(&PRESSES);
}

/// Acknowledges all presses so far: the agent lives, they need not end the program. Those that are not
/// [answered](answer) yet will be.
pub(crate) fn acknowledge() {
    SEEN.store(presses(), Ordering::SeqCst);
}

/// Says that a look has answered the first so many presses.
pub(crate) fn answer(presses: u32) {
    ANSWERED.store(presses, Ordering::SeqCst);
}

/// From now on this thread is the agent's. It has a descriptor table of its own, so the program's handler must not run
/// on it: it would write to somebody else's file. What comes here is [owed](take_owed) to the program.
pub(crate) fn this_thread_is_the_agent() {
    AGENT.store(process::tid(), Ordering::SeqCst);
}

/// Whether a signal came to the agent's thread of which the program's own handler does not know yet; asked once.
pub(crate) fn take_owed() -> bool {
    OWED.swap(false, Ordering::SeqCst)
}

/// Has the program's own handler run on this thread, as if the signal had come here. It is no press.
pub(crate) fn pass_on() {
    let signal = signal();
    PASSING.store(process::tid(), Ordering::SeqCst);
    let before = process::mask(libc::SIG_UNBLOCK, &process::set_of(&[signal]));
    // SAFETY: sends a signal to this thread, which has a handler for it.
    unsafe { libc::syscall(libc::SYS_tgkill, process::pid(), process::tid(), signal) };
    process::mask(libc::SIG_SETMASK, &before);
    PASSING.store(0, Ordering::SeqCst);
}

static PRESSES: AtomicU32 = AtomicU32::new(0);
/// Of those, how many are acknowledged, and how many answered.
static SEEN: AtomicU32 = AtomicU32::new(0);
static ANSWERED: AtomicU32 = AtomicU32::new(0);
/// The process that installed the handler. A child that the program forks has another id and no agent.
static OWNER: AtomicU32 = AtomicU32::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(libc::SIGQUIT);
/// The agent's thread, and the one that passes a signal on; zero for none.
static AGENT: AtomicU32 = AtomicU32::new(0);
static PASSING: AtomicU32 = AtomicU32::new(0);
static OWED: AtomicBool = AtomicBool::new(false);

/// When the last press came, in nanoseconds of the monotonic clock.
static LAST: AtomicU64 = AtomicU64::new(0);
/// Presses that follow each other faster are the key's own repetition: holding it down must not kill a server.
const REPEAT_NS: u64 = 120_000_000;

/// What the signal did before.
static EARLIER: Earlier = Earlier {
    action: UnsafeCell::new(MaybeUninit::zeroed()),
    spent: AtomicBool::new(false),
};

struct Earlier {
    action: UnsafeCell<MaybeUninit<libc::sigaction>>,
    /// Whether a handler that was to run once (SA_RESETHAND) has run.
    spent: AtomicBool,
}

// SAFETY: `action` is written once, by the one thread that installs, before the handler that reads it is installed.
unsafe impl Sync for Earlier {}

impl Earlier {
    fn set(&self, action: libc::sigaction) {
        // SAFETY: as said above, nobody reads it yet.
        unsafe { (*self.action.get()).write(action) };
    }

    fn get(&self) -> &libc::sigaction {
        // SAFETY: initialised from the beginning, since zeros are the default action; not written any more.
        unsafe { (*self.action.get()).assume_init_ref() }
    }

    /// Calls it as the kernel would have. False if it is no function.
    fn call(&self, signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) -> bool {
        let action = self.get();
        let spent = || self.spent.swap(true, Ordering::SeqCst);
        if !is_function(action) || action.sa_flags & libc::SA_RESETHAND != 0 && spent() {
            return false;
        }
        // SAFETY: the kernel took the address for a function of the signature that the flags say, and so it was called.
        unsafe {
            if action.sa_flags & libc::SA_SIGINFO != 0 {
                let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void) =
                    std::mem::transmute(action.sa_sigaction);
                handler(signal, info, context);
            } else {
                let handler: extern "C" fn(i32) = std::mem::transmute(action.sa_sigaction);
                handler(signal);
            }
        }
        true
    }
}

/// The handler.
extern "C" fn press(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let _errno = Errno::save();
    if !is_installed_here() {
        return in_a_child(signal, info, context);
    }
    let me = process::tid();
    if PASSING.load(Ordering::SeqCst) != me {
        count(signal);
    }
    if AGENT.load(Ordering::SeqCst) == me {
        OWED.store(is_function(EARLIER.get()), Ordering::SeqCst);
    } else {
        EARLIER.call(signal, info, context);
    }
}

/// In a child that the program forked the signal does what it did before the agent was installed.
fn in_a_child(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // Where another handler stands in front, that one has called us in passing, and the default is not asked for.
    if !EARLIER.call(signal, info, context) && !is_replaced() {
        process::raise_default(signal);
    }
}

fn count(signal: i32) {
    let now = process::now_ns();
    if now.saturating_sub(LAST.swap(now, Ordering::SeqCst)) < REPEAT_NS {
        return;
    }
    let presses = PRESSES.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
    futex::wake(&PRESSES);
    match unanswered(presses, SEEN.load(Ordering::SeqCst)) {
        ..=1 => {}
        2 => process::write(
            2,
            b"\r\n[sigheap: not answering yet; once more ends the program]\r\n",
        ),
        _ => process::die_of(signal),
    }
}

/// How many presses nobody has acknowledged, as far as the one with this number knows. Less than one if later ones are
/// acknowledged by now: the agent it woke may have stopped it right here, for a whole look.
fn unanswered(press: u32, seen: u32) -> i32 {
    press.wrapping_sub(seen).cast_signed()
}

fn is_function(action: &libc::sigaction) -> bool {
    !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == press as *const () as usize
}

fn action(signal: i32) -> libc::sigaction {
    // SAFETY: reads the action into plain data that is valid when zeroed; for a number that is no signal it stays so.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command's threads went on while the rest stood still, where the main thread blocked every signal.
    #[test]
    fn whoever_blocks_all_can_be_stopped() {
        let mask = without_ours(u64::MAX);
        assert_eq!(mask.count_zeros(), 2);
        assert_eq!(mask >> (stop::signal() - 1) & 1, 0);
    }

    /// It died of a press that was answered while its handler stood still.
    #[test]
    fn a_press_that_was_answered_meanwhile_ends_nothing() {
        assert_eq!(unanswered(3, 0), 3);
        assert_eq!(unanswered(1, 2), -1);
        assert_eq!(unanswered(1, u32::MAX), 2);
    }
}
