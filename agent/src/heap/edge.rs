//! An edge: one block holds another.

use std::fmt;

use super::Confidence;

/// How a pointer holds what it points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hold {
    /// It alone: a `Box`, a `Vec`'s buffer. Dropped with its holder.
    Owning,
    /// With others, counted: `Rc`, `Arc`.
    Shared,
    /// It keeps the memory, not the value: `Weak`.
    Weak,
    /// Not at all, but it is there: a reference, a raw pointer.
    Borrowed,
    /// A word that reads as an address in the block. It may be a number, or left over.
    Conservative,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Hold::Owning => "owning",
            Hold::Shared => "shared",
            Hold::Weak => "weak",
            Hold::Borrowed => "borrowed",
            Hold::Conservative => "conservative",
        })
    }
}

/// A pointer from one live block to another. Blocks are known by their places in [`Snapshot::blocks`](super::Snapshot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The block it stands in.
    pub from: u32,
    /// Where in that block, in bytes.
    pub offset: u64,
    /// The block it points at.
    pub to: u32,
    /// Where in that block it points, in bytes. A pointer to one past the end counts, so it may be the size.
    pub into: u64,
    /// How it holds.
    pub hold: Hold,
    /// How sure it is that it is a pointer at all.
    pub confidence: Confidence,
}
