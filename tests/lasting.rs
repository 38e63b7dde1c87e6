//! What lasts from look to look: settings, the clock of the program's own running, what `info` compares with.

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
