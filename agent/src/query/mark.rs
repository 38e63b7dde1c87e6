//! `mark`: remembers the counts of this look under a name, for `diff` and `growth --since`.

use std::rc::Rc;
use std::time::Duration;

use super::{Argument, Command, Error, Example, Flag, Kind, Need, Typed, View};
use crate::heap::{Gap, Host};
use crate::report::{Column, Report, Row, Value, count};
use crate::trend::{Counts, LONGEST_NAME, Mark, NoMark};

pub(crate) static COMMAND: Command = Command {
    name: "mark",
    aliases: &[],
    summary: "remember this look under a name, to compare with",
    help: "Remembers how many blocks of each kind this look found, until the program ends; the blocks themselves are not \
           kept. `diff NAME` and `growth --since NAME` compare with it, in this look and in later ones. A name that is taken \
           stands for this look from then on. Without a name, the marks there are.",
    arguments: &[Argument {
        name: "NAME",
        kind: Kind::Mark,
        optional: true,
        help: "what to call it",
    }],
    flags: &[Flag {
        name: "--drop",
        values: &[],
        help: "forget the mark of that name",
    }],
    examples: &[
        Example {
            line: "mark",
            says: "the marks there are",
        },
        Example {
            line: "mark warm",
            says: "remember this look as `warm`",
        },
        Example {
            line: "mark before --drop",
            says: "forget the mark `before`",
        },
    ],
    from: "Pympler's tracker, heapy's setref",
    needs: &[Need::Tracking],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    match (typed.words.first(), typed.has("--drop")) {
        (None, true) => Err(typed.wrong("which mark?")),
        (None, false) => Ok(list(view)),
        (Some(name), true) => forget(view, name, host),
        (Some(name), false) => {
            check(name).map_err(|why| typed.wrong(why))?;
            make(view, name, host)
        }
    }
}

/// Whether this can be a mark's name, or why not.
pub(crate) fn check(name: &str) -> Result<(), String> {
    if name.len() > LONGEST_NAME {
        return Err(format!("a name has {LONGEST_NAME} bytes at most"));
    }
    if name.starts_with('-') {
        return Err("a name does not begin with -, as flags do".to_owned());
    }
    let fits = |c: char| c.is_alphanumeric() || "-_.:/+".contains(c);
    match name.chars().find(|c| !fits(*c)) {
        None if !name.is_empty() => Ok(()),
        _ => Err("a name is made of letters, digits and - _ . : / +".to_owned()),
    }
}

fn make(view: &mut View<'_>, name: &str, host: &mut dyn Host) -> Result<Report, Error> {
    let counts = view.counts();
    let before = view.ledger.clone();
    let replaced = before.mark(name).map(|mark| mark.counts.look);
    let made = view.ledger.add(name, Rc::clone(&counts), view.room);
    made.map_err(|why| Error::MarksFull {
        number: why == NoMark::TooMany,
    })?;
    if let Err(untold) = view.hand_on(host) {
        view.ledger = before;
        return Err(untold.into());
    }
    let kept = view.ledger.mark(name).map(|mark| Rc::clone(&mark.counts));
    let folded = kept.is_some_and(|kept| kept.folded);
    let blocks = count(counts.count(), "live block");
    let bytes = Value::Bytes(counts.bytes());
    let mut head = format!("Marked look {} as `{name}`: {blocks}, {bytes}", counts.look);
    match replaced {
        Some(look) if look != counts.look => head += &format!(", in place of look {look}."),
        _ => head += ".",
    }
    let next = format!(
        "`continue`, let the program work, look again, and `diff {name}` says what changed."
    );
    Ok(Report {
        head: vec![head],
        notes: vec![next],
        gaps: folded.then(coarse).into_iter().collect(),
        ..table(view, |mark| mark.name == name)
    })
}

fn forget(view: &mut View<'_>, name: &str, host: &mut dyn Host) -> Result<Report, Error> {
    let before = view.ledger.clone();
    if !view.ledger.drop_mark(name) {
        return Err(view.no_mark(name));
    }
    if let Err(untold) = view.hand_on(host) {
        view.ledger = before;
        return Err(untold.into());
    }
    let left = count(view.ledger.marks.len() as u64, "mark");
    Ok(Report {
        head: vec![format!("The mark `{name}` is forgotten; {left} left.")],
        ..table(view, |_| false)
    })
}

fn list(view: &View<'_>) -> Report {
    let mut report = table(view, |_| true);
    if report.rows.is_empty() {
        let how = "There are no marks. `mark NAME` remembers this look, `diff NAME` compares with it later.";
        report.head = vec![how.to_owned()];
    }
    let folded = view.ledger.marks.iter().any(|mark| mark.counts.folded);
    report.gaps.extend(folded.then(coarse));
    report
}

fn table(view: &View<'_>, meant: impl Fn(&Mark) -> bool) -> Report {
    let marks = view.ledger.marks.iter().filter(|mark| meant(mark));
    Report {
        command: COMMAND.name,
        columns: vec![
            Column::flexible("name", "mark"),
            Column::new("look", "look"),
            Column::new("age_s", "age"),
            Column::new("count", "count"),
            Column::new("bytes", "bytes"),
            Column::new("coarse", ""),
        ],
        rows: marks
            .map(|mark| row(view, &mark.name, &mark.counts))
            .collect(),
        ..Report::default()
    }
}

fn row(view: &View<'_>, name: &str, counts: &Counts) -> Row {
    let age = view.snapshot.taken_ns.saturating_sub(counts.taken_ns);
    Row::new([
        Value::text(name),
        Value::Count(counts.look.into()),
        Value::Span(Duration::from_nanos(age)),
        Value::Count(counts.count()),
        Value::Bytes(counts.bytes()),
        Value::Flag(counts.folded),
    ])
}

fn coarse() -> Gap {
    Gap::new(
        "exact types of some marked blocks",
        "there are more kinds of blocks than there is room to hand on, and they were counted by call stack",
    )
    .mended_by("`mark NAME --drop` makes room for the next one")
}
