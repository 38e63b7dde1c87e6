//! `walk`: values by type wherever they live: in blocks of their own, and inline in other values, the live slots of tables, the
//! used part of buffers, the state that a future is in. How much of a buffer is used its owner says, so buffers are read
//! where their owners are met; one that nobody known owns is left out, and said.
//!
//! Nothing read is believed: a length over its capacity, a capacity over its block, a block owned twice is torn and left out.

mod plan;
mod rooms;
mod run;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::pointers::buckets;
use super::{Spot, Walker};
use crate::heap::{Address, Block, Content, Place, Root, RootKind, Shape, Static, TypeId, Words};

pub(crate) use plan::Wanted;
pub(crate) use rooms::{Owner, Room, Text, Texts};

use plan::{LabelId, NO_LABEL, PlanId, Plans};
use rooms::Rooms;

/// What a block is known to hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// What it is made up of; unknown also where that is but a guess.
    pub(crate) content: Content,
    /// Whether its values may begin in the middle and go on at the beginning.
    pub(crate) is_ring: bool,
}

/// What is read.
#[derive(Clone, Copy)]
pub(crate) struct Frozen<'a> {
    pub(crate) walker: Walker<'a>,
    /// The live blocks, in order of address.
    pub(crate) blocks: &'a [Block],
    /// Where words outside the blocks are.
    pub(crate) roots: &'a [Root],
    pub(crate) content: &'a dyn Fn(&Block) -> Known,
}

/// Values by type.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// How many there are of each type, in no order. A type may have several numbers.
    pub(crate) values: Vec<Values>,
    /// The collections by type and by where they are.
    pub(crate) rooms: Vec<Room>,
    /// The texts by what they say.
    pub(crate) texts: Texts,
    /// What was looked for, where it was: its type, and the address.
    pub(crate) found: Vec<Spot>,
    pub(crate) unread: Unread,
}

/// The values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) of: TypeId,
    /// In bytes.
    pub(crate) size: u64,
    /// In a block of their own each.
    pub(crate) own: u64,
    /// In other values, in buffers and tables, in statics.
    pub(crate) inline: u64,
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Blocks whose type nobody knows, and their bytes.
    pub(crate) untyped: (u64, u64),
    /// Buffers of which no owner was found that says how much is used, and their bytes.
    pub(crate) unowned: (u64, u64),
    /// Collections that do not hold together.
    pub(crate) torn: u64,
    /// Bytes that are not in memory.
    pub(crate) absent: u64,
    /// Types with unions in them, of which nothing says what is there.
    pub(crate) open: u64,
}

/// Values that are looked for one by one, at most.
const MOST_FOUND: usize = 1 << 20;

impl Census {
    /// Counts. `sought` says of which types each value is wanted, too.
    pub(crate) fn of(
        frozen: &Frozen<'_>,
        wanted: Wanted,
        sought: Option<&dyn Fn(TypeId) -> bool>,
    ) -> Self {
        let mut taker = Taker::new(*frozen, wanted, sought);
        taker.blocks();
        taker.statics();
        taker.unowned();
        taker.finish()
    }
}

/// The census being taken.
struct Taker<'a> {
    frozen: Frozen<'a>,
    plans: Plans,
    sought: Option<&'a dyn Fn(TypeId) -> bool>,
    /// By plan whether what is sought may be in it.
    leads: HashMap<PlanId, bool>,
    /// By plan: values in blocks of their own, values elsewhere, and how often what is always in them is there, as far as it
    /// is not part of something else that is counted.
    own: Vec<u64>,
    inline: Vec<u64>,
    ran: Vec<u64>,
    /// A bit a block: its owner was met.
    owned: Vec<u64>,
    /// Buffers that wait for their owner.
    waiting: Vec<Waiting>,
    /// Values to be looked into.
    todo: Vec<Work>,
    /// Tables whose blocks have no type of their own, of entries of this type.
    tables: Vec<(Block, TypeId, LabelId)>,
    buffer: Vec<u8>,
    rooms: Rooms,
    found: Vec<Spot>,
    unread: Unread,
}

/// A buffer whose owner was not met.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// The block.
    number: u32,
    of: TypeId,
    is_ring: bool,
}

/// How an owner's words stand around the one that points at its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Room before, length behind, in a deque where it begins between: `Vec` and `VecDeque` as the compiler lays them out.
    Vec,
    /// Length behind: a boxed slice.
    Slice,
}

/// Bytes around a word that a form reads.
const BEFORE: u64 = 8;
const BEHIND: u64 = 16;
/// Bytes of statics and stacks that are searched at once.
const PART: u64 = 64 << 10;

/// What says most first.
const FORMS: &[Form] = &[Form::Vec, Form::Slice];

impl Form {
    /// Where the values begin, how many there are, and for how many there is room.
    fn read(self, near: impl Fn(isize) -> Option<u64>, is_ring: bool) -> Option<(u64, u64, u64)> {
        match (self, is_ring) {
            (Form::Vec, false) => Some((0, near(1)?, near(-1)?)),
            (Form::Vec, true) => Some((near(1)?, near(2)?, near(-1)?)),
            (Form::Slice, false) => Some((0, near(1)?, near(1)?)),
            (Form::Slice, true) => None,
        }
    }
}

/// So many values of a plan, one after the other.
#[derive(Clone, Copy, Debug)]
struct Work {
    at: Address,
    count: u64,
    plan: PlanId,
    label: LabelId,
    /// Whether the values are counted themselves.
    counts: bool,
}

/// Two counts lie before the value of an `Rc` or `Arc`, in bytes.
const COUNTS: u64 = 16;

impl<'a> Taker<'a> {
    fn new(frozen: Frozen<'a>, wanted: Wanted, sought: Option<&'a dyn Fn(TypeId) -> bool>) -> Self {
        Taker {
            frozen,
            plans: Plans::new(wanted),
            sought,
            leads: HashMap::new(),
            own: Vec::new(),
            inline: Vec::new(),
            ran: Vec::new(),
            owned: vec![0; frozen.blocks.len().div_ceil(64)],
            waiting: Vec::new(),
            todo: Vec::new(),
            tables: Vec::new(),
            buffer: Vec::new(),
            rooms: Rooms::new(wanted.rooms),
            found: Vec::new(),
            unread: Unread::default(),
        }
    }

    fn blocks(&mut self) {
        for (number, block) in (0..).zip(self.frozen.blocks) {
            let known = (self.frozen.content)(block);
            match known.content {
                Content::Unknown => add(&mut self.unread.untyped, block.size),
                Content::Bytes => {}
                Content::Items(of) => self.waiting.push(Waiting {
                    number,
                    of,
                    is_ring: known.is_ring,
                }),
                Content::One(of) => self.own(block.address, of),
                // What no strong pointer keeps is gone.
                Content::Counted(_) | Content::CountedItems(_) if self.is_gone(block) => {}
                Content::Counted(of) => {
                    if let Some(at) = self.behind_counts(block.address, of) {
                        self.own(at, of);
                    }
                }
                Content::CountedItems(of) => self.counted_items(block, of),
                Content::Table(of) => self.table(block.address, block.size, of, NO_LABEL),
            }
            self.drain();
        }
    }

    fn own(&mut self, at: Address, of: TypeId) {
        let plan = self.plan(of);
        self.own[plan] += 1;
        self.todo.push(Work {
            at,
            count: 1,
            plan,
            label: NO_LABEL,
            counts: false,
        });
        self.emit(plan, at, 1);
    }

    fn is_gone(&self, block: &Block) -> bool {
        self.frozen.walker.memory.word(block.address) == Some(0)
    }

    fn behind_counts(&self, at: Address, of: TypeId) -> Option<Address> {
        let align = self.frozen.walker.layout(of).map_or(1, |of| of.align);
        let skip = COUNTS.checked_next_multiple_of(align.max(1))?;
        at.0.checked_add(skip).map(Address)
    }

    fn counted_items(&mut self, block: &Block, of: TypeId) {
        let Some(at) = self.behind_counts(block.address, of) else {
            return;
        };
        let room = block.size.saturating_sub(at.0 - block.address.0);
        let count = room.checked_div(self.frozen.walker.size(of)).unwrap_or(0);
        self.elements(at, count, of, NO_LABEL);
    }

    /// Values one after the other that lie in no value.
    fn elements(&mut self, at: Address, count: u64, of: TypeId, label: LabelId) {
        let plan = self.plan(of);
        self.wait(Work {
            at,
            count,
            plan,
            label,
            counts: true,
        });
    }

    /// The entries in use of a table that fills a block. Of pairs the halves are the values.
    fn table(&mut self, at: Address, size: u64, of: TypeId, label: LabelId) {
        let stride = self.frozen.walker.size(of);
        let Some((buckets, control)) = buckets(stride, size) else {
            self.unread.torn += 1;
            return;
        };
        let halves = self.halves(of);
        let mut bytes = [0; 4096];
        let mut bucket = 0;
        while bucket < buckets {
            let batch = &mut bytes[..(buckets - bucket).min(4096) as usize];
            let from = Address(at.0.saturating_add(control + bucket));
            if self.frozen.walker.memory.read(from, batch).is_none() {
                self.unread.absent += (buckets - bucket) * stride;
                return;
            }
            let full: Vec<u64> = (bucket..)
                .zip(&*batch)
                .filter(|(_, byte)| **byte < 0x80)
                .map(|(bucket, _)| control - (bucket + 1) * stride)
                .collect();
            bucket += batch.len() as u64;
            self.entries(at, &full, &halves, label);
        }
    }

    fn entries(&mut self, at: Address, full: &[u64], halves: &[(u64, PlanId)], label: LabelId) {
        for (offset, plan) in halves {
            if self.sought.is_none() && self.plans.get(*plan).steps.is_empty() {
                self.inline[*plan] += full.len() as u64;
                self.ran[*plan] += full.len() as u64;
                continue;
            }
            self.todo.extend(full.iter().map(|entry| Work {
                at: Address(at.0.saturating_add(entry + offset)),
                count: 1,
                plan: *plan,
                label,
                counts: true,
            }));
        }
        self.drain_values();
    }

    /// Where in an entry the values are that are somebody's: not the pair itself.
    fn halves(&mut self, of: TypeId) -> Vec<(u64, PlanId)> {
        let layout = self.frozen.walker.layout(of);
        let fields = layout.as_ref().and_then(|layout| match &layout.shape {
            Shape::Struct(fields) if layout.name.starts_with('(') => Some(fields),
            _ => None,
        });
        match fields {
            Some(fields) => fields
                .iter()
                .map(|field| (field.offset, self.plan(field.of)))
                .collect(),
            None => vec![(0, self.plan(of))],
        }
    }

    fn statics(&mut self) {
        let statics = self.frozen.walker.layouts.statics();
        let mut seen = HashSet::new();
        for one in statics.iter().filter(|one| !is_agents(one)) {
            for at in self.places(one) {
                if seen.insert(at) {
                    let label = self.plans.label(&one.name);
                    self.elements(at, 1, one.of, label);
                    self.drain();
                }
            }
        }
    }

    /// Where a variable is: once, or once a thread.
    fn places(&self, one: &Static) -> Vec<Address> {
        let (wanted, offset) = match one.place {
            Place::At(at) => return vec![at],
            Place::OfThread { module, offset } => (module, offset),
        };
        let of_thread = |root: &Root| match (root.kind, &root.words) {
            (RootKind::ThreadLocal { module, .. }, Words::At(range)) => {
                let is_there = module.is_some_and(|module| module as usize == wanted);
                let at = range.start.checked_add(offset)?;
                (is_there && at < range.end).then_some(Address(at))
            }
            _ => None,
        };
        self.frozen.roots.iter().filter_map(of_thread).collect()
    }

    fn drain(&mut self) {
        self.drain_values();
        while let Some((block, of, label)) = self.tables.pop() {
            self.table(block.address, block.size, of, label);
        }
    }

    fn drain_values(&mut self) {
        while let Some(work) = self.todo.pop() {
            self.work(work);
        }
    }

    fn plan(&mut self, of: TypeId) -> PlanId {
        let plan = self.plans.of(&self.frozen.walker, of);
        let all = self.plans.all().len();
        for figures in [&mut self.own, &mut self.inline, &mut self.ran] {
            figures.resize(all, 0);
        }
        plan
    }

    /// The block that begins at an address.
    fn block_at(&self, at: u64) -> Option<u32> {
        let blocks = self.frozen.blocks;
        let found = blocks.binary_search_by_key(&at, |block| block.address.0);
        found.ok().map(|number| number as u32)
    }

    /// Notes that a block has an owner. False if it had one before.
    fn take(&mut self, number: u32) -> bool {
        let word = &mut self.owned[number as usize / 64];
        let bit = 1 << (number % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn has_owner(&self, number: u32) -> bool {
        self.owned[number as usize / 64] >> (number % 64) & 1 != 0
    }

    /// Buffers whose owner has no type that is known: its words may lie on a stack.
    fn unowned(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for form in FORMS {
            let left: HashMap<u64, Waiting> = waiting
                .iter()
                .filter(|one| !self.has_owner(one.number))
                .map(|one| (self.frozen.blocks[one.number as usize].address.0, *one))
                .collect();
            if !left.is_empty() {
                self.untyped_owners(&left, *form);
            }
        }
        for one in waiting {
            if !self.has_owner(one.number) && self.has_any(one.of) {
                let size = self.frozen.blocks[one.number as usize].size;
                add(&mut self.unread.unowned, size);
            }
        }
    }

    fn untyped_owners(&mut self, left: &HashMap<u64, Waiting>, form: Form) {
        for root in self.frozen.roots {
            let is_live = matches!(
                root.kind,
                RootKind::Stack { .. } | RootKind::Static { .. } | RootKind::ThreadLocal { .. }
            );
            if let (true, Words::At(range)) = (is_live, &root.words) {
                for piece in self.frozen.walker.memory.readable(range.clone()) {
                    self.owners_in(piece, left, form);
                }
            }
        }
        self.drain();
    }

    /// A static may be as large as the memory: it is read in parts that overlap by what stands around a word.
    fn owners_in(&mut self, piece: Range<u64>, left: &HashMap<u64, Waiting>, form: Form) {
        let mut from = piece.start;
        while from < piece.end {
            let end = from.saturating_add(PART).min(piece.end);
            let around = from.saturating_sub(BEFORE).max(piece.start);
            let behind = end.saturating_add(BEHIND).min(piece.end);
            self.owners_in_part(around..behind, left, form);
            from = end;
        }
    }

    fn owners_in_part(&mut self, part: Range<u64>, left: &HashMap<u64, Waiting>, form: Form) {
        let mut bytes = vec![0; (part.end - part.start) as usize];
        let memory = self.frozen.walker.memory;
        if memory.read(Address(part.start), &mut bytes).is_none() {
            return;
        }
        let words = bytes.as_chunks().0.iter();
        let words: Vec<u64> = words.map(|word| u64::from_le_bytes(*word)).collect();
        for (place, word) in words.iter().enumerate() {
            let Some(one) = left.get(word) else {
                continue;
            };
            let size = self.frozen.blocks[one.number as usize].size;
            let stride = self.frozen.walker.size(one.of);
            let near = |by: isize| words.get(place.checked_add_signed(by)?).copied();
            let Some((head, length, room)) = form.read(near, one.is_ring) else {
                continue;
            };
            let is_whole = room.checked_mul(stride) == Some(size) && length <= room;
            if stride == 0 || !is_whole || !self.take(one.number) {
                continue;
            }
            self.rooms.note_untyped(one, stride, length, room);
            let first = length.min(room - head.min(room));
            let at = Address(word.saturating_add(head.saturating_mul(stride)));
            self.elements(at, first, one.of, NO_LABEL);
            self.elements(Address(*word), length - first, one.of, NO_LABEL);
        }
    }

    /// Whether there is anything in a value of a type that is worth a row, itself included.
    fn has_any(&mut self, of: TypeId) -> bool {
        let plan = self.plan(of);
        let plan = self.plans.get(plan);
        let layout = self.frozen.walker.layout(of);
        let is_row = layout.is_some_and(|layout| self.plans.is_worth(&layout));
        is_row || !plan.parts.is_empty() || !plan.steps.is_empty()
    }

    fn finish(mut self) -> Census {
        let all = self.plans.all();
        for figures in [&mut self.own, &mut self.inline, &mut self.ran] {
            figures.resize(all.len(), 0);
        }
        for number in (0..all.len()).rev() {
            for part in &all[number].parts {
                let more = self.ran[number].saturating_mul(part.count);
                self.inline[part.plan] = self.inline[part.plan].saturating_add(more);
                self.ran[part.plan] = self.ran[part.plan].saturating_add(more);
            }
        }
        let values = all.iter().enumerate().filter_map(|(number, plan)| {
            let of = plan.of?;
            let layout = self.frozen.walker.layout(of)?;
            let values = Values {
                of,
                size: plan.size,
                own: self.own[number],
                inline: self.inline[number],
            };
            let is_row = self.plans.is_worth(&layout) && values.own + values.inline > 0;
            is_row.then_some(values)
        });
        let open = all.iter().zip(&self.ran);
        self.unread.open = open
            .filter(|(plan, ran)| plan.is_open && plan.of.is_some() && **ran > 0)
            .count() as u64;
        let (rooms, texts) = self.rooms.finish(&self.plans);
        Census {
            values: values.collect(),
            rooms,
            texts,
            found: self.found,
            unread: self.unread,
        }
    }
}

/// What the agent keeps is none of the program's.
fn is_agents(one: &Static) -> bool {
    one.name.starts_with("sigheap::")
}

fn add(sum: &mut (u64, u64), bytes: u64) {
    sum.0 += 1;
    sum.1 += bytes;
}

impl std::fmt::Debug for Frozen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frozen").finish_non_exhaustive()
    }
}
