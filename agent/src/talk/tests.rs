//! How the answers about the fixture read, for people and for programs.

use super::execute::first;
use super::execute::{Outcome, execute};
use crate::heap::Gap;
use crate::query::fixture::{Asked, Book, many, past, snapshot};
use crate::query::{COMMANDS, Command, Kind, View};
use crate::render::{Style, width};

/// What comes of the last of several lines of one look that had a look before.
fn run(lines: &[&str], width: usize) -> Outcome {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let mut last = Outcome::default();
    for line in lines {
        last = execute(line, &mut view, &mut Asked::default(), plain(width));
    }
    last
}

fn plain(width: usize) -> Style {
    Style {
        width,
        colour: false,
        whole: false,
    }
}

fn shows(lines: &[&str]) -> String {
    shows_within(lines, 80)
}

fn shows_within(lines: &[&str], width: usize) -> String {
    let outcome = run(lines, width);
    assert!(!outcome.error, "{}", outcome.text);
    outcome.text
}

fn document(lines: &[&str]) -> serde_json::Value {
    let (last, before) = lines.split_last().expect("a line was asked");
    let last = format!("{last} --json");
    let lines: Vec<&str> = before.iter().copied().chain([last.as_str()]).collect();
    let written = shows(&lines);
    assert_eq!(written.matches('\n').count(), 1);
    serde_json::from_str(&written).expect("it is one document")
}

/// Every example of every command but the one that panics, after a table whose rows it may mean.
fn examples() -> impl Iterator<Item = (&'static Command, [&'static str; 2])> {
    let shown = COMMANDS.iter().copied().filter(|command| !command.hidden);
    shown.flat_map(|command| {
        let lines = command.examples.iter().map(|example| example.line);
        lines.map(move |line| (command, ["list *", line]))
    })
}

#[test]
fn every_example_runs_and_has_the_keys() {
    for (command, lines) in examples() {
        let document = document(&lines);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["command"], command.name, "{lines:?}");
        assert_eq!(document["capture"]["pid"], 4711);
        assert_eq!(document["capture"]["frozen"], true);
        assert!(document["rows"].is_array() && document["gaps"].is_array());
        assert!(document["total"].is_object());
    }
}

#[test]
fn every_answer_fits_every_width() {
    for (_, lines) in examples() {
        if lines[1].ends_with("--json") {
            continue;
        }
        for columns in 40..160 {
            for line in shows_within(&lines, columns).lines() {
                assert!(width(line) <= columns, "{lines:?} at {columns}: {line}");
            }
        }
    }
}

#[test]
fn top_is_the_heaviest_types() {
    let expected = "\
#  type              ~  count     %    bytes     %  sum %  largest
1  Arc<CacheEntity>         5  41.7    640 B  58.2   58.2    128 B
2  Vec<u64>          ~      2  16.7    320 B  29.1   87.3    256 B
   total                   12        1.1 KiB
2 types not shown: add `--all`, or a number
92.7 % of the live bytes have a type
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["top 2"]), expected);
    assert_eq!(document(&["top 2 --by count"])["rows"][1]["type"], "String");
    assert_eq!(
        document(&["top"])["rows"][0]["type"],
        "Arc<demo_server::CacheEntity>"
    );
    assert!(run(&["top x"], 80).error && run(&["top --by size"], 80).error);
}

#[test]
fn full_cuts_nothing() {
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    for columns in [40, 52, 80, 200] {
        let top = shows_within(&["top --full"], columns);
        assert!(!top.contains('…'), "{top}");
        let name = "Arc<demo_server::CacheEntity>";
        assert!(
            squeezed(&top).contains(name) || columns == 52,
            "at {columns}:\n{top}"
        );
        for line in top.lines() {
            assert!(width(line) <= columns, "{line}");
        }
        let sites = shows_within(&["sites --full"], columns);
        assert!(!sites.contains('…'), "{sites}");
        assert!(squeezed(&sites).contains("/rustc/1/library/alloc/src/alloc.rs"));
    }
    for (_, [before, line]) in examples() {
        for columns in [40, 80] {
            if line.ends_with("--json") {
                continue;
            }
            let full = format!("{line} --full");
            let shown = shows_within(&[before, &full], columns);
            assert!(!shown.contains('…'), "{line}:\n{shown}");
            assert!(shown.lines().all(|line| width(line) <= columns), "{shown}");
        }
    }
    // As a setting it holds for every answer.
    let set = shows_within(&["set names full", "top"], 40);
    assert!(set.contains("Arc<demo_server::CacheEntity>"), "{set}");
}

#[test]
fn top_leaves_columns_out_before_names() {
    let shown = shows_within(&["top 1"], 44);
    let expected = "\
#  type              count    bytes     %
1  Arc<CacheEntity>      5    640 B  58.2
   total                12  1.1 KiB
";
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn list_is_the_largest_or_the_oldest() {
    let expected = "\
#  address     size    age  type              ~  allocated in
1   0x2200    256 B  5.0 s  Vec<u64>          ~  index::grow:99
2   0x1000    128 B   42 s  Arc<CacheEntity>     cache::insert:42
            1.1 KiB         total
10 blocks not shown: add `--all`, or a number
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["list * 2"]), expected);
    let oldest = document(&["list CacheEntity 3 --by age"]);
    assert_eq!(oldest["rows"][0]["age_s"], 42.0);
    assert_eq!(oldest["rows"][2]["address"], "0x1800");
    assert_eq!(oldest["total"]["bytes"], 640);
}

#[test]
fn count_is_by_type_with_the_sum() {
    let expected = "\
#  type              ~  count     %  bytes     %  largest
1  Arc<CacheEntity>         5  41.7  640 B  58.2    128 B
2  Vec<u64>          ~      2  16.7  320 B  29.1    256 B
   total                    7  58.3  960 B  87.3
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["count CacheEntity Vec<u64>"]), expected);
    let answer = document(&["count --where size > 100"]);
    assert_eq!(answer["total"]["count"], 6);
    assert_eq!(answer["rows"][1]["bytes"], 256);
    assert_eq!(
        shows(&["count --where size > 1g"]),
        "No live block is there for which this holds: size > 1g.\n"
    );
}

#[test]
fn a_wrong_condition_is_pointed_at() {
    let outcome = run(&["list * --where size > 1k && siz < 3"], 80);
    assert!(outcome.error);
    assert_eq!(
        outcome.text,
        "Error: --where: there is no field `siz`; did you mean `size`?\n  size > 1k && siz < 3\n               ^\n"
    );
    let long = format!("count --where {}size > x", "size > 1 && ".repeat(9));
    for line in run(&[&long], 40).text.lines() {
        assert!(width(line) <= 40 && !line.is_empty(), "{line}");
    }
}

#[test]
fn a_type_is_as_sure_as_the_block_is() {
    let rows = &document(&["list Vec<u64>"])["rows"];
    assert_eq!(rows[0]["confidence"], "likely");
    assert_eq!(rows[1]["confidence"], "exact");
    assert_eq!(
        document(&["list unknown"])["rows"][0]["confidence"],
        "unknown"
    );
}

#[test]
fn growth_is_since_the_last_look_however_often_asked() {
    let expected = "\
Since look 1, 42 s before this one:
#  type              ~  count +/-  count  bytes +/-    bytes
1  Arc<CacheEntity>            +2      5     +256 B    640 B
2  unknown                      0      2        0 B     80 B
3  Vec<u64>          ~          0      2        0 B    320 B
4  Gone                        -1      0       -8 B      0 B
5  String                      -1      3      -20 B     60 B
   total                        0     12     +228 B  1.1 KiB
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["growth", "growth --all"]), expected);
    assert_eq!(shows(&["growth"]), shows(&["growth", "growth", "growth"]));
    let grown = document(&["growth"]);
    assert_eq!(grown["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(grown["rows"][0]["delta_bytes"], 256);
    assert_eq!(grown["total"]["delta_bytes"], 228);
}

#[test]
fn the_first_look_sets_the_baseline() {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let mut view = View::new(&snapshot, &mut book, None);
    let shown = execute("growth", &mut view, &mut Asked::default(), plain(80)).text;
    assert!(shown.starts_with("This is the first look: it sets the baseline."));
}

#[test]
fn sites_are_stacks_with_their_types() {
    let expected = "\
#    bytes     %  count  types
1    640 B  58.2      5  Arc<CacheEntity>
      demo_server::cache::insert at src/cache.rs:42
      demo_server::main at src/main.rs:12
2    320 B  29.1      2  Vec<u64>
      demo_server::index::grow at src/index.rs:99
      demo_server::main at src/main.rs:12
   1.1 KiB           12  total
2 call stacks not shown: add `--all`, or a number
";
    assert_eq!(shows(&["sites 2"]), expected);
    let row = &document(&["sites unknown"])["rows"][0];
    assert_eq!(row["site"], "libfoo.so+0x12");
    assert_eq!(row["stack"][0]["machinery"], true);
    assert_eq!(row["stack"][2]["line"], 12);
}

#[test]
fn a_block_is_found_by_address_inside_it_and_by_row() {
    let expected = "\
0x1000 Arc<CacheEntity> (exact): 128 B, aligned to 8 B, born 42 s before the
stop.
Call stack 1, of 5 live blocks with 640 B:
  demo_server::cache::insert at src/cache.rs:42
  demo_server::main at src/main.rs:12
";
    for lines in [
        &["where 0x1000"][..],
        &["where 0x107f"],
        &["list CacheEntity", "where #1"],
    ] {
        assert_eq!(shows(lines), expected);
    }
    let row = &document(&["where 0x1000"])["rows"][0];
    assert_eq!((&row["size"], &row["age_s"]), (&128.into(), &42.0.into()));
}

#[test]
fn numbers_stand_for_the_rows_of_the_last_table() {
    assert_eq!(document(&["top", "list #2"])["rows"][0]["type"], "Vec<u64>");
    assert_eq!(document(&["sites", "list #3"])["total"]["count"], 2);
    assert_eq!(
        document(&["list String", "sites #1"])["rows"][0]["site_id"],
        2
    );
    assert!(shows(&["sites", "where #1 --full"]).contains("alloc::alloc::alloc"));
    // An answer without numbers leaves them as they were.
    assert!(!run(&["top", "help", "list #2"], 80).error);
}

#[test]
fn the_first_screen_does_not_scroll() {
    let (mut snapshot, mut book, past) = (snapshot(), Book::default(), past());
    for i in 0..3 {
        let what = format!("types of blocks allocated in lib{i}.so");
        let gap = Gap::new(what, "it has no debug information");
        book.gaps.push(gap.mended_by("debug = 2 in Cargo.toml"));
    }
    snapshot.memory.free = None;
    snapshot.hints.push(
        "Ctrl-\\ also reached the other programs of this pipeline; `kill -QUIT 4711` spares them."
            .to_owned(),
    );
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let screen = first(&mut view, plain(80)).text;
    assert!(screen.lines().count() < 24, "{screen}");
    for words in [
        "demo-server (pid 4711), look 2: paused for 0 us and its clients wait; 2 threads\nstopped in 420 us.",
        "Not stopped: vfork (4713): it waits in vfork.",
        "Resident 12.0 MiB: live Rust blocks 1.1 KiB, free in the allocator not known",
        "Types: 92.7 % of the live bytes have one",
        "1  Arc<CacheEntity>",
        "Grew in the 42 s since look 1: Arc<CacheEntity> +2 (+256 B).",
        "1 more of what could not be known: `info`",
        "debug = 2 in Cargo.toml",
        "Next: `growth`",
        "`continue` (Ctrl-D) resumes the program",
    ] {
        assert!(screen.contains(words), "{words} in\n{screen}");
    }
}

#[test]
fn a_program_that_is_not_tracked_is_told_the_line_that_mends_it() {
    let (mut snapshot, mut book) = (snapshot(), Book::default());
    snapshot.tracking.present = false;
    snapshot.blocks.clear();
    let mut view = View::new(&snapshot, &mut book, None);
    let screen = first(&mut view, plain(80)).text;
    assert!(screen.contains("#[global_allocator]"), "{screen}");
    let mut run = |line| execute(line, &mut view, &mut Asked::default(), plain(80));
    let top = run("top");
    assert!(
        top.error && top.text.contains("sigheap::Heap::system()"),
        "{}",
        top.text
    );
    assert!(!run("info").error);
}

#[test]
fn threads_at_the_same_place_are_one_row() {
    let expected = "\
2 threads stopped, and 1 that runs on.
#  threads  tid   name                 state
1        2  4711  demo-server, worker  in futex
      demo_server::log::parse at src/log.rs:7
      demo_server::main at src/main.rs:12
2        1  4713  vfork                runs on
      not stopped: it waits in vfork
`threads #1` shows more frames of a row
";
    assert_eq!(shows(&["threads"]), expected);
    let one = shows(&["threads", "bt #1 --full"]);
    assert!(one.contains("alloc::alloc::alloc at"), "{one}");
    assert!(!one.contains("vfork"), "{one}");
    let document = document(&["threads 4712"]);
    let row = &document["rows"][0];
    assert_eq!(row["members"][0]["name"], "worker");
    assert_eq!(row["state"], "in futex");
    assert_eq!(row["stack"][1]["function"], "demo_server::log::parse");
    assert_eq!(row["stack"][1]["line"], 7);
    let wrong = run(&["threads wroker"], 80).text;
    assert!(wrong.contains("did you mean `worker`?"), "{wrong}");
    assert!(run(&["threads", "where #1"], 80).error);
}

/// Every command with a table that may be long, with what it must be given, and how many rows it has about sixty types.
fn tables() -> impl Iterator<Item = String> {
    let has_rows = |command: &&&Command| command.arguments.iter().any(|one| one.name == "N");
    let tables = COMMANDS.iter().filter(has_rows);
    // That heap has no rings, no values and no tasks.
    let others = ["track", "cycles", "instances", "waste", "tasks"];
    let tables = tables.filter(move |command| !others.contains(&command.name));
    tables.map(|command| {
        let needed = command.arguments.iter().filter(|one| !one.optional);
        let needed = needed.map(|one| match one.kind {
            Kind::Mark => " before",
            kind => panic!("an example of {kind:?}"),
        });
        command.name.to_owned() + &needed.collect::<String>()
    })
}

/// How many rows the last answer has: as text for a screen of so many lines, or as JSON.
fn rows_of(line: &str, screen: Option<usize>) -> (usize, Outcome) {
    let (snapshot, mut book, past) = (many(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    view.screen = screen;
    let outcome = execute(line, &mut view, &mut Asked::default(), plain(80));
    assert!(!outcome.error, "{}", outcome.text);
    (view.rows_stand_for().len(), outcome)
}

/// `growth --all --json` ended after twenty rows.
#[test]
fn json_has_as_many_rows_as_text() {
    assert!(tables().count() >= 6);
    for line in tables() {
        for (asked, least, most) in [
            ("", 20, 20),
            (" 7", 7, 7),
            (" 33", 33, 33),
            (" --all", 60, 99),
        ] {
            let line = format!("{line}{asked}");
            let (rows, _) = rows_of(&line, None);
            assert!((least..=most).contains(&rows), "{line}: {rows}");
            let (_, answer) = rows_of(&format!("{line} --json"), Some(24));
            let answer: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
            let in_json = answer["rows"].as_array().map(Vec::len);
            assert_eq!(in_json, Some(rows), "{line}");
            let noted = rows_of(&line, None).1.text.contains("not shown");
            assert_eq!(noted, asked != " --all", "{line}");
        }
    }
}

/// Twenty rows never fitted a terminal of 24 lines.
#[test]
fn tables_fit_the_screen() {
    for line in tables() {
        for screen in [24, 30, 55] {
            let (rows, outcome) = rows_of(&line, Some(screen));
            let lines = outcome.text.lines().count();
            assert!(lines < screen, "{line}: {lines} lines on {screen}");
            assert!(
                rows >= 3 && lines + 8 > screen,
                "{line}: {lines} lines on {screen}"
            );
        }
        let (rows, _) = rows_of(&line, Some(5));
        assert!((3..=10).contains(&rows), "{line}: {rows}");
        assert_eq!(rows_of(&format!("{line} 33"), Some(24)).0, 33);
    }
}

#[test]
fn the_first_screen_leaves_types_out_where_it_would_scroll() {
    let (snapshot, mut book, past) = (many(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let mut lines = |screen| {
        view.screen = screen;
        let text = first(&mut view, plain(80)).text;
        (text.lines().count(), text.matches("  T").count())
    };
    let (all, five) = lines(None);
    assert_eq!(five, 5);
    assert_eq!(lines(Some(all + 1)), (all, 5));
    assert_eq!(lines(Some(all)), (all - 1, 4));
    assert_eq!(lines(Some(3)), (all - 4, 1));
}
