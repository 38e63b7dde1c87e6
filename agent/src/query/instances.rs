//! `instances`: values by type wherever they live, not only in blocks of their own.

use std::cmp::Reverse;
use std::rc::Rc;

use super::pattern::Pattern;
use super::rows::{self, N, left_out};
use super::values::{self, Kind};
use super::{Argument, Command, Error, Example, Flag, Kind as ArgumentKind, Need, Typed, View};
use crate::heap::{Confidence, Host, TypeName, Written};
use crate::report::{Column, Report, Row, Value};
use crate::walk::Wanted;

pub(crate) static COMMAND: Command = Command {
    name: "instances",
    aliases: &[],
    summary: "values by type wherever they live, inline too",
    help: "Most values of a Rust program have no block of their own: 5,000 sessions in a `HashMap<u64, Session>` are one block, \
           and here 5,000 of `Session`. Counted are values in blocks of their own, and inline ones: fields of structs, \
           however deep, elements of vectors and deques as far as they are in use, entries of maps and sets, what the \
           variant holds that an enum is in, locals of futures, statics and thread-locals. A value in a value counts for \
           both types, so that bytes do not add up; they are those of the values themselves, not of what they point at. \
           Without a PATTERN numbers, pointers, options and what the standard library's types are made of are left out: \
           --all counts them, too.",
    more: &[
        "How much of a buffer is in use its owner says. Where no owner's type is known, and in blocks without a type, \
         nothing is counted, and the answer says how many bytes that are. `list PATTERN --instances` shows them one by one.",
    ],
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: ArgumentKind::Pattern,
            optional: true,
            help: "which types; all unless given",
        },
        N,
    ],
    flags: &[
        Flag {
            name: "--by",
            values: &["bytes", "count"],
            help: "what to order by; bytes unless given",
        },
        Flag {
            name: "--all",
            values: &[],
            help: "every row, numbers and parts of library types, too",
        },
    ],
    examples: &[
        Example {
            line: "instances",
            says: "the types with most bytes",
        },
        Example {
            line: "instances 5 --by count",
            says: "the five most common ones",
        },
        Example {
            line: "instances *Entity*",
            says: "those of that name",
        },
    ],
    from: "objgraph's show_most_common_types",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (rows, words) = typed.split_number();
    let rows = rows::rows(view, rows, typed);
    let pattern = (!words.is_empty()).then(|| Pattern::read(&words.join(" ")));
    let wanted = Wanted {
        // Who names a type has a reason to.
        all: typed.has("--all") || pattern.is_some(),
        rooms: false,
    };
    let census = view.census(wanted);
    let mut kinds = view.kinds_of(&census);
    if let Some(pattern) = &pattern {
        kinds.retain(|kind| matches(pattern, &kind.name));
    }
    if typed.value("--by") == Some("count") {
        kinds.sort_by_key(|kind| Reverse(kind.count()));
    }
    let all = kinds.len();
    kinds.truncate(rows);
    let left = all - kinds.len();
    let none = (all == 0).then(|| "No value of such a type is there.".to_owned());
    Ok(Report {
        command: COMMAND.name,
        columns: COLUMNS.to_vec(),
        rows: kinds.iter().map(|kind| row(kind, typed.full())).collect(),
        total: vec![("types", Value::Count(all as u64))],
        notes: none
            .into_iter()
            .chain(left_out(left as u64, "type"))
            .chain(next(&kinds))
            .collect(),
        gaps: values::gaps(view, &census.unread),
        ..Report::default()
    })
}

static COLUMNS: [Column; 6] = [
    Column::flexible("type", "type"),
    Column::new("count", "count"),
    Column::new("inline", "inline"),
    Column::new("own", "in own block"),
    Column::new("size", "size").spare(),
    Column::new("bytes", "bytes"),
];

/// Whether a pattern means a type by this name.
pub(super) fn matches(pattern: &Pattern, name: &Written) -> bool {
    pattern.matches(&TypeName {
        full: Rc::clone(&name.full),
        short: Rc::clone(&name.short),
        payload: Rc::default(),
        confidence: Confidence::Likely,
    })
}

fn row(kind: &Kind, full: bool) -> Row {
    Row::new([
        name_value(&kind.name, full),
        Value::Count(kind.count()),
        Value::Count(kind.inline),
        Value::Count(kind.own),
        Value::Bytes(kind.size),
        Value::Bytes(kind.bytes()),
    ])
}

/// A type's name as a value.
pub(super) fn name_value(name: &Written, full: bool) -> Value {
    Value::Name {
        short: Rc::clone(if full { &name.full } else { &name.short }),
        full: Rc::clone(&name.full),
    }
}

/// What to ask next: for the program's own type with most values.
fn next(kinds: &[Kind]) -> Option<String> {
    let own = kinds
        .iter()
        .find(|kind| kind.name.full.contains("::") && !kind.name.full.contains(['<', ' ', '{']))?;
    let short = &own.name.short;
    Some(format!(
        "Next: `list {short} --instances` shows where they are."
    ))
}
