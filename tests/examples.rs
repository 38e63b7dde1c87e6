//! End-to-end tests of the examples that stand on other allocators: the key is pressed, and every block is counted.

#![expect(
    dead_code,
    reason = "the helpers are those of the other end-to-end tests, which use more of them"
)]

mod process;
mod prompt;
mod pty;
mod screen;

use std::path::Path;

use pty::Launch;
use serde_json::Value;

#[test]
fn over_jemalloc_blocks_are_counted_and_what_is_free_is_not_known() {
    orders_are_counted(env!("CARGO_BIN_EXE_jemalloc"));
}

#[test]
fn over_mimalloc_blocks_are_counted_and_what_is_free_is_not_known() {
    orders_are_counted(env!("CARGO_BIN_EXE_mimalloc"));
}

/// The control: the system's allocator is asked, and answers.
#[test]
fn over_the_system_s_allocator_what_is_free_is_known() {
    let program = Launch::of(Path::new(env!("CARGO_BIN_EXE_minimal"))).start();
    program.expect_after(0, prompt::READY);
    program.press_ctrl_backslash();
    let info = program.json("info");
    assert!(part(&info, "free")["bytes"].is_u64(), "{info}");
    program.send("quit\r");
    assert_eq!(program.ended().code(), Some(0));
}

/// The backlog holds a thousand orders of 8 bytes, and of those before four in five are kept, which is 400 and more.
fn orders_are_counted(program: &str) {
    let program = Launch::of(Path::new(program)).start();
    program.expect_after(0, prompt::READY);
    let screen = program.press_ctrl_backslash();
    assert!(screen.contains("Box<Order>"), "{screen}");
    let top = program.json("top");
    let orders = rows(&top).find(|row| {
        row["type"]
            .as_str()
            .is_some_and(|name| name.ends_with("Order>"))
    });
    let orders = orders.unwrap_or_else(|| panic!("no orders: {top}"));
    let count = orders["count"].as_u64().expect("a count");
    assert!((1400..5000).contains(&count), "{orders}");
    assert_eq!(orders["bytes"].as_u64(), Some(count * 8), "{orders}");
    what_is_free_is_not_known(&program);
    program.send("quit\r");
    assert_eq!(program.ended().code(), Some(0));
}

fn what_is_free_is_not_known(program: &pty::Program) {
    let info = program.json("info");
    let free = part(&info, "free");
    assert!(free["bytes"].is_null(), "{free}");
    let gaps = info["gaps"].to_string();
    assert!(gaps.contains("the allocator keeps free"), "{gaps}");
}

/// The row of a part of the resident memory.
fn part<'a>(info: &'a Value, name: &str) -> &'a Value {
    let found = rows(info).find(|row| row["part"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {info}"))
}

fn rows(report: &Value) -> impl Iterator<Item = &Value> {
    report["rows"].as_array().into_iter().flatten()
}
