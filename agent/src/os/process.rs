//! This process as the kernel sees it: ids, clocks, signal masks, how it ends.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use super::groups;

use crate::heap::Malloc;

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

/// Gives the calling thread a descriptor table of its own that holds nothing of the program's: no clone made from it ever
/// holds a socket open, nor a pipe whose reader waits for its end. What standard input, output and error are is
/// [asked](Streams::borrow) when they are needed.
pub(crate) fn own_descriptors() -> io::Result<()> {
    // SAFETY: closes descriptors in a table that, by the flag, this thread no longer shares with anybody.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    if fetch_streams() {
        CAN_FETCH.store(true, Ordering::SeqCst);
        forget_streams();
    }
    Ok(())
}

/// Whether the agent's thread has a descriptor table of its own and may fetch descriptors from the program's. A kernel
/// older than 5.6 and the usual seccomp filter of containers forbid it: then the agent keeps the streams it began with.
static CAN_FETCH: AtomicBool = AtomicBool::new(false);

/// Copies the three streams from the program's table into this thread's own, as they are now. False where that is
/// forbidden; one that the program has closed is left as it was.
fn fetch_streams() -> bool {
    // SAFETY: system calls by numbers; what they give is this thread's own, and is closed once.
    unsafe {
        let program = above_streams(libc::syscall(libc::SYS_pidfd_open, pid(), 0) as i32);
        if program < 0 {
            return false;
        }
        let fetched = (0..=2).all(|stream| {
            let mut copy = libc::syscall(libc::SYS_pidfd_getfd, program, stream, 0) as i32;
            if copy < 0 {
                if io::Error::last_os_error().raw_os_error() != Some(libc::EBADF) {
                    return false;
                }
                copy = reopen(stream);
            }
            put(above_streams(copy), stream);
            true
        });
        libc::close(program);
        fetched
    }
}

/// Opens a stream anew by way of a thread of the program's that has it: what stands for the process is its main thread,
/// and where that has left (`pthread_exit`) it has no descriptors any more. Less than zero where the stream is closed, or
/// is a socket.
fn reopen(stream: i32) -> i32 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let numbers = threads
        .flatten()
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok());
    let other = numbers
        .into_iter()
        .find(|id: &u32| ![pid(), tid()].contains(id));
    let Some(path) =
        other.and_then(|id| CString::new(format!("/proc/self/task/{id}/fd/{stream}")).ok())
    else {
        return -1;
    };
    let ways = match stream {
        0 => [libc::O_RDWR, libc::O_RDONLY],
        // A log that is written anew from its beginning would be lost.
        _ => [
            libc::O_RDWR | libc::O_APPEND,
            libc::O_WRONLY | libc::O_APPEND,
        ],
    };
    let open = |how| {
        // SAFETY: the path ends with a zero.
        unsafe { libc::open(path.as_ptr(), how | libc::O_NOCTTY | libc::O_CLOEXEC) }
    };
    ways.into_iter()
        .map(open)
        .find(|opened| *opened >= 0)
        .unwrap_or(-1)
}

/// The same open file under a number that is none of a stream's: where one of those is free it is given out first, and
/// would be closed, or hidden, when the stream gets its own.
fn above_streams(descriptor: i32) -> i32 {
    if !(0..=2).contains(&descriptor) {
        return descriptor;
    }
    // SAFETY: the descriptor is this thread's own and is used under its new number alone.
    unsafe {
        let moved = libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3);
        libc::close(descriptor);
        moved
    }
}

/// Puts an open file, if it is one, in a stream's place, and closes its own number.
fn put(copy: i32, stream: i32) {
    if copy >= 0 {
        // SAFETY: both numbers are this thread's own.
        unsafe {
            libc::dup2(copy, stream);
            libc::close(copy);
        }
    }
}

/// Puts /dev/null in the place of the three streams. Where there is none they stay as they are: a number that is free
/// would be taken by the next file.
fn forget_streams() {
    // SAFETY: system calls on descriptors of a table that is this thread's alone.
    unsafe {
        let null = above_streams(libc::open(
            c"/dev/null".as_ptr(),
            libc::O_RDWR | libc::O_CLOEXEC,
        ));
        if null >= 0 {
            for stream in 0..=2 {
                libc::dup2(null, stream);
            }
            libc::close(null);
        }
    }
}

/// The program's standard input, output and error, in the agent's own table until dropped.
pub(crate) struct Streams(());

impl Streams {
    /// Fetches them as they are now. What the program has closed is /dev/null.
    pub(crate) fn borrow() -> Option<Streams> {
        let may = CAN_FETCH.load(Ordering::SeqCst);
        may.then(|| {
            fetch_streams();
            Streams(())
        })
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        forget_streams();
    }
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

/// What glibc's allocator says of itself, if this is glibc 2.33 or later and `malloc` is its own: a program may be linked or
/// preloaded with another. Takes locks of the allocator and the loader: never while threads are frozen.
pub(crate) fn allocator() -> Option<Malloc> {
    let found = symbol(c"mallinfo2")?;
    if module_of(found)? != module_of(symbol(c"malloc")?)? {
        return None;
    }
    // SAFETY: it is the function of that name, whose signature glibc documents; it fills plain data.
    unsafe {
        let mallinfo2: extern "C" fn() -> libc::mallinfo2 = std::mem::transmute(found.as_ptr());
        let info = mallinfo2();
        Some(Malloc {
            free: info.fordblks as u64,
            used: info.uordblks as u64,
            mapped: info.hblkhd as u64,
        })
    }
}

fn symbol(name: &CStr) -> Option<NonNull<libc::c_void>> {
    // SAFETY: the name ends with a zero; `dlsym` gives null or an address.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Where the object that holds this address is mapped.
fn module_of(address: NonNull<libc::c_void>) -> Option<u64> {
    let mut module = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` takes any address, and fills plain data that is valid when zeroed.
    let module = unsafe {
        let found = libc::dladdr(address.as_ptr(), module.as_mut_ptr());
        (found != 0).then(|| module.assume_init())
    };
    module.map(|module| module.dli_fbase as u64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Bytes of a block that glibc takes from an arena, and so many.
    const SMALL: usize = 16 << 10;
    const MANY: usize = 2000;

    /// Frees every other of many blocks, so that none can be given back, and keeps the rest for ever.
    fn fragment() {
        // SAFETY: each block is written at its beginning and freed at most once.
        let blocks: Vec<*mut u8> = (0..MANY)
            .map(|_| unsafe { libc::malloc(SMALL) }.cast())
            .collect();
        for pair in blocks.chunks(2) {
            // SAFETY: as above.
            unsafe {
                pair[1].write(1);
                libc::free(pair[0].cast());
            }
        }
    }

    /// The file behind a descriptor of the calling thread's table, or none.
    fn file(descriptor: i32) -> Option<(u64, u64)> {
        let mut file = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the kernel fills plain data.
        let file = unsafe {
            (libc::fstat(descriptor, file.as_mut_ptr()) == 0).then(|| file.assume_init())
        };
        file.map(|file| (file.st_dev, file.st_ino))
    }

    fn streams() -> [Option<(u64, u64)>; 3] {
        [0, 1, 2].map(file)
    }

    /// Runs `work` on a thread with a table of its own in which the first streams are closed, as in a program that was
    /// started with them closed.
    fn without(closed: std::ops::Range<i32>, work: fn()) {
        let alone = move || {
            own_descriptors().expect("a table of its own");
            // SAFETY: in this thread's own table.
            closed.for_each(|stream| _ = unsafe { libc::close(stream) });
            work();
        };
        thread::spawn(alone).join().expect("it does not panic");
    }

    /// What was opened got the number of a closed stream, and was closed as if it were a copy of it.
    #[test]
    fn streams_closed_at_the_start_are_nothing_and_stay_open() {
        for closed in [0..0, 0..1, 0..3, 1..3] {
            without(closed, || {
                forget_streams();
                let all = streams();
                assert!(all[0].is_some() && all == [all[0]; 3], "{all:?}");
            });
        }
    }

    #[test]
    fn the_programs_streams_are_fetched_whatever_is_closed_here() {
        static PROGRAMS: std::sync::OnceLock<[Option<(u64, u64)>; 3]> = std::sync::OnceLock::new();
        PROGRAMS.set(streams()).expect("set once");
        for closed in [0..0, 0..1, 0..3, 1..3] {
            without(closed, || {
                if fetch_streams() {
                    assert_eq!(Some(&streams()), PROGRAMS.get());
                    forget_streams();
                    for stream in 0..3 {
                        // A socket cannot be.
                        let opened = above_streams(reopen(stream));
                        if opened >= 0 {
                            put(opened, stream);
                            let programs = PROGRAMS.get().map(|all| all[stream as usize]);
                            assert_eq!(Some(file(stream)), programs, "opened anew");
                        }
                    }
                }
            });
        }
    }

    /// The margins are for the other tests of this process, which allocate meanwhile.
    #[test]
    fn the_allocator_tells_of_all_its_arenas_and_of_large_blocks_apart() {
        const HALF: u64 = (SMALL * MANY / 2) as u64;
        const LARGE: u64 = 256 << 20;
        let before = allocator().expect("glibc says so");
        // Threads of their own have arenas of their own.
        for _ in 0..3 {
            thread::spawn(fragment).join().expect("it does not panic");
        }
        let after = allocator().expect("glibc says so");
        // They used the same one after the other: what one freed, the next has taken, but for the last.
        assert!(after.free >= before.free + HALF / 2, "{before:?} {after:?}");
        assert!(after.used >= before.used + 2 * HALF, "{before:?} {after:?}");
        // SAFETY: freed below, never read.
        let large = unsafe { libc::malloc(LARGE as usize) };
        let mapped = allocator().expect("glibc says so");
        // SAFETY: it came from `malloc` just now.
        unsafe { libc::free(large) };
        assert!(
            mapped.mapped >= LARGE && mapped.free < after.free + LARGE / 2,
            "{mapped:?}"
        );
        let freed = allocator().expect("glibc says so");
        assert!(
            freed.mapped < mapped.mapped && freed.free < after.free + LARGE / 2,
            "{freed:?}"
        );
    }
}
