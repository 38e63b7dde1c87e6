//! Programs with handlers for SIGQUIT of their own, before the agent's and after it.

use std::thread;
use std::time::Duration;

use sigheap::internals;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{go_on, raw, say_whether_active};

/// A handler that was there first; `how` says whether the agent chains.
pub(crate) fn before(how: &str) {
    raw::handle_quit("the earlier handler ran\n");
    let builder = sigheap::builder();
    say_whether_active(match how {
        "chain" => builder.chain().install(),
        _ => builder.install(),
    });
    go_on();
}

/// Whether what is allocated after install is recorded; `how` says whether SIGQUIT had a handler before.
pub(crate) fn tracked(how: &str) {
    if how == "handler-before" {
        raw::handle_quit("the earlier handler ran\n");
    }
    say_whether_active(sigheap::install());
    let block = std::hint::black_box(Box::new([7u64; 5]));
    let address = internals::Address(std::ptr::from_ref(&*block) as u64);
    println!("recorded: {}", internals::block_at(address).is_some());
    go_on();
}

/// A handler that is chained. The main thread gets the signal all the time: but for the first they follow each other too fast
/// to count as presses. For each line of standard input the agent's own thread gets one, which so counts as none either.
pub(crate) fn owed() {
    raw::handle_quit_elsewhere("a handler ran for the agent's thread\n");
    say_whether_active(sigheap::builder().chain().install());
    // It gives itself its name.
    let mut agents = std::iter::repeat_with(|| raw::thread_named("sigheap"));
    let agent = agents.find_map(|agent| agent).expect("it comes");
    let main = std::process::id();
    thread::spawn(move || {
        loop {
            raw::signal_thread(main, libc::SIGQUIT);
            thread::sleep(Duration::from_millis(20));
        }
    });
    for _ in std::io::stdin().lines() {
        raw::signal_thread(agent, libc::SIGQUIT);
        println!("sent");
    }
}

/// A handler that takes the place of the agent's.
pub(crate) fn after() {
    say_whether_active(sigheap::install());
    raw::handle_quit("the later handler ran\n");
    go_on();
}

pub(crate) fn tokio_before() {
    let runtime = Runtime::new().expect("a runtime");
    let quits = runtime.block_on(async { quits() });
    say_whether_active(sigheap::builder().chain().install());
    runtime.block_on(tell(quits));
}

pub(crate) fn tokio_after() {
    say_whether_active(sigheap::install());
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async { tell(quits()).await });
}

fn quits() -> Signal {
    signal(SignalKind::quit()).expect("tokio listens to SIGQUIT")
}

async fn tell(mut quits: Signal) {
    thread::spawn(|| go_on());
    loop {
        quits.recv().await;
        println!("tokio heard SIGQUIT");
    }
}
