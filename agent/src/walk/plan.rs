//! `walk`: what a type says of the words of its values, compiled once: where pointers stand, which words it leaves open, and
//! which fields say how much of a buffer is in use.

use std::ops::RangeInclusive;
use std::rc::Rc;

use super::pointers::Plans;
use super::{Spot, Walker};
use crate::heap::{Address, Beside, Choice, Field, Hold, Layout, Shape, TypeId};

/// What a type says of its words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// In bytes.
    pub(super) size: u64,
    /// Whether nothing was left out: what no step speaks of is no pointer.
    pub(super) is_whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// A pointer at an offset; a conservative one where the type leaves open what is there.
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
    /// What says how much of a buffer is in use.
    Buffer(Buffer),
}

/// The tags that mean a plan, none for all others, and where it begins.
pub(super) type Case = (Vec<RangeInclusive<u128>>, u64, Rc<Plan>);

/// Where in its owner stands what it knows of its buffer: offsets in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Buffer {
    pub(super) pointer: u64,
    pub(super) length: u64,
    /// None where all of it is in use.
    pub(super) capacity: Option<u64>,
    /// Of a ring, where it begins.
    pub(super) head: Option<u64>,
    /// What it is of, and how large that is.
    pub(super) of: TypeId,
    pub(super) stride: u64,
    /// The owner's type.
    pub(super) owner: TypeId,
}

/// How deep types are nested in each other: more is damage.
pub(super) const DEPTH: usize = 48;
/// Steps of one plan: more is left to a scan.
const MANY: usize = 4096;
/// Words that a type leaves open which are listed one by one; of more the whole plan is not whole.
const OPEN: u64 = 32;
const WORD: u64 = 8;

impl Plan {
    /// Of nothing, so far.
    pub(super) fn empty() -> Self {
        Plan {
            is_whole: true,
            ..Plan::default()
        }
    }

    /// Whether it has a step of a kind, however deep.
    pub(super) fn has(&self, kind: &dyn Fn(&Step) -> bool) -> bool {
        self.steps.iter().any(|step| {
            kind(step)
                || match step {
                    Step::Choice(_, _, cases) => cases.iter().any(|(.., plan)| plan.has(kind)),
                    Step::Array(_, _, plan) | Step::Counted { plan, .. } => plan.has(kind),
                    Step::Word(..) | Step::Buffer(_) => false,
                }
        })
    }

    /// Says that nobody knows what these bytes are.
    fn leave_open(&mut self, offset: u64, size: u64) {
        let first = offset.next_multiple_of(WORD);
        let words = offset.saturating_add(size).saturating_sub(first) / WORD;
        match words <= OPEN {
            true => (0..words).for_each(|word| {
                self.steps
                    .push(Step::Word(first + word * WORD, Hold::Conservative));
            }),
            false => self.is_whole = false,
        }
    }
}

/// Makes plans.
pub(super) struct Maker<'p> {
    pub(super) plans: &'p Plans,
    pub(super) walker: &'p Walker<'p>,
    pub(super) depth: usize,
}

/// What is known of a value from what is around it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// How that holds, if it says so.
    hold: Option<Hold>,
    /// The collection that it is the inside of: its numbers are counts.
    owner: Option<TypeId>,
}

impl Maker<'_> {
    /// Adds what a type says that lies at an offset.
    pub(super) fn add(&self, plan: &mut Plan, of: TypeId, offset: u64, around: Around) {
        let Some(layout) = self.walker.layout(of) else {
            plan.is_whole = false;
            return;
        };
        let hold = holds(&layout).or(around.hold);
        if plan.steps.len() >= MANY {
            plan.is_whole = false;
            return;
        }
        match &layout.shape {
            Shape::Pointer(to, beside) => {
                plan.steps
                    .push(Step::Word(offset, hold.unwrap_or(Hold::Borrowed)));
                if *beside == Beside::Length && layout.path() == "alloc::boxed::Box" {
                    self.add_slice(plan, of, *to, offset);
                }
            }
            Shape::Struct(fields) if is_node(&layout) => {
                self.add_node(plan, &layout, fields, offset);
            }
            Shape::Struct(fields) => {
                let owner = self.owner(plan, of, &layout, offset, around.owner);
                for field in fields {
                    let hold = held_by_field(&layout, &field.name).or(hold);
                    let at = offset.saturating_add(field.offset);
                    self.add(plan, field.of, at, Around { hold, owner });
                }
            }
            Shape::Enum(choice) => self.add_choice(plan, choice, offset, hold),
            Shape::Array(of, count) => self.add_array(plan, *of, *count, offset),
            Shape::Union(_) | Shape::Opaque => plan.leave_open(offset, layout.size),
            // Programs keep addresses in numbers of this size.
            Shape::Unsigned | Shape::Signed
                if around.owner.is_none() && matches!(&*layout.name, "usize" | "isize") =>
            {
                plan.leave_open(offset, layout.size);
            }
            _ => {}
        }
    }

    /// The collection whose inside begins here, or goes on; of one with a buffer what it knows of that.
    fn owner(
        &self,
        plan: &mut Plan,
        of: TypeId,
        layout: &Layout,
        offset: u64,
        within: Option<TypeId>,
    ) -> Option<TypeId> {
        match layout.path() {
            "alloc::vec::Vec" | "alloc::collections::vec_deque::VecDeque" => {
                let owner = within.unwrap_or(of);
                let buffer = self.buffer(of, layout, offset, owner);
                plan.steps.extend(buffer.map(Step::Buffer));
                Some(owner)
            }
            path if WRAPPERS.contains(&path) => within.or(Some(of)),
            path if path.starts_with("alloc::raw_vec::")
                || path.starts_with("hashbrown::raw::") =>
            {
                within.or(Some(of))
            }
            path if within.is_some() && path.starts_with("core::") => within,
            path if within.is_some() && path.starts_with("std::sys::os_str::") => within,
            _ => None,
        }
    }

    fn buffer(&self, of: TypeId, layout: &Layout, offset: u64, owner: TypeId) -> Option<Buffer> {
        let element = layout.parameter("T")?;
        // No memory is read: from nothing on, addresses are offsets.
        let whole = Spot { at: Address(0), of };
        let raw = self.walker.field(whole, "buf")?;
        let at = |spot: Spot| offset.checked_add(self.walker.peel(spot).at.0);
        let field = |name: &str| self.walker.field(whole, name).and_then(at);
        let is_ring = layout.path() != "alloc::vec::Vec";
        Some(Buffer {
            pointer: at(self.walker.seek(raw, "ptr")?)?,
            length: field("len")?,
            capacity: Some(at(self.walker.seek(raw, "cap")?)?),
            head: match is_ring {
                true => Some(field("head")?),
                false => None,
            },
            of: element,
            stride: Some(self.walker.size(element)).filter(|stride| *stride > 0)?,
            owner,
        })
    }

    /// A boxed slice: all of it is in use.
    fn add_slice(&self, plan: &mut Plan, owner: TypeId, to: Option<TypeId>, offset: u64) {
        let of = to
            .and_then(|thin| self.walker.layout(thin))
            .and_then(|thin| match thin.shape {
                Shape::Pointer(inner, _) => inner,
                _ => None,
            });
        let Some(of) = of else {
            return;
        };
        let stride = self.walker.size(of);
        if stride > 0 {
            plan.steps.push(Step::Buffer(Buffer {
                pointer: offset,
                length: offset.saturating_add(WORD),
                capacity: None,
                head: None,
                of,
                stride,
                owner,
            }));
        }
    }

    fn add_choice(&self, plan: &mut Plan, choice: &Choice, offset: u64, hold: Option<Hold>) {
        // One that runs keeps what it is about to hold where another state has something else.
        let is_future = choice.variants.iter().any(|one| one.place.is_some());
        plan.is_whole &= !is_future;
        let mut cases = Vec::new();
        for variant in &choice.variants {
            let mut inner = Plan {
                size: self.walker.size(variant.of).max(1),
                ..Plan::empty()
            };
            self.add(&mut inner, variant.of, 0, Around { hold, owner: None });
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
                            size: WORD,
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

/// Collections that are a `Vec` inside: theirs is the buffer.
const WRAPPERS: &[&str] = &[
    "alloc::string::String",
    "alloc::collections::binary_heap::BinaryHeap",
    "std::path::PathBuf",
    "std::ffi::os_str::OsString",
];

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
