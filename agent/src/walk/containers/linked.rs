//! `walk`: `LinkedList`, node by node.

use super::{Map, Seen, Torn};
use crate::walk::{Spot, Walker};

/// Nodes followed at most.
const MOST: u64 = 100_000;

pub(super) fn list(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let length = walker.number(walker.field(spot, "len")?)?;
    let mut next = walker.field(spot, "head")?;
    let mut entries = Vec::new();
    while (entries.len() as u64) < length.min(MOST) {
        let Some(node) = walker.some(next)? else {
            let found = entries.len();
            return Some(Err(Torn::new(format!(
                "it says {length} values, and {found} hang together"
            ))));
        };
        let pointer = walker.pointer(node)?;
        let node = Spot {
            at: pointer.at,
            of: pointer.to?,
        };
        entries.push((walker.field(node, "element")?, None));
        next = walker.field(node, "next")?;
    }
    Some(Ok(Seen::Map(Map { entries, length })))
}
