//! `top`: the types that fill the heap.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

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
           `sites unknown` shows where they come from. The total is of all types, not of the rows shown.\n\
           With `--by retained` there is another column: the bytes that would be freed with all blocks of the type, those \
           that only they hold included. What several types hold together counts for what holds them all, so these do not \
           add up.",
    arguments: &[N],
    flags: &[
        Flag {
            name: "--by",
            values: &["bytes", "count", "retained"],
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
            line: "top --by retained",
            says: "with what would be freed with them",
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
    by: By,
    full: bool,
}

/// What types are ordered by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Bytes,
    Count,
    Retained,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let ask = Ask::read(view, typed)?;
    let types = view.types();
    let mut kinds: Vec<&Kind> = types.kinds.iter().collect();
    let retained = match ask.by {
        By::Retained => retained_by_type(view, &types)?,
        By::Bytes | By::Count => HashMap::new(),
    };
    let retains = |kind: &Kind| retained.get(&kind.name.full).copied();
    match ask.by {
        By::Bytes => {}
        By::Count => kinds.sort_by_key(|kind| Reverse(kind.count)),
        By::Retained => kinds.sort_by_key(|kind| Reverse(retains(kind))),
    }
    let shown = &kinds[..ask.rows.min(kinds.len())];
    Ok(Report {
        command: COMMAND.name,
        columns: columns(types.counts.sample(), ask.by),
        rows: rows(shown, &types, &ask, &retains),
        objects: objects(shown),
        total: total(&types),
        notes: notes(shown, &types, view.snapshot),
        gaps: view.gaps(),
        ..Report::default()
    })
}

/// Bytes that would be freed with all blocks of each type.
fn retained_by_type(view: &mut View<'_>, types: &Types) -> Result<HashMap<Rc<str>, u64>, Error> {
    Need::Every.check("top --by retained", view)?;
    let holders = view.holders();
    let kind_of = |number| {
        let group = types.index.of(view.numbered(number));
        group.map_or(u32::MAX, |group| types.place_of(group) as u32)
    };
    let mut retained = HashMap::new();
    holders.graph.outermost(kind_of, |block| {
        let place = kind_of(block) as usize;
        if let Some(kind) = types.kinds.get(place) {
            *retained.entry(Rc::clone(&kind.name.full)).or_insert(0) +=
                holders.graph.retained(block);
        }
    });
    Ok(retained)
}

fn columns(sample: u64, by: By) -> Vec<Column> {
    let retained = match by {
        By::Retained => Column::new("retained", "retains"),
        By::Bytes | By::Count => Column::new("retained", ""),
    };
    vec![
        Column::flexible("type", "type"),
        Column::new("confidence", "~"),
        retained,
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
            by: match typed.value("--by") {
                Some("count") => By::Count,
                Some("retained") => By::Retained,
                _ => By::Bytes,
            },
            full: typed.full(),
        })
    }
}

fn rows(
    kinds: &[&Kind],
    types: &Types,
    ask: &Ask,
    retains: &dyn Fn(&Kind) -> Option<u64>,
) -> Vec<Row> {
    let by_count = ask.by == By::Count;
    let (count, bytes) = (types.counts.count(), types.counts.bytes());
    let mut so_far = 0;
    let row = |(rank, kind): (usize, &&Kind)| {
        so_far += if by_count { kind.count } else { kind.bytes };
        let whole = if by_count { count } else { bytes };
        Row::new([
            type_value(&kind.name, ask.full),
            Value::Confidence(kind.name.confidence),
            retains(kind).map_or(Value::None, Value::Bytes),
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
