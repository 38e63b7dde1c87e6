//! `walk`: the steps of a plan, taken over the bytes of values.

use std::rc::Rc;

use super::plan::{Header, Kind, LabelId, Part, Plan, PlanId, Step};
use super::{MOST_FOUND, Taker, Work};
use crate::heap::{Address, Content, TypeId};
use crate::walk::Spot;
use crate::walk::containers::Seen;
use crate::walk::pointers::{buckets, number, of_tag};

/// Bytes read at once where values are many.
pub(super) const PIECE: u64 = 64 << 10;
/// A value larger than that is damage.
const LARGEST: u64 = 64 << 20;
/// Keys in a node of a tree at most.
const CAPACITY: u128 = 11;
/// Control bytes that hashbrown looks at together.
const GROUP: u64 = 16;

/// The bytes of some values, and where they come from.
#[derive(Clone, Copy)]
struct Bytes<'b> {
    bytes: &'b [u8],
    at: Address,
}

impl Taker<'_> {
    /// Looks into values one after the other, as many as are read at once. The rest waits below what is found in these, so
    /// that a million vectors in one do not wait all together.
    pub(super) fn work(&mut self, work: Work) {
        let plan = self.plans.get(work.plan);
        if work.counts {
            self.inline[work.plan] += work.count;
            self.emit(work.plan, work.at, work.count);
        }
        let is_still = plan.steps.is_empty() && !self.leads_on(work.plan);
        if is_still || plan.size == 0 || plan.size > LARGEST {
            self.ran[work.plan] += work.count;
            return;
        }
        let count = (PIECE / plan.size).max(1).min(work.count);
        self.ran[work.plan] += count;
        self.wait(Work {
            at: Address(work.at.0.saturating_add(count * plan.size)),
            count: work.count - count,
            counts: false,
            ..work
        });
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize((count * plan.size) as usize, 0);
        match self.frozen.walker.memory.read(work.at, &mut buffer) {
            Some(()) => {
                let bytes = Bytes {
                    bytes: &buffer,
                    at: work.at,
                };
                (0..count).for_each(|i| self.run(&plan, bytes, i * plan.size, work.label));
            }
            None => self.unread.absent += count * plan.size,
        }
        self.buffer = buffer;
    }

    /// Puts values off.
    pub(super) fn wait(&mut self, work: Work) {
        if work.count > 0 {
            self.todo.push(work);
        }
    }

    fn run(&mut self, plan: &Rc<Plan>, bytes: Bytes<'_>, from: u64, label: LabelId) {
        if self.sought.is_some() {
            for part in &plan.parts {
                let at = Address(bytes.at.0.saturating_add(from + part.at));
                self.emit(part.plan, at, part.count);
                if self.leads_on(part.plan) {
                    self.part(part, bytes, from, label);
                }
            }
        }
        for step in &plan.steps {
            match step {
                Step::Part(part) if self.sought.is_none() || !self.leads_on(part.plan) => {
                    self.part(part, bytes, from, label);
                }
                Step::Part(_) => {}
                Step::Choice {
                    tag,
                    cases,
                    from: begin,
                    label: own,
                } => {
                    let tag = number(bytes.bytes, from + tag.0, tag.1);
                    let case = tag.and_then(|tag| of_tag(cases, tag, |case| &case.0));
                    if let Some((_, Some(plan))) = case {
                        self.grow();
                        self.ran[*plan] += 1;
                        let plan = self.plans.get(*plan);
                        self.run(&plan, bytes, from + begin, own.unwrap_or(label));
                    }
                }
                Step::Counted { length, part } => {
                    let length = number(bytes.bytes, from + length, 2);
                    if let Some(count) = length.filter(|length| *length <= CAPACITY) {
                        let count = count as u64;
                        let part = Part { count, ..*part };
                        self.grow();
                        self.inline[part.plan] += count;
                        self.ran[part.plan] += count;
                        let at = Address(bytes.at.0.saturating_add(from + part.at));
                        self.emit(part.plan, at, count);
                        self.part(&part, bytes, from, label);
                    }
                }
                Step::Header(header, own) => {
                    self.header(header, bytes, from, own.unwrap_or(label));
                }
                Step::Ask(at, of, own) => {
                    let at = Address(bytes.at.0.saturating_add(from + at));
                    self.ask(Spot { at, of: *of }, own.unwrap_or(label));
                }
            }
        }
    }

    /// Plans may have been made since.
    fn grow(&mut self) {
        let all = self.plans.all().len();
        for figures in [&mut self.own, &mut self.inline, &mut self.ran] {
            figures.resize(all, 0);
        }
    }

    fn part(&mut self, part: &Part, bytes: Bytes<'_>, from: u64, label: LabelId) {
        let plan = self.plans.get(part.plan);
        let label = part.label.unwrap_or(label);
        if plan.steps.is_empty() && !self.leads_on(part.plan) {
            return;
        }
        for i in 0..part.count {
            let at = from + part.at + i * plan.size;
            if at >= bytes.bytes.len() as u64 {
                return;
            }
            self.run(&plan, bytes, at, label);
        }
    }

    /// A value that its container has or has not.
    fn ask(&mut self, spot: Spot, label: LabelId) {
        let Some(Ok(Seen::Held(_, Some(inner)))) = self.frozen.walker.container(spot) else {
            return;
        };
        self.elements(inner.at, 1, inner.of, label);
    }

    /// A collection: notes its room, and has its values looked into.
    fn header(&mut self, header: &Header, bytes: Bytes<'_>, from: u64, label: LabelId) {
        let word = |at: u64| number(bytes.bytes, from + at, 8).map(|word| word as u64);
        let (Some(pointer), Some(length)) = (word(header.pointer), word(header.length)) else {
            return;
        };
        let (capacity, head) = match header.kind {
            Kind::Vec { capacity, .. } => (word(capacity), Some(0)),
            Kind::Ring { capacity, head } => (word(capacity), word(head)),
            Kind::Slice { .. } => (Some(length), Some(0)),
            Kind::Table { mask } => {
                if let Some(mask) = word(mask) {
                    self.table_of(header, pointer, length, mask, label);
                }
                return;
            }
        };
        let (Some(capacity), Some(head)) = (capacity, head) else {
            return;
        };
        if capacity == 0 {
            return;
        }
        let size = capacity.checked_mul(header.stride);
        let is_whole = length <= capacity && head <= capacity;
        let block = self.block_at(pointer).filter(|number| {
            let block = &self.frozen.blocks[*number as usize];
            is_whole && size.is_some_and(|size| size <= block.size)
        });
        let Some(block) = block.filter(|block| self.take(*block)) else {
            self.unread.torn += 1;
            return;
        };
        self.rooms.note(header, block, (length, capacity), label);
        if header.kind.is_text() {
            let memory = self.frozen.walker.memory;
            self.rooms.text(memory, Address(pointer), length);
            return;
        }
        if !self.counts_itself(block) {
            let first = length.min(capacity - head);
            let at = Address(pointer.saturating_add(head * header.stride));
            self.elements(at, first, header.of, label);
            self.elements(Address(pointer), length - first, header.of, label);
        }
    }

    fn table_of(&mut self, header: &Header, control: u64, items: u64, mask: u64, label: LabelId) {
        // An empty table has its control bytes in the program.
        if mask == 0 {
            return;
        }
        let found = mask.checked_add(1).filter(|n| n.is_power_of_two());
        let found = found.and_then(|buckets| {
            let below = header.stride.checked_mul(buckets)?;
            let below = below.checked_next_multiple_of(GROUP)?;
            let block = self.block_at(control.checked_sub(below)?)?;
            let size = below.checked_add(buckets)?.checked_add(GROUP)?;
            let is_whole = self.frozen.blocks[block as usize].size == size && items <= buckets;
            is_whole.then_some((block, buckets))
        });
        let Some((block, buckets)) = found.filter(|(block, _)| self.take(*block)) else {
            self.unread.torn += 1;
            return;
        };
        self.rooms.note(header, block, (items, buckets), label);
        if !self.counts_itself(block) {
            let block = self.frozen.blocks[block as usize];
            self.tables.push((block, header.of, label));
        }
    }

    /// Whether a block is counted by its own type, whoever owns it.
    fn counts_itself(&self, block: u32) -> bool {
        let block = &self.frozen.blocks[block as usize];
        match (self.frozen.content)(block).content {
            Content::One(_) | Content::Counted(_) | Content::CountedItems(_) => true,
            Content::Table(of) => buckets(self.frozen.walker.size(of), block.size).is_some(),
            Content::Unknown | Content::Bytes | Content::Items(_) => false,
        }
    }

    /// Notes values that are sought.
    pub(super) fn emit(&mut self, plan: PlanId, at: Address, count: u64) {
        let Some(sought) = self.sought else {
            return;
        };
        let plan = self.plans.get(plan);
        let Some(of) = plan.of.filter(|of| sought(*of)) else {
            return;
        };
        let room = MOST_FOUND.saturating_sub(self.found.len()) as u64;
        let place = |i: u64| Spot {
            at: Address(at.0.saturating_add(i * plan.size)),
            of,
        };
        self.found.extend((0..count.min(room)).map(place));
    }

    /// Whether something sought may be in a value of a plan.
    pub(super) fn leads_on(&mut self, plan: PlanId) -> bool {
        let Some(sought) = self.sought else {
            return false;
        };
        if let Some(known) = self.leads.get(&plan) {
            return *known;
        }
        let made = self.plans.get(plan);
        let leads = made.parts.iter().any(|part| {
            let of: Option<TypeId> = self.plans.get(part.plan).of;
            of.is_some_and(sought) || self.leads_on(part.plan)
        });
        self.leads.insert(plan, leads);
        leads
    }
}

impl Kind {
    pub(super) fn is_text(self) -> bool {
        matches!(
            self,
            Kind::Vec { is_text: true, .. } | Kind::Slice { is_text: true }
        )
    }
}
