//! Who holds whom: all blocks, the links between them, and what the roots hold, on plain arrays. A block is known by its
//! place in the snapshot.
//!
//! Glossary
//! - *link*: one block points at another (`links`), found by a word or by the type of its holder.
//! - *held*: by what a block is held in the end, and along which chain (`reach`).
//! - *retained*: what would go with a block (`dominators`).
//! - *ring*: blocks that each lead to every other (`rings`).
//! - *head*: a block or a ring that is lost, and that nothing else that is lost leads to (`lost`).
//!
//! By the lengths of its arrays it takes some 50 bytes a block and 8 a link while the dominators are found, less afterwards;
//! `cargo bench -p sigheap --bench graph` measures it.

mod dominators;
#[cfg(test)]
pub(crate) mod fixture;
mod index;
mod links;
mod lost;
mod reach;
mod rings;

use std::cell::OnceCell;

use super::{Block, Held, Hold, Rank, RootHold, RootKind};

pub use dominators::{Dominators, Flow};
pub use index::Index;
pub use links::{Link, Links};
pub use lost::Lost;
pub use reach::Reach;
pub use rings::rings;

/// Who holds whom.
#[derive(Debug, Default)]
pub struct Graph {
    links: Links,
    back: Links,
    /// What the roots hold, by block, and for each the strongest first.
    holds: Vec<RootHold>,
    kinds: Vec<RootKind>,
    reach: Reach,
    sizes: Vec<u64>,
    tree: OnceCell<Dominators>,
}

impl Graph {
    /// Of the links between these blocks, and what roots of these kinds hold.
    pub fn new(
        blocks: &[Block],
        links: Links,
        mut holds: Vec<RootHold>,
        kinds: Vec<RootKind>,
    ) -> Self {
        let strength = |hold: &RootHold| kinds.get(hold.root as usize).map(|kind| hold.held(*kind));
        holds.sort_unstable_by_key(|hold| {
            let rank = hold.hold.rank();
            (hold.to, strength(hold), rank, hold.root, hold.at)
        });
        Graph {
            back: links.reversed(),
            reach: Reach::of(&links, blocks.len(), &holds, &kinds),
            sizes: blocks.iter().map(|block| block.size).collect(),
            links,
            holds,
            kinds,
            tree: OnceCell::new(),
        }
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// What a block points at.
    pub fn links(&self, block: u32) -> &[Link] {
        self.links.of(block)
    }

    /// Who points at a block.
    pub fn back(&self, block: u32) -> &[Link] {
        self.back.of(block)
    }

    /// How many links there are.
    pub fn count(&self) -> usize {
        self.links.count()
    }

    /// The words of roots that point at a block, the strongest first.
    pub fn holds(&self, block: u32) -> &[RootHold] {
        let first = self.holds.partition_point(|hold| hold.to < block);
        let end = self.holds.partition_point(|hold| hold.to <= block);
        &self.holds[first..end]
    }

    /// What a root is.
    pub fn kind(&self, root: u32) -> Option<RootKind> {
        self.kinds.get(root as usize).copied()
    }

    /// By what a block is held in the end.
    pub fn held(&self, block: u32) -> Held {
        self.reach.held(block)
    }

    /// How the pointer holds that leads to a block on that chain.
    pub fn by(&self, block: u32) -> Hold {
        self.reach.by(block)
    }

    /// The shortest chain from a root to a block: the block first, last the one that the root holds.
    pub fn chain(&self, block: u32) -> impl Iterator<Item = u32> {
        self.reach.chain(block)
    }

    /// The block that leads to this one on that chain.
    pub fn via(&self, block: u32) -> Option<u32> {
        self.reach.via(block)
    }

    /// The word of a root that holds a block as strongly as it is held.
    pub fn root_of(&self, block: u32) -> Option<RootHold> {
        let held = self.held(block);
        let mut holds = self.holds(block).iter();
        holds
            .find(|hold| self.strength(hold) == Some(held))
            .copied()
    }

    /// Bytes that would go with a block, its own included.
    pub fn retained(&self, block: u32) -> u64 {
        self.tree().retained(block)
    }

    /// The block without which this one would not be held. None where no single one is.
    pub fn above(&self, block: u32) -> Option<u32> {
        self.tree().above(block)
    }

    /// Calls `found` with each block that no other of its kind dominates: the bytes they retain are those of the whole kind,
    /// none counted twice.
    pub fn outermost(&self, kind_of: impl Fn(u32) -> u32, found: impl FnMut(u32)) {
        self.tree().outermost(kind_of, found);
    }

    /// Bytes all of it takes.
    pub fn bytes(&self) -> usize {
        let tree = self.tree.get().map_or(0, Dominators::bytes);
        let blocks = self.sizes.len() * (8 + 4 + size_of::<Held>() + size_of::<Hold>());
        self.links.bytes()
            + self.back.bytes()
            + blocks
            + self.holds.capacity() * size_of::<RootHold>()
            + tree
    }

    /// How much a root's word says that it holds its block.
    pub fn strength(&self, hold: &RootHold) -> Option<Held> {
        self.kind(hold.root).map(|kind| hold.held(kind))
    }

    /// Made when first asked for.
    fn tree(&self) -> &Dominators {
        self.tree.get_or_init(|| {
            let flow = Flow {
                links: &self.links,
                back: &self.back,
                entries: &self.entries(),
                counts: |from, link: Link| self.carries(from, link),
            };
            Dominators::of(&flow, |block| self.sizes[block as usize], self.sizes.len())
        })
    }

    /// Whether a link takes part in who retains what: between blocks that are held alike, and among the living only as far as
    /// it says as much as the one that leads to its target.
    fn carries(&self, from: u32, link: Link) -> bool {
        let group = group(self.held(from));
        group == self::group(self.held(link.to()))
            && (group != 0 || self.counts(link.to(), link.hold()))
    }

    /// Whether a pointer to a block that is held may keep it alive, beside the one that leads to it. What has an owner has but
    /// that; of what is counted, a type knows who has a share and who borrows it, and not who else may have one.
    fn counts(&self, to: u32, hold: Hold) -> bool {
        match self.by(to) {
            Hold::Owning => hold == Hold::Owning,
            Hold::Shared => hold.rank() <= Rank::Conservative && hold != Hold::Borrowed,
            _ => hold.rank() <= Rank::Conservative,
        }
    }

    /// Blocks that something else than a block of their own group holds.
    fn entries(&self) -> Vec<u32> {
        let mut entries = Vec::new();
        for hold in &self.holds {
            let held = self.strength(hold).map(group);
            let counts = held != Some(0) || self.counts(hold.to, hold.hold);
            let is_alike = held == Some(group(self.held(hold.to)));
            if counts && is_alike && entries.last() != Some(&hold.to) {
                entries.push(hold.to);
            }
        }
        // What is held weakly alone, or doubtfully, hangs from where that begins.
        entries.extend((0..self.blocks()).filter(|block| self.begins(*block)));
        let heads = self.lost(Held::Nothing);
        // Of a ring the first stands for all.
        entries.extend(heads.iter().filter_map(|lost| lost.heads.first().copied()));
        entries
    }

    fn begins(&self, block: u32) -> bool {
        let held = self.held(block);
        let via = self.via(block);
        !held.is_reached() && via.is_some_and(|via| self.held(via) != held)
    }
}

/// Statics and stacks count alike for who retains what.
fn group(held: Held) -> u8 {
    match held {
        held if held.is_reached() => 0,
        other => other as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{block, hold, links_with};
    use super::*;

    const KINDS: [RootKind; 3] = [
        RootKind::Static { module: 0 },
        RootKind::Stack { tid: 1 },
        RootKind::Untracked,
    ];

    fn graph(count: usize, edges: &[(u32, u32, Hold)], holds: &[RootHold]) -> Graph {
        let blocks: Vec<_> = (0..count as u64)
            .map(|place| block(place << 8, 1 << place))
            .collect();
        Graph::new(
            &blocks,
            links_with(count, edges),
            holds.to_vec(),
            KINDS.to_vec(),
        )
    }

    #[test]
    fn what_is_lost_takes_nothing_from_what_is_held() {
        use Hold::Owning;
        // 0 holds 1 holds 2; 3 is lost and points at 2, and at 4.
        let graph = graph(
            5,
            &[
                (0, 1, Owning),
                (1, 2, Owning),
                (3, 2, Owning),
                (3, 4, Owning),
            ],
            &[hold(0, 0)],
        );
        assert_eq!(graph.retained(0), 0b111);
        assert_eq!(graph.retained(3), 0b11000);
        assert_eq!(
            (graph.above(2), graph.above(4), graph.above(3)),
            (Some(1), Some(3), None)
        );
    }

    #[test]
    fn a_stack_shares_what_a_static_holds() {
        let graph = graph(
            2,
            &[(0, 1, Hold::Shared)],
            &[hold(0, 0), hold(1, 1), hold(2, 1)],
        );
        assert_eq!((graph.retained(0), graph.above(1)), (1, None));
        assert_eq!(
            graph.root_of(1),
            None,
            "the static's chain goes through block 0"
        );
        assert_eq!(graph.holds(1).len(), 2);
    }

    #[test]
    fn what_has_an_owner_is_not_shared_by_a_word_that_reads_as_a_pointer() {
        use Hold::{Borrowed, Conservative, Doubtful, Owning, Shared};
        // 0 and 1 are held. 0 owns 2 and shares 3; 1 borrows both, and has words that read as pointers to them.
        let with = |extra: &[(u32, u32, Hold)]| {
            let edges = [&[(0, 2, Owning), (0, 3, Shared)], extra].concat();
            let graph = graph(4, &edges, &[hold(0, 0), hold(0, 1), hold(1, 2)]);
            (graph.retained(0), graph.retained(1))
        };
        assert_eq!(with(&[]), (0b1101, 0b10), "a stack owns no box's content");
        assert_eq!(with(&[(1, 2, Conservative), (1, 2, Borrowed)]).0, 0b1101);
        assert_eq!(with(&[(1, 3, Borrowed)]).0, 0b1101);
        assert_eq!(with(&[(1, 3, Doubtful)]).0, 0b1101);
        assert_eq!(
            with(&[(1, 3, Conservative)]).0,
            0b101,
            "it may have a share"
        );
        assert_eq!(with(&[(1, 3, Shared)]).0, 0b101);
    }

    #[test]
    fn weak_pointers_retain_nothing() {
        let graph = graph(
            3,
            &[(0, 1, Hold::Weak), (1, 2, Hold::Owning)],
            &[hold(0, 0)],
        );
        assert_eq!(graph.held(2), Held::Weakly);
        assert_eq!((graph.retained(0), graph.retained(1)), (1, 0b110));
    }

    #[test]
    fn memory_that_is_not_followed_holds_less_than_a_root() {
        let graph = graph(2, &[(1, 0, Hold::Owning)], &[hold(0, 0), hold(2, 1)]);
        assert_eq!(
            (graph.held(0), graph.held(1)),
            (Held::Static, Held::Untracked)
        );
        assert_eq!(graph.retained(1), 0b10);
    }
}
