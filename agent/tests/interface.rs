//! One program that uses the whole interface, compiled and run on every target: what other targets get has the same names
//! and the same types.

use sigheap::{Agent, Answer, Builder, Heap, Mode, NoMode, NotMarked};
use std::num::NonZeroU64;

#[global_allocator]
static HEAP: Heap = Heap::system();

#[test]
fn the_same_program_builds_and_runs_everywhere() {
    let mode: Result<Mode, NoMode> = "sampled:512k".parse();
    let every = NonZeroU64::new(512 << 10).expect("is not zero");
    assert_eq!(mode, Ok(Mode::Sampled(every)));
    let off: Builder = sigheap::builder().signal(12).signal(None).chain().off();
    assert_ne!(off, sigheap::builder().track(Mode::Off));
    // Not by SIGQUIT, which whoever runs the tests in the background has had ignored.
    let agent: Agent = sigheap::builder().track(Mode::Full).signal(12).install();
    assert_eq!(agent.is_active(), cfg!(sigheap_supported));
    // Once installed, whatever comes later is the same agent.
    assert_eq!(sigheap::install().is_active(), agent.is_active());
    let marked: Result<(), NotMarked> = agent.mark("here");
    assert!(marked.is_ok() || !agent.is_active());
    commands(agent);
    assert!(format!("{agent:?}").starts_with("Agent"));
    is_shared_by_threads(&agent);
    the_allocator_works();
}

/// Commands of all kinds: they return nothing, or whether they went well, and may keep what they need.
fn commands(agent: Agent) {
    let greeting = String::from("hello");
    agent.command("greet", "says hello", move |words, out| {
        // The prompt takes what it can.
        let _ = writeln!(out, "{greeting} {}", words.join(" "));
    });
    agent.command("count", "counts words", |words, out| {
        writeln!(out, "{}", words.len())
    });
    assert_eq!(().failure(), None);
    assert_eq!(Err::<(), _>("why").failure().as_deref(), Some("why"));
}

fn is_shared_by_threads(_: &(impl Send + Sync + Copy + 'static)) {}

fn the_allocator_works() {
    let mut words: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    words.sort_unstable();
    words.truncate(10);
    words.shrink_to_fit();
    assert_eq!(words.concat(), "0110100101102103104105106");
}
