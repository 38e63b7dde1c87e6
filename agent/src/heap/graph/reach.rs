//! What the roots reach, and along which shortest chains: a breadth-first search, the strongest roots first.
//!
//! A static that leads to a block says more than a word on a stack, which may be left over. So each kind of root is
//! followed to its end before the next begins, and a block belongs to the first that comes to it.

use super::links::{Link, Links};
use crate::heap::{Held, RootHold, RootKind};

/// By what each block is held, and through whom.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    held: Vec<Held>,
    via: Vec<u32>,
}

/// Nobody leads to it: a root does, or nothing.
const NOBODY: u32 = u32::MAX;

impl Reach {
    /// Follows `links` from what `holds` point at. `kinds` are those of the roots.
    pub fn of(links: &Links, blocks: usize, holds: &[RootHold], kinds: &[RootKind]) -> Self {
        let mut search = Search {
            reach: Reach {
                held: vec![Held::Nothing; blocks],
                via: vec![NOBODY; blocks],
            },
            links,
            queue: Vec::new(),
        };
        for held in Held::ALL {
            match held {
                Held::Weakly => search.begin_at_weak(),
                Held::Nothing => {}
                _ => search.begin_at_roots(held, holds, kinds),
            }
            search.run(held);
        }
        search.reach
    }

    /// By what a block is held.
    #[inline]
    pub fn held(&self, block: u32) -> Held {
        self.held[block as usize]
    }

    /// The block that leads to this one on the shortest chain. None where a root does, or nothing.
    pub fn via(&self, block: u32) -> Option<u32> {
        let via = self.via[block as usize];
        (via != NOBODY).then_some(via)
    }

    /// The shortest chain from a root to a block: the block first, last the one that the root holds.
    pub fn chain(&self, block: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(block), |block| self.via(*block))
    }
}

struct Search<'a> {
    reach: Reach,
    links: &'a Links,
    queue: Vec<u32>,
}

impl Search<'_> {
    fn begin_at_roots(&mut self, held: Held, holds: &[RootHold], kinds: &[RootKind]) {
        for hold in holds {
            let kind = kinds.get(hold.root as usize);
            if kind.is_some_and(|kind| kind.held() == held) {
                self.come_to(hold.to, NOBODY, held);
            }
        }
    }

    /// At what those reached so far hold weakly.
    fn begin_at_weak(&mut self) {
        for block in 0..self.reach.held.len() as u32 {
            if self.reach.held(block).is_reached() {
                for link in self.links.of(block).iter().filter(|link| link.is_weak()) {
                    self.come_to(link.to(), block, Held::Weakly);
                }
            }
        }
    }

    fn run(&mut self, held: Held) {
        // What is not alive holds weakly as well as any other way: all of it goes together.
        let follows = |link: &Link| !held.is_reached() || !link.is_weak();
        let mut next = 0;
        while let Some(block) = self.queue.get(next).copied() {
            next += 1;
            let links = self.links;
            for link in links.of(block).iter().filter(|link| follows(link)) {
                self.come_to(link.to(), block, held);
            }
        }
        self.queue.clear();
    }

    #[inline]
    fn come_to(&mut self, block: u32, via: u32, held: Held) {
        let place = &mut self.reach.held[block as usize];
        if *place == Held::Nothing && held != Held::Nothing {
            *place = held;
            self.reach.via[block as usize] = via;
            self.queue.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Hold;
    use crate::heap::graph::fixture::{hold, links, links_with, some_graph};
    use proptest::prelude::*;

    const KINDS: [RootKind; 4] = [
        RootKind::Stack { tid: 1 },
        RootKind::Static { module: 0 },
        RootKind::Untracked,
        RootKind::Leftover { tid: 1 },
    ];

    #[test]
    fn a_static_comes_before_a_shorter_way_from_a_stack() {
        let links = links(3, &[(0, 1), (1, 2)]);
        let reach = Reach::of(&links, 3, &[hold(0, 2), hold(1, 0)], &KINDS);
        assert_eq!(reach.held(2), Held::Static);
        assert_eq!(reach.chain(2).collect::<Vec<_>>(), [2, 1, 0]);
    }

    #[test]
    fn each_block_belongs_to_the_strongest_that_leads_to_it() {
        let links = links_with(
            6,
            &[
                (0, 1, Hold::Weak),
                (2, 1, Hold::Owning),
                (3, 4, Hold::Owning),
            ],
        );
        let reach = Reach::of(&links, 6, &[hold(3, 3), hold(2, 2), hold(1, 0)], &KINDS);
        let held: Vec<_> = (0..6).map(|block| reach.held(block)).collect();
        assert_eq!(
            held,
            [
                Held::Static,
                Held::Weakly,
                Held::Untracked,
                Held::Leftover,
                Held::Leftover,
                Held::Nothing,
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
        #[test]
        fn chains_are_the_shortest((blocks, edges, roots) in some_graph()) {
            let links = links(blocks, &edges);
            let holds: Vec<_> = roots.iter().map(|to| hold(1, *to)).collect();
            let reach = Reach::of(&links, blocks, &holds, &KINDS);
            // Rounds of relaxation: as slow as it is plain.
            let mut far = vec![None; blocks];
            roots.iter().for_each(|root| far[*root as usize] = Some(0));
            for _ in 0..blocks {
                for (from, to) in &edges {
                    if let Some(so_far) = far[*from as usize] {
                        let there = &mut far[*to as usize];
                        *there = Some(there.map_or(so_far + 1, |known: usize| known.min(so_far + 1)));
                    }
                }
            }
            for block in 0..blocks as u32 {
                let is_reached = reach.held(block) == Held::Static;
                let length = is_reached.then(|| reach.chain(block).count() - 1);
                prop_assert_eq!(length, far[block as usize], "block {}", block);
            }
        }
    }
}
