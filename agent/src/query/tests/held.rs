//! Who holds what, in the fixture.

use std::cell::{Cell, RefCell};

use crate::heap::{Confidence, Mode, Step, Waiting};
use crate::query::fixture::{Asked, Book, held};
use crate::query::tests::ask;
use crate::query::{Error, View};
use crate::report::{Report, Value};
use crate::trend::Ledger;

/// The answer to the last of several lines of one look.
fn answer(lines: &[&str]) -> Result<Report, Error> {
    let ((snapshot, memory), mut book) = (held(), Book::default());
    let mut view = View::open(&snapshot, &mut book, &memory, Ledger::default(), 1 << 20);
    let mut last = Ok(Report::default());
    for line in lines {
        last = ask(&mut view, line, &mut Asked::default());
    }
    last
}

/// The values of a column, as people read them.
fn column(report: &Report, key: &str) -> Vec<String> {
    let place = report.columns.iter().position(|column| column.key == key);
    let place = place.unwrap_or_else(|| panic!("no column {key}"));
    report
        .rows
        .iter()
        .map(|row| row.cells[place].to_string())
        .collect()
}

fn below(report: &Report, row: usize) -> Vec<&str> {
    report.rows[row]
        .below
        .iter()
        .map(|line| &*line.text)
        .collect()
}

/// Hears what is done, and gives up when it hears one thing.
#[derive(Default)]
struct Hears {
    steps: RefCell<Vec<&'static str>>,
    until: &'static str,
    stopped: Cell<bool>,
}

impl Waiting for Hears {
    fn goes_on(&self, step: Step) -> bool {
        self.steps.borrow_mut().push(step.what);
        self.stopped
            .set(self.stopped.get() || step.what == self.until);
        !self.stopped.get()
    }

    fn has_stopped(&self) -> bool {
        self.stopped.get()
    }
}

#[test]
fn what_takes_long_says_so_and_ends_when_nobody_waits() {
    let (snapshot, memory) = held();
    for (line, until) in [
        ("instances", "counting values"),
        ("waste", "counting values"),
        ("list *Entity* --instances", "counting values"),
        ("tasks", "following tasks"),
    ] {
        let hears = Hears {
            until,
            ..Hears::default()
        };
        let mut book = Book::default();
        let ledger = Ledger::default();
        let mut view = View::open(&snapshot, &mut book, &memory, ledger, 1 << 20);
        view.waiting = &hears;
        _ = ask(&mut view, line, &mut Asked::default());
        let heard = hears.steps.borrow();
        let times = heard.iter().filter(|what| **what == until).count();
        assert_eq!(times, 1, "{line}: {heard:?}");
        assert!(
            !view.knows_statics,
            "{line}: what was made meanwhile is of a part"
        );
    }
}

#[test]
fn refs_go_one_step_down() {
    let report = answer(&["refs 0x2200"]).unwrap();
    assert_eq!(column(&report, "field"), ["+0x0", "+0x8", "+0x10", "+0x18"]);
    assert_eq!(
        column(&report, "address"),
        ["0x1000", "0x1200", "0x1400", "0x1600"]
    );
    assert_eq!(report.head, ["4 pointers in 0x2200 Vec<u64>, 256 B:"]);
    let down = answer(&["refs 0x2200", "refs #1"]).unwrap();
    assert_eq!(column(&down, "type"), ["String"]);
    assert_eq!(column(&answer(&["refs 0x1a00"]).unwrap(), "type"), [""; 0]);
}

#[test]
fn referrers_go_one_step_up_as_far_as_the_roots() {
    let report = answer(&["referrers 0x1000"]).unwrap();
    assert_eq!(column(&report, "address"), ["0x2200"]);
    let root = answer(&["referrers 0x1000", "backrefs #1"]).unwrap();
    assert_eq!(column(&root, "type"), ["static demo_server::CACHE +0x18"]);
    let error = answer(&["referrers 0x2200", "refs #1"]).expect_err("a root is no block");
    assert_eq!(error.to_string(), "row #1 is a root, not a block");
    let inside = answer(&["referrers 0x1c00"]).unwrap();
    assert_eq!(
        column(&inside, "type"),
        ["stack of worker, in demo_server::log::parse"]
    );
}

#[test]
fn many_blocks_with_one_shape_of_chain_are_one_row() {
    let report = answer(&["path CacheEntity"]).unwrap();
    assert_eq!(column(&report, "count"), ["4", "1"]);
    assert_eq!(
        column(&report, "root"),
        ["static demo_server::CACHE", "nothing"]
    );
    assert_eq!(below(&report, 0), ["~> Vec<u64>", "~> Arc<CacheEntity>"]);
    let strings = answer(&["path String"]).unwrap();
    let mut held = column(&strings, "held");
    held.sort_unstable();
    assert_eq!(held, ["stack", "static", "untracked"]);
}

#[test]
fn one_block_has_its_chain_step_by_step() {
    let report = answer(&["path 0x1a00"]).unwrap();
    assert_eq!(column(&report, "root"), ["static demo_server::CACHE +0x18"]);
    assert_eq!(
        below(&report, 0),
        [
            "~> Vec<u64>  0x2200, 256 B",
            "+0x0 ~> Arc<CacheEntity>  0x1000, 128 B",
            "+0x28 ~> String  0x1a00, 20 B"
        ]
    );
    let lost = answer(&["path 0x2000"]).unwrap();
    assert_eq!(lost.head, ["0x2000 Vec<u64>:"]);
    assert_eq!(column(&lost, "root"), ["nothing"]);
    assert!(answer(&["path CacheEntity --max 0"]).is_err());
    assert!(answer(&["path"]).is_err());
}

#[test]
fn what_nobody_holds_is_told_by_verdict() {
    let report = answer(&["leaks"]).unwrap();
    let rows: Vec<_> = ["type", "count", "bytes", "held"]
        .map(|key| column(&report, key))
        .into();
    assert_eq!(
        rows[0],
        ["Arc<CacheEntity>", "unknown", "Vec<u64>", "String"]
    );
    assert_eq!(rows[1], ["1", "2", "1", "1"]);
    assert_eq!(rows[2], ["128 B", "80 B", "64 B", "20 B"]);
    assert_eq!(rows[3], ["nothing", "nothing", "nothing", "untracked"]);
    assert_eq!(
        report.head,
        [
            "Held by nothing: 4 blocks, 272 B.",
            "Held by memory that is not tracked alone: 1 block, 20 B."
        ]
    );
    assert_eq!(
        report.notes.last().map(String::as_str),
        Some("Next: `why #1` where it was born, `cycles` the rings among them.")
    );
}

#[test]
fn leaks_are_not_told_from_a_sample() {
    let ((mut snapshot, memory), mut book) = (held(), Book::default());
    snapshot.tracking.mode = Mode::Sampled(std::num::NonZeroU64::MIN);
    let mut view = View::open(&snapshot, &mut book, &memory, Ledger::default(), 1 << 20);
    for line in [
        "leaks",
        "cycles",
        "suspects",
        "top --by retained",
        "list --by retained",
    ] {
        let error = ask(&mut view, line, &mut Asked::default()).expect_err("it knows too little");
        assert!(matches!(error, Error::NotEvery { .. }), "{line}: {error}");
    }
}

#[test]
fn a_ring_is_shown_all_the_way_round() {
    let report = answer(&["cycles"]).unwrap();
    assert_eq!(
        column(&report, "ring"),
        ["Arc<CacheEntity> -> unknown -> Arc<CacheEntity>"]
    );
    assert_eq!(
        below(&report, 0),
        [
            "0x1800 Arc<CacheEntity> id -> 0x2400",
            "0x2400 unknown +0x18 -> 0x1800"
        ]
    );
}

#[test]
fn types_and_blocks_are_ordered_by_what_they_retain() {
    let report = answer(&["top --by retained"]).unwrap();
    assert_eq!(column(&report, "type")[0], "Vec<u64>");
    assert_eq!(column(&report, "retained")[0], "852 B");
    assert_eq!(column(&answer(&["top"]).unwrap(), "retained")[0], "");
    let list = answer(&["list * --by retained"]).unwrap();
    assert_eq!(column(&list, "address")[..2], ["0x2200", "0x1800"]);
    assert_eq!(column(&list, "retained")[..2], ["788 B", "168 B"]);
}

#[test]
fn suspects_say_where_it_accumulates() {
    let report = answer(&["suspects"]).unwrap();
    assert_eq!(column(&report, "type")[0], "Vec<u64>");
    assert_eq!(
        below(&report, 0),
        [
            "held by static demo_server::CACHE +0x18",
            "~> Vec<u64>  0x2200, 256 B",
            "accumulates in 0x2200 Vec<u64>, which retains 788 B in 4 parts"
        ]
    );
    let none = answer(&["suspects --over 100"]).unwrap();
    assert!(none.rows.is_empty() && none.head[0].starts_with("Nothing retains 100.0 %"));
    assert_eq!(none.notes, ["Next: `suspects --over 2`."]);
    assert!(answer(&["suspects --over x"]).is_err());
}

#[test]
fn why_says_it_all() {
    let report = answer(&["why 0x1a00"]).unwrap();
    assert_eq!(column(&report, "retained"), ["20 B"]);
    assert_eq!(
        report.notes,
        [
            "it would go with 0x1000 Arc<CacheEntity>, which retains 148 B",
            "~> a word that reads as an address; ?> by its type it is none"
        ]
    );
    let below = below(&report, 0);
    assert_eq!(below[0], "Held by static demo_server::CACHE +0x18:");
    assert!(below.contains(&"Allocated in:"), "{below:?}");
    let sure = report
        .columns
        .iter()
        .position(|column| column.key == "confidence")
        .unwrap();
    assert_eq!(
        report.rows[0].cells[sure],
        Value::Confidence(Confidence::Exact)
    );
}

#[test]
fn a_graph_leads_up_to_the_roots_and_down_to_what_is_held() {
    let up = answer(&["graph 0x1a00"]).unwrap();
    assert_eq!(
        column(&up, "tree"),
        [
            "String",
            "  <- +0x28 of Arc<CacheEntity>",
            "    <- +0x0 of Vec<u64>",
            "      <- static demo_server::CACHE +0x18",
        ]
    );
    assert_eq!(column(&up, "kind"), ["block", "block", "block", "static"]);
    assert_eq!(
        up.total[..2],
        [("nodes", Value::Count(4)), ("edges", Value::Count(3))]
    );
    let down = answer(&["graph 0x2200 --refs --depth 1"]).unwrap();
    assert_eq!(down.rows.len(), 5);
    assert_eq!(below(&down, 1), ["    ... 1 more block"], "a step further");
    let all = answer(&["graph 0x2200 --refs"]).unwrap();
    assert_eq!(all.rows.len(), 6);
    // A row's number stands for its block.
    assert_eq!(answer(&["graph 0x1a00", "refs #3"]).unwrap().rows.len(), 4);
    assert!(answer(&["graph 0x1a00", "refs #4"]).is_err(), "a root");
}

#[test]
fn a_graph_counts_what_it_leaves_out() {
    let few = answer(&["graph 0x2200 --refs --max 2"]).unwrap();
    assert_eq!(below(&few, 0), ["  ... 2 more blocks"]);
    let two = answer(&["graph CacheEntity[0:2]"]).unwrap();
    assert_eq!(
        two.notes[0],
        "2 of 5 blocks: `graph CacheEntity[0:50]` takes the first 50"
    );
    // Both hang on the one vector.
    assert_eq!(two.rows.len(), 4);
    assert_eq!(below(&two, 3), ["  <- +0x8 of #2"]);
    let picture = two.picture.expect("there is one");
    assert_eq!(picture.graph.count(), 4);
    assert_eq!(picture.file, None);
}

#[test]
fn a_ring_that_nobody_holds_is_drawn_as_one() {
    let ring = answer(&["graph 0x1800"]).unwrap();
    assert_eq!(ring.rows.len(), 2);
    let graph = ring.picture.expect("there is one").graph;
    let mut arrows: Vec<_> = graph.edges.iter().map(|one| (one.from, one.to)).collect();
    arrows.sort_unstable();
    assert_eq!(arrows, [(0, 1), (1, 0)]);
    for wrong in [
        "graph",
        "graph 0x1800 --refs --referrers",
        "graph 0x1800 --depth 0",
        "graph 0x1800 -o a.png",
        "graph CacheEntity[7:9]",
    ] {
        assert!(
            matches!(answer(&[wrong]), Err(Error::Usage { .. })),
            "{wrong}"
        );
    }
}
