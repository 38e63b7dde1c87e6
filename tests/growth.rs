//! What the demo's heap is made of, by type, and which of it grows.

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};

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
fn marks_name_the_leak_from_look_to_look() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.fill_sessions();
    server.press_ctrl_backslash();
    server.command("mark before");
    server.resume("c\r");
    server.press_ctrl_backslash();
    server.command("mark after");
    // A look that is killed loses nothing of what was handed on, and hands on its own counts.
    kill(server.look(), Signal::SIGKILL).expect("the look is there");
    server.look_is_over();
    server.commits();
    server.press_ctrl_backslash();
    let marks = server.json("mark");
    let names: Vec<_> = marks["rows"].as_array().expect("rows").iter().collect();
    assert_eq!(names.len(), 2, "{marks}");
    assert_eq!(
        (&names[0]["name"], &names[0]["look"]),
        (&json!("before"), &json!(1))
    );
    assert_eq!(
        (&names[1]["name"], &names[1]["look"]),
        (&json!("after"), &json!(2))
    );
    for line in ["diff before after", "diff after", "growth --since before"] {
        let diff = server.json(line);
        let first = &diff["rows"][0];
        assert!(named(first).contains("Arc<"), "{line}: {first}");
        assert!(named(first).contains("CacheEntity"), "{line}: {first}");
        assert!(first["delta_count"].as_i64() > Some(0), "{line}: {first}");
    }
    let backwards = server.json("diff after before 1000 --all");
    let last = backwards["rows"].as_array().and_then(|rows| rows.last());
    assert!(
        named(last.expect("rows")).contains("CacheEntity"),
        "{backwards}"
    );
    // The names are known to Tab, and to hints.
    let from = server.written();
    server.send("diff bef\t");
    server.expect_after(from, "diff before ");
    server.send("\r");
    assert!(server.prompted(from).contains("CacheEntity"));
    let wrong = server.json("diff befor");
    assert!(
        wrong["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("`before`")),
        "{wrong}"
    );
    server.command("mark before --drop");
    assert_eq!(
        server.json("mark")["rows"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn a_program_marks_its_own_phases() {
    let program = Launch::program(["marks"]).start();
    let from = program.expect_after(0, "bad: Err(Name(");
    let from = program.expect_after(from, "one: Ok(())");
    let from = program.expect_after(from, "two: Ok(())");
    let from = program.expect_after(from, "many: 8");
    program.expect_after(from, "alive ");
    program.press_ctrl_backslash();
    let diff = program.json("diff one two");
    let first = &diff["rows"][0];
    assert!(
        named(first).contains("Box<") && named(first).contains("Kept>"),
        "{diff}"
    );
    assert_eq!(first["delta_count"], 1000, "{diff}");
    assert_eq!(
        program.json("mark")["rows"].as_array().map(Vec::len),
        Some(3)
    );
    // The first look of a person's: marks of the program's own are no baseline.
    assert!(program.command("growth").contains("sets the baseline"));
    assert!(program.command("now").contains("now: Err(Busy)"));
    program.send("c\r");
    program.expect_after(program.written(), "alive ");
}

#[test]
fn without_an_agent_there_are_no_marks() {
    let program = Launch::program(["marks-off"]).start();
    program.expect_after(0, "none: Err(NotInstalled)");
}

#[test]
fn peaks_leave_out_what_comes_and_goes() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.fill_sessions();
    for _ in 0..2 {
        server.press_ctrl_backslash();
        server.resume("c\r");
    }
    server.press_ctrl_backslash();
    let peak = server.json("growth --peak");
    let first = &peak["rows"][0];
    assert!(named(first).contains("CacheEntity"), "{peak}");
    let rows = peak["rows"].as_array().expect("rows");
    for row in rows {
        assert!(row["delta_count"].as_i64() > Some(0), "{row}");
    }
    assert!(
        !rows.iter().any(|row| named(row) == "Arc<Session>"),
        "{peak}"
    );
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
