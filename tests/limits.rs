//! Little memory, few addresses, a home that is not as it should be: the look has less, or says why there is none, and the
//! program goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
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

/// The copy of the process is refused to a user who may have no more of them.
#[test]
fn where_no_process_may_be_made_the_key_says_so_and_costs_nothing() {
    let Some((folder, programs)) = copy_for_everybody() else {
        eprintln!("not checked: it takes root and setpriv to be another user");
        return;
    };
    // Nobody else's, so that nothing else counts: the program and the agent's two threads.
    let user = format!("--reuid={}", 100_000 + std::process::id());
    let programs = programs.to_str().expect("a plain path");
    let program = Launch::of(Path::new("setpriv"))
        .with([&user, "--clear-groups", "prlimit", "--nproc=3", programs])
        .with(["plain"])
        .start();
    program.expect_after(0, "active: true");
    program.expect_after(0, "alive ");
    let before = program.settings();
    for _ in 0..2 {
        let from = program.written();
        program.send(QUIT);
        let said = program.expect_after(from, "the process could not be copied");
        program.expect_after(said, "alive ");
        assert_eq!(program.settings(), before);
        assert_eq!(program.foreground(), program.pid);
    }
    fs::remove_dir_all(folder).expect("its removal");
}

/// The test programs where every user may run them.
fn copy_for_everybody() -> Option<(PathBuf, PathBuf)> {
    let here = Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "true"])
        .output();
    if !here.is_ok_and(|output| output.status.success()) {
        return None;
    }
    let folder = std::env::temp_dir().join(format!("sigheap-limits-{}", std::process::id()));
    fs::create_dir_all(&folder).ok()?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).ok()?;
    let copy = folder.join("programs");
    fs::copy(env!("CARGO_BIN_EXE_programs"), &copy).ok()?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).ok()?;
    Some((folder, copy))
}

/// No home to keep a history in, a folder that cannot be written to, nothing but a root that is for reading.
#[test]
fn nothing_needs_to_be_written_for_a_look() {
    let programs = env!("CARGO_BIN_EXE_programs");
    let homeless = Launch::of(Path::new("env")).with(["-u", "HOME", "sh", "-c"]);
    let homeless = homeless.with([r#"cd /proc; exec "$0" plain"#, programs]);
    let for_reading = "mount --bind / / && mount -o remount,bind,ro / && cd / && ! touch here && exec \"$0\" plain";
    let read_only =
        Launch::of(Path::new("unshare")).with(["-m", "sh", "-c", for_reading, programs]);
    for (launch, is_certain) in [(homeless, true), (read_only, may_mount())] {
        if !is_certain {
            eprintln!("not checked: no mounting here");
            continue;
        }
        let program = launch.set("HOME", "/root/nowhere").start();
        program.expect_after(0, "active: true");
        program.expect_after(0, "alive ");
        for _ in 0..2 {
            program.press_ctrl_backslash();
            assert!(program.command("top 1").contains("total"));
            let answer = program.command("top > here.txt");
            assert!(answer.contains("here.txt"), "{answer}");
            program.send("c\r");
            program.expect_after(program.written(), "alive ");
        }
    }
}

fn may_mount() -> bool {
    let try_it = "mount --bind / / && mount -o remount,bind,ro /";
    let tried = Command::new("unshare")
        .args(["-m", "sh", "-c", try_it])
        .output();
    tried.is_ok_and(|output| output.status.success())
}
