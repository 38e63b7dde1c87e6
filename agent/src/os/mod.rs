//! THE ONLY DOOR TO THE KERNEL: signals, threads, clone, memory, object files, terminal.
//!
//! Every call here that runs in the program's threads or while they are frozen is async-signal-safe: no lock, no
//! allocation by C, errors by value. What it shows the other rooms is safe to call, but for the few that say what they
//! cannot check.
#![expect(
    unsafe_code,
    reason = "one of the two rooms that hold it: system calls are unsafe by nature"
)]

pub(crate) mod clone;
pub(crate) mod files;
pub(crate) mod futex;
mod groups;
pub(crate) mod look;
pub(crate) mod malloc;
pub(crate) mod map;
pub(crate) mod memory;
pub(crate) mod object;
pub(crate) mod process;
pub(crate) mod quit;
pub(crate) mod shared;
pub(crate) mod signals;
pub(crate) mod stop;
pub(crate) mod streams;
pub(crate) mod terminal;
pub(crate) mod threads;
