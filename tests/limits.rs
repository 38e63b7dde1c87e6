//! Little memory, few addresses, a home that is not as it should be: the look has less, or says why there is none, and the
//! program goes on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::prompt::QUIT;
use crate::pty::Launch;

/// A program that may have so many KiB of addresses.
fn limited<const N: usize>(kib: &str, program: &str, arguments: [&str; N]) -> Launch {
    let script = r#"ulimit -v "$1"; shift; exec "$@""#;
    let launch = Launch::of(Path::new("sh")).with(["-c", script, "sh", kib, program]);
    launch.with(arguments)
}

/// The program's own file was mapped twice, and what looks hand on took a sixth of the addresses.
#[test]
fn types_have_names_where_addresses_are_few() {
    let server = env!("CARGO_BIN_EXE_demo-server");
    let server = limited("780000", server, ["--commit-every", "1s"]).start();
    let before = server.is_serving();
    server.press_ctrl_backslash();
    let top = server.json("top");
    assert!(
        top["rows"].to_string().contains("::CacheEntity>"),
        "{}",
        top["gaps"]
    );
    server.resume("c\r");
    before.is_as_before(&server);
}

/// It ended by signal 6, and nobody knew why.
#[test]
fn a_look_that_finds_no_memory_says_so_and_costs_nothing_else() {
    let programs = env!("CARGO_BIN_EXE_programs");
    let program = limited("400000", programs, ["many"]).start();
    let from = program.expect_after(0, "had no memory left");
    let from = program.expect_after(from, "alive ");
    let before = program.settings();
    for _ in 0..2 {
        let from = program.written();
        program.send(QUIT);
        let said = program.expect_after(from, "it needed more memory than the ");
        program.expect_after(said, "alive ");
    }
    assert!(from > 0);
    assert_eq!(program.settings(), before);
    assert_eq!(program.foreground(), program.pid);
}

/// The agent waited for somebody to write into it, and the third press killed the program.
#[test]
fn a_history_that_is_a_pipe_holds_up_nobody() {
    let program = Launch::program(["plain"]).start();
    program.expect_after(0, "active: true");
    let history = program.folder().join(".local/state/sigheap");
    fs::create_dir_all(&history).expect("its home");
    let made = Command::new("mkfifo").arg(history.join("history")).status();
    assert!(made.is_ok_and(|made| made.success()), "mkfifo");
    program.press_ctrl_backslash();
    assert!(program.command("top 1").contains("total"));
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
}
