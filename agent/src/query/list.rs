//! `list`: the blocks of a type, one by one.

use std::cmp::Reverse;

use super::each;
use super::filter::{self, Filter};
use super::rows::{self, ALL, N, left_out};
use super::stack::{frames, id_value, short_label};
use super::subject::Subject;
use super::types::{legend, sample_value, type_value};
use super::view::age;
use super::{Argument, Command, Error, Example, Flag, Kind, Need, Typed, View, WHERE};
use crate::heap::{Block, Host, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};
use crate::trend::Tally;

pub(crate) static COMMAND: Command = Command {
    name: "list",
    aliases: &["l"],
    summary: "the blocks of a type, one by one",
    help: "One row a block, the largest first, the oldest with --by age, or with --by retained the ones that most bytes \
           would be freed with. PATTERN is the name of a type, which stands for \
           it whoever owns it (`CacheEntity` finds `Arc<CacheEntity>` and `Vec<CacheEntity>`), `=Arc<CacheEntity>` for \
           that type alone, a glob (`*Entity*`), `unknown`, an address, or the number of a row of the last table; several \
           of them mean what any of them means. Rows are numbered: `where #3` shows how the third one came to be.",
    more: &[filter::HELP],
    arguments: &[
        Argument {
            name: "PATTERN",
            kind: Kind::Pattern,
            optional: true,
            help: "which types; all unless given",
        },
        N,
    ],
    flags: &[
        Flag {
            name: "--by",
            values: &["size", "age", "retained"],
            help: "what to order by; size unless given",
        },
        WHERE,
        Flag {
            name: "--instances",
            values: &[],
            help: "values of the type, inline ones too: the block, and the place in it",
        },
        ALL,
    ],
    examples: &[
        Example {
            line: "list String",
            says: "the largest strings",
        },
        Example {
            line: "list * 5 --by age",
            says: "the five oldest blocks of all",
        },
        Example {
            line: "list CacheEntity --by retained",
            says: "those that hold most",
        },
        Example {
            line: "list CacheEntity --instances",
            says: "also those that lie in other values",
        },
        Example {
            line: "list =Vec<u64> String",
            says: "that type alone, and all strings",
        },
        Example {
            line: "list --where size > 100 && site ~ *insert*",
            says: "blocks of more than 100 bytes made there",
        },
    ],
    from: "objgraph's by_type, Meliae's get_all",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

/// What is asked.
struct Ask {
    subject: Subject,
    filter: Option<Filter>,
    rows: usize,
    by: By,
    full: bool,
}

/// What blocks are ordered by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Size,
    Age,
    Retained,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    if typed.has("--instances") {
        return each::list(view, typed);
    }
    let ask = Ask::read(view, typed)?;
    let types = view.types();
    let mut blocks = ask.subject.blocks(view, &types, ask.filter.as_ref());
    let tally = Tally::of(blocks.iter().copied());
    let holders = match ask.by {
        By::Retained => {
            Need::Every.check("list --by retained", view)?;
            Some(view.holders())
        }
        By::Size | By::Age => None,
    };
    let snapshot = view.snapshot;
    let retained = |block: &Block| {
        let number = snapshot
            .blocks
            .partition_point(|other| other.address < block.address) as u32;
        holders
            .as_ref()
            .map(|holders| holders.graph.retained(number))
    };
    keep_first(&mut blocks, &ask, &retained);
    let named: Vec<_> = blocks.iter().map(|block| types.name_of(block)).collect();
    let row =
        |(block, name): (&&Block, &TypeName)| row(view, block, name, retained(block), ask.full);
    Ok(Report {
        command: COMMAND.name,
        columns: columns(ask.by),
        rows: blocks.iter().zip(&named).map(row).collect(),
        objects: blocks.iter().map(|b| Object::Block(b.address)).collect(),
        total: total(&tally),
        notes: notes(&ask, &tally, &blocks, &named),
        gaps: view.gaps(),
        ..Report::default()
    })
}

fn columns(by: By) -> Vec<Column> {
    vec![
        Column::new("address", "address"),
        Column::new("size", "size"),
        Column::new("retained", if by == By::Retained { "retains" } else { "" }),
        Column::new("age_s", "age"),
        Column::flexible("type", "type"),
        Column::new("confidence", "~"),
        Column::flexible("site", "allocated in").spare(),
        Column::new("site_id", ""),
        Column::new("moving", ""),
    ]
}

impl Ask {
    fn read(view: &mut View<'_>, typed: &Typed) -> Result<Self, Error> {
        let (rows, words) = typed.split_number();
        Ok(Ask {
            filter: typed.filter()?,
            subject: Subject::read(view, words)?,
            rows: rows::rows(view, rows, typed),
            by: match typed.value("--by") {
                Some("age") => By::Age,
                Some("retained") => By::Retained,
                _ => By::Size,
            },
            full: typed.full(),
        })
    }
}

/// Keeps the rows to show, in order, without sorting the others.
fn keep_first(blocks: &mut Vec<&Block>, ask: &Ask, retained: &dyn Fn(&Block) -> Option<u64>) {
    let oldest = |block: &&Block| (block.birth, block.address);
    let largest = |block: &&Block| (Reverse(block.size), block.address);
    let holding = |block: &&Block| (Reverse(retained(block)), block.address);
    if ask.rows < blocks.len() {
        match ask.by {
            By::Age => _ = blocks.select_nth_unstable_by_key(ask.rows, oldest),
            By::Size => _ = blocks.select_nth_unstable_by_key(ask.rows, largest),
            By::Retained => _ = blocks.select_nth_unstable_by_key(ask.rows, holding),
        }
        blocks.truncate(ask.rows);
    }
    match ask.by {
        By::Age => blocks.sort_unstable_by_key(oldest),
        By::Size => blocks.sort_unstable_by_key(largest),
        By::Retained => blocks.sort_by_cached_key(holding),
    }
}

/// `size` for people, below its column; `bytes` for programs, as every sum of sizes is called.
fn total(tally: &Tally) -> Vec<(&'static str, Value)> {
    vec![
        ("count", Value::Count(tally.count())),
        ("size", Value::Bytes(tally.bytes())),
        ("bytes", Value::Bytes(tally.bytes())),
        ("sample", sample_value(tally.sample())),
    ]
}

fn row(
    view: &mut View<'_>,
    block: &Block,
    name: &TypeName,
    retained: Option<u64>,
    full: bool,
) -> Row {
    let stack = frames(view, block.site);
    Row::new([
        Value::Address(block.address),
        Value::Bytes(block.size),
        retained.map_or(Value::None, Value::Bytes),
        age(view.snapshot, block),
        type_value(name, full),
        Value::Confidence(name.confidence),
        short_label(&stack, full),
        id_value(block.site),
        Value::Flag(block.moving),
    ])
}

fn notes(ask: &Ask, tally: &Tally, shown: &[&Block], named: &[TypeName]) -> Vec<String> {
    let mut notes = Vec::new();
    let all = tally.recorded();
    notes.extend(ask.subject.none_found(all, ask.filter.as_ref()));
    if tally.sample() > 0 {
        notes.push(format!(
            "{} recorded, which stand for about {}",
            count(all, "block"),
            Value::Count(tally.count())
        ));
    }
    let left = all - shown.len() as u64;
    notes.extend(left_out(left, "block"));
    notes.extend(legend(named));
    notes
}
