//! Processes and threads as `/proc` shows them.

use std::fs;
use std::path::Path;

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

    /// Waits until nothing is left of the look, not even a zombie.
    #[track_caller]
    pub(crate) fn look_is_over(&self) {
        eventually("the look's end", || self.children().is_empty());
    }

    /// Its children.
    fn children(&self) -> Vec<Pid> {
        let parent = self.pid.as_raw().to_string();
        let is_child = |pid: &Pid| stat(*pid).is_some_and(|fields| fields.get(1) == Some(&parent));
        numbers(Path::new("/proc"))
            .into_iter()
            .filter(is_child)
            .collect()
    }

    /// The thread whose name begins so.
    #[track_caller]
    pub(crate) fn thread_named(&self, name: &str) -> Pid {
        let tasks = format!("/proc/{}/task", self.pid);
        let is_named = |thread: &Pid| {
            fs::read_to_string(format!("{tasks}/{thread}/comm"))
                .is_ok_and(|comm| comm.starts_with(name))
        };
        let found = numbers(Path::new(&tasks)).into_iter().find(is_named);
        found.unwrap_or_else(|| panic!("no thread is called {name}"))
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
