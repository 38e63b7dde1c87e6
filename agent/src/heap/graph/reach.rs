//! What the roots reach, and along which shortest chains: a breadth-first search, the strongest roots first, what types say
//! before what only reads as a pointer.
//!
//! A static that leads to a block says more than a word on a stack, which may be left over; and a pointer that keeps its value
//! says more than one that borrows it, or than a word of which no type speaks. So the search goes in waves: along pointers that
//! keep their value from each kind of root in turn, then along borrowed ones too, then along what reads as pointers. Each wave is
//! followed to its end before the next begins, and a block belongs to the first that comes to it.

use super::links::Links;
use crate::heap::{Held, Hold, Rank, RootHold, RootKind};

/// By what each block is held, and through whom.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    held: Vec<Held>,
    /// How the pointer holds that led to it.
    by: Vec<Hold>,
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
                by: vec![Hold::Conservative; blocks],
                via: vec![NOBODY; blocks],
            },
            links,
            holds,
            kinds,
            queue: Vec::new(),
            later: Default::default(),
        };
        for rank in [Rank::Strong, Rank::Borrowed, Rank::Conservative] {
            for held in Held::ALL.into_iter().filter(|held| held.is_reached()) {
                search.wave(held, rank, rank);
            }
        }
        search.wave(Held::Untracked, Rank::Conservative, Rank::Conservative);
        search.wave(Held::Weakly, Rank::Weak, Rank::Weak);
        search.wave(Held::Doubtful, Rank::Doubtful, Rank::Doubtful);
        // What is lost holds in every way alike: all of it goes together.
        search.wave(Held::Leftover, Rank::Conservative, Rank::Doubtful);
        search.reach
    }

    /// By what a block is held.
    #[inline]
    pub fn held(&self, block: u32) -> Held {
        self.held[block as usize]
    }

    /// How the pointer holds that leads to a block on the shortest chain.
    #[inline]
    pub fn by(&self, block: u32) -> Hold {
        self.by[block as usize]
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
    holds: &'a [RootHold],
    kinds: &'a [RootKind],
    queue: Vec<u32>,
    /// By rank, the blocks that were come to and have such links, which were not followed yet.
    later: [Vec<u32>; Rank::ALL.len()],
}

impl Search<'_> {
    /// Comes to what is held so by pointers of a rank, and goes on along those of at least another.
    fn wave(&mut self, held: Held, rank: Rank, follows: Rank) {
        self.begin_at_roots(held, rank);
        self.begin_at_blocks(held, rank);
        self.run(held, follows);
    }

    fn begin_at_roots(&mut self, held: Held, rank: Rank) {
        for hold in self.holds.iter().filter(|hold| hold.hold.rank() == rank) {
            let kind = self.kinds.get(hold.root as usize);
            if kind.is_some_and(|kind| hold.held(*kind) == held) {
                self.come_to(hold.to, NOBODY, hold.hold, held);
            }
        }
    }

    /// At the links that were left for later.
    fn begin_at_blocks(&mut self, held: Held, rank: Rank) {
        let later = std::mem::take(&mut self.later[rank as usize]);
        let links = self.links;
        for block in &later {
            let is_so = !held.is_reached() || self.reach.held(*block) == held;
            let is_followed = held != Held::Untracked && held != Held::Leftover;
            for link in links.of(*block).iter().filter(|_| is_so && is_followed) {
                if link.hold().rank() == rank {
                    self.come_to(link.to(), *block, link.hold(), held);
                }
            }
        }
        self.later[rank as usize] = later;
    }

    fn run(&mut self, held: Held, follows: Rank) {
        let mut next = 0;
        while let Some(block) = self.queue.get(next).copied() {
            next += 1;
            let (links, mut later) = (self.links, 0u8);
            for link in links.of(block) {
                let hold = link.hold();
                match hold.rank() <= follows {
                    true => self.come_to(link.to(), block, hold, held),
                    false => later |= 1 << hold.rank() as u8,
                }
            }
            for rank in Rank::ALL.into_iter().filter(|_| later != 0) {
                if later & 1 << rank as u8 != 0 {
                    self.later[rank as usize].push(block);
                }
            }
        }
        self.queue.clear();
    }

    #[inline]
    fn come_to(&mut self, block: u32, via: u32, by: Hold, held: Held) {
        let place = &mut self.reach.held[block as usize];
        if *place == Held::Nothing && held != Held::Nothing {
            *place = held;
            self.reach.by[block as usize] = by;
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
                Held::Untracked,
                Held::Untracked,
                Held::Leftover,
                Held::Leftover,
                Held::Nothing,
            ]
        );
    }

    #[test]
    fn what_types_say_comes_before_what_reads_as_a_pointer() {
        use Hold::{Borrowed, Conservative, Doubtful, Owning};
        // 0 is a static's, typed; it has a word that reads as 3, one that is no pointer to 4, and borrows 2, which 1 owns.
        let edges = [
            (0, 1, Owning),
            (0, 2, Borrowed),
            (1, 2, Owning),
            (0, 3, Conservative),
            (0, 4, Doubtful),
            (0, 5, Doubtful),
        ];
        let root = |to, root, hold| RootHold {
            to,
            root,
            at: 0,
            hold,
        };
        let holds = [
            root(0, 1, Owning),
            root(4, 0, Conservative),
            root(6, 1, Hold::Weak),
            root(7, 1, Doubtful),
        ];
        let reach = Reach::of(&links_with(8, &edges), 8, &holds, &KINDS);
        assert_eq!(reach.chain(2).collect::<Vec<_>>(), [2, 1, 0]);
        let of = |block| (reach.held(block), reach.by(block));
        assert_eq!(of(3), (Held::Static, Conservative));
        assert_eq!(of(4), (Held::Stack, Conservative));
        assert_eq!(of(5), (Held::Doubtful, Doubtful), "no type makes it lost");
        assert_eq!(of(6), (Held::Weakly, Hold::Weak));
        assert_eq!(of(7), (Held::Doubtful, Doubtful));
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
