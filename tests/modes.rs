//! Tracking switched at the prompt: what is then known, what is not, and that it is said.

use serde_json::{Value, json};

use crate::pty::{Launch, Program};

/// A bound on the legitimate cache that is soon reached.
const SMALL: [&str; 2] = ["--sessions", "100"];

#[test]
fn what_is_born_while_off_is_a_gap_and_never_miscounted() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.press_ctrl_backslash();
    let before = entities(&server);
    assert!(before > 0);
    assert_eq!(server.json("track")["total"]["mode"], json!("full"));
    assert_eq!(server.json("track off")["total"]["next_mode"], json!("off"));
    assert!(server.command("track").contains("From now on: off."));
    work(&server);

    // The leak's entities are never freed, and none of the new ones is recorded.
    assert_eq!(entities(&server), before);
    for line in ["top", "list CacheEntity", "growth", "sites"] {
        assert!(
            is_gap(&server.json(line), "while tracking was off"),
            "{line}"
        );
    }
    let track = server.json("track");
    assert_eq!(track["total"]["mode"], json!("off"));
    let unknown = number(&track["total"]["unknown_count"]);
    assert!(unknown > 0, "{track}");
    let stack = server.json("where 0x10");
    assert!(
        stack["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("tracking was off")),
        "{stack}"
    );
    server.command("track full");
    work(&server);

    let now = entities(&server);
    assert!(now > before, "what is born since is known: {now}");
    let track = server.json("track");
    assert_eq!(track["total"]["mode"], json!("full"));
    assert!(
        number(&track["total"]["unknown_count"]) <= unknown,
        "{track}"
    );
    assert!(is_gap(&server.json("top"), "while tracking was off"));
    let info = server.command("info").replace('\n', " ");
    assert!(info.contains("have a record"), "info says so, too: {info}");
}

#[test]
fn a_sample_has_the_same_type_on_top_and_the_sum_within_its_error() {
    let server = Launch::demo().with(SMALL).start();
    server.is_serving();
    server.press_ctrl_backslash();
    assert!(!is_gap(&server.json("top"), "sampled"));
    let answer = server.command("track sampled 4000");
    assert!(answer.contains("a block for every 4.0 KiB"), "{answer}");
    work(&server);
    server.resume("c\r");
    server.commits();
    server.press_ctrl_backslash();

    let top = server.json("top");
    assert!(named(&top["rows"][0]).contains("CacheEntity"), "{top}");
    assert!(number(&top["rows"][0]["sample"]) > 0, "{top}");
    assert!(is_gap(&top, "sampled"), "{top}");
    assert!(server.command("top 3").contains("sample"));
    let info = server.json("info");
    let rows = info["rows"].as_array().expect("rows");
    let live = rows.iter().find(|row| row["part"] == "live");
    let exact = live
        .and_then(|row| row["bytes"].as_f64())
        .expect("live bytes");
    let estimate = info["total"]["live_bytes"].as_f64().expect("an estimate");
    let sample = info["total"]["sample"].as_f64().expect("a sample");
    assert!(sample > 50.0, "{info}");
    let off = (estimate - exact).abs() / exact;
    assert!(
        off < 6.0 / sample.sqrt(),
        "{estimate} for {exact} from {sample}"
    );
}

/// Lets the program work, and looks again.
fn work(server: &Program) {
    server.resume("c\r");
    server.commits();
    server.press_ctrl_backslash();
}

/// How many entities are recorded.
#[track_caller]
fn entities(server: &Program) -> u64 {
    number(&server.json("count =Arc<CacheEntity>")["total"]["count"])
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

fn is_gap(answer: &Value, words: &str) -> bool {
    let gaps = answer["gaps"].as_array().into_iter().flatten();
    gaps.filter_map(|gap| gap["what"].as_str())
        .any(|what| what.contains(words))
}

fn named(row: &Value) -> &str {
    row["type"].as_str().unwrap_or("")
}
