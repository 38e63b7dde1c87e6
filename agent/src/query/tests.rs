//! What holds for every command, and what they find in the fixture. How it reads is `talk`'s to test.

mod held;
mod marks;

use std::collections::HashSet;

use super::fixture::{Asked, Book, large, past, snapshot};
use super::*;
use crate::heap::{Block, Gap, NoMemory, Request, Snapshot};
use crate::report::Report;
use crate::trend::Ledger;

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

#[test]
fn names_are_unique() {
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
fn a_line_of_help_is_one_line() {
    for command in COMMANDS {
        let line = format!("help {}", command.name);
        let report = answer(&[&line]).unwrap();
        let lines = report.head.iter();
        assert!(lines.clone().all(|line| !line.contains('\n')), "{line}");
        assert!(lines.len() > 5, "{line}");
    }
}

#[test]
fn everything_that_can_be_typed_is_explained() {
    for command in COMMANDS {
        let arguments = command.arguments.iter().map(|one| (one.name, one.help));
        let flags = command.flags.iter().chain(COMMON);
        let flags: Vec<_> = flags.map(|one| (one.name, one.help)).collect();
        for (name, help) in arguments.chain(flags.iter().copied()) {
            assert!(
                !help.is_empty() && !help.ends_with('.'),
                "{}: {name}",
                command.name
            );
        }
        let names: HashSet<_> = flags.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names.len(),
            flags.len(),
            "{} has a flag twice",
            command.name
        );
        for example in command.examples {
            let word = example.line.split(' ').next().unwrap_or_default();
            let found = find(word).map(|found| found.name);
            assert_eq!(found, Ok(command.name), "{}", example.line);
            assert!(!example.says.is_empty(), "{}", example.line);
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
fn settings_are_changed_and_handed_to_the_program() {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let mut view = View::new(&snapshot, &mut book, None);
    let mut host = Asked::default();
    let set = ask(&mut view, "set", &mut host).expect("it lists them");
    assert_eq!(set.rows.len(), crate::heap::SETTINGS.len());
    assert!(host.0.is_empty(), "looking changes nothing");
    ask(&mut view, "set rows 1", &mut host).expect("it is set");
    assert_eq!(view.settings.rows, Some(1));
    assert_eq!(host.0, [Request::Remember(view.settings)]);
    assert!(!Request::Remember(view.settings).leaves());
    let rows = |report: Report| report.rows.len();
    assert_eq!(ask(&mut view, "top", &mut host).map(rows), Ok(1));
    assert_eq!(ask(&mut view, "top 3", &mut host).map(rows), Ok(3));
    for line in ["set row", "set names", "set w"] {
        let one = ask(&mut view, line, &mut host).map(rows);
        assert_eq!(one, Ok(1), "{line}");
    }
    for line in ["set colr off", "set rows none", "set width 12", "set x"] {
        ask(&mut view, line, &mut host).expect_err(line);
    }
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
fn patterns_that_match_nothing_suggest_names() {
    let error = answer(&["list CacheEntty"]).expect_err("there is none");
    assert_eq!(error.to_string(), "no live block matches `CacheEntty`");
    assert_eq!(error.hint().as_deref(), Some("did you mean `CacheEntity`?"));
}

/// It read like an error.
#[test]
fn that_nothing_is_unknown_is_an_answer() {
    let (mut snapshot, mut book) = (snapshot(), Book::default());
    snapshot.blocks.retain(|block| block.size != 40);
    let mut view = View::new(&snapshot, &mut book, None);
    for line in ["list unknown", "count unknown", "sites unknown"] {
        let report = ask(&mut view, line, &mut Asked::default()).expect(line);
        assert!(report.rows.is_empty(), "{line}");
        assert!(report.notes[0].starts_with("Every block that is recorded has a type"));
    }
}

#[test]
fn several_words_are_one_type_or_several() {
    let total = |lines: &[&str]| {
        let total = answer(lines).expect("it has an answer").total;
        total[0].clone().1
    };
    let blocks = crate::report::Value::Count;
    assert_eq!(total(&["list CacheEntity"]), blocks(5));
    assert_eq!(total(&["list CacheEntity String"]), blocks(8));
    assert_eq!(total(&["list String, Vec<u64>"]), blocks(5));
    // Each block once.
    assert_eq!(total(&["list * String 3"]), blocks(12));
    assert_eq!(total(&["top", "count #1 #2"]), blocks(7));
    assert_eq!(total(&["list *", "count #1 #2"]), blocks(2));
    assert_eq!(total(&["list *", "count #1 String"]), blocks(4));
    assert_eq!(total(&["sites", "count #1"]), blocks(5));
    assert_eq!(total(&["count 0x1010"]), blocks(1));
    // The block stands for its call stack.
    let sites = answer(&["list Vec<u64>", "sites #1 #2"]).expect("it has an answer");
    assert_eq!(sites.rows.len(), 1);
    let error = answer(&["list String CacheEntty"]).expect_err("one of them is none");
    assert_eq!(error.to_string(), "no live block matches `CacheEntty`");
    let error = answer(&["list #1 #2"]).expect_err("there are no rows");
    assert_eq!(error.to_string(), "there is no row #1");
}

#[test]
fn conditions_choose_blocks() {
    let count = |condition: &str| {
        let (snapshot, mut book) = (snapshot(), Book::default());
        let mut view = View::new(&snapshot, &mut book, None);
        let words = ["*", "--where", condition].map(str::to_owned);
        let list = find("list").expect("there is one");
        let report = list.answer(&mut view, &words, &mut Asked::default());
        match report.expect(condition).total[0].1 {
            crate::report::Value::Count(n) => n,
            ref other => panic!("{other}"),
        }
    };
    assert_eq!(count("size > 1"), 12);
    assert_eq!(count("size >= 64"), 7);
    assert_eq!(count("size >= 64 && size < 1k && !(type = Vec<u64>)"), 5);
    assert_eq!(count("age > 10s"), 6);
    assert_eq!(count("age > 10s && site ~ *insert*"), 3);
    assert_eq!(count("stack = main"), 12);
    assert_eq!(count("type = unknown || confidence = likely"), 3);
    assert_eq!(count("confidence < likely"), 2);
    assert_eq!(count("address < 0x1400 || moving"), 2);
    assert_eq!(count("moving"), 0);
}

/// It compared with the look just before the command: what grew since the program was let go was lost.
#[test]
fn after_a_command_of_the_programs_growth_compares_as_before() {
    let look = |number| Snapshot {
        look: number,
        ..snapshot()
    };
    let since = |number, ledger, renewed| {
        let (snapshot, mut book, mut host) = (look(number), Book::default(), Asked::default());
        let mut view = View::open(&snapshot, &mut book, &NoMemory, ledger, 1 << 20);
        if renewed {
            view.renew();
        }
        view.hand_on(&mut host).expect("it is kept");
        let growth = ask(&mut view, "growth", &mut host).expect("it has an answer");
        let ledger = Ledger::decode(&host.1[0]).expect("it was not damaged");
        let look = |word: &str| word.trim_end_matches(',').parse().ok();
        let head = growth.head[0].split(' ').find_map(look).unwrap_or(0);
        (head, ledger)
    };
    let mut ledger = Ledger::default();
    let mut compared = Vec::new();
    // The first prompt, with two commands; then another one, with two.
    for (number, renewed) in [
        (1, false),
        (2, true),
        (3, true),
        (4, false),
        (5, true),
        (6, true),
        (7, false),
    ] {
        let (with, next) = since(number, ledger, renewed);
        ledger = next;
        compared.push(with);
    }
    assert_eq!(compared, [0, 1, 1, 3, 3, 3, 6]);
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
        "types of 384 B counted by the last look"
    );
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
    assert_eq!(wrong(&["top", "where #1"]), "row #1 is a type");
    assert_eq!(wrong(&["where main"]), "where: `main` is no address");
    assert_eq!(wrong(&["where"]), "where: which block?");
    assert_eq!(
        wrong(&["where 0x1 0x2"]),
        "where: `0x2` is one word too many"
    );
}

#[test]
fn an_empty_heap_has_answers() {
    let (mut snapshot, mut book) = (snapshot(), Book::default());
    snapshot.blocks.clear();
    let mut view = View::new(&snapshot, &mut book, None);
    for line in ["top", "growth", "sites", "info", "count", "list"] {
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

/// A program of thousands of call stacks kept the first screen waiting for a second.
#[test]
fn the_first_screen_waits_only_so_long_for_names() {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let asked = std::cell::Cell::new(0);
    view.hurry(move || asked.replace(asked.get() + 1) == 2);
    let screen = first_screen(&mut view, 5);
    assert!(!view.knows_types());
    let says = |gap: &Gap| gap.what.starts_with("the types of 3 kinds of blocks (");
    assert!(says(&screen.gaps[0]), "{:?}", screen.gaps);
    assert!(!screen.notes.iter().any(|note| note.starts_with("Grew")));
    view.take_time();
    view.read_on(&|| true);
    assert!(!view.knows_types(), "somebody typed");
    view.read_on(&|| false);
    assert!(view.knows_types());
    let screen = first_screen(&mut view, 5);
    assert!(!screen.gaps.iter().any(says));
    assert!(screen.notes.iter().any(|note| note.starts_with("Grew")));
}
