//! What lasts from look to look: settings, the clock of the program's own running, what `info` compares with.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::prompt::QUIT;
use crate::pty::{Launch, Program};

#[test]
fn settings_last_from_look_to_look() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    server.command("set rows 2");
    server.command("set names full");
    assert_eq!(rows(&server.json("top")), 2);
    server.resume("c\r");
    server.press_ctrl_backslash();
    assert_eq!(server.json("set rows")["rows"][0]["value"], json!("2"));
    assert_eq!(rows(&server.json("top")), 2);
    assert!(server.command("list CacheEntity").contains("demo_server::"));
}

#[test]
fn time_at_the_prompt_makes_nothing_older() {
    /// Seconds to sit there.
    const SITTING: f64 = 3.0;
    let server = Launch::demo().start();
    server.is_serving();
    let began = Instant::now();
    server.press_ctrl_backslash();
    let before = oldest(&server);
    let mut sat = 0.0;
    while sat < SITTING {
        let info = server.json("info");
        sat = info["total"]["paused_s"].as_f64().expect("paused_s");
    }
    server.resume("c\r");
    server.press_ctrl_backslash();
    let ran = oldest(&server) - before;
    let all = began.elapsed().as_secs_f64();
    assert!(ran > 0.0, "the program ran for {ran} s");
    assert!(
        ran <= all - sat,
        "{ran} s older in {all} s, of which {sat} at the prompt"
    );
}

#[test]
fn what_is_typed_ahead_is_the_next_line() {
    let server = Launch::demo().start();
    server.is_serving();
    let from = server.written();
    server.send(&format!("{QUIT}top 1 --json\r"));
    let answered = server.expect_after(from, r#""command":"top""#);
    server.prompted(answered);
}

#[test]
fn the_verdict_names_freed_memory() {
    let server = Launch::demo().with(["--leak", "fragment"]).start();
    server.is_serving();
    comes_to(&server, "free");
    let info = server.command("info");
    assert!(info.contains("Next: "), "{info}");
}

/// A leak of a buffer a second is slow by the clock on the wall. The log's own clock decides, so that a log may be hours.
#[test]
fn the_verdict_names_a_heap_that_grows() {
    let server = Launch::demo()
        .with(["--leak", "spare", "--follow", "access.log"])
        .start();
    let log = server.folder().join("access.log");
    server.expect_after(0, "waiting for access.log");
    // As many lines of one second first: caches, SQLite's too, are full then.
    append(&log, (0..SECONDS * LINES).map(|_| 0));
    server.expect_after(0, &format!("lines={} ", SECONDS * LINES));
    server.press_ctrl_backslash();
    server.resume("c\r");
    append(&log, (0..SECONDS * LINES).map(|line| line / LINES));
    server.expect_after(0, &format!("lines={} ", 2 * SECONDS * LINES));
    server.press_ctrl_backslash();
    let total = server.json("info")["total"].clone();
    assert_eq!(total["verdict"], json!("live"), "{total}");
    let growth = server.json("growth 1");
    let first = &growth["rows"][0];
    let name = first["type"].as_str().unwrap_or_default();
    assert!(name.ends_with("::Answer>"), "{first}");
    assert!(
        first["delta_count"].as_u64() >= Some((SECONDS - 1).into()),
        "{first}"
    );
}

/// What a log is made of: as many seconds, each with as many lines. Buffers of 128 answers of eight bytes stay of each.
const SECONDS: u32 = 400;
const LINES: u32 = 100;

/// Adds a line for each second, by its number.
fn append(log: &Path, seconds: impl Iterator<Item = u32>) {
    let line = |second: u32| {
        let (minute, second) = (second / 60, second % 60);
        format!(
            "10.0.0.1 - - [10/Oct/2000:13:{minute:02}:{second:02} -0700] \"GET / HTTP/1.1\" 200 2326 \"-\" \"curl\"\n"
        )
    };
    let file = OpenOptions::new().append(true).create(true).open(log);
    let lines: String = seconds.map(line).collect();
    file.and_then(|mut file| file.write_all(lines.as_bytes()))
        .expect("the log can be written");
}

/// Looks until `info` comes to this verdict: what leaks has to become large enough first.
#[track_caller]
fn comes_to(server: &Program, verdict: &str) {
    let mut seen = Vec::new();
    for _ in 0..20 {
        server.press_ctrl_backslash();
        let total = server.json("info")["total"].clone();
        if total["verdict"] == json!(verdict) {
            return;
        }
        seen.push(total["verdict_says"].clone());
        server.resume("c\r");
        // A quiet machine looks faster than anything grows.
        server.commits();
    }
    panic!("never {verdict}: {seen:?}");
}

fn rows(answer: &Value) -> usize {
    answer["rows"].as_array().map_or(0, Vec::len)
}

/// The age of the oldest block, in seconds: the same block at every look.
fn oldest(server: &Program) -> f64 {
    let list = server.json("list * 1 --by age");
    list["rows"][0]["age_s"].as_f64().expect("an age")
}
