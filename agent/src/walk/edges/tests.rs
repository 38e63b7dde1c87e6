//! The scan, on blocks whose words are written down.

use super::*;
use crate::heap::{Birth, Pieces, Rate, RootKind, SiteId};
use proptest::prelude::*;

fn block(address: u64, size: u64) -> Block {
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

fn bytes(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn pairs(scan: &Scan, blocks: usize) -> Vec<(u32, u32)> {
    let of = |from| {
        scan.links
            .of(from)
            .iter()
            .map(move |link| (from, link.to()))
    };
    (0..blocks as u32).flat_map(of).collect()
}

#[test]
fn words_that_read_as_addresses_in_blocks_are_pointers() {
    let blocks = [block(0x1000, 48), block(0x2000, 16), block(0x3000, 24)];
    let memory = Pieces(vec![
        // The beginning, the inside with a tag, one past the end, further on, itself, small.
        (0x1000, bytes(&[0x2000, 0x3009, 0x2010, 0x2011, 0x1008, 16])),
        (0x2000, bytes(&[0x3018, 0])),
        (0x3000, bytes(&[u64::MAX, 1 << 47, 0x2fff])),
    ]);
    let scan = scan(
        &blocks,
        &Index::new(&blocks),
        &[],
        &memory,
        false,
        &mut NoTypes,
    );
    assert_eq!(pairs(&scan, 3), [(0, 1), (0, 2), (1, 2)]);
    let edges = Edges {
        blocks: &blocks,
        index: &Index::new(&blocks),
        memory: &memory,
    };
    let found: Vec<_> = edges
        .of(0)
        .iter()
        .map(|edge| (edge.offset, edge.to, edge.into))
        .collect();
    assert_eq!(found, [(0, 1, 0), (8, 2, 9), (16, 1, 16)]);
    assert_eq!(edges.of(7), []);
}

#[test]
fn roots_are_the_words_outside_the_blocks() {
    let blocks = [block(0x1010, 16), block(0x1030, 16)];
    let memory = Pieces(vec![(
        0x1000,
        bytes(&[0, 0x1010, 0x1030, 0x1030, 0x1034, 7, 0x1010, 0x1010, 0x1040]),
    )]);
    let roots = [
        Root {
            kind: RootKind::Untracked,
            words: Words::At(0x1000..0x1048),
        },
        Root {
            kind: RootKind::Register { tid: 1 },
            words: Words::Values(vec![0, 0x1018]),
        },
    ];
    let found: Vec<_> = scan(
        &blocks,
        &Index::new(&blocks),
        &roots,
        &memory,
        false,
        &mut NoTypes,
    )
    .holds
    .iter()
    .map(|hold| (hold.root, hold.at, hold.to))
    .collect();
    assert_eq!(
        found,
        [(0, 0x1008, 0), (0, 0x1020, 1), (0, 0x1040, 1), (1, 1, 0)]
    );
}

/// A freed buffer still has the address of a block; so has C's, which uses it.
#[test]
fn what_is_free_holds_nothing_where_that_can_be_told() {
    // Chunks of 32 bytes, each with its size before it: ours, free, C's, ours.
    let blocks = [block(0x5000_0010, 24), block(0x5000_0070, 24)];
    let memory = Pieces(vec![(
        0x5000_0000,
        bytes(&[
            0,
            33,
            0,
            0,
            0,
            33,
            0x5000_0010,
            0x5000_0010,
            0,
            32,
            7,
            0x5000_0010,
            0,
            33,
            0,
            0,
            0,
        ]),
    )]);
    let roots = [Root {
        kind: RootKind::Untracked,
        words: Words::At(0x5000_0000..0x5000_0088),
    }];
    let at = |has_chunks| -> Vec<u64> {
        let found = scan(
            &blocks,
            &Index::new(&blocks),
            &roots,
            &memory,
            has_chunks,
            &mut NoTypes,
        );
        found.holds.iter().map(|hold| hold.at).collect()
    };
    assert_eq!(at(true), [0x5000_0058]);
    assert_eq!(at(false), [0x5000_0030, 0x5000_0038, 0x5000_0058]);
}

#[test]
fn what_cannot_be_read_holds_nothing() {
    let blocks = [block(0x1000, 1 << 30), block(0x9000_0000, 8)];
    let memory = Pieces(vec![
        (0x20_0000, bytes(&[0x9000_0000])),
        (0x9000_0000, bytes(&[0x1000])),
    ]);
    assert_eq!(
        pairs(
            &scan(
                &blocks,
                &Index::new(&blocks),
                &[],
                &memory,
                false,
                &mut NoTypes
            ),
            2
        ),
        [(0, 1), (1, 0)]
    );
}

proptest! {
    /// Against looking at every word of every block for itself.
    #[test]
    fn no_pointer_is_missed_and_none_invented(
        shapes in prop::collection::vec((0u64..200_000, 1u64..40), 1..40),
        picks in prop::collection::vec((0usize..40, 0u64..300), 1600),
    ) {
        let mut blocks = Vec::new();
        let mut at = 0x7f00_0000_0000;
        for (gap, words) in shapes {
            blocks.push(block(at, words * 8 + gap % 8));
            at = (at + words * 8 + 8 + gap).next_multiple_of(16);
        }
        let mut picks = picks.iter();
        let mut contents = Vec::new();
        for one in &blocks {
            let words = picks.by_ref().take(one.size as usize / 8);
            let words: Vec<u64> = words
                .map(|(place, into)| blocks.get(*place).map_or(*into, |to| to.address.0 + into))
                .collect();
            contents.push((one.address.0, words));
        }
        let mut expected = std::collections::BTreeSet::new();
        for (from, (_, words)) in contents.iter().enumerate() {
            for word in words {
                let reaches = |one: &Block| (one.address.0..=end_of(one)).contains(word);
                let to = blocks.iter().rposition(reaches);
                expected.extend(to.filter(|to| *to != from).map(|to| (from as u32, to as u32)));
            }
        }
        let pieces = contents.iter().map(|(at, words)| (*at, bytes(words))).collect();
        let found = pairs(&scan(&blocks, &Index::new(&blocks), &[], &Pieces(pieces), false, &mut NoTypes), blocks.len());
        let found: std::collections::BTreeSet<_> = found.into_iter().collect();
        prop_assert_eq!(found, expected);
    }
}
