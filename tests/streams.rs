//! Standard input as the data stream, no terminal at all, and a build without debug information.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::pty::{Launch, Setting};
use crate::screen::eventually;

/// A log as servers write it, with what they should not: broken UTF-8, no form at all, a line without an end.
fn log(lines: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for line in 0..lines {
        let client = format!(
            "10.{}.{}.{}",
            line / 65536 % 256,
            line / 256 % 256,
            line % 256
        );
        let good = format!(
            "{client} - - [10/Oct/2000:13:55:36 -0700] \"GET /page/{} HTTP/1.1\" 200 2326 \"-\" \"Mozilla/5.0\"\n",
            line % 97
        );
        log.extend_from_slice(good.as_bytes());
        if line % 100 == 99 {
            log.extend_from_slice(b"10.0.0.1 - - [broken \xff\xfe utf-8\nnot a log line at all\n");
        }
    }
    log
}

#[test]
fn the_prompt_works_beside_a_stream_on_standard_input() {
    let mut server = Launch::demo()
        .with(["-"])
        .in_setting(Setting::TerminalAndStream)
        .start();
    let mut input = server.input.take().expect("a pipe");
    let feeder = thread::spawn(move || {
        // At the pace of a busy site, until the server has gone.
        while input.write_all(&log(1000)).is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let before = server.is_serving();
    server.press_ctrl_backslash();
    assert!(server.command("top").contains("CacheEntity"));
    server.command("growth");
    server.resume("c\r");
    before.is_as_before(&server);
    server.press_ctrl_backslash();
    let growth = server.json("growth");
    assert!(
        growth["rows"][0]["type"]
            .as_str()
            .is_some_and(|name| name.contains("CacheEntity")),
        "{growth}"
    );
    server.send("quit\r");
    assert_eq!(server.ended().code(), Some(0));
    feeder.join().expect("the feeder ends");
}

#[test]
fn broken_lines_are_counted_and_the_end_of_the_stream_flushes() {
    let mut server = Launch::demo()
        .with(["-"])
        .in_setting(Setting::TerminalAndStream)
        .start();
    let mut input = server.input.take().expect("a pipe");
    input.write_all(&log(1000)).expect("the server reads");
    input
        .write_all(b"10.0.0.1 - - [cut off")
        .expect("the server reads");
    drop(input);
    assert_eq!(server.ended().code(), Some(0));
    let text = server.watch.seen().text.clone();
    for figure in ["rows=1000 ", "bad=21 "] {
        assert!(
            text.contains(figure),
            "20 broken lines and a cut one:\n{text}"
        );
    }
}

#[test]
fn without_a_terminal_sigquit_reports_to_the_log() {
    let server = Launch::demo().in_setting(Setting::NoTerminal).start();
    server.expect_after(0, crate::prompt::COMMITTED);
    let from = server.written();
    server.signal(Signal::SIGQUIT);
    server.expect_after(from, "CacheEntity");
    server.commits();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn without_debug_information_top_works_and_says_what_would_mend_it() {
    let stripped = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demo-server-stripped");
    let strip = Command::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(env!("CARGO_BIN_EXE_demo-server"))
        .status();
    if !strip.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no `strip` here");
        return;
    }
    let server = Launch::of(&stripped).with(["--commit-every", "1s"]).start();
    let before = server.is_serving();
    let screen = server.press_ctrl_backslash();
    let info = server.command("info");
    assert!(
        (screen + &info).contains("debug"),
        "says that debug information is missing:\n{info}"
    );
    assert!(!server.command("top").trim().is_empty());
    let gaps = server.json("top")["gaps"].to_string();
    assert!(
        gaps.contains("debug = "),
        "the line that mends the build: {gaps}"
    );
    server.resume("c\r");
    before.is_as_before(&server);
}

#[test]
fn a_parent_that_ignores_sigquit_is_obeyed() {
    let server = Launch::of(Path::new("env"))
        .with([
            "--ignore-signal=QUIT",
            env!("CARGO_BIN_EXE_demo-server"),
            "--commit-every",
            "1s",
        ])
        .start();
    server.expect_after(0, crate::prompt::COMMITTED);
    server.signal(Signal::SIGQUIT);
    eventually("the signal's delivery", || {
        !server.is_pending(Signal::SIGQUIT as i32)
    });
    server.commits();
}
