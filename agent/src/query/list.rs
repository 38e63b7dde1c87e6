//! `list`: the blocks of a type, one by one.

use std::cmp::Reverse;

use super::stack::{frames, id_value, label};
use super::types::{Types, legend, type_value};
use super::view::{Subject, age};
use super::{Argument, Command, Error, Example, Flag, Kind, Need, Typed, View};
use crate::heap::{Block, Host, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "list",
    aliases: &["l"],
    summary: "the blocks of a type, one by one",
    help: "One row a block, the largest first, or the oldest with --by age. PATTERN is the name of a type, which stands for \
           it whoever owns it (`CacheEntity` finds `Arc<CacheEntity>` and `Vec<CacheEntity>`), `=Arc<CacheEntity>` for \
           that type alone, a glob (`*Entity*`), `unknown`, or the number of a row of the last table. Rows are numbered: \
           `where #3` shows how the third one came to be.",
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: Kind::Pattern,
            optional: false,
            help: "which types",
        },
        Argument {
            name: "N",
            kind: Kind::Number,
            optional: true,
            help: "how many rows; 20 unless given",
        },
    ],
    flags: &[Flag {
        name: "--by",
        values: &["size", "age"],
        help: "what to order by; size unless given",
    }],
    examples: &[
        Example {
            line: "list String",
            says: "the 20 largest strings",
        },
        Example {
            line: "list * 5 --by age",
            says: "the five oldest blocks of all",
        },
        Example {
            line: "list =Vec<u64>",
            says: "that type alone",
        },
    ],
    from: "objgraph's by_type, Meliae's get_all",
    needs: &[Need::Tracking],
    run,
    ..Command::PLAIN
};

/// What is asked.
struct Ask {
    pattern: String,
    rows: usize,
    by_age: bool,
    full: bool,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let ask = Ask::read(view, typed)?;
    let subject = view.subject(&ask.pattern)?;
    let types = view.types();
    let mut blocks = blocks(view, &types, &subject);
    let all = blocks.len() as u64;
    let bytes = blocks.iter().map(|block| block.size).sum();
    keep_first(&mut blocks, &ask);
    let named: Vec<_> = blocks.iter().map(|block| types.name_of(block)).collect();
    let row = |(block, name): (&&Block, &TypeName)| row(view, block, name, ask.full);
    Ok(Report {
        command: COMMAND.name,
        columns: COLUMNS.to_vec(),
        rows: blocks.iter().zip(&named).map(row).collect(),
        objects: blocks.iter().map(|b| Object::Block(b.address)).collect(),
        total: total(all, bytes),
        notes: notes(all, &blocks, &named),
        gaps: view.gaps(),
        ..Report::default()
    })
}

static COLUMNS: [Column; 8] = [
    Column::new("address", "address"),
    Column::new("size", "size"),
    Column::new("age_s", "age"),
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::flexible("site", "allocated in").spare(),
    Column::new("site_id", ""),
    Column::new("moving", ""),
];

impl Ask {
    fn read(view: &View<'_>, typed: &Typed) -> Result<Self, Error> {
        let (rows, pattern) = typed.split_number();
        if pattern.is_empty() {
            return Err(typed.wrong("which type?"));
        }
        Ok(Ask {
            pattern,
            rows: view.rows(rows, 20),
            by_age: typed.value("--by") == Some("age"),
            full: typed.full(),
        })
    }
}

fn blocks<'a>(view: &View<'a>, types: &Types, subject: &Subject) -> Vec<&'a Block> {
    let groups = types.counts.groups.iter().enumerate();
    let meant: Vec<bool> = groups
        .map(|(i, group)| match subject {
            Subject::Pattern(pattern) => pattern.matches(&types.kind_of(i).name),
            Subject::Site(site) => group.site == *site,
            Subject::Block(_) => true,
        })
        .collect();
    let one = |block: &&Block| !matches!(subject, Subject::Block(at) if block.address != *at);
    let of_group = |block: &&Block| types.index.of(block).is_some_and(|group| meant[group]);
    let blocks = view.snapshot.blocks.iter();
    blocks.filter(one).filter(of_group).collect()
}

/// Keeps the rows to show, in order, without sorting the others.
fn keep_first(blocks: &mut Vec<&Block>, ask: &Ask) {
    let oldest = |block: &&Block| (block.birth, block.address);
    let largest = |block: &&Block| (Reverse(block.size), block.address);
    if ask.rows < blocks.len() {
        match ask.by_age {
            true => _ = blocks.select_nth_unstable_by_key(ask.rows, oldest),
            false => _ = blocks.select_nth_unstable_by_key(ask.rows, largest),
        }
        blocks.truncate(ask.rows);
    }
    match ask.by_age {
        true => blocks.sort_unstable_by_key(oldest),
        false => blocks.sort_unstable_by_key(largest),
    }
}

/// `size` for people, below its column; `bytes` for programs, as every sum of sizes is called.
fn total(count: u64, bytes: u64) -> Vec<(&'static str, Value)> {
    vec![
        ("count", Value::Count(count)),
        ("size", Value::Bytes(bytes)),
        ("bytes", Value::Bytes(bytes)),
    ]
}

fn row(view: &mut View<'_>, block: &Block, name: &TypeName, full: bool) -> Row {
    let stack = frames(view, block.site);
    Row::new([
        Value::Address(block.address),
        Value::Bytes(block.size),
        age(view.snapshot, block),
        type_value(name, full),
        Value::Confidence(name.confidence),
        label(&stack),
        id_value(block.site),
        Value::Flag(block.moving),
    ])
}

fn notes(all: u64, shown: &[&Block], named: &[TypeName]) -> Vec<String> {
    let mut notes = Vec::new();
    let left = all - shown.len() as u64;
    if left > 0 {
        notes.push(format!(
            "{} not shown: a number after the pattern shows more",
            count(left, "block")
        ));
    }
    notes.extend(legend(named));
    notes
}
