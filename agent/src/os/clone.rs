//! Copying the process: a raw `clone`, so that none of glibc's `fork` handlers runs (they take locks that a frozen
//! thread may hold). The copy has one thread, the caller's, and all memory copy on write.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;

/// What [`process`] returned in.
pub(crate) enum Side {
    /// The copy.
    Copy,
    /// The program, with a handle on the copy.
    Program(Child),
}

/// Copies this process. The copy sends no signal when it dies, so the program's own `wait` never sees it. It inherits
/// every lock as it stands: in it, nothing may be locked that another thread may have held.
pub(crate) fn process() -> io::Result<Side> {
    let mut descriptor: c_int = -1;
    // SAFETY: without CLONE_VM the copy has its own memory and a null stack means the same stack, as with fork; the
    // kernel writes the descriptor in the program's memory alone. The exit signal in the low byte is none.
    let id = unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::CLONE_PIDFD,
            0,
            &raw mut descriptor,
            0,
            0,
        )
    };
    match id {
        0 => Ok(Side::Copy),
        id if id > 0 => Ok(Side::Program(Child {
            id: id as i32,
            descriptor,
        })),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A running copy. Not killed on drop: whoever drops it has seen it end.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its process id, which is also its process group's once it has made one.
    pub(crate) id: i32,
    /// Readable once it has ended.
    pub(super) descriptor: c_int,
}

/// How a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It left with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl Child {
    /// Kills it and waits for its end.
    pub(crate) fn kill(&self) -> End {
        // SAFETY: the id is a child's that has not been waited for, so it names nobody else.
        unsafe { libc::kill(self.id, libc::SIGKILL) };
        loop {
            if let Some(end) = self.wait(0) {
                return end;
            }
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<End> {
        self.wait(libc::WNOHANG)
    }

    /// Sends it on if somebody stopped it (SIGSTOP, or SIGTTIN from the terminal).
    pub(crate) fn wake_if_stopped(&self) {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the kernel fills the plain record; `si_pid` reads what it wrote, or zero when no child had stopped.
        unsafe {
            let flags = libc::WSTOPPED | libc::WNOHANG | libc::__WALL;
            if libc::waitid(libc::P_PID, self.id as u32, info.as_mut_ptr(), flags) == 0
                && info.assume_init_ref().si_pid() == self.id
            {
                libc::kill(self.id, libc::SIGCONT);
            }
        }
    }

    /// Tells it that the terminal's state has changed.
    pub(crate) fn redraw(&self) {
        // SAFETY: as in `kill`.
        unsafe { libc::kill(self.id, libc::SIGWINCH) };
    }

    fn wait(&self, flags: c_int) -> Option<End> {
        let mut status = 0;
        // SAFETY: the kernel writes the status.
        let waited = unsafe {
            libc::syscall(
                libc::SYS_wait4,
                self.id,
                &raw mut status,
                libc::__WALL | flags,
                0,
            )
        };
        match waited {
            0 => None,
            id if id == i64::from(self.id) && libc::WIFSIGNALED(status) => {
                Some(End::Killed(libc::WTERMSIG(status)))
            }
            id if id == i64::from(self.id) => Some(End::Exited(libc::WEXITSTATUS(status))),
            // Interrupted, or somebody else of this process took the status: it is gone then.
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => None,
            _ => Some(End::Exited(0)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own.
        unsafe { libc::close(self.descriptor) };
    }
}
