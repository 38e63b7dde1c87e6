//! The terminal's size changes, and a shell's jobs go to the background and come back.

use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;

use crate::prompt::{COMMITTED, READY, SUSPEND};
use crate::pty::{Launch, Program};
use crate::screen::eventually;

/// What stands below a screenful.
const MORE: &str = "-- more:";

#[test]
fn a_window_that_grows_at_the_prompt_shows_more_at_once() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    let narrow = server.command("list CacheEntity 40");
    assert!(
        leafed(&server, from),
        "40 rows are more than a screen:\n{narrow}"
    );
    server.resize(70, 120);
    let from = server.written();
    let tall = server.command("list CacheEntity 40");
    assert!(!leafed(&server, from), "they fit now:\n{tall}");
    let widest = |answer: &str| answer.lines().map(|line| line.chars().count()).max();
    assert!(widest(&server.command("help growth")) > Some(80));
    server.resize(24, 80);
    assert!(widest(&server.command("help growth")) <= Some(80));
    server.resume("c\r");
}

#[test]
fn a_window_that_changes_in_the_middle_of_a_line_loses_nothing_of_it() {
    let server = Launch::demo().start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let from = server.written();
    server.send("top ");
    server.resize(30, 100);
    server.send("1\r");
    assert!(server.prompted(from).contains("total"));
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn a_stopped_job_comes_back_and_opens_its_prompt() {
    let shell = Launch::of(Path::new("sh"))
        .with(["-c", "PS1='shell> ' exec sh -i"])
        .start();
    shell.expect_after(0, "shell> ");
    let server = env!("CARGO_BIN_EXE_demo-server");
    shell.send(&format!("{server} --commit-every 1s\r"));
    shell.expect_after(0, READY);
    let from = shell.expect_after(0, COMMITTED);
    shell.send(SUSPEND);
    let stopped = shell.expect_after(from, "Stopped");
    shell.send("bg\r");
    let from = shell.expect_after(stopped, COMMITTED);
    // In the background the terminal is not its own: it reports, and takes nothing from the shell.
    shell.send("kill -QUIT %1\r");
    let from = shell.expect_after(from, "background of its terminal");
    let from = shell.expect_after(from, "the look is over");
    shell.send("echo the shell has $((40 + 2)) keys\r");
    let from = shell.expect_after(from, "the shell has 42 keys");
    shell.send("fg\r");
    eventually("the job's foreground", || shell.foreground() != shell.pid);
    shell.expect_after(from, COMMITTED);
    shell.press_ctrl_backslash();
    // Ctrl-Z at the prompt is the prompt's.
    shell.send(SUSPEND);
    assert!(shell.command("top 1").contains("total"));
    shell.resume("c\r");
    let from = shell.written();
    shell.send(SUSPEND);
    let from = shell.expect_after(from, "Stopped");
    let from = shell.expect_after(from, "shell> ");
    shell.send("fg\r");
    eventually("the job's foreground", || shell.foreground() != shell.pid);
    shell.expect_after(from, COMMITTED);
    shell.press_ctrl_backslash();
    let from = shell.written();
    shell.send("quit 7\r");
    let from = shell.expect_after(from, "shell> ");
    shell.send("echo it left $?\r");
    shell.expect_after(from, "it left 7");
    shell.send("exit\r");
    shell.ended();
}

/// Whether an answer since then was leafed through.
fn leafed(program: &Program, from: usize) -> bool {
    program.watch.seen().text[from..].contains(MORE)
}

impl Program {
    /// Changes the size of its terminal, which signals whoever is in the foreground.
    fn resize(&self, rows: u16, columns: u16) {
        self.watch.change(|seen| {
            let (rows, columns) = (NonZeroU16::new(rows), NonZeroU16::new(columns));
            let (Some(rows), Some(columns)) = (rows, columns) else {
                return;
            };
            seen.terminal.screen_mut().set_size(rows, columns);
        });
        let set = Command::new("stty")
            .args(["-F", &format!("/proc/{}/fd/0", self.pid)])
            .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
            .status();
        assert!(set.is_ok_and(|set| set.success()), "stty sets the size");
    }
}
