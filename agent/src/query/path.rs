//! `path`: the chains by which blocks are held, from named roots down.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::holders::Holders;
use super::holders::chain::{Chain, arrows};
use super::holders::shape::{Shapes, Step, UNKNOWN};
use super::holders::without_numbers;
use super::refs::POINTERS;
use super::rows::{self, ALL, left_out};
use super::subject::Subject;
use super::types::{Types, type_value};
use super::{Argument, Command, Error, Example, Flag, Kind, Need, Typed, View};
use crate::heap::{Block, Held, Hold, Host};
use crate::report::{Column, Line, Object, Report, Row, Value};

pub(crate) static COMMAND: Command = Command {
    name: "path",
    aliases: &["paths"],
    summary: "the chains by which blocks are held, from named roots",
    help: "The shortest chains of pointers from a static, a thread-local, a thread's stack or a register to a block. Statics \
           come first, then thread-locals: a word on a stack may be left over. Of one block, each chain has a row, with where \
           in its holder each pointer stands. Of many, those whose chains lead through the same types from the same root \
           are one row, with how many they are; `...` behind a type says that it comes several times in a row, as the nodes \
           of a list do. Chains that rest on types come before those that rest on words: `~>` is a step along a word that \
           reads as an address and of which no type speaks, `?>` along one that is none by its type. PATTERN is as in `list`. \
           A row's number stands for the first of its blocks.",
    more: &[POINTERS],
    arguments: &[Argument {
        name: "PATTERN",
        kind: Kind::Pattern,
        optional: false,
        help: "which blocks: a type, an address (0x...) or a numbered row (#3)",
    }],
    flags: &[
        Flag {
            name: "--max",
            values: &["N"],
            help: "how many chains to one block, 3 unless given; of many, how many rows",
        },
        ALL,
    ],
    examples: &[
        Example {
            line: "path 0x1010",
            says: "what holds the block in which that address lies",
        },
        Example {
            line: "path CacheEntity",
            says: "what holds all of them, by the shape of their chains",
        },
        Example {
            line: "path #1 --max 1 --json",
            says: "one chain to the first row's block",
        },
    ],
    from: "objgraph's find_backref_chain, Eclipse MAT's Path to GC Roots",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

/// Chains to one block unless a number is given.
const CHAINS: usize = 3;

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    if typed.words.is_empty() {
        return Err(typed.wrong("to which blocks?"));
    }
    let subject = Subject::read(view, &typed.words)?;
    let max = typed.value("--max").map(|max| {
        let max = max.parse().ok().filter(|max| *max > 0);
        max.ok_or_else(|| typed.wrong("--max takes a number from 1 on"))
    });
    let max = max.transpose()?;
    let types = view.types();
    let blocks = subject.blocks(view, &types, None);
    match blocks[..] {
        [block] => Ok(to_one(
            view,
            &types,
            block,
            max.unwrap_or(CHAINS),
            typed.full(),
        )),
        _ => {
            let room = (
                rows::rows(view, max, typed),
                rows::lines_for_rows(view, max, typed),
            );
            let mut report = to_many(view, &types, &blocks, room, typed.full());
            report
                .notes
                .extend(subject.none_found(blocks.len() as u64, None));
            Ok(report)
        }
    }
}

/// The place of the chain among a row's cells.
pub(super) const CHAIN: usize = 3;

static COLUMNS: [Column; 6] = [
    Column::new("count", "count"),
    Column::new("bytes", "bytes"),
    Column::flexible("root", "held by"),
    Column::new("chain", ""),
    Column::new("held", ""),
    Column::new("rests_on", ""),
];

fn to_one(view: &mut View<'_>, types: &Types, block: &Block, most: usize, full: bool) -> Report {
    let holders = view.holders();
    let number = view.number_of(block);
    // Old copies of a word lead from one local variable.
    let mut chains = Chain::to(&holders, number, most.saturating_mul(4));
    let mut seen = HashSet::new();
    chains.retain(|chain| seen.insert((chain.origin(view, &holders), chain.blocks.clone())));
    chains.truncate(most);
    if chains.is_empty() {
        // Lost: a row says so, for programs, too.
        chains.push(Chain {
            root: None,
            blocks: vec![number],
            rests_on: Hold::Owning,
        });
    }
    let rows: Vec<Row> = chains
        .iter()
        .map(|chain| chain_row(view, &holders, types, chain, full))
        .collect();
    let name = type_value(&types.name_of(block), full);
    Report {
        command: COMMAND.name,
        head: vec![format!("{} {name}:", block.address)],
        columns: COLUMNS.to_vec(),
        notes: arrows(&rows).into_iter().collect(),
        rows,
        objects: chains
            .iter()
            .map(|_| Object::Block(block.address))
            .collect(),
        total: vec![
            ("count", Value::Count(1)),
            ("bytes", Value::Bytes(block.size)),
        ],
        gaps: holders.gaps(view),
        ..Report::default()
    }
}

/// One chain as a row: `why` has the same.
pub(super) fn chain_row(
    view: &mut View<'_>,
    holders: &Holders,
    types: &Types,
    chain: &Chain,
    full: bool,
) -> Row {
    let block = chain.blocks.last().map(|last| *view.numbered(*last));
    let held = chain
        .blocks
        .last()
        .map_or(Held::Nothing, |last| holders.graph.held(*last));
    let origin = chain.origin(view, holders);
    Row {
        below: chain.lines(view, holders, types, full),
        ..Row::new([
            Value::Count(1),
            block.map_or(Value::None, |block| Value::Bytes(block.size)),
            Value::text(origin),
            chain.value(view, holders, types),
            Value::text(held.to_string()),
            Value::text(chain.rests_on.to_string()),
        ])
    }
}

/// Blocks whose chains have one shape.
struct Group {
    shape: u32,
    count: u64,
    bytes: u64,
    first: u32,
}

/// `room` is how many rows there may be at the most, and how many lines, where a screen decides.
fn to_many(
    view: &mut View<'_>,
    types: &Types,
    blocks: &[&Block],
    room: (usize, Option<usize>),
    full: bool,
) -> Report {
    let holders = view.holders();
    let mut shapes = Shapes::default();
    let mut groups = group(view, &holders, types, blocks, &mut shapes);
    let (all, bytes) = (
        blocks.len() as u64,
        blocks.iter().map(|block| block.size).sum(),
    );
    let found = groups.len();
    groups.truncate(room.0);
    let row = |group: &Group| {
        let (origin, steps) = shapes.steps(group.shape);
        let fields = fields(view, &holders, types, group.first, &steps);
        Row {
            below: lines(types, &steps, &fields, full),
            ..Row::new([
                Value::Count(group.count),
                Value::Bytes(group.bytes),
                Value::text(&*origin),
                steps_value(types, &steps, &fields),
                Value::text(holders.graph.held(group.first).to_string()),
                rests_on(&steps).map_or(Value::None, |hold| Value::text(hold.to_string())),
            ])
        }
    };
    let mut rows: Vec<Row> = groups.iter().map(row).collect();
    rows::fit(&mut rows, room.1);
    groups.truncate(rows.len());
    let left = found - rows.len();
    Report {
        command: COMMAND.name,
        columns: COLUMNS.to_vec(),
        notes: left_out(left as u64, "shape")
            .into_iter()
            .chain(arrows(&rows))
            .collect(),
        rows,
        objects: groups
            .iter()
            .map(|group| Object::Block(view.numbered(group.first).address))
            .collect(),
        total: vec![("count", Value::Count(all)), ("bytes", Value::Bytes(bytes))],
        gaps: holders.gaps(view),
        ..Report::default()
    }
}

/// Groups blocks by shape, the one with most blocks first.
fn group(
    view: &mut View<'_>,
    holders: &Holders,
    types: &Types,
    blocks: &[&Block],
    shapes: &mut Shapes,
) -> Vec<Group> {
    let mut groups: HashMap<u32, Group> = HashMap::new();
    for block in blocks {
        let number = view.number_of(block);
        let shape = shapes.of(view, holders, types, number);
        let group = groups.entry(shape).or_insert(Group {
            shape,
            count: 0,
            bytes: 0,
            first: number,
        });
        group.count += 1;
        group.bytes += block.size;
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| (std::cmp::Reverse(group.count), group.shape));
    groups
}

/// By which fields each step is reached, as in the chain of one block; of what repeats, the first time. Numbers are left
/// out: they differ from block to block.
fn fields(
    view: &View<'_>,
    holders: &Holders,
    types: &Types,
    block: u32,
    steps: &[Step],
) -> Vec<Option<String>> {
    const LONGEST: usize = 10_000;
    let mut chain: Vec<u32> = holders.graph.chain(block).take(LONGEST).collect();
    chain.reverse();
    let kind = |block: u32| {
        let group = types.index.of(view.numbered(block));
        group.map_or(UNKNOWN, |group| types.place_of(group))
    };
    let between = steps.windows(2).map(|step| {
        let is_it = |pair: &&[u32]| [kind(pair[0]), kind(pair[1])] == [step[0].kind, step[1].kind];
        let pair = chain.windows(2).find(is_it)?;
        let edge = holders.edge(view, types, pair[0], pair[1])?;
        let field = holders.named_field(view, types, &edge)?;
        Some(without_numbers(&field))
    });
    std::iter::once(None).chain(between).collect()
}

fn lines(types: &Types, steps: &[Step], fields: &[Option<String>], full: bool) -> Vec<Line> {
    let line = |(step, field): (&Step, &Option<String>)| Line {
        text: format!(
            "{}{} {}{}",
            field
                .as_ref()
                .map(|field| format!("{field} "))
                .unwrap_or_default(),
            step.hold.arrow(),
            name(types, step, full),
            if step.repeats { " ..." } else { "" }
        ),
        dim: false,
    };
    steps.iter().zip(fields).map(line).collect()
}

/// How the pointer holds that says least.
fn rests_on(steps: &[Step]) -> Option<Hold> {
    let holds = steps.iter().map(|step| step.hold);
    holds.max_by_key(|hold| hold.rank())
}

fn name(types: &Types, step: &Step, full: bool) -> Rc<str> {
    match types.kinds.get(step.kind) {
        Some(kind) if step.kind != UNKNOWN => type_value(&kind.name, full).to_string().into(),
        _ => "unknown".into(),
    }
}

fn steps_value(types: &Types, steps: &[Step], fields: &[Option<String>]) -> Value {
    let step = |(step, field): (&Step, &Option<String>)| {
        Value::Map(vec![
            ("type", Value::text(&*name(types, step, true))),
            ("repeats", Value::Flag(step.repeats)),
            ("hold", Value::text(step.hold.to_string())),
            ("field", field.clone().map_or(Value::None, Value::text)),
        ])
    };
    Value::List(steps.iter().zip(fields).map(step).collect())
}
