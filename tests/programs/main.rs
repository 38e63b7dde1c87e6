//! Programs that a server is not: handlers of their own, forks, commands, no allocator. One binary, a program an
//! argument, for the end-to-end tests to start; each says on the terminal how far it is.

#![expect(
    clippy::print_stdout,
    reason = "it is how the tests see what a program does"
)]
#![expect(
    clippy::expect_used,
    reason = "a program that cannot set its scene must fail its test"
)]

mod commands;
mod forgets;
mod forks;
mod handlers;
mod holds;
mod hostile;
mod marks;
mod raw;
mod stubborn;
mod switch;
mod values;

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

#[global_allocator]
static HEAP: switch::Switch = switch::Switch::new();

/// Whoever holds it holds up whoever logs.
static LOG: Mutex<()> = Mutex::new(());

fn main() {
    tracing_subscriber::fmt()
        .with_writer(|| {
            drop(LOG.lock());
            std::io::stderr()
        })
        .with_ansi(false)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["plain"] => plain(),
        ["no-install"] => go_on(),
        ["twice"] => twice(),
        ["built-off"] => built_off(),
        ["handler-before", how] => handlers::before(how),
        ["handler-after"] => handlers::after(),
        ["tokio-before"] => handlers::tokio_before(),
        ["tokio-after"] => handlers::tokio_after(),
        ["fork", how] => forks::child(how),
        ["fork-worker"] => forks::worker(),
        ["many"] => many(),
        ["threads", number] => stubborn::many(number),
        ["stubborn", "deaf"] => stubborn::deaf(),
        ["stubborn", "vforking"] => stubborn::vforking(),
        ["stubborn", "busy"] => stubborn::busy(),
        ["quiet"] => quiet(),
        ["with-child"] => forks::with_child(),
        ["hostile", lock] => hostile::hold(lock),
        ["hostile-to-the-careless"] => hostile::hold_from_the_careless(),
        ["commands"] => commands::commands(),
        ["commands-busy"] => commands::busy(),
        ["commands-held"] => commands::held(),
        ["commands-deaf"] => commands::deaf(),
        ["tracked", how] => handlers::tracked(how),
        ["handler-owed"] => handlers::owed(),
        ["fork-registry"] => forks::registry(),
        ["forgets"] => forgets::forgets(),
        ["holds"] => holds::holds(),
        ["marks"] => marks::phases(),
        ["values"] => values::keep(),
        ["marks-off"] => marks::without_agent(),
        ref other => panic!("there is no such program: {other:?}"),
    }
}

/// Nothing but the agent.
fn plain() {
    say_whether_active(sigheap::install());
    go_on();
}

/// The agent installed by two threads at once, and once more with other options.
fn twice() {
    let both = [(); 2].map(|()| thread::spawn(sigheap::install));
    for agent in both {
        say_whether_active(agent.join().expect("it installs"));
    }
    say_whether_active(sigheap::builder().chain().install());
    go_on();
}

/// More blocks than can be looked at in little memory.
fn many() {
    let agent = sigheap::install();
    say_whether_active(agent);
    let blocks: Vec<Box<u64>> = (0..1_200_000).map(Box::new).collect();
    println!("a mark: {:?}", agent.mark("many"));
    println!("{} blocks", blocks.len());
    std::mem::forget(blocks);
    go_on();
}

/// Says in a file that it lives, so that it goes on when its terminal has gone.
fn quiet() {
    say_whether_active(sigheap::install());
    loop {
        // Whoever waits for it takes the file away first.
        std::fs::write("lives", "again").expect("its folder can be written to");
        thread::sleep(Duration::from_millis(100));
    }
}

fn built_off() {
    say_whether_active(sigheap::builder().off().install());
    go_on();
}

fn say_whether_active(agent: sigheap::Agent) {
    println!("active: {}", agent.is_active());
}

/// Lives, allocates, and says so twice a second.
fn go_on() -> ! {
    for step in 0u64.. {
        let block = vec![step; 1000];
        println!("alive {}", block.len() as u64 + step);
        thread::sleep(Duration::from_millis(500));
    }
    unreachable!("it lives for ever")
}
