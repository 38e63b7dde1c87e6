//! The conversation: a line read, a command run, its answer shown. This room may import `heap`, `query`, `render` and
//! `os`.
//!
//! It runs in the clone of a frozen process. So nothing here reads the environment, lists a folder or writes through
//! std's streams once the program has stopped: [`Prompt::new`] does all of that before.

mod choices;
mod complete;
#[cfg(test)]
mod documented;
mod error;
mod execute;
mod file;
mod meanwhile;
mod page;
mod parse;
mod program;
mod prompt;
mod terminal;
#[cfg(test)]
mod tests;

pub(crate) use error::Error;
pub(crate) use execute::report_short;
pub(crate) use meanwhile::Meanwhile;
pub(crate) use prompt::Prompt;
pub(crate) use terminal::{Terminal, Tty};
