//! Press **Ctrl-\\** in a running server's terminal and read its heap, by concrete type.

mod answer;
#[cfg(sigheap_supported)]
mod capture;
#[cfg(not(sigheap_supported))]
mod elsewhere;
mod heap;
mod options;
#[cfg(sigheap_supported)]
mod os;
#[cfg(sigheap_supported)]
mod pause;
#[cfg(sigheap_supported)]
mod query;
#[cfg(sigheap_supported)]
mod render;
#[cfg(sigheap_supported)]
mod report;
#[cfg(sigheap_supported)]
mod resolve;
#[cfg(sigheap_supported)]
mod session;
#[cfg(sigheap_supported)]
mod talk;
mod track;
#[cfg(sigheap_supported)]
mod trend;

pub use answer::Answer;
#[cfg(not(sigheap_supported))]
pub use elsewhere::{Agent, builder, install};
pub use heap::{Mode, NoMode, NotMarked};
pub use options::Builder;
#[cfg(sigheap_supported)]
pub use session::{Agent, builder, install};
pub use track::Heap;

/// What this repository's own tests reach for. Not part of the interface: anything here changes without notice.
#[doc(hidden)]
#[cfg(sigheap_supported)]
pub mod internals {
    pub use crate::capture::threads_of;
    pub use crate::heap::*;
    pub use crate::pause::Pause;
    pub use crate::resolve::Resolver;
    pub use crate::session::prepare_to_stop;
    pub use crate::track::{
        Period, Stats, arena, block_at, defer_stop, end, epoch, for_each_block, for_each_own_range,
        forget, period, present, set_epoch, set_mode, set_stop_hook, site, slots_taken, stats,
    };
}
