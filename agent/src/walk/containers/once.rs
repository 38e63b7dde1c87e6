//! `walk`: `OnceLock` and `LazyLock`. What their `Once` says when it is done has changed from one standard library to another, so
//! it is compared with one that is known to be done: this program's own, which is of the same library.

use std::sync::Once;

use super::{Seen, Torn};
use crate::heap::Address;
use crate::walk::{Spot, Walker};

static DONE: Once = Once::new();

pub(super) fn lock(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let value = walker.field(spot, "value")?;
    state(walker, spot, "not set", || Some(value))
}

pub(super) fn lazy(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    // A union of the value and of the function that makes it.
    let data = walker.peel(walker.field(spot, "data")?);
    state(walker, spot, "not asked for yet", || {
        walker.field(data, "value")
    })
}

fn state(
    walker: &Walker<'_>,
    spot: Spot,
    not_yet: &str,
    value: impl Fn() -> Option<Spot>,
) -> Option<Result<Seen, Torn>> {
    let state = walker.number(walker.field(spot, "once")?)?;
    let Some(done) = done(walker) else {
        return Some(Err(Torn::new("whether it is set cannot be told")));
    };
    Some(Ok(match state == done {
        true => Seen::Held(String::new(), Some(value()?)),
        false => Seen::Held(not_yet.to_owned(), None),
    }))
}

/// What a `Once` says that is done.
fn done(walker: &Walker<'_>) -> Option<u64> {
    DONE.call_once(|| {});
    let mut bytes = [0; size_of::<Once>()];
    walker
        .memory
        .read(Address((&raw const DONE) as u64), &mut bytes)?;
    let state = bytes.first_chunk()?;
    (bytes.len() == 4).then_some(u64::from(u32::from_le_bytes(*state)))
}
