//! The study does its worst: it loops, takes all memory, overflows its stack, aborts. That costs the look, never the server.

use nix::sys::signal::{Signal, kill};

use crate::prompt::{INTERRUPT, QUIT, SUSPEND};
use crate::pty::Launch;
use crate::screen::eventually;

/// What a command does, and what is said of the look when that is over.
const WORST: [(&str, &str); 4] = [
    ("panic alloc", "the look ended: it needed more memory"),
    ("panic stack", "the look ended: signal 11 killed it"),
    ("panic abort", "the look ended: signal 6 killed it"),
    ("panic loop", "the look ended: signal 3 killed it"),
];

#[test]
fn whatever_a_command_does_the_server_goes_on_and_can_be_looked_at_again() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    for (line, says) in WORST {
        server.press_ctrl_backslash();
        let from = server.written();
        server.send(&format!("{line}\r"));
        if line.ends_with("loop") {
            server.expect_after(from, "\n");
            server.send(QUIT);
        }
        server.expect_after(from, says);
        server.commits();
        server.look_is_over();
        before.is_as_before(&server);
    }
    server.press_ctrl_backslash();
    assert!(server.command("top").contains("CacheEntity"));
    server.resume("c\r");
    before.is_as_before(&server);
}

/// Ctrl-C and Ctrl-Z go to the look alone, which says how a command that never ends is got rid of.
#[test]
fn a_command_that_never_ends_is_left_by_ctrl_backslash() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.send("panic loop\r");
    let typed = server.expect_after(from, "\n");
    server.send(INTERRUPT);
    let hint = server.expect_after(typed, "Ctrl-\\ ends the look");
    server.send(SUSPEND);
    server.send(INTERRUPT);
    server.expect_after(hint, "Ctrl-\\ ends the look");
    assert!(server.is_looked_at());
    assert_eq!(server.foreground(), server.look(), "the look's own group");
    server.send(QUIT);
    server.commits();
    server.look_is_over();
    before.is_as_before(&server);
}

/// What takes long says how far it is, and Ctrl-C gives it up; the look goes on.
#[test]
fn an_answer_that_takes_long_says_how_far_it_is_and_is_left_by_ctrl_c() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.send("panic slow\r");
    let typed = server.expect_after(from, "\n");
    let shown = server.expect_after(typed, "doing nothing ");
    server.expect_after(shown, " % of 100 steps");
    // Once: the terminal throws away with each what was not read yet.
    server.send(INTERRUPT);
    let stopped = server.expect_after(typed, "`panic` was stopped");
    assert!(!server.prompted(stopped).contains("doing nothing"));
    assert!(server.command("top").contains("CacheEntity"));
    server.resume("c\r");
    before.is_as_before(&server);
}

/// SIGTERM does not wait for a command to end.
#[test]
fn a_server_whose_look_never_ends_can_be_ended() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.send("panic loop\r");
    server.expect_after(from, "\n");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(server.settings(), before.settings());
}

/// It may have the terminal already, or not yet.
#[test]
fn a_look_that_dies_before_its_prompt_gives_the_terminal_back() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    for _ in 0..5 {
        server.send(QUIT);
        eventually("a look", || server.is_looked_at());
        for look in server.children() {
            kill(look, Signal::SIGKILL).expect("nobody but the agent waits for it");
        }
        before.comes_back(&server);
        server.look_is_over();
    }
}
