//! The tracker in a real program: every block exact, whatever the program does.
//!
//! The global allocator is [`sigheap::Heap`] with a bookkeeper of the test's own around it (`books`), which counts what
//! the whole process allocates and frees. Where a test compares the two, it makes sure that nothing was allocated
//! meanwhile.
#![cfg(sigheap_supported)]
#![expect(
    unsafe_code,
    clippy::unwrap_used,
    reason = "allocators, fork and raw layouts are what is tested, and a test ends where it is wrong"
)]

mod arena;
mod books;
mod inner;
mod life;
mod modes;
mod work;
