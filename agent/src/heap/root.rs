//! A root: a place outside the live blocks that holds some of them.

use std::fmt;
use std::ops::Range;

use super::Hold;

/// A place outside the live blocks whose words may hold blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Its words.
    pub words: Words,
}

/// Where the words of a root are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// In memory, at these addresses; live blocks among them are not meant.
    At(Range<u64>),
    /// Nowhere: registers, in the order of [`REGISTERS`](super::REGISTERS).
    Values(Vec<u64>),
}

/// What a root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// Statics of a module, by its place in [`Snapshot::modules`](super::Snapshot).
    Static {
        /// The module.
        module: u32,
    },
    /// Thread-locals of a thread.
    ThreadLocal {
        /// The thread.
        tid: u32,
        /// The module whose thread-locals begin where the words do, by its place in [`Snapshot::modules`](super::Snapshot).
        module: Option<u32>,
    },
    /// What a thread's running functions keep on its stack.
    Stack {
        /// The thread.
        tid: u32,
    },
    /// A thread's registers.
    Register {
        /// The thread.
        tid: u32,
    },
    /// Memory that is not followed: C's, its library's own data included, the program's own mappings, blocks that were freed.
    Untracked,
    /// What functions that have returned left on a thread's stack.
    Leftover {
        /// The thread.
        tid: u32,
    },
}

impl RootKind {
    /// How much it says that such a root holds a block.
    pub fn held(self) -> Held {
        match self {
            RootKind::Static { .. } => Held::Static,
            RootKind::ThreadLocal { .. } => Held::ThreadLocal,
            RootKind::Stack { .. } | RootKind::Register { .. } => Held::Stack,
            RootKind::Untracked => Held::Untracked,
            RootKind::Leftover { .. } => Held::Leftover,
        }
    }
}

/// By what a block is held in the end: by the first of these that leads to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Held {
    /// A static.
    Static,
    /// A thread-local.
    ThreadLocal,
    /// A stack in use, or a register.
    Stack,
    /// Memory that is not followed.
    Untracked,
    /// `Weak` pointers: its memory is kept, its value is gone.
    Weakly,
    /// Words that are no pointers by the types of their holders.
    Doubtful,
    /// What returned functions left on a stack.
    Leftover,
    /// Nothing at all.
    #[default]
    Nothing,
}

impl Held {
    /// All, the strongest first.
    pub const ALL: [Held; 8] = [
        Held::Static,
        Held::ThreadLocal,
        Held::Stack,
        Held::Untracked,
        Held::Weakly,
        Held::Doubtful,
        Held::Leftover,
        Held::Nothing,
    ];

    /// Whether the program itself can still reach it.
    pub fn is_reached(self) -> bool {
        self <= Held::Stack
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Held::Static => "static",
            Held::ThreadLocal => "thread-local",
            Held::Stack => "stack",
            Held::Weakly => "weak",
            Held::Untracked => "untracked",
            Held::Doubtful => "doubtful",
            Held::Leftover => "leftover",
            Held::Nothing => "nothing",
        })
    }
}

/// A word of a root that points at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootHold {
    /// The root, by its place in [`Snapshot::roots`](super::Snapshot).
    pub root: u32,
    /// The block.
    pub to: u32,
    /// Where the word is: its address, or which of the values.
    pub at: u64,
    /// How it holds, as far as a type says.
    pub hold: Hold,
}

impl RootHold {
    /// How much it says that this word holds its block, if its root is of that kind.
    pub fn held(&self, kind: RootKind) -> Held {
        match self.hold {
            Hold::Weak => Held::Weakly,
            Hold::Doubtful => Held::Doubtful,
            _ => kind.held(),
        }
    }
}
