//! A program that marks its own phases.

use std::thread;

use crate::{go_on, say_whether_active};

/// What there is more of at the second mark.
struct Kept {
    _room: [u64; 13],
}

pub(crate) fn without_agent() {
    println!(
        "none: {:?}",
        sigheap::builder().off().install().mark("early")
    );
}

pub(crate) fn phases() {
    let agent = sigheap::install();
    say_whether_active(agent);
    println!("bad: {:?}", agent.mark("no good"));
    println!("one: {:?}", agent.mark("one"));
    let kept: Vec<Box<Kept>> = (0..1000)
        .map(|n| Box::new(Kept { _room: [n; 13] }))
        .collect();
    let two = thread::spawn(move || agent.mark("two")).join();
    println!("two: {:?}", two.expect("it does not panic"));
    let many = [(); 8].map(|()| thread::spawn(move || agent.mark("many")));
    let made = many.map(|one| one.join().expect("it does not panic"));
    println!(
        "many: {:?}",
        made.iter().filter(|made| made.is_ok()).count()
    );
    agent.command("now", "marks while somebody looks", move |_, out| {
        writeln!(out, "now: {:?}", agent.mark("now"))
    });
    println!("kept {}", kept.len());
    std::mem::forget(kept);
    go_on();
}
