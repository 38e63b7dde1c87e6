//! Why a command could not answer, and what to do about it.

use std::fmt;

use super::command::find;
use super::filter::Wrong;
use crate::heap::{Address, Mode, Untold};
use crate::report::Value;
use crate::trend::MOST_MARKS;

/// Why a command could not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// No command is called so.
    UnknownCommand {
        /// What was typed.
        word: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// Several commands begin so.
    Ambiguous {
        /// What was typed.
        word: String,
        /// Their names.
        names: Vec<&'static str>,
    },
    /// A command that has to be typed whole was not.
    NotWhole {
        /// Its name.
        name: &'static str,
    },
    /// The command has no such flag.
    UnknownFlag {
        /// The command.
        command: &'static str,
        /// What was typed.
        flag: String,
        /// Flags like it.
        near: Vec<String>,
    },
    /// The words after the command make no sense.
    Usage {
        /// The command.
        command: &'static str,
        /// What is wrong with them.
        what: String,
    },
    /// A condition makes no sense.
    Condition {
        /// The condition.
        text: String,
        /// What is wrong with it, and where.
        wrong: Wrong,
    },
    /// No live block has such a type.
    NoMatch {
        /// The pattern.
        pattern: String,
        /// Types like it.
        near: Vec<String>,
    },
    /// No live block lies there.
    NoBlock {
        /// The address.
        address: Address,
        /// How many live blocks have no record, of which it may be one.
        unknown: u64,
    },
    /// A number beyond the rows of the last answer.
    NoRow {
        /// What was typed.
        word: String,
        /// How many rows there were.
        rows: usize,
    },
    /// The row was numbered before the program ran again.
    VoidRow {
        /// What was typed.
        word: String,
    },
    /// The row stands for something else than the command asks about.
    WrongRow {
        /// What was typed.
        word: String,
        /// What it stands for: `a thread`.
        is: &'static str,
        /// What would do.
        wanted: &'static str,
    },
    /// A path leads to no value.
    NoPath {
        /// What was typed.
        path: String,
        /// Where it ends, and why.
        what: String,
        /// What would lead on.
        near: Vec<String>,
    },
    /// No mark is called so.
    NoMark {
        /// What was typed.
        name: String,
        /// Marks like it.
        near: Vec<String>,
        /// How many there are.
        marks: usize,
    },
    /// No thread has that id or name.
    NoThread {
        /// What was typed.
        word: String,
        /// Names like it.
        near: Vec<String>,
    },
    /// There is no room for another mark.
    MarksFull {
        /// Whether it is their number that is exhausted, not the room for what they count.
        number: bool,
    },
    /// No live block is recorded, though there are some.
    NotRecorded {
        /// The command.
        command: &'static str,
    },
    /// Not every live block is recorded.
    NotEvery {
        /// The command.
        command: &'static str,
        /// How many have no record.
        unknown: u64,
        /// How much is recorded now.
        mode: Mode,
    },
    /// The program does not allocate through the tracker.
    NotTracked {
        /// The command.
        command: &'static str,
    },
    /// The answer was given up.
    Stopped {
        /// The command.
        command: &'static str,
    },
    /// The program could not be told what was asked of it.
    Untold,
}

impl From<Untold> for Error {
    fn from(_: Untold) -> Self {
        Error::Untold
    }
}

impl Error {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Error::UnknownCommand { near, .. } if near.is_empty() => {
                Some("`help` lists the commands".to_owned())
            }
            Error::UnknownCommand { near, .. } | Error::UnknownFlag { near, .. } => did_you(near),
            Error::NoMatch { near, .. } if near.is_empty() => Some(
                "`top` lists the types; a pattern is a type's name or a glob such as `*Entry*`"
                    .to_owned(),
            ),
            Error::NoMatch { near, .. } => did_you(near),
            Error::Ambiguous { names, .. } => did_you(names),
            Error::NotWhole { name } => Some(format!("type `{name}` to mean it")),
            Error::Usage { command, .. } => usage(command),
            Error::Condition { text, wrong } => Some(point(text, wrong.at)),
            Error::NoBlock { unknown: 1.., .. } => Some(
                "it may lie in a block that was born while tracking was off or sampled: `track` says more"
                    .to_owned(),
            ),
            Error::NotRecorded { .. } => Some(
                "`track full`, then `continue`: what is born from then on is known at the next look"
                    .to_owned(),
            ),
            Error::NotEvery { mode: Mode::Full, .. } => Some(
                "it can answer once those have died; a program that is tracked in full from its start knows all"
                    .to_owned(),
            ),
            Error::NotEvery { .. } => Some(
                "`track full`, then `continue`, and look again once what was not recorded has died"
                    .to_owned(),
            ),
            Error::NoBlock { .. } => {
                Some("`list PATTERN` shows the addresses of live blocks".to_owned())
            }
            Error::NoRow { rows: 0, .. } => {
                Some("`top`, `list` and `sites` number their rows".to_owned())
            }
            Error::NoRow { rows, .. } => Some(format!("the last table has rows #1 to #{rows}")),
            Error::VoidRow { .. } => {
                Some("ask again for the table that numbered it: the heap is another by now".to_owned())
            }
            Error::WrongRow { wanted, .. } => Some(format!("it takes {wanted}")),
            Error::NoMark { marks: 0, .. } => {
                Some("there are no marks yet: `mark NAME` makes one".to_owned())
            }
            Error::NoMark { near, .. } if near.is_empty() => Some("`mark` lists them".to_owned()),
            Error::NoMark { near, .. } => did_you(near),
            Error::NoPath { near, .. } => did_you(near),
            Error::NoThread { near, .. } if near.is_empty() => {
                Some("`threads` lists them".to_owned())
            }
            Error::NoThread { near, .. } => did_you(near),
            Error::MarksFull { .. } => {
                Some("`mark` lists them, `mark NAME --drop` removes one".to_owned())
            }
            Error::NotTracked { .. } => Some(
                "in the program: #[global_allocator] static HEAP: sigheap::Heap = sigheap::Heap::system();"
                    .to_owned(),
            ),
            Error::Stopped { .. } => {
                Some("the look goes on, and what was read before is still known".to_owned())
            }
            Error::Untold => Some("Ctrl-\\ ends this look, and the program goes on".to_owned()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::UnknownCommand { word, .. } => write!(f, "there is no command `{word}`"),
            Error::Ambiguous { word, .. } => write!(f, "several commands begin with `{word}`"),
            Error::NotWhole { name } => write!(f, "`{name}` has to be typed whole"),
            Error::UnknownFlag { command, flag, .. } => write!(f, "`{command}` has no {flag}"),
            Error::Usage { command, what } => write!(f, "{command}: {what}"),
            Error::Condition { wrong, .. } => write!(f, "--where: {}", wrong.what),
            Error::NoMatch { pattern, .. } => write!(f, "no live block matches `{pattern}`"),
            Error::NoBlock {
                address,
                unknown: 1..,
            } => write!(f, "no recorded block lies at {address}"),
            Error::NoBlock { address, .. } => write!(f, "no live Rust block lies at {address}"),
            Error::NotRecorded { command } => write!(
                f,
                "`{command}` cannot answer: no live block is recorded, tracking was off"
            ),
            Error::NotEvery {
                command, unknown, ..
            } => write!(
                f,
                "`{command}` cannot answer: it needs every live block, and {} not recorded",
                match unknown {
                    1 => "1 is".to_owned(),
                    n => format!("{} are", Value::Count(*n)),
                }
            ),
            Error::NoRow { word, .. } => write!(f, "there is no row {word}"),
            Error::VoidRow { word } => {
                write!(
                    f,
                    "row {word} is of the look before, and the program ran since"
                )
            }
            Error::WrongRow { word, is, .. } => write!(f, "row {word} is {is}"),
            Error::NoPath { path, what, .. } => write!(f, "`{path}` leads nowhere: {what}"),
            Error::NoMark { name, .. } => write!(f, "there is no mark `{name}`"),
            Error::NoThread { word, .. } => write!(f, "no thread is called `{word}`"),
            Error::MarksFull { number: true } => {
                write!(
                    f,
                    "there are {MOST_MARKS} marks, which is as many as are kept"
                )
            }
            Error::MarksFull { number: false } => {
                f.write_str("the other marks leave no room for this one")
            }
            Error::NotTracked { command } => write!(
                f,
                "`{command}` cannot answer: the program does not allocate through sigheap::Heap"
            ),
            Error::Stopped { command } => write!(f, "`{command}` was stopped"),
            Error::Untold => f.write_str("the program could not be told"),
        }
    }
}

impl std::error::Error for Error {}

/// A text with a mark below the place at this byte; of a long one what is around.
fn point(text: &str, at: usize) -> String {
    /// What fits the narrowest terminal, with the place in it.
    const AROUND: usize = 36;
    let before = text[..at].chars().count();
    let from = (before + 1).saturating_sub(AROUND / 2);
    let around: String = text.chars().skip(from).take(AROUND).collect();
    format!("  {around}\n  {}^", " ".repeat(before - from))
}

fn did_you<S: AsRef<str>>(near: &[S]) -> Option<String> {
    let quoted: Vec<_> = near
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    (!quoted.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

fn usage(command: &str) -> Option<String> {
    let command = find(command).ok()?;
    Some(format!(
        "usage: {}; `help {}` has examples",
        command.usage(),
        command.name
    ))
}
