//! Every command at the prompt: in text, as JSON, into a file.

use std::fs;

use serde_json::{Value, json};

use crate::pty::Launch;
use crate::screen::COLUMNS;

/// Each command with arguments that have an answer, and its full name.
const COMMANDS: &[(&str, &str)] = &[
    ("help", "help"),
    ("help top", "help"),
    ("?", "help"),
    ("info", "info"),
    ("top", "top"),
    ("top 3", "top"),
    ("top --by count", "top"),
    ("count", "count"),
    ("count CacheEntity --where size > 8", "count"),
    ("list CacheEntity", "list"),
    ("list #1 #2 --by age", "list"),
    ("list --where size > 1k && age >= 0s", "list"),
    ("set", "set"),
    ("growth", "growth"),
    ("growth --peak", "growth"),
    ("threads", "threads"),
    ("bt store", "threads"),
    ("mark here", "mark"),
    ("mark", "mark"),
    ("diff here --all", "diff"),
    ("sites", "sites"),
    ("sites CacheEntity", "sites"),
    ("list CacheEntity --by retained", "list"),
    ("refs #1", "refs"),
    ("list CacheEntity", "list"),
    ("referrers #1", "referrers"),
    ("list CacheEntity", "list"),
    ("path #1", "path"),
    ("path CacheEntity", "path"),
    ("why #1", "why"),
    ("top --by retained", "top"),
    ("suspects", "suspects"),
    ("leaks", "leaks"),
    ("cycles", "cycles"),
    ("track", "track"),
];

/// What `help` lists.
const NAMES: &[&str] = &[
    "help",
    "info",
    "top",
    "count",
    "list",
    "growth",
    "mark",
    "diff",
    "threads",
    "sites",
    "where",
    "refs",
    "referrers",
    "path",
    "why",
    "suspects",
    "leaks",
    "cycles",
    "set",
    "track",
    "continue",
    "quit",
    "abort",
];

#[test]
fn the_first_screen_says_where_one_is_and_fits() {
    let server = Launch::demo().start();
    server.is_serving();
    let screen = server.press_ctrl_backslash();
    assert!(screen.lines().count() <= 24, "scrolls:\n{screen}");
    fits(&screen);
    for word in [&server.pid.to_string(), "demo-server", "continue"] {
        assert!(screen.contains(word), "no {word} in\n{screen}");
    }
}

#[test]
fn every_command_answers_for_people_within_the_terminal() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    for (line, _) in COMMANDS {
        let answer = server.command(line);
        assert!(!answer.trim().is_empty(), "`{line}` says nothing");
        fits(&answer);
    }
    let help = server.command("help");
    for name in NAMES {
        assert!(help.contains(name), "`help` has no `{name}`:\n{help}");
    }
}

#[test]
fn every_command_answers_scripts_in_one_form() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    for (line, name) in COMMANDS {
        let answer = server.json(line);
        assert_eq!(answer["schema"], json!(1), "{line}");
        assert_eq!(answer["command"], json!(name), "{line}");
        assert_eq!(
            answer["capture"]["pid"],
            json!(server.pid.as_raw()),
            "{line}"
        );
        assert_eq!(answer["capture"]["frozen"], json!(true), "{line}");
        assert!(
            answer["rows"].is_array() && answer["gaps"].is_array(),
            "{line}: {answer}"
        );
    }
}

#[test]
fn rows_have_the_promised_keys() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    has_keys(
        &server.json("top"),
        &["type", "count", "bytes", "confidence"],
    );
    has_keys(
        &server.json("list CacheEntity"),
        &["type", "address", "size", "site"],
    );
    has_keys(&server.json("sites"), &["site", "count", "bytes"]);
    let block = server.json("list CacheEntity 1")["rows"][0].clone();
    let address = block["address"].as_str().expect("an address").to_owned();
    assert!(address.starts_with("0x"), "{block}");
    let stack = server.command(&format!("where {address}"));
    assert!(
        stack.contains("Cache::open"),
        "where the entity was made:\n{stack}"
    );
}

#[test]
fn a_number_stands_for_the_row_it_was_given_to() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    let list = server.command("list CacheEntity");
    assert!(
        list.contains("#1") || list.lines().any(|line| line.trim_start().starts_with("1 ")),
        "{list}"
    );
    let stack = server.command("where #1");
    assert!(stack.contains("Cache::open"), "{stack}");
    assert_eq!(server.json("where #1")["command"], json!("where"));
}

/// A task is made deep in its runtime, whose frames came first: the fifteenth was the program's own.
#[test]
fn a_call_stack_is_known_by_the_programs_own_frame() {
    let server = Launch::demo().with(["--leak", "task"]).start();
    server.is_serving();
    server.press_ctrl_backslash();
    let sites = server.json("sites task* 1");
    let site = sites["rows"][0]["site"].as_str().expect("a frame");
    assert!(site.starts_with("demo_server::"), "{site}");
    let stack = sites["rows"][0]["stack"].as_array().expect("frames");
    let library = |frame: &Value| frame["library"] == true && frame["machinery"] == false;
    let first = stack.iter().find(|frame| library(frame)).expect("tokio's");
    assert!(
        first["function"]
            .as_str()
            .is_some_and(|name| name.starts_with("tokio::"))
    );
    let answer = server.command("sites task* 1");
    let frames = answer.lines().skip_while(|line| !line.contains("see_off"));
    let frames: Vec<&str> = frames.skip(1).collect();
    assert!(frames[0].contains("frames of tokio"), "{answer}");
    assert!(
        frames[1].trim_start().starts_with("demo_server::"),
        "{answer}"
    );
    assert!(server.command("sites task* 1 --full").contains("tokio::"));
    let list = server.command("list *see_off* 1");
    assert!(list.contains("Farewell::prepare:"), "{list}");
}

#[test]
fn an_answer_goes_into_a_file() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    server.command("top > top.txt");
    server.command("top --json > top.json");
    let text = fs::read_to_string(server.folder().join("top.txt")).expect("top.txt");
    assert!(text.contains("CacheEntity"), "{text}");
    let document = fs::read_to_string(server.folder().join("top.json")).expect("top.json");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["command"], json!("top"));
}

#[test]
fn what_cannot_be_answered_says_why_and_what_to_do() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    let answer = server.json("list CacheEntityy");
    assert!(answer["error"].is_string(), "{answer}");
    assert!(
        answer["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("CacheEntity")),
        "near names: {answer}"
    );
    for line in [
        "nonsense",
        "list",
        "where",
        "where 0x1",
        "where #999",
        "top --by colour",
        "quit 256",
        "diff nowhere",
        "threads nobody",
        "growth --since nowhere",
        "mark nowhere --drop",
        "top > /no/file",
    ] {
        let answer = server.command(line);
        assert!(!answer.trim().is_empty(), "`{line}` says nothing");
        fits(&answer);
    }
}

#[test]
fn a_unique_prefix_is_enough_and_enter_alone_does_nothing() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    assert_eq!(server.json("to")["command"], json!("top"));
    assert_eq!(server.command(""), "");
}

#[test]
fn lines_can_be_completed_edited_and_called_back() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    let typed = server.written();
    server.send("gro\t");
    server.expect_after(typed, "growth");
    server.send("\x15top 3 --jsom\x7fn\r");
    let answer = server.prompted(typed);
    assert!(
        answer.contains(r#""command":"top""#) || answer.contains(r#""command": "top""#),
        "{answer}"
    );
    server.resume("c\r");
    server.press_ctrl_backslash();
    // The line before the last, from the look before.
    let from = server.written();
    server.send("\x1b[A\x1b[A\r");
    assert_eq!(
        server.prompted(from).lines().count(),
        answer.lines().count()
    );
    let history = server.folder().join(".local/state/sigheap/history");
    assert!(fs::read_to_string(history).is_ok_and(|lines| lines.contains("top 3 --json")));
}

/// Checks that no line is wider than the terminal.
#[track_caller]
fn fits(text: &str) {
    for line in text.lines() {
        assert!(
            line.chars().count() <= usize::from(COLUMNS.get()),
            "wider than {COLUMNS}: {line:?}"
        );
    }
}

/// Checks that there are rows and that each has these keys.
#[track_caller]
fn has_keys(answer: &Value, keys: &[&str]) {
    let rows = answer["rows"].as_array().expect("rows");
    assert!(!rows.is_empty(), "{answer}");
    for (row, key) in rows
        .iter()
        .flat_map(|row| keys.iter().map(move |key| (row, key)))
    {
        assert!(row.get(key).is_some(), "no `{key}` in {row}");
    }
}
