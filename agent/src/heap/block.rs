//! A block: one live allocation.

use std::fmt;

use super::{Rate, SiteId};

/// A live allocation, as the tracker recorded it. Its identity is its address and its birth together: an address is
/// used again, a birth is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins. For a block that is being moved by `realloc`, where it was.
    pub address: Address,
    /// Bytes the program asked for, exactly (not what the allocator rounded them to).
    pub size: u64,
    /// Base-two logarithm of the alignment asked for.
    pub align_log2: u8,
    /// When it was first allocated; `realloc` keeps it.
    pub birth: Birth,
    /// The call stack that allocated it, or last reallocated it.
    pub site: SiteId,
    /// Whether a `realloc` was moving it when the program stopped: its bytes then are at neither place for sure.
    pub moving: bool,
    /// How it came to be recorded, and so how many live blocks it stands for.
    pub rate: Rate,
}

impl Block {
    /// The alignment asked for, in bytes.
    pub fn align(&self) -> u64 {
        1u64.checked_shl(u32::from(self.align_log2)).unwrap_or(0)
    }
}

/// An address in the frozen program. Never a pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The tick of the agent's clock in which a block was allocated; [`Snapshot::age`](super::Snapshot::age) turns it into
/// seconds. Ticks are a second long in the first days and every look begins a new one, so that a block that takes the
/// address of another between two looks has another birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Birth(pub u32);
