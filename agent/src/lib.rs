//! Press **Ctrl-\\** in a running server's terminal and read its heap, by concrete type.

mod heap;
mod report;
mod resolve;
mod session;
mod track;

pub use session::{Agent, install};
pub use track::Heap;

/// For this package's own tests, which lie outside the crate because they bring an allocator. No part of the interface.
#[doc(hidden)]
pub mod internals {
    pub use crate::heap::{
        Address, Confidence, Files, Frame, Gap, Module, Names, Site, SiteId, TypeName,
    };
    pub use crate::resolve::Resolver;
}
