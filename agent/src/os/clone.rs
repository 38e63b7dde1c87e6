//! Copying the process: a raw `clone`, so that none of glibc's `fork` handlers runs (they take locks that a frozen
//! thread may hold). The copy has one thread, the caller's, and all memory copy on write.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

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
        self.signal(libc::SIGKILL);
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
        let stopped = unsafe {
            let flags = libc::WSTOPPED | libc::WNOHANG | libc::__WALL;
            libc::waitid(
                libc::P_PIDFD,
                self.descriptor as u32,
                info.as_mut_ptr(),
                flags,
            ) == 0
                && info.assume_init_ref().si_pid() == self.id
        };
        if stopped {
            self.signal(libc::SIGCONT);
        }
    }

    /// Tells it that the terminal's state has changed.
    pub(crate) fn redraw(&self) {
        self.signal(libc::SIGWINCH);
    }

    /// Sends it a signal, by the descriptor: a program that waits for any child of whatever kind (`waitpid(-1, …, __WALL)`)
    /// may have taken its end, and then its id may be another's by now.
    fn signal(&self, signal: c_int) {
        // SAFETY: the descriptor is open and stands for this copy alone; without a record the kernel makes one.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor,
                signal,
                ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
    }

    fn wait(&self, flags: c_int) -> Option<End> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: the kernel fills the plain record, which is valid when zeroed; the fields read are those of a child's end,
        // and zero when none has ended.
        let (done, child, code, status) = unsafe {
            let flags = libc::WEXITED | libc::__WALL | flags;
            let done = libc::waitid(
                libc::P_PIDFD,
                self.descriptor as u32,
                info.as_mut_ptr(),
                flags,
            );
            let info = info.assume_init_ref();
            (done == 0, info.si_pid(), info.si_code, info.si_status())
        };
        match code {
            _ if done && child == 0 => None,
            libc::CLD_EXITED if done => Some(End::Exited(status)),
            _ if done => Some(End::Killed(status)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(life: fn() -> u8) -> Child {
        match process().unwrap() {
            Side::Copy => crate::os::process::end(life()),
            Side::Program(child) => child,
        }
    }

    fn sleep() -> u8 {
        loop {
            // SAFETY: sleeps until a signal.
            unsafe { libc::pause() };
        }
    }

    #[test]
    fn a_copy_is_ended_and_its_end_is_told() {
        let child = copy(sleep);
        assert_eq!(child.ended(), None);
        assert_eq!(child.kill(), End::Killed(libc::SIGKILL));
        assert_eq!(copy(|| 7).wait(0), Some(End::Exited(7)));
    }

    /// The id of a copy whose end the program took may be that of another child.
    #[test]
    fn a_copy_that_the_program_has_waited_for_is_left_alone() {
        let child = copy(|| 7);
        // SAFETY: waits for this child alone, as a program's `waitpid(-1)` would.
        let taken = unsafe { libc::waitpid(child.id, ptr::null_mut(), libc::__WALL) };
        assert_eq!(taken, child.id);
        let other = copy(sleep);
        let mistaken = Child {
            id: other.id,
            // SAFETY: copies an open descriptor.
            descriptor: unsafe { libc::dup(child.descriptor) },
        };
        assert_eq!(mistaken.kill(), End::Exited(0));
        assert_eq!(other.ended(), None, "it was not the one that is meant");
        other.kill();
    }
}
