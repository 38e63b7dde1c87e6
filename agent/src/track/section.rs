//! ON THE PROGRAM'S HOT PATH: sections, the stretches in which a thread must not be stopped.
//!
//! In a section the tracker's data is torn. The handler of the stop signal asks [`defer_stop`]; the section it finds
//! open then raises the stop again at its end. Sections never enclose the inner allocator's call, so they end soon.

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use super::atomic::{AtomicBool, AtomicU32};

thread_local! {
    // Atomics because a signal handler of this thread shares them: constant, so that access needs no initialisation,
    // and without a destructor, so that they last as long as the thread.
    static DEPTH: AtomicU32 = const { AtomicU32::new(0) };
    static PENDING: AtomicBool = const { AtomicBool::new(false) };
}

/// What raises the stop again.
static STOP_HOOK: OnceLock<fn()> = OnceLock::new();

/// Sets what raises a deferred stop again; the first call counts. It runs in the deferring thread, inside the
/// program's allocator, outside any section.
pub fn set_stop_hook(hook: fn()) {
    // A second agent would set the same.
    let _ = STOP_HOOK.set(hook);
}

/// For the handler of the stop signal: whether this thread is in a section. If so the stop was noted, and the handler
/// returns at once. Safe in a signal handler.
pub fn defer_stop() -> bool {
    let inside = DEPTH.with(|depth| depth.load(Ordering::Relaxed)) != 0;
    if inside {
        PENDING.with(|pending| pending.store(true, Ordering::Relaxed));
    }
    inside
}

/// While it lives, this thread is in a section.
#[must_use]
pub(super) struct Section(());

impl Section {
    #[inline(always)]
    pub(super) fn enter() -> Section {
        DEPTH.with(|depth| depth.store(depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
        // Nothing in the section may move before the count: only this thread's own handler looks at it.
        compiler_fence(Ordering::SeqCst);
        Section(())
    }
}

impl Drop for Section {
    #[inline(always)]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        let outer = DEPTH.with(|depth| {
            let outer = depth.load(Ordering::Relaxed) - 1;
            depth.store(outer, Ordering::Relaxed);
            outer
        });
        compiler_fence(Ordering::SeqCst);
        if outer == 0 && PENDING.with(|pending| pending.load(Ordering::Relaxed)) {
            raise_again();
        }
    }
}

#[cold]
#[inline(never)]
fn raise_again() {
    PENDING.with(|pending| pending.store(false, Ordering::Relaxed));
    if let Some(hook) = STOP_HOOK.get() {
        hook();
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::Cell;

    use super::*;
    use crate::track::table::tests::WHOLE;
    use crate::track::{Heap, for_each_block, model};
    use std::sync::PoisonError;

    thread_local! {
        static DEFERRED: Cell<u32> = const { Cell::new(0) };
        static RAISED: Cell<u32> = const { Cell::new(0) };
        /// Looks that saw what they ought to see, and others.
        static LOOKS: Cell<[u32; 2]> = const { Cell::new([0; 2]) };
    }

    fn raise() {
        RAISED.set(RAISED.get() + 1);
        look();
    }

    #[test]
    fn a_stop_inside_is_raised_after_the_outermost_section() {
        set_stop_hook(raise);
        assert!(!defer_stop());
        let outer = Section::enter();
        let inner = Section::enter();
        assert!(defer_stop());
        drop(inner);
        assert_eq!(RAISED.get(), 0);
        drop(outer);
        assert_eq!(RAISED.get(), 1);
        drop(Section::enter());
        assert_eq!(RAISED.get(), 1);
    }

    static HEAP: Heap = Heap::system();

    /// Sizes that no other test's blocks have: one that a record holds, one that it does not.
    const SIZES: [usize; 2] = [3333, 77_773];

    /// Looks as the copy of the stopped program does: the block that moves has to be there once, of a size it had.
    fn look() {
        let mut seen = 0;
        for_each_block(|block| seen += u32::from(SIZES.contains(&(block.size as usize))));
        let [right, wrong] = LOOKS.get();
        LOOKS.set(if seen == 1 {
            [right + 1, wrong]
        } else {
            [right, wrong + 1]
        });
    }

    fn stop() {
        if defer_stop() {
            DEFERRED.set(DEFERRED.get() + 1);
        } else {
            look();
        }
    }

    /// Moves a block from one size to the other, time and again, each time stopped before another operation.
    fn move_stopped_everywhere(from: usize, to: usize, stop: fn()) {
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        for operation in 0.. {
            // SAFETY: the block is allocated, moved and freed once each, with the layouts it had.
            let is_reached = unsafe {
                let block = HEAP.alloc(layout(from));
                let mut moved = block;
                let is_reached = model::interrupted(operation, stop, || {
                    moved = HEAP.realloc(block, layout(from), to);
                });
                HEAP.dealloc(moved, layout(to));
                is_reached
            };
            if !is_reached {
                return;
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no unwind tables")]
    fn wherever_a_move_is_stopped_its_block_is_seen_once() {
        let _whole = WHOLE.read().unwrap_or_else(PoisonError::into_inner);
        set_stop_hook(raise);
        let [small, large] = SIZES;
        move_stopped_everywhere(small, large, stop);
        move_stopped_everywhere(large, small, stop);
        let ([right, wrong], deferred) = (LOOKS.get(), DEFERRED.get());
        assert_eq!((wrong, deferred), (0, RAISED.get()));
        assert!(
            right > 30 && deferred > 10,
            "{right} looks, {deferred} put off"
        );
        // The negative control: where no stop is put off, the tables are seen torn.
        move_stopped_everywhere(small, large, look);
        move_stopped_everywhere(large, small, look);
        assert!(LOOKS.get()[1] > 1, "{:?}", LOOKS.get());
    }
}
