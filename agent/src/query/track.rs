//! `track`: how much is recorded, and what is not known because it was less than all.

use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Gap, Host, Mode, Rate, Request, Snapshot, Tracking};
use crate::report::{Column, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "track",
    aliases: &[],
    summary: "how much is recorded: all blocks, a sample, or none",
    help: "Alone it says how much of what the program allocates is recorded, since when, what that costs in memory, and what \
           is not known because it was less before. With a mode it switches at once. `full` records every block. \
           `sampled N` records one for every N bytes allocated, on average, and costs next to nothing: rows and sums are \
           then estimates. N may end with k or m and goes to the nearest power of two from 1k to 8m; it is 512k unless \
           given. `off` records none. What is recorded already stays so until it is freed; a block that is moved by realloc \
           counts as a new one.",
    arguments: &[
        Argument {
            name: "MODE",
            kind: Kind::Mode,
            optional: true,
            help: "full, sampled or off",
        },
        Argument {
            name: "N",
            kind: Kind::Number,
            optional: true,
            help: "bytes from sample to sample, on average",
        },
    ],
    examples: &[
        Example {
            line: "track",
            says: "how it stands",
        },
        Example {
            line: "track sampled 64k",
            says: "a block for every 64 KiB",
        },
        Example {
            line: "track full",
            says: "every block",
        },
    ],
    from: "jemalloc's prof.active and prof.reset",
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    let mut head = Vec::new();
    if typed.words.is_empty() {
        head.push(standing(&view.snapshot.tracking));
        head.extend(
            view.switched
                .map(|mode| format!("From now on: {}.", name(mode))),
        );
    } else {
        let mode = read(typed)?;
        host.request(Request::Track(mode))?;
        view.switched = Some(mode);
        head.push(follows(&view.snapshot.tracking, mode));
    }
    let tracking = &view.snapshot.tracking;
    Ok(Report {
        command: COMMAND.name,
        head,
        columns: vec![
            Column::flexible("part", "what it costs"),
            Column::new("bytes", "bytes"),
        ],
        rows: costs(view.snapshot),
        total: facts(view),
        notes: notes(tracking, view.switched.unwrap_or(tracking.mode)),
        gaps: gaps(tracking),
        ..Report::default()
    })
}

fn read(typed: &Typed) -> Result<Mode, Error> {
    let mode: Mode = typed
        .words
        .join(" ")
        .parse()
        .map_err(|error: crate::heap::NoMode| typed.wrong(error.to_string()))?;
    Ok(Rate::of(mode).map_or(mode, Rate::mode))
}

/// What a mode does, for people.
fn name(mode: Mode) -> String {
    match mode {
        Mode::Full => "in full".to_owned(),
        Mode::Sampled(mean) => {
            let mean = Value::Bytes(mean.get());
            format!("sampled, a block for every {mean} on average")
        }
        Mode::Off => "off".to_owned(),
    }
}

/// How the tracker stood at the stop: mode and since when.
pub(crate) fn mode(tracking: &Tracking) -> String {
    match tracking.mode_for {
        None if tracking.mode == Mode::Full => name(tracking.mode),
        None => format!(
            "{}, since the program's first allocation",
            name(tracking.mode)
        ),
        Some(span) => format!("{}, for {}", name(tracking.mode), Value::Span(span)),
    }
}

fn standing(tracking: &Tracking) -> String {
    let since = match tracking.mode_for {
        None => ", since the program's first allocation",
        Some(_) => "",
    };
    match tracking.mode {
        Mode::Full => format!("Tracking: {}{since}.", mode(tracking)),
        _ => format!("Tracking: {}.", mode(tracking)),
    }
}

fn follows(tracking: &Tracking, mode: Mode) -> String {
    let was = if mode == tracking.mode { "still " } else { "" };
    let what = match mode {
        Mode::Full if tracking.unknown_blocks > 0 => {
            "every block born or moved from now on is recorded; those without a record stay unknown until they die"
        }
        Mode::Full => "every block is recorded",
        Mode::Sampled(_) => {
            "blocks born or moved from now on are in estimates; what is recorded already counts as it did"
        }
        Mode::Off => {
            "blocks born or moved from now on are not known; what is recorded already stays until it is freed"
        }
    };
    format!("Tracking is {was}{}: {what}.", name(mode))
}

fn costs(snapshot: &Snapshot) -> Vec<Row> {
    let tracking = &snapshot.tracking;
    let used = Value::Share(f64::from(tracking.sites_used_permille) / 1000.0);
    let stacks = format!(
        "{}, {used} % of their room",
        count(tracking.sites, "call stack")
    );
    // Of pages that were only read, the kernel counts as present what it does not count as resident.
    let mut left = snapshot.memory.own;
    let mut take = |bytes: u64| {
        let taken = bytes.min(left);
        left -= taken;
        taken
    };
    let (stack_bytes, record_bytes) = (take(tracking.sites_bytes), take(tracking.records_bytes));
    let row = |key: &'static str, name: String, bytes| {
        let name = Value::Name {
            short: name.into(),
            full: key.into(),
        };
        Row::new([name, Value::Bytes(bytes)])
    };
    vec![
        row("records", "records of blocks".to_owned(), record_bytes),
        row("stacks", stacks, stack_bytes),
        row("rest", "unwind rules, threads, this look".to_owned(), left),
    ]
}

fn facts(view: &View<'_>) -> Vec<(&'static str, Value)> {
    let tracking = &view.snapshot.tracking;
    let mode = |mode: Mode| Value::Text(mode.to_string());
    vec![
        ("bytes", Value::Bytes(view.snapshot.memory.own)),
        ("mode", mode(tracking.mode)),
        ("mode_s", tracking.mode_for.map_or(Value::None, Value::Span)),
        ("next_mode", view.switched.map_or(Value::None, mode)),
        ("off_s", Value::Span(tracking.off_for)),
        ("sampled_s", Value::Span(tracking.sampled_for)),
        ("sample", Value::Count(tracking.sample)),
        ("unknown_count", Value::Count(tracking.unknown_blocks)),
        ("unknown_bytes", Value::Bytes(tracking.unknown_bytes)),
        ("sites", Value::Count(tracking.sites)),
    ]
}

fn notes(tracking: &Tracking, mode: Mode) -> Vec<String> {
    let mut notes = Vec::new();
    if tracking.unknown_blocks > 0 {
        notes.push(format!(
            "Without a record: {} of {}, counted exactly.",
            count(tracking.unknown_blocks, "live block"),
            Value::Bytes(tracking.unknown_bytes),
        ));
    }
    notes.push(
        match mode {
            Mode::Full => "`track sampled 512k` or `track off` cost the program less.",
            Mode::Sampled(_) | Mode::Off => "`track full` records every block.",
        }
        .to_owned(),
    );
    notes
}

/// What answers about blocks do not know because not all was recorded.
pub(crate) fn gaps(tracking: &Tracking) -> Vec<Gap> {
    let gaps = [estimated(tracking), unborn(tracking), crowded(tracking)];
    gaps.into_iter().flatten().collect()
}

fn estimated(tracking: &Tracking) -> Option<Gap> {
    let sampled = !tracking.sampled_for.is_zero() && tracking.unknown_blocks > 0;
    let gap = || {
        Gap::new(
            "exact counts and bytes of what was born while tracking was sampled",
            format!(
                "they are estimates from {}; one from n blocks is good to about 1 part in the root of n",
                count(tracking.sample, "recorded block")
            ),
        )
    };
    sampled.then(|| match tracking.mode {
        Mode::Full => gap(),
        _ => gap().mended_by("`track full`"),
    })
}

fn unborn(tracking: &Tracking) -> Option<Gap> {
    if tracking.off_for.is_zero() || tracking.unknown_blocks == 0 {
        return None;
    }
    // Of the blocks without a record, those of a sample are in its estimates.
    let most = if tracking.sampled_for.is_zero() {
        ""
    } else {
        "at most "
    };
    let gap = Gap::new(
        format!(
            "{most}{} of {}, born in the {} while tracking was off",
            count(tracking.unknown_blocks, "live block"),
            Value::Bytes(tracking.unknown_bytes),
            Value::Span(tracking.off_for),
        ),
        "they have no record, and so no type, and are in no row",
    );
    Some(match tracking.mode {
        Mode::Off => gap.mended_by("`track full`, for what is born from then on"),
        _ => gap,
    })
}

fn crowded(tracking: &Tracking) -> Option<Gap> {
    let gap = || {
        let lost = count(tracking.crowded, "record");
        Gap::new(
            "some of the smallest blocks",
            format!(
                "the allocator puts blocks closer together than they can be told apart; {lost} lost"
            ),
        )
        .mended_by("`sigheap::Heap::new(…)` around the allocator asks it for 32 bytes at a time")
    };
    (tracking.crowded > 0).then(gap)
}

/// Whether every live block has a record.
pub(crate) fn is_whole(tracking: &Tracking) -> bool {
    tracking.mode == Mode::Full && tracking.unknown_blocks == 0 && tracking.crowded == 0
}

#[cfg(test)]
mod tests {
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
}
