//! A site: one call stack that allocates.

use super::Address;

/// The number of a [`Site`], the same in every look at one process. Zero means that no stack was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u32);

/// A call stack, as return addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Its number.
    pub id: SiteId,
    /// Return addresses, innermost first. Look one byte before each to find the call.
    pub frames: Vec<Address>,
    /// What the stack lacks.
    pub marks: Marks,
}

/// What is not whole about a stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// More than the frames kept: the outer ones were left out.
    pub deep: bool,
    /// The unwinder could not go on: code without unwind tables, a foreign stack, a broken frame.
    pub broken: bool,
    /// A recursion was folded into one turn.
    pub folded: bool,
    /// The table of sites was nearly full, so fewer frames were kept.
    pub short: bool,
}

impl Marks {
    /// Whether frames are missing at the outer end.
    pub fn truncated(self) -> bool {
        self.deep || self.broken || self.short
    }
}
