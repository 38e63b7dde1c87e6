//! Censuses of heaps from arrays.

use super::*;
use crate::heap::described::{CACHE, CACHE_AT, Described, ENTITIES_AT, ENTITY, VEC};
use crate::heap::{Birth, Pieces, Rate, SiteId};

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

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

const UNTYPED_AT: u64 = 0x70_0000;

/// A census of the cache's static, of a block of so many bytes for its entities, and of other blocks.
fn census(cache: &[u64], others: &[(u64, Vec<u8>, Content)], sought: bool) -> Census {
    census_beside(&[], cache, others, sought)
}

/// The same, beside words of a static without a type.
fn census_beside(
    untyped: &[u64],
    cache: &[u64],
    others: &[(u64, Vec<u8>, Content)],
    sought: bool,
) -> Census {
    let layouts = Described::cache();
    let mut pieces = vec![
        (CACHE_AT, words(cache)),
        (ENTITIES_AT, words(&[1, 12, 42, 5, 0, 0, 0, 0])),
        (UNTYPED_AT, words(untyped)),
    ];
    let mut blocks = vec![block(ENTITIES_AT, 64)];
    for (at, bytes, _) in others {
        blocks.push(block(*at, bytes.len() as u64));
        pieces.push((*at, bytes.clone()));
    }
    blocks.sort_by_key(|block| block.address);
    let memory = Pieces(pieces);
    let content = |block: &Block| {
        let mut others = others.iter();
        let other = others.find(|(at, ..)| *at == block.address.0);
        Known {
            content: other.map_or(Content::Items(ENTITY), |(.., content)| *content),
            is_ring: false,
        }
    };
    let frozen = Frozen {
        walker: Walker {
            memory: &memory,
            layouts: &layouts,
        },
        blocks: &blocks,
        roots: &[Root {
            kind: RootKind::Static { module: 0 },
            words: Words::At(UNTYPED_AT..UNTYPED_AT + 8 * untyped.len() as u64),
        }],
        content: &content,
    };
    let wanted = Wanted {
        all: false,
        rooms: true,
    };
    let is_entity = |of| of == ENTITY;
    Census::of(&frozen, wanted, sought.then_some(&is_entity))
}

/// How many there are of a type: inline, and in blocks of their own.
fn counted(census: &Census, of: TypeId) -> (u64, u64) {
    let mut values = census.values.iter();
    let found = values.find(|values| values.of == of);
    found.map_or((0, 0), |values| (values.inline, values.own))
}

#[test]
fn elements_count_as_far_as_their_owner_says() {
    for (length, expected) in [(2, 2), (4, 4), (0, 0)] {
        let census = census(&[ENTITIES_AT, 4, length], &[], false);
        assert_eq!(counted(&census, ENTITY), (expected, 0), "{length}");
        assert_eq!(counted(&census, CACHE), (1, 0));
        assert_eq!(counted(&census, VEC), (1, 0));
        assert_eq!(census.unread.unowned, (0, 0));
        let room = &census.rooms[0];
        assert_eq!((room.bytes, room.spare), (64, 64 - 16 * length));
        assert_eq!(&*room.label, "Cache.entries");
    }
}

#[test]
fn an_owner_that_does_not_hold_together_owns_nothing() {
    for torn in [
        [ENTITIES_AT, 4, 5],
        [ENTITIES_AT, 5, 2],
        [ENTITIES_AT, u64::MAX, 2],
        [ENTITIES_AT + 16, 3, 2],
        [0x10, 4, 2],
    ] {
        let census = census(&torn, &[], false);
        assert_eq!(counted(&census, ENTITY), (0, 0), "{torn:x?}");
        assert_eq!(census.unread.torn, 1, "{torn:x?}");
        assert_eq!(census.unread.unowned, (1, 64), "{torn:x?}");
    }
    let missing = census(&[], &[], false);
    assert_eq!(missing.unread.unowned, (1, 64));
    assert_eq!(missing.unread.absent, 24);
}

#[test]
fn a_buffer_is_owned_once() {
    let copy = (0x1000, words(&[ENTITIES_AT, 4, 3]), Content::One(CACHE));
    let census = census(&[ENTITIES_AT, 4, 2], &[copy], false);
    assert_eq!(counted(&census, ENTITY), (3, 0), "the first to be met");
    assert_eq!(counted(&census, CACHE), (1, 1));
    assert_eq!(census.unread.torn, 1);
}

#[test]
fn blocks_of_their_own_are_told_from_the_rest() {
    let counted_one = |strong| (0x2000, words(&[strong, 1, 7, 3]), Content::Counted(ENTITY));
    let alive = census(&[0, 0, 0], &[counted_one(1)], false);
    assert_eq!(counted(&alive, ENTITY), (0, 1));
    let gone = census(&[0, 0, 0], &[counted_one(0)], false);
    assert_eq!(counted(&gone, ENTITY), (0, 0), "weak pointers alone");
    let slice = (
        0x2000,
        words(&[1, 1, 7, 3, 8, 4]),
        Content::CountedItems(ENTITY),
    );
    let slice = census(&[0, 0, 0], &[slice], false);
    assert_eq!(counted(&slice, ENTITY), (2, 0));
    let untyped = (0x2000, words(&[1, 2]), Content::Unknown);
    let untyped = census(&[0, 0, 0], &[untyped], false);
    assert_eq!(untyped.unread.untyped, (1, 16));
}

#[test]
fn the_slots_in_use_of_a_table_count() {
    // Four buckets of two words, of which the first and the third are in use; control bytes behind.
    let mut bytes = words(&[9; 8]);
    bytes.extend([0x01, 0xff, 0x02, 0x80]);
    bytes.resize(64 + 4 + 16, 0xff);
    let table = (0x3000, bytes, Content::Table(ENTITY));
    let found = census(&[0, 0, 0], std::slice::from_ref(&table), false);
    assert_eq!(counted(&found, ENTITY), (2, 0));
    let found = census(&[ENTITIES_AT, 4, 1], &[table], true).found;
    let mut at: Vec<u64> = found.iter().map(|spot| spot.at.0).collect();
    at.sort_unstable();
    assert_eq!(at, [0x3000 + 16, 0x3000 + 48, ENTITIES_AT]);
}

#[test]
fn an_owner_without_a_type_is_found_wherever_it_stands() {
    let part = PART as usize / 8;
    for place in [1, part - 1, part, part + 1, 2 * part - 2] {
        let mut untyped = vec![0; 2 * part];
        untyped[place - 1..place + 2].copy_from_slice(&[4, ENTITIES_AT, 3]);
        let census = census_beside(&untyped, &[0, 0, 0], &[], false);
        assert_eq!(counted(&census, ENTITY), (3, 0), "{place}");
        assert_eq!(census.unread.unowned, (0, 0));
    }
}

#[test]
fn more_values_than_are_read_at_once_are_all_looked_into() {
    // As many caches as do not fit into what is read at once; the last one has the entities.
    let many = 3 * run::PIECE as usize / 24;
    let mut caches = vec![0; 3 * many];
    caches[3 * (many - 1)..].copy_from_slice(&[ENTITIES_AT, 4, 2]);
    let mut bytes = words(&[1, 1]);
    bytes.extend(words(&caches));
    let slice = (0x10_0000, bytes, Content::CountedItems(CACHE));
    let found = census(&[0, 0, 0], &[slice], false);
    assert_eq!(counted(&found, CACHE), (1 + many as u64, 0));
    assert_eq!(counted(&found, ENTITY), (2, 0));
    assert_eq!(found.unread.torn, 0);
}

#[test]
fn a_slice_that_only_weak_pointers_keep_is_gone() {
    let slice = |strong| {
        let bytes = words(&[strong, 1, 7, 3]);
        census(
            &[0, 0, 0],
            &[(0x2000, bytes, Content::CountedItems(ENTITY))],
            false,
        )
    };
    assert_eq!(counted(&slice(1), ENTITY), (1, 0));
    assert_eq!(counted(&slice(0), ENTITY), (0, 0));
}
