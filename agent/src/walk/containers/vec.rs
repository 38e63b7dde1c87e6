//! `walk`: `Vec`, and `BinaryHeap`, which is one. The pointer of its buffer is to bytes whatever it is of, so the type
//! comes from what the `Vec` is generic over.

use super::{List, Seen, Text, Torn};
use crate::heap::{Address, TypeId};
use crate::walk::{Spot, Walker};

pub(super) fn vec(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let layout = walker.layout(spot.of)?;
    let of = layout.parameter("T")?;
    let buffer = Buffer::read(walker, spot, of)?;
    let length = walker.number(walker.field(spot, "len")?)?;
    Some(buffer.check(length).map(|()| seen(walker, &buffer, length)))
}

pub(super) fn heap(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    vec(walker, walker.find(spot, "alloc::vec::Vec")?)
}

fn seen(walker: &Walker<'_>, buffer: &Buffer, length: u64) -> Seen {
    let is_bytes = walker
        .layout(buffer.of)
        .is_some_and(|layout| &*layout.name == "u8");
    if is_bytes {
        return Seen::Text(Text {
            at: buffer.at,
            length,
            is_text: false,
        });
    }
    Seen::List(List {
        of: buffer.of,
        stride: buffer.stride,
        runs: vec![(buffer.at, length)],
        room: Some(buffer.room).filter(|_| buffer.stride > 0),
    })
}

/// Where a `RawVec` keeps its values.
pub(super) struct Buffer {
    pub(super) of: TypeId,
    pub(super) at: Address,
    /// Size of a value, in bytes.
    pub(super) stride: u64,
    /// How many values there is room for.
    pub(super) room: u64,
}

impl Buffer {
    /// Reads the buffer of a container of values of a type.
    pub(super) fn read(walker: &Walker<'_>, container: Spot, of: TypeId) -> Option<Self> {
        let raw = walker.field(container, "buf")?;
        Some(Buffer {
            of,
            at: walker.pointer(walker.seek(raw, "ptr")?)?.at,
            stride: walker.size(of),
            room: walker.number(walker.seek(raw, "cap")?)?,
        })
    }

    /// Whether so many values can be there.
    pub(super) fn check(&self, length: u64) -> Result<(), Torn> {
        let is_sized = self.stride > 0;
        let bytes = self.room.checked_mul(self.stride);
        match bytes.and_then(|bytes| self.at.0.checked_add(bytes)) {
            _ if !is_sized => Ok(()),
            Some(_) if length <= self.room => Ok(()),
            _ => Err(Torn::new(format!(
                "{length} values do not fit into room for {}",
                self.room
            ))),
        }
    }
}
