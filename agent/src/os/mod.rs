//! THE ONLY DOOR TO THE KERNEL: memory, object files, signals, threads, the clone, the terminal.
//!
//! Shows safe functions to the rest, but for the few that say what they cannot check.
#![expect(
    unsafe_code,
    reason = "one of the two rooms that hold it: the kernel and the loader are spoken to in pointers"
)]

pub mod map;
pub mod object;
