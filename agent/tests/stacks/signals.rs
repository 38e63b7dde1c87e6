//! Signal handlers that allocate, wherever they strike. Which is what no careful program does; the tracker must stand it,
//! as the allocator must.

use std::ffi::c_int;
use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::compare::{comparing, unwatched};

/// On the stack of what it interrupts.
const PLAIN: c_int = libc::SIGUSR1;
/// On the alternate stack.
const APART: c_int = libc::SIGUSR2;

/// Installs the handlers.
pub(crate) fn install() {
    for (signal, flags) in [(PLAIN, 0), (APART, libc::SA_ONSTACK)] {
        // SAFETY: the handler has the demanded signature; the signals strike where nothing is allocated.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = flags | libc::SA_RESTART;
            libc::sigaction(signal, &action, ptr::null_mut());
        }
    }
}

extern "C" fn on_signal(_: c_int) {
    black_box(Box::new(5u64));
}

fn raise(signal: c_int) {
    for _ in 0..10 {
        // SAFETY: the signal has a handler.
        unsafe { libc::raise(signal) };
    }
}

/// Handlers on the thread's own stack.
pub(crate) fn raised() {
    raise(PLAIN);
}

/// Handlers on an alternate stack. The one that std gives a thread is too small for what this test adds around the tracker.
pub(crate) fn on_an_alternate_stack() {
    let mut room = vec![0u8; 1 << 16];
    let alternate = libc::stack_t {
        ss_sp: room.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: room.len(),
    };
    // SAFETY: the room outlives its being the alternate stack; then the thread has the one from before again.
    unsafe {
        let mut before: libc::stack_t = std::mem::zeroed();
        libc::sigaltstack(&alternate, &mut before);
        raise(APART);
        libc::sigaltstack(&before, ptr::null_mut());
    }
}

/// Code that does not allocate, of functions with and without frames of their own.
#[inline(never)]
fn compute(depth: u32) -> u32 {
    let room = black_box([depth; 5]);
    if depth < 2 {
        return room[1];
    }
    compute(depth - 1).wrapping_add(compute(depth - 2)) ^ room[4]
}

/// Handlers that strike at any instruction, the first and last of a function among them.
pub(crate) fn at_any_instruction() {
    static STRUCK: AtomicU32 = AtomicU32::new(0);
    unwatched(|kind| {
        let (ready, over) = (AtomicBool::new(false), AtomicBool::new(false));
        // SAFETY: a thread may ask for its own number.
        let this = unsafe { libc::pthread_self() };
        let strike = || {
            while !ready.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            for _ in 0..20 {
                // SAFETY: the thread lives until this one is joined.
                unsafe { libc::pthread_kill(this, PLAIN) };
                thread::yield_now();
            }
            over.store(true, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            scope.spawn(strike);
            comparing(kind, || {
                ready.store(true, Ordering::SeqCst);
                while !over.load(Ordering::SeqCst) {
                    STRUCK.fetch_add(compute(9), Ordering::Relaxed);
                }
                // The last of the signals has come by the end of this call.
                thread::yield_now();
            });
        });
    });
}
