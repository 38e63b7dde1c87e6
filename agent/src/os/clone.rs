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
        let stopped = self.ask(libc::WSTOPPED | libc::WNOHANG);
        // SAFETY: the kernel wrote the id of a child that has stopped, or left zero.
        if stopped.is_ok_and(|info| unsafe { info.si_pid() } == self.id) {
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
        // SAFETY: the descriptor stands for this copy alone; without a record the kernel makes one.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor,
                signal,
                ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        if sent != 0 && self.is_old_kernel(&io::Error::last_os_error()) {
            // SAFETY: sends a signal to a process by id.
            unsafe { libc::kill(self.id, signal) };
        }
    }

    fn wait(&self, flags: c_int) -> Option<End> {
        match self.ask(libc::WEXITED | flags) {
            // SAFETY: the kernel wrote the fields of a child's end, or left zeros where none has ended.
            Ok(info) => match unsafe { (info.si_pid(), info.si_code, info.si_status()) } {
                (0, ..) => None,
                (_, libc::CLD_EXITED, code) => Some(End::Exited(code)),
                (_, _, signal) => Some(End::Killed(signal)),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            // Somebody else of this process took the status: it is gone then.
            Err(_) => Some(End::Exited(0)),
        }
    }

    /// What the kernel says of it.
    fn ask(&self, flags: c_int) -> io::Result<libc::siginfo_t> {
        let ask = |kind, id| {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            // SAFETY: the kernel fills the plain record, which is valid when zeroed.
            unsafe {
                match libc::waitid(kind, id, info.as_mut_ptr(), flags | libc::__WALL) {
                    0 => Ok(info.assume_init()),
                    _ => Err(io::Error::last_os_error()),
                }
            }
        };
        match ask(libc::P_PIDFD, self.descriptor as u32) {
            Err(error) if self.is_old_kernel(&error) => ask(libc::P_PID, self.id as u32),
            answer => answer,
        }
    }

    /// Whether an error means that the kernel knows no descriptors of processes: before Linux 5.2 none is made, before
    /// 5.4 none can be waited for. Then the id has to do.
    fn is_old_kernel(&self, error: &io::Error) -> bool {
        self.descriptor < 0 || matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS))
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

    #[test]
    fn a_copy_is_reached_by_its_id_where_the_kernel_makes_no_descriptor() {
        let mut child = copy(sleep);
        // SAFETY: closes the value's own descriptor, once.
        unsafe { libc::close(std::mem::replace(&mut child.descriptor, -1)) };
        assert_eq!(child.ended(), None);
        child.wake_if_stopped();
        assert_eq!(child.kill(), End::Killed(libc::SIGKILL));
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
