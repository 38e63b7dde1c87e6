//! Where a look takes place: at the terminal, if the program has one and is in its foreground; otherwise nowhere, and a
//! short report goes to standard error, as the JVM does.

use std::io::Write;
use std::path::Path;

use crate::os::clone::Child;
use crate::os::quit;
use crate::os::terminal::{self, Settings, Terminal};
use crate::talk::Prompt;

/// Where the look takes place.
pub(super) enum Place {
    /// At the program's terminal, which was set like this.
    Terminal(Terminal, Settings),
    /// Nowhere, for this reason.
    Nowhere(&'static str),
}

impl Place {
    /// Looks for the terminal. Touches nothing: in the background even a look at the settings of another's terminal is
    /// all one may do.
    pub(super) fn find() -> Place {
        let Ok(terminal) = Terminal::open() else {
            return Place::Nowhere("the program has no terminal");
        };
        if terminal::group() == 0 {
            // Then there is no number by which to give the terminal back.
            return Place::Nowhere("the program's process group is that of another pid namespace");
        }
        if !terminal.is_ours() {
            return Place::Nowhere(
                "the program is in the background of its terminal (`fg` brings it back)",
            );
        }
        match terminal.settings() {
            Ok(settings) => Place::Terminal(terminal, settings),
            Err(_) => Place::Nowhere("the program's terminal has gone"),
        }
    }

    /// The prompt for it, made while the program still runs.
    pub(super) fn prompt(&self, history: Option<&Path>) -> Option<Prompt> {
        self.has_terminal()
            .then(|| Prompt::new(history).ok())
            .flatten()
    }

    /// Whether somebody sits there.
    pub(super) fn has_terminal(&self) -> bool {
        matches!(self, Place::Terminal(..))
    }

    /// Whether the terminal was lost while the threads were being stopped.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Place::Terminal(terminal, _) if terminal::leader_is_gone() || !terminal.is_ours())
    }

    /// What the user should know of how the program was started.
    pub(super) fn hints(&self) -> Vec<String> {
        let piped = self.has_terminal()
            && quit::is_of_the_terminal()
            && (terminal::is_pipe(0) || terminal::is_pipe(1));
        let hint = "standard input or output is a pipe: Ctrl-\\ reaches every program of a pipeline, and ends those \
                    without a handler; kill -QUIT to this one alone spares them";
        piped.then(|| hint.to_string()).into_iter().collect()
    }

    /// Keeps the look in possession of the terminal, whatever a shell made of it meanwhile.
    pub(super) fn watch_over(&self, child: &Child) {
        child.wake_if_stopped();
        if let Place::Terminal(terminal, _) = self
            && terminal.is_ours()
        {
            terminal.give_to(child.id);
            child.redraw();
        }
    }

    /// Says something to whoever sits there.
    pub(super) fn say(&self, line: &str) {
        if let Place::Terminal(terminal, _) = self {
            // A terminal that is gone by now has nobody to tell.
            let _ = write!(terminal.file(), "\r\n[sigheap: {line}]\r\n");
        }
    }

    /// Lets the program have the terminal while a command of its own runs, but for the keys that signal: they are the
    /// prompt's, and come as bytes.
    pub(super) fn lend(&self) {
        if let Place::Terminal(terminal, settings) = self {
            terminal.give_to(terminal::group());
            terminal.set(&settings.for_keys());
        }
    }

    /// Whether a key was pressed that interrupts. Other keys are lost.
    pub(super) fn is_interrupted(&self) -> bool {
        const CTRL_C: u8 = 3;
        const CTRL_BACKSLASH: u8 = 28;
        match self {
            Place::Terminal(terminal, _) => {
                let keys = terminal.keys();
                keys.contains(&CTRL_C) || keys.contains(&CTRL_BACKSLASH)
            }
            Place::Nowhere(_) => false,
        }
    }

    /// Has the program hear of a terminal that went while the copy had it.
    pub(super) fn pass_on_hangup(&self) {
        if let Place::Terminal(terminal, _) = self
            && terminal.foreground().is_none()
        {
            terminal::pass_on_hangup();
        }
    }

    /// Takes the terminal back for the program from the copy, if one has it, and sets it as it was; unless somebody else
    /// has it by now.
    pub(super) fn restore(&self, copy: Option<i32>) {
        if let Place::Terminal(terminal, settings) = self
            && terminal
                .foreground()
                .is_some_and(|group| Some(group) == copy || group == terminal::group())
        {
            terminal.give_to(terminal::group());
            terminal.set(settings);
        }
    }
}
