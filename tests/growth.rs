//! What the demo's heap is made of, by type, and which of it grows.

use serde_json::Value;

use crate::pty::{Launch, Program};

/// A bound on the legitimate cache that is soon reached.
const SMALL: [&str; 2] = ["--sessions", "100"];

#[test]
fn growth_names_the_leak_first_at_every_look() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.fill_sessions();
    server.press_ctrl_backslash();
    server.command("growth");
    for _ in 0..2 {
        server.resume("c\r");
        server.commits();
        server.press_ctrl_backslash();
        let growth = server.json("growth");
        let first = &growth["rows"][0];
        assert!(named(first).contains("CacheEntity"), "grew most: {first}");
        assert!(first["delta_count"].as_i64() > Some(0), "{first}");
        is_flat(&growth, "Session");
    }
}

#[test]
fn without_the_leak_nothing_of_it_grows() {
    let server = Launch::demo().with(SMALL).with(["--leak", "none"]).start();
    server.is_serving();
    server.fill_sessions();
    server.press_ctrl_backslash();
    server.command("growth");
    server.resume("c\r");
    server.commits();
    server.press_ctrl_backslash();
    is_flat(&server.json("growth"), "CacheEntity");
}

#[test]
fn nearly_every_live_byte_has_a_type() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.fill_sessions();
    server.press_ctrl_backslash();
    let top = server.json("top 1000000");
    let (mut all, mut typed) = (0, 0);
    for row in top["rows"].as_array().expect("rows") {
        let bytes = row["bytes"].as_u64().expect("bytes");
        all += bytes;
        typed += if row["confidence"] == "unknown" {
            0
        } else {
            bytes
        };
    }
    assert!(all > 100_000, "{all} bytes live");
    assert!(
        typed * 100 >= all * 99,
        "{typed} of {all} bytes typed; {}",
        untyped(&top)
    );
}

impl Program {
    /// Waits until the bounded cache of sessions is full: from then on it does not grow.
    fn fill_sessions(&self) {
        self.expect_after(0, "sessions=100 ");
    }
}

/// Checks that types with this name changed by less than a fiftieth, or by a few: the nodes of a tree come and go.
#[track_caller]
fn is_flat(growth: &Value, name: &str) {
    for row in growth["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| named(row).contains(name))
    {
        let (count, delta) = (
            row["count"].as_i64().unwrap_or(0),
            row["delta_count"].as_i64().unwrap_or(0),
        );
        assert!(
            delta.abs() <= 3.max(count / 50),
            "{name} is not flat: {row}"
        );
    }
}

fn named(row: &Value) -> &str {
    row["type"].as_str().unwrap_or("")
}

fn untyped(top: &Value) -> String {
    let rows = top["rows"].as_array().expect("rows");
    let unknown = rows.iter().filter(|row| row["confidence"] == "unknown");
    unknown.map(Value::to_string).collect::<Vec<_>>().join("\n")
}
