//! Every way out of a look, wanted or not: the server goes on or ends as asked, and the terminal is fit to type at.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::{Signal, kill};

use crate::process::{Held, state};
use crate::prompt::{COMMITTED, END, INTERRUPT, QUIT, SUSPEND};
use crate::pty::{Launch, died_of};
use crate::screen::eventually;

#[test]
fn continue_resumes_by_every_name() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    for keys in ["continue\r", "c\r", END] {
        server.press_ctrl_backslash();
        server.resume(keys);
        server.look_is_over();
        before.is_as_before(&server);
    }
}

#[test]
fn quit_ends_the_server_with_the_code_asked_for() {
    // The short form asks first.
    for (line, code) in [("quit\r", 0), ("quit 3\r", 3), ("q 3\r", 3)] {
        let server = Launch::demo().start();
        let before = server.is_serving();
        server.press_ctrl_backslash();
        server.send(line);
        if line.starts_with("q ") {
            server.expect_after(0, "(y or n)");
            server.send("y");
        }
        assert_eq!(server.ended().code(), Some(code), "{line}");
        assert_eq!(
            server.settings(),
            before.settings(),
            "the terminal after {line}"
        );
    }
}

#[test]
fn abort_dies_of_sigquit_and_dumps_core() {
    let server = Launch::demo().with_cores().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    server.send("abort\r");
    let status = server.ended();
    assert!(died_of(status, Signal::SIGQUIT), "{status:?}");
    assert_eq!(server.settings(), before.settings());
    if !cores_go_to_the_folder() {
        eprintln!("not checked: this kernel's core_pattern keeps cores elsewhere");
        return;
    }
    assert!(status.core_dumped(), "{status:?}");
    let mut files = fs::read_dir(server.folder()).expect("its folder").flatten();
    let core = files.find(|file| file.file_name().to_string_lossy().starts_with("core"));
    let size = core.expect("a core").metadata().expect("its size").len();
    assert!(
        size < 4 << 30,
        "the tables' reservations are not part of it: {size} bytes"
    );
}

/// With a pattern of another kind the kernel hands the core to a program or to a folder that may be missing.
fn cores_go_to_the_folder() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    !pattern.starts_with(['|', '/'])
}

#[test]
fn three_presses_that_nobody_answers_kill() {
    let server = Launch::demo().start();
    server.is_serving();
    // The agent answers within milliseconds, so it has to be held: a tracer can stop one thread alone.
    let agent = Held::hold(server.thread_named("sigheap"));
    server.press_slowly();
    server.press_slowly();
    server.expect_after(0, "once more ends the program");
    server.press_slowly();
    agent.let_go();
    let status = server.ended();
    assert!(died_of(status, Signal::SIGQUIT), "{status:?}");
}

#[test]
fn presses_answered_late_open_the_prompt() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    let agent = Held::hold(server.thread_named("sigheap"));
    server.press_slowly();
    server.press_slowly();
    let hint = server.expect_after(0, "once more ends the program");
    agent.let_go();
    server.prompted(hint);
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn sigquit_from_elsewhere_during_a_look_does_no_harm() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    for _ in 0..3 {
        server.signal(Signal::SIGQUIT);
    }
    server.command("top");
    server.send("c\r");
    // They wait until the threads run again, as one; the prompt may well open once more.
    before.comes_back(&server);
}

#[test]
fn a_killed_look_costs_the_look_alone() {
    for signal in [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGQUIT] {
        let server = Launch::demo().start();
        let before = server.is_serving();
        server.press_ctrl_backslash();
        kill(server.look(), signal).expect("the look is there");
        server.commits();
        server.look_is_over();
        before.is_as_before(&server);
        server.press_ctrl_backslash();
        server.resume("c\r");
        before.is_as_before(&server);
    }
}

#[test]
fn a_stopped_look_is_woken() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    kill(server.look(), Signal::SIGSTOP).expect("the look is there");
    server.command("top");
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn a_server_whose_look_is_stopped_can_be_ended() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    kill(server.look(), Signal::SIGSTOP).expect("the look is there");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(server.settings(), before.settings());
}

#[test]
fn a_panic_in_a_command_is_told_and_the_prompt_goes_on() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let answer = server.command("panic");
    assert!(answer.contains("panic"), "{answer}");
    assert!(server.command("top").contains("CacheEntity"));
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn the_keys_that_signal_belong_to_the_prompt() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.send("half a line");
    server.send(INTERRUPT);
    server.prompted(from);
    server.send(SUSPEND);
    assert!(server.command("top 1").contains("total"));
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn sigterm_during_a_look_ends_it_and_the_server_flushes() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
    server.expect_after(from, COMMITTED);
    assert_eq!(server.settings(), before.settings());
}

#[test]
fn the_look_dies_with_the_server() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let look = server.look();
    server.signal(Signal::SIGKILL);
    server.ended();
    eventually("the look's end", || {
        state(look).is_none_or(|state| state == 'Z')
    });
    assert_eq!(server.settings(), before.settings());
}

#[test]
fn presses_in_the_middle_of_a_command_reach_the_look_alone() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    // Short, so that it is not leafed through: the pager takes the key for its own.
    server.send("top 3\r");
    server.send(QUIT);
    before.comes_back(&server);
}
