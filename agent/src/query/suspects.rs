//! `suspects`: the objects, or types, that a large part of the heap hangs on, and where it accumulates below them.

use std::collections::HashMap;

use super::holders::chain::{Chain, arrows};
use super::holders::{Holders, held_text};
use super::path;
use super::refs::POINTERS;
use super::types::{Types, share, type_value};
use super::{Command, Error, Example, Flag, Need, Typed, View};
use crate::heap::Host;
use crate::report::{Column, Line, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "suspects",
    aliases: &[],
    summary: "what a large part of the heap hangs on",
    help: "Blocks, and types all together, that retain more than a tenth of the live bytes, or the share given with --over: \
           without them as much would be freed. Below each the chain that holds it, and where the bytes accumulate: going \
           down to the largest part again and again, the block at which that drops to much less than before, which is as \
           a rule the collection that grows. Of a type only the blocks that nothing else retains are counted, so it may \
           be less than `top --by retained` says.",
    more: &[POINTERS],
    flags: &[Flag {
        name: "--over",
        values: &["PERCENT"],
        help: "the least share of the live bytes in per cent; 10 unless given",
    }],
    examples: &[
        Example {
            line: "suspects",
            says: "what retains over a tenth",
        },
        Example {
            line: "suspects --over 2",
            says: "what retains over a fiftieth",
        },
    ],
    from: "Eclipse MAT's Leak Suspects",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// Where less of it is below than this share of what is above, it accumulates.
const DROP: f64 = 0.7;
/// The least share of the live bytes unless given.
const SHARE: f64 = 0.1;

/// What to try where nothing retains so much.
const LITTLE: f64 = 0.02;

/// A block, or all of a type that nothing else retains.
struct Suspect {
    /// The largest of them.
    block: u32,
    count: u64,
    retained: u64,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let over = match typed
        .value("--over")
        .map(|over| over.trim_end_matches('%').parse::<f64>())
    {
        None => SHARE,
        Some(Ok(over)) if (0.0..=100.0).contains(&over) => over / 100.0,
        Some(_) => return Err(typed.wrong("--over takes a number from 0 to 100")),
    };
    let (types, holders) = (view.types(), view.holders());
    let live = view.snapshot.live_bytes();
    let least = (live as f64 * over) as u64;
    let suspects = suspects(view, &types, &holders, least.max(1));
    let head = match suspects.len() {
        0 => format!(
            "Nothing retains {} % of the {} of live blocks alone.",
            Value::Share(over),
            Value::Bytes(live)
        ),
        n => format!(
            "{} of {} of live blocks:",
            count(n as u64, "suspect"),
            Value::Bytes(live)
        ),
    };
    let smaller = (suspects.is_empty() && over > LITTLE)
        .then(|| format!("Next: `suspects --over {}`.", LITTLE * 100.0));
    let rows: Vec<Row> = suspects
        .iter()
        .map(|one| row(view, &types, &holders, one, live, typed.full()))
        .collect();
    Ok(Report {
        command: COMMAND.name,
        head: vec![head],
        columns: COLUMNS.to_vec(),
        objects: suspects
            .iter()
            .map(|one| Object::Block(view.numbered(one.block).address))
            .collect(),
        total: vec![("bytes", Value::Bytes(live))],
        notes: smaller.into_iter().chain(arrows(&rows)).collect(),
        rows,
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

static COLUMNS: [Column; 9] = [
    Column::new("retained", "retains"),
    Column::new("retained_share", "%"),
    Column::new("count", "count"),
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("address", "address"),
    Column::new("point", ""),
    Column::new("chain", ""),
    Column::new("root", ""),
];

/// Of the blocks that nothing else retains: those that retain so much alone, and the types that do together.
fn suspects(view: &View<'_>, types: &Types, holders: &Holders, least: u64) -> Vec<Suspect> {
    let graph = &holders.graph;
    let mut found: Vec<Suspect> = Vec::new();
    let mut by_type: HashMap<Option<usize>, Suspect> = HashMap::new();
    for block in (0..graph.blocks()).filter(|block| graph.above(*block).is_none()) {
        let retained = graph.retained(block);
        if retained >= least {
            found.push(Suspect {
                block,
                count: 1,
                retained,
            });
            continue;
        }
        let kind = types
            .index
            .of(view.numbered(block))
            .map(|group| types.place_of(group));
        let all = by_type.entry(kind).or_insert(Suspect {
            block,
            count: 0,
            retained: 0,
        });
        all.count += 1;
        all.retained += retained;
        if retained > graph.retained(all.block) {
            all.block = block;
        }
    }
    found.extend(by_type.into_values().filter(|all| all.retained >= least));
    found.sort_by_key(|one| (std::cmp::Reverse(one.retained), one.block));
    found
}

/// The block at which most of what another retains comes together.
fn accumulation_point(holders: &Holders, block: u32) -> u32 {
    let graph = &holders.graph;
    let mut at = block;
    loop {
        let below = graph
            .links(at)
            .iter()
            .map(|link| link.to())
            .filter(|to| graph.above(*to) == Some(at));
        let largest = below.max_by_key(|to| graph.retained(*to));
        match largest {
            Some(next) if graph.retained(next) as f64 >= graph.retained(at) as f64 * DROP => {
                at = next
            }
            _ => return at,
        }
    }
}

fn row(
    view: &mut View<'_>,
    types: &Types,
    holders: &Holders,
    one: &Suspect,
    live: u64,
    full: bool,
) -> Row {
    let block = *view.numbered(one.block);
    let name = types.name_of(&block);
    let chain = Chain::to(holders, one.block, 1).into_iter().next();
    let point = accumulation_point(holders, one.block);
    // Of many blocks the chain of one is shown, and it accumulates in none of them.
    let is_one = one.count == 1;
    let subject = if is_one { "" } else { "the largest is " };
    let mut below = Vec::new();
    let (mut origin, mut chain_value) = (Value::None, Value::None);
    if let Some(chain) = &chain {
        let mut row = path::chain_row(view, holders, types, chain, full);
        chain_value = row.cells.swap_remove(path::CHAIN);
        let text = chain.origin(view, holders);
        below.push(line(format!("{subject}held by {text}")));
        origin = Value::text(text);
        below.extend(row.below);
    } else {
        let held = holders.graph.held(one.block);
        below.push(line(format!("{subject}held by {}", held_text(held))));
    }
    let at = *view.numbered(point);
    if is_one {
        below.push(line(format!(
            "accumulates in {} {}, which retains {} in {}",
            at.address,
            type_value(&types.name_of(&at), full),
            Value::Bytes(holders.graph.retained(point)),
            count(below_of(holders, point), "part"),
        )));
    }
    Row {
        below,
        ..Row::new([
            Value::Bytes(one.retained),
            Value::Share(share(one.retained, live)),
            Value::Count(one.count),
            type_value(&name, full),
            Value::Confidence(name.confidence),
            Value::Address(block.address),
            Value::Map(vec![
                ("address", Value::Address(at.address)),
                ("type", type_value(&types.name_of(&at), true)),
                ("retained", Value::Bytes(holders.graph.retained(point))),
            ]),
            chain_value,
            origin,
        ])
    }
}

/// How many blocks a block retains directly.
fn below_of(holders: &Holders, block: u32) -> u64 {
    let links = holders.graph.links(block).iter();
    let mut below: Vec<u32> = links
        .map(|link| link.to())
        .filter(|to| holders.graph.above(*to) == Some(block))
        .collect();
    below.sort_unstable();
    below.dedup();
    below.len() as u64
}

fn line(text: String) -> Line {
    Line { text, dim: false }
}
