//! The conversation at the prompt, as a person has it: a key opens it, commands are typed, answers read.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, Termios};
use serde_json::Value;

use crate::pty::Program;
use crate::screen::{Seen, eventually};

/// The prompt.
pub(crate) const PROMPT: &str = "(sigheap) ";

/// What stands below a screenful of a long answer.
const MORE: &str = "-- more: space, Enter for a line, q to stop --";

/// Ctrl-\, Ctrl-C, Ctrl-D and Ctrl-Z, as a terminal sends them.
pub(crate) const QUIT: &str = "\x1c";
/// See `QUIT`.
pub(crate) const INTERRUPT: &str = "\x03";
/// See `QUIT`.
pub(crate) const END: &str = "\x04";
/// See `QUIT`.
pub(crate) const SUSPEND: &str = "\x1a";

impl Program {
    /// Presses Ctrl-\ and returns the first screen.
    #[track_caller]
    pub(crate) fn press_ctrl_backslash(&self) -> String {
        let from = self.written();
        self.send(QUIT);
        // The terminal echoes the key; no line ends with it.
        let echoed = self.expect_after(from, "^\\");
        self.answered(echoed)
    }

    /// Presses Ctrl-\ and waits until the handler has run. Presses within the key's own repetition count as one, so there
    /// has to be time between them: nothing can be waited for instead.
    #[track_caller]
    pub(crate) fn press_slowly(&self) {
        thread::sleep(Duration::from_millis(300));
        self.send(QUIT);
        eventually("the handler", || !self.is_pending(Signal::SIGQUIT as i32));
    }

    /// Types a command and returns its answer.
    #[track_caller]
    pub(crate) fn command(&self, line: &str) -> String {
        let from = self.written();
        self.send(line);
        self.send("\r");
        self.prompted(from)
    }

    /// Types a command with `--json` and returns the document, which is one line.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        let text = self.command(&format!("{line} --json"));
        let [document] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("`{line} --json` answers one line, not {text:?}");
        };
        serde_json::from_str(document)
            .unwrap_or_else(|error| panic!("`{line} --json`: {error} in {document}"))
    }

    /// Waits for a prompt that comes after `from`, and returns what stands between the end of the line typed there and
    /// that prompt.
    #[track_caller]
    pub(crate) fn prompted(&self, from: usize) -> String {
        let typed = self.expect_after(from, "\n");
        self.answered(typed)
    }

    /// Waits for a prompt that comes after `from`, and returns what stands between. A long answer is paged: it is leafed
    /// through.
    #[track_caller]
    fn answered(&self, from: usize) -> String {
        let mut pages = 0;
        self.watch.wait("prompt", |seen| {
            while pages < seen.text[from..].matches(MORE).count() {
                self.send(" ");
                pages += 1;
            }
            let answer = seen.stayed(from);
            let before = answer.trim_end_matches(PROMPT);
            (before != answer && at_prompt(seen)).then(|| before.replace(MORE, ""))
        })
    }

    /// Leaves the prompt in this way and waits until the program is seen to work.
    #[track_caller]
    pub(crate) fn resume(&self, keys: &str) {
        self.send(keys);
        self.commits();
    }

    /// Waits until the demo server has committed twice more: the first line may have been on its way.
    #[track_caller]
    pub(crate) fn commits(&self) {
        let first = self.expect_after(self.written(), COMMITTED);
        self.expect_after(first, COMMITTED);
    }

    /// Waits until the demo server says how to press Ctrl-\, and has committed something.
    #[track_caller]
    pub(crate) fn is_serving(&self) -> Handover {
        self.expect_after(0, READY);
        self.expect_after(0, COMMITTED);
        Handover(self.settings())
    }
}

/// What the demo server logs when it is ready for the key.
pub(crate) const READY: &str = "Ctrl-\\";

/// What the demo server logs for each commit.
pub(crate) const COMMITTED: &str = "committed";

/// The terminal as the program had it.
pub(crate) struct Handover(Termios);

impl Handover {
    /// The terminal's settings before the look.
    pub(crate) fn settings(&self) -> Termios {
        self.0.clone()
    }

    /// Waits until the server works with the terminal in its hands, leaving every prompt that still opens.
    #[track_caller]
    pub(crate) fn comes_back(&self, program: &Program) {
        let mut left = program.written();
        let mut answered = None;
        program.watch.wait("commit, with no prompt open", |seen| {
            let (written, open) = (seen.text.len(), at_prompt(seen));
            if open && answered != Some(written) {
                program.send("c\r");
                (left, answered) = (written, Some(written));
            }
            (!open && seen.text[left..].contains(COMMITTED)).then_some(())
        });
        self.is_as_before(program);
    }

    /// Checks that the terminal is as it was before the look, in the program's hands, and fit to type at.
    #[track_caller]
    pub(crate) fn is_as_before(&self, program: &Program) {
        let now = program.settings();
        assert_eq!(now, self.0, "the terminal's settings");
        assert!(
            now.local_flags
                .contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
        );
        assert_eq!(
            program.foreground(),
            program.pid,
            "the process group in the foreground"
        );
    }
}

/// Whether the cursor stands behind an empty prompt.
fn at_prompt(seen: &Seen) -> bool {
    let (row, column) = seen.cursor();
    row.trim_end() == PROMPT.trim_end() && usize::from(column) == PROMPT.len()
}
