//! What the demo's threads do, as the prompt shows it.

use serde_json::Value;

use crate::pty::Launch;

/// Threads by the names that they give themselves, and a function of the demo's that each is in.
const THREADS: &[(&str, &str)] = &[
    ("demo-server", "demo_server::main"),
    ("store", "demo_server::writer::"),
];

#[test]
fn the_stacks_of_threads_lead_to_their_functions() {
    let server = Launch::demo().start();
    server.is_serving();
    server.press_ctrl_backslash();
    let answer = server.json("threads");
    for (name, function) in THREADS {
        let stack = functions(&answer, name);
        assert!(
            stack.iter().any(|one| one.contains(function)),
            "{name}: {stack:#?}"
        );
    }
    // The runtime's own threads are as many as it has workers, whatever they do.
    let rows = answer["rows"].as_array().expect("rows");
    let members = rows
        .iter()
        .filter_map(|row| row["members"].as_array())
        .flatten();
    assert_eq!(
        members.count() as u64,
        answer["total"]["threads"].as_u64().expect("a total")
    );
    for row in rows {
        assert_eq!(row["stopped"], true, "{row}");
        let state = row["state"].as_str().expect("a state");
        assert!(state == "running" || state.starts_with("in "), "{row}");
    }
    let shown = server.command("bt store");
    assert!(shown.contains("demo_server::writer::"), "{shown}");
    assert!(!shown.contains("tokio-rt-worker"), "{shown}");
    let from = server.written();
    server.send("threads sto\t");
    server.expect_after(from, "threads store");
    server.send("\r");
    assert_eq!(
        server.prompted(from).lines().next(),
        Some("1 thread stopped.")
    );
}

/// The functions in the stack of the thread of that name, innermost first.
fn functions<'a>(answer: &'a Value, name: &str) -> Vec<&'a str> {
    let rows = answer["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == name);
    let row = row.unwrap_or_else(|| panic!("no thread is called {name}: {answer}"));
    let stack = row["stack"].as_array().expect("a stack");
    stack
        .iter()
        .filter_map(|frame| frame["function"].as_str())
        .collect()
}
