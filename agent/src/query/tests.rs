//! What holds for every command, and what each answers about the fixture.

use std::collections::HashSet;

use super::command::shown;
use super::fixture::{Asked, Book, large, past, snapshot};
use super::*;
use crate::heap::{Gap, Request};
use crate::render::{Style, json, text, width};
use crate::report::Report;

fn ask(view: &mut View<'_>, line: &str, host: &mut Asked) -> Result<Report, Error> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let report = find(&words[0])?.answer(view, &words[1..], host)?;
    view.number(&report.objects);
    Ok(report)
}

/// The answer to the last of several lines of one look that had a look before.
fn answer(lines: &[&str]) -> Result<Report, Error> {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let mut last = Err(Error::UnknownCommand {
        word: String::new(),
        near: Vec::new(),
    });
    for line in lines {
        last = ask(&mut view, line, &mut Asked::default());
    }
    last
}

fn plain(width: usize) -> Style {
    Style {
        width,
        colour: false,
    }
}

fn shows(lines: &[&str]) -> String {
    text(&answer(lines).expect("it has an answer"), plain(80))
}

fn document(lines: &[&str]) -> serde_json::Value {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let capture = View::new(&snapshot, &mut book, None).capture();
    let written = json(&answer(lines).expect("it has an answer"), &capture);
    assert!(!written.contains('\n'));
    serde_json::from_str(&written).expect("it is one document")
}

/// Every example of every command but the one that panics, after a table whose rows it may mean.
fn examples() -> impl Iterator<Item = (&'static Command, [&'static str; 2])> {
    shown().flat_map(|command| {
        let lines = command.examples.iter().map(|example| example.line);
        lines.map(move |line| (command, ["list *", line]))
    })
}

#[test]
fn names_are_unique_and_no_prefix_of_one_is_an_alias_of_another() {
    let mut seen = HashSet::new();
    for command in COMMANDS {
        for name in [command.name].iter().chain(command.aliases) {
            assert!(seen.insert(*name), "{name} is two commands");
        }
    }
}

#[test]
fn every_command_says_what_it_is_for() {
    for command in COMMANDS {
        assert!(
            !command.summary.is_empty() && command.summary.len() <= 60,
            "{}",
            command.name
        );
        assert!(command.help.ends_with('.'), "{}", command.name);
        assert!(!command.examples.is_empty(), "{}", command.name);
    }
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
        let report = answer(&lines).expect("examples run");
        for columns in 40..160 {
            for line in text(&report, plain(columns)).lines() {
                assert!(width(line) <= columns, "{lines:?} at {columns}: {line}");
            }
        }
    }
}

#[test]
fn prefixes_and_aliases_find_commands() {
    let found = |word| find(word).map(|command| command.name);
    assert_eq!(found("gro"), Ok("growth"));
    assert_eq!(found("c"), Ok("continue"));
    assert_eq!(found("?"), Ok("help"));
    assert_eq!(found("abor"), Err(Error::NotWhole { name: "abort" }));
    assert_eq!(found("abort"), Ok("abort"));
    assert_eq!(
        found("pani").map_err(|error| error.to_string()),
        Err("there is no command `pani`".to_owned())
    );
    let error = find("tpo").expect_err("it is none");
    assert_eq!(error.hint().as_deref(), Some("did you mean `top`?"));
}

#[test]
fn leaving_is_asked_of_the_host() {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let mut view = View::new(&snapshot, &mut book, None);
    let mut host = Asked::default();
    for line in ["continue", "quit", "quit 3", "abort"] {
        ask(&mut view, line, &mut host).expect("it has an answer");
    }
    for line in ["quit 256", "quit x", "quit 1 2"] {
        ask(&mut view, line, &mut host).expect_err("it is no exit code");
    }
    let asked = [
        Request::Continue,
        Request::Quit(0),
        Request::Quit(3),
        Request::Abort,
    ];
    assert_eq!(host.0, asked);
}

#[test]
fn the_heap_is_named_once_a_look() {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let mut view = View::new(&snapshot, &mut book, None);
    for line in ["top", "list *", "sites", "growth", "top"] {
        ask(&mut view, line, &mut Asked::default()).expect("it has an answer");
    }
    assert_eq!(book.asked, 5, "there are five kinds of blocks");
}

#[test]
fn top_is_the_heaviest_types() {
    let expected = "\
#  type              ~  count     %    bytes     %  sum %  largest
1  Arc<CacheEntity>         5  41.7    640 B  58.2   58.2    128 B
2  Vec<u64>          ~      2  16.7    320 B  29.1   87.3    256 B
   total                   12        1.1 KiB
2 types not shown: `top 4` shows all
92.7 % of the live bytes have a type
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["top 2"]), expected);
    assert_eq!(document(&["top 2 --by count"])["rows"][1]["type"], "String");
    assert_eq!(
        document(&["top"])["rows"][0]["type"],
        "Arc<demo_server::CacheEntity>"
    );
    assert!(answer(&["top x"]).is_err() && answer(&["top --by size"]).is_err());
}

#[test]
fn top_leaves_columns_out_before_names() {
    let report = answer(&["top 1"]).expect("it has an answer");
    let expected = "\
#  type              count    bytes     %
1  Arc<CacheEntity>      5    640 B  58.2
   total                12  1.1 KiB
";
    assert!(
        text(&report, plain(44)).starts_with(expected),
        "{}",
        text(&report, plain(44))
    );
}

#[test]
fn list_is_the_largest_or_the_oldest() {
    let expected = "\
#  address     size    age  type              ~  allocated in
1   0x2200    256 B  5.0 s  Vec<u64>          ~  demo_server::in…src/index.rs:99
2   0x1000    128 B   42 s  Arc<CacheEntity>     demo_server::ca…src/cache.rs:42
            1.1 KiB         total
10 blocks not shown: a number after the pattern shows more
~ the type is likely, not sure; ? it is a guess
";
    assert_eq!(shows(&["list * 2"]), expected);
    let oldest = document(&["list CacheEntity 3 --by age"]);
    assert_eq!(oldest["rows"][0]["age_s"], 42.0);
    assert_eq!(oldest["rows"][2]["address"], "0x1800");
    assert_eq!(oldest["total"]["bytes"], 640);
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
fn patterns_that_match_nothing_suggest_names() {
    let error = answer(&["list CacheEntty"]).expect_err("there is none");
    assert_eq!(error.to_string(), "no live block matches `CacheEntty`");
    assert_eq!(error.hint().as_deref(), Some("did you mean `CacheEntity`?"));
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
    let report = ask(&mut view, "growth", &mut Asked::default()).expect("it has an answer");
    assert!(text(&report, plain(80)).starts_with("This is the first look: it sets the baseline."));
}

#[test]
fn growth_says_what_it_cannot_tell() {
    let (snapshot, mut book, mut past) = (snapshot(), Book::default(), past().folded());
    past.groups[0].site = crate::heap::SiteId(99);
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let report = ask(&mut view, "growth", &mut Asked::default()).expect("it has an answer");
    assert_eq!(report.gaps.len(), 2);
    assert_eq!(
        report.gaps[0].what,
        "types of 384 B that the last look counted"
    );
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
2 call stacks not shown: a number at the end shows more
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
  ... 1 frame of the allocator or the runtime
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
    assert!(answer(&["top", "help", "list #2"]).is_ok());
}

#[test]
fn what_is_no_block_is_said() {
    let wrong = |lines: &[&str]| answer(lines).expect_err("there is none").to_string();
    assert_eq!(
        wrong(&["where 0x1080"]),
        "no live Rust block lies at 0x1080"
    );
    assert_eq!(wrong(&["where 0xfff"]), "no live Rust block lies at 0xfff");
    assert_eq!(wrong(&["where #1"]), "there is no row #1");
    assert_eq!(
        wrong(&["top", "where #1"]),
        "row #1 stands for something else"
    );
    assert_eq!(wrong(&["where main"]), "where: `main` is no address");
    assert_eq!(wrong(&["where"]), "where: which block?");
    assert_eq!(
        wrong(&["where 0x1 0x2"]),
        "where: `0x2` is one word too many"
    );
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
    let screen = first_screen(&mut View::new(&snapshot, &mut book, Some(&past)));
    let screen = text(&screen, plain(80));
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
    let screen = text(&first_screen(&mut view), plain(80));
    assert!(screen.contains("#[global_allocator]"), "{screen}");
    let error = ask(&mut view, "top", &mut Asked::default()).expect_err("it needs tracking");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("sigheap::Heap::system()"))
    );
    assert!(ask(&mut view, "info", &mut Asked::default()).is_ok());
}

#[test]
fn an_empty_heap_has_answers() {
    let (mut snapshot, mut book) = (snapshot(), Book::default());
    snapshot.blocks.clear();
    let mut view = View::new(&snapshot, &mut book, None);
    for line in ["top", "growth", "sites", "info"] {
        assert!(
            ask(&mut view, line, &mut Asked::default()).is_ok(),
            "{line}"
        );
    }
    assert!(ask(&mut view, "list *", &mut Asked::default()).is_err());
}

/// A measurement, not an assertion: machines differ. Run it with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn a_million_blocks() {
    let (snapshot, mut book) = (large(), Book::default());
    let mut view = View::new(&snapshot, &mut book, None);
    for line in ["top", "top", "list *", "sites", "list #1", "growth"] {
        let start = std::time::Instant::now();
        ask(&mut view, line, &mut Asked::default()).expect("it has an answer");
        println!("{line}: {:?}", start.elapsed());
    }
    let counts = view.counts();
    let start = std::time::Instant::now();
    let bytes = counts.encode(usize::MAX).len();
    println!(
        "{} groups in {bytes} bytes: {:?}",
        counts.groups.len(),
        start.elapsed()
    );
}
