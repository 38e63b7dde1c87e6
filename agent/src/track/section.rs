//! ON THE PROGRAM'S HOT PATH: sections, the stretches in which a thread must not be stopped.
//!
//! In a section the tracker's data is torn. The handler of the stop signal asks [`defer_stop`]; the section it finds
//! open then raises the stop again at its end. Sections never enclose the inner allocator's call, so they end soon.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, compiler_fence};

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
    use super::*;

    #[test]
    fn a_stop_inside_is_raised_after_the_outermost_section() {
        static RAISED: AtomicU32 = AtomicU32::new(0);
        set_stop_hook(|| {
            RAISED.fetch_add(1, Ordering::Relaxed);
        });
        assert!(!defer_stop());
        let outer = Section::enter();
        let inner = Section::enter();
        assert!(defer_stop());
        drop(inner);
        assert_eq!(RAISED.load(Ordering::Relaxed), 0);
        drop(outer);
        assert_eq!(RAISED.load(Ordering::Relaxed), 1);
        drop(Section::enter());
        assert_eq!(RAISED.load(Ordering::Relaxed), 1);
    }
}
