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
    /// The same where the type of its holder, which is known for sure, says that no pointer is there.
    Doubtful,
}

/// How much a way of holding says, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    /// A type says that it keeps its value.
    Strong,
    /// A type says that it points there.
    Borrowed,
    /// It reads as a pointer.
    Conservative,
    /// A type says that it does not keep the value.
    Weak,
    /// A type says that it is no pointer.
    Doubtful,
}

impl Rank {
    /// All of them.
    pub const ALL: [Rank; 5] = [
        Rank::Strong,
        Rank::Borrowed,
        Rank::Conservative,
        Rank::Weak,
        Rank::Doubtful,
    ];
}

impl Hold {
    /// How much it says.
    pub fn rank(self) -> Rank {
        match self {
            Hold::Owning | Hold::Shared => Rank::Strong,
            Hold::Borrowed => Rank::Borrowed,
            Hold::Conservative => Rank::Conservative,
            Hold::Weak => Rank::Weak,
            Hold::Doubtful => Rank::Doubtful,
        }
    }

    /// How a pointer that holds so is drawn: only types make a plain arrow.
    pub fn arrow(self) -> &'static str {
        match self {
            Hold::Conservative => "~>",
            Hold::Doubtful => "?>",
            _ => "->",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Hold::Owning => "owning",
            Hold::Shared => "shared",
            Hold::Weak => "weak",
            Hold::Borrowed => "borrowed",
            Hold::Conservative => "conservative",
            Hold::Doubtful => "doubtful",
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
