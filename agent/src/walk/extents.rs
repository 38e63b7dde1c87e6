//! `walk`: how much of a buffer is in use. Only its owner knows, so the owners are asked: every value of a known type that has
//! a buffer says where it is, how much there is room for, and how much of that is in use.
//!
//! An owner is believed where the buffer is a block of exactly the size it says. What stands in the spare room of a buffer may be
//! an owner that has gone, so buffers of owners are read after it is known how much of them is in use. Where two owners disagree
//! one of them is a copy that was left behind: nothing is known then.

use std::collections::HashMap;

use super::pointers::{Found, Live, TypedBuffer};
use super::{Spot, Typed};
use crate::heap::graph::Index;
use crate::heap::{Block, Content, TypeId};

/// How much of a buffer is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first element in use.
    pub first: u64,
    /// How many are, from that on, going on at the beginning where the end is come to.
    pub length: u64,
    /// How many there is room for.
    pub capacity: u64,
    /// The type of an element.
    pub of: TypeId,
    /// The type of the owner.
    pub owner: TypeId,
}

/// The buffers of which that is known, by block.
#[derive(Debug, Default)]
pub struct Extents {
    /// In order of block.
    kept: Vec<Kept>,
    /// Elements and owners.
    types: Vec<(TypeId, TypeId)>,
}

/// What is kept of one: 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    block: u32,
    first: u32,
    length: u32,
    capacity: u32,
    types: u32,
}

/// The length of a buffer whose owners disagree.
const UNKNOWN: u32 = u32::MAX;
/// How often owners are read in buffers that became known the time before: buffers of buffers of buffers.
const ROUNDS: usize = 32;

impl Extent {
    /// The numbers of the elements in use.
    pub fn live(&self) -> Live {
        let end = self.first.saturating_add(self.length);
        let around = end.saturating_sub(self.capacity);
        [self.first..end.min(self.capacity), 0..around]
    }
}

impl Extents {
    /// How much of a block is in use, if it is a buffer whose owner is known.
    pub fn of(&self, block: u32) -> Option<Extent> {
        let place = self.place(block).ok()?;
        let kept = self.kept.get(place)?;
        let (of, owner) = *self.types.get(kept.types as usize)?;
        (kept.length != UNKNOWN).then(|| Extent {
            first: kept.first.into(),
            length: kept.length.into(),
            capacity: kept.capacity.into(),
            of,
            owner,
        })
    }

    /// Asks the owners in the blocks of known types, and in these other values.
    pub(crate) fn find(
        blocks: &[Block],
        index: &Index,
        typed: &Typed<'_>,
        values: &[Spot],
    ) -> Extents {
        let mut search = Search {
            blocks,
            index,
            typed,
            extents: Extents::default(),
            types: HashMap::new(),
            new: Vec::new(),
        };
        search.run(values);
        search.extents
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.kept.capacity() * size_of::<Kept>()
    }

    fn place(&self, block: u32) -> Result<usize, usize> {
        self.kept.binary_search_by_key(&block, |kept| kept.block)
    }

    /// Puts what was found to what is known, in which it is disputed where it differs, unless what is known is `sure`. Gives the
    /// blocks of which nothing was known.
    fn merge(&mut self, mut new: Vec<Kept>, sure: bool) -> Vec<u32> {
        new.sort_by_key(|kept| kept.block);
        new.dedup_by(|next, kept| {
            let is_same = next.block == kept.block;
            if is_same && !next.agrees(kept) {
                kept.length = UNKNOWN;
            }
            is_same
        });
        new.retain(|next| match self.place(next.block) {
            Ok(place) => {
                let known = &mut self.kept[place];
                if !sure && !next.agrees(known) {
                    known.length = UNKNOWN;
                }
                false
            }
            Err(_) => true,
        });
        let added = new.iter().map(|kept| kept.block).collect();
        self.kept.append(&mut new);
        // Two sorted runs: it merges them.
        self.kept.sort_by_key(|kept| kept.block);
        added
    }
}

impl Kept {
    fn agrees(&self, other: &Kept) -> bool {
        (self.first, self.length, self.capacity) == (other.first, other.length, other.capacity)
    }
}

struct Search<'a> {
    blocks: &'a [Block],
    index: &'a Index,
    typed: &'a Typed<'a>,
    extents: Extents,
    /// Where in `extents.types` a pair is.
    types: HashMap<(TypeId, TypeId), u32>,
    /// What owners said since the last time it was put together.
    new: Vec<Kept>,
}

impl Search<'_> {
    fn run(&mut self, values: &[Spot]) {
        for value in values {
            self.look_at_value(*value);
        }
        // Buffers that may own buffers; the others say all they ever will at once.
        let mut later = Vec::new();
        for (number, block) in (0..).zip(self.blocks) {
            match self.typed.owners(block) {
                Some(Content::Items(_)) => later.push(number),
                Some(_) => self.look_at(number),
                None => {}
            }
        }
        self.settle(&later, false);
        // Buffers whose owners are on a stack, say: what seems to stand in them takes nothing back.
        let unknown = later
            .into_iter()
            .filter(|number| self.extents.place(*number).is_err());
        let unknown: Vec<u32> = unknown.collect();
        unknown.iter().for_each(|number| self.look_at(*number));
        self.settle(&unknown, true);
        self.extents.kept.shrink_to_fit();
    }

    /// Reads the owners in those of these buffers that become known, until no more do.
    fn settle(&mut self, later: &[u32], sure: bool) {
        for _ in 0..ROUNDS {
            let new = std::mem::take(&mut self.new);
            let added = self.extents.merge(new, sure).into_iter();
            let readable = added.filter(|number| later.binary_search(number).is_ok());
            readable.for_each(|number| self.look_at(number));
            if self.new.is_empty() {
                break;
            }
        }
    }

    fn look_at(&mut self, number: u32) {
        let block = &self.blocks[number as usize];
        let typed = self.typed;
        let extent = self.extents.of(number);
        typed.each_of_owner(block, extent, &mut |found| self.hear(found));
    }

    fn look_at_value(&mut self, value: Spot) {
        let typed = self.typed;
        typed.of_value(value, &mut |found| self.hear(found));
    }

    fn hear(&mut self, found: Found) {
        if let Found::Buffer(buffer) = found {
            let kept = self.kept(&buffer);
            self.new.extend(kept);
        }
    }

    fn kept(&mut self, buffer: &TypedBuffer) -> Option<Kept> {
        let block = self.index.find(self.blocks, buffer.at)?;
        let there = self.blocks.get(block as usize)?;
        let fits = there.address.0 == buffer.at
            && buffer.capacity.checked_mul(buffer.stride) == Some(there.size)
            && buffer.length <= buffer.capacity
            && (buffer.head < buffer.capacity || buffer.head == 0);
        let small = |number: u64| u32::try_from(number).ok().filter(|n| *n != UNKNOWN);
        Some(Kept {
            block,
            first: small(buffer.head)?,
            length: small(buffer.length)?,
            capacity: small(buffer.capacity)?,
            types: self.types(buffer.of, buffer.owner),
        })
        .filter(|_| fits)
    }

    fn types(&mut self, of: TypeId, owner: TypeId) -> u32 {
        let all = &mut self.extents.types;
        *self.types.entry((of, owner)).or_insert_with(|| {
            all.push((of, owner));
            all.len() as u32 - 1
        })
    }
}

#[cfg(test)]
mod tests;
