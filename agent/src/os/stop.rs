//! Stopping threads, the mechanism: a real-time signal whose handler notes the thread's registers and sleeps until it
//! is told to go on. The policy (whom, how often, how long) is the room `pause`.
//!
//! Why not ptrace or the cgroup freezer: both need rights that a server lacks, and leave the registers elsewhere. What
//! this way cannot stop is a thread that blocks the signal, or that sits in `vfork` or in an uninterruptible call.
//!
//! Orderings: a thread publishes its slot with a release store of the generation, and whoever counts it reads that with
//! acquire; `GO` is the one word all stopped threads sleep on.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use std::{io, ptr};

use super::map::Errno;
use super::{futex, process};
use crate::heap::{REGISTERS, Registers};

/// Threads that can be stopped at once. A slot is 168 bytes of untouched zeroes until it is used.
pub(crate) const MOST_THREADS: usize = 1 << 15;

/// Asks a thread to stop, noting it in `slot` under `generation` (which must be larger than in all stops before).
pub(crate) fn ask(tid: u32, slot: usize, generation: u32) -> Result<(), Refused> {
    let Some(entry) = SLOTS.get(slot) else {
        return Err(Refused::NoRoom);
    };
    if !is_installed() {
        return Err(Refused::HandlerGone);
    }
    entry.generation.store(0, Ordering::Relaxed);
    queue(tid, value(slot, generation)).map_err(|error| match error.raw_os_error() {
        Some(libc::ESRCH) => Refused::Gone,
        _ => Refused::QueueFull,
    })
}

/// Why a thread could not even be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has ended.
    Gone,
    /// The user's queue of pending signals is full (`ulimit -i`): worth another try.
    QueueFull,
    /// More threads than there are slots.
    NoRoom,
    /// The signal has another handler by now, or none, and then it would kill the program.
    HandlerGone,
}

/// Whether the signal still has our handler: a program may take it for itself after install.
pub(crate) fn is_installed() -> bool {
    // SAFETY: reads the action into plain data that is valid when zeroed.
    unsafe {
        let mut now: libc::sigaction = MaybeUninit::zeroed().assume_init();
        libc::sigaction(signal(), ptr::null(), &raw mut now) == 0
            && now.sa_sigaction == handler as *const () as usize
    }
}

/// Whether the thread of that slot has stopped in this generation.
pub(crate) fn stopped(slot: usize, generation: u32) -> bool {
    SLOTS
        .get(slot)
        .is_some_and(|entry| entry.generation.load(Ordering::Acquire) == generation)
}

/// The registers of the thread of that slot, where it stopped.
pub(crate) fn registers(slot: usize) -> Registers {
    let read = |register: &AtomicU64| register.load(Ordering::Relaxed);
    SLOTS.get(slot).map_or(Registers::default(), |entry| {
        let general = entry.general.each_ref().map(read);
        Registers {
            ip: read(&entry.ip),
            sp: general[libc::REG_RSP as usize],
            bp: general[libc::REG_RBP as usize],
            ax: general[libc::REG_RAX as usize],
            general,
            base: read(&entry.base),
            vectors: read(&entry.vectors),
        }
    })
}

/// The addresses of the slots: what they hold, the program does not.
pub(crate) fn range() -> Range<u64> {
    let start = SLOTS.as_ptr() as u64;
    start..start + size_of_val(&SLOTS) as u64
}

/// The signals that the thread of that slot blocked where it stopped, a bit each. Asked of `/proc` now, it would be all,
/// as in every handler of the stop signal.
pub(crate) fn mask(slot: usize) -> u64 {
    SLOTS
        .get(slot)
        .map_or(0, |entry| entry.mask.load(Ordering::Relaxed))
}

/// Sleeps until another thread has stopped since `seen` (from [`stops`]), or for `limit`.
pub(crate) fn wait_for_more(seen: u32, limit: Duration) {
    futex::wait(&STOPS, seen, Some(limit));
}

/// How often threads have stopped, ever; it wraps.
pub(crate) fn stops() -> u32 {
    STOPS.load(Ordering::SeqCst)
}

/// Lets all threads that were stopped in this generation, or before, go on; those that the signal reaches later ignore it.
pub(crate) fn go(generation: u32) {
    GO.store(generation, Ordering::SeqCst);
    futex::wake(&GO);
}

/// Installs the handler. `defer` is asked, in the handler, whether this thread must not stop here; if it says yes, it
/// has noted that [`stop_deferred`] must be called once the thread may stop.
pub(crate) fn install(defer: fn() -> bool) -> io::Result<()> {
    DEFER.get_or_init(|| defer);
    // SAFETY: the action is plain data, valid when zeroed; the handler has the signature that SA_SIGINFO asks for.
    unsafe {
        let mut before: libc::sigaction = MaybeUninit::zeroed().assume_init();
        if libc::sigaction(signal(), ptr::null(), &raw mut before) == 0
            && before.sa_sigaction != libc::SIG_DFL
            && before.sa_sigaction != handler as *const () as usize
        {
            return Err(io::Error::other(format!(
                "signal {} has another handler",
                signal()
            )));
        }
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigfillset(&raw mut action.sa_mask);
        if libc::sigaction(signal(), &raw const action, ptr::null_mut()) == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// Stops this thread now, as it was asked to when it could not.
pub(crate) fn stop_deferred() {
    let asked = DEFERRED.replace(0);
    if asked == 0 {
        return;
    }
    let _errno = Errno::save();
    if !is_installed() || queue(process::tid(), asked).is_err() {
        stand_here(asked);
    }
}

/// There is no room in the queue of signals: the thread stands here as it would in the handler, deaf to all signals, and
/// where that is nobody knows.
#[cold]
fn stand_here(asked: u64) {
    let before = process::mask(libc::SIG_SETMASK, &process::all_but(&[]));
    let here = 0u64;
    let mut registers = Registers {
        base: base(),
        ..Registers::default()
    };
    // What this function's callers keep in registers is on the stack above.
    registers.general[libc::REG_RSP as usize] = &raw const here as u64;
    stand(asked, registers, first_word(&before));
    process::mask(libc::SIG_SETMASK, &before);
}

/// The kernel's own mask, a bit for each signal it knows: the rest of glibc's is room for more.
fn first_word(set: &libc::sigset_t) -> u64 {
    // SAFETY: the set is plain data of more than eight bytes, at least as aligned.
    unsafe { ptr::from_ref(set).cast::<u64>().read() }
}

/// The signal that stops threads: real-time, so that it queues with its value, and away from the first few, which
/// programs take for themselves.
pub(crate) fn signal() -> i32 {
    libc::SIGRTMIN() + 6
}

struct Slot {
    generation: AtomicU32,
    ip: AtomicU64,
    general: [AtomicU64; REGISTERS.len()],
    base: AtomicU64,
    vectors: AtomicU64,
    mask: AtomicU64,
}

static SLOTS: [Slot; MOST_THREADS] = [const {
    Slot {
        generation: AtomicU32::new(0),
        ip: AtomicU64::new(0),
        general: [const { AtomicU64::new(0) }; REGISTERS.len()],
        base: AtomicU64::new(0),
        vectors: AtomicU64::new(0),
        mask: AtomicU64::new(0),
    }
}; MOST_THREADS];
static STOPS: AtomicU32 = AtomicU32::new(0);
static GO: AtomicU32 = AtomicU32::new(0);
static DEFER: OnceLock<fn() -> bool> = OnceLock::new();

thread_local! {
    /// The value of the signal that came while the thread could not stop.
    static DEFERRED: Cell<u64> = const { Cell::new(0) };
}

/// Runs in whatever code the thread was in: touches atomics, const thread-locals and the futex alone, keeps errno.
extern "C" fn handler(_: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: errno is this thread's own.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: with SA_SIGINFO the kernel passes both, valid for the handler's time.
    let (asked, registers, mask) = unsafe {
        if (*info).si_code != libc::SI_QUEUE || (*info).si_pid() as u32 != process::pid() {
            return; // Not from the agent.
        }
        let context = context.cast::<libc::ucontext_t>();
        let machine = &(*context).uc_mcontext;
        let register = |number: usize| machine.gregs[number].cast_unsigned();
        let vectors = match machine.fpregs.is_null() {
            true => 0,
            false => &raw const (*machine.fpregs)._xmm as u64,
        };
        let registers = Registers {
            ip: register(libc::REG_RIP as usize),
            general: std::array::from_fn(register),
            base: base(),
            vectors,
            ..Registers::default()
        };
        let mask = first_word(&(*context).uc_sigmask);
        ((*info).si_value().sival_ptr as u64, registers, mask)
    };
    stand(asked, registers, mask);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

fn stand(asked: u64, registers: Registers, mask: u64) {
    let (slot, generation) = (asked as usize & (MOST_THREADS - 1), (asked >> 32) as u32);
    if GO.load(Ordering::SeqCst) >= generation {
        return; // From a pause that is over.
    }
    if DEFER.get().is_some_and(|defer| defer()) {
        DEFERRED.set(asked);
        return;
    }
    let entry = &SLOTS[slot];
    entry.ip.store(registers.ip, Ordering::Relaxed);
    for (place, register) in entry.general.iter().zip(registers.general) {
        place.store(register, Ordering::Relaxed);
    }
    entry.base.store(registers.base, Ordering::Relaxed);
    entry.vectors.store(registers.vectors, Ordering::Relaxed);
    entry.mask.store(mask, Ordering::Relaxed);
    entry.generation.store(generation, Ordering::Release);
    STOPS.fetch_add(1, Ordering::SeqCst);
    futex::wake(&STOPS);
    loop {
        let go = GO.load(Ordering::SeqCst);
        if go >= generation {
            return;
        }
        futex::wait(&GO, go, None);
    }
}

/// Where the calling thread's control block is, which begins with its own address.
pub(crate) fn base() -> u64 {
    let base;
    // SAFETY: reads the first word of the block that glibc gives every thread, at offset 0 of `fs`, and touches nothing else.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) base, options(nostack, preserves_flags, readonly));
    }
    base
}

fn value(slot: usize, generation: u32) -> u64 {
    u64::from(generation) << 32 | slot as u64
}

/// Sends the stop signal with a value to a thread of this process. The kernel's record is built by hand: libc has no
/// way to make one.
fn queue(tid: u32, value: u64) -> io::Result<()> {
    #[repr(C)]
    struct Info {
        signal: i32,
        errno: i32,
        code: i32,
        pad: i32,
        pid: i32,
        uid: u32,
        value: u64,
        rest: [u64; 12],
    }
    // SAFETY: takes nothing, cannot fail.
    let uid = unsafe { libc::getuid() };
    let pid = process::pid() as i32;
    let info = Info {
        signal: signal(),
        errno: 0,
        code: libc::SI_QUEUE,
        pad: 0,
        pid,
        uid,
        value,
        rest: [0; 12],
    };
    // SAFETY: the record has the kernel's layout and size (128 bytes) and is read during the call alone.
    let sent = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            pid,
            tid,
            signal(),
            &raw const info,
        )
    };
    if sent == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
