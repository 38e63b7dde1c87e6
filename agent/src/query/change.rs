//! What changed between two moments, by type: what `growth` and `diff` have in common.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::rows;
use super::types::{Kind, Past, legend, sample_column, sample_value, type_value};
use super::{Error, Flag, Typed, View};
use crate::heap::Gap;
use crate::report::{Column, Object, Report, Row, Value, count};

/// A type and how it changed.
#[derive(Debug)]
pub(crate) struct Change {
    /// The type as it is at the later moment, with no blocks where all are gone.
    pub(crate) kind: Kind,
    /// Blocks more, or fewer.
    pub(crate) count: i64,
    /// Bytes more, or fewer.
    pub(crate) bytes: i64,
}

/// Every type of two moments, what grew most first.
pub(crate) fn changes<'k>(
    now: impl IntoIterator<Item = &'k Kind>,
    before: &HashMap<Rc<str>, Kind>,
) -> Vec<Change> {
    let mut gone = before.clone();
    let change = |kind: &Kind| {
        gone.remove(&kind.name.full);
        Change::new(kind.clone(), before.get(&kind.name.full))
    };
    let mut changes: Vec<Change> = now.into_iter().map(change).collect();
    let gone = gone.into_values();
    changes.extend(gone.map(|kind| Change::new(Kind::new(kind.name.clone()), Some(&kind))));
    most_first(&mut changes);
    changes
}

/// In order of the bytes by which they grew.
pub(crate) fn most_first(changes: &mut [Change]) {
    changes.sort_by_cached_key(|change| {
        let name = change.kind.name.full.clone();
        (Reverse(change.bytes), Reverse(change.count), name)
    });
}

impl Change {
    fn new(kind: Kind, before: Option<&Kind>) -> Self {
        let (count, bytes) = before.map_or((0, 0), |before| (before.count, before.bytes));
        Change {
            count: kind.count.wrapping_sub(count) as i64,
            bytes: kind.bytes.wrapping_sub(bytes) as i64,
            kind,
        }
    }

    /// Whether there is more of it, in bytes, or in blocks of no more bytes.
    pub(crate) fn grew(&self) -> bool {
        self.bytes > 0 || (self.bytes == 0 && self.count > 0)
    }
}

/// The flag of all commands that show changes.
pub(crate) const ALL: Flag = Flag {
    help: "every type, also those that shrank or stayed",
    ..rows::ALL
};

/// How much to show.
pub(crate) struct Ask {
    rows: usize,
    all: bool,
    full: bool,
    /// Whether more blocks are growth, whatever their bytes.
    by_count: bool,
    /// What was typed, for the hint how to see more.
    line: String,
}

impl Ask {
    /// What was typed, with the words that are no number of rows.
    pub(crate) fn read(view: &View<'_>, command: &str, typed: &Typed) -> (Self, Vec<String>) {
        let (rows, words) = typed.split_number();
        let mut line = vec![command.to_owned()];
        line.extend(words.iter().cloned());
        let ask = Ask {
            rows: rows::rows(view, rows, typed),
            all: typed.has(ALL.name),
            full: typed.full(),
            by_count: false,
            line: line.join(" "),
        };
        (ask, words.to_vec())
    }

    /// The same, typed with a flag.
    pub(crate) fn with(self, flag: &str) -> Self {
        Ask {
            line: format!("{} {flag}", self.line),
            ..self
        }
    }

    /// The same, for which more blocks are growth, whatever their bytes.
    pub(crate) fn by_count(self) -> Self {
        Ask {
            by_count: true,
            ..self
        }
    }

    fn shows(&self, change: &Change) -> bool {
        match self.by_count {
            _ if self.all => true,
            true => change.count > 0,
            false => change.grew(),
        }
    }

    /// The same, with every word typed taken as a word.
    pub(crate) fn all_words(self, view: &View<'_>, command: &str, typed: &Typed) -> Self {
        Ask {
            rows: rows::rows(view, None, typed),
            line: format!("{command} {}", typed.words.join(" ")),
            ..self
        }
    }

    /// That the words make no sense.
    pub(crate) fn refuse(typed: &Typed, words: &[String]) -> Result<(), Error> {
        match words.first() {
            None => Ok(()),
            Some(word) => Err(typed.wrong(format!("`{word}` is no number of rows"))),
        }
    }
}

/// The columns of changes; the figures of the later moment may be estimates.
pub(crate) fn columns(sample: u64) -> Vec<Column> {
    vec![
        Column::flexible("type", "type"),
        Column::new("confidence", "~"),
        Column::new("delta_count", "count +/-"),
        Column::new("count", "count").spare(),
        Column::new("delta_bytes", "bytes +/-"),
        Column::new("bytes", "bytes").spare(),
        sample_column(sample),
    ]
}

/// The changes as a command's answer: those that grew, or all. `since` ends the sentence about them: `look 2`.
pub(crate) fn report(
    command: &'static str,
    since: &str,
    changes: &[Change],
    ask: &Ask,
    gaps: Vec<Gap>,
) -> Report {
    let mut shown: Vec<_> = changes.iter().filter(|c| ask.shows(c)).collect();
    let (all, meant) = (changes.len(), shown.len());
    shown.truncate(ask.rows);
    let object = |change: &&Change| Object::Type(change.kind.name.full.clone());
    Report {
        command,
        head: vec![match meant {
            0 => format!("Nothing grew {since}."),
            _ => capitalised(since) + ":",
        }],
        columns: columns(changes.iter().map(|change| change.kind.sample).sum()),
        rows: shown.iter().map(|change| row(change, ask.full)).collect(),
        objects: shown.iter().map(object).collect(),
        total: total(changes),
        notes: notes(&shown, meant, all, ask),
        gaps,
        ..Report::default()
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn row(change: &Change, full: bool) -> Row {
    Row::new([
        type_value(&change.kind.name, full),
        Value::Confidence(change.kind.name.confidence),
        Value::DeltaCount(change.count),
        Value::Count(change.kind.count),
        Value::DeltaBytes(change.bytes),
        Value::Bytes(change.kind.bytes),
        sample_value(change.kind.sample),
    ])
}

fn total(changes: &[Change]) -> Vec<(&'static str, Value)> {
    let sum = |of: fn(&Change) -> u64| changes.iter().map(of).sum();
    let delta = |of: fn(&Change) -> i64| changes.iter().map(of).sum();
    vec![
        ("delta_count", Value::DeltaCount(delta(|c| c.count))),
        ("count", Value::Count(sum(|c| c.kind.count))),
        ("delta_bytes", Value::DeltaBytes(delta(|c| c.bytes))),
        ("bytes", Value::Bytes(sum(|c| c.kind.bytes))),
        ("types", Value::Count(changes.len() as u64)),
    ]
}

fn notes(shown: &[&Change], meant: usize, all: usize, ask: &Ask) -> Vec<String> {
    let mut notes = Vec::new();
    let line = &ask.line;
    let left = meant - shown.len();
    if left > 0 {
        let left = count(left as u64, "type");
        let flag = if ask.all { " --all" } else { "" };
        notes.push(format!(
            "{left} not shown: `{line} {meant}{flag}` shows them"
        ));
    }
    if all > meant {
        let rest = count((all - meant) as u64, "type");
        notes.push(format!("{rest} shrank or stayed: `{line} --all`"));
    }
    notes.extend(legend(shown.iter().map(|change| &change.kind.name)));
    notes
}

/// How long ago a moment was, as words: `42 s before this one`.
pub(crate) fn ago(past: &Past) -> String {
    if past.ago_ns == 0 {
        return "which is now".to_owned();
    }
    let ago = Value::Span(Duration::from_nanos(past.ago_ns));
    format!("{ago} before this one")
}

/// What could not be known of earlier counts, beside what could not be known of this look. `whose` says whose counts:
/// `look 2`.
pub(crate) fn gaps<'p>(
    view: &View<'_>,
    pasts: impl IntoIterator<Item = (&'p str, &'p Past)>,
) -> Vec<Gap> {
    let mut gaps = view.gaps();
    for (whose, past) in pasts {
        if past.lost > 0 {
            gaps.push(Gap::new(
                format!("types of {} counted by {whose}", Value::Bytes(past.lost)),
                "their call stacks cannot be told any more",
            ));
        }
        if past.sample > 0 {
            let sample = count(past.sample, "recorded block");
            gaps.push(Gap::new(
                format!("exact counts of {whose}"),
                format!("tracking was sampled, and some of them are estimates from {sample}"),
            ));
        }
        if past.unknown > 0 {
            gaps.push(Gap::new(
                format!(
                    "{} that lived at {whose} without a record",
                    Value::Bytes(past.unknown)
                ),
                "what took its place since has a record, and so turnover looks like growth",
            ));
        }
        if past.folded {
            gaps.push(Gap::new(
                format!("exact types of what {whose} counted"),
                "it had more kinds of blocks than there is room to hand on, and counted them by call stack",
            ));
        }
    }
    gaps
}
