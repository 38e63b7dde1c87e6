//! What each way of tracking makes of the fixture, and what every answer then says.

use std::num::NonZeroU64;
use std::time::Duration;

use super::super::fixture::{Asked, Book, past, snapshot};
use super::super::{Need, find};
use super::*;

fn sampled(mean: u64) -> Mode {
    Mode::Sampled(NonZeroU64::new(mean).unwrap())
}

/// The fixture's heap as it is recorded in another mode.
fn tracked(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut snapshot = snapshot();
    change(&mut snapshot);
    let picked = |block: &&crate::heap::Block| block.rate != Rate::WHOLE;
    snapshot.tracking.sample = snapshot.blocks.iter().filter(picked).count() as u64;
    snapshot
}

fn off(snapshot: &mut Snapshot) {
    snapshot.tracking = Tracking {
        mode: Mode::Off,
        mode_for: Some(Duration::from_secs(42)),
        off_for: Duration::from_secs(42),
        unknown_blocks: 7,
        unknown_bytes: 3 << 20,
        ..snapshot.tracking
    };
}

/// The entities are a sample, one of the two of them that there were.
fn sample(snapshot: &mut Snapshot) {
    let mode = sampled(1 << 10);
    for block in &mut snapshot.blocks {
        if block.size == 128 {
            block.rate = Rate::of(mode).unwrap();
        }
    }
    snapshot.tracking = Tracking {
        mode,
        mode_for: Some(Duration::from_secs(9)),
        sampled_for: Duration::from_secs(9),
        unknown_blocks: 40,
        unknown_bytes: 5000,
        ..snapshot.tracking
    };
}

fn ask(snapshot: &Snapshot, line: &str) -> Result<Report, Error> {
    let (mut book, past) = (Book::default(), past());
    let mut view = View::new(snapshot, &mut book, Some(&past));
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    find(&words[0])?.answer(&mut view, &words[1..], &mut Asked::default())
}

/// The value in a row's column, by its key.
fn cell<'r>(report: &'r Report, row: usize, key: &str) -> &'r Value {
    let place = report.columns.iter().position(|column| column.key == key);
    &report.rows[row].cells[place.unwrap()]
}

#[test]
fn a_switch_is_asked_of_the_program_and_shown_at_once() {
    let (snapshot, mut book, mut host) = (snapshot(), Book::default(), Asked::default());
    let mut view = View::new(&snapshot, &mut book, None);
    let mut ask = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        COMMAND.answer(&mut view, &words, &mut host)
    };
    assert_eq!(
        ask(&[]).unwrap().head,
        ["Tracking: in full, since the program's first allocation."]
    );
    let head = ask(&["sampled", "100k"]).unwrap().head;
    assert!(head[0].starts_with("Tracking is sampled, a block for every 128.0 KiB"));
    let head = ask(&[]).unwrap().head;
    assert!(head[1].starts_with("From now on: sampled"), "{head:?}");
    ask(&["off"]).unwrap();
    let wrong = ask(&["of"]).expect_err("it is no mode");
    assert!(wrong.to_string().contains("`of` is no way of tracking"));
    let asked = [
        Request::Track(sampled(128 << 10)),
        Request::Track(Mode::Off),
    ];
    assert_eq!(host.0, asked);
}

#[test]
fn the_costs_add_up_to_their_total() {
    for records in [0, 1 << 20, 1 << 40] {
        let snapshot = tracked(|snapshot| snapshot.tracking.records_bytes = records);
        let report = ask(&snapshot, "track").unwrap();
        let bytes = |value: &Value| match value {
            Value::Bytes(bytes) => *bytes,
            other => panic!("{other}"),
        };
        let parts: u64 = (0..3).map(|row| bytes(cell(&report, row, "bytes"))).sum();
        assert_eq!(parts, bytes(&report.total[0].1));
    }
}

#[test]
fn info_says_one_figure_for_what_lives() {
    for (snapshot, says) in [
        (snapshot(), "Live: 12 blocks of 3 types, 1.1 KiB."),
        (
            tracked(off),
            "Live: 19 blocks, 3.0 MiB; 12 of them, of 3 types and 1.1 KiB, have a record.",
        ),
        (
            tracked(sample),
            "Live: 52 blocks, 6.0 KiB; 12 of them, of 3 types and 1.1 KiB, have a record, and stand for the others.",
        ),
    ] {
        let notes = ask(&snapshot, "info").unwrap().notes;
        assert!(notes[0].starts_with(says), "{}", notes[0]);
        assert!(!notes[1].contains("without a record"), "{}", notes[1]);
    }
}

#[test]
fn the_first_screen_says_what_turnover_looks_like() {
    let (snapshot, mut book, mut past) = (snapshot(), Book::default(), past());
    let mut screen = |past: &crate::trend::Counts| {
        let mut view = View::new(&snapshot, &mut book, Some(past));
        super::super::first_screen(&mut view, 5).notes[0].clone()
    };
    assert!(screen(&past).starts_with("Grew in the 42 s since look 1: "));
    past.unknown = 1 << 20;
    let grew = "Grew in the 42 s since look 1, when 1.0 MiB had no record, so that turnover looks like growth: ";
    assert!(screen(&past).starts_with(grew), "{}", screen(&past));
}

#[test]
fn what_was_born_while_off_is_a_gap_of_every_answer() {
    let snapshot = tracked(off);
    for line in ["top", "count", "list *", "sites", "growth", "where 0x1000"] {
        let gaps = ask(&snapshot, line).unwrap().gaps;
        assert_eq!(gaps.len(), 1, "{line}");
        assert_eq!(
            gaps[0].what, "7 live blocks of 3.0 MiB, born in the 42 s while tracking was off",
            "{line}"
        );
    }
    let known = tracked(|snapshot| {
        off(snapshot);
        snapshot.tracking.unknown_blocks = 0;
    });
    assert!(ask(&known, "top").unwrap().gaps.is_empty(), "all died");
}

#[test]
fn an_address_without_a_record_may_be_a_block() {
    let error = ask(&tracked(off), "where 0x9000000").expect_err("it has no record");
    assert_eq!(error.to_string(), "no recorded block lies at 0x9000000");
    assert!(error.hint().unwrap().contains("while tracking was off"));
    let error = ask(&snapshot(), "where 0x9000000").expect_err("it is none");
    assert_eq!(error.to_string(), "no live Rust block lies at 0x9000000");
}

#[test]
fn estimates_are_scaled_and_say_how_many_blocks_they_rest_on() {
    let snapshot = tracked(sample);
    // Five of 128 bytes, each for 1 / (1 - exp(-1/8)) = 8.51 blocks.
    for line in ["top", "count CacheEntity", "growth --all"] {
        let report = ask(&snapshot, line).unwrap();
        assert_eq!(cell(&report, 0, "count"), &Value::Count(43), "{line}");
        assert_eq!(cell(&report, 0, "bytes"), &Value::Bytes(5447), "{line}");
        assert_eq!(cell(&report, 0, "sample"), &Value::Count(5), "{line}");
        assert_eq!(report.gaps.len(), 1, "{line}");
        assert!(report.gaps[0].why.contains("5 recorded blocks"), "{line}");
    }
    let sites = ask(&snapshot, "sites").unwrap();
    assert_eq!(cell(&sites, 0, "sample"), &Value::Count(5));
    let list = ask(&snapshot, "list CacheEntity").unwrap();
    assert_eq!(list.total[0].1, Value::Count(43));
    assert_eq!(list.notes[0], "5 blocks recorded, which stand for about 43");
    let exact = ask(&super::super::fixture::snapshot(), "top").unwrap();
    assert_eq!(cell(&exact, 0, "sample"), &Value::None);
    let titled = |report: &Report| report.columns.iter().any(|one| one.title == "sample");
    assert!(!titled(&exact) && titled(&ask(&snapshot, "top").unwrap()));
}

#[test]
fn growth_says_what_the_look_before_did_not_know() {
    let (snapshot, mut book, mut past) = (snapshot(), Book::default(), past());
    past.unknown = 1 << 20;
    past.groups[0].sample = 3;
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let gaps = find("growth")
        .unwrap()
        .answer(&mut view, &[], &mut Asked::default())
        .unwrap()
        .gaps;
    assert_eq!(gaps.len(), 2);
    assert!(
        gaps[1]
            .what
            .starts_with("1.0 MiB that lived at the last look")
    );
}

#[test]
fn a_command_that_a_mode_cannot_answer_says_what_to_do() {
    let every = Command {
        name: "every",
        needs: &[Need::Every],
        ..Command::PLAIN
    };
    let ask_every = |snapshot: &Snapshot| {
        let mut book = Book::default();
        let mut view = View::new(snapshot, &mut book, None);
        every.answer(&mut view, &[], &mut Asked::default())
    };
    assert!(ask_every(&snapshot()).is_ok());
    let error = ask_every(&tracked(sample)).expect_err("it is sampled");
    assert_eq!(
        error.to_string(),
        "`every` cannot answer: it needs every live block, and 40 are not recorded"
    );
    assert!(error.hint().unwrap().starts_with("`track full`"));
    let full_again = tracked(|snapshot| {
        off(snapshot);
        snapshot.tracking.mode = Mode::Full;
    });
    let error = ask_every(&full_again).expect_err("some are not recorded");
    assert!(error.hint().unwrap().contains("once those have died"));

    let nothing = tracked(|snapshot| {
        off(snapshot);
        snapshot.blocks.clear();
    });
    for line in ["top", "list *", "count", "sites", "where 0x1000"] {
        let error = ask(&nothing, line).expect_err(line);
        assert!(
            error
                .to_string()
                .ends_with("no live block is recorded, tracking was off")
        );
        assert!(error.hint().unwrap().starts_with("`track full`"), "{line}");
    }
    assert!(ask(&nothing, "info").is_ok() && ask(&nothing, "growth").is_ok());
}
