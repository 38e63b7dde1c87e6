//! ON THE PROGRAM'S HOT PATH: the agent's own memory, in an address range of its own.
//!
//! While the program is frozen, and in the clone, its allocator may be locked by a thread that will not run. So the
//! agent's thread and the clone [`enter`] the arena: what they allocate comes from here and is never counted as a
//! block. What is freed goes where its address belongs, whoever frees it.
//!
//! A spin lock is enough: at most the agent's thread and a thread that drops what the agent made meet here. It is held
//! in a section, so no thread is ever frozen with it.

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering;

use dlmalloc::Dlmalloc;

use super::atomic::{AtomicBool, AtomicU64};
use super::section::Section;
use crate::os::map;

/// Sizes to try, in bytes. They cost addresses only, opened as they are needed, but a limit on those may forbid the larger ones.
const SIZES: [usize; 9] = [
    64 << 30,
    16 << 30,
    4 << 30,
    1 << 30,
    256 << 20,
    128 << 20,
    64 << 20,
    32 << 20,
    16 << 20,
];

/// What is taken from the range at a time, in bytes.
const SEGMENT: u64 = 64 << 10;

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Program) };
}

/// Where a thread allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// From the program's allocator, recorded.
    Program,
    /// From the arena.
    Arena,
    /// From the program's allocator, unrecorded.
    Untracked,
}

/// From now on, until the guard is dropped, this thread allocates from the arena.
///
/// Where [`reserve`] found no room every such allocation fails, which most Rust code answers by aborting: do not enter
/// then. Guards nest; they are dropped in the order opposite to their making.
#[must_use]
pub fn enter() -> Guard {
    Guard {
        before: PLACE.replace(Place::Arena),
        thread: PhantomData,
    }
}

/// From now on, until the guard is dropped, what this thread allocates is not recorded. For what the agent gives away
/// to code that others share with it (signal handlers, the panic hook, the program's logger): such blocks may be freed
/// by any thread at any time, so they cannot come from the arena.
#[must_use]
pub fn untracked() -> Guard {
    Guard {
        before: PLACE.replace(Place::Untracked),
        thread: PhantomData,
    }
}

/// See [`enter`].
#[derive(Debug)]
pub struct Guard {
    before: Place,
    /// A guard belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        PLACE.set(self.before);
    }
}

/// Reserves the arena's addresses, once. Returns how many bytes it has, or nothing if the kernel refused even the
/// smallest: then there can be no look.
pub fn reserve() -> Option<u64> {
    locked(|_| {
        if ARENA.bytes.load(Ordering::Relaxed) == 0 {
            let (start, bytes) = map::reserve_closed_first(&SIZES)?;
            ARENA.start.store(start.as_ptr() as u64, Ordering::Relaxed);
            ARENA.bytes.store(bytes as u64, Ordering::Relaxed);
            ARENA
                .routed_from
                .store(start.as_ptr() as u64, Ordering::Relaxed);
            ARENA.routed_bytes.store(bytes as u64, Ordering::Relaxed);
        }
        Some(ARENA.bytes.load(Ordering::Relaxed))
    })
}

/// Bytes of the range; zero before [`reserve`].
pub fn size() -> u64 {
    ARENA.bytes.load(Ordering::Relaxed)
}

/// Bytes taken from the range so far, those freed again included.
pub fn used() -> u64 {
    ARENA.used.load(Ordering::Relaxed)
}

/// Bounds [`used`], in bytes: past it, allocations in the arena fail.
pub fn limit(bytes: u64) {
    ARENA.limit.store(bytes, Ordering::Relaxed);
}

/// For the clone, once, at its start: blocks outside the arena are never given back to the program's allocator, which
/// is frozen. Freeing one leaks it, and growing one copies it into the arena.
pub fn set_in_clone() {
    ARENA.in_clone.store(true, Ordering::Relaxed);
    ARENA.ran_out.store(false, Ordering::Relaxed);
    if ARENA.left_out.load(Ordering::Relaxed) {
        PLACE.set(Place::Untracked);
    }
    // Every address now takes the way that is slower and looks closer.
    ARENA.routed_from.store(0, Ordering::Relaxed);
    ARENA.routed_bytes.store(u64::MAX, Ordering::Relaxed);
}

/// For a test alone, the negative control of those that hammer the program's locks: takes this precaution away in the clone,
/// which from then on allocates as the program does, and so waits for a lock that no running thread holds.
pub fn leave_out_of_the_clone() {
    ARENA.left_out.store(true, Ordering::Relaxed);
}

/// Whether this thread allocates as the program does. If not, the slower ways sort out how.
#[inline(always)]
pub(super) fn is_program() -> bool {
    PLACE.get() == Place::Program
}

/// Whether this thread allocates from the arena.
pub(super) fn is_entered() -> bool {
    PLACE.get() == Place::Arena
}

/// Whether a block needs a closer look before it is freed or moved. In the program: whether it lies in the arena.
#[inline(always)]
pub(super) fn is_routed(block: *mut u8) -> bool {
    let from = ARENA.routed_from.load(Ordering::Relaxed);
    (block as u64).wrapping_sub(from) < ARENA.routed_bytes.load(Ordering::Relaxed)
}

/// Whether a block lies in the arena.
pub(super) fn contains(block: *mut u8) -> bool {
    let start = ARENA.start.load(Ordering::Relaxed);
    (block as u64).wrapping_sub(start) < ARENA.bytes.load(Ordering::Relaxed)
}

/// Whether this process is the clone.
pub(super) fn in_clone() -> bool {
    ARENA.in_clone.load(Ordering::Relaxed)
}

/// The addresses in use.
pub(super) fn range() -> Range<u64> {
    let start = ARENA.start.load(Ordering::Relaxed);
    start..start + used()
}

/// Whether there was no room for a block; in the clone, since its start.
pub fn ran_out() -> bool {
    ARENA.ran_out.load(Ordering::Relaxed)
}

fn noting_failure(block: *mut u8) -> *mut u8 {
    if block.is_null() {
        ARENA.ran_out.store(true, Ordering::Relaxed);
    }
    block
}

/// Allocates, or returns null.
#[cold]
pub(super) fn allocate(layout: Layout, zeroed: bool) -> *mut u8 {
    let block = locked(|heap| {
        // SAFETY: the heap is entered by one thread at a time, and the alignment is a power of two.
        unsafe {
            if zeroed {
                heap.calloc(layout.size(), layout.align())
            } else {
                heap.malloc(layout.size(), layout.align())
            }
        }
    });
    noting_failure(block)
}

/// Frees a block.
///
/// # Safety
/// The block lies in the arena ([`contains`]), was allocated with this layout, and is used no more.
pub(super) unsafe fn free(block: *mut u8, layout: Layout) {
    // SAFETY: the caller's promise.
    locked(|heap| unsafe { heap.free(block, layout.size(), layout.align()) });
}

/// Grows or shrinks a block, or returns null and leaves it as it was.
///
/// # Safety
/// As for [`free`].
pub(super) unsafe fn reallocate(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    noting_failure(locked(|heap| unsafe {
        heap.realloc(block, layout.size(), layout.align(), size)
    }))
}

static ARENA: Arena = Arena {
    start: AtomicU64::new(0),
    bytes: AtomicU64::new(0),
    routed_from: AtomicU64::new(0),
    routed_bytes: AtomicU64::new(0),
    used: AtomicU64::new(0),
    limit: AtomicU64::new(u64::MAX),
    in_clone: AtomicBool::new(false),
    ran_out: AtomicBool::new(false),
    left_out: AtomicBool::new(false),
    locked: AtomicBool::new(false),
    heap: UnsafeCell::new(Dlmalloc::new_with_allocator(Source)),
};

struct Arena {
    /// The range reserved; zero bytes before that.
    start: AtomicU64,
    bytes: AtomicU64,
    /// The range for which [`is_routed`] holds: the arena's own, or all addresses in the clone.
    routed_from: AtomicU64,
    routed_bytes: AtomicU64,
    /// Bytes of the range given to the heap.
    used: AtomicU64,
    /// The most that `used` may become.
    limit: AtomicU64,
    in_clone: AtomicBool,
    ran_out: AtomicBool,
    left_out: AtomicBool,
    /// Guards `heap`, and the reservation.
    locked: AtomicBool,
    heap: UnsafeCell<Dlmalloc<Source>>,
}

// SAFETY: `heap` is reached through `locked` alone; the rest is atomic.
unsafe impl Sync for Arena {}

/// Gives `use_it` the heap, alone. It does not allocate otherwise than from the heap.
fn locked<T>(use_it: impl FnOnce(&mut Dlmalloc<Source>) -> T) -> T {
    let _section = Section::enter();
    while ARENA.locked.swap(true, Ordering::Acquire) {
        std::thread::yield_now();
    }
    // SAFETY: the lock is held.
    let answer = use_it(unsafe { &mut *ARENA.heap.get() });
    ARENA.locked.store(false, Ordering::Release);
    answer
}

/// Where the heap gets its segments: the range, from its start upwards.
struct Source;

// SAFETY: every segment is a part of the reserved range that was given out never before, and stays mapped.
unsafe impl dlmalloc::Allocator for Source {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let used = ARENA.used.load(Ordering::Relaxed);
        let limit = ARENA
            .bytes
            .load(Ordering::Relaxed)
            .min(ARENA.limit.load(Ordering::Relaxed));
        let after = (size as u64)
            .checked_next_multiple_of(SEGMENT)
            .and_then(|bytes| used.checked_add(bytes));
        match after.filter(|&after| after <= limit) {
            Some(after) => {
                let start = ARENA.start.load(Ordering::Relaxed) + used;
                let bytes = (after - used) as usize;
                // SAFETY: whole pages of the arena's reservation.
                if !unsafe { map::open(start, bytes) } {
                    return (ptr::null_mut(), 0, 0);
                }
                ARENA.used.store(after, Ordering::Relaxed);
                (start as *mut u8, bytes, 0)
            }
            None => (ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        map::PAGE
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::track::{defer_stop, model};

    fn use_some() {
        let layout = Layout::from_size_align(100, 8).unwrap();
        let block = allocate(layout, false);
        assert!(!block.is_null());
        // SAFETY: allocated just now with this layout.
        unsafe { free(block, layout) };
    }

    /// What the agent does while the thread that this interrupts stands still.
    fn be_the_agent() {
        model::bounded(1_000_000, use_some);
    }

    fn stop() {
        if !defer_stop() {
            be_the_agent();
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it protects no pages")]
    fn wherever_a_thread_is_stopped_the_agent_gets_memory() {
        assert!(reserve().is_some());
        use_some();
        let reached = |&operation: &u32| model::interrupted(operation, stop, use_some);
        assert!((0..).take_while(reached).count() >= 4);
        // The negative control: a thread stopped with the lock keeps it.
        let hangs = |operation| {
            catch_unwind(|| model::interrupted(operation, be_the_agent, use_some)).is_err()
        };
        assert!((0..10).any(hangs));
        ARENA.locked.store(false, Ordering::Release);
    }
}
