//! Chains from roots to one block, step by step, with where in its holder each pointer stands.

use super::{Holders, Place, held_text, root_text};
use crate::heap::{Edge, Held, Hold, Rank, RootHold};
use crate::query::View;
use crate::query::types::{Types, type_value};
use crate::report::{Line, Row, Value};

/// A chain from a root to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The root's word; none where nothing holds the block.
    pub(crate) root: Option<RootHold>,
    /// The blocks, the one that the root holds first.
    pub(crate) blocks: Vec<u32>,
    /// How the pointer holds that says least of all of them.
    pub(crate) rests_on: Hold,
}

/// Below chains: what the arrows mean, where one is not plain.
pub(crate) fn arrows(rows: &[Row]) -> Option<String> {
    let mut lines = rows.iter().flat_map(|row| &row.below);
    lines
        .any(|line| line.text.contains("~> ") || line.text.contains("?> "))
        .then(|| "~> a word that reads as an address; ?> by its type it is none".to_owned())
}

impl Chain {
    /// Up to `most` chains to a block, the strongest and shortest first: by each of its own roots, and by each block that holds
    /// it. None to one that is lost.
    pub(crate) fn to(holders: &Holders, block: u32, most: usize) -> Vec<Chain> {
        let graph = &holders.graph;
        let held = graph.held(block);
        if held == Held::Nothing {
            return Vec::new();
        }
        let direct = graph.holds(block).iter().filter(|hold| {
            let strength = graph.strength(hold);
            strength.is_some_and(|strength| strength == held || strength.is_reached())
        });
        let mut chains: Vec<Chain> = direct
            .map(|hold| Chain {
                root: Some(*hold),
                blocks: vec![block],
                rests_on: hold.hold,
            })
            .collect();
        let mut others = Vec::new();
        let counts = |hold: Hold| !held.is_reached() || hold.rank() <= Rank::Conservative;
        for link in graph.back(block).iter().filter(|link| counts(link.hold())) {
            if graph.held(link.to()) <= held {
                others.extend(through(holders, block, link.to(), link.hold()));
            }
            if others.len() >= MOST_LOOKED_AT {
                break;
            }
        }
        chains.append(&mut others);
        chains.sort_by_key(|chain| {
            let rank = chain.rests_on.rank();
            (rank, chain.strength(holders), chain.blocks.len())
        });
        chains.dedup_by_key(|chain| (chain.root, chain.blocks.clone()));
        chains.truncate(most);
        chains
    }

    /// What the chain begins at, in words.
    pub(crate) fn origin(&self, view: &mut View<'_>, holders: &Holders) -> String {
        match (self.root, self.blocks.first()) {
            (Some(root), _) => root_text(&Place::best(view, holders, root)),
            (None, Some(first)) => held_text(holders.graph.held(*first)).to_owned(),
            (None, None) => held_text(Held::Nothing).to_owned(),
        }
    }

    /// A line a block, from the root down: where in its holder the pointer stands, type, address.
    pub(crate) fn lines(
        &self,
        view: &View<'_>,
        holders: &Holders,
        types: &Types,
        full: bool,
    ) -> Vec<Line> {
        let steps = self.steps(view, holders, types);
        let line = |(edge, block): (Option<Edge>, u32)| {
            let block = view.numbered(block);
            let root = self.root.filter(|root| holders.is_typed_root(root));
            let hold = edge.map(|edge| edge.hold).or(root.map(|root| root.hold));
            let arrow = hold.map_or("->", Hold::arrow);
            let at = edge
                .map(|edge| format!("{} ", holders.field(view, types, &edge)))
                .unwrap_or_default();
            let name = type_value(&types.name_of(block), full);
            Line {
                text: format!(
                    "{at}{arrow} {name}  {}, {}",
                    block.address,
                    Value::Bytes(block.size)
                ),
                dim: false,
            }
        };
        match steps.len() {
            0..=LINES => steps.into_iter().map(line).collect(),
            all => {
                let left = all - LINES + 1;
                let (first, last) = (
                    steps[..LINES / 2].to_vec(),
                    steps[all - (LINES / 2 - 1)..].to_vec(),
                );
                let mut lines: Vec<Line> = first.into_iter().map(line).collect();
                lines.push(Line {
                    text: format!("... {left} more ..."),
                    dim: true,
                });
                lines.extend(last.into_iter().map(line));
                lines
            }
        }
    }

    /// The same for programs.
    pub(crate) fn value(&self, view: &View<'_>, holders: &Holders, types: &Types) -> Value {
        let step = |(edge, number): (Option<Edge>, u32)| {
            let block = view.numbered(number);
            let name = types.name_of(block);
            Value::Map(vec![
                ("address", Value::Address(block.address)),
                ("type", type_value(&name, true)),
                ("confidence", Value::Confidence(name.confidence)),
                ("size", Value::Bytes(block.size)),
                (
                    "field",
                    edge.map_or(Value::None, |edge| {
                        Value::text(holders.field(view, types, &edge))
                    }),
                ),
                (
                    "offset",
                    edge.map_or(Value::None, |edge| Value::Bytes(edge.offset)),
                ),
                (
                    "hold",
                    edge.map_or(Value::None, |edge| Value::text(edge.hold.to_string())),
                ),
            ])
        };
        let steps = self.steps(view, holders, types);
        Value::List(steps.into_iter().map(step).collect())
    }

    /// Each block with the pointer to it in the one before.
    fn steps(&self, view: &View<'_>, holders: &Holders, types: &Types) -> Vec<(Option<Edge>, u32)> {
        let before = std::iter::once(None).chain(self.blocks.iter().copied().map(Some));
        let step = |(before, block): (Option<u32>, &u32)| {
            let edge = before.and_then(|before| holders.edge(view, types, before, *block));
            (edge, *block)
        };
        before.zip(&self.blocks).map(step).collect()
    }

    fn strength(&self, holders: &Holders) -> Held {
        let strength = self.root.and_then(|root| holders.graph.strength(&root));
        strength.unwrap_or_default()
    }
}

/// Blocks that hold one of which this many are looked at: a hub has hundreds of thousands.
const MOST_LOOKED_AT: usize = 1000;
/// Lines of a chain; of a longer one the middle is left out.
const LINES: usize = 12;

/// The shortest chain to a holder, and from it to the block, unless that one is on it already.
fn through(holders: &Holders, block: u32, holder: u32, hold: Hold) -> Option<Chain> {
    const LONGEST: usize = 100_000;
    let mut blocks: Vec<u32> = holders.graph.chain(holder).take(LONGEST).collect();
    if blocks.contains(&block) {
        return None;
    }
    let root = blocks.last().and_then(|last| holders.graph.root_of(*last));
    let steps = blocks.iter().map(|step| holders.graph.by(*step));
    let rests_on = steps.chain([hold]).max_by_key(|hold| hold.rank());
    blocks.reverse();
    blocks.push(block);
    Some(Chain {
        root,
        blocks,
        rests_on: rests_on.unwrap_or(hold),
    })
}
