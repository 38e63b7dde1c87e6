//! `cycles`: rings of `Rc` and `Arc` that hold themselves alive: those that nothing else holds, and, apart, those that something does.

use std::collections::{HashMap, VecDeque};

use super::holders::Holders;
use super::refs::POINTERS;
use super::rows::{self, ALL, N, left_out};
use super::types::{Types, type_value};
use super::view::age;
use super::{Command, Error, Example, Need, Typed, View};
use crate::heap::{Block, Hold, Host, Rank};
use crate::report::{Column, Line, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "cycles",
    aliases: &[],
    summary: "rings of Rc and Arc that nothing else holds",
    help: "Blocks that hold each other in a ring, of which at least one is counted (`Rc`, `Arc`), and that no root leads to, unless by a `Weak`: \
           their counts never reach zero. Rings that are still held come last: they are lost once \
           that lets go of them. One row for rings of the same types, with the ring of one of them below, from its \
           oldest block on, and where in each the pointer to the next stands. What was born first is most likely the \
           owner, so the pointer back to it is the one to make a `Weak`; where all are of one age, the one counted pointer that \
           stands in no collection; and else which one is for the program's author to say. `leaks` counts what hangs on the rings as well.",
    more: &[POINTERS],
    arguments: &[N],
    flags: &[ALL],
    examples: &[
        Example {
            line: "cycles",
            says: "the rings, the most blocks first",
        },
        Example {
            line: "cycles 3 --json",
            says: "three rows, for a program",
        },
    ],
    from: "Python's gc.garbage, Pympler's garbage graphs",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// Why a pointer is offered to be made weak.
const TO_THE_OLDEST: &str =
    "weak? points back at the oldest, most likely the owner: a rule of thumb";
const ALONE: &str =
    "weak? is the only count in no collection, so most likely back: a rule of thumb";

/// Blocks of a ring that are shown.
const MOST: usize = 12;

/// Rings of the same types.
struct Group {
    /// Whether the program still reaches them.
    is_held: bool,
    rings: u64,
    blocks: u64,
    bytes: u64,
    /// The shortest way round in one of them, from its oldest block on.
    way: Vec<u32>,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (asked, rest) = typed.split_number();
    if let Some(word) = rest.first() {
        return Err(typed.wrong(format!("`{word}` is no number of rows")));
    }
    let most = rows::rows(view, asked, typed);
    let lines = rows::lines_for_rows(view, asked, typed);
    let (types, holders) = (view.types(), view.holders());
    let mut groups = groups(view, &types, &holders);
    let total = total(&groups);
    let found = groups.len();
    groups.truncate(most);
    let mut rows = groups
        .iter()
        .map(|group| row(view, &types, &holders, group, typed.full()))
        .collect();
    rows::fit(&mut rows, lines);
    groups.truncate(rows.len());
    let left = found - rows.len();
    let mut why: Vec<String> = groups
        .iter()
        .filter_map(|group| back(view, &types, &holders, &group.way))
        .map(|(_, why)| why.to_owned())
        .collect();
    why.sort_unstable();
    why.dedup();
    let is_lost = groups.iter().any(|group| !group.is_held);
    let head = (!is_lost).then(|| "No ring of Rc or Arc is held by itself alone.".to_owned());
    Ok(Report {
        command: COMMAND.name,
        head: head.into_iter().collect(),
        columns: COLUMNS.to_vec(),
        rows,
        objects: groups
            .iter()
            .filter_map(|group| object(view, group))
            .collect(),
        total,
        notes: left_out(left as u64, "row")
            .into_iter()
            .chain(why)
            .collect(),
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

/// Of those that are lost, and how many are held.
fn total(groups: &[Group]) -> Vec<(&'static str, Value)> {
    let of = |is_held, figure: fn(&Group) -> u64| {
        let groups = groups.iter().filter(|group| group.is_held == is_held);
        groups.map(figure).sum()
    };
    vec![
        ("count", Value::Count(of(false, |group| group.rings))),
        ("blocks", Value::Count(of(false, |group| group.blocks))),
        ("bytes", Value::Bytes(of(false, |group| group.bytes))),
        ("held", Value::Count(of(true, |group| group.rings))),
    ]
}

static COLUMNS: [Column; 6] = [
    Column::new("count", "rings"),
    Column::new("blocks", "blocks"),
    Column::new("bytes", "bytes"),
    Column::flexible("ring", "ring"),
    Column::new("chain", ""),
    Column::new("held", "held by"),
];

fn groups(view: &View<'_>, types: &Types, holders: &Holders) -> Vec<Group> {
    let mut groups: HashMap<(bool, Vec<Option<usize>>), Group> = HashMap::new();
    let lost = holders.graph.lost_rings().into_iter();
    let held = holders.graph.held_rings().into_iter();
    let all = lost
        .map(|ring| (false, ring))
        .chain(held.map(|ring| (true, ring)));
    for (is_held, ring) in all {
        let kind = |block: &u32| {
            types
                .index
                .of(view.numbered(*block))
                .map(|group| types.place_of(group))
        };
        if !ring
            .iter()
            .any(|block| is_counted(types, view.numbered(*block)))
        {
            continue;
        }
        let way = way_round(holders, first_of(view, types, &ring));
        let kinds = turned(way.iter().map(kind).collect());
        let group = groups.entry((is_held, kinds)).or_insert_with(|| Group {
            is_held,
            rings: 0,
            blocks: 0,
            bytes: 0,
            way,
        });
        group.rings += 1;
        group.blocks += ring.len() as u64;
        group.bytes += ring
            .iter()
            .map(|block| view.numbered(*block).size)
            .sum::<u64>();
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        let first = group.way.first().copied();
        (group.is_held, std::cmp::Reverse(group.blocks), first)
    });
    groups
}

fn is_counted(types: &Types, block: &Block) -> bool {
    let name = types.name_of(block).full;
    name.starts_with("Rc<") || name.starts_with("Arc<")
}

/// The oldest counted block of a ring.
fn first_of(view: &View<'_>, types: &Types, ring: &[u32]) -> u32 {
    let counted = ring
        .iter()
        .filter(|block| is_counted(types, view.numbered(**block)));
    let oldest = counted.min_by_key(|block| (view.numbered(**block).birth, **block));
    oldest.or(ring.first()).copied().unwrap_or_default()
}

/// The shortest way from a block back to itself.
fn way_round(holders: &Holders, first: u32) -> Vec<u32> {
    let mut from: HashMap<u32, u32> = HashMap::new();
    let mut queue = VecDeque::from([first]);
    let is_reached = holders.graph.held(first).is_reached();
    let most = if is_reached {
        Rank::Strong
    } else {
        Rank::Conservative
    };
    let follows = |hold: Hold| hold.rank() <= most;
    while let Some(block) = queue.pop_front() {
        for link in holders.graph.links(block) {
            let to = link.to();
            if to == first && follows(link.hold()) {
                let back = std::iter::successors(Some(block), |block| from.get(block).copied());
                let mut way: Vec<u32> = back.collect();
                way.reverse();
                return way;
            }
            let is_like = holders.graph.held(to).is_reached() == is_reached
                && (is_reached || holders.graph.held(to) == holders.graph.held(first))
                && follows(link.hold());
            if is_like && to != first && !from.contains_key(&to) {
                from.insert(to, block);
                queue.push_back(to);
            }
        }
    }
    vec![first]
}

/// The same ring is the same, wherever one begins.
fn turned(kinds: Vec<Option<usize>>) -> Vec<Option<usize>> {
    let turns = (0..kinds.len()).map(|by| {
        let mut turn = kinds.clone();
        turn.rotate_left(by);
        turn
    });
    // Long rings are rare, and differ anyway: no need to look at all turns of one.
    turns.take(64).min().unwrap_or_default()
}

fn row(view: &View<'_>, types: &Types, holders: &Holders, group: &Group, full: bool) -> Row {
    let names: Vec<String> = group
        .way
        .iter()
        .chain(group.way.first())
        .map(|block| type_value(&types.name_of(view.numbered(*block)), full).to_string())
        .collect();
    Row {
        below: lines(view, types, holders, &group.way, full),
        ..Row::new([
            Value::Count(group.rings),
            Value::Count(group.blocks),
            Value::Bytes(group.bytes),
            Value::text(names.join(" -> ")),
            chain(view, types, holders, &group.way),
            Value::text(match group.way.first() {
                Some(first) if group.is_held => holders.graph.held(*first).to_string(),
                _ => "itself".to_owned(),
            }),
        ])
    }
}

/// Each block of the ring with the one that its pointer leads to.
fn pairs(way: &[u32]) -> impl Iterator<Item = (u32, u32)> {
    let next = way.iter().cycle().skip(1);
    way.iter().copied().zip(next.copied())
}

/// The pointer of a ring that leads back to what made its holder, most likely, and why that one: it points at the block that
/// is older than all others; or where ages do not tell, it alone is counted and stands in no collection.
fn back(
    view: &View<'_>,
    types: &Types,
    holders: &Holders,
    way: &[u32],
) -> Option<(usize, &'static str)> {
    let birth = |block: u32| view.numbered(block).birth;
    let (first, rest) = way.split_first()?;
    if rest.is_empty() {
        return None;
    }
    if rest.iter().all(|block| birth(*block) > birth(*first)) {
        return Some((rest.len(), TO_THE_OLDEST));
    }
    let is_single = |(from, to): (u32, u32)| {
        let edge = holders.edge(view, types, from, to);
        edge.is_some_and(|edge| edge.hold == Hold::Shared) && is_counted(types, view.numbered(from))
    };
    let mut single = pairs(way)
        .take(MOST)
        .enumerate()
        .filter(|(_, pair)| is_single(*pair));
    let (place, _) = single.next()?;
    (way.len() <= MOST && single.next().is_none()).then_some((place, ALONE))
}

fn lines(view: &View<'_>, types: &Types, holders: &Holders, way: &[u32], full: bool) -> Vec<Line> {
    let back = back(view, types, holders, way).map(|(place, _)| place);
    let line = |(place, (from, to)): (usize, (u32, u32))| {
        let (block, next) = (view.numbered(from), view.numbered(to));
        let edge = holders.edge(view, types, from, to);
        let at = edge
            .map(|edge| format!(" {}", holders.field(view, types, &edge)))
            .unwrap_or_default();
        let mend = if back == Some(place) {
            ": this one weak?"
        } else {
            ""
        };
        Line {
            text: format!(
                "{} {}{at} -> {}{mend}",
                block.address,
                type_value(&types.name_of(block), full),
                next.address
            ),
            dim: false,
        }
    };
    let mut lines: Vec<Line> = pairs(way).enumerate().take(MOST).map(line).collect();
    if way.len() > MOST {
        lines.push(Line {
            text: format!("... {} more ...", count((way.len() - MOST) as u64, "block")),
            dim: true,
        });
    }
    lines
}

fn chain(view: &View<'_>, types: &Types, holders: &Holders, way: &[u32]) -> Value {
    let back = back(view, types, holders, way).map(|(place, _)| place);
    let step = |(place, (from, to)): (usize, (u32, u32))| {
        let block = view.numbered(from);
        let edge = holders.edge(view, types, from, to);
        Value::Map(vec![
            ("address", Value::Address(block.address)),
            ("type", type_value(&types.name_of(block), true)),
            (
                "field",
                edge.map_or(Value::None, |edge| {
                    Value::text(holders.field(view, types, &edge))
                }),
            ),
            (
                "hold",
                edge.map_or(Value::None, |edge| Value::text(edge.hold.to_string())),
            ),
            (
                "offset",
                edge.map_or(Value::None, |edge| Value::Bytes(edge.offset)),
            ),
            ("age_s", age(view.snapshot, block)),
            ("weaken", Value::Flag(back == Some(place))),
        ])
    };
    Value::List(pairs(way).enumerate().map(step).collect())
}

fn object(view: &View<'_>, group: &Group) -> Option<Object> {
    group
        .way
        .first()
        .map(|first| Object::Block(view.numbered(*first).address))
}
