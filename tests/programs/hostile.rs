//! Programs whose threads do nothing but take one lock and let it go, so that one of them nearly always holds it when the
//! world is stopped.

use std::io::Write;
use std::thread;

use crate::{go_on, raw, say_whether_active};

/// Threads that hammer the lock: one holds it, the others wait for it.
const THREADS: u64 = 6;

/// Takes a lock and lets it go; for a thread of this number.
type Hammer = fn(u64);

/// Every kind of lock that a look could run into.
const LOCKS: [(&str, Hammer); 10] = [
    ("allocator", |thread| raw::allocate_for_ever(thread)),
    ("stdout", |_| drop(std::io::stdout().lock().write(b""))),
    ("stderr", |_| drop(std::io::stderr().lock().write(b""))),
    ("environment", |_| raw::change_environment()),
    ("loader", |_| raw::load_a_library()),
    ("panic-hook", |_| {
        std::panic::set_hook(Box::new(|_| {}));
    }),
    ("logger", |_| {
        let held = crate::LOG.lock();
        tracing::trace!("nobody listens");
        drop(held);
    }),
    ("spawn", |_| {
        thread::spawn(|| ()).join().expect("it does not panic")
    }),
    ("signals", |_| raw::register_a_signal()),
    ("localtime", |_| raw::tell_local_time()),
];

/// Hammers one of them.
pub(crate) fn hold(lock: &str) {
    let (_, hammer) = LOCKS
        .into_iter()
        .find(|(name, _)| *name == lock)
        .expect("a lock");
    say_whether_active(sigheap::install());
    for thread in 0..THREADS {
        thread::spawn(move || {
            loop {
                hammer(thread);
            }
        });
    }
    go_on();
}

/// The allocator's lock, and a look without the arena that spares it from waiting for that.
pub(crate) fn hold_from_the_careless() {
    sigheap::internals::arena::leave_out_of_the_clone();
    hold("allocator");
}
