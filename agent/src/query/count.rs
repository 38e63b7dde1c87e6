//! `count`: how many blocks there are of a type, and how many bytes.

use super::filter::Filter;
use super::rows::{self, ALL, N, left_out};
use super::subject::Subject;
use super::types::{Kind, Types, legend, sample_column, sample_value, share, type_value};
use super::{Argument, Command, Error, Example, Kind as ArgumentKind, Need, Typed, View, WHERE};
use crate::heap::{Block, Host};
use crate::report::{Column, Object, Report, Row, Value};
use crate::trend::Tally;

pub(crate) static COMMAND: Command = Command {
    name: "count",
    aliases: &["n"],
    summary: "how many blocks of a type there are, and their bytes",
    help: "One row for each type that PATTERN means (see `list`), the one with most bytes first, and the sum of all that it \
           means; shares are of the whole heap. Several patterns count what any of them means, each block once. \
           --where counts only the blocks for which a condition holds (see `help list`).",
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: ArgumentKind::Pattern,
            optional: true,
            help: "which types; all unless given",
        },
        N,
    ],
    flags: &[WHERE, ALL],
    examples: &[
        Example {
            line: "count CacheEntity",
            says: "all owners of that type",
        },
        Example {
            line: "count String Vec<u64>",
            says: "both",
        },
        Example {
            line: "count * --where size < 32",
            says: "small blocks, by type",
        },
    ],
    from: "objgraph's count",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (rows, words) = typed.split_number();
    let rows = rows::rows(view, rows, typed);
    let filter = typed.filter()?;
    let subject = Subject::read(view, words)?;
    let types = view.types();
    let blocks = subject.blocks(view, &types, filter.as_ref());
    let kinds = kinds(&blocks, &types);
    let shown = &kinds[..rows.min(kinds.len())];
    let whole = (types.counts.count(), types.counts.bytes());
    let row = |kind: &Kind| row(kind, whole, typed.full());
    let object = |kind: &Kind| Object::Type(kind.name.full.clone());
    Ok(Report {
        command: COMMAND.name,
        columns: columns(kinds.iter().map(|kind| kind.sample).sum()),
        rows: shown.iter().map(row).collect(),
        // With a condition a row is not all of its type.
        objects: match &filter {
            None => shown.iter().map(object).collect(),
            Some(_) => Vec::new(),
        },
        total: total(&kinds, whole),
        notes: notes(shown, kinds.len(), &subject, filter.as_ref()),
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
        Column::new("largest", "largest").spare(),
        sample_column(sample),
    ]
}

/// The blocks by type, the one with most bytes first.
fn kinds(blocks: &[&Block], types: &Types) -> Vec<Kind> {
    let mut sums = vec![(Tally::default(), 0); types.kinds.len()];
    for block in blocks {
        if let Some(group) = types.index.of(block) {
            let (tally, largest) = &mut sums[types.place_of(group)];
            tally.add(block);
            *largest = block.size.max(*largest);
        }
    }
    let kind = |(kind, (tally, largest)): (&Kind, (Tally, u64))| Kind {
        name: kind.name.clone(),
        count: tally.count(),
        bytes: tally.bytes(),
        largest,
        sample: tally.sample(),
    };
    let mut kinds: Vec<Kind> = types.kinds.iter().zip(sums).map(kind).collect();
    kinds.retain(|kind| kind.count > 0);
    kinds.sort_by(|a, b| (b.bytes, b.count, &a.name.full).cmp(&(a.bytes, a.count, &b.name.full)));
    kinds
}

fn row(kind: &Kind, (count, bytes): (u64, u64), full: bool) -> Row {
    Row::new([
        type_value(&kind.name, full),
        Value::Confidence(kind.name.confidence),
        Value::Count(kind.count),
        Value::Share(share(kind.count, count)),
        Value::Bytes(kind.bytes),
        Value::Share(share(kind.bytes, bytes)),
        Value::Bytes(kind.largest),
        sample_value(kind.sample),
    ])
}

fn total(kinds: &[Kind], (all_count, all_bytes): (u64, u64)) -> Vec<(&'static str, Value)> {
    let count = kinds.iter().map(|kind| kind.count).sum();
    let bytes = kinds.iter().map(|kind| kind.bytes).sum();
    vec![
        ("count", Value::Count(count)),
        ("count_share", Value::Share(share(count, all_count))),
        ("bytes", Value::Bytes(bytes)),
        ("bytes_share", Value::Share(share(bytes, all_bytes))),
        ("types", Value::Count(kinds.len() as u64)),
    ]
}

fn notes(shown: &[Kind], all: usize, subject: &Subject, filter: Option<&Filter>) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(subject.none_found(all as u64, filter));
    let left = all - shown.len();
    notes.extend(left_out(left as u64, "type"));
    notes.extend(legend(shown.iter().map(|kind| &kind.name)));
    notes
}
