//! `walk`: tasks of tokio, and what each waits for: from the future that was spawned down through what it awaits.

use super::containers::{Behind, behind};
use super::{Spot, Walker};
use crate::heap::{Address, Beside, Choice, Layout, Shape, TypeId};

/// A task as its header says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) state: TaskState,
    /// Whether somebody asked it to end.
    pub(crate) is_cancelled: bool,
    /// tokio's number of it.
    pub(crate) id: Option<u64>,
    /// The future that was spawned; none where it is done and gone, or not described.
    pub(crate) future: Option<Await>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TaskState {
    /// It waits, and nobody has woken it.
    Idle,
    /// It was woken, and waits for a worker.
    Notified,
    /// A worker was polling it.
    Running,
    /// It is done; its memory waits for whoever holds it.
    Complete,
    /// What the header says and what the task holds do not agree.
    Unknown,
}

/// A future, and those that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Await {
    pub(crate) at: Address,
    pub(crate) of: TypeId,
    pub(crate) waits: Waits,
    /// Several, where it waits for any or all of them.
    pub(crate) below: Vec<Await>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// It was not polled yet.
    NotStarted,
    /// At an `.await`, in this file and line.
    At(std::rc::Rc<str>),
    /// It is done.
    Done,
    /// It panicked.
    Panicked,
    /// It is no `async` function or block: what it is, its type says.
    Itself,
}

/// The path of what tokio allocates for a task.
const TASK: &str = "tokio::runtime::task::core::Cell";
/// Bits of a task's state: tokio's `runtime/task/state.rs`, the same since 1.0.
const RUNNING: u64 = 1;
const COMPLETE: u64 = 2;
const NOTIFIED: u64 = 4;
const CANCELLED: u64 = 32;
/// What is above them counts who refers to it.
const REFERENCES: u32 = 6;
/// Futures in each other: more is damage, or a recursion of that depth.
const DEPTH: usize = 32;
/// Parts of a future that are looked through for futures.
const PARTS: usize = 256;
/// How deep such parts are nested.
const LEVELS: usize = 6;
/// Futures that one waits for at once, at the most.
const BRANCHES: usize = 16;
/// Futures of one task in all: where they lead back to each other there would be no end.
const MOST: usize = 512;

impl Walker<'_> {
    /// Whether values of a type are tasks.
    pub(crate) fn is_task(&self, of: TypeId) -> bool {
        self.layout(of).is_some_and(|layout| layout.path() == TASK)
    }

    /// A task, as far as its type describes it.
    pub(crate) fn task(&self, at: Address, of: TypeId) -> Task {
        let whole = Spot { at, of };
        let stage = self.stage(whole);
        let mut left = MOST;
        let header = self.field(whole, "header");
        let bits = header
            .and_then(|header| self.seek(header, "state"))
            .and_then(|state| self.number(state));
        let vtable = header.and_then(|header| self.pointer(self.seek(header, "vtable")?));
        let is_sound = vtable.is_some_and(|vtable| self.memory.word(vtable.at).is_some());
        let stage_name = stage.as_ref().map(|(name, _)| &**name);
        Task {
            state: match bits.filter(|_| is_sound) {
                Some(bits) => state(bits, stage_name),
                None => TaskState::Unknown,
            },
            is_cancelled: bits.is_some_and(|bits| bits & CANCELLED != 0),
            id: self
                .field(whole, "core")
                .and_then(|core| self.number(self.seek(core, "task_id")?)),
            future: stage
                .filter(|(name, _)| &**name == "Running")
                .and_then(|(_, content)| {
                    Some(self.future(self.field(content, "__0")?, DEPTH, &mut left))
                }),
        }
    }

    /// What a task is at: its future, its result, or nothing any more.
    fn stage(&self, whole: Spot) -> Option<(std::rc::Rc<str>, Spot)> {
        let stage = self.field(self.field(whole, "core")?, "stage")?;
        let (variant, content) = self.variant(self.peel(stage))?;
        Some((variant.name, content))
    }

    /// A future, and what it waits for.
    fn future(&self, spot: Spot, depth: usize, left: &mut usize) -> Await {
        let spot = self.bare(spot);
        let mut found = Await {
            at: spot.at,
            of: spot.of,
            waits: Waits::Itself,
            below: Vec::new(),
        };
        let (Some(depth), Some(rest)) = (depth.checked_sub(1), left.checked_sub(1)) else {
            return found;
        };
        *left = rest;
        match self.coroutine(spot) {
            Some((waits, content)) => {
                let is_waiting = matches!(waits, Waits::At(_));
                found.waits = waits;
                if let Some(awaited) = self.field(content, "__awaitee").filter(|_| is_waiting) {
                    found.below.push(self.future(awaited, depth, left));
                }
            }
            None => {
                let branches = self.branches(spot).into_iter();
                found.below = branches.map(|one| self.future(one, depth, left)).collect();
            }
        }
        found
    }

    /// The state of an `async` function or block, and what is alive in it.
    fn coroutine(&self, spot: Spot) -> Option<(Waits, Spot)> {
        let layout = self.layout(spot.of)?;
        choice_of_coroutine(&layout)?;
        let (variant, content) = self.variant(spot)?;
        let waits = match &*variant.name {
            "Unresumed" => Waits::NotStarted,
            "Returned" => Waits::Done,
            "Panicked" => Waits::Panicked,
            _ => Waits::At(variant.place?),
        };
        Some((waits, content))
    }

    /// What boxes, references and pins lead to.
    fn bare(&self, mut spot: Spot) -> Spot {
        for _ in 0..LEVELS {
            match self.unwrapped(spot) {
                Some(inner) => spot = inner,
                None => break,
            }
        }
        spot
    }

    fn unwrapped(&self, spot: Spot) -> Option<Spot> {
        let layout = self.layout(spot.of)?;
        if let Shape::Pointer(..) = layout.shape {
            return self.followed(spot, &layout);
        }
        let is_wrapper = matches!(
            layout.path(),
            "core::pin::Pin"
                | "core::mem::manually_drop::ManuallyDrop"
                | "core::cell::UnsafeCell"
                | "alloc::boxed::Box"
        );
        let inner = self.inner(spot).filter(|_| is_wrapper)?;
        Some(inner)
    }

    /// What a box or a reference leads to. Raw pointers and counted ones are others' futures.
    fn followed(&self, spot: Spot, layout: &Layout) -> Option<Spot> {
        let is_followed = layout.name.starts_with('&') || layout.path() == "alloc::boxed::Box";
        let pointer = self.pointer(spot).filter(|_| is_followed)?;
        match behind(self, &pointer, 0, &layout.name)? {
            Behind::Value(inner) => Some(inner),
            Behind::Seen(_) | Behind::Unknown(..) => None,
        }
    }

    /// The futures in one that somebody wrote by hand, or that a macro made: `select!`, `join!`, a timeout.
    fn branches(&self, spot: Spot) -> Vec<Spot> {
        let is_macro = self.layout(spot.of).is_some_and(|layout| {
            layout.path().ends_with("::poll_fn::PollFn")
                || layout.path() == "core::future::poll_fn::PollFn"
        });
        let (mut level, mut found, mut left) = (vec![spot], Vec::new(), PARTS);
        for _ in 0..LEVELS {
            let mut next = Vec::new();
            for part in level {
                left = left.saturating_sub(1);
                if left == 0 || found.len() >= BRANCHES {
                    return found;
                }
                if part != spot && self.is_coroutine(part) {
                    found.push(part);
                } else if is_macro && self.is_tuple(part) {
                    // What a macro waits for stands side by side, finished or not.
                    return self
                        .fields_of(part)
                        .into_iter()
                        .filter_map(|one| self.pending(one))
                        .collect();
                } else {
                    next.extend(self.fields_of(part));
                }
            }
            if !found.is_empty() {
                break;
            }
            level = next;
        }
        found
    }

    fn is_coroutine(&self, spot: Spot) -> bool {
        self.layout(spot.of)
            .is_some_and(|layout| choice_of_coroutine(&layout).is_some())
    }

    fn is_tuple(&self, spot: Spot) -> bool {
        self.layout(spot.of)
            .is_some_and(|layout| layout.name.starts_with('(') && !layout.fields().is_empty())
    }

    /// What is left to wait for of a branch: of a `MaybeDone` its future, if it is not done.
    fn pending(&self, spot: Spot) -> Option<Spot> {
        let spot = self.bare(spot);
        let layout = self.layout(spot.of)?;
        let is_maybe = layout.path().ends_with("::MaybeDone");
        if !is_maybe {
            return Some(spot);
        }
        let (variant, content) = self.variant(spot)?;
        let future = self.field(content, "__0");
        future
            .filter(|_| &*variant.name == "Future")
            .map(|one| self.bare(one))
    }

    /// The parts of a value: what is behind it, the variant it is in, its fields.
    fn fields_of(&self, spot: Spot) -> Vec<Spot> {
        let Some(layout) = self.layout(spot.of) else {
            return Vec::new();
        };
        match &layout.shape {
            Shape::Pointer(_, Beside::Nothing | Beside::Vtable) => {
                self.followed(spot, &layout).into_iter().collect()
            }
            Shape::Enum(_) => self
                .variant(spot)
                .into_iter()
                .map(|(_, content)| content)
                .collect(),
            Shape::Struct(fields) => fields
                .iter()
                .filter_map(|field| self.part(spot, field))
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn choice_of_coroutine(layout: &Layout) -> Option<&Choice> {
    match &layout.shape {
        Shape::Enum(choice) if choice.variants.iter().any(|one| one.place.is_some()) => {
            Some(choice)
        }
        _ => None,
    }
}

/// What the bits of a task's header say, if what it holds bears that out.
fn state(bits: u64, stage: Option<&str>) -> TaskState {
    let is_done = stage.map(|stage| stage != "Running");
    let is_complete = bits & COMPLETE != 0;
    let agrees = match is_done {
        // While it runs it may have got its result, and no word of it yet.
        Some(is_done) => is_done == is_complete || bits & RUNNING != 0,
        None => true,
    };
    match bits {
        _ if !agrees || bits >> REFERENCES == 0 || bits >> REFERENCES > u64::from(u32::MAX) => {
            TaskState::Unknown
        }
        _ if is_complete => TaskState::Complete,
        _ if bits & RUNNING != 0 => TaskState::Running,
        _ if bits & NOTIFIED != 0 => TaskState::Notified,
        _ => TaskState::Idle,
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            TaskState::Idle => "idle",
            TaskState::Notified => "notified",
            TaskState::Running => "running",
            TaskState::Complete => "complete",
            TaskState::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_of_a_header_are_believed_where_the_task_bears_them_out() {
        const ONE: u64 = 1 << REFERENCES;
        let running = Some("Running");
        assert_eq!(state(2 * ONE, running), TaskState::Idle);
        assert_eq!(state(ONE | NOTIFIED | 8, running), TaskState::Notified);
        assert_eq!(state(ONE | RUNNING | NOTIFIED, running), TaskState::Running);
        assert_eq!(state(ONE | COMPLETE, Some("Finished")), TaskState::Complete);
        assert_eq!(state(ONE | COMPLETE, None), TaskState::Complete);
        for (bits, stage) in [
            (0, running),
            (COMPLETE, Some("Consumed")),
            (ONE | COMPLETE, running),
            (ONE, Some("Consumed")),
            (0x7f00_0000_0000, running),
        ] {
            assert_eq!(state(bits, stage), TaskState::Unknown, "{bits:#x}");
        }
    }
}
