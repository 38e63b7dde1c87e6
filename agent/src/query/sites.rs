//! `sites`: the call stacks that allocated what is live.

use std::collections::HashMap;

use super::rows::{self, ALL, N, left_out};
use super::stack;
use super::stack::{frames, id_value, label, lines, value};
use super::subject::Subject;
use super::types::{Types, sample_column, sample_value, share, type_value};
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::{Host, SiteId};
use crate::report::{Column, Object, Report, Row, Value};
use crate::trend::Group;

pub(crate) static COMMAND: Command = Command {
    name: "sites",
    aliases: &["s"],
    summary: "the call stacks that allocated what is live",
    help: "One row a call stack, the one with most live bytes first, with the types of its blocks; of all blocks, or of those \
           that PATTERN means (see `list`). The stack stands below its row, innermost frame first: the program's own \
           frames, with those of libraries and the runtime folded. `where #3` shows the libraries' of the third one, too, \
           and `--full` every frame.",
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: Kind::Pattern,
            optional: true,
            help: "which types; all unless given",
        },
        N,
    ],
    flags: &[ALL],
    examples: &[
        Example {
            line: "sites",
            says: "the heaviest call stacks",
        },
        Example {
            line: "sites String 3",
            says: "where most strings come from",
        },
        Example {
            line: "sites * --json",
            says: "for a program",
        },
    ],
    from: "Pympler's creation traces, heaptrack, dhat",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

/// Types named in a row.
const TYPES: usize = 3;

/// What is asked.
struct Ask {
    subject: Subject,
    rows: usize,
    /// The screen's lines that the rows may take; none where `rows` alone decides.
    lines: Option<usize>,
    full: bool,
}

/// The blocks of one site.
struct Sum {
    site: SiteId,
    count: u64,
    bytes: u64,
    sample: u64,
    /// Places in the look's types, heaviest first.
    kinds: Vec<usize>,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let ask = Ask::read(view, typed)?;
    let types = view.types();
    let mut sums = sums(&types, &ask);
    let all = sums.len();
    let total = total(&sums);
    let sample = sums.iter().map(|sum| sum.sample).sum();
    let rows = rows_shown(view, &types, &sums, &ask);
    sums.truncate(rows.len());
    Ok(Report {
        command: COMMAND.name,
        columns: columns(sample),
        rows,
        objects: sums.iter().map(|sum| Object::Site(sum.site)).collect(),
        total,
        notes: [
            ask.subject.none_found(all as u64, None),
            left_out((all - sums.len()) as u64, "call stack"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        gaps: view.gaps(),
        ..Report::default()
    })
}

fn columns(sample: u64) -> Vec<Column> {
    vec![
        Column::new("bytes", "bytes"),
        Column::new("share", "%"),
        Column::new("count", "count"),
        sample_column(sample),
        Column::flexible("types", "types"),
        Column::new("site", ""),
        Column::new("site_id", ""),
        Column::new("stack", ""),
    ]
}

impl Ask {
    fn read(view: &mut View<'_>, typed: &Typed) -> Result<Self, Error> {
        let (rows, words) = typed.split_number();
        Ok(Ask {
            subject: Subject::read(view, words)?.by_site(view),
            rows: rows::rows(view, rows, typed),
            lines: rows::lines_for_rows(view, rows, typed),
            full: typed.full(),
        })
    }
}

fn sums(types: &Types, ask: &Ask) -> Vec<Sum> {
    let meant = ask.subject.groups(types);
    let mut sums: HashMap<SiteId, Sum> = HashMap::new();
    for (i, group) in types.counts.groups.iter().enumerate() {
        if meant[i] {
            let sum = sums.entry(group.site).or_insert(Sum {
                site: group.site,
                count: 0,
                bytes: 0,
                sample: 0,
                kinds: Vec::new(),
            });
            sum.add(group, types.place_of(i));
        }
    }
    let mut sums: Vec<Sum> = sums.into_values().collect();
    sums.sort_unstable_by_key(|sum| (std::cmp::Reverse(sum.bytes), sum.site));
    sums
}

impl Sum {
    fn add(&mut self, group: &Group, kind: usize) {
        self.count += group.count;
        self.bytes += group.bytes;
        self.sample += group.sample;
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }
}

/// As many rows as fit, each with its stack.
fn rows_shown(view: &mut View<'_>, types: &Types, sums: &[Sum], ask: &Ask) -> Vec<Row> {
    /// However many lines they take.
    const FEWEST: usize = 3;
    let mut left = ask.lines.unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    for sum in sums.iter().take(ask.rows) {
        let row = row(view, types, sum, ask.full);
        let taken = 1 + row.below.len();
        if taken > left && rows.len() >= FEWEST {
            break;
        }
        left = left.saturating_sub(taken);
        rows.push(row);
    }
    rows
}

fn row(view: &mut View<'_>, types: &Types, sum: &Sum, full: bool) -> Row {
    let stack = frames(view, sum.site);
    let kinds = sum.kinds.iter().map(|place| &types.kinds[*place].name);
    let mut named: Vec<Value> = kinds
        .take(TYPES)
        .map(|name| type_value(name, full))
        .collect();
    if sum.kinds.len() > TYPES {
        named.push(Value::Text(format!("{} more", sum.kinds.len() - TYPES)));
    }
    let most = if full {
        stack::ALL
    } else {
        view.settings.frames as usize
    };
    Row {
        below: lines(&stack, view.site(sum.site), most, full),
        ..Row::new([
            Value::Bytes(sum.bytes),
            Value::Share(share(sum.bytes, types.counts.bytes())),
            Value::Count(sum.count),
            sample_value(sum.sample),
            Value::List(named),
            Value::Text(label(&stack, full)),
            id_value(sum.site),
            value(&stack),
        ])
    }
}

fn total(sums: &[Sum]) -> Vec<(&'static str, Value)> {
    vec![
        (
            "bytes",
            Value::Bytes(sums.iter().map(|sum| sum.bytes).sum()),
        ),
        (
            "count",
            Value::Count(sums.iter().map(|sum| sum.count).sum()),
        ),
        ("sites", Value::Count(sums.len() as u64)),
    ]
}
