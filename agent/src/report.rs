//! What a command answers: tables, trees and notes as plain data. Rendering is another room's.

use std::time::{Duration, SystemTime};

use crate::heap::{Address, Confidence, Gap};

/// The answer of one command.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The command that answers, by its full name.
    pub command: &'static str,
    /// What stands above the table.
    pub head: Vec<String>,
    /// The columns of `rows`. A column's key is its name in JSON, its title what a person reads.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Sums over everything, not over the rows shown alone: key and value.
    pub total: Vec<(&'static str, Value)>,
    /// What stands below the table: how many rows were cut, what to try next.
    pub notes: Vec<String>,
    /// What could not be known.
    pub gaps: Vec<Gap>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its key in JSON.
    pub key: &'static str,
    /// Its title for people; empty for a column that JSON alone has.
    pub title: &'static str,
    /// Whether it may be cut to fit the terminal (the one with the names).
    pub flexible: bool,
}

impl Column {
    /// A column of figures, as wide as it needs.
    pub const fn new(key: &'static str, title: &'static str) -> Self {
        Column {
            key,
            title,
            flexible: false,
        }
    }

    /// The column that gives way when the terminal is narrow.
    pub const fn flexible(key: &'static str, title: &'static str) -> Self {
        Column {
            key,
            title,
            flexible: true,
        }
    }
}

/// A row, and what hangs below it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One value a column.
    pub cells: Vec<Value>,
    /// Rows of the same columns, indented below it; `children` in JSON.
    pub children: Vec<Row>,
}

impl Row {
    /// A row with nothing below it.
    pub fn new(cells: impl Into<Vec<Value>>) -> Self {
        Row {
            cells: cells.into(),
            children: Vec::new(),
        }
    }
}

/// A value in a cell. The unit is part of the kind, so that each face can write it as its readers expect.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: an empty cell, `null` in JSON.
    None,
    /// Words.
    Text(String),
    /// A number of things.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// A share of the whole, from 0 to 1.
    Share(f64),
    /// An address, `"0x…"` in JSON.
    Address(Address),
    /// A span of time; seconds in JSON.
    Span(Duration),
    /// A change in a number of things.
    DeltaCount(i64),
    /// A change in bytes.
    DeltaBytes(i64),
    /// How sure the row is.
    Confidence(Confidence),
    /// Yes or no.
    Flag(bool),
    /// An object within a value, for JSON's sake: names and values.
    List(Vec<Value>),
}

/// What every answer of one look has in common.
#[derive(Clone, Debug)]
pub struct Capture {
    /// When the program stopped.
    pub time: SystemTime,
    /// Whether it stands still.
    pub frozen: bool,
    /// Its process id.
    pub pid: u32,
}
