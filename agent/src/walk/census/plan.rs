//! `walk`: which values are in a value of a type, compiled once a type: those that are always there are multiplied, and only
//! what depends on bytes (which variant, how many, where a buffer is) is left as steps.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::heap::{Address, Beside, Choice, Field, Layout, Shape, TypeId, Variant};
use crate::walk::{Spot, Walker};

/// The number of a plan: a part's is lower than that of what it is part of.
pub(super) type PlanId = usize;
/// The number of a name for where a collection is.
pub(super) type LabelId = u32;
/// Said of what no field leads to.
pub(super) const NO_LABEL: LabelId = 0;

/// The values in a value.
#[derive(Debug)]
pub(super) struct Plan {
    /// The type; none for the content of a variant.
    pub(super) of: Option<TypeId>,
    /// In bytes.
    pub(super) size: u64,
    /// What is always there.
    pub(super) parts: Vec<Part>,
    /// What depends on bytes.
    pub(super) steps: Vec<Step>,
    /// Whether a union lies in it, of which nobody says what is there.
    pub(super) is_open: bool,
}

/// So many values one after the other, from an offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: u64,
    pub(super) count: u64,
    pub(super) plan: PlanId,
    /// What the collections in it are called that have no name of their own.
    pub(super) label: Option<LabelId>,
}

#[derive(Debug)]
pub(super) enum Step {
    /// A part that has steps.
    Part(Part),
    /// One of several, told by the tag at an offset with a size. None: there is nothing in it.
    Choice {
        tag: (u64, u64),
        cases: Vec<Case>,
        from: u64,
        label: Option<LabelId>,
    },
    /// As many values as the two bytes at an offset say.
    Counted { length: u64, part: Part },
    /// A collection whose values lie elsewhere.
    Header(Header, Option<LabelId>),
    /// A value that is there or not, as its container says.
    Ask(u64, TypeId, Option<LabelId>),
}

/// The tags that mean a plan, none for all others.
pub(super) type Case = (Vec<RangeInclusive<u128>>, Option<PlanId>);

/// Where a collection keeps what; all in bytes from where the value around it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Whose it is: `Vec`, `String`, `HashMap`.
    pub(super) owner: TypeId,
    /// What its elements are.
    pub(super) of: TypeId,
    /// From one element to the next, in bytes.
    pub(super) stride: u64,
    /// The word that points at them.
    pub(super) pointer: u64,
    /// The word that says how many there are.
    pub(super) length: u64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Room for as many as a word says.
    Vec { capacity: u64, is_text: bool },
    /// The same, going on at the beginning; the first is where a word says.
    Ring { capacity: u64, head: u64 },
    /// No more room than that.
    Slice { is_text: bool },
    /// hashbrown's, the pointer leading to its control bytes, and the mask one less than its buckets.
    Table { mask: u64 },
}

/// What is worth a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Numbers, pointers and what the standard library is made of, too.
    pub(crate) all: bool,
    /// Texts and lists of numbers as collections, too: nothing in them is worth a row, their room is.
    pub(crate) rooms: bool,
}

/// The plans made so far.
#[derive(Debug, Default)]
pub(super) struct Plans {
    wanted: Wanted,
    by_type: HashMap<TypeId, PlanId>,
    all: Vec<Rc<Plan>>,
    labels: Vec<Rc<str>>,
    by_label: HashMap<Rc<str>, LabelId>,
}

/// How deep types are nested in each other: more is damage.
const DEPTH: usize = 48;
/// Steps and parts of one plan: more is left out, and said.
const MANY: usize = 4096;

/// Whose types say how something is made.
const LIBRARIES: &[&str] = &["core::", "alloc::", "std::", "hashbrown::", "&", "*"];
/// Whose types are worth a row where the program has them, and whose parts are not.
const PLUMBING: &[&str] = &[
    "tokio::",
    "tokio_util::",
    "mio::",
    "hyper::",
    "hyper_util::",
    "futures_",
    "tracing_core::",
    "tracing_subscriber::",
    "sharded_slab::",
    "parking_lot",
    "lock_api::",
    "crossbeam_",
    "once_cell::",
];
/// Library types that stand for something, not for how it is made.
const NAMED: &[&str] = &[
    "alloc::string::String",
    "alloc::vec::Vec",
    "alloc::collections::binary_heap::BinaryHeap",
    "alloc::collections::vec_deque::VecDeque",
    "alloc::collections::linked_list::LinkedList",
    "alloc::collections::btree::map::BTreeMap",
    "alloc::collections::btree::set::BTreeSet",
    "std::collections::hash::map::HashMap",
    "std::collections::hash::set::HashSet",
    "hashbrown::map::HashMap",
    "hashbrown::set::HashSet",
    "std::path::PathBuf",
    "std::ffi::os_str::OsString",
    "alloc::ffi::c_str::CString",
    "core::cell::RefCell",
    "std::sync::poison::mutex::Mutex",
    "std::sync::mutex::Mutex",
    "std::sync::poison::rwlock::RwLock",
    "std::sync::rwlock::RwLock",
    "std::time::Instant",
    "std::time::SystemTime",
    "core::time::Duration",
];

impl Plans {
    pub(super) fn new(wanted: Wanted) -> Self {
        let mut plans = Plans {
            wanted,
            ..Plans::default()
        };
        plans.label("");
        plans
    }

    pub(super) fn get(&self, plan: PlanId) -> Rc<Plan> {
        Rc::clone(&self.all[plan])
    }

    pub(super) fn all(&self) -> &[Rc<Plan>] {
        &self.all
    }

    /// The number of a name.
    pub(super) fn label(&mut self, name: &str) -> LabelId {
        if let Some(known) = self.by_label.get(name) {
            return *known;
        }
        let id = self.labels.len() as LabelId;
        self.labels.push(name.into());
        self.by_label.insert(name.into(), id);
        id
    }

    pub(super) fn label_text(&self, label: LabelId) -> Rc<str> {
        Rc::clone(&self.labels[label as usize])
    }

    /// The plan of a type.
    pub(super) fn of(&mut self, walker: &Walker<'_>, of: TypeId) -> PlanId {
        self.nested(walker, of, DEPTH)
    }

    fn nested(&mut self, walker: &Walker<'_>, of: TypeId, depth: usize) -> PlanId {
        if let Some(known) = self.by_type.get(&of) {
            return *known;
        }
        let layout = walker.layout(of);
        let plan = match &layout {
            Some(layout) => {
                let around = Around {
                    layout,
                    name: None,
                    label: None,
                };
                self.made(walker, Some(of), layout, around, depth)
            }
            None => Plan {
                of: Some(of),
                size: 0,
                parts: Vec::new(),
                steps: Vec::new(),
                is_open: true,
            },
        };
        let id = self.push(plan);
        self.by_type.insert(of, id);
        id
    }

    fn push(&mut self, plan: Plan) -> PlanId {
        self.all.push(Rc::new(plan));
        self.all.len() - 1
    }

    fn made(
        &mut self,
        walker: &Walker<'_>,
        of: Option<TypeId>,
        layout: &Rc<Layout>,
        around: Around<'_>,
        depth: usize,
    ) -> Plan {
        let plan = Plan {
            of,
            size: layout.size,
            parts: Vec::new(),
            steps: Vec::new(),
            is_open: false,
        };
        let mut maker = Maker {
            plans: self,
            walker,
            plan,
        };
        let whole = Spot {
            at: Address(0),
            of: of.unwrap_or(TypeId(u32::MAX)),
        };
        maker.inside(layout, whole, around, depth);
        maker.plan
    }

    /// Whether values of a type are worth a row.
    pub(super) fn is_worth(&self, layout: &Layout) -> bool {
        let is_plain = !matches!(
            layout.shape,
            Shape::Struct(_) | Shape::Enum(_) | Shape::Union(_) | Shape::Names(_)
        );
        match self.wanted.all {
            true => !matches!(layout.shape, Shape::Array(..)),
            false if is_plain || layout.size == 0 => false,
            false => !is_library(layout) || NAMED.contains(&layout.path()),
        }
    }
}

/// A future, whose variants list more than is alive in them.
struct Future {
    /// What it was given.
    given: Vec<Field>,
    /// Whether it moves that out when it begins: an `async fn` does, an `async` block uses it where it is.
    moves: bool,
}

impl Future {
    fn of(walker: &Walker<'_>, layout: &Layout, choice: &Choice) -> Option<Self> {
        let mut variants = choice.variants.iter();
        let is_future = variants.clone().any(|one| one.place.is_some());
        let first = variants.find(|one| is_future && &*one.name == "Unresumed")?;
        Some(Future {
            given: walker.layout(first.of)?.fields().to_vec(),
            moves: layout.name.contains("{async_fn_env#"),
        })
    }

    /// The content of a variant without what was moved or dropped.
    fn alive(&self, variant: &Variant, content: &Rc<Layout>) -> Rc<Layout> {
        let is_alive = |field: &&Field| match &*variant.name {
            "Unresumed" => true,
            "Returned" | "Panicked" => false,
            _ => {
                let is_given =
                    |given: &Field| given.name == field.name && given.offset == field.offset;
                !self.moves || !self.given.iter().any(is_given)
            }
        };
        // The compiler lists what was given twice, at the place that it was moved to.
        let mut seen = HashSet::new();
        let is_first = |field: &&Field| seen.insert((field.offset, field.of));
        let fields = content.fields().iter().filter(is_alive);
        let fields = fields.filter(is_first).cloned();
        Rc::new(Layout {
            shape: Shape::Struct(fields.collect()),
            ..(**content).clone()
        })
    }
}

/// What a part lies in.
#[derive(Clone, Copy)]
struct Around<'l> {
    /// The type whose parameters are the program's choice.
    layout: &'l Layout,
    /// How the type is called where that is not its own name: a variant's.
    name: Option<&'l str>,
    /// The field that led here, if any.
    label: Option<LabelId>,
}

fn is_library(layout: &Layout) -> bool {
    LIBRARIES
        .iter()
        .any(|library| layout.name.starts_with(library))
}

/// Whether a type is a runtime's or a lock's, whose own parts say nothing of the program.
fn is_plumbing(layout: &Layout) -> bool {
    is_library(layout)
        || PLUMBING
            .iter()
            .any(|library| layout.name.starts_with(library))
}

struct Maker<'p, 'w> {
    plans: &'p mut Plans,
    walker: &'p Walker<'w>,
    plan: Plan,
}

impl Maker<'_, '_> {
    /// Adds what is in a value of a type, not the value itself. `spot` is where it lies, from the beginning of the plan's value.
    fn inside(&mut self, layout: &Rc<Layout>, spot: Spot, around: Around<'_>, depth: usize) {
        let Some(depth) = depth.checked_sub(1) else {
            self.plan.is_open = true;
            return;
        };
        if self.plan.steps.len() + self.plan.parts.len() >= MANY {
            self.plan.is_open = true;
            return;
        }
        if let Some(header) = self.header(layout, spot) {
            let of = self.walker.layout(header.of);
            let has_any = of.is_some_and(|of| !is_scalar(&of)) || self.plans.wanted.all;
            if (has_any || self.plans.wanted.rooms) && header.stride > 0 {
                self.plan.steps.push(Step::Header(header, around.label));
            }
            return;
        }
        match layout.path() {
            "std::sync::once_lock::OnceLock" | "std::sync::lazy_lock::LazyLock" => {
                self.plan
                    .steps
                    .push(Step::Ask(spot.at.0, spot.of, around.label));
                return;
            }
            path if path.ends_with("thread_local::native::lazy::Storage") => {
                self.lazy_local(layout, spot, around, depth);
                return;
            }
            "lru::LruEntry" if self.lru_entry(layout, spot, around, depth).is_some() => return,
            "alloc::collections::btree::node::LeafNode" => {
                self.node(layout, spot, around, depth);
                return;
            }
            "alloc::collections::btree::node::InternalNode" => {
                if let Some(data) = self.walker.field(spot, "data")
                    && let Some(leaf) = self.walker.layout(data.of)
                {
                    self.node(&leaf, data, around, depth);
                }
                return;
            }
            _ => {}
        }
        match &layout.shape {
            Shape::Struct(fields) => {
                for field in fields {
                    self.field(field, spot, around, depth);
                }
            }
            Shape::Array(of, count) => {
                let part = Spot {
                    at: spot.at,
                    of: *of,
                };
                self.part(part, *count, around, true, depth);
            }
            Shape::Enum(choice) => self.choice(layout, choice, spot, around, depth),
            Shape::Union(_) | Shape::Opaque => self.plan.is_open |= layout.size > 0,
            _ => {}
        }
    }

    fn field(&mut self, field: &Field, whole: Spot, around: Around<'_>, depth: usize) {
        let (Some(at), Some(layout)) = (
            whole.at.0.checked_add(field.offset),
            self.walker.layout(field.of),
        ) else {
            self.plan.is_open = true;
            return;
        };
        let is_chosen = !is_plumbing(around.layout)
            || !is_plumbing(&layout)
            || around.layout.over.iter().any(|(_, of)| {
                let same = self.walker.layout(*of);
                *of == field.of || same.is_some_and(|same| same.name == layout.name)
            });
        let label = match is_library(around.layout) {
            true => around.label,
            false => Some(self.name(around, whole, &field.name)),
        };
        let around = Around { label, ..around };
        let part = Spot {
            at: Address(at),
            of: field.of,
        };
        self.part(part, 1, around, is_chosen, depth);
    }

    /// `demo_server::seconds::Seconds.slots`.
    fn name(&mut self, around: Around<'_>, whole: Spot, field: &str) -> LabelId {
        let field = field.strip_prefix("__").unwrap_or(field);
        let name = match around.name {
            Some(name) => format!("{name}.{field}"),
            None => format!("{}.{field}", self.walker.layouts.written(whole.of).short),
        };
        self.plans.label(&name)
    }

    /// So many values of a type. Those that are worth no row, or that the library chose, are looked into all the same.
    fn part(&mut self, spot: Spot, count: u64, around: Around<'_>, is_chosen: bool, depth: usize) {
        let Some(layout) = self.walker.layout(spot.of) else {
            self.plan.is_open = true;
            return;
        };
        let is_row = is_chosen && self.plans.is_worth(&layout);
        if count == 1 && !is_row {
            let around = Around {
                layout: &layout,
                name: None,
                label: around.label,
            };
            return self.inside(&layout, spot, around, depth);
        }
        if count == 0 || (!is_row && is_scalar(&layout)) {
            return;
        }
        let plan = self.plans.nested(self.walker, spot.of, depth);
        let part = Part {
            at: spot.at.0,
            count,
            plan,
            label: around.label,
        };
        let made = self.plans.get(plan);
        self.plan.is_open |= made.is_open;
        if !made.steps.is_empty() {
            self.plan.steps.push(Step::Part(part));
        }
        self.plan.parts.push(part);
    }

    fn choice(
        &mut self,
        layout: &Rc<Layout>,
        choice: &Choice,
        spot: Spot,
        around: Around<'_>,
        depth: usize,
    ) {
        let written = self.walker.layouts.written(spot.of).short;
        let mut cases: Vec<Case> = Vec::new();
        let future = Future::of(self.walker, layout, choice);
        for variant in &choice.variants {
            let Some(content) = self.walker.layout(variant.of) else {
                self.plan.is_open = true;
                continue;
            };
            let content = match &future {
                Some(future) => future.alive(variant, &content),
                None => content,
            };
            let name = match variant.place {
                Some(_) => written.to_string(),
                None => format!("{written}::{}", variant.name),
            };
            let around = Around {
                layout,
                name: Some(&name),
                label: around.label,
            };
            let mut made = self.plans.made(self.walker, None, &content, around, depth);
            made.size = layout.size;
            self.plan.is_open |= made.is_open;
            let is_empty = made.parts.is_empty() && made.steps.is_empty();
            let plan = (!is_empty).then(|| self.plans.push(made));
            cases.push((variant.tags.clone(), plan));
        }
        if cases.iter().all(|(_, plan)| plan.is_none()) {
            return;
        }
        match (choice.tag, &cases[..]) {
            (Some((at, size)), _) => self.plan.steps.push(Step::Choice {
                tag: (spot.at.0.saturating_add(at), size),
                cases,
                from: spot.at.0,
                label: around.label,
            }),
            (None, [(_, Some(plan))]) => {
                let part = Part {
                    at: spot.at.0,
                    count: 1,
                    plan: *plan,
                    label: around.label,
                };
                if !self.plans.get(*plan).steps.is_empty() {
                    self.plan.steps.push(Step::Part(part));
                }
                self.plan.parts.push(part);
            }
            (None, _) => self.plan.is_open = true,
        }
    }

    /// A node of a tree: its keys and values as far as they are in use.
    fn node(&mut self, layout: &Layout, spot: Spot, around: Around<'_>, depth: usize) {
        let length = self.walker.field(spot, "len");
        for (name, parameter) in [("keys", "K"), ("vals", "V")] {
            let found = (
                length,
                self.walker.field(spot, name),
                layout.parameter(parameter),
            );
            let (Some(length), Some(field), Some(of)) = found else {
                self.plan.is_open = true;
                continue;
            };
            self.plan.steps.push(Step::Counted {
                length: length.at.0,
                part: Part {
                    at: field.at.0,
                    count: 0,
                    plan: self.plans.nested(self.walker, of, depth),
                    label: around.label,
                },
            });
        }
    }

    /// An entry of the crate `lru`: its key and value are there but in the two entries at the ends, which link to one other alone.
    fn lru_entry(
        &mut self,
        layout: &Layout,
        spot: Spot,
        around: Around<'_>,
        depth: usize,
    ) -> Option<()> {
        let walker = self.walker;
        let link = |name: &str| walker.field(spot, name)?.at.0.checked_sub(spot.at.0);
        let (before, after) = (link("prev")?, link("next")?);
        let mut parts = Vec::new();
        for (name, parameter) in [("key", "K"), ("val", "V")] {
            let at = walker.field(spot, name)?.at.0.checked_sub(spot.at.0)?;
            let plan = self
                .plans
                .nested(walker, layout.parameter(parameter)?, depth);
            parts.push(Part {
                at,
                count: 1,
                plan,
                label: None,
            });
        }
        let whole = |parts: Vec<Part>, steps| Plan {
            of: None,
            size: layout.size,
            parts,
            steps,
            is_open: false,
        };
        let steps = parts.iter().copied().map(Step::Part).collect();
        let full = self.plans.push(whole(parts, steps));
        let linked = |at, plan, from| Step::Choice {
            tag: (at, 8),
            cases: vec![(vec![1..=u128::from(u64::MAX)], Some(plan))],
            from,
            label: around.label,
        };
        let both = self
            .plans
            .push(whole(Vec::new(), vec![linked(after, full, 0)]));
        let at = spot.at.0.checked_add(before)?;
        self.plan.steps.push(linked(at, both, spot.at.0));
        Some(())
    }

    /// The variable behind a `thread_local!` that is made when first asked for.
    fn lazy_local(&mut self, layout: &Layout, spot: Spot, around: Around<'_>, depth: usize) {
        let (state, value) = (
            self.walker.field(spot, "state"),
            self.walker.field(spot, "value"),
        );
        let (Some(state), Some(value), Some(of)) = (state, value, layout.parameter("T")) else {
            self.plan.is_open = true;
            return;
        };
        let state = self.walker.peel(state);
        let tags = self.walker.layout(state.of).and_then(|layout| {
            let (at, size, tags) = match &layout.shape {
                Shape::Names(names) => {
                    let alive = names.iter().find(|(_, name)| &**name == "Alive")?;
                    (0, layout.size, vec![alive.0..=alive.0])
                }
                Shape::Enum(choice) => {
                    let (at, size) = choice.tag?;
                    let mut variants = choice.variants.iter();
                    let alive = variants.find(|variant| &*variant.name == "Alive")?;
                    (at, size, alive.tags.clone())
                }
                _ => return None,
            };
            Some(((state.at.0.checked_add(at)?, size), tags))
        });
        let Some((tag, tags)) = tags else {
            self.plan.is_open = true;
            return;
        };
        let plan = self.plans.nested(self.walker, of, depth);
        let only = Plan {
            of: None,
            size: self.walker.size(of),
            parts: vec![Part {
                at: 0,
                count: 1,
                plan,
                label: None,
            }],
            steps: vec![Step::Part(Part {
                at: 0,
                count: 1,
                plan,
                label: None,
            })],
            is_open: false,
        };
        let plan = self.plans.push(only);
        self.plan.steps.push(Step::Choice {
            tag,
            cases: vec![(tags, Some(plan))],
            from: value.at.0,
            label: around.label,
        });
    }

    /// Where a collection says where its values are, if it is one.
    fn header(&self, layout: &Layout, spot: Spot) -> Option<Header> {
        let walker = self.walker;
        let at = |spot: Spot| walker.peel(spot).at.0;
        match layout.path() {
            "alloc::vec::Vec" => self.vec(spot.of, spot, false),
            "alloc::collections::binary_heap::BinaryHeap" | "alloc::ffi::c_str::CString" => {
                self.vec(spot.of, walker.find(spot, "alloc::vec::Vec")?, false)
            }
            "alloc::string::String" | "std::path::PathBuf" | "std::ffi::os_str::OsString" => {
                self.vec(spot.of, walker.find(spot, "alloc::vec::Vec")?, true)
            }
            "alloc::collections::vec_deque::VecDeque" => {
                let raw = walker.field(spot, "buf")?;
                let of = layout.parameter("T")?;
                Some(Header {
                    owner: spot.of,
                    of,
                    stride: walker.size(of),
                    pointer: at(walker.seek(raw, "ptr")?),
                    length: at(walker.field(spot, "len")?),
                    kind: Kind::Ring {
                        capacity: at(walker.seek(raw, "cap")?),
                        head: at(walker.field(spot, "head")?),
                    },
                })
            }
            "std::collections::hash::map::HashMap"
            | "std::collections::hash::set::HashSet"
            | "hashbrown::map::HashMap"
            | "hashbrown::set::HashSet"
            | "hashbrown::table::HashTable"
            | "hashbrown::raw::RawTable" => {
                let raw = walker.find(spot, "hashbrown::raw::RawTable")?;
                let of = walker.layout(raw.of)?.parameter("T")?;
                Some(Header {
                    owner: spot.of,
                    of,
                    stride: walker.size(of),
                    pointer: at(walker.seek(raw, "ctrl")?),
                    length: at(walker.seek(raw, "items")?),
                    kind: Kind::Table {
                        mask: at(walker.seek(raw, "bucket_mask")?),
                    },
                })
            }
            "alloc::boxed::Box" => self.slice(layout, spot),
            _ => None,
        }
    }

    fn vec(&self, owner: TypeId, vec: Spot, is_text: bool) -> Option<Header> {
        let walker = self.walker;
        let at = |spot: Spot| walker.peel(spot).at.0;
        let raw = walker.field(vec, "buf")?;
        let of = walker.layout(vec.of)?.parameter("T")?;
        Some(Header {
            owner,
            of,
            stride: walker.size(of),
            pointer: at(walker.seek(raw, "ptr")?),
            length: at(walker.field(vec, "len")?),
            kind: Kind::Vec {
                capacity: at(walker.seek(raw, "cap")?),
                is_text,
            },
        })
    }

    /// A boxed slice, or a boxed text.
    fn slice(&self, layout: &Layout, spot: Spot) -> Option<Header> {
        let Shape::Pointer(to, Beside::Length) = layout.shape else {
            return None;
        };
        let thin = self.walker.layout(to?)?;
        let of = match thin.shape {
            Shape::Pointer(inner, Beside::Nothing) => inner?,
            _ => to?,
        };
        Some(Header {
            owner: spot.of,
            of,
            stride: self.walker.size(of),
            pointer: spot.at.0,
            length: spot.at.0.checked_add(8)?,
            kind: Kind::Slice {
                is_text: layout.name.starts_with("alloc::boxed::Box<str"),
            },
        })
    }
}

fn is_scalar(layout: &Layout) -> bool {
    use Shape::{Bool, Char, Float, Function, Pointer, Signed, Unsigned};
    match layout.shape {
        Bool | Char | Float | Function | Signed | Unsigned => true,
        Shape::Names(_) => is_library(layout),
        Pointer(_, Beside::Length) => layout.path() != "alloc::boxed::Box",
        Pointer(..) => true,
        _ => layout.size == 0,
    }
}
