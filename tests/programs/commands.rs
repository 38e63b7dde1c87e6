//! A program with commands of its own, good and bad.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;
use std::{env, thread};

use crate::{go_on, raw, say_whether_active};

/// Threads that do nothing but allocate and free, so that one of them always holds the lock of C's malloc.
pub(crate) fn busy() {
    let agent = sigheap::install();
    agent.command("fail", "fails with many words", |_, _| {
        Err::<(), String>("x".repeat(3000))
    });
    agent.command("burst", "panics with what panics when dropped", |_, _| {
        burst();
    });
    for thread in 0..8 {
        thread::spawn(move || raw::allocate_for_ever(thread));
    }
    say_whether_active(agent);
    go_on();
}

fn burst() {
    std::panic::panic_any(Bomb)
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload bursts, too");
    }
}

/// Nobody can log until there is a file `let-go`.
pub(crate) fn held() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let agent = sigheap::install();
    agent.command("late", "counts its calls", |_, out| {
        writeln!(out, "call {}", CALLS.fetch_add(1, Ordering::SeqCst) + 1)
    });
    let held = crate::LOG.lock();
    say_whether_active(agent);
    while !Path::new("let-go").exists() {
        println!("alive ");
        thread::sleep(Duration::from_millis(100));
    }
    drop(held);
    go_on();
}

/// The main thread blocks every signal, as that of a server which waits for them elsewhere.
pub(crate) fn deaf() {
    let agent = sigheap::install();
    raw::block_all();
    agent.command(
        "masks",
        "what it blocks and what its threads do",
        |_, out| {
            let mask = || {
                let status = std::fs::read_to_string("/proc/thread-self/status")?;
                let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
                Ok::<_, std::io::Error>(blocked.unwrap_or_default().trim().to_owned())
            };
            let spawned = thread::spawn(mask).join().expect("it does not panic")?;
            writeln!(out, "masks {} {spawned} .", mask()?)
        },
    );
    say_whether_active(agent);
    go_on();
}

static VISITORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) fn commands() {
    let agent = sigheap::install();
    say_whether_active(agent);
    raw::block(libc::SIGUSR1);
    agent.command(
        "visitors",
        "who was there, and adds who is named",
        |names, out| {
            let mut visitors = VISITORS.lock().expect("nobody panics with it");
            visitors.extend(names.iter().map(|name| (*name).to_owned()));
            tracing::info!("visitors were counted");
            writeln!(out, "{} visitors: {}", visitors.len(), visitors.join(", "))
        },
    );
    agent.command(
        "where-am-i",
        "the thread's descriptors, mask and variables",
        |_, out| {
            let status = std::fs::read_to_string("/proc/thread-self/status")?;
            let blocked = status.lines().find(|line| line.starts_with("SigBlk"));
            writeln!(out, "{}", blocked.unwrap_or_default())?;
            writeln!(out, "home {:?}", env::var_os("HOME"))?;
            let kept = std::fs::read_link("/proc/thread-self/fd/57");
            writeln!(out, "descriptor 57 is {kept:?}")
        },
    );
    agent.command("fail", "fails", |_, out| {
        out.write_all(b"so far so good\n")?;
        Err(std::io::Error::other("the cache is cold"))
    });
    agent.command("burst", "panics", |_, out| {
        let _unread = out.write_all(b"about to burst\n");
        std::env::var("ROOM").expect("there is room");
    });
    agent.command("hang", "never returns", |_, out| {
        let _unread = out.write_all(b"going to sleep\n");
        let never = (Mutex::new(()), Condvar::new());
        let guard = never.0.lock().expect("it is its own");
        drop(never.1.wait_while(guard, |()| true));
    });
    agent.command("flood", "writes megabytes", |_, out| {
        let line = [b'x'; 99];
        for _ in 0..400_000 {
            writeln!(out, "{}", String::from_utf8_lossy(&line))?;
        }
        Ok::<(), std::io::Error>(())
    });
    agent.command("bytes", "writes what is no text", |_, out| {
        out.write_all(b"caf\xe9 \x1b[31mred\x1b[0m\r\nend without a line feed")
    });
    agent.command("top", "takes a name that exists", |_, _| {});
    agent.command("bad name", "has a name that cannot be typed", |_, _| {});
    let descriptor = std::fs::File::open("/dev/zero").expect("it is there");
    raw::keep_as(&descriptor, 57);
    go_on();
}
