//! `growth`: what grew since the last look.

use std::cmp::Reverse;
use std::time::Duration;

use super::types::{Kind, Past, Types, legend, type_value};
use super::{Argument, Command, Error, Example, Flag, Kind as ArgumentKind, Need, Typed, View};
use crate::heap::{Gap, Host};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "growth",
    aliases: &["g"],
    summary: "what grew since the last look",
    help: "Types of which there is more than when the program was last stopped, the one that grew by most bytes first. The \
           first look sets the baseline. While the program stands still nothing changes, so the answer of one look is the \
           same however often it is asked. With --all also the types that shrank or stayed.",
    arguments: &[Argument {
        name: "N",
        kind: ArgumentKind::Number,
        optional: true,
        help: "how many rows; 20 unless given",
    }],
    flags: &[Flag {
        name: "--all",
        values: &[],
        help: "also what shrank or stayed",
    }],
    examples: &[
        Example {
            line: "growth",
            says: "what grew",
        },
        Example {
            line: "growth 50 --all",
            says: "what shrank, too",
        },
    ],
    from: "objgraph's show_growth, Pympler's tracker",
    needs: &[Need::Tracking],
    run,
    ..Command::PLAIN
};

/// What is asked.
struct Ask {
    rows: usize,
    all: bool,
    full: bool,
}

/// A type and how it changed.
#[derive(Debug)]
pub(crate) struct Change {
    /// The type as it is now, with no blocks where all are gone.
    pub(crate) kind: Kind,
    /// Blocks more, or fewer.
    pub(crate) count: i64,
    /// Bytes more, or fewer.
    pub(crate) bytes: i64,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let ask = Ask::read(typed)?;
    let Some(past) = view.past() else {
        return Ok(baseline(view));
    };
    let types = view.types();
    let changes = changes(&types, &past);
    let total = total(&types, &changes);
    let mut shown: Vec<_> = changes.iter().filter(|c| ask.all || c.grew()).collect();
    let (all, meant) = (changes.len(), shown.len());
    shown.truncate(ask.rows);
    Ok(Report {
        command: COMMAND.name,
        head: vec![since(&past, meant)],
        columns: COLUMNS.to_vec(),
        rows: shown.iter().map(|change| row(change, ask.full)).collect(),
        objects: shown.iter().map(|change| change.object()).collect(),
        total,
        notes: notes(&shown, meant, all),
        gaps: gaps(view, &past),
    })
}

static COLUMNS: [Column; 6] = [
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("delta_count", "count +/-"),
    Column::new("count", "count"),
    Column::new("delta_bytes", "bytes +/-"),
    Column::new("bytes", "bytes"),
];

impl Ask {
    fn read(typed: &Typed) -> Result<Self, Error> {
        let (rows, rest) = typed.split_number();
        if let Some(word) = rest.first() {
            return Err(typed.wrong(format!("`{word}` is no number of rows")));
        }
        Ok(Ask {
            rows: rows.unwrap_or(20),
            all: typed.has("--all"),
            full: typed.full(),
        })
    }
}

/// Every type of this look and the one before, what grew most first.
pub(crate) fn changes(types: &Types, past: &Past) -> Vec<Change> {
    let now = types.kinds.iter().map(|kind| {
        let before = past.kinds.get(&kind.name.full);
        Change::new(kind.clone(), before)
    });
    let gone = past
        .kinds
        .values()
        .filter(|before| !types.has(&before.name));
    let gone = gone.map(|before| Change::new(Kind::new(before.name.clone()), Some(before)));
    let mut changes: Vec<Change> = now.chain(gone).collect();
    changes.sort_by_cached_key(|change| {
        let name = change.kind.name.full.clone();
        (Reverse(change.bytes), Reverse(change.count), name)
    });
    changes
}

impl Change {
    fn new(kind: Kind, before: Option<&Kind>) -> Self {
        let (count, bytes) = before.map_or((0, 0), |before| (before.count, before.bytes));
        Change {
            count: kind.count.wrapping_sub(count) as i64,
            bytes: kind.bytes.wrapping_sub(bytes) as i64,
            kind,
        }
    }

    /// Whether there is more of it, in bytes, or in blocks of no more bytes.
    pub(crate) fn grew(&self) -> bool {
        self.bytes > 0 || (self.bytes == 0 && self.count > 0)
    }

    fn object(&self) -> Object {
        Object::Type(self.kind.name.full.clone())
    }
}

fn baseline(view: &View<'_>) -> Report {
    Report {
        command: COMMAND.name,
        head: vec![
            "This is the first look: it sets the baseline.".to_owned(),
            "`continue`, let the program work, press Ctrl-\\ again, and `growth` names what grew."
                .to_owned(),
        ],
        columns: COLUMNS.to_vec(),
        gaps: view.gaps(),
        ..Report::default()
    }
}

fn since(past: &Past, grown: usize) -> String {
    let ago = Value::Span(Duration::from_nanos(past.ago_ns));
    let look = format!("look {}, {ago} before this one", past.look);
    if grown == 0 {
        format!("Nothing grew since {look}.")
    } else {
        format!("Since {look}:")
    }
}

fn row(change: &Change, full: bool) -> Row {
    Row::new([
        type_value(&change.kind.name, full),
        Value::Confidence(change.kind.name.confidence),
        Value::DeltaCount(change.count),
        Value::Count(change.kind.count),
        Value::DeltaBytes(change.bytes),
        Value::Bytes(change.kind.bytes),
    ])
}

fn total(types: &Types, changes: &[Change]) -> Vec<(&'static str, Value)> {
    let count = changes.iter().map(|change| change.count).sum();
    let bytes = changes.iter().map(|change| change.bytes).sum();
    vec![
        ("delta_count", Value::DeltaCount(count)),
        ("count", Value::Count(types.counts.count())),
        ("delta_bytes", Value::DeltaBytes(bytes)),
        ("bytes", Value::Bytes(types.counts.bytes())),
    ]
}

fn notes(shown: &[&Change], meant: usize, all: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let left = meant - shown.len();
    if left > 0 {
        let left = count(left as u64, "type");
        let flag = if meant == all { " --all" } else { "" };
        notes.push(format!(
            "{left} not shown: `growth {meant}{flag}` shows them"
        ));
    }
    if all > meant {
        let rest = count((all - meant) as u64, "type");
        notes.push(format!("{rest} shrank or stayed: `growth --all`"));
    }
    notes.extend(legend(shown.iter().map(|change| &change.kind.name)));
    notes
}

fn gaps(view: &View<'_>, past: &Past) -> Vec<Gap> {
    let mut gaps = view.gaps();
    if past.lost > 0 {
        gaps.push(Gap::new(
            format!(
                "types of {} that the last look counted",
                Value::Bytes(past.lost)
            ),
            "their call stacks have no live blocks any more",
        ));
    }
    if past.folded {
        gaps.push(Gap::new(
            "exact types of the last look's blocks",
            "it had more kinds of blocks than there is room to hand on, and counted them by call stack",
        ));
    }
    gaps
}
