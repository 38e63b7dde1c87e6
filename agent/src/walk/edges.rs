//! `walk`: who points at whom, word by word. Every aligned word of a live block, and of the roots, that reads as an address
//! in a block, or one past its end, counts as a pointer to it.
//!
//! Words with low bits used as tags still lie in their block and count; with high bits used, or mixed with another
//! address (XOR), they do not.

use std::ops::Range;

use super::chunks::{Next, in_use};
use crate::heap::graph::{Index, Link, Links};
use crate::heap::{
    Address, Block, Confidence, Edge, Hold, Memory, Root, RootHold, RootKind, Words,
};

/// What a scan of the whole heap found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Who points at whom.
    pub links: Links,
    /// What the roots hold.
    pub holds: Vec<RootHold>,
    /// Whether there was no room for all of it.
    pub is_cut: bool,
}

/// Who knows what types say of words.
pub trait Judge {
    /// Of those in a block, whose bytes may be at hand.
    fn block(&mut self, number: u32, block: &Block, bytes: Option<&[u8]>, into: &mut Judged);

    /// Of the one at an address in a static or thread-local. They come in order of address.
    fn root(&mut self, at: u64) -> Hold;
}

/// Nobody knows of any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTypes;

impl Judge for NoTypes {
    fn block(&mut self, _: u32, _: &Block, _: Option<&[u8]>, _: &mut Judged) {}

    fn root(&mut self, _: u64) -> Hold {
        Hold::Conservative
    }
}

/// What types say of the words of a block.
#[derive(Debug)]
pub struct Judged {
    /// How those hold of which they speak, by offset in bytes, ascending.
    pointers: Vec<(u64, Hold)>,
    /// How all others do.
    rest: Hold,
    /// The first that was not asked for.
    next: usize,
}

impl Default for Judged {
    fn default() -> Self {
        Judged {
            pointers: Vec::new(),
            rest: Hold::Conservative,
            next: 0,
        }
    }
}

impl Judged {
    fn clear(&mut self) {
        self.pointers.clear();
        (self.rest, self.next) = (Hold::Conservative, 0);
    }

    /// Says how the words at these offsets hold, and how the others do.
    pub(super) fn set(&mut self, pointers: impl FnOnce(&mut Vec<(u64, Hold)>) -> Hold) {
        self.rest = pointers(&mut self.pointers);
        if !self.pointers.is_sorted_by_key(|pointer| pointer.0) {
            self.pointers.sort_unstable_by_key(|pointer| pointer.0);
        }
    }

    /// How the word at an offset holds. They are asked for in order.
    pub(super) fn hold(&mut self, offset: u64) -> Hold {
        while let Some((at, hold)) = self.pointers.get(self.next) {
            match at.cmp(&offset) {
                std::cmp::Ordering::Less => self.next += 1,
                std::cmp::Ordering::Equal => return *hold,
                std::cmp::Ordering::Greater => break,
            }
        }
        self.rest
    }
}

/// Words of roots that are kept: 384 MiB of them.
const MOST_HOLDS: usize = 1 << 24;

/// Scans the live blocks, in order of address, and the roots. Where the allocator is glibc's (`has_chunks`), what it has free
/// is told from what C code uses. `judge` says what types know of the words.
pub fn scan(
    blocks: &[Block],
    index: &Index,
    roots: &[Root],
    memory: &dyn Memory,
    has_chunks: bool,
    judge: &mut dyn Judge,
) -> Scan {
    let mut reader = Reader::new(memory);
    let links = links(blocks, index, &mut reader, judge);
    let mut holds = Vec::new();
    for (number, root) in roots.iter().enumerate() {
        let is_typed = matches!(
            root.kind,
            RootKind::Static { .. } | RootKind::ThreadLocal { .. }
        );
        let mut hold = |at, word| {
            if index.is_near(word)
                && holds.len() < MOST_HOLDS
                && let Some(to) = index.find(blocks, word)
            {
                let root = number as u32;
                let hold = match is_typed {
                    true => judge.root(at),
                    false => Hold::Conservative,
                };
                holds.push(RootHold { root, to, at, hold });
            }
        };
        match &root.words {
            Words::Values(values) => (0..).zip(values).for_each(|(at, value)| hold(at, *value)),
            Words::At(range) => {
                let chunks = has_chunks && root.kind == RootKind::Untracked;
                let mut gaps = Gaps::new(blocks, range, chunks.then_some(memory));
                outside(blocks, range, &mut gaps, &mut reader, &mut hold);
            }
        }
    }
    Scan {
        is_cut: links.is_full() || holds.len() == MOST_HOLDS,
        links,
        holds,
    }
}

/// What lies in single blocks, found anew each time: where exactly a pointer stands is not kept for all of them.
pub struct Edges<'a> {
    /// The live blocks, in order of address.
    pub blocks: &'a [Block],
    /// Finds them.
    pub index: &'a Index,
    /// Their bytes.
    pub memory: &'a dyn Memory,
}

impl Edges<'_> {
    /// The pointers in a block, in order of their places in it; those to itself are left out.
    pub fn of(&self, from: u32) -> Vec<Edge> {
        let Some(block) = self.blocks.get(from as usize) else {
            return Vec::new();
        };
        let mut edges = Vec::new();
        let begin = block.address.0;
        let range = begin..begin.saturating_add(block.size);
        Reader::new(self.memory).each(range, |at, bytes| {
            for (at, word) in words(at, bytes) {
                edges.extend(self.edge(from, at - begin, word));
            }
        });
        edges
    }

    fn edge(&self, from: u32, offset: u64, word: u64) -> Option<Edge> {
        let to = self.index.find(self.blocks, word)?;
        (to != from).then(|| Edge {
            from,
            offset,
            to,
            into: word - self.blocks[to as usize].address.0,
            hold: Hold::Conservative,
            confidence: Confidence::Guess,
        })
    }
}

/// The links of all blocks.
fn links(blocks: &[Block], index: &Index, reader: &mut Reader<'_>, judge: &mut dyn Judge) -> Links {
    let mut links = Links::for_blocks(blocks.len());
    // Of the block looked at last: a large one is read in many pieces.
    let (mut of, mut judged) = (u32::MAX, Judged::default());
    let mut first = 0;
    while first < blocks.len() {
        let end = end_of_cluster(blocks, first);
        let cluster = &blocks[first..end];
        let mut next = 0;
        reader.each(span(cluster), |start, bytes| {
            let ends = start + bytes.len() as u64;
            while cluster
                .get(next)
                .is_some_and(|block| end_of(block) <= start)
            {
                next += 1;
            }
            for (place, block) in cluster.iter().enumerate().skip(next) {
                if block.address.0 >= ends {
                    break;
                }
                let from = (first + place) as u32;
                let begin = block.address.0;
                let inside = part(bytes, start, begin..end_of(block));
                if from != of {
                    of = from;
                    judged.clear();
                    judge.block(from, block, whole(bytes, start, block), &mut judged);
                }
                let first = start.max(begin).next_multiple_of(WORD) - begin;
                for (offset, word) in words(first, inside) {
                    if index.is_near(word)
                        && let Some(to) = index.find(blocks, word)
                        && to != from
                    {
                        links.add(from, Link::new(to, judged.hold(offset)));
                    }
                }
            }
        });
        first = end;
    }
    links.finish(blocks.len());
    links
}

/// The bytes of a block, if all of them are at hand.
fn whole<'b>(bytes: &'b [u8], start: u64, block: &Block) -> Option<&'b [u8]> {
    let from = usize::try_from(block.address.0.checked_sub(start)?).ok()?;
    bytes.get(from..from.checked_add(usize::try_from(block.size).ok()?)?)
}

/// Visits the words of a range that lie in no live block, with their addresses.
fn outside(
    blocks: &[Block],
    range: &Range<u64>,
    gaps: &mut Gaps<'_>,
    reader: &mut Reader<'_>,
    visit: &mut impl FnMut(u64, u64),
) {
    reader.each(range.clone(), |start, bytes| {
        let end = start + bytes.len() as u64;
        let mut next = blocks.partition_point(|block| end_of(block) <= start);
        let mut at = start;
        while at < end {
            let block = blocks.get(next).filter(|block| block.address.0 < end);
            let until = block.map_or(end, |block| block.address.0);
            if at < until {
                for part in gaps.before(next) {
                    let part = part.start.max(at)..part.end.min(until);
                    let first = part.start.next_multiple_of(WORD);
                    for (at, word) in words(first, self::part(bytes, start, part)) {
                        visit(at, word);
                    }
                }
            }
            at = block.map_or(end, |block| at.max(end_of(block)));
            next += 1;
        }
    });
}

/// What of the gaps between blocks is in use. The last gap asked for is remembered: a large one is read in many pieces.
struct Gaps<'a> {
    blocks: &'a [Block],
    range: &'a Range<u64>,
    /// Where the allocator's chunks are to be looked at.
    memory: Option<&'a dyn Memory>,
    last: Option<(usize, Vec<Range<u64>>)>,
}

impl<'a> Gaps<'a> {
    fn new(blocks: &'a [Block], range: &'a Range<u64>, memory: Option<&'a dyn Memory>) -> Self {
        Gaps {
            blocks,
            range,
            memory,
            last: None,
        }
    }

    /// The parts of the gap before a block.
    fn before(&mut self, next: usize) -> &[Range<u64>] {
        let known = self.last.take().filter(|(place, _)| *place == next);
        let parts = known.map_or_else(|| self.parts(next), |(_, parts)| parts);
        &self.last.insert((next, parts)).1
    }

    fn parts(&self, next: usize) -> Vec<Range<u64>> {
        let is_here = |block: &&Block| self.range.contains(&block.address.0);
        let before = next
            .checked_sub(1)
            .and_then(|before| self.blocks.get(before));
        let after = self.blocks.get(next).filter(is_here);
        let (Some(before), Some(memory)) = (before.filter(is_here), self.memory) else {
            return vec![self.range.clone()];
        };
        let next = after.map_or(Next::End(self.range.end), |after| {
            Next::Block(after.address.0)
        });
        in_use(memory, before, next)
    }
}

/// Blocks with small gaps between them are asked for at once: those from `first` on, up to this one.
fn end_of_cluster(blocks: &[Block], first: usize) -> usize {
    const GAP: u64 = 1 << 16;
    let apart = |pair: &[Block]| pair[1].address.0.saturating_sub(end_of(&pair[0])) > GAP;
    let rest = &blocks[first..];
    rest.windows(2)
        .position(apart)
        .map_or(blocks.len(), |last| first + last + 1)
}

fn span(cluster: &[Block]) -> Range<u64> {
    let start = cluster.first().map_or(0, |block| block.address.0);
    start..cluster.last().map_or(start, end_of)
}

fn end_of(block: &Block) -> u64 {
    block.address.0.saturating_add(block.size)
}

const WORD: u64 = 8;

/// The whole, aligned words of these addresses among bytes that begin at `start`.
fn part(bytes: &[u8], start: u64, range: Range<u64>) -> &[u8] {
    let from = range.start.max(start).next_multiple_of(WORD) - start;
    let to = (range.end.min(start + bytes.len() as u64) & !(WORD - 1)).saturating_sub(start);
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

/// Words that begin at an address.
fn words(at: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let words = bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word));
    (at..).step_by(WORD as usize).zip(words)
}

/// Reads memory piece by piece.
pub(super) struct Reader<'m> {
    memory: &'m dyn Memory,
    buffer: Vec<u8>,
}

impl<'m> Reader<'m> {
    /// Bytes read at once: they fit the cache of one core.
    const PIECE: usize = 128 << 10;

    pub(super) fn new(memory: &'m dyn Memory) -> Self {
        Reader {
            memory,
            buffer: vec![0; Self::PIECE],
        }
    }

    /// Visits the aligned words that can be read of a range, with their addresses.
    pub(super) fn words(&mut self, range: Range<u64>, visit: &mut dyn FnMut(u64, u64)) {
        self.each(range, |start, bytes| {
            words(start, bytes).for_each(|(at, word)| visit(at, word));
        });
    }

    /// Visits what can be read of a range, in order, each piece beginning at a word. What cannot is passed over.
    fn each(&mut self, range: Range<u64>, mut visit: impl FnMut(u64, &[u8])) {
        for piece in self.memory.readable(range) {
            let mut at = piece.start.next_multiple_of(WORD);
            while at < piece.end {
                let length = (piece.end - at).min(Self::PIECE as u64);
                let buffer = &mut self.buffer[..length as usize];
                if self.memory.read(Address(at), buffer).is_some() {
                    visit(at, buffer);
                }
                at += length;
            }
        }
    }
}

#[cfg(test)]
mod tests;
