//! The program's own commands: they run in the program, and the look goes on with what they wrote.

use std::fs;

use crate::prompt::{INTERRUPT, QUIT};
use crate::pty::{Launch, Program};

fn program() -> Program {
    let program = Launch::program(["commands"]).start();
    let from = program.expect_after(0, "active: true");
    program.expect_after(from, "alive ");
    program
}

#[test]
fn a_command_runs_in_the_program_and_the_look_goes_on_with_its_answer() {
    let program = program();
    let screen = program.press_ctrl_backslash();
    assert!(screen.contains("look 1"), "{screen}");
    let answer = program.command("visitors ann bob");
    assert!(answer.contains("2 visitors: ann, bob"), "{answer}");
    // It ran in the program, which logged, and not in a copy: the next call finds what this one left.
    assert!(answer.contains("visitors were counted"), "{answer}");
    assert!(!answer.contains("Resident"), "no first screen: {answer}");
    let answer = program.command("vis eve");
    assert!(answer.contains("3 visitors: ann, bob, eve"), "{answer}");
    assert!(program.command("info").contains("look 3"));
    assert!(program.command("help").contains("who was there"));
    assert!(
        program
            .command("help visitors")
            .contains("runs in the program")
    );
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
}

#[test]
fn the_server_says_how_full_its_cache_is() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let visits = |answer: String| {
        let number = answer.split(" visits in the index").next()?;
        number.split_whitespace().last()?.parse::<u64>().ok()
    };
    let first = visits(server.command("cache")).expect("a number");
    assert!(first > 0);
    server.resume("c\r");
    before.is_as_before(&server);
    server.press_ctrl_backslash();
    // Nobody prunes it.
    assert!(visits(server.command("cache")).expect("a number") > first);
}

#[test]
fn it_runs_with_the_programs_descriptors_variables_and_mask() {
    let program = program();
    program.press_ctrl_backslash();
    let answer = program.command("where-am-i");
    assert!(
        answer.contains("descriptor 57 is Ok(\"/dev/zero\")"),
        "{answer}"
    );
    // SIGUSR1 alone, which the main thread blocked after install.
    assert!(answer.contains("SigBlk:    0000000000000200"), "{answer}");
    let home = format!("home Some({:?})", program.folder());
    assert!(answer.contains(&home), "{answer}");
}

/// Each command is a look of its own, and `growth` compared with the one before it.
#[test]
fn growth_is_since_the_program_was_let_go() {
    let program = program();
    program.press_ctrl_backslash();
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
    program.press_ctrl_backslash();
    for _ in 0..2 {
        let growth = program.command("growth");
        assert!(growth.contains("ince look 1"), "{growth}");
        program.command("visitors");
    }
}

#[test]
fn rows_from_before_are_void() {
    let program = program();
    program.press_ctrl_backslash();
    program.command("top");
    program.command("visitors");
    let answer = program.command("list #1");
    assert!(answer.contains("row #1 is of the look before"), "{answer}");
    program.command("top");
    assert!(!program.command("list #1").contains("Error"));
}

#[test]
fn a_command_that_fails_or_panics_is_told() {
    let program = program();
    program.press_ctrl_backslash();
    let answer = program.command("fail");
    assert!(answer.contains("so far so good"), "{answer}");
    assert!(
        answer.contains("`fail` failed: the cache is cold"),
        "{answer}"
    );
    let answer = program.command("burst");
    assert!(answer.contains("about to burst"), "{answer}");
    assert!(
        answer.contains("`burst` panicked: there is room"),
        "{answer}"
    );
    assert!(program.command("visitors").contains("0 visitors"));
}

#[test]
fn a_command_that_hangs_costs_no_more_than_the_wait() {
    let program = program();
    let before = program.settings();
    program.press_ctrl_backslash();
    let from = program.written();
    program.send("hang\r");
    let waiting = program.expect_after(from, "Ctrl-C ends the wait");
    // The program goes on meanwhile.
    program.expect_after(waiting, "alive ");
    program.send(INTERRUPT);
    let answer = program.prompted(from);
    assert!(answer.contains("going to sleep"), "{answer}");
    assert!(answer.contains("`hang` has not ended after"), "{answer}");
    let answer = program.command("hang");
    assert!(answer.contains("`hang` still runs"), "{answer}");
    assert!(program.command("visitors").contains("0 visitors"));
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
    assert_eq!(program.settings(), before);
    assert_eq!(program.foreground(), program.pid);
}

#[test]
fn the_terminal_comes_back_from_a_program_that_ends_during_its_command() {
    let program = program();
    let before = program.settings();
    program.press_ctrl_backslash();
    let from = program.written();
    program.send("hang\r");
    program.expect_after(from, "Ctrl-C ends the wait");
    program.signal(nix::sys::signal::Signal::SIGTERM);
    program.ended();
    crate::screen::eventually("the terminal's settings", || program.settings() == before);
}

#[test]
fn output_is_bounded_and_cannot_play_with_the_terminal() {
    let program = program();
    program.press_ctrl_backslash();
    let answer = program.command("bytes");
    assert!(answer.contains("caf\u{fffd} ?[31mred"), "{answer}");
    let file = program.folder().join("flood.txt");
    let answer = program.command("flood > flood.txt");
    assert!(answer.contains("flood written to flood.txt"), "{answer}");
    assert_eq!(fs::metadata(&file).expect("it is there").len(), 16 << 20);
    program.command("flood > flood.json");
    let document = fs::read(program.folder().join("flood.json")).expect("it is there");
    let document: serde_json::Value = serde_json::from_slice(&document).expect("a document");
    let gap = document["gaps"][0]["what"].as_str().unwrap_or_default();
    assert!(gap.contains("22.1 MiB"), "{gap}");
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
}

#[test]
fn json_and_files_work_as_with_every_command() {
    let program = program();
    program.press_ctrl_backslash();
    let document = program.json("where-am-i");
    assert_eq!(
        document["rows"][2]["text"],
        "descriptor 57 is Ok(\"/dev/zero\")"
    );
    let document = program.json("fail");
    assert!(
        document["error"]
            .as_str()
            .is_some_and(|error| error.contains("cold"))
    );
    program.command("bytes > bytes.txt");
    let bytes = fs::read(program.folder().join("bytes.txt")).expect("it is there");
    assert!(bytes.starts_with(b"caf\xe9 \x1b[31m"));
}

#[test]
fn names_that_cannot_be_are_left_out_and_said() {
    let program = program();
    program.expect_after(0, "`top` is left out: sigheap has a command of that name");
    let screen = program.press_ctrl_backslash();
    assert!(screen.contains("`top` is left out"), "{screen}");
    assert!(program.command("info").contains("`bad name` is left out"));
    assert!(program.command("top").contains("total"));
}

/// The key that opened the prompt interrupts the wait as well: it must not count as a press.
#[test]
fn the_key_ends_the_wait_too() {
    let program = program();
    program.press_ctrl_backslash();
    let from = program.written();
    program.send("hang\r");
    program.expect_after(from, "Ctrl-C ends the wait");
    program.send(QUIT);
    assert!(
        program
            .prompted(from)
            .contains("`hang` has not ended after")
    );
}

/// Its error was freed by the agent while a frozen thread held the allocator's lock.
#[test]
fn what_a_command_leaves_is_never_freed_while_threads_stand_still() {
    let program = Launch::program(["commands-busy"])
        .set("MALLOC_ARENA_MAX", "1")
        .start();
    program.expect_after(0, "active: true");
    program.press_ctrl_backslash();
    for _ in 0..40 {
        let answer = program.command("fail");
        assert!(answer.contains("xxx"), "{answer}");
    }
}

#[test]
fn a_panic_that_panics_again_when_dropped_is_told() {
    let program = Launch::program(["commands-busy"]).start();
    program.expect_after(0, "active: true");
    program.press_ctrl_backslash();
    for _ in 0..2 {
        let answer = program.command("burst");
        assert!(answer.contains("`burst` panicked: it did not"), "{answer}");
    }
}

/// It ran when nobody waited any more, as soon as the logger let go of the thread that starts commands.
#[test]
fn a_command_that_was_given_up_before_it_began_never_runs() {
    let program = Launch::program(["commands-held"]).start();
    program.expect_after(0, "active: true");
    program.press_ctrl_backslash();
    program.send("c\r");
    // The news of that look is what cannot be logged.
    program.expect_after(program.written(), "alive ");
    program.press_ctrl_backslash();
    for _ in 0..2 {
        let from = program.written();
        program.send("late\r");
        program.expect_after(from, "Ctrl-C ends the wait");
        program.send(INTERRUPT);
        let answer = program.prompted(from);
        assert!(answer.contains("`late` was not called"), "{answer}");
        assert!(answer.contains("it will not run"), "{answer}");
    }
    program.send("c\r");
    let from = program.expect_after(program.written(), "alive ");
    fs::write(program.folder().join("let-go"), "").expect("its folder");
    program.expect_after(from, "the look is over");
    program.press_ctrl_backslash();
    let answer = program.command("late");
    assert!(answer.contains("call 1"), "{answer}");
}

/// They went on while all others stood still.
#[test]
fn threads_of_a_command_can_be_stopped_whatever_the_main_thread_blocks() {
    const STOP: u64 = 1 << (40 - 1);
    let program = Launch::program(["commands-deaf"]).start();
    program.expect_after(0, "active: true");
    program.press_ctrl_backslash();
    let answer = program.command("masks");
    let masks: Vec<u64> = answer
        .split_once("masks ")
        .and_then(|(_, masks)| masks.split_once(" ."))
        .map(|(masks, _)| masks.split(' ').collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|mask| u64::from_str_radix(mask, 16).ok())
        .collect();
    let [its, spawned] = masks[..] else {
        panic!("two masks: {answer}");
    };
    assert_eq!(its, spawned, "{answer}");
    assert!(its & STOP == 0 && its.count_ones() > 50, "{answer}");
}
