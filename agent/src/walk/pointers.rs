//! `walk`: the pointers in a block whose content is known: where each stands and how it holds; and what owners of buffers say
//! of them. What a type says of this is compiled once, into a plan, so that a million blocks of it cost a million reads.
//!
//! Words that a type leaves open (unions, numbers in which programs keep addresses) are found as conservative pointers, so
//! that what a whole plan does not speak of is none.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use super::Walker;
use super::plan::{Around, Buffer, DEPTH, Maker, Plan, Step};
use crate::heap::{Content, Hold, TypeId};

/// A pointer that a type says is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedPointer {
    /// Bytes from the beginning of the block.
    pub offset: u64,
    /// What it reads: the address it points at.
    pub to: u64,
    /// How it holds that; conservative where the type leaves open whether it is a pointer.
    pub hold: Hold,
}

/// What an owner says of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedBuffer {
    /// Where it begins.
    pub at: u64,
    /// How many values there is room for.
    pub capacity: u64,
    /// How many are in use.
    pub length: u64,
    /// The first of those, which are a ring.
    pub head: u64,
    /// What it is of, and the size of that in bytes.
    pub of: TypeId,
    /// In bytes.
    pub stride: u64,
    /// The type of the owner.
    pub owner: TypeId,
}

/// What is found in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A pointer.
    Pointer(TypedPointer),
    /// What an owner says of its buffer.
    Buffer(TypedBuffer),
    /// A part is none of what its type may be: nothing is known of its words.
    Torn,
}

/// The plans made so far.
#[derive(Debug, Default)]
pub struct Plans(RefCell<HashMap<TypeId, Rc<Plan>>>);

/// The elements of a buffer that are in use: those from a number on, and those of a ring that go on at its beginning.
pub type Live = [Range<u64>; 2];

/// What a block of this content is made up of.
pub(super) fn element(content: Content) -> Option<TypeId> {
    match content {
        Content::Unknown | Content::Bytes => None,
        Content::One(of)
        | Content::Items(of)
        | Content::Counted(of)
        | Content::CountedItems(of)
        | Content::Table(of) => Some(of),
    }
}

/// The control bytes that hashbrown looks at together.
const GROUP: u64 = 16;
/// Keys in a node of a tree at most.
const CAPACITY: u64 = 11;

impl Plans {
    /// Visits what is found in a block, given its bytes and, of a buffer, which elements are in use: all unless it is said.
    /// Says whether those are all pointers that can be there.
    pub fn each(
        &self,
        walker: &Walker<'_>,
        content: Content,
        bytes: &[u8],
        live: Option<&Live>,
        visit: &mut dyn FnMut(Found),
    ) -> bool {
        let size = bytes.len() as u64;
        match content {
            Content::Unknown => false,
            Content::Bytes => true,
            Content::One(of) => {
                let plan = self.plan(walker, of);
                plan.run(bytes, 0, visit);
                plan.is_whole && plan.size == size
            }
            Content::Items(of) => match live {
                Some(live) => {
                    let plan = self.plan(walker, of);
                    live.iter()
                        .for_each(|run| plan.items(bytes, 0, run.clone(), visit));
                    plan.is_whole
                }
                None => self.items(walker, of, bytes, 0, visit),
            },
            Content::Counted(of) => {
                let plan = self.plan(walker, of);
                let behind = behind_counts(walker, of);
                plan.run(bytes, behind, visit);
                let rest = size.checked_sub(behind + plan.size);
                plan.is_whole && rest.is_some_and(|rest| rest < behind)
            }
            Content::CountedItems(of) => {
                self.items(walker, of, bytes, behind_counts(walker, of), visit)
            }
            Content::Table(of) => self.table(walker, of, bytes, visit),
        }
    }

    /// Visits what is found in one value.
    pub(super) fn of_value(
        &self,
        walker: &Walker<'_>,
        of: TypeId,
        bytes: &[u8],
        visit: &mut dyn FnMut(Found),
    ) -> bool {
        let plan = self.plan(walker, of);
        plan.run(bytes, 0, visit);
        plan.is_whole
    }

    /// Whether a block of this content may own buffers.
    pub(super) fn may_own(&self, walker: &Walker<'_>, content: Content) -> bool {
        let is_buffer = |step: &Step| matches!(step, Step::Buffer(_));
        element(content).is_some_and(|of| self.plan(walker, of).has(&is_buffer))
    }

    fn items(
        &self,
        walker: &Walker<'_>,
        of: TypeId,
        bytes: &[u8],
        from: u64,
        visit: &mut dyn FnMut(Found),
    ) -> bool {
        let plan = self.plan(walker, of);
        plan.items(bytes, from, 0..u64::MAX, visit);
        plan.is_whole
    }

    fn table(
        &self,
        walker: &Walker<'_>,
        of: TypeId,
        bytes: &[u8],
        visit: &mut dyn FnMut(Found),
    ) -> bool {
        let plan = self.plan(walker, of);
        let Some((buckets, control)) = buckets(plan.size, bytes.len() as u64) else {
            return false;
        };
        for bucket in 0..buckets {
            let is_used = bytes
                .get((control + bucket) as usize)
                .is_some_and(|byte| *byte < 0x80);
            let below = (bucket + 1).checked_mul(plan.size);
            let at = below.and_then(|below| control.checked_sub(below));
            if let Some(at) = at.filter(|_| is_used) {
                plan.run(bytes, at, visit);
            }
        }
        plan.is_whole
    }

    fn plan(&self, walker: &Walker<'_>, of: TypeId) -> Rc<Plan> {
        self.nested(walker, of, DEPTH)
    }

    /// The plan of a type that lies so deep within others.
    pub(super) fn nested(&self, walker: &Walker<'_>, of: TypeId, depth: usize) -> Rc<Plan> {
        if let Some(known) = self.0.borrow().get(&of) {
            return known.clone();
        }
        let mut plan = Plan::empty();
        match (walker.layout(of), depth.checked_sub(1)) {
            (Some(layout), Some(depth)) => {
                plan.size = layout.size;
                let made = Maker {
                    plans: self,
                    walker,
                    depth,
                };
                made.add(&mut plan, of, 0, Around::default());
            }
            _ => plan.is_whole = false,
        }
        let plan = Rc::new(plan);
        self.0.borrow_mut().insert(of, plan.clone());
        plan
    }
}

/// Where the value begins behind two counts, in bytes.
fn behind_counts(walker: &Walker<'_>, of: TypeId) -> u64 {
    let align = walker.layout(of).map_or(1, |layout| layout.align);
    16u64.checked_next_multiple_of(align.max(1)).unwrap_or(16)
}

/// How many buckets a table of this size has, and where its control bytes begin.
pub(super) fn buckets(stride: u64, size: u64) -> Option<(u64, u64)> {
    let all = (2..48).map(|log| 1u64 << log);
    all.take_while(|buckets| *buckets <= size)
        .find_map(|buckets| {
            let below = stride
                .checked_mul(buckets)?
                .checked_next_multiple_of(GROUP)?;
            (below.checked_add(buckets + GROUP)? == size).then_some((buckets, below))
        })
}

impl Plan {
    fn run(&self, bytes: &[u8], from: u64, visit: &mut dyn FnMut(Found)) {
        for step in &self.steps {
            match step {
                Step::Word(offset, hold) => {
                    let offset = from.saturating_add(*offset);
                    if let Some(to) = word(bytes, offset) {
                        let hold = *hold;
                        visit(Found::Pointer(TypedPointer { offset, to, hold }));
                    }
                }
                Step::Choice(at, size, cases) => {
                    let tag = number(bytes, from.saturating_add(*at), *size);
                    match tag.and_then(|tag| of_tag(cases, tag, |case| &case.0)) {
                        Some((_, offset, plan)) => {
                            plan.run(bytes, from.saturating_add(*offset), visit);
                        }
                        None => visit(Found::Torn),
                    }
                }
                Step::Array(offset, count, plan) => {
                    plan.items(bytes, from.saturating_add(*offset), 0..*count, visit);
                }
                Step::Counted {
                    length,
                    more,
                    from: begin,
                    plan,
                } => {
                    let length = number(bytes, from.saturating_add(*length), 2);
                    let length = length.map_or(0, |length| length as u64);
                    match length <= CAPACITY {
                        true => {
                            let begin = from.saturating_add(*begin);
                            plan.items(bytes, begin, 0..length + more, visit);
                        }
                        false => visit(Found::Torn),
                    }
                }
                Step::Buffer(buffer) => {
                    if let Some(buffer) = buffer.read(bytes, from) {
                        visit(Found::Buffer(buffer));
                    }
                }
            }
        }
    }

    /// Runs over elements by their numbers, as far as there are bytes.
    fn items(&self, bytes: &[u8], from: u64, numbers: Range<u64>, visit: &mut dyn FnMut(Found)) {
        if self.steps.is_empty() || self.size == 0 {
            return;
        }
        let room = (bytes.len() as u64).saturating_sub(from) / self.size;
        for number in numbers.start..numbers.end.min(room) {
            self.run(bytes, from + number * self.size, visit);
        }
    }
}

impl Buffer {
    fn read(&self, bytes: &[u8], from: u64) -> Option<TypedBuffer> {
        let word = |offset: u64| word(bytes, from.checked_add(offset)?);
        let length = word(self.length)?;
        Some(TypedBuffer {
            at: word(self.pointer)?,
            capacity: self.capacity.map_or(Some(length), word)?,
            length,
            head: self.head.map_or(Some(0), word)?,
            of: self.of,
            stride: self.stride,
            owner: self.owner,
        })
    }
}

/// The case that a tag means, given the tags of each.
pub(super) fn of_tag<C>(
    cases: &[C],
    tag: u128,
    tags: impl Fn(&C) -> &[RangeInclusive<u128>],
) -> Option<&C> {
    let named = |case: &&C| tags(case).iter().any(|tags| tags.contains(&tag));
    let other = |case: &&C| tags(case).is_empty();
    let mut all = cases.iter();
    all.clone().find(named).or_else(|| all.find(other))
}

fn word(bytes: &[u8], offset: u64) -> Option<u64> {
    let offset = usize::try_from(offset).ok()?;
    let part = bytes.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(part.try_into().ok()?))
}

/// The number of so many bytes at an offset.
pub(super) fn number(bytes: &[u8], offset: u64, size: u64) -> Option<u128> {
    let offset = usize::try_from(offset).ok()?;
    let part = bytes.get(offset..offset.checked_add(size as usize)?)?;
    let mut whole = [0; 16];
    whole.get_mut(..part.len())?.copy_from_slice(part);
    Some(u128::from_le_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::described::{CACHE, Described, ENTITIES_AT, ENTITY, VEC, WORD};
    use crate::heap::{Address, NoMemory};

    fn pointers(content: Content, words: &[u64]) -> (Vec<TypedPointer>, bool) {
        let layouts = Described::cache();
        let walker = Walker {
            memory: &NoMemory,
            layouts: &layouts,
        };
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut found = Vec::new();
        let mut visit = |one| {
            if let Found::Pointer(pointer) = one {
                found.push(pointer);
            }
        };
        let whole = Plans::default().each(&walker, content, &bytes, None, &mut visit);
        (found, whole)
    }

    fn pointer(offset: u64, to: u64) -> TypedPointer {
        TypedPointer {
            offset,
            to,
            hold: Hold::Borrowed,
        }
    }

    #[test]
    fn each_pointer_of_a_type_is_found_where_it_stands() {
        let vector = [ENTITIES_AT, 4, 2];
        let one = (vec![pointer(0, ENTITIES_AT)], true);
        assert_eq!(pointers(Content::One(CACHE), &vector), one);
        let counted = [&[1, 1][..], &vector].concat();
        let (found, whole) = pointers(Content::Counted(VEC), &counted);
        assert_eq!((found, whole), (vec![pointer(16, ENTITIES_AT)], true));
        let several = [vector, [7, 0, 0]].concat();
        let (found, _) = pointers(Content::Items(VEC), &several);
        assert_eq!(found, [pointer(0, ENTITIES_AT), pointer(24, 7)]);
        assert_eq!(pointers(Content::Items(ENTITY), &several), (vec![], true));
        assert_eq!(pointers(Content::Items(WORD), &several), (vec![], true));
    }

    #[test]
    fn what_is_not_known_is_left_to_a_scan() {
        assert_eq!(pointers(Content::Unknown, &[1, 2]), (vec![], false));
        let (_, whole) = pointers(Content::One(CACHE), &[ENTITIES_AT, 4, 2, 0]);
        assert!(!whole, "it is larger than its type");
        let (_, whole) = pointers(Content::Table(VEC), &[1, 2, 3]);
        assert!(!whole, "it is no table");
        let (found, _) = pointers(Content::One(CACHE), &[]);
        assert_eq!(found, []);
    }

    #[test]
    fn the_entries_in_use_of_a_table_are_followed() {
        // Four buckets of three words, of which the second is in use; control bytes behind.
        let mut words = vec![9; 12];
        words.push(u64::from_le_bytes([
            0xff, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ]));
        let mut bytes: Vec<u8> = words
            .iter()
            .flat_map(|word: &u64| word.to_le_bytes())
            .collect();
        bytes.resize(96 + 4 + 16, 0xff);
        let layouts = Described::cache();
        let walker = Walker {
            memory: &NoMemory,
            layouts: &layouts,
        };
        let mut found = Vec::new();
        let content = Content::Table(VEC);
        let mut visit = |one| found.push(one);
        assert!(Plans::default().each(&walker, content, &bytes, None, &mut visit));
        assert!(matches!(found[0], Found::Buffer(TypedBuffer { at: 9, .. })));
        assert_eq!(found[1..], [Found::Pointer(pointer(48, 9))]);
        let place = |offset| walker.place_in(content, Address(0x1000), 116, offset);
        assert_eq!(place(48).as_deref(), Some("[1]"));
    }

    #[test]
    fn places_are_named_by_their_fields() {
        let layouts = Described::cache();
        let walker = Walker {
            memory: &NoMemory,
            layouts: &layouts,
        };
        let place = |content, offset| walker.place_in(content, Address(0x1000), 64, offset);
        assert_eq!(place(Content::One(CACHE), 0).as_deref(), Some("entries"));
        assert_eq!(
            place(Content::Items(CACHE), 24).as_deref(),
            Some("[1].entries")
        );
        assert_eq!(
            place(Content::Counted(CACHE), 16).as_deref(),
            Some("entries")
        );
        assert_eq!(
            place(Content::Counted(ENTITY), 24).as_deref(),
            Some("requests")
        );
        assert_eq!(place(Content::Counted(ENTITY), 8), None);
        assert_eq!(place(Content::Unknown, 8), None);
    }
}
