//! Each of the demo server's leaks is found by looking twice, and a server without fault shows none of them.

use serde_json::Value;

use crate::pty::{Launch, Program};

/// What two looks at a server with this leak name as grown.
const GROWS: &[(&str, &str)] = &[
    ("cache", "Arc<demo_server::cache::CacheEntity>"),
    ("cycle", "Arc<demo_server::clients::Client>"),
    ("task", "task demo_server::farewell::see_off"),
    ("forget", "Box<demo_server::trouble::FailureReport>"),
    ("spare", "Vec<demo_server::seconds::Answer>"),
];

/// What holds still with some leaks and grows with others: a sample of what is made for each visit.
const NAMES: &[&str] = &[
    "cache::CacheEntity",
    "clients::Client",
    "clients::Connection",
    "farewell::see_off",
    "trouble::FailureReport",
    "seconds::Answer",
    "advice::Suggestion",
];

#[test]
fn growth_names_the_entities_that_nobody_prunes() {
    grows_alone("cache");
}

#[test]
fn growth_names_the_clients_of_a_ring() {
    let growth = grows_alone("cycle");
    assert!(
        grown(&growth, "Arc<demo_server::clients::Connection>") > 0,
        "{growth}"
    );
}

#[test]
fn growth_names_the_tasks_that_wait_for_ever() {
    grows_alone("task");
}

#[test]
fn growth_names_the_boxes_that_were_forgotten() {
    grows_alone("forget");
}

#[test]
fn growth_names_the_buffers_that_keep_their_room() {
    grows_alone("spare");
}

#[test]
fn several_leaks_grow_side_by_side() {
    let growth = second_look("cycle,task");
    for leak in ["cycle", "task"] {
        assert!(grown(&growth, type_of(leak)) > 0, "{leak}: {growth}");
    }
    for leak in ["cache", "forget", "spare"] {
        is_flat(&growth, type_of(leak));
    }
}

#[test]
fn all_leaks_grow_at_once() {
    let growth = second_look("all");
    for (leak, name) in GROWS {
        assert!(grown(&growth, name) > 0, "{leak}: {growth}");
    }
}

#[test]
fn a_server_without_fault_grows_nowhere() {
    let growth = second_look("none");
    for name in NAMES {
        is_flat(&growth, name);
    }
}

#[test]
fn info_shows_freed_memory_that_the_allocator_keeps() {
    let (kept, resident, verdict) = kept_by_the_allocator("fragment");
    assert!(
        kept > resident / 3,
        "{kept} of {resident} bytes are free and kept"
    );
    assert_eq!(verdict, "free", "what the allocator keeps");
    let (sound, resident, _) = kept_by_the_allocator("none");
    assert!(
        sound < resident / 3 && sound < kept / 4,
        "{sound} of {resident} bytes without the leak, {kept} with it"
    );
}

/// What grew between two looks at a server with this leak, which is first of all what it leaks. The buffers of `spare` are
/// one a second, and texts that come and go may be more on a slow machine.
#[track_caller]
fn grows_alone(leak: &str) -> Value {
    let growth = second_look(leak);
    // The runtime's queues come and go in a few large blocks.
    let many = |row: &&Value| row["delta_count"].as_i64() > Some(20);
    let first = rows(&growth).find(many);
    let is_first = first.is_some_and(|row| named(row) == type_of(leak));
    let grew = grown(&growth, type_of(leak)) > 0;
    assert!(is_first || leak == "spare" && grew, "{leak}: {growth}");
    for (other, name) in GROWS.iter().filter(|(other, _)| *other != leak) {
        let delta = grown(&growth, name);
        assert!(delta < 20, "{leak} makes {other}'s {name} grow: {growth}");
    }
    growth
}

fn second_look(leak: &str) -> Value {
    let server = start(leak, "100");
    server.press_ctrl_backslash();
    server.resume("c\r");
    // Some leak by the second.
    server.commits();
    server.commits();
    server.press_ctrl_backslash();
    server.json("growth 100000 --all")
}

/// Bytes that are free in the allocator, resident bytes, and the verdict, once the sessions have been replaced a few times.
fn kept_by_the_allocator(leak: &str) -> (u64, u64, String) {
    let server = start(leak, "500");
    // The sessions have all the pages that they keep by then.
    (0..4).for_each(|_| server.commits());
    server.press_ctrl_backslash();
    server.resume("c\r");
    server.commits();
    server.press_ctrl_backslash();
    let info = server.json("info");
    let free = rows(&info).find(|row| row["part"] == "free");
    let free = free.and_then(|row| row["bytes"].as_u64());
    (
        free.expect("glibc says what is free"),
        info["total"]["bytes"].as_u64().expect("resident bytes"),
        info["total"]["verdict"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    )
}

/// A server whose sessions are as many as they ever will be.
fn start(leak: &str, sessions: &str) -> Program {
    let options = ["--leak", leak, "--sessions", sessions];
    let server = Launch::demo().with(options).start();
    server.is_serving();
    server.expect_after(0, &format!("sessions={sessions} "));
    server
}

fn type_of(leak: &str) -> &'static str {
    let found = GROWS.iter().find(|(name, _)| *name == leak);
    found.map_or("", |(_, grows)| grows)
}

/// How many more of this type there are; 0 where it has no row.
fn grown(growth: &Value, name: &str) -> i64 {
    let row = rows(growth).find(|row| named(row) == name);
    row.and_then(|row| row["delta_count"].as_i64()).unwrap_or(0)
}

/// Checks that the types with this name changed by less than a twentieth, or by a few.
#[track_caller]
fn is_flat(growth: &Value, name: &str) {
    let mut found = false;
    for row in rows(growth).filter(|row| named(row).contains(name)) {
        let count = row["count"].as_i64().unwrap_or(0);
        let delta = row["delta_count"].as_i64().unwrap_or(0);
        assert!(delta <= 5.max(count / 20), "{name} is not flat: {row}");
        found = true;
    }
    assert!(
        found || name.contains("FailureReport"),
        "no {name} in {growth}"
    );
}

fn rows(report: &Value) -> impl Iterator<Item = &Value> {
    report["rows"].as_array().into_iter().flatten()
}

fn named(row: &Value) -> &str {
    row["type"].as_str().unwrap_or("")
}
