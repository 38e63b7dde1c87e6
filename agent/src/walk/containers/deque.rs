//! `walk`: `VecDeque`, a ring: its values may go on at the beginning of the buffer.

use super::vec::Buffer;
use super::{List, Seen, Torn};
use crate::heap::Address;
use crate::walk::{Spot, Walker};

pub(super) fn deque(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let layout = walker.layout(spot.of)?;
    let buffer = Buffer::read(walker, spot, layout.parameter("T")?)?;
    let length = walker.number(walker.field(spot, "len")?)?;
    let head = walker.number(walker.field(spot, "head")?)?;
    let torn = || Torn::new(format!("it begins at {head} of {}", buffer.room));
    let checked = buffer.check(length);
    Some(checked.and_then(|()| Ok(Seen::List(ring(&buffer, head, length).ok_or_else(torn)?))))
}

fn ring(buffer: &Buffer, head: u64, length: u64) -> Option<List> {
    if buffer.stride == 0 {
        return Some(list(buffer, vec![(buffer.at, length)]));
    }
    let first = length.min(buffer.room.checked_sub(head)?);
    let start = buffer.at.0.checked_add(head.checked_mul(buffer.stride)?)?;
    let mut runs = vec![(Address(start), first), (buffer.at, length - first)];
    runs.retain(|(_, count)| *count > 0);
    Some(list(buffer, runs))
}

fn list(buffer: &Buffer, runs: Vec<(Address, u64)>) -> List {
    List {
        of: buffer.of,
        stride: buffer.stride,
        runs,
        room: Some(buffer.room).filter(|_| buffer.stride > 0),
    }
}
