//! The clone's own life: how the copy of the process becomes a process apart, and how both sides speak.
//!
//! The copy wakes up with the program's signal handlers, group, terminal and limits. [`settle`] gives it its own: the
//! keys of the terminal are then the copy's affair (Ctrl-C must not kill the program at `continue`), it dies with the
//! program and before it when memory is short, and nothing of the program's runs in it.

use std::cell::UnsafeCell;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use super::clone::Child;
use super::process;
use super::terminal::{self, Settings, Terminal};

/// Makes the copy a process apart. With a terminal it takes the foreground and the keys; without, it only writes.
/// Called first thing in the copy.
pub(crate) fn settle(program: u32, terminal: Option<(&Terminal, &Settings)>) {
    IN_CLONE.store(true, Ordering::SeqCst);
    reset_signals();
    step_aside();
    if let Some((terminal, settings)) = terminal {
        take(terminal, settings);
    }
    die_with(program, terminal.is_some());
    process::mask(libc::SIG_SETMASK, &process::set_of(&[]));
}

/// Whether this process is the copy.
pub(crate) fn in_clone() -> bool {
    IN_CLONE.load(Ordering::SeqCst)
}

static IN_CLONE: AtomicBool = AtomicBool::new(false);

/// Ends the copy, the terminal as it was. Nothing of the program's runs: no destructor, no exit handler.
pub(crate) fn leave(code: u8) -> ! {
    // No tick may come between here and the end.
    stop_timer();
    process::end(code)
}

fn stop_timer() {
    // SAFETY: with all fields zero the timer is switched off.
    unsafe {
        libc::syscall(
            libc::SYS_setitimer,
            libc::ITIMER_REAL,
            &raw const NO_TIMER,
            ptr::null::<u8>(),
        )
    };
}

/// Has an abort for want of memory end the copy with this code: a signal would not say why. `ran_out` says whether there was
/// a want.
pub(crate) fn tell_want_of_memory(code: u8, ran_out: fn() -> bool) {
    // Known before the handler is.
    WANT.get_or_init(|| (code, ran_out));
    set_handler(libc::SIGABRT, aborted as *const () as usize);
}

static WANT: OnceLock<(u8, fn() -> bool)> = OnceLock::new();

/// Whoever aborts otherwise dies of it: `abort` raises the signal again, under its default action, when this returns.
extern "C" fn aborted(_: i32) {
    if let Some((code, ran_out)) = WANT.get()
        && ran_out()
    {
        process::end(*code)
    }
}

/// Waits to be ended: what this copy has seen is told, the program runs, and another copy will take over. Until then this
/// one gives the terminal back should the program end.
pub(crate) fn stand_by() -> ! {
    stop_timer();
    loop {
        // SAFETY: sleeps until a signal.
        unsafe { libc::pause() };
    }
}

/// From the copy to the program: messages of a kind byte and some content, each arriving whole or not at all.
#[derive(Debug)]
pub(crate) struct Channel {
    read: i32,
    write: i32,
}

/// The longest content of a message, in bytes.
pub(crate) const LONGEST: usize = 4096;

impl Channel {
    /// Opened before the copy is made, so that both have it.
    pub(crate) fn open() -> io::Result<Self> {
        let mut ends = [-1; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: the kernel writes two descriptors.
        if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Channel {
            read: ends[0],
            write: ends[1],
        })
    }

    /// Says something to the program. False if the content is longer than [`LONGEST`], or more waits to be read than
    /// the kernel keeps: then nothing was said.
    #[must_use]
    pub(crate) fn send(&self, kind: u8, content: &[u8]) -> bool {
        if content.len() > LONGEST {
            return false;
        }
        let mut message = [0; 1 + LONGEST];
        message[0] = kind;
        message[1..=content.len()].copy_from_slice(content);
        let length = 1 + content.len();
        // SAFETY: the buffer holds that many bytes.
        let sent = unsafe {
            libc::send(
                self.write,
                message.as_ptr().cast(),
                length,
                libc::MSG_NOSIGNAL,
            )
        };
        sent == length as isize
    }

    /// What the copy has said and nobody has read yet. The content is the reader's to check.
    pub(crate) fn receive(&self) -> Option<(u8, Vec<u8>)> {
        let mut message = [0u8; 1 + LONGEST];
        // SAFETY: at most as many bytes are written as the buffer holds; the kernel keeps messages apart.
        let read = unsafe { libc::recv(self.read, message.as_mut_ptr().cast(), message.len(), 0) };
        let (kind, content) = message.get(..usize::try_from(read).ok()?)?.split_first()?;
        Some((*kind, content.to_vec()))
    }

    /// Sleeps until the copy says something or ends, a signal comes, or the limit is over.
    pub(crate) fn wait(&self, child: &Child, limit: Duration) {
        let poll = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut both = [poll(self.read), poll(child.descriptor)];
        let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the array lives through the call.
        unsafe { libc::poll(both.as_mut_ptr(), both.len() as libc::nfds_t, limit) };
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: both descriptors are this value's own.
        unsafe {
            libc::close(self.read);
            libc::close(self.write);
        }
    }
}

/// Every handler is the program's, and would run its code: back to the defaults. What the terminal sends to a
/// background process is ignored until there is a [`tick`] to deal with it.
fn reset_signals() {
    // The kernel's own action record, four words: handler, flags, restorer, mask. Zero is SIG_DFL. glibc's `sigaction`
    // refuses its two internal signals, so this goes around it.
    const DEFAULT: [usize; 4] = [0; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads four words; it refuses SIGKILL and SIGSTOP.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                ptr::null_mut::<usize>(),
                8,
            );
        }
    }
    for signal in [
        libc::SIGINT,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
        libc::SIGPIPE,
    ] {
        set_handler(signal, libc::SIG_IGN);
    }
}

/// Its own process group, no core, first to go when memory is short.
fn step_aside() {
    // A limit of one byte, not zero: it also keeps a core_pattern that is a pipe from running.
    let none = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: plain calls on this process, with a record that lives through the call.
    unsafe {
        libc::setpgid(0, 0);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
    }
    if let Ok(mut score) = OpenOptions::new()
        .write(true)
        .open("/proc/self/oom_score_adj")
    {
        let _ = score.write_all(b"1000");
    }
}

fn take(terminal: &Terminal, settings: &Settings) {
    // SAFETY: written before the handlers that read them are installed; this process has one thread.
    unsafe {
        RESTORE.get().write(MaybeUninit::new(*settings));
        LATEST.get().write(MaybeUninit::new(settings.for_prompt()));
    };
    RESTORE_FD.store(terminal.fd(), Ordering::SeqCst);
    terminal.give_to(terminal::group());
    terminal.set(&settings.for_prompt());
    terminal.become_standard();
    for signal in [libc::SIGALRM, libc::SIGTTIN, libc::SIGTTOU] {
        set_handler(signal, tick as *const () as usize);
    }
    // It ends a read: a plain prompt then gives the line up.
    set_handler_with(libc::SIGINT, interrupted as *const () as usize, 0);
    // SAFETY: the kernel reads the timer; its layout is four words.
    unsafe {
        libc::syscall(
            libc::SYS_setitimer,
            libc::ITIMER_REAL,
            &raw const TICK,
            ptr::null::<u8>(),
        )
    };
}

/// Ends with the program: the kernel tells when the program's agent dies, and whoever has the terminal gives it back.
fn die_with(program: u32, has_terminal: bool) {
    set_handler(libc::SIGUSR1, orphaned as *const () as usize);
    // Where the program leads its session, its end hangs the terminal up, which is the first the look hears of it.
    set_handler(libc::SIGHUP, orphaned as *const () as usize);
    PROGRAM_GROUP.store(0, Ordering::SeqCst);
    if has_terminal {
        // SAFETY: asks the group of a process by id.
        PROGRAM_GROUP.store(unsafe { libc::getpgid(program as i32) }, Ordering::SeqCst);
    }
    // SAFETY: plain calls on this process.
    let parent = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGUSR1);
        libc::getppid()
    };
    if parent as u32 != program {
        orphaned(libc::SIGUSR1);
    }
}

static RESTORE_FD: AtomicI32 = AtomicI32::new(-1);
static PROGRAM_GROUP: AtomicI32 = AtomicI32::new(0);
/// The terminal as the program had it.
static RESTORE: Kept = Kept::nothing();
/// The terminal as the prompt had it at the last tick.
static LATEST: Kept = Kept::nothing();

/// Settings for signal handlers.
struct Kept(UnsafeCell<MaybeUninit<Settings>>);

// SAFETY: the copy has one thread. `RESTORE` is written before the handlers that read it are installed; `LATEST` then,
// too, and later by the handler of SIGALRM, which is not interrupted by itself.
unsafe impl Sync for Kept {}

impl Kept {
    const fn nothing() -> Self {
        Kept(UnsafeCell::new(MaybeUninit::uninit()))
    }

    fn get(&self) -> *mut MaybeUninit<Settings> {
        self.0.get()
    }
}

/// Seconds and microseconds, twice: the interval, the first.
static TICK: [i64; 4] = [0, 100_000, 0, 100_000];
static NO_TIMER: [i64; 4] = [0; 4];

/// Ten times a second, and whenever the kernel refuses the terminal to a process in the background (it looks at who asks
/// and who has it at one moment, as nobody else can; the call begins again when this returns): while the prompt's group is not in the foreground (its job was stopped, the shell has the
/// terminal) it waits here instead of stealing the shell's keys. Comes back with the terminal set as it last was while it
/// was the prompt's: what it is set to when this notices may be the shell's.
extern "C" fn tick(signal: i32) {
    let terminal = RESTORE_FD.load(Ordering::SeqCst);
    // SAFETY: system calls on an open descriptor and plain records, `LATEST` as said there; errno is this thread's own
    // and is put back.
    unsafe {
        let errno = *libc::__errno_location();
        if signal == libc::SIGALRM && is_in_the_foreground(terminal) {
            answer_interrupt();
            let mut now = MaybeUninit::<libc::termios>::zeroed();
            let read = libc::tcgetattr(terminal, now.as_mut_ptr()) == 0;
            if read && is_in_the_foreground(terminal) {
                LATEST
                    .get()
                    .write(MaybeUninit::new(Settings(now.assume_init())));
            }
        } else {
            while !is_in_the_foreground(terminal) {
                libc::usleep(50_000);
            }
            let latest = &raw const (*LATEST.get()).assume_init_ref().0;
            libc::tcsetattr(terminal, libc::TCSANOW, latest);
        }
        *libc::__errno_location() = errno;
    }
}

/// Ctrl-C in the middle of a command: whoever works at it asks for this, and gives it up.
extern "C" fn interrupted(_: i32) {
    INTERRUPTED.store(1, Ordering::SeqCst);
}

/// Whether Ctrl-C was pressed since this was last asked.
pub(crate) fn take_interrupt() -> bool {
    INTERRUPTED.swap(0, Ordering::SeqCst) > 0
}

/// Zero, or one and the ticks since Ctrl-C was pressed.
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);
/// Ticks after which nobody has asked: the command is one that cannot be left.
const UNHEARD: i32 = 10;

/// Says of a Ctrl-C that nobody asks for how to be rid of the command. While a line is read the
/// keys come as bytes, or the terminal itself edits the line (`ICANON`), and there is nothing to say.
fn answer_interrupt() {
    let pressed = INTERRUPTED.load(Ordering::SeqCst);
    if pressed == 0 {
        return;
    }
    if pressed < UNHEARD {
        // Lost where it is asked for at this moment, as it should be.
        let next = pressed + 1;
        _ = INTERRUPTED.compare_exchange(pressed, next, Ordering::SeqCst, Ordering::SeqCst);
        return;
    }
    INTERRUPTED.store(0, Ordering::SeqCst);
    let terminal = RESTORE_FD.load(Ordering::SeqCst);
    // SAFETY: system calls on an open descriptor and a plain record that is valid when zeroed; errno is put back.
    unsafe {
        let errno = *libc::__errno_location();
        let mut now = MaybeUninit::<libc::termios>::zeroed();
        let is_read = libc::tcgetattr(terminal, now.as_mut_ptr()) == 0;
        if is_read && now.assume_init_ref().c_lflag & libc::ICANON == 0 {
            process::write(
                terminal,
                b"\r\n[sigheap: Ctrl-\\ ends the look, and the program goes on]\r\n",
            );
        }
        *libc::__errno_location() = errno;
    }
}

/// Whether the terminal is the copy's. Ends the copy where the terminal has gone.
fn is_in_the_foreground(terminal: i32) -> bool {
    // SAFETY: plain calls on an open descriptor.
    unsafe {
        match libc::tcgetpgrp(terminal) {
            group if group < 0 => libc::_exit(0),
            group => group == libc::getpgrp(),
        }
    }
}

/// The program is gone: the terminal back, unless it is somebody else's by now, and out.
extern "C" fn orphaned(_: i32) {
    let terminal = RESTORE_FD.load(Ordering::SeqCst);
    // SAFETY: `RESTORE` was written before the descriptor was set to anything but -1; the rest are system calls.
    unsafe {
        let program = PROGRAM_GROUP.load(Ordering::SeqCst);
        // None where the program led its session, which is over with it.
        let foreground = libc::tcgetpgrp(terminal);
        let is_ours = foreground < 0 || foreground == libc::getpgrp() || foreground == program;
        if terminal >= 0 && is_ours {
            if foreground != program {
                // Somebody else may have it a moment later. Then the kernel refuses what follows.
                set_handler_with(libc::SIGTTOU, nothing as *const () as usize, 0);
                process::mask(libc::SIG_UNBLOCK, &process::set_of(&[libc::SIGTTOU]));
            } else {
                // It was lent to the program, and nothing tells the program's group from one that took its number.
                set_handler(libc::SIGTTOU, libc::SIG_IGN);
            }
            process::write(terminal, b"\r\n[sigheap: the program has ended]\r\n");
            libc::tcsetattr(
                terminal,
                libc::TCSANOW,
                &raw const (*RESTORE.get()).assume_init_ref().0,
            );
            libc::tcsetpgrp(terminal, program);
        }
        libc::_exit(0)
    }
}

extern "C" fn nothing(_: i32) {}

fn set_handler(signal: i32, handler: usize) {
    set_handler_with(signal, handler, libc::SA_RESTART);
}

/// While one of the handlers runs, the tick of the clock waits: it would take settings for the prompt's that the other is
/// about to change. The others may come in its middle.
fn set_handler_with(signal: i32, handler: usize, flags: i32) {
    // SAFETY: the action is plain data, valid when zeroed; the handlers are async-signal-safe functions of this file,
    // or the two special values.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler;
        action.sa_flags = flags | libc::SA_NODEFER;
        action.sa_mask = process::set_of(&[libc::SIGALRM]);
        libc::sigaction(signal, &raw const action, ptr::null_mut());
    }
}
