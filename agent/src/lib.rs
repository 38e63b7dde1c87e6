//! Press **Ctrl-\\** in a running server's terminal and read its heap, by concrete type.
//!
//! A profiler of call sites says where memory was allocated. This says what it *is*: `Arc<CacheEntity>`,
//! `HashMap<String, Session>`, with counts and bytes, what grew since the last look, and by which call stacks it came; from
//! the server's own terminal, at the moment one asks, without a restart and without build flags.
//!
//! # Install
//!
//! ```rust,standalone_crate
//! #[global_allocator]
//! static HEAP: sigheap::Heap = sigheap::Heap::system();
//!
//! fn main() {
//!     let agent = sigheap::install();
//!     // SIGQUIT now opens the prompt; if not, the log says why.
//!     println!("{}", agent.is_active());
//! }
//! ```
//!
//! Over another allocator it is `Heap::new(MiMalloc)`. With `[profile.release] debug = true` in the workspace's
//! `Cargo.toml` the types have names; debug information is read at the prompt alone and costs no speed.
//!
//! [`install`] never panics and never keeps the program from starting. [`builder`] has options, and so has whoever starts
//! the program, by the environment variable `SIGHEAP`: both stand at [`Builder`]. [`Agent::command`] adds commands of the
//! program's own to the prompt. Crates that log by [`tracing`](https://docs.rs/tracing) hear what the agent has to say.
//!
//! # What happens at the key
//!
//! The agent's thread stops all others, copies the process (copy on write) and waits. The copy studies the heap and talks
//! to the user; what goes wrong in it costs the look, not the program. `continue` lets the program go on as if nothing
//! had happened, `quit` ends it, `abort` dumps core. Without a terminal a short report goes to standard error, and the
//! program goes on at once.
//!
//! # Rooms
//!
//! - `heap`, `report`: the nouns, plain data.
//! - `os`: the only door to the kernel. `track`: the allocator and its tables, on the program's hot path. Both hold all
//!   the `unsafe` there is.
//! - `pause`, `capture`: stop the threads, and take what is to be studied.
//! - `resolve`, `walk`, `query`, `trend`, `render`: the study, which knows no process, terminal or clock.
//! - `talk`: the conversation. `session`: all of it put together; `options`, `answer`: what a program says to it.
//!
//! # Limits
//!
//! - Linux on x86-64 with glibc. Elsewhere everything compiles, the allocator forwards, and `install` says in the log
//!   why nothing else happens.
//! - While the prompt is open the program stands still, and its clients wait.
//! - Memory that C code or the program maps by itself is not followed; `info` shows how much it is.
//! - One agent a process, and one version of this crate a program: Cargo refuses two.

mod answer;
#[cfg(sigheap_supported)]
mod capture;
#[cfg(not(sigheap_supported))]
mod elsewhere;
#[cfg_attr(
    not(sigheap_supported),
    expect(
        unused,
        unreachable_pub,
        reason = "the nouns of a study that is not made there"
    )
)]
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
#[cfg(sigheap_supported)]
mod walk;

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
    pub use crate::os::object::hide_find_object;
    pub use crate::pause::Pause;
    pub use crate::resolve::Resolver;
    pub use crate::session::prepare_to_stop;
    pub use crate::track::{
        Period, Stats, arena, block_at, defer_stop, end, epoch, for_each_block, for_each_own_range,
        forget, period, present, set_epoch, set_mode, set_stop_hook, site, slots_taken, stats,
        unknown,
    };
    pub use crate::walk::{
        Edges, Extent, Extents, Found, Judge, Judged, Live, NoTypes, Plans, Scan, TypedBuffer,
        TypedPointer, Walker, scan,
    };
}
