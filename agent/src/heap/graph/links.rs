//! Who points at whom, as two arrays: where each block's links begin, and the links.

use crate::heap::Hold;

/// The links of every block, in order of block.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Where the links of each block begin, and where the last one's end.
    begin: Vec<u32>,
    links: Vec<Link>,
}

/// A block, and how it is held: 29 bits and three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link(u32);

const ID_BITS: u32 = 29;
/// Blocks that can be told apart: half a billion.
pub(super) const MOST_BLOCKS: usize = 1 << ID_BITS;
/// Links that can be kept.
const MOST_LINKS: usize = u32::MAX as usize;

impl Link {
    /// To a block.
    pub fn new(to: u32, hold: Hold) -> Self {
        Link(to | (hold as u32) << ID_BITS)
    }

    /// The block at the other end.
    pub fn to(self) -> u32 {
        self.0 & (MOST_BLOCKS as u32 - 1)
    }

    /// How it is held.
    pub fn hold(self) -> Hold {
        match self.0 >> ID_BITS {
            0 => Hold::Owning,
            1 => Hold::Shared,
            2 => Hold::Weak,
            3 => Hold::Borrowed,
            4 => Hold::Conservative,
            _ => Hold::Doubtful,
        }
    }

    /// Whether it keeps no value alive.
    pub fn is_weak(self) -> bool {
        self.hold() == Hold::Weak
    }
}

impl Links {
    /// Of no block yet.
    pub fn for_blocks(blocks: usize) -> Self {
        let mut begin = Vec::with_capacity(blocks + 1);
        begin.push(0);
        Links {
            begin,
            links: Vec::with_capacity(blocks),
        }
    }

    /// Adds a link of a block. Blocks come in order; of two links to the same block that follow each other one is kept.
    pub fn add(&mut self, from: u32, link: Link) {
        self.open(from);
        let first = self.begin.last().map_or(0, |begin| *begin as usize);
        let known = self.links[first..].iter().rev().take(REMEMBERED);
        let is_known = known.into_iter().any(|other| *other == link);
        if !is_known && self.links.len() < MOST_LINKS {
            self.links.push(link);
        }
    }

    /// Says that all links of all `blocks` were added.
    pub fn finish(&mut self, blocks: usize) {
        let end = self.links.len() as u32;
        self.begin.resize(blocks + 1, end);
        self.links.shrink_to_fit();
    }

    /// Whether there was no room for some.
    pub fn is_full(&self) -> bool {
        self.links.len() == MOST_LINKS
    }

    /// Those of a block.
    #[inline]
    pub fn of(&self, block: u32) -> &[Link] {
        let (begin, end) = (self.begin_of(block), self.begin_of(block + 1));
        &self.links[begin..end]
    }

    /// Where in all links those of a block begin.
    #[inline]
    pub(super) fn begin_of(&self, block: u32) -> usize {
        self.begin[block as usize] as usize
    }

    /// The link at a place among all.
    #[inline]
    pub(super) fn at(&self, place: usize) -> Link {
        self.links[place]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.links.len()
    }

    /// Bytes they take.
    pub fn bytes(&self) -> usize {
        (self.begin.capacity() + self.links.capacity()) * 4
    }

    /// The same links from their other ends.
    pub fn reversed(&self) -> Links {
        let blocks = self.begin.len() - 1;
        // Counted one place on, so that filling leaves each beginning where it belongs.
        let mut begin = vec![0u32; blocks + 2];
        for link in &self.links {
            begin[link.to() as usize + 2] += 1;
        }
        for block in 2..begin.len() {
            begin[block] += begin[block - 1];
        }
        let mut links = vec![Link(0); self.links.len()];
        for from in 0..blocks as u32 {
            for link in self.of(from) {
                let place = &mut begin[link.to() as usize + 1];
                links[*place as usize] = Link::new(from, link.hold());
                *place += 1;
            }
        }
        begin.pop();
        Links { begin, links }
    }

    /// Closes the blocks before this one.
    fn open(&mut self, from: u32) {
        let end = self.links.len() as u32;
        if self.begin.len() <= from as usize {
            self.begin.resize(from as usize + 1, end);
        }
    }
}

/// How many links back the same one is looked for: a fat table of equal pointers must not become quadratic.
const REMEMBERED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_link_keeps_both_halves() {
        for hold in [
            Hold::Owning,
            Hold::Shared,
            Hold::Weak,
            Hold::Borrowed,
            Hold::Conservative,
            Hold::Doubtful,
        ] {
            let link = Link::new(MOST_BLOCKS as u32 - 1, hold);
            assert_eq!((link.to(), link.hold()), (MOST_BLOCKS as u32 - 1, hold));
        }
    }

    proptest! {
        #[test]
        fn reversed_links_are_the_same_links(mut pairs in prop::collection::vec((0u32..30, 0u32..30), 0..200)) {
            pairs.sort_unstable();
            pairs.dedup();
            let mut links = Links::for_blocks(30);
            for (from, to) in &pairs {
                links.add(*from, Link::new(*to, Hold::Shared));
            }
            links.finish(30);
            let back = links.reversed();
            let listed = |links: &Links| -> Vec<(u32, u32)> {
                (0..30).flat_map(|from| links.of(from).iter().map(move |link| (from, link.to()))).collect()
            };
            prop_assert_eq!(listed(&links), pairs.clone());
            let mut turned: Vec<_> = listed(&back).into_iter().map(|(from, to)| (to, from)).collect();
            turned.sort_unstable();
            prop_assert_eq!(turned, pairs);
        }
    }
}
