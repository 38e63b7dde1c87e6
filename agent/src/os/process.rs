//! This process as the kernel sees it: ids, clocks, signal masks, how it ends.

use std::io;
use std::mem::MaybeUninit;

use super::groups;

/// The id of this process. Asks the kernel: a clone made behind glibc's back must not see its parent's.
pub(crate) fn pid() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::syscall(libc::SYS_getpid) as u32 }
}

/// The kernel's id of this thread, asked for the same reason.
pub(crate) fn tid() -> u32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as u32 }
}

/// The monotonic clock, in nanoseconds. Never zero.
pub(crate) fn now_ns() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel fills the timespec, which is plain data and valid when zeroed.
    let time = unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr());
        time.assume_init()
    };
    (time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64).max(1)
}

/// Ends the process at once, running nothing more of it.
pub(crate) fn end(code: u8) -> ! {
    // SAFETY: ends the process; nothing follows.
    unsafe { libc::_exit(code.into()) }
}

/// Dies of a signal as if no handler had ever been there, with a core where it makes one and the limits allow it. Where
/// the signal cannot kill (pid 1 of a container), ends with the status a shell would report.
pub(crate) fn die_of(signal: i32) -> ! {
    raise_default(signal);
    // SAFETY: plain system calls on plain data; the action's zeroed form is SIG_DFL with no flags and an empty mask.
    unsafe {
        // Still here: as pid 1 the kernel drops signals under their default action. It does not drop a fault.
        let default: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(libc::SIGILL, &raw const default, std::ptr::null_mut());
        mask(libc::SIG_UNBLOCK, &set_of(&[libc::SIGILL]));
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("ud2");
        libc::_exit(128 + signal)
    }
}

/// Dies of SIGQUIT, with a core where the limits allow one.
pub(crate) fn abort() -> ! {
    die_of(libc::SIGQUIT)
}

/// Takes a signal as if no handler had ever been there. Returns where the default does not end the process: as pid 1.
pub(crate) fn raise_default(signal: i32) {
    // SAFETY: as in `die_of`.
    unsafe {
        let default: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(signal, &raw const default, std::ptr::null_mut());
        mask(libc::SIG_UNBLOCK, &set_of(&[signal]));
        libc::syscall(libc::SYS_tgkill, pid(), tid(), signal);
    }
}

/// Whether the program was started with more rights than its user has: setuid, setgid, file capabilities. Then neither
/// the environment is to be believed nor that user.
pub(crate) fn is_privileged() -> bool {
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Makes this thread deaf to all signals but the faults and some, for the agent's threads: the program's signals must
/// find the program's threads.
pub(crate) struct Deaf {
    before: libc::sigset_t,
}

impl Deaf {
    /// Blocks all but the faults and `but` until the guard is dropped. Threads spawned meanwhile inherit the deafness.
    pub(crate) fn to_all(but: &[i32]) -> Self {
        let faults = [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGABRT,
            libc::SIGTRAP,
        ];
        Deaf {
            before: mask(libc::SIG_SETMASK, &all_but(&[&faults[..], but].concat())),
        }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        mask(libc::SIG_SETMASK, &self.before);
    }
}

/// The signals that the program's main thread blocks, a bit each. In the handler of the stop signal it blocks all.
pub(crate) fn mask_of_the_main_thread() -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/self/task/{}/status", pid())).ok()?;
    let blocked = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:"))?;
    u64::from_str_radix(blocked.trim(), 16).ok()
}

/// Makes this thread block these signals and no others.
pub(crate) fn block_only(blocked: u64) {
    // SAFETY: the kernel reads a mask of eight bytes.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const blocked,
            std::ptr::null_mut::<u64>(),
            size_of::<u64>(),
        )
    };
}

/// The first of the signals that ask the program to end and that wait because all its threads are stopped.
pub(crate) fn pending_end() -> Option<&'static str> {
    let mut set = set_of(&[]);
    // SAFETY: the kernel fills the set.
    if unsafe { libc::sigpending(&raw mut set) } != 0 {
        return None;
    }
    // SAFETY: reads a valid set.
    let pending = |signal| unsafe { libc::sigismember(&raw const set, signal) == 1 };
    [
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
    ]
    .into_iter()
    .find_map(|(signal, name)| pending(signal).then_some(name))
}

/// Bytes that could be had without swapping and within the limits of this process's control groups, as the kernel
/// estimates it.
pub(crate) fn available_memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let text = read("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let machine = kib.map_or(UNKNOWN_MEMORY, |kib| kib * 1024);
    groups::available(&read).map_or(machine, |group| machine.min(group))
}

/// What is taken for available where the kernel does not say, in bytes.
const UNKNOWN_MEMORY: u64 = 1 << 30;

/// A number that differs from process to process, without asking the kernel: from the random bytes that it gave the
/// program at its start.
pub(crate) fn seed() -> u64 {
    if cfg!(miri) {
        return 0;
    }
    // SAFETY: reads the auxiliary vector; the pointer in it is null or that of 16 bytes that stay.
    unsafe {
        let bytes = libc::getauxval(libc::AT_RANDOM) as *const [u8; 8];
        bytes.as_ref().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
    }
}

/// Writes all of it, or as much as goes. Takes no lock, so it may be called in a signal handler and in the clone.
pub(crate) fn write(descriptor: i32, mut text: &[u8]) {
    while !text.is_empty() {
        // SAFETY: the slice is valid for its length.
        let written = unsafe { libc::write(descriptor, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(0) => return,
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

pub(super) fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `sigemptyset` initialises the set before anything reads it; numbers out of range are refused.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

pub(super) fn all_but(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: as in `set_of`.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for signal in signals {
            libc::sigdelset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

pub(super) fn mask(how: i32, set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both sets are valid; the call writes `before`, which is plain data and valid when zeroed.
    unsafe {
        libc::pthread_sigmask(how, set, before.as_mut_ptr());
        before.assume_init()
    }
}
