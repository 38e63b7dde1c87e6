//! Pictures of who holds whom.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::pty::{Launch, Program};

fn look() -> Program {
    let server = Launch::demo()
        .with(["--leak", "cache", "--sessions", "100"])
        .start();
    server.is_serving();
    server.commits();
    server.press_ctrl_backslash();
    server
}

#[test]
fn a_picture_leads_from_the_static_to_what_was_asked_for() {
    let server = look();
    let graph = server.json("graph CacheEntity[0:5]");
    let rows = graph["rows"].as_array().expect("there are rows");
    let is_cache = |row: &&serde_json::Value| row["type"] == "static demo_server::CACHE.entries";
    let cache = rows.iter().find(is_cache);
    let cache = cache.unwrap_or_else(|| panic!("no root: {graph}"));
    assert_eq!(cache["kind"], "static");
    let entity = "Arc<demo_server::cache::CacheEntity>";
    let asked = rows.iter().filter(|row| row["type"] == entity);
    assert!(asked.count() >= 5, "{graph}");
    // By its arrows one comes from the roots to each: the server's task may have one of them in hand.
    let roots = rows.iter().filter(|row| row["kind"] != "block");
    let mut reached: Vec<_> = roots.map(|row| row["id"].clone()).collect();
    let mut next = 0;
    while let Some(id) = reached.get(next).cloned() {
        next += 1;
        let row = rows
            .iter()
            .find(|row| row["id"] == id)
            .expect("it has a row");
        for edge in row["edges"].as_array().expect("there are edges") {
            if !reached.contains(&edge["to"]) {
                reached.push(edge["to"].clone());
            }
        }
    }
    for row in rows.iter().filter(|row| row["type"] == entity) {
        assert!(reached.contains(&row["id"]), "{row} in {graph}");
    }
    let tree = server.command("graph CacheEntity[0:1]");
    // In the middle of a long name something is cut out.
    assert!(tree.contains("<- static"), "{tree}");
    assert!(tree.contains("CACHE.entries"), "{tree}");
    assert!(
        tree.lines().all(|line| line.chars().count() <= 80),
        "{tree}"
    );
}

#[test]
fn pictures_are_files_that_other_programs_read() {
    let server = look();
    let said = server.command("graph CacheEntity[0:5] -o a.svg");
    let boxes = said
        .split(['(', ' '])
        .rev()
        .find_map(|word| word.parse::<usize>().ok());
    let boxes = boxes.unwrap_or_else(|| panic!("{said}"));
    let path = server.folder().join("a.svg");
    let svg = fs::read_to_string(&path).expect("it is written");
    assert_eq!(
        svg.matches("<rect class=\"asked\" x").count(),
        5 + 1,
        "and the legend"
    );
    assert!(svg.matches("<rect ").count() >= boxes, "{boxes} boxes");
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        server
            .command("graph CacheEntity > a.dot")
            .contains("Graph written to a.dot")
    );
    let wrong = server.command("graph CacheEntity -o none/a.svg");
    assert!(wrong.contains("the folder must exist"), "{wrong}");
    let dot = Command::new("dot")
        .arg("-Tplain")
        .arg(server.folder().join("a.dot"))
        .output();
    // Not everybody has Graphviz.
    if let Ok(dot) = dot {
        let drawn = String::from_utf8_lossy(&dot.stdout).into_owned();
        assert!(dot.status.success() && dot.stderr.is_empty(), "{dot:?}");
        assert!(
            drawn
                .lines()
                .filter(|line| line.starts_with("node "))
                .count()
                >= 10
        );
    }
}
