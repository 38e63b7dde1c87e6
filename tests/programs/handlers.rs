//! Programs with handlers for SIGQUIT of their own, before the agent's and after it.

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
    std::thread::spawn(|| go_on());
    loop {
        quits.recv().await;
        println!("tokio heard SIGQUIT");
    }
}
