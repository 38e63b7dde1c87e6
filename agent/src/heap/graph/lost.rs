//! What is lost: blocks that no root leads to, by the ones at which one would have to begin to free them.

use super::rings::rings;
use super::{Graph, Link};
use crate::heap::{Held, Hold, Rank};

/// A block that is lost, or a ring of them, with what hangs on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The block, or the members of the ring.
    pub heads: Vec<u32>,
    /// Blocks that are lost only because these are. What several lead to is counted with the first.
    pub indirect: u64,
    /// Bytes of those.
    pub indirect_bytes: u64,
}

impl Graph {
    /// What is held in this way and no better: the blocks, or rings, that nothing else that is held so leads to.
    pub fn lost(&self, held: Held) -> Vec<Lost> {
        let mut lost = self.heads(held);
        let mut claimed = vec![false; self.blocks() as usize];
        for head in lost.iter().flat_map(|lost| &lost.heads) {
            claimed[*head as usize] = true;
        }
        for lost in &mut lost {
            self.claim(lost, held, &mut claimed);
        }
        lost
    }

    /// The rings that the program cannot reach any more, each of at least two blocks.
    pub fn lost_rings(&self) -> Vec<Vec<u32>> {
        let mut found = Vec::new();
        for held in [Held::Nothing, Held::Weakly, Held::Doubtful, Held::Leftover] {
            self.for_each_ring(
                |block| self.held(block) == held,
                leads,
                |ring| {
                    if ring.len() > 1 {
                        found.push(ring.to_vec());
                    }
                },
            );
        }
        found
    }

    /// The rings of blocks that keep each other alive, by their types, and that the program still reaches.
    pub fn held_rings(&self) -> Vec<Vec<u32>> {
        let mut found = Vec::new();
        let keeps = |hold: Hold| hold.rank() == Rank::Strong;
        self.for_each_ring(
            |block| self.held(block).is_reached(),
            keeps,
            |ring| {
                if ring.len() > 1 {
                    found.push(ring.to_vec());
                }
            },
        );
        found
    }

    fn heads(&self, held: Held) -> Vec<Lost> {
        let mut found = Vec::new();
        self.for_each_ring(
            |block| self.held(block) == held,
            leads,
            |ring| {
                let mut heads = ring.to_vec();
                heads.sort_unstable();
                let from_outside = |link: &Link| {
                    self.held(link.to()) == held
                        && link.hold() != Hold::Doubtful
                        && heads.binary_search(&link.to()).is_err()
                };
                let is_led_to = heads
                    .iter()
                    .any(|head| self.back(*head).iter().any(from_outside));
                if !is_led_to {
                    found.push(Lost {
                        heads,
                        ..Lost::default()
                    });
                }
            },
        );
        found.sort_unstable_by_key(|lost| lost.heads.first().copied());
        found
    }

    fn for_each_ring(
        &self,
        among: impl Fn(u32) -> bool,
        follows: impl Fn(Hold) -> bool,
        found: impl FnMut(&[u32]),
    ) {
        let follows = |link: Link| follows(link.hold());
        rings(&self.links, self.blocks(), among, follows, found);
    }

    /// Counts what hangs on one.
    fn claim(&self, lost: &mut Lost, held: Held, claimed: &mut [bool]) {
        let mut todo = lost.heads.clone();
        while let Some(block) = todo.pop() {
            let links = self.links(block).iter();
            for link in links.filter(|link| link.hold() != Hold::Doubtful) {
                let to = link.to();
                if self.held(to) == held && !std::mem::replace(&mut claimed[to as usize], true) {
                    lost.indirect += 1;
                    lost.indirect_bytes += self.sizes[to as usize];
                    todo.push(to);
                }
            }
        }
    }
}

/// Whether what is lost leads to what such a pointer points at.
fn leads(hold: Hold) -> bool {
    hold.rank() <= Rank::Conservative
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::RootKind;
    use crate::heap::graph::fixture::{block, hold, links, links_with, some_graph};
    use proptest::prelude::*;

    fn graph(count: usize, edges: &[(u32, u32)], held: &[u32]) -> Graph {
        let blocks: Vec<_> = (0..count as u64)
            .map(|place| block(place << 8, 1))
            .collect();
        let holds = held.iter().map(|to| hold(0, *to)).collect();
        Graph::new(
            &blocks,
            links(count, edges),
            holds,
            vec![RootKind::Static { module: 0 }],
        )
    }

    #[test]
    fn a_ring_is_one_head_and_what_hangs_on_it_is_indirect() {
        // 0 is held; 1 and 2 hold each other and 3; 4 is lost alone, and holds 3, too, and what is held.
        let graph = graph(5, &[(1, 2), (2, 1), (2, 3), (4, 3), (4, 0)], &[0]);
        let lost = graph.lost(Held::Nothing);
        let heads: Vec<_> = lost
            .iter()
            .map(|lost| (&lost.heads[..], lost.indirect))
            .collect();
        assert_eq!(heads, [(&[1, 2][..], 1), (&[4][..], 0)]);
        assert_eq!(graph.lost_rings().len(), 1);
        assert_eq!(graph.lost(Held::Untracked), []);
    }

    #[test]
    fn a_ring_that_is_known_weakly_alone_is_lost() {
        let ring = |root: &[crate::heap::RootHold]| {
            // 0 points weakly at 1; 1 and 2 hold each other.
            let edges = [
                (0, 1, Hold::Weak),
                (1, 2, Hold::Shared),
                (2, 1, Hold::Shared),
            ];
            let kinds = vec![RootKind::Static { module: 0 }, RootKind::Untracked];
            let blocks: Vec<_> = (0..3).map(|place| block(place << 8, 1)).collect();
            let graph = Graph::new(&blocks, links_with(3, &edges), root.to_vec(), kinds);
            graph.lost_rings().len()
        };
        assert_eq!(ring(&[hold(0, 0)]), 1);
        assert_eq!(ring(&[hold(0, 0), hold(0, 2)]), 0, "a static holds it, too");
        assert_eq!(ring(&[hold(0, 0), hold(1, 2)]), 0, "C may hold it");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
        #[test]
        fn every_lost_block_is_counted_once((blocks, edges, held) in some_graph()) {
            let graph = graph(blocks, &edges, &held);
            let all = (0..blocks as u32).filter(|block| graph.held(*block) == Held::Nothing).count();
            let lost = graph.lost(Held::Nothing);
            let counted: usize = lost.iter().map(|lost| lost.heads.len() + lost.indirect as usize).sum();
            prop_assert_eq!(counted, all);
            // No head is led to by a lost block that is not of its ring.
            for lost in &lost {
                for (from, to) in &edges {
                    if lost.heads.contains(to) && !lost.heads.contains(from) {
                        prop_assert_ne!(graph.held(*from), Held::Nothing);
                    }
                }
            }
        }
    }
}
