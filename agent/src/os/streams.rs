//! The program's standard input, output and error, as the agent has them: its thread's descriptors are its own, and these are
//! fetched from the program's table for as long as a look takes.

use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::process::{pid, tid};

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::thread;

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
}
