//! The questions one can ask of a heap: one command a file, its declaration and its answer together. This room may
//! import `heap`, `report`, `trend`, `resolve` and `walk`; it knows no process, terminal or clock.
//!
//! A command is one line of [`COMMANDS`]; help, completion and the tests come from its declaration.

mod args;
mod calls;
mod change;
mod command;
mod each;
mod error;
mod filter;
mod first;
mod holders;
mod near;
mod pattern;
mod program;
mod rows;
mod stack;
mod subject;
mod types;
mod unrecorded;
mod values;
mod verdict;
mod view;

mod abort;
mod count;
mod cycles;
mod diff;
mod forgotten;
mod graph;
mod growth;
mod help;
mod info;
mod instances;
mod leaks;
mod list;
mod mark;
mod panic;
mod path;
mod quit;
mod referrers;
mod refs;
mod resume;
mod set;
mod show;
mod sites;
mod suspects;
mod tasks;
mod threads;
mod top;
mod track;
mod waste;
mod r#where;
mod why;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub(crate) use args::{COMMON, Typed};
pub(crate) use command::{
    Argument, Command, Example, Flag, Kind, Need, find, shown, stands_for_any,
};
pub(crate) use error::Error;
pub(crate) use filter::{FIELDS, WHERE, extent};
pub(crate) use first::first_screen;
pub(crate) use mark::check as check_mark;
pub(crate) use near::nearest;
pub(crate) use program::{add, answer_of_program, check_name, failure_of_program};
pub(crate) use view::View;

/// Every command, in the order in which `help` lists them.
pub(crate) static COMMANDS: &[&Command] = &[
    &help::COMMAND,
    &info::COMMAND,
    &top::COMMAND,
    &count::COMMAND,
    &list::COMMAND,
    &instances::COMMAND,
    &growth::COMMAND,
    &mark::COMMAND,
    &diff::COMMAND,
    &sites::COMMAND,
    &r#where::COMMAND,
    &show::COMMAND,
    &refs::COMMAND,
    &referrers::COMMAND,
    &path::COMMAND,
    &why::COMMAND,
    &suspects::COMMAND,
    &leaks::COMMAND,
    &cycles::COMMAND,
    &forgotten::COMMAND,
    &graph::COMMAND,
    &waste::COMMAND,
    &threads::COMMAND,
    &tasks::COMMAND,
    &set::COMMAND,
    &track::COMMAND,
    &resume::COMMAND,
    &quit::COMMAND,
    &abort::COMMAND,
    &panic::COMMAND,
];
