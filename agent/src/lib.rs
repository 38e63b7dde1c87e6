//! Press **Ctrl-\\** in a running server's terminal and read its heap, by concrete type.

mod heap;
mod report;
mod session;
mod track;

pub use session::{Agent, install};
pub use track::Heap;
