//! Programs that hold every lock a look could run into, at the moment at which they are stopped.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::process::state;
use crate::prompt::{PROMPT, QUIT};
use crate::pty::{Launch, Program};
use crate::screen::eventually;

/// The names that `tests/programs/hostile.rs` has for them.
const LOCKS: [&str; 10] = [
    "allocator",
    "stdout",
    "stderr",
    "environment",
    "loader",
    "panic-hook",
    "logger",
    "spawn",
    "signals",
    "localtime",
];

/// Lines for the commands that take something. Whatever else there is runs as it is.
pub(crate) const LINES: [&str; 12] = [
    "top 3",
    "count",
    "list * 3",
    "where #1",
    "mark here",
    "growth",
    "diff here",
    "sites * 3",
    "set rows 5",
    "track sampled 64k",
    "track full",
    "top --json > top.json",
];

/// Those that end the look.
const ENDING: [&str; 3] = ["continue", "quit", "abort"];

/// A program with one arena of C's allocator, so that all its threads share that one's lock.
fn hostile<const N: usize>(arguments: [&str; N]) -> Program {
    let launch = Launch::program(arguments).set("MALLOC_ARENA_MAX", "1");
    let program = launch.set("HAMMER", "x").start();
    program.expect_after(0, "active: true");
    program.expect_after(0, "alive ");
    program
}

#[test]
fn no_lock_of_the_programs_holds_up_a_look() {
    for lock in LOCKS {
        let program = hostile(["hostile", lock]);
        for _ in 0..3 {
            program.press_ctrl_backslash();
            let others = others(&program.json("help"));
            for line in LINES.into_iter().chain(others.iter().map(String::as_str)) {
                let answer = program.command(line);
                assert!(!answer.is_empty(), "{lock}: {line}");
            }
            program.send("c\r");
            program.expect_after(program.written(), "alive ");
        }
    }
}

/// The commands of which there is no line above, and that let the look go on.
pub(crate) fn others(help: &Value) -> Vec<String> {
    let rows = help["rows"].as_array().expect("rows");
    let names = rows.iter().filter_map(|row| row["name"].as_str());
    let of_lines = LINES.iter().filter_map(|line| line.split(' ').next());
    let left_out: BTreeSet<&str> = of_lines.chain(ENDING).collect();
    let others = names.filter(|name| !left_out.contains(name));
    let others: Vec<String> = others.map(str::to_owned).collect();
    assert!(others.iter().any(|name| name == "info"), "{help}");
    others
}

/// The negative control: without the arena the look waits for a lock that no running thread holds. Even that costs the
/// look alone.
#[test]
fn a_look_that_allocates_as_the_program_does_hangs_and_the_program_survives_it() {
    let program = hostile(["hostile-to-the-careless"]);
    let before = program.settings();
    for _ in 0..50 {
        let from = program.written();
        program.send(QUIT);
        let is_open = || program.watch.seen().text[from..].contains(PROMPT);
        eventually("a prompt, or a look that hangs", || {
            is_open() || hangs(&program)
        });
        if !is_open() {
            let look = program.look();
            program.send(QUIT);
            let said = program.expect_after(from, "the look ended: signal 3 killed it");
            program.expect_after(said, "alive ");
            assert!(state(look).is_none(), "nothing is left of it");
            assert_eq!(program.settings(), before);
            assert_eq!(program.foreground(), program.pid);
            return;
        }
        program.send("c\r");
        program.expect_after(program.written(), "alive ");
    }
    panic!("no look ever hung: this proves nothing of the arena");
}

/// Whether there is a look that waits for a lock. It has one thread: nobody will let go of it. It reads the terminal by
/// other system calls.
fn hangs(program: &Program) -> bool {
    const FUTEX: &str = "202 ";
    let in_foreground = program.foreground() != program.pid;
    let Some(look) = program.children().first().copied() else {
        return false;
    };
    let call = fs::read_to_string(format!("/proc/{look}/syscall"));
    in_foreground && call.is_ok_and(|call| call.starts_with(FUTEX))
}
