//! Who keeps what alive: the dominator tree from one root above all roots, and what each block retains.
//!
//! A block dominates another if every chain from a root to that one goes through it: without it, the other would go, too.
//! Semi-NCA (Georgiadis), iterative, on numbers in order of a depth-first search.
//!
//! What is not reached is in the tree as well, by its own entries; it takes nothing away from what is.

use std::collections::HashMap;

use super::links::{Link, Links};
use crate::heap::Hold;

/// The dominator tree, and the bytes below each block.
#[derive(Clone, Debug, Default)]
pub struct Dominators {
    above: Vec<u32>,
    retained: Vec<u64>,
}

/// The root above all.
const TOP: u32 = u32::MAX;

/// The graph whose tree is made.
pub struct Flow<'a, F> {
    /// Who points at whom.
    pub links: &'a Links,
    /// The same from the other ends.
    pub back: &'a Links,
    /// Blocks at which chains begin.
    pub entries: &'a [u32],
    /// Whether a link between two blocks counts.
    pub counts: F,
}

impl Dominators {
    /// Of blocks of these sizes. Blocks that no entry leads to are below the top, and retain themselves.
    pub fn of<F: Fn(u32, Link) -> bool>(
        flow: &Flow<'_, F>,
        sizes: impl Fn(u32) -> u64,
        blocks: usize,
    ) -> Self {
        let order = Order::of(flow, blocks);
        let idom = order.dominators(flow);
        let mut tree = Dominators {
            above: vec![TOP; blocks],
            retained: (0..blocks as u32).map(sizes).collect(),
        };
        // Backwards, whatever is below comes before what is above it.
        for number in (1..idom.len()).rev() {
            let (block, above) = (order.blocks[number], order.blocks[idom[number] as usize]);
            tree.above[block as usize] = above;
            if above != TOP {
                tree.retained[above as usize] += tree.retained[block as usize];
            }
        }
        tree
    }

    /// The block without which this one would not be held. None where no single one is.
    pub fn above(&self, block: u32) -> Option<u32> {
        let above = self.above[block as usize];
        (above != TOP).then_some(above)
    }

    /// Bytes that would go with a block, its own included.
    pub fn retained(&self, block: u32) -> u64 {
        self.retained[block as usize]
    }

    /// See [`Graph::outermost`](super::Graph::outermost).
    pub(super) fn outermost(&self, kind_of: impl Fn(u32) -> u32, mut found: impl FnMut(u32)) {
        let below = self.children();
        // How many blocks of a kind are on the way, by its number.
        let mut on_the_way: HashMap<u32, u32> = HashMap::new();
        let tops = (0..self.above.len() as u32).filter(|block| self.above(*block).is_none());
        let mut todo: Vec<(u32, bool)> = Vec::new();
        for top in tops {
            todo.push((top, false));
            while let Some((block, is_left)) = todo.pop() {
                let depth = on_the_way.entry(kind_of(block)).or_insert(0);
                if is_left {
                    *depth -= 1;
                    continue;
                }
                if *depth == 0 {
                    found(block);
                }
                *depth += 1;
                todo.push((block, true));
                todo.extend(below.of(block).iter().map(|link| (link.to(), false)));
            }
        }
    }

    /// Each block's children in the tree.
    fn children(&self) -> Links {
        let blocks = self.above.len();
        let mut up = Links::for_blocks(blocks);
        for block in 0..blocks as u32 {
            if let Some(above) = self.above(block) {
                up.add(block, Link::new(above, Hold::Owning));
            }
        }
        up.finish(blocks);
        up.reversed()
    }

    /// Bytes the tree takes.
    pub fn bytes(&self) -> usize {
        self.above.capacity() * 4 + self.retained.capacity() * 8
    }
}

/// Blocks in the order in which a depth-first search comes to them. Number 0 is the top.
struct Order {
    blocks: Vec<u32>,
    /// The number of each block; 0 where none leads to it.
    numbers: Vec<u32>,
    /// For each number, that of the block from which it was come to.
    parents: Vec<u32>,
}

impl Order {
    fn of<F: Fn(u32, Link) -> bool>(flow: &Flow<'_, F>, blocks: usize) -> Self {
        let mut order = Order {
            blocks: vec![TOP],
            numbers: vec![0; blocks],
            parents: vec![0],
        };
        // The place among all links at which the search of a number's block goes on.
        let mut next: Vec<u32> = vec![0];
        for entry in flow.entries {
            let mut at = order.come_to(*entry, 0, flow.links, &mut next);
            while at != 0 {
                let block = order.blocks[at as usize];
                let place = next[at as usize] as usize;
                if place == flow.links.begin_of(block + 1) {
                    at = order.parents[at as usize];
                    continue;
                }
                next[at as usize] += 1;
                let link = flow.links.at(place);
                if order.numbers[link.to() as usize] == 0 && (flow.counts)(block, link) {
                    at = order.come_to(link.to(), at, flow.links, &mut next);
                }
            }
        }
        order
    }

    /// Numbers a block, and gives its number; 0 for one that has been searched already.
    fn come_to(&mut self, block: u32, from: u32, links: &Links, next: &mut Vec<u32>) -> u32 {
        if self.numbers[block as usize] != 0 {
            return 0;
        }
        let number = self.blocks.len() as u32;
        self.numbers[block as usize] = number;
        self.blocks.push(block);
        self.parents.push(from);
        next.push(links.begin_of(block) as u32);
        number
    }

    /// The number of each number's dominator.
    fn dominators<F: Fn(u32, Link) -> bool>(&self, flow: &Flow<'_, F>) -> Vec<u32> {
        let count = self.blocks.len();
        let mut is_entry = vec![false; count];
        for entry in flow.entries {
            is_entry[self.numbers[*entry as usize] as usize] = true;
        }
        let mut forest = Forest {
            above: self.parents.clone(),
            least: (0..count as u32).collect(),
            path: Vec::new(),
        };
        let mut semi = self.parents.clone();
        for number in (1..count as u32).rev() {
            let mut least = match is_entry[number as usize] {
                true => 0,
                false => self.parents[number as usize],
            };
            let block = self.blocks[number as usize];
            for link in flow.back.of(block) {
                let from = self.numbers[link.to() as usize];
                if from != 0
                    && least != 0
                    && (flow.counts)(link.to(), Link::new(block, link.hold()))
                {
                    least = least.min(forest.least(from, number));
                }
            }
            semi[number as usize] = least;
            forest.least[number as usize] = least;
        }
        drop(forest);
        let mut idom = self.parents.clone();
        for number in 1..count {
            let mut above = idom[number];
            while above > semi[number] {
                above = idom[above as usize];
            }
            idom[number] = above;
        }
        idom
    }
}

/// The part of the depth-first tree that was visited so far, with shortened paths.
struct Forest {
    above: Vec<u32>,
    /// The least semidominator on the way up that was shortened.
    least: Vec<u32>,
    path: Vec<u32>,
}

impl Forest {
    /// The least on the way up from a number to those not visited yet, which are at most `visited`.
    fn least(&mut self, from: u32, visited: u32) -> u32 {
        if from <= visited {
            return from;
        }
        let mut at = from;
        while self.above[at as usize] > visited {
            self.path.push(at);
            at = self.above[at as usize];
        }
        while let Some(below) = self.path.pop() {
            let least = self.least[at as usize].min(self.least[below as usize]);
            self.least[below as usize] = least;
            self.above[below as usize] = self.above[at as usize];
            at = below;
        }
        self.least[from as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::graph::fixture::{links, some_graph};
    use proptest::prelude::*;

    /// What `entries` lead to without going through a block.
    fn without(left_out: u32, blocks: usize, edges: &[(u32, u32)], entries: &[u32]) -> Vec<bool> {
        let mut reached = vec![false; blocks];
        let mut todo: Vec<u32> = entries
            .iter()
            .copied()
            .filter(|entry| *entry != left_out)
            .collect();
        while let Some(block) = todo.pop() {
            if !std::mem::replace(&mut reached[block as usize], true) {
                let next = edges
                    .iter()
                    .filter(|(from, to)| *from == block && *to != left_out);
                todo.extend(next.map(|(_, to)| *to));
            }
        }
        reached
    }

    fn dominators(blocks: usize, edges: &[(u32, u32)], entries: &[u32]) -> Dominators {
        let links = links(blocks, edges);
        let flow = Flow {
            links: &links,
            back: &links.reversed(),
            entries,
            counts: |_, _| true,
        };
        Dominators::of(&flow, |block| 1 << block, blocks)
    }

    #[test]
    fn what_two_hold_neither_retains() {
        let tree = dominators(5, &[(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)], &[0]);
        assert_eq!(tree.above(3), Some(0));
        assert_eq!(tree.retained(1), 1 << 1);
        assert_eq!(tree.retained(3), 1 << 3 | 1 << 4);
        assert_eq!(tree.retained(0), 0b11111);
    }

    #[test]
    fn what_a_root_holds_besides_is_retained_by_nobody() {
        let tree = dominators(3, &[(0, 1), (1, 2)], &[0, 2]);
        assert_eq!((tree.above(1), tree.above(2)), (Some(0), None));
        assert_eq!(tree.retained(0), 0b11);
    }

    #[test]
    fn of_a_kind_the_outermost_retain_all_of_it() {
        // 0 > 1 > 2 > 3, and 4 alone; 1, 3 and 4 are of one kind.
        let tree = dominators(5, &[(0, 1), (1, 2), (2, 3)], &[0, 4]);
        let mut found = Vec::new();
        tree.outermost(
            |block| [0, 1, 2, 1, 1][block as usize],
            |block| found.push(block),
        );
        found.sort_unstable();
        assert_eq!(found, [0, 1, 2, 4]);
    }

    /// A list of a million is as deep as it is long.
    #[test]
    fn a_long_list_is_no_trouble() {
        let blocks = if cfg!(miri) { 100 } else { 1 << 20 };
        let edges: Vec<_> = (1..blocks).map(|to| (to - 1, to)).collect();
        let links = links(blocks as usize, &edges);
        let flow = Flow {
            links: &links,
            back: &links.reversed(),
            entries: &[0],
            counts: |_, _| true,
        };
        let tree = Dominators::of(&flow, |_| 1, blocks as usize);
        assert_eq!(tree.retained(0), u64::from(blocks));
        assert_eq!(tree.retained(blocks - 2), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 200 }))]
        /// By definition: what becomes unreachable without a block is what that block retains.
        #[test]
        fn removing_a_block_frees_what_it_retains((blocks, edges, entries) in some_graph()) {
            let tree = dominators(blocks, &edges, &entries);
            let whole = without(u32::MAX, blocks, &edges, &entries);
            for block in 0..blocks as u32 {
                let left = without(block, blocks, &edges, &entries);
                let freed = (0..blocks).filter(|other| whole[*other] && !left[*other]);
                let freed: u64 = freed.map(|other| 1 << other).sum();
                let expected = if whole[block as usize] { freed } else { 1 << block };
                prop_assert_eq!(tree.retained(block), expected, "block {}", block);
            }
        }
    }
}
