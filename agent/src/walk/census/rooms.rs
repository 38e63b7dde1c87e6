//! `walk`: how much room collections have and use, and which texts are there more than once.

use std::collections::HashMap;
use std::rc::Rc;

use super::Waiting;
use super::plan::{Header, Kind, LabelId, NO_LABEL, Plans};
use crate::heap::{Address, Memory, TypeId};

/// The collections of a type at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// `Vec<Answer>`, `String`, `HashMap<K, V>`, or where nobody knows the owner's type that of its elements.
    pub(crate) owner: Owner,
    /// One of their buffers.
    pub(crate) block: u32,
    /// By which field of which type they are reached; empty where that is not known.
    pub(crate) label: Rc<str>,
    pub(crate) kind: RoomKind,
    /// Those that have a buffer.
    pub(crate) count: u64,
    /// Bytes of their buffers.
    pub(crate) bytes: u64,
    /// Bytes of these that could go were they shrunk.
    pub(crate) spare: u64,
    /// How many of them are empty, and the bytes of their buffers.
    pub(crate) empty: (u64, u64),
}

impl Room {
    /// Counts others in, of the same type at the same place.
    pub(crate) fn add(&mut self, other: &Room) {
        self.count += other.count;
        self.bytes += other.bytes;
        self.spare += other.spare;
        self.empty.0 += other.empty.0;
        self.empty.1 += other.empty.1;
    }
}

/// The type of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// This one.
    Is(TypeId),
    /// A list of these.
    ListOf(TypeId),
    /// A deque of these.
    RingOf(TypeId),
}

/// What the room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RoomKind {
    /// Of a buffer.
    Buffer,
    /// Of a table, which shrinks by halves.
    Table,
}

/// Texts by what they say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    /// Those that are there more than once, in no order.
    pub(crate) repeated: Vec<Text>,
    /// All that were read, and their bytes.
    pub(crate) read: (u64, u64),
    /// Those that there was no room to compare, and those too long for it.
    pub(crate) left: u64,
}

/// A text that is there more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Where one of them is.
    pub(crate) at: Address,
    /// In bytes.
    pub(crate) length: u64,
    pub(crate) count: u64,
}

/// Different texts that are kept apart: 20 MiB of them.
const MOST_TEXTS: usize = 1 << 19;
/// Bytes of a text that are compared; longer ones are rare, and not read.
const LONGEST: u64 = 64 << 10;

/// What was met so far.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    wanted: bool,
    rooms: HashMap<(Owner, LabelId), Figures>,
    texts: HashMap<u128, Text>,
    read: (u64, u64),
    left: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Figures {
    block: u32,
    kind: RoomKind,
    count: u64,
    bytes: u64,
    spare: u64,
    empty: (u64, u64),
}

impl Rooms {
    pub(super) fn new(wanted: bool) -> Self {
        Rooms {
            wanted,
            ..Rooms::default()
        }
    }

    /// Counts a collection of so many elements in, that has room for so many.
    pub(super) fn note(
        &mut self,
        header: &Header,
        block: u32,
        (length, capacity): (u64, u64),
        label: LabelId,
    ) {
        let (kind, bytes, needed) = match header.kind {
            Kind::Table { .. } => (
                RoomKind::Table,
                table_bytes(header.stride, capacity),
                table_bytes(header.stride, needed_buckets(length)),
            ),
            _ => (
                RoomKind::Buffer,
                capacity.saturating_mul(header.stride),
                length.saturating_mul(header.stride),
            ),
        };
        let owner = (Owner::Is(header.owner), label);
        self.add(owner, (kind, block), (bytes, needed), length == 0);
    }

    /// The same, where only the block says what the elements are.
    pub(super) fn note_untyped(&mut self, one: &Waiting, stride: u64, length: u64, capacity: u64) {
        let owner = match one.is_ring {
            true => Owner::RingOf(one.of),
            false => Owner::ListOf(one.of),
        };
        let bytes = (
            capacity.saturating_mul(stride),
            length.saturating_mul(stride),
        );
        let kind = (RoomKind::Buffer, one.number);
        self.add((owner, NO_LABEL), kind, bytes, length == 0);
    }

    fn add(
        &mut self,
        owner: (Owner, LabelId),
        (kind, block): (RoomKind, u32),
        (bytes, needed): (u64, u64),
        is_empty: bool,
    ) {
        if !self.wanted {
            return;
        }
        let figures = self.rooms.entry(owner).or_insert(Figures {
            block,
            kind,
            count: 0,
            bytes: 0,
            spare: 0,
            empty: (0, 0),
        });
        figures.count += 1;
        figures.bytes += bytes;
        figures.spare += bytes.saturating_sub(needed);
        if is_empty {
            super::add(&mut figures.empty, bytes);
        }
    }

    /// Counts a text in, by a hash of 128 bits of what it says.
    pub(super) fn text(&mut self, memory: &dyn Memory, at: Address, length: u64) {
        if !self.wanted || length == 0 {
            return;
        }
        if length > LONGEST {
            self.left += 1;
            return;
        }
        self.buffer.resize(length as usize, 0);
        if memory.read(at, &mut self.buffer).is_none() {
            self.left += 1;
            return;
        }
        super::add(&mut self.read, length);
        let key = hash(&self.buffer);
        if self.texts.len() >= MOST_TEXTS && !self.texts.contains_key(&key) {
            self.left += 1;
            return;
        }
        let text = self.texts.entry(key).or_insert(Text {
            at,
            length,
            count: 0,
        });
        text.count += 1;
    }

    pub(super) fn finish(self, plans: &Plans) -> (Vec<Room>, Texts) {
        let room = |((owner, label), figures): ((Owner, LabelId), Figures)| Room {
            owner,
            block: figures.block,
            label: plans.label_text(label),
            kind: figures.kind,
            count: figures.count,
            bytes: figures.bytes,
            spare: figures.spare,
            empty: figures.empty,
        };
        let texts = Texts {
            repeated: self.texts.into_values().filter(|t| t.count > 1).collect(),
            read: self.read,
            left: self.left,
        };
        (self.rooms.into_iter().map(room).collect(), texts)
    }
}

/// Buckets that hashbrown has for so many entries: seven of eight are used at the most.
fn needed_buckets(items: u64) -> u64 {
    match items {
        0 => 0,
        1..4 => 4,
        4..8 => 8,
        _ => (items.saturating_mul(8) / 7)
            .checked_next_power_of_two()
            .unwrap_or(u64::MAX),
    }
}

fn table_bytes(stride: u64, buckets: u64) -> u64 {
    match buckets {
        0 => 0,
        _ => buckets.saturating_mul(stride + 1).saturating_add(16),
    }
}

/// FNV-1a of 128 bits.
fn hash(bytes: &[u8]) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    bytes.iter().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}
