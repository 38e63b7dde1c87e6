//! `walk`: `BTreeMap` and `BTreeSet`: nodes of up to eleven keys, the values beside them, and in inner nodes the nodes
//! between.

use super::{Map, Seen, Torn};
use crate::heap::{Address, TypeId};
use crate::walk::{DEPTH, Spot, Walker};

/// Keys in a node at most.
const CAPACITY: u64 = 11;
/// Levels of a tree: with five keys a node and more below every one, more than memory holds.
const HEIGHT: u64 = 24;
/// Entries read at most.
const MOST: usize = 1 << 20;

pub(super) fn set(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    map(
        walker,
        walker.find(spot, "alloc::collections::btree::map::BTreeMap")?,
    )
}

pub(super) fn map(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let length = walker.number(walker.field(spot, "length")?)?;
    let mut entries = Vec::new();
    if let Some(root) = walker.some(walker.field(spot, "root")?)? {
        let height = walker.number(walker.field(root, "height")?)?;
        let node = walker.pointer(walker.field(root, "node")?)?;
        let nodes = Nodes::of(walker, node.to?)?;
        if let Err(torn) = nodes.walk(node.at, height, &mut entries) {
            return Some(Err(torn));
        }
    }
    Some(
        match entries.len() as u64 == length || entries.len() >= MOST {
            true => Ok(Seen::Map(Map { entries, length })),
            false => Err(Torn::new(format!(
                "it says {length} entries, and {} are in its nodes",
                entries.len()
            ))),
        },
    )
}

/// How the nodes of a tree lie in memory.
struct Nodes<'w> {
    walker: &'w Walker<'w>,
    leaf: TypeId,
    key: TypeId,
    value: TypeId,
    /// Where the keys, the values and, in inner nodes, the nodes below begin, in bytes from the beginning of a node.
    keys: u64,
    values: u64,
    edges: Option<u64>,
}

impl<'w> Nodes<'w> {
    fn of(walker: &'w Walker<'w>, leaf: TypeId) -> Option<Self> {
        let layout = walker.layout(leaf)?;
        let offset = |name: &str| {
            let mut fields = layout.fields().iter();
            fields.find(|field| &*field.name == name)
        };
        let inner = walker.pointee(offset("parent")?.of, DEPTH);
        let inner = inner.and_then(|inner| walker.layout(inner));
        let edges = inner.and_then(|inner| {
            let mut fields = inner.fields().iter();
            fields
                .find(|field| &*field.name == "edges")
                .map(|f| f.offset)
        });
        Some(Nodes {
            walker,
            leaf,
            key: layout.parameter("K")?,
            value: layout.parameter("V")?,
            keys: offset("keys")?.offset,
            values: offset("vals")?.offset,
            edges,
        })
    }

    /// The entries of a node and of those below it, in order of keys.
    fn walk(
        &self,
        node: Address,
        height: u64,
        entries: &mut Vec<(Spot, Option<Spot>)>,
    ) -> Result<(), Torn> {
        let torn = || Torn::new(format!("its node at {node} does not hold together"));
        let whole = Spot {
            at: node,
            of: self.leaf,
        };
        let length = self.walker.field(whole, "len");
        let length = length.and_then(|length| self.walker.number(length));
        let length = length.filter(|length| *length <= CAPACITY && height <= HEIGHT);
        let length = length.ok_or_else(torn)?;
        for i in 0..=length {
            // Damaged nodes may lead back to themselves.
            if entries.len() >= MOST {
                return Ok(());
            }
            if height > 0 {
                let edge = self.edges.and_then(|edges| self.place(node, edges, 8, i));
                let below = edge.and_then(|edge| self.walker.memory.word(edge));
                self.walk(Address(below.ok_or_else(torn)?), height - 1, entries)?;
            }
            if i < length {
                entries.push(self.entry(node, i).ok_or_else(torn)?);
            }
        }
        Ok(())
    }

    fn entry(&self, node: Address, i: u64) -> Option<(Spot, Option<Spot>)> {
        let place = |offset, of| {
            let at = self.place(node, offset, self.walker.size(of), i)?;
            Some(Spot { at, of })
        };
        let value = place(self.values, self.value)?;
        let is_set = self.walker.size(self.value) == 0;
        Some((place(self.keys, self.key)?, Some(value).filter(|_| !is_set)))
    }

    fn place(&self, node: Address, offset: u64, stride: u64, i: u64) -> Option<Address> {
        let within = offset.checked_add(stride.checked_mul(i)?)?;
        Some(Address(node.0.checked_add(within)?))
    }
}
