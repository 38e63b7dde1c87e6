//! ON THE PROGRAM'S HOT PATH: the allocator, its table of blocks, their call stacks, and the agent's own arena.
//!
//! What runs here runs inside every `malloc` of the program: no lock, no allocation, no system call but to map another
//! part of a table. The look reads the same tables in the clone, where they stand still.
//!
//! Glossary
//! - *record*: what is known of a live block, in 64 bits (`record`), kept in the *table* by the block's address (`table`).
//! - *site*: a call stack that allocates, kept once and known by its number (`sites`); recognised by its words (`memo`), or
//!   found by a *walk* (`walk`) along *rules*, which are compiled from the unwind tables that every Rust program has (`unwind`).
//! - *mode*: how much is recorded: all, a *sample* whose blocks stand for others (`sample`), nothing (`mode`). Blocks
//!   without a record are counted (`thread`).
//! - *birth*: the *epoch* in which a block was first allocated. Address and birth together are a block's identity.
//! - *moving*: a block inside `realloc`: no record is true of it, so its thread notes it in its *slot* (`thread`).
//! - *section*: a stretch in which a thread must not be stopped, since the tables are torn (`section`).
//! - *arena*: where the agent's thread and the clone allocate; nothing in it is a block (`arena`).
#![expect(
    unsafe_code,
    reason = "one of the two rooms that hold it: an allocator is unsafe by contract"
)]

#[cfg(sigheap_supported)]
pub mod arena;
#[cfg(sigheap_supported)]
mod atomic;
#[cfg(sigheap_supported)]
mod frozen;
mod heap;
#[cfg(sigheap_supported)]
mod memo;
#[cfg(sigheap_supported)]
mod mode;
#[cfg(all(test, sigheap_supported))]
mod model;
#[cfg(sigheap_supported)]
mod record;
#[cfg(sigheap_supported)]
mod room;
#[cfg(sigheap_supported)]
mod sample;
#[cfg(sigheap_supported)]
mod section;
#[cfg(sigheap_supported)]
mod sites;
#[cfg(sigheap_supported)]
mod stack;
#[cfg(sigheap_supported)]
mod state;
#[cfg(sigheap_supported)]
mod table;
#[cfg(sigheap_supported)]
mod thread;
#[cfg(sigheap_supported)]
mod trace;
#[cfg(sigheap_supported)]
mod unwind;
#[cfg(sigheap_supported)]
mod walk;

#[cfg(sigheap_supported)]
pub(crate) use frozen::stack as frozen_stack;
pub use heap::Heap;
#[cfg(sigheap_supported)]
pub use mode::{Period, period, set_mode};
#[cfg(sigheap_supported)]
pub(crate) use mode::{go_on, stand_still, stood_still};
#[cfg(sigheap_supported)]
pub(crate) use record::MAX_BIRTH as LAST_EPOCH;
#[cfg(sigheap_supported)]
pub use section::{defer_stop, set_stop_hook};
#[cfg(sigheap_supported)]
pub(crate) use state::is_over_system;
#[cfg(sigheap_supported)]
pub use state::{
    Stats, block_at, end, epoch, for_each_block, for_each_own_range, forget, present, set_epoch,
    site, slots_taken, stats, unknown,
};
