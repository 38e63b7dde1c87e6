//! Small graphs for the tests of this room.

use proptest::prelude::*;

use super::links::{Link, Links};
use crate::heap::{Address, Birth, Block, Hold, Rate, RootHold, SiteId};

/// A block at an address, of so many bytes.
pub(crate) fn block(address: u64, size: u64) -> Block {
    Block {
        address: Address(address),
        size,
        align_log2: 3,
        birth: Birth(1),
        site: SiteId(1),
        moving: false,
        rate: Rate::WHOLE,
    }
}

/// A word of a root that holds a block.
pub(crate) fn hold(root: u32, to: u32) -> RootHold {
    RootHold {
        root,
        to,
        at: 0,
        hold: Hold::Conservative,
    }
}

/// Links that own what they point at.
pub(crate) fn links(blocks: usize, edges: &[(u32, u32)]) -> Links {
    let edges: Vec<_> = edges
        .iter()
        .map(|(from, to)| (*from, *to, Hold::Owning))
        .collect();
    links_with(blocks, &edges)
}

/// Links that hold in different ways.
pub(crate) fn links_with(blocks: usize, edges: &[(u32, u32, Hold)]) -> Links {
    let mut sorted = edges.to_vec();
    sorted.sort_unstable();
    let mut links = Links::for_blocks(blocks);
    for (from, to, hold) in sorted {
        links.add(from, Link::new(to, hold));
    }
    links.finish(blocks);
    links
}

/// A number of blocks, edges between them, and some that roots hold.
pub(crate) fn some_graph() -> impl Strategy<Value = (usize, Vec<(u32, u32)>, Vec<u32>)> {
    (1usize..40).prop_flat_map(|blocks| {
        let block = 0..blocks as u32;
        (
            Just(blocks),
            prop::collection::vec((block.clone(), block.clone()), 0..blocks * 3),
            prop::collection::vec(block, 0..4),
        )
    })
}
