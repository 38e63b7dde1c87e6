//! Rings: blocks that hold each other, each leading to every other (strongly connected components). Tarjan's search,
//! iterative.

use super::links::{Link, Links};

/// Finds the rings among the blocks for which `among` holds, those in no ring as rings of one. A ring is found after those
/// it leads to.
pub fn rings(
    links: &Links,
    blocks: u32,
    among: impl Fn(u32) -> bool,
    follows: impl Fn(Link) -> bool,
    mut found: impl FnMut(&[u32]),
) {
    let mut search = Search {
        numbers: vec![UNSEEN; blocks as usize],
        low: Vec::new(),
        way: Vec::new(),
        open: Vec::new(),
    };
    for block in (0..blocks).filter(|block| among(*block)) {
        if search.numbers[block as usize] != UNSEEN {
            continue;
        }
        search.enter(block, links);
        while let Some((block, place)) = search.way.last_mut() {
            if *place == links.begin_of(*block + 1) {
                search.leave(&mut found);
                continue;
            }
            let link = links.at(*place);
            *place += 1;
            if among(link.to()) && follows(link) {
                search.look_at(link.to(), links);
            }
        }
    }
}

/// A block that was not come to yet.
const UNSEEN: u32 = u32::MAX;
/// A block whose ring is known.
const CLOSED: u32 = u32::MAX - 1;

struct Search {
    /// In which order a block was come to.
    numbers: Vec<u32>,
    /// For each number the least of those whose ring is not known that it leads to.
    low: Vec<u32>,
    /// The blocks on the way, and the place of the link at which each goes on.
    way: Vec<(u32, usize)>,
    /// Blocks whose ring is not known yet.
    open: Vec<u32>,
}

impl Search {
    fn enter(&mut self, block: u32, links: &Links) {
        let number = self.low.len() as u32;
        self.numbers[block as usize] = number;
        self.low.push(number);
        self.way.push((block, links.begin_of(block)));
        self.open.push(block);
    }

    /// At a block that the last one on the way leads to.
    fn look_at(&mut self, to: u32, links: &Links) {
        match self.numbers[to as usize] {
            UNSEEN => self.enter(to, links),
            CLOSED => {}
            number => self.lower(number),
        }
    }

    /// Says that the last block on the way leads to this number.
    fn lower(&mut self, number: u32) {
        if let Some((block, _)) = self.way.last() {
            let low = &mut self.low[self.numbers[*block as usize] as usize];
            *low = number.min(*low);
        }
    }

    /// The last block on the way, whose links were all looked at: where it leads to nothing before it, it closes a ring.
    fn leave(&mut self, found: &mut impl FnMut(&[u32])) {
        let Some((block, _)) = self.way.pop() else {
            return;
        };
        let number = self.numbers[block as usize];
        let low = self.low[number as usize];
        self.lower(low);
        if number == low {
            let first = self.open.iter().rposition(|open| *open == block);
            let ring = self.open.split_off(first.unwrap_or(0));
            for member in &ring {
                self.numbers[*member as usize] = CLOSED;
            }
            found(&ring);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::graph::fixture::{links, some_graph};
    use proptest::prelude::*;

    fn all(links: &Links, blocks: usize) -> Vec<Vec<u32>> {
        let mut all = Vec::new();
        rings(
            links,
            blocks as u32,
            |_| true,
            |_| true,
            |ring| {
                let mut ring = ring.to_vec();
                ring.sort_unstable();
                all.push(ring);
            },
        );
        all
    }

    #[test]
    fn a_long_ring_is_one() {
        let blocks = if cfg!(miri) { 100 } else { 100_000 };
        let edges: Vec<_> = (0..blocks)
            .map(|from| (from, (from + 1) % blocks))
            .collect();
        let found = all(&links(blocks as usize, &edges), blocks as usize);
        assert_eq!(
            found.iter().map(Vec::len).collect::<Vec<_>>(),
            [blocks as usize]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
        #[test]
        fn members_lead_to_each_other_and_to_nobody_before((blocks, edges, _) in some_graph()) {
            // Who leads to whom, by rounds of relaxation.
            let mut leads = vec![vec![false; blocks]; blocks];
            (0..blocks).for_each(|block| leads[block][block] = true);
            for _ in 0..blocks {
                for (from, to) in &edges {
                    let there = leads[*to as usize].clone();
                    let here = &mut leads[*from as usize];
                    here.iter_mut().zip(there).for_each(|(here, there)| *here |= there);
                }
            }
            let found = all(&links(blocks, &edges), blocks);
            prop_assert_eq!(found.iter().map(Vec::len).sum::<usize>(), blocks);
            for (number, ring) in found.iter().enumerate() {
                let first = ring[0] as usize;
                let expected: Vec<u32> = (0..blocks as u32)
                    .filter(|other| leads[first][*other as usize] && leads[*other as usize][first])
                    .collect();
                prop_assert_eq!(ring, &expected);
                let later = found[number + 1..].iter().flatten();
                prop_assert!(!later.into_iter().any(|other| leads[first][*other as usize]));
            }
        }
    }
}
