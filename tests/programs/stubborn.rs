//! Programs whose threads cannot all be stopped, or are many, or make others.

use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::{go_on, raw, say_whether_active};

/// A thread of this name.
fn start(name: &str, run: impl FnOnce() + Send + 'static) {
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.expect("a thread");
}

/// A thread that blocks every signal.
pub(crate) fn deaf() {
    say_whether_active(sigheap::install());
    let (say, is_deaf) = mpsc::channel();
    start("deaf", move || {
        raw::block_all();
        say.send(()).expect("somebody waits");
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    });
    is_deaf.recv().expect("it says so");
    go_on();
}

/// A thread that starts a child which cannot begin: until somebody opens the pipe `gate`, both stand still.
pub(crate) fn vforking() {
    say_whether_active(sigheap::install());
    let made = Command::new("mkfifo").arg("gate").status();
    assert!(made.is_ok_and(|made| made.success()), "mkfifo");
    start("vforking", || raw::start_behind(c"gate"));
    go_on();
}

/// So many threads that wait.
pub(crate) fn many(threads: &str) {
    say_whether_active(sigheap::install());
    for _ in 0..threads.parse().expect("a number") {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        });
    }
    println!("{threads} threads");
    go_on();
}

/// Threads that do nothing but start children and wait for them, and threads that end at once.
pub(crate) fn busy() {
    say_whether_active(sigheap::install());
    for _ in 0..2 {
        start("parent", || {
            loop {
                Command::new("true").status().expect("a child");
            }
        });
        start("maker", || {
            loop {
                thread::spawn(|| ()).join().expect("it does not panic");
            }
        });
    }
    go_on();
}
