//! A server whose debug information is in a file apart: packaged by the recipe of the README, looked into four times.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::pty::Launch;

/// The demo server without symbols and debug information, which are beside it in a file of their own.
fn packaged() -> (PathBuf, PathBuf) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apart");
    fs::create_dir_all(&folder).expect("a folder");
    let (server, debug) = (folder.join("server"), folder.join("server.debug"));
    fs::copy(env!("CARGO_BIN_EXE_demo-server"), &server).expect("a copy");
    let recipe = [
        "objcopy --only-keep-debug server server.debug",
        "objcopy --strip-all server",
        "objcopy --add-gnu-debuglink=server.debug server",
    ];
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md"));
    let readme = readme.expect("the README");
    for line in recipe {
        assert!(readme.contains(line), "the README lacks `{line}`");
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().expect("a program"));
        let status = command.args(words).current_dir(&folder).status();
        assert!(status.expect("binutils").success(), "{line}");
    }
    (server, debug)
}

#[test]
fn a_packaged_server_is_read_as_a_whole_one_and_another_builds_file_is_refused() {
    let (program, debug) = packaged();
    let right = debug.with_extension("right");
    fs::rename(&debug, &right).expect("it was made");
    let server = Launch::of(&program).with(["--commit-every", "1s"]).start();
    let before = server.is_serving();

    // Another program is another build.
    let other = std::env::current_exe().expect("this test");
    fs::copy(other, &debug).expect("a copy");
    server.press_ctrl_backslash();
    let answer = server.json("top");
    let gaps = answer["gaps"].to_string();
    assert!(gaps.contains("is of another build"), "{gaps}");
    assert_eq!(
        gaps.matches("build id ").count(),
        2,
        "both are said: {gaps}"
    );
    assert!(gaps.contains("objcopy --only-keep-debug"), "{gaps}");
    let types = answer["rows"].to_string();
    assert!(
        !types.contains("CacheEntity>"),
        "no name of another build: {types}"
    );
    server.resume("c\r");

    fs::remove_file(&debug).expect("it was there");
    server.press_ctrl_backslash();
    let gaps = server.json("info")["gaps"].to_string();
    let wanted = debug.display().to_string();
    assert!(gaps.contains(&wanted), "{gaps}");
    assert!(gaps.contains("copy the debug file of this build"), "{gaps}");
    server.resume("c\r");

    fs::rename(&right, &debug).expect("it was kept");
    server.press_ctrl_backslash();
    let answer = server.json("top");
    let types = answer["rows"].to_string();
    assert!(types.contains(ENTITY), "{types}");
    assert_eq!(answer["gaps"].to_string(), "[]");
    let sites = server.command("sites CacheEntity");
    assert!(sites.contains("cache.rs:"), "lines are known:\n{sites}");
    server.resume("c\r");

    // What was told once is known as long as the program runs.
    fs::remove_file(&debug).expect("it was there");
    server.press_ctrl_backslash();
    let types = server.json("top")["rows"].to_string();
    assert!(types.contains(ENTITY), "{types}");
    server.resume("c\r");
    before.is_as_before(&server);
}

const ENTITY: &str = "Arc<demo_server::cache::CacheEntity>";
