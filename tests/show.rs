//! Values of every kind, as the prompt shows them: each as the program made it.

use serde_json::Value;

use crate::pty::{Launch, Program};

fn program() -> Program {
    let program = Launch::program(["values"]).start();
    let from = program.expect_after(0, "active: true");
    program.expect_after(from, "alive ");
    program.press_ctrl_backslash();
    program
}

/// Paths and what they show: texts with an ellipsis at their end begin so.
const SHOWN: &[(&str, &str)] = &[
    ("plain.byte", "255"),
    ("plain.negative", "-5"),
    ("plain.huge", "1267650600228229401496703205376"),
    ("plain.float", "0.5"),
    ("plain.yes", "true"),
    ("plain.letter", "'ß'"),
    ("plain.pair.0", "3"),
    ("plain.pair.1", "\"three\""),
    ("plain.nothing", "()"),
    ("plain.array", "3 values"),
    ("plain.array[1]", "-2"),
    ("plain.span", "1.5s"),
    ("plain.small", "Far"),
    ("texts.owned", "\"an owned text\""),
    ("texts.quoted", "\"a \\\"quoted\\\"\\nline\\u{1b}\""),
    ("texts.borrowed", "\"borrowed\""),
    ("texts.boxed", "\"boxed\""),
    ("texts.shared", "\"shared\" (strong 1, weak 0)"),
    ("texts.bytes", "b\"GET /\\r\\n\\xff\""),
    ("texts.path", "\"/tmp/x\""),
    ("texts.empty", "\"\""),
    ("lists.numbers", "100 values"),
    ("lists.numbers[99]", "99"),
    ("lists.structs[1].y", "4"),
    ("lists.nested[0]", "b\"a\""),
    ("lists.nested[1]", "b\"\""),
    ("lists.none", "0 values"),
    ("lists.ring[0]", "6"),
    ("lists.ring[5]", "11"),
    ("lists.linked[2]", "3"),
    ("lists.heap[0]", "5"),
    ("lists.boxed[1]", "5"),
    ("lists.shared[2]", "8"),
    ("lists.borrowed[1]", "10"),
    ("maps.by_text", "2 entries"),
    ("maps.by_text[one]", "1"),
    ("maps.by_number[777].x", "777"),
    ("maps.set[0]", "4"),
    ("maps.tree", "500 entries"),
    ("maps.tree[433]", "\"433\""),
    ("maps.tree_set[0]", "\"a\""),
    ("maps.empty", "0 entries"),
    ("maps.no_tree", "0 entries"),
    ("pointers.boxed.y", "2"),
    ("pointers.counted", "strong 2, weak 1"),
    ("pointers.again.x", "1"),
    ("pointers.weak", "weak, strong 2, weak 1"),
    ("pointers.gone", "weak, its value is gone, weak 1"),
    ("pointers.never", "weak, of nothing"),
    ("pointers.shape.side", "1.5"),
    ("pointers.shared_shape.side", "1.5"),
    ("cells.cell", "-1"),
    ("cells.borrowed", "b\"\\x01\\x02\" (borrowed mutably)"),
    ("cells.free", "6 (not borrowed)"),
    ("cells.unlocked", "5 (unlocked)"),
    ("cells.read_write", "\"rw\" (unlocked)"),
    ("cells.flag", "true"),
    ("cells.count", "77"),
    ("cells.negative", "-2"),
    ("kinds[0]", "Unit"),
    ("kinds[1].0", "7"),
    ("kinds[1].1", "\"seven\""),
    ("kinds[2].x", "-3"),
    ("kinds[2].y", "Some(9)"),
    ("kinds[3].y", "None"),
    ("kinds[4]", "Niche(None)"),
    ("kinds[5]", "Niche(Some(5))"),
    ("kinds[6]", "Result(Ok(1))"),
    ("kinds[7]", "Result(Err(\"wrong\"))"),
    ("code.closure.captured", "\"captured\""),
    ("code.future.local", "\"local 3\""),
];

#[test]
fn values_of_every_kind_are_shown_as_the_program_made_them() {
    let program = program();
    let mut wrong = Vec::new();
    for (path, expected) in SHOWN {
        let row = row(&program, &format!("values::SHELF.{path}"));
        let shown = row["value"].as_str().unwrap_or_default().to_owned();
        if shown != *expected && !shown.starts_with(&format!("{expected} (")) {
            wrong.push(format!("{path}: {shown}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let shown = |path: &str| row(&program, path)["value"].as_str().map(str::to_owned);
    assert_eq!(shown("values::SET").as_deref(), Some("42"));
    assert_eq!(shown("UNSET").as_deref(), Some("not set"));
    assert_eq!(shown("values::LAZY[2]").as_deref(), Some("9"));
    assert_eq!(shown("NOT_ASKED").as_deref(), Some("not asked for yet"));
    let waits = shown("SHELF.code.future").expect("a state");
    assert!(
        waits.contains("waits at ") && waits.contains("values.rs:"),
        "{waits}"
    );
    let raw = shown("SHELF.pointers.raw").expect("an address");
    assert!(raw.starts_with("0x"), "{raw}");
    assert_eq!(shown("*SHELF.pointers.raw.x"), None, "the star comes last");
    let behind = row(&program, "*SHELF.pointers.raw");
    assert_eq!(behind["address"], raw.as_str());
    assert_eq!(behind["children"][1]["value"], "2");
}

#[test]
fn blocks_are_shown_by_address_and_by_row() {
    let program = program();
    program.command("list =Arc<Plainest>");
    let head = program.command("show #1");
    assert!(head.contains("strong 2, weak 1"), "{head}");
    let row = row(&program, "#1.y");
    assert_eq!(row["value"], "2");
    let inside = row["address"].as_str().expect("an address").to_owned();
    let again = self::row(&program, &inside);
    assert_eq!(
        (&again["value"], &again["type"]),
        (&row["value"], &row["type"])
    );
    let head = program.command(&format!("show {inside}"));
    // It may go on in the next line.
    let words: Vec<&str> = head.split_whitespace().collect();
    assert!(words.join(" ").contains("bytes into it: `y`"), "{head}");
    let wrong = program.command("show SHELF.plain.bite");
    assert!(wrong.contains("did you mean"), "{wrong}");
    let wrong = program.command("show SHELFS");
    assert!(wrong.contains("values::SHELF`"), "{wrong}");
    let tree = program.command("show SHELF.plain");
    let widest = tree.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{tree}");
}

/// Each level takes some of the stack on which the look runs, and of what readers of JSON bear.
#[test]
fn a_chain_is_followed_as_deep_as_it_is_asked_for_and_no_deeper_than_the_stack_bears() {
    let program = program();
    let refused = program.command("show values::CHAIN --depth 100000");
    assert!(
        refused.contains("--depth takes a number up to 50"),
        "{refused}"
    );
    let mut row = row(&program, "values::CHAIN --depth 50");
    let mut levels = 0;
    while let Some(next) = row["children"].get(1) {
        row = next.clone();
        levels += 1;
    }
    assert_eq!(levels, 50, "{row}");
}

/// The row that a path is answered with.
fn row(program: &Program, path: &str) -> Value {
    program.json(&format!("show {path}"))["rows"][0].clone()
}
