//! Programs that fork and do not exec.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::{go_on, raw, say_whether_active, switch};

/// A child that goes on like its parent; `how` says whether SIGQUIT had a handler before.
pub(crate) fn child(how: &str) {
    if how == "chain" {
        raw::handle_quit("the earlier handler ran\n");
    }
    let agent = sigheap::builder().chain().install();
    say_whether_active(agent);
    watch(raw::fork(|| {
        println!("in the child, active: {}", agent.is_active());
        go_on();
    }));
}

/// A child in the program's own process group that knows nothing of SIGQUIT.
pub(crate) fn with_child() {
    say_whether_active(sigheap::install());
    let child = Command::new("sleep").arg("1000").spawn();
    let mut child = child.expect("a child");
    std::thread::spawn(move || {
        let status = child.wait().expect("a child's end");
        println!("the child died of signal {}", status.signal().unwrap_or(0));
    });
    go_on();
}

/// A worker that listens to SIGQUIT itself, as pre-forking servers have them.
pub(crate) fn worker() {
    say_whether_active(sigheap::install());
    watch(raw::fork(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut quits = signal(SignalKind::quit()).expect("tokio listens to SIGQUIT");
            println!("the worker listens");
            loop {
                quits.recv().await;
                println!("the worker heard SIGQUIT");
            }
        });
    }));
}

/// A child of a program in which a thread adds a command at the moment of the fork, and has the list of them locked.
pub(crate) fn registry() {
    let agent = sigheap::install();
    say_whether_active(agent);
    // It waits for the room of the list itself, which the first to come to it allocates.
    std::thread::spawn(move || {
        switch::hold_up_a_list();
        agent.command("first", "", |_, _| {});
    });
    switch::wait_until_held_up();
    watch(raw::fork(|| {
        agent.command("second", "", |_, _| {});
        println!("the child added a command");
    }));
}

fn watch(child: i32) {
    println!("child {child} .");
    println!("child {}", raw::ended(child));
    go_on();
}
