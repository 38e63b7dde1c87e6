//! `top`: the types that fill the heap.

use super::info::of_what;
use super::rows::{self, ALL, N, left_out};
use super::types::{Kind, Types, legend, sample_column, sample_value, share, type_value};
use super::{Command, Error, Example, Flag, Need, Typed, View};
use crate::heap::{Confidence, Host, Snapshot};
use crate::report::{Column, Object, Report, Row, Value};

pub(crate) static COMMAND: Command = Command {
    name: "top",
    aliases: &["t"],
    summary: "the types that fill the heap",
    help: "One row a type, the heaviest first: how many blocks there are, their share, their bytes, the share of those, \
           the shares so far, and the largest block. Blocks whose type could not be told are one row, `unknown`; \
           `sites unknown` shows where they come from. The total is of all types, not of the rows shown.",
    arguments: &[N],
    flags: &[
        Flag {
            name: "--by",
            values: &["bytes", "count"],
            help: "what to order by; bytes unless given",
        },
        ALL,
    ],
    examples: &[
        Example {
            line: "top",
            says: "the heaviest types",
        },
        Example {
            line: "top 5 --by count",
            says: "the five most common ones",
        },
        Example {
            line: "top --all --json",
            says: "all of them, for a program",
        },
    ],
    from: "objgraph's show_most_common_types, Meliae's summarize",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

/// What is asked.
struct Ask {
    rows: usize,
    by_count: bool,
    full: bool,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let ask = Ask::read(view, typed)?;
    let types = view.types();
    let mut kinds: Vec<&Kind> = types.kinds.iter().collect();
    if ask.by_count {
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    }
    let shown = &kinds[..ask.rows.min(kinds.len())];
    Ok(Report {
        command: COMMAND.name,
        columns: columns(types.counts.sample()),
        rows: rows(shown, &types, &ask),
        objects: objects(shown),
        total: total(&types),
        notes: notes(shown, &types, view.snapshot),
        gaps: view.gaps(),
        ..Report::default()
    })
}

fn columns(sample: u64) -> Vec<Column> {
    vec![
        Column::flexible("type", "type"),
        Column::new("confidence", "~"),
        Column::new("count", "count"),
        Column::new("count_share", "%").spare(),
        Column::new("bytes", "bytes"),
        Column::new("bytes_share", "%"),
        Column::new("cumulative_share", "sum %").spare(),
        Column::new("largest", "largest").spare(),
        sample_column(sample),
        Column::new("rank", ""),
    ]
}

impl Ask {
    fn read(view: &View<'_>, typed: &Typed) -> Result<Self, Error> {
        let (rows, rest) = typed.split_number();
        if let Some(word) = rest.first() {
            return Err(typed.wrong(format!("`{word}` is no number of rows")));
        }
        Ok(Ask {
            rows: rows::rows(view, rows, typed),
            by_count: typed.value("--by") == Some("count"),
            full: typed.full(),
        })
    }
}

fn rows(kinds: &[&Kind], types: &Types, ask: &Ask) -> Vec<Row> {
    let (count, bytes) = (types.counts.count(), types.counts.bytes());
    let mut so_far = 0;
    let row = |(rank, kind): (usize, &&Kind)| {
        so_far += if ask.by_count { kind.count } else { kind.bytes };
        let whole = if ask.by_count { count } else { bytes };
        Row::new([
            type_value(&kind.name, ask.full),
            Value::Confidence(kind.name.confidence),
            Value::Count(kind.count),
            Value::Share(share(kind.count, count)),
            Value::Bytes(kind.bytes),
            Value::Share(share(kind.bytes, bytes)),
            Value::Share(share(so_far, whole)),
            Value::Bytes(kind.largest),
            sample_value(kind.sample),
            Value::Count(rank as u64 + 1),
        ])
    };
    kinds.iter().enumerate().map(row).collect()
}

fn objects(kinds: &[&Kind]) -> Vec<Object> {
    let object = |kind: &&Kind| Object::Type(kind.name.full.clone());
    kinds.iter().map(object).collect()
}

fn total(types: &Types) -> Vec<(&'static str, Value)> {
    vec![
        ("count", Value::Count(types.counts.count())),
        ("bytes", Value::Bytes(types.counts.bytes())),
        ("types", Value::Count(types.kinds.len() as u64)),
        ("sample", sample_value(types.counts.sample())),
        ("typed_share", Value::Share(types.share(Confidence::Guess))),
    ]
}

fn notes(shown: &[&Kind], types: &Types, snapshot: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    let left = types.kinds.len() - shown.len();
    notes.extend(left_out(left as u64, "type"));
    let typed = Value::Share(types.share(Confidence::Guess));
    let what = of_what(snapshot, types);
    notes.push(format!("{typed} % of the {what} bytes have a type"));
    notes.extend(legend(shown.iter().map(|kind| &kind.name)));
    notes
}
