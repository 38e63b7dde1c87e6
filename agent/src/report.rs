//! What a command answers: tables, trees and notes as plain data. Rendering is another room's.

use std::rc::Rc;
use std::time::SystemTime;

use crate::heap::{Address, Gap, SiteId};

mod graph;
mod value;

pub(crate) use graph::{Arrow, Graph, Node, NodeKind, Picture, is_picture};
pub(crate) use value::{Value, count};

/// The answer of one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// The command that answers, by its full name.
    pub(crate) command: &'static str,
    /// What stands above the table.
    pub(crate) head: Vec<String>,
    /// The columns of `rows`. A column's key is its name in JSON, its title what a person reads.
    pub(crate) columns: Vec<Column>,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// What each row stands for, one an entry of `rows`: the rows are numbered from 1 for people, and `#3` stands for
    /// the third of these in the next command. Empty where rows stand for nothing.
    pub(crate) objects: Vec<Object>,
    /// Sums over everything, not over the rows shown alone: key and value. People see those whose key is a column's,
    /// below that column.
    pub(crate) total: Vec<(&'static str, Value)>,
    /// What stands below the table: how many rows were cut, what to try next.
    pub(crate) notes: Vec<String>,
    /// What could not be known.
    pub(crate) gaps: Vec<Gap>,
    /// The same as a picture, where there is one.
    pub(crate) picture: Option<Picture>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its key in JSON.
    pub(crate) key: &'static str,
    /// Its title for people; empty for a column that JSON alone has.
    pub(crate) title: &'static str,
    /// Whether it may be cut to fit the terminal (the one with the names).
    pub(crate) flexible: bool,
    /// Whether what is too long goes on in the next line: prose, of which nothing may be lost.
    pub(crate) wraps: bool,
    /// Whether it is left out where the terminal is too narrow for all; the last goes first.
    pub(crate) spare: bool,
}

impl Column {
    /// A column of figures, as wide as it needs.
    pub(crate) const fn new(key: &'static str, title: &'static str) -> Self {
        Column {
            key,
            title,
            flexible: false,
            wraps: false,
            spare: false,
        }
    }

    /// The column that gives way when the terminal is narrow.
    pub(crate) const fn flexible(key: &'static str, title: &'static str) -> Self {
        Column {
            key,
            title,
            flexible: true,
            wraps: false,
            spare: false,
        }
    }

    /// A column of prose, which goes on below where it is too long.
    pub(crate) const fn prose(key: &'static str, title: &'static str) -> Self {
        Column {
            wraps: true,
            ..Column::flexible(key, title)
        }
    }

    /// The same, left out where the terminal is too narrow.
    pub(crate) const fn spare(self) -> Self {
        Column {
            spare: true,
            ..self
        }
    }
}

/// A row, and what hangs below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// One value a column.
    pub(crate) cells: Vec<Value>,
    /// Lines for people below it: a stack. JSON has them in a column without a title.
    pub(crate) below: Vec<Line>,
    /// Rows of the same columns, indented below it; `children` in JSON.
    pub(crate) children: Vec<Row>,
}

impl Row {
    /// A row with nothing below it.
    pub(crate) fn new(cells: impl Into<Vec<Value>>) -> Self {
        Row {
            cells: cells.into(),
            below: Vec::new(),
            children: Vec::new(),
        }
    }
}

/// A line below a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it says.
    pub(crate) text: String,
    /// Whether it matters less than the others.
    pub(crate) dim: bool,
}

/// What a numbered row stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// The block at this address.
    Block(Address),
    /// Every block of the type with this whole name; empty for those without one.
    Type(Rc<str>),
    /// Every block of this site.
    Site(SiteId),
    /// The threads with these ids.
    Threads(Rc<[u32]>),
    /// A place outside the blocks that holds some, by its name.
    Root(Rc<str>),
}

impl Object {
    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Object::Block(_) => "a block",
            Object::Type(_) => "a type",
            Object::Site(_) => "a call stack",
            Object::Threads(_) => "a thread",
            Object::Root(_) => "a root, not a block",
        }
    }
}

/// What every answer of one look has in common.
#[derive(Clone, Debug)]
pub(crate) struct Capture {
    /// When the program stopped.
    pub(crate) time: SystemTime,
    /// Whether it stands still.
    pub(crate) frozen: bool,
    /// Its process id.
    pub(crate) pid: u32,
}
