//! Processes and threads as `/proc` shows them.

use std::fs;
use std::path::Path;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::pty::Program;
use crate::screen::eventually;

impl Program {
    /// The copy of the program that does the look; there is one while the prompt is open.
    #[track_caller]
    pub(crate) fn look(&self) -> Pid {
        match self.children()[..] {
            [look] => look,
            ref children => panic!("one look, not {children:?}"),
        }
    }

    /// Whether there is a look.
    pub(crate) fn is_looked_at(&self) -> bool {
        !self.children().is_empty()
    }

    /// Waits until nothing is left of the look, not even a zombie.
    #[track_caller]
    pub(crate) fn look_is_over(&self) {
        eventually("the look's end", || self.children().is_empty());
    }

    /// Its children.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let parent = self.pid.as_raw().to_string();
        let is_child = |pid: &Pid| stat(*pid).is_some_and(|fields| fields.get(1) == Some(&parent));
        numbers(Path::new("/proc"))
            .into_iter()
            .filter(is_child)
            .collect()
    }

    /// The thread that has this name.
    #[track_caller]
    pub(crate) fn thread_named(&self, name: &str) -> Pid {
        thread_named(self.pid, name)
    }

    /// Whether this signal waits to be delivered to the process.
    pub(crate) fn is_pending(&self, signal: i32) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
        let mask = pending
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0);
        mask & 1 << (signal - 1) != 0
    }
}

/// The thread of a process that has this name. A thread that was only just made has its maker's yet.
#[track_caller]
pub(crate) fn thread_named(pid: Pid, name: &str) -> Pid {
    let tasks = format!("/proc/{pid}/task");
    let is_named = |thread: &Pid| {
        fs::read_to_string(format!("{tasks}/{thread}/comm"))
            .is_ok_and(|comm| comm.trim_end() == name)
    };
    let mut found = None;
    eventually(&format!("a thread called {name}"), || {
        found = numbers(Path::new(&tasks)).into_iter().find(is_named);
        found.is_some()
    });
    found.expect("it was just found")
}

/// The state of a process, as one letter: `S`leeping, s`T`opped, …
pub(crate) fn state(pid: Pid) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// The fields of `/proc/PID/stat` behind the name: the state, the parent, …
fn stat(pid: Pid) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// The entries of a folder that are numbers.
fn numbers(folder: &Path) -> Vec<Pid> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.map(Pid::from_raw).collect()
}

/// A thread held by a tracer: it alone stands still.
pub(crate) struct Held(Pid);

impl Held {
    /// Holds it. The thread that calls this is the tracer.
    #[track_caller]
    pub(crate) fn hold(thread: Pid) -> Self {
        ptrace::seize(thread, ptrace::Options::empty()).expect("a child's thread can be traced");
        ptrace::interrupt(thread).expect("it is traced");
        waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
        Held(thread)
    }

    /// Lets it go on.
    pub(crate) fn let_go(self) {
        // It is gone already when the program has died; its zombie must not outlive this.
        if ptrace::detach(self.0, None).is_err() {
            let _ = waitpid(self.0, Some(WaitPidFlag::__WALL));
        }
    }
}
