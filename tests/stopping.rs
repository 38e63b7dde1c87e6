//! Threads that do not stop, or are very many, or come and go; and who forks in the middle of a look.

use std::fs::OpenOptions;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::prompt::PROMPT;
use crate::pty::{Launch, Program};

impl Program {
    /// Waits until it has said once more that it lives.
    #[track_caller]
    fn is_alive(&self) {
        self.expect_after(self.written(), "alive ");
    }
}

/// What `info` counts: threads, and those of them that stopped.
fn threads(program: &Program) -> (u64, u64) {
    let total = &program.json("info")["total"];
    let count = |key: &str| total[key].as_u64().expect("a count");
    (count("threads"), count("threads_stopped"))
}

/// What kept the thread of this name from stopping.
fn why_not(answer: &Value, name: &str) -> String {
    let rows = answer["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == name);
    let row = row.unwrap_or_else(|| panic!("no {name}: {answer}"));
    assert_eq!(row["stopped"], false, "{row}");
    row.to_string()
}

#[test]
fn a_thread_that_cannot_be_stopped_is_named_and_all_else_stands_still() {
    for (kind, name, why) in [
        ("deaf", "deaf", "it blocks the signal that stops threads"),
        ("vforking", "vforking", "uninterruptible"),
    ] {
        let program = Launch::program(["stubborn", kind]).start();
        program.expect_after(0, "active: true");
        program.is_alive();
        for _ in 0..2 {
            let screen = program.press_ctrl_backslash();
            let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                screen.contains(&format!("Not stopped: {name} (")),
                "{screen}"
            );
            assert!(screen.contains(why), "{screen}");
            let (all, stopped) = threads(&program);
            assert_eq!(all, stopped + 1, "the others stand still");
            why_not(&program.json("threads"), name);
            assert!(program.command("top 1").contains("total"));
            program.send("c\r");
            program.is_alive();
        }
        if kind == "vforking" {
            // Its child would wait for ever.
            let gate = program.folder().join("gate");
            drop(OpenOptions::new().write(true).open(gate).expect("the gate"));
        }
    }
}

#[test]
fn a_thousand_threads_stop_and_go_on() {
    let program = Launch::program(["threads", "1000"]).start();
    program.expect_after(0, "1000 threads");
    program.is_alive();
    for _ in 0..2 {
        program.press_ctrl_backslash();
        let (all, stopped) = threads(&program);
        assert!(all > 1000 && all == stopped, "{stopped} of {all}");
        let answer = program.json("threads");
        assert_eq!(answer["total"]["threads"].as_u64(), Some(all));
        program.send("c\r");
        program.is_alive();
    }
}

/// Real-time signals need room in the user's queue; where there is none nobody can be stopped, and that is said.
#[test]
fn a_full_queue_of_signals_is_told() {
    let programs = env!("CARGO_BIN_EXE_programs");
    let program = Launch::of(Path::new("prlimit")).with(["--sigpending=0", programs, "plain"]);
    let program = program.start();
    program.is_alive();
    let from = program.written();
    program.signal(Signal::SIGQUIT);
    let open = program.expect_after(from, PROMPT);
    let screen = program.watch.seen().text[from..open].replace('\n', " ");
    assert!(
        screen.contains("queue of pending signals is full"),
        "{screen}"
    );
    let at = program.written();
    program.send("top 1\r");
    program.expect_after(at, "total");
    program.send("c\r");
    program.is_alive();
}

#[test]
fn children_and_threads_may_come_and_go_in_the_middle_of_a_stop() {
    let program = Launch::program(["stubborn", "busy"]).start();
    program.is_alive();
    let before = program.settings();
    for _ in 0..10 {
        program.press_ctrl_backslash();
        assert!(program.command("top 1").contains("total"));
        program.send("c\r");
        program.is_alive();
        assert_eq!(program.settings(), before);
    }
}
