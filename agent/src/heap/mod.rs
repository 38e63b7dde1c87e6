//! NOUNS: what a heap is made of, as plain data, and the traits by which the study reads what it cannot own.
//!
//! This room imports nothing. The live side (`capture`, `os`) fills it, the study side (`resolve`, `query`, …) reads it,
//! and tests build it from arrays.

mod block;
mod call;
#[cfg(test)]
pub(crate) mod described;
mod edge;
mod gap;
pub mod graph;
mod layout;
mod live;
mod memory;
mod mode;
mod module;
mod name;
mod not_marked;
mod rate;
mod root;
mod settings;
mod site;
mod snapshot;
mod thread;
mod waiting;

pub use block::{Address, Birth, Block};
pub use call::{Answered, Call, Ended};
pub use edge::{Edge, Hold, Rank};
pub use gap::Gap;
pub use layout::{
    Beside, Choice, Content, Field, Layout, Layouts, NoLayouts, Place, Shape, Static, TypeId,
    Variant, Written,
};
pub use live::{DebugPlaces, Files, Host, Request, Untold};
pub use memory::{Memory, NoMemory, Pieces};
pub use mode::{Mode, NoMode};
pub use module::Module;
pub use name::{Confidence, Datum, Frame, Names, Told, TypeName, Variable};
pub use not_marked::NotMarked;
pub use rate::Rate;
pub use root::{Held, Root, RootHold, RootKind, Words};
pub use settings::{SETTINGS, Setting, Settings};
pub use site::{Marks, Site, SiteId};
pub use snapshot::{Before, Malloc, Mapped, MemorySplit, Snapshot, Tracking};
pub use thread::{Doing, ERRANDS, REGISTERS, Registers, Thread};
pub(crate) use waiting::Watched;
pub use waiting::{Patient, Step, Unit, Waiting};
