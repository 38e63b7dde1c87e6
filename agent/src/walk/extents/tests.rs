//! Owners at 0x80_0000, one a `Vec<CacheEntity>` of three words (buffer, capacity, length); buffers from 0x90_0000 on.

use std::rc::Rc;

use super::*;
use crate::heap::described::{Described, ENTITY, VEC};
use crate::heap::{Address, Birth, Confidence, Layout, Pieces, Rate, SiteId};
use crate::walk::{Plans, Walker};

const OWNERS: u64 = 0x80_0000;
const BUFFER: u64 = 0x90_0000;

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

/// `Vec<Vec<CacheEntity>>`.
const OF_VECTORS: TypeId = TypeId(6);

fn of_vectors(known: &Described) -> Option<Rc<Layout>> {
    Some(Rc::new(Layout {
        name: "alloc::vec::Vec<alloc::vec::Vec<demo_server::CacheEntity>>".into(),
        over: vec![("T".into(), VEC)],
        ..Layout::clone(known.types.get(VEC.0 as usize)?)
    }))
}

/// What is found where these words stand in blocks, of which the first holds owners and `content` says what the others do.
fn find(words: &[(u64, &[u64])], content: impl Fn(u64) -> Content) -> (Extents, Vec<Block>) {
    let bytes = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let memory = Pieces(
        words
            .iter()
            .map(|(at, words)| (*at, bytes(words)))
            .collect(),
    );
    let blocks: Vec<Block> = words
        .iter()
        .map(|(at, words)| block(*at, words.len() as u64 * 8))
        .collect();
    let mut layouts = Described::cache();
    layouts.types.extend(of_vectors(&layouts));
    let typed = Typed {
        walker: Walker {
            memory: &memory,
            layouts: &layouts,
        },
        plans: &Plans::default(),
        content: &|block| (content(block.address.0), Confidence::Exact),
        extents: None,
    };
    let index = Index::new(&blocks);
    let extents = Extents::find(&blocks, &index, &typed, &[]);
    (extents, blocks)
}

/// The extent of one buffer of four entities, owned as these words say.
fn owned(owners: &[u64]) -> Option<(u64, u64)> {
    let of = |at| match at {
        OWNERS => Content::CountedItems(VEC),
        _ => Content::Items(ENTITY),
    };
    let owners = [&[1, 1], owners].concat();
    let (extents, _) = find(&[(OWNERS, &owners), (BUFFER, &[0; 8])], of);
    let extent = extents.of(1)?;
    assert_eq!((extent.of, extent.owner, extent.capacity), (ENTITY, VEC, 4));
    Some((extent.first, extent.length))
}

#[test]
fn an_owner_says_how_much_of_its_buffer_is_in_use() {
    assert_eq!(owned(&[BUFFER, 4, 3]), Some((0, 3)));
    assert_eq!(owned(&[BUFFER, 4, 0]), Some((0, 0)));
    assert_eq!(owned(&[]), None);
}

#[test]
fn an_owner_that_does_not_hold_together_is_not_believed() {
    assert_eq!(owned(&[BUFFER, 4, 5]), None, "more than there is room for");
    assert_eq!(owned(&[BUFFER, 3, 3]), None, "the buffer has another size");
    assert_eq!(owned(&[BUFFER + 16, 4, 3]), None, "it begins elsewhere");
    assert_eq!(owned(&[BUFFER, u64::MAX, 3]), None);
    assert_eq!(owned(&[0x1234, 4, 3]), None);
}

#[test]
fn owners_that_disagree_leave_it_unknown() {
    assert_eq!(owned(&[BUFFER, 4, 3, BUFFER, 4, 2]), None);
    assert_eq!(owned(&[BUFFER, 4, 3, BUFFER, 4, 3]), Some((0, 3)));
    assert_eq!(
        owned(&[BUFFER, 4, 3, BUFFER, 4, 9]),
        Some((0, 3)),
        "it is torn"
    );
}

#[test]
fn what_stands_in_spare_room_owns_nothing() {
    // A buffer of two owners, of which one is in use; the other one's buffer belongs to nobody, or to what is in use.
    let of = |at| match at {
        OWNERS => Content::Counted(OF_VECTORS),
        BUFFER => Content::Items(VEC),
        _ => Content::Items(ENTITY),
    };
    let (one, two) = (BUFFER + 0x1000, BUFFER + 0x2000);
    let outer = |length| [1, 1, BUFFER, 2, length];
    let inner = [one, 4, 3, two, 4, 1];
    let found = |length| {
        let outer = outer(length);
        let words: &[(u64, &[u64])] = &[
            (OWNERS, &outer),
            (BUFFER, &inner),
            (one, &[0; 8]),
            (two, &[0; 8]),
        ];
        let (extents, _) = find(words, of);
        [1, 2, 3].map(|number| extents.of(number).map(|extent| extent.length))
    };
    assert_eq!(found(1), [Some(1), Some(3), None]);
    assert_eq!(found(2), [Some(2), Some(3), Some(1)], "the control");
    assert_eq!(
        found(7),
        [None, Some(3), Some(1)],
        "nobody says what is in use"
    );
}

#[test]
fn an_owner_knows_better_than_the_call_stack_what_is_there() {
    let of = |at| match at {
        OWNERS => Content::Counted(VEC),
        _ => Content::Items(VEC),
    };
    // It has three entities, where the call stack says vectors.
    let words: &[(u64, &[u64])] = &[
        (OWNERS, &[1, 1, BUFFER, 3, 3]),
        (BUFFER, &[BUFFER + 0x1000, 4, 3, 0, 0, 0]),
        (BUFFER + 0x1000, &[0; 8]),
    ];
    let (extents, _) = find(words, of);
    assert_eq!(extents.of(1).map(|extent| extent.of), Some(ENTITY));
    assert_eq!(extents.of(2), None);
}

#[test]
fn a_ring_goes_on_at_its_beginning() {
    let extent = Extent {
        first: 6,
        length: 5,
        capacity: 8,
        of: ENTITY,
        owner: VEC,
    };
    assert_eq!(extent.live(), [6..8, 0..3]);
    let straight = Extent { first: 1, ..extent };
    assert_eq!(straight.live(), [1..6, 0..0]);
}
