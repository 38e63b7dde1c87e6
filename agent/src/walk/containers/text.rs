//! `walk`: texts and bytes.

use super::{Seen, Text, Torn};
use crate::walk::{Spot, Walker};

pub(super) fn string(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    bytes_of_vec(walker, spot, true)
}

/// What the system gives may be anything, and mostly is UTF-8.
pub(super) fn os(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    bytes_of_vec(walker, spot, true)
}

fn bytes_of_vec(walker: &Walker<'_>, spot: Spot, is_text: bool) -> Option<Result<Seen, Torn>> {
    let vec = super::vec::vec(walker, walker.find(spot, "alloc::vec::Vec")?)?;
    Some(vec.map(|seen| match seen {
        Seen::Text(text) => Seen::Text(Text { is_text, ..text }),
        other => other,
    }))
}

/// A `CString` owns its zero byte, which is not part of the text.
pub(super) fn c(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let pointer = walker.pointer(walker.field(spot, "inner")?)?;
    Some(Ok(Seen::Text(Text {
        at: pointer.at,
        length: pointer.word.saturating_sub(1),
        is_text: false,
    })))
}

/// `bytes::Bytes` and `BytesMut`.
pub(super) fn bytes(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    Some(Ok(Seen::Text(Text {
        at: walker.pointer(walker.field(spot, "ptr")?)?.at,
        length: walker.number(walker.field(spot, "len")?)?,
        is_text: false,
    })))
}
