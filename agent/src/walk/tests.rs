//! `walk`: tests from arrays: what is whole, what is torn, and what is anything.

use proptest::prelude::*;

use super::*;
use crate::heap::described::{CACHE, CACHE_AT, Described, ENTITIES_AT, ENTITY, VEC, WORD};
use crate::heap::{Content, Pieces};

const LIMITS: Limits = Limits {
    depth: 4,
    elements: 10,
    inline: false,
};

/// The cache with a vector of this pointer, capacity and length.
fn memory(vector: [u64; 3]) -> Pieces {
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Pieces(vec![
        (CACHE_AT, words(&vector)),
        (ENTITIES_AT, words(&[1, 12, 42, 5])),
    ])
}

/// The cache as a tree, and what a path from it leads to.
fn show(memory: &Pieces, path: &str) -> Result<Value, Lost> {
    let layouts = Described::cache();
    let walker = Walker {
        memory,
        layouts: &layouts,
    };
    let mut whole = Whole::Value(Spot {
        at: Address(CACHE_AT),
        of: CACHE,
    });
    for step in steps(path, 0).expect("a path") {
        whole = walker.step(&whole, &step)?;
    }
    Ok(walker.value("it", &whole, LIMITS))
}

#[test]
fn a_vector_is_read_as_far_as_it_is_in_use() {
    let memory = memory([ENTITIES_AT, 4, 2]);
    let entries = show(&memory, ".entries").unwrap();
    assert_eq!(entries.text, "2 values (room for 4)");
    assert_eq!(entries.children.len(), 2);
    assert_eq!(show(&memory, ".entries[1].id").unwrap().text, "42");
    assert_eq!(
        show(&memory, ".entries[1]").unwrap().at,
        Address(ENTITIES_AT + 16)
    );
    for wrong in [".entries[2]", ".entries[x]", ".entires", ".entries.id"] {
        assert!(show(&memory, wrong).is_err(), "{wrong}");
    }
    let lost = show(&memory, ".entires").unwrap_err();
    assert_eq!(lost.known, ["entries"]);
}

#[test]
fn a_torn_vector_is_said_to_be_and_shown_as_its_fields() {
    for vector in [
        [ENTITIES_AT, 2, 5],
        [u64::MAX - 8, 4, 2],
        [ENTITIES_AT, u64::MAX, 2],
    ] {
        let entries = show(&memory(vector), ".entries").unwrap();
        assert!(entries.gap.is_some(), "{vector:?}");
        assert_eq!(entries.children.len(), 2, "buf and len");
    }
}

#[test]
fn what_is_not_in_memory_is_said() {
    let value = show(&memory([0x100, 4, 2]), ".entries[0].id").unwrap();
    assert_eq!(value.gap.as_deref(), Some("not in memory"));
    let absent = show(&Pieces::default(), "").unwrap();
    assert!(absent.children[0].gap.is_some());
}

#[test]
fn a_block_is_a_value_or_values() {
    let layouts = Described::cache();
    let memory = memory([ENTITIES_AT, 4, 2]);
    let walker = Walker {
        memory: &memory,
        layouts: &layouts,
    };
    let at = Address(ENTITIES_AT);
    let items = walker.block(Content::Items(ENTITY), at, 32);
    assert_eq!(walker.value("", &items, LIMITS).children.len(), 2);
    let inside = walker.part_at(items, Address(ENTITIES_AT + 24));
    assert_eq!(walker.value("", &inside, LIMITS).text, "5");
    let unknown = walker.block(Content::Unknown, at, 32);
    assert!(walker.value("", &unknown, LIMITS).gap.is_some());
    let table = walker.block(Content::Table(ENTITY), at, 32);
    assert!(walker.value("", &table, LIMITS).gap.is_some());
}

/// The length of a slice is a word like any other, and `--max` may be any number.
#[test]
fn of_a_list_without_end_as_much_is_shown_as_of_a_tree() {
    let layouts = Described::cache();
    let memory = memory([ENTITIES_AT, 4, 2]);
    let walker = Walker {
        memory: &memory,
        layouts: &layouts,
    };
    let words = walker.block(Content::Items(WORD), Address(ENTITIES_AT), 1 << 50);
    let limits = |elements| Limits {
        elements,
        inline: true,
        ..LIMITS
    };
    let text = walker.value("", &words, limits(u64::MAX)).text;
    assert_eq!(text.matches(", ").count(), 20_000);
    assert!(text.starts_with("[1, 12, 42, 5, "), "{text:.40}");
    let text = walker.value("", &words, limits(0)).text;
    assert!(!text.contains('['), "{text}");
}

proptest! {
    /// Whatever the bytes are, the walk ends and shows something.
    #[test]
    fn any_bytes_can_be_walked(
        vector in any::<[u64; 3]>(), small in 0u64..64, content in 0..6usize, size in 0u64..200
    ) {
        let layouts = Described::cache();
        for vector in [vector, [ENTITIES_AT, small, small], [ENTITIES_AT, vector[1], small]] {
            let memory = memory(vector);
            let walker = Walker { memory: &memory, layouts: &layouts };
            let at = Address(CACHE_AT);
            let contents = [
                Content::One(CACHE), Content::Items(VEC), Content::Counted(VEC), Content::CountedItems(CACHE),
                Content::Table(ENTITY), Content::Bytes,
            ];
            let whole = walker.block(contents[content], at, size);
            walker.value("", &whole, LIMITS);
            let inside = walker.part_at(whole, Address(CACHE_AT + size / 2));
            walker.value("", &inside, LIMITS);
        }
    }
}
