//! Press **Ctrl-\\** in a running server's terminal and read its heap, by concrete type.
#![expect(dead_code, unused_imports, reason = "rooms whose callers come in the next commits")]

mod heap;
mod os;
mod pause;
mod report;
mod session;
mod track;

pub use session::{Agent, install};
pub use track::Heap;
