//! `walk`: cells and locks with their state, and spans of time.

use super::{Seen, Torn};
use crate::walk::{Spot, Walker};

pub(super) fn ref_cell(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let borrowed = walker.number(walker.field(spot, "borrow")?)?.cast_signed();
    let says = match borrowed {
        0 => "not borrowed".to_owned(),
        1.. => format!("borrowed, {borrowed} times"),
        _ => "borrowed mutably".to_owned(),
    };
    Some(Ok(Seen::Held(says, Some(walker.field(spot, "value")?))))
}

pub(super) fn mutex(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let state = walker.number(walker.field(spot, "inner")?)?;
    let says = match state {
        0 => "unlocked",
        1 => "locked",
        2 => "locked, and waited for",
        _ => return Some(Err(Torn::new(format!("its lock says {state}")))),
    };
    lock(walker, spot, says.to_owned())
}

/// The lower thirty bits count readers, or are all set for a writer.
pub(super) fn rw_lock(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    const MASK: u64 = (1 << 30) - 1;
    let inner = walker.field(spot, "inner")?;
    let state = walker.number(walker.seek(inner, "state")?)?;
    let says = match state & MASK {
        0 => "unlocked".to_owned(),
        MASK => "locked for writing".to_owned(),
        readers => format!("read by {readers}"),
    };
    lock(walker, spot, says)
}

fn lock(walker: &Walker<'_>, spot: Spot, says: String) -> Option<Result<Seen, Torn>> {
    let poison = walker.field(spot, "poison");
    let is_poisoned = poison.and_then(|poison| walker.number(poison)) == Some(1);
    let says = match is_poisoned {
        true => format!("{says}, poisoned"),
        false => says,
    };
    Some(Ok(Seen::Held(says, Some(walker.field(spot, "data")?))))
}

/// A byte, in the debug information.
pub(super) fn flag(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    Some(match walker.number(spot)? {
        0 => Ok(Seen::Held("false".to_owned(), None)),
        1 => Ok(Seen::Held("true".to_owned(), None)),
        other => Err(Torn::new(format!("it is {other}, which is no bool"))),
    })
}

pub(super) fn duration(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let seconds = walker.number(walker.field(spot, "secs")?)?;
    let nanoseconds = walker.number(walker.field(spot, "nanos")?)?;
    let nanoseconds = u32::try_from(nanoseconds)
        .ok()
        .filter(|n| *n < 1_000_000_000)?;
    let span = std::time::Duration::new(seconds, nanoseconds);
    Some(Ok(Seen::Held(format!("{span:?}"), None)))
}
