//! `walk`: the pointers in a block whose content is known: where each stands, how it holds, and by which fields it is
//! reached. What a type says of this is compiled once, into a plan, so that a million blocks of it cost a million reads.
//!
//! A plan is not whole where a type leaves open what is there (unions, types that are not described): then only a scan of
//! the words finds the rest.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::Walker;
use crate::heap::{Beside, Choice, Content, Field, Hold, Layout, Shape, TypeId};

/// A pointer that a type says is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedPointer {
    /// Bytes from the beginning of the block.
    pub offset: u64,
    /// What it reads: the address it points at.
    pub to: u64,
    /// How it holds that.
    pub hold: Hold,
}

/// The plans made so far.
#[derive(Debug, Default)]
pub struct Plans(RefCell<HashMap<TypeId, Rc<Plan>>>);

/// Where the pointers of a type are.
#[derive(Clone, Debug, Default, PartialEq)]
struct Plan {
    steps: Vec<Step>,
    /// In bytes.
    size: u64,
    /// Whether nothing was left open.
    is_whole: bool,
}

/// What a block of this content is made up of.
fn element(content: Content) -> Option<TypeId> {
    match content {
        Content::Unknown | Content::Bytes => None,
        Content::One(of)
        | Content::Items(of)
        | Content::Counted(of)
        | Content::CountedItems(of)
        | Content::Table(of) => Some(of),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// A pointer at an offset.
    Word(u64, Hold),
    /// One of several plans, told by the tag at an offset with a size.
    Choice(u64, u64, Vec<Case>),
    /// So many values of a plan, from an offset on.
    Array(u64, u64, Rc<Plan>),
    /// As many values as the number at an offset says, two bytes long, and this many more.
    Counted {
        length: u64,
        more: u64,
        from: u64,
        plan: Rc<Plan>,
    },
}

/// The tags that mean a plan, none for all others, and where it begins.
type Case = (Vec<RangeInclusive<u128>>, u64, Rc<Plan>);

/// How deep types are nested in each other: more is damage.
const DEPTH: usize = 48;
/// Steps of one plan: more is left to a scan.
const MANY: usize = 4096;
/// The control bytes that hashbrown looks at together.
const GROUP: u64 = 16;
/// Keys in a node of a tree at most.
const CAPACITY: u64 = 11;

impl Plans {
    /// Visits the pointers in a block, given its bytes. Says whether those are all that its type can hold.
    pub fn each(
        &self,
        walker: &Walker<'_>,
        content: Content,
        bytes: &[u8],
        visit: &mut dyn FnMut(TypedPointer),
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
            Content::Items(of) => self.items(walker, of, bytes, 0, visit),
            Content::Counted(of) => {
                let plan = self.plan(walker, of);
                plan.run(bytes, behind_counts(walker, of), visit);
                plan.is_whole
            }
            Content::CountedItems(of) => {
                self.items(walker, of, bytes, behind_counts(walker, of), visit)
            }
            Content::Table(of) => self.table(walker, of, bytes, visit),
        }
    }

    /// Whether a block of this content may hold anything weakly.
    pub(super) fn may_be_weak(&self, walker: &Walker<'_>, content: Content) -> bool {
        element(content).is_some_and(|of| self.plan(walker, of).may_be_weak())
    }

    fn items(
        &self,
        walker: &Walker<'_>,
        of: TypeId,
        bytes: &[u8],
        from: u64,
        visit: &mut dyn FnMut(TypedPointer),
    ) -> bool {
        let plan = self.plan(walker, of);
        let room = (bytes.len() as u64).saturating_sub(from);
        for number in 0..room.checked_div(plan.size).unwrap_or(0) {
            if plan.steps.is_empty() {
                break;
            }
            plan.run(bytes, from + number * plan.size, visit);
        }
        plan.is_whole
    }

    fn table(
        &self,
        walker: &Walker<'_>,
        of: TypeId,
        bytes: &[u8],
        visit: &mut dyn FnMut(TypedPointer),
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

    fn nested(&self, walker: &Walker<'_>, of: TypeId, depth: usize) -> Rc<Plan> {
        if let Some(known) = self.0.borrow().get(&of) {
            return known.clone();
        }
        let mut plan = Plan {
            is_whole: true,
            ..Plan::default()
        };
        match (walker.layout(of), depth.checked_sub(1)) {
            (Some(layout), Some(depth)) => {
                plan.size = layout.size;
                let made = Maker {
                    plans: self,
                    walker,
                    depth,
                };
                made.add(&mut plan, &layout, 0, None);
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

struct Maker<'p> {
    plans: &'p Plans,
    walker: &'p Walker<'p>,
    depth: usize,
}

impl Maker<'_> {
    /// Adds the pointers of a type that lies at an offset. `hold` is how what is around it holds, if that says so.
    fn add(&self, plan: &mut Plan, layout: &Layout, offset: u64, hold: Option<Hold>) {
        let hold = holds(layout).or(hold);
        if plan.steps.len() >= MANY {
            plan.is_whole = false;
            return;
        }
        match &layout.shape {
            Shape::Pointer(_, Beside::Nothing | Beside::Length | Beside::Vtable) => {
                plan.steps
                    .push(Step::Word(offset, hold.unwrap_or(Hold::Borrowed)));
            }
            Shape::Struct(fields) if is_node(layout) => {
                self.add_node(plan, layout, fields, offset);
            }
            Shape::Struct(fields) => {
                for field in fields {
                    let Some(inner) = self.walker.layout(field.of) else {
                        plan.is_whole = false;
                        continue;
                    };
                    let hold = held_by_field(layout, &field.name).or(hold);
                    let at = offset.saturating_add(field.offset);
                    self.add(plan, &inner, at, hold);
                }
            }
            Shape::Enum(choice) => self.add_choice(plan, choice, offset, hold),
            Shape::Array(of, count) => self.add_array(plan, *of, *count, offset),
            Shape::Union(_) | Shape::Opaque => plan.is_whole &= layout.size == 0,
            _ => {}
        }
    }

    fn add_choice(&self, plan: &mut Plan, choice: &Choice, offset: u64, hold: Option<Hold>) {
        let mut cases = Vec::new();
        for variant in &choice.variants {
            let mut inner = Plan {
                is_whole: true,
                ..Plan::default()
            };
            match self.walker.layout(variant.of) {
                Some(layout) => self.add(&mut inner, &layout, 0, hold),
                None => inner.is_whole = false,
            }
            plan.is_whole &= inner.is_whole;
            cases.push((variant.tags.clone(), offset, Rc::new(inner)));
        }
        if cases.iter().all(|(_, _, inner)| inner.steps.is_empty()) {
            return;
        }
        match (choice.tag, cases.pop()) {
            (Some((at, size)), Some(last)) => {
                cases.push(last);
                plan.steps.push(Step::Choice(offset + at, size, cases));
            }
            (None, Some((_, _, only))) => {
                plan.steps.push(Step::Array(offset, 1, only));
            }
            _ => {}
        }
    }

    fn add_array(&self, plan: &mut Plan, of: TypeId, count: u64, offset: u64) {
        let inner = self.plans.nested(self.walker, of, self.depth);
        plan.is_whole &= inner.is_whole;
        if !inner.steps.is_empty() {
            plan.steps.push(Step::Array(offset, count, inner));
        }
    }

    /// A node of a tree: its keys and values as far as they are in use, and in inner nodes one node more below.
    fn add_node(&self, plan: &mut Plan, layout: &Layout, fields: &[Field], offset: u64) {
        let find = |name: &str| fields.iter().find(|field| &*field.name == name);
        if let (Some(data), Some(edges)) = (find("data"), find("edges")) {
            let leaf = self.walker.layout(data.of);
            let length = leaf.as_ref().and_then(|leaf| {
                let mut fields = leaf.fields().iter();
                fields.find(|field| &*field.name == "len").map(|f| f.offset)
            });
            match (&leaf, length) {
                (Some(leaf), Some(length)) => {
                    self.add_node(plan, leaf, leaf.fields(), offset + data.offset);
                    plan.steps.push(Step::Counted {
                        length: offset + data.offset + length,
                        more: 1,
                        from: offset + edges.offset,
                        plan: Rc::new(Plan {
                            steps: vec![Step::Word(0, Hold::Owning)],
                            size: 8,
                            is_whole: true,
                        }),
                    });
                }
                _ => plan.is_whole = false,
            }
            return;
        }
        let halves = [("keys", "K"), ("vals", "V")];
        for (name, parameter) in halves {
            match (find("len"), find(name), layout.parameter(parameter)) {
                (Some(length), Some(field), Some(of)) => {
                    let inner = self.plans.nested(self.walker, of, self.depth);
                    plan.is_whole &= inner.is_whole;
                    plan.steps.push(Step::Counted {
                        length: offset + length.offset,
                        more: 0,
                        from: offset + field.offset,
                        plan: inner,
                    });
                }
                _ => plan.is_whole = false,
            }
        }
        if let Some(parent) = find("parent") {
            plan.steps
                .push(Step::Word(offset + parent.offset, Hold::Borrowed));
        }
    }
}

fn is_node(layout: &Layout) -> bool {
    layout
        .path()
        .starts_with("alloc::collections::btree::node::")
        && (layout.path().ends_with("LeafNode") || layout.path().ends_with("InternalNode"))
}

/// How the pointers in values of a type hold, where the type is known for it.
fn holds(layout: &Layout) -> Option<Hold> {
    Some(match layout.path() {
        "alloc::boxed::Box"
        | "core::ptr::unique::Unique"
        | "hashbrown::raw::RawTable"
        | "alloc::collections::btree::map::BTreeMap" => Hold::Owning,
        "alloc::rc::Rc" | "alloc::sync::Arc" => Hold::Shared,
        "alloc::rc::Weak" | "alloc::sync::Weak" => Hold::Weak,
        _ if layout.name.starts_with('&') => Hold::Borrowed,
        _ => return None,
    })
}

/// The same of single fields.
fn held_by_field(layout: &Layout, field: &str) -> Option<Hold> {
    match (layout.path(), field) {
        ("alloc::collections::linked_list::LinkedList", "head")
        | ("alloc::collections::linked_list::Node", "next") => Some(Hold::Owning),
        _ => None,
    }
}

impl Plan {
    fn may_be_weak(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Word(_, hold) => *hold == Hold::Weak,
            Step::Choice(_, _, cases) => cases.iter().any(|(.., plan)| plan.may_be_weak()),
            Step::Array(_, _, plan) | Step::Counted { plan, .. } => plan.may_be_weak(),
        })
    }

    fn run(&self, bytes: &[u8], from: u64, visit: &mut dyn FnMut(TypedPointer)) {
        for step in &self.steps {
            match step {
                Step::Word(offset, hold) => {
                    let offset = from.saturating_add(*offset);
                    if let Some(to) = number(bytes, offset, 8) {
                        visit(TypedPointer {
                            offset,
                            to: to as u64,
                            hold: *hold,
                        });
                    }
                }
                Step::Choice(at, size, cases) => {
                    let tag = number(bytes, from.saturating_add(*at), *size);
                    let case = tag.and_then(|tag| of_tag(cases, tag));
                    if let Some((_, offset, plan)) = case {
                        plan.run(bytes, from.saturating_add(*offset), visit);
                    }
                }
                Step::Array(offset, count, plan) => {
                    plan.repeat(bytes, from.saturating_add(*offset), *count, visit);
                }
                Step::Counted {
                    length,
                    more,
                    from: begin,
                    plan,
                } => {
                    let length = number(bytes, from.saturating_add(*length), 2);
                    let length = length.map_or(0, |length| length as u64);
                    if length <= CAPACITY {
                        plan.repeat(bytes, from.saturating_add(*begin), length + more, visit);
                    }
                }
            }
        }
    }

    fn repeat(&self, bytes: &[u8], from: u64, count: u64, visit: &mut dyn FnMut(TypedPointer)) {
        for i in 0..count {
            let at = i.checked_mul(self.size).and_then(|at| at.checked_add(from));
            match at.filter(|at| *at < bytes.len() as u64) {
                Some(at) => self.run(bytes, at, visit),
                None => return,
            }
        }
    }
}

fn of_tag(cases: &[Case], tag: u128) -> Option<&Case> {
    let named = |case: &&Case| case.0.iter().any(|tags| tags.contains(&tag));
    let other = |case: &&Case| case.0.is_empty();
    let mut all = cases.iter();
    all.clone().find(named).or_else(|| all.find(other))
}

/// The number of so many bytes at an offset.
fn number(bytes: &[u8], offset: u64, size: u64) -> Option<u128> {
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
        let whole = Plans::default().each(&walker, content, &bytes, &mut |one| found.push(one));
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
        assert!(Plans::default().each(&walker, content, &bytes, &mut |one| found.push(one)));
        assert_eq!(found, [pointer(48, 9)]);
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
