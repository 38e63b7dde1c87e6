//! What only the C library does: handlers by hand, `fork`, and looking at the process from inside.
#![expect(
    unsafe_code,
    reason = "these programs do what Rust has no safe way for"
)]

use std::ffi::{CStr, c_void};
use std::io;

/// Whether the environment has this variable. Allocates nothing.
pub(crate) fn is_in_environment(name: &CStr) -> bool {
    // SAFETY: the name ends in a null byte, and these programs never change their environment.
    unsafe { !libc::getenv(name.as_ptr()).is_null() }
}

/// Puts a handler of three arguments in place that writes this line.
pub(crate) fn handle_quit(line: &'static str) {
    LINE.set(line).expect("one handler a program");
    // SAFETY: the action is plain data; the handler has the signature that SA_SIGINFO asks for and calls `write` alone.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_quit as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigaction(libc::SIGQUIT, &raw const action, std::ptr::null_mut());
    }
}

static LINE: std::sync::OnceLock<&str> = std::sync::OnceLock::new();

extern "C" fn on_quit(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the record is valid, if the caller keeps to it.
    let told = unsafe { (*info).si_signo == signal } && !context.is_null();
    if let (Some(line), true) = (LINE.get(), told) {
        // SAFETY: writes a static text.
        unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
    }
}

/// Puts a handler in place that writes this line on every thread but the main one, where it does nothing.
pub(crate) fn handle_quit_elsewhere(line: &'static str) {
    LINE.set(line).expect("one handler a program");
    // SAFETY: the action is plain data; the handler calls functions that may be called in one alone.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_quit_elsewhere as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGQUIT, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn on_quit_elsewhere(_: i32) {
    // SAFETY: asks for two numbers, and writes a static text.
    unsafe {
        if let (Some(line), true) = (LINE.get(), libc::gettid() != libc::getpid()) {
            libc::write(1, line.as_ptr().cast(), line.len());
        }
    }
}

/// The thread of this process with this name.
pub(crate) fn thread_named(name: &str) -> Option<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let of = |task: std::fs::DirEntry| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        (comm.trim() == name).then(|| task.file_name().to_str()?.parse().ok())?
    };
    tasks.flatten().find_map(of)
}

/// Sends a signal to one thread of this process.
pub(crate) fn signal_thread(thread: u32, signal: i32) {
    // SAFETY: sends a signal by number.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
}

/// Forks. In the child `child` runs and the process then ends.
pub(crate) fn fork(child: impl FnOnce()) -> libc::pid_t {
    // SAFETY: glibc lets a forked child allocate, and that is all these children need.
    match unsafe { libc::fork() } {
        0 => {
            child();
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) }
        }
        pid => pid,
    }
}

/// Starts a program whose standard input cannot be opened yet. Until it can, the calling thread waits as in `vfork`.
pub(crate) fn start_behind(input: &CStr) {
    // SAFETY: the records are plain data that the C library fills before it reads them; all strings live through the call.
    unsafe {
        let mut actions: libc::posix_spawn_file_actions_t = std::mem::zeroed();
        libc::posix_spawn_file_actions_init(&raw mut actions);
        let open = libc::O_RDONLY;
        libc::posix_spawn_file_actions_addopen(&raw mut actions, 0, input.as_ptr(), open, 0);
        let arguments = [c"true".as_ptr().cast_mut(), std::ptr::null_mut()];
        let nothing = [std::ptr::null_mut()];
        let mut child = 0;
        libc::posix_spawnp(
            &raw mut child,
            c"true".as_ptr(),
            &raw const actions,
            std::ptr::null(),
            arguments.as_ptr(),
            nothing.as_ptr(),
        );
    }
}

/// Waits for a child and says how it ended.
pub(crate) fn ended(pid: libc::pid_t) -> String {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes the status.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        if waited == pid {
            break;
        }
        assert_eq!(
            io::Error::last_os_error().kind(),
            io::ErrorKind::Interrupted
        );
    }
    if libc::WIFSIGNALED(status) {
        format!("died of signal {}", libc::WTERMSIG(status))
    } else {
        format!("left with {}", libc::WEXITSTATUS(status))
    }
}

/// Blocks a signal on this thread.
pub(crate) fn block(signal: i32) {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Blocks every signal on this thread.
pub(crate) fn block_all() {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Keeps an open file under this number.
pub(crate) fn keep_as(file: &std::fs::File, number: i32) {
    use std::os::fd::AsRawFd;
    // SAFETY: the number is free in these programs.
    unsafe { libc::dup2(file.as_raw_fd(), number) };
}

/// Changes the variable `HAMMER`, for which the environment is locked.
pub(crate) fn change_environment() {
    // SAFETY: the variable is there from the start, so that the C library changes one word. What these programs read without
    // Rust's lock is another variable.
    unsafe { std::env::set_var("HAMMER", "x") };
}

/// Loads a library and lets it go.
pub(crate) fn load_a_library() {
    // SAFETY: the C library's own mathematics, whose constructors do nothing of note.
    unsafe {
        let library = libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_NOW);
        if !library.is_null() {
            libc::dlclose(library);
        }
    }
}

/// Registers a handler and takes it away.
pub(crate) fn register_a_signal() {
    // SAFETY: the handler does nothing.
    let id = unsafe { signal_hook::low_level::register(libc::SIGUSR2, || ()) };
    signal_hook::low_level::unregister(id.expect("it may be registered"));
}

/// Asks for the local time, for which the time zone is locked.
pub(crate) fn tell_local_time() {
    // SAFETY: both records are plain data, and live through the call.
    unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&0, &raw mut local);
    }
}

/// Allocates and frees blocks of many sizes, too large for any cache that takes no lock.
pub(crate) fn allocate_for_ever(seed: u64) -> ! {
    let mut kept = [std::ptr::null_mut(); 400];
    let mut state = seed;
    loop {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = &mut kept[(state >> 20) as usize % 400];
        // SAFETY: frees a null pointer or what it allocated in the round that left it there.
        unsafe {
            libc::free(*place);
            *place = libc::malloc(1100 + (state >> 33) as usize % 60_000);
        }
    }
}
