//! What one look hands on to the next: marks, peaks.

use super::super::fixture;
use super::*;

/// Several lines of one look; what it hands on, and its last answer.
fn marked(lines: &[&str]) -> (Ledger, Result<Report, Error>) {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let mut host = Asked::default();
    let mut answers: Vec<_> = lines
        .iter()
        .map(|line| ask(&mut view, line, &mut host))
        .collect();
    let kept = host.1.pop().unwrap_or_default();
    let ledger = Ledger::decode(&kept).expect("it was not damaged");
    (ledger, answers.pop().expect("a line was asked"))
}

fn names(ledger: &Ledger) -> Vec<&str> {
    ledger.marks.iter().map(|mark| mark.name.as_str()).collect()
}

#[test]
fn marks_are_made_replaced_and_forgotten() {
    let (ledger, answer) = marked(&["mark warm"]);
    assert_eq!(names(&ledger), ["before", "warm"]);
    assert_eq!(ledger.last.expect("this look's").look, 2);
    let head = &answer.expect("it has an answer").head[0];
    assert_eq!(head, "Marked look 2 as `warm`: 12 live blocks, 1.1 KiB.");
    let (ledger, answer) = marked(&["mark before"]);
    assert_eq!(names(&ledger), ["before"]);
    assert_eq!(ledger.marks[0].counts.look, 2);
    assert!(answer.expect("it has an answer").head[0].ends_with("in place of look 1."));
    assert_eq!(names(&marked(&["mark x", "mark before --drop"]).0), ["x"]);
}

#[test]
fn names_of_marks_are_checked() {
    let wrong = |line: &str| marked(&[line]).1.expect_err("it is wrong");
    let error = wrong("diff befroe");
    assert_eq!(error.to_string(), "there is no mark `befroe`");
    assert_eq!(error.hint().as_deref(), Some("did you mean `before`?"));
    assert_eq!(
        wrong("growth --since x").to_string(),
        "there is no mark `x`"
    );
    assert_eq!(wrong("diff 7").to_string(), "there is no mark `7`");
    assert_eq!(wrong("diff").to_string(), "diff: from which mark?");
    assert_eq!(
        wrong("growth --since").to_string(),
        "growth: --since takes MARK"
    );
    assert!(
        wrong("mark a\u{1b}b")
            .to_string()
            .starts_with("mark: a name is made of")
    );
    assert!(wrong("mark a b").to_string().ends_with("one word too many"));
    assert!(
        wrong(&format!("mark {}", "x".repeat(41)))
            .to_string()
            .contains("40 bytes")
    );
    assert!(wrong("mark -x").to_string().contains("begin with -"));
    assert!(wrong("mark --drop").to_string().contains("which mark?"));
    assert!(wrong("mark none --drop").hint().is_some());
}

#[test]
fn marks_may_be_called_by_numbers() {
    let (_, answer) = marked(&["mark 1", "mark 2", "diff 1 2 --all"]);
    let head = answer.expect("it has an answer").head;
    assert_eq!(head, ["From the mark `1` to `2`, of the same look:"]);
    let (_, answer) = marked(&["mark 1", "diff before 1 1"]);
    let report = answer.expect("it has an answer");
    assert_eq!(report.rows.len(), 1, "one row was asked for");
}

#[test]
fn a_diff_is_from_mark_to_mark() {
    let deltas = |line: &str| {
        let (_, answer) = marked(&["mark now", line]);
        let rows = answer.expect("it has an answer").rows;
        let row = |row: &crate::report::Row| (row.cells[0].to_string(), row.cells[2].to_string());
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let entities = |sign| ("Arc<CacheEntity>".to_owned(), format!("{sign}2"));
    assert_eq!(deltas("diff before"), [entities("+")]);
    assert_eq!(deltas("diff before now"), [entities("+")]);
    assert_eq!(deltas("growth --since before"), [entities("+")]);
    let back = deltas("diff now before --all");
    assert_eq!(back.last(), Some(&entities("-")));
    assert_eq!(back.len(), 5);
    assert!(deltas("diff now").is_empty());
}

#[test]
fn peaks_are_what_there_was_never_so_much_of() {
    let (_, answer) = marked(&["growth --peak"]);
    let report = answer.expect("it has an answer");
    assert_eq!(report.head, ["Above the counts of look 1:"]);
    let row = |row: &crate::report::Row| (row.cells[0].to_string(), row.cells[2].to_string());
    let rows: Vec<_> = report.rows.iter().map(row).collect();
    // Of strings there were four, and are three.
    let above = ["Vec<u64>", "Arc<CacheEntity>", "unknown"];
    assert_eq!(rows, above.map(|name| (name.to_owned(), "+2".to_owned())));
    assert!(marked(&["growth --peak --since before"]).1.is_err());
}

#[test]
fn peaks_are_handed_on_and_never_fall() {
    let (mut snapshot, mut book) = (snapshot(), Book::default());
    let mut ledger = fixture::ledger(None);
    let mut shown = Vec::new();
    // Five entities, then two, then five, then six.
    for (look, gone) in [(1, 0), (2, 3), (3, 0)] {
        snapshot = Snapshot {
            look,
            blocks: fixture::snapshot().blocks.split_off(gone),
            ..snapshot
        };
        let mut view = View::open(&snapshot, &mut book, &NoMemory, ledger, 1 << 20);
        let mut host = Asked::default();
        let report = ask(&mut view, "growth --peak", &mut host).expect("it has an answer");
        shown.push(report.rows.len());
        view.hand_on_peaks(&mut host).expect("it is kept");
        let kept = host.1.pop().expect("it was kept");
        ledger = Ledger::decode(&kept).expect("it was not damaged");
    }
    assert_eq!(
        shown,
        [0, 0, 0],
        "a fall and a return are no growth above the peak"
    );
    assert_eq!(
        ledger
            .peaks
            .of("Arc<demo_server::CacheEntity>")
            .expect("it has a peak")
            .count,
        5
    );
}

#[test]
fn more_blocks_are_above_the_peak_whatever_their_bytes() {
    let (snapshot, mut book) = (snapshot(), Book::default());
    let mut ledger = fixture::ledger(None);
    ledger
        .peaks
        .raise(1, [("String", 2, 1 << 20), ("Vec<u64>", 2, 8)]);
    let mut view = View::open(&snapshot, &mut book, &NoMemory, ledger, 1 << 20);
    let report = ask(&mut view, "growth --peak", &mut Asked::default());
    let rows = report.expect("it has an answer").rows;
    let names: Vec<_> = rows.iter().map(|row| row.cells[0].to_string()).collect();
    // Of vectors there are as many, larger ones: no growth by that rule.
    assert_eq!(names, ["Arc<CacheEntity>", "unknown", "String"]);
}

#[test]
fn a_look_that_ended_early_still_counts_as_a_peak() {
    let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let mut ledger = fixture::ledger(Some(&past));
    ledger.peaks = crate::trend::Peaks::default();
    let mut view = View::open(&snapshot, &mut book, &NoMemory, ledger, 1 << 20);
    let peaks = view.peaks().expect("there was a look");
    assert_eq!(
        (peaks.through, peaks.of("String").expect("it had").count),
        (1, 4)
    );
}

#[test]
fn a_mark_without_room_is_refused_or_coarse() {
    let (mut snapshot, mut book, past) = (snapshot(), Book::default(), past());
    let first = snapshot.blocks[0];
    snapshot.blocks = (0..500).map(|i| Block { size: i, ..first }).collect();
    let mut view = View::new(&snapshot, &mut book, Some(&past));
    let mut mark = |name: &str, room| {
        view.room = room;
        ask(&mut view, &format!("mark {name}"), &mut Asked::default())
    };
    assert_eq!(mark("whole", 1 << 20).expect("there is room").gaps, []);
    assert_eq!(mark("coarse", 7000).expect("there is some").gaps.len(), 1);
    let error = mark("none", 5000).expect_err("there is none");
    assert_eq!(error, Error::MarksFull { number: false });
    assert_eq!(view.ledger.marks.len(), 3);
    let diff = ask(&mut view, "diff coarse whole", &mut Asked::default());
    let gaps = diff.expect("it has an answer").gaps;
    assert_eq!(
        gaps[0].what,
        "exact types of what the mark `coarse` counted"
    );
}
