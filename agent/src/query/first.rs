//! The first screen: what is said before anything is asked. It fits 24 lines of 80 columns.

use super::change::{Change, changes};
use super::info::{Part, parts, paused, tracking, typed, unstopped, untracked};
use super::types::type_value;
use super::{View, find};
use crate::heap::Host;
use crate::report::{Object, Report, Value};

/// Types named as grown.
const GROWN: usize = 3;
/// Threads named that did not stop; `info` names all.
const THREADS: usize = 2;
/// Parts of the memory that `info` alone tells apart.
const REST: [&str; 3] = ["rounding", "foreign", "unexplained"];
/// Hints shown; `info` shows all.
const HINTS: usize = 3;
/// Gaps shown; `info` shows all.
const GAPS: usize = 2;

/// Program, memory, tracking, so many of the heaviest types, what grew, and what to type next.
pub(crate) fn first_screen(view: &mut View<'_>, types: usize) -> Report {
    let mut report = match view.snapshot.tracking.present {
        true => top(view, types),
        false => Report::default(),
    };
    report.command = "info";
    report.head = head(view);
    // What would make it scroll; `top` and `info` say these.
    report.total = Vec::new();
    let mut gaps = view.gaps();
    gaps.extend(untracked(view.snapshot));
    report.notes = notes(view, &report.objects, gaps.len());
    // What the next answer will have comes first: it is said of the rows above it.
    if !view.knows_types() && !gaps.is_empty() {
        gaps.rotate_right(1);
    }
    gaps.truncate(GAPS);
    report.gaps = gaps;
    report
}

fn head(view: &mut View<'_>) -> Vec<String> {
    let mut head = vec![paused(view)];
    head.extend(unstopped(view.snapshot, THREADS));
    head.extend(view.snapshot.hints.iter().take(HINTS).cloned());
    head.push(resident(view));
    head.push(tracking(view.snapshot));
    if view.snapshot.tracking.present {
        head.push(typed(view));
    }
    head
}

fn notes(view: &mut View<'_>, objects: &[Object], gaps: usize) -> Vec<String> {
    let mut notes: Vec<String> = grown(view).into_iter().collect();
    if gaps > GAPS {
        let left = gaps - GAPS;
        notes.push(format!("{left} more of what could not be known: `info`"));
    }
    notes.push(next(view, objects));
    notes.push(
        "`continue` (Ctrl-D) resumes the program, `quit` ends it, `abort` dumps core.".to_owned(),
    );
    notes
}

fn top(view: &mut View<'_>, types: usize) -> Report {
    struct Nobody;
    impl Host for Nobody {
        fn request(&mut self, _: crate::heap::Request) -> Result<(), crate::heap::Untold> {
            Err(crate::heap::Untold)
        }
    }
    let rows = [types.to_string()];
    let answer = find("top").and_then(|top| top.answer(view, &rows, &mut Nobody));
    answer.unwrap_or_default()
}

fn resident(view: &View<'_>) -> String {
    let memory = &view.snapshot.memory;
    let part = |part: &Part| match part.bytes {
        Some(bytes) => format!("{} {}", part.name, Value::Bytes(bytes)),
        None => format!("{} not known", part.name),
    };
    let (rest, named): (Vec<Part>, Vec<Part>) = parts(memory)
        .into_iter()
        .partition(|part| REST.contains(&part.key));
    let named: Vec<String> = named.iter().map(part).collect();
    let rest = rest.iter().filter_map(|part| part.bytes).sum();
    format!(
        "Resident {}: {}, the rest {}.",
        Value::Bytes(memory.resident),
        named.join(", "),
        Value::Bytes(rest),
    )
}

/// What grew most since the last look.
fn grown(view: &mut View<'_>) -> Option<String> {
    if !view.knows_types() {
        return None;
    }
    let past = view.past()?;
    let ago = Value::Span(std::time::Duration::from_nanos(past.ago_ns));
    let changes = changes(&view.types().kinds, &past.kinds);
    let grown = changes.iter().filter(|change| change.grew()).take(GROWN);
    let one = |change: &Change| {
        let name = type_value(&change.kind.name, false);
        let (count, bytes) = (
            Value::DeltaCount(change.count),
            Value::DeltaBytes(change.bytes),
        );
        format!("{name} {count} ({bytes})")
    };
    let grown: Vec<String> = grown.map(one).collect();
    let turnover = match past.unknown {
        0 => String::new(),
        unknown => format!(
            ", when {} had no record, so that turnover looks like growth",
            Value::Bytes(unknown)
        ),
    };
    Some(if grown.is_empty() {
        format!("Nothing grew in the {ago} since look {}.", past.look)
    } else {
        format!(
            "Grew in the {ago} since look {}{turnover}: {}.",
            past.look,
            grown.join(", ")
        )
    })
}

fn next(view: &mut View<'_>, objects: &[Object]) -> String {
    let more = if view.has_past() { "`growth`" } else { "`top`" };
    match objects.first() {
        Some(_) => {
            format!("Next: {more}, `sites #1` where from, `path #1` who holds it, `leaks`, `help`.")
        }
        None => "Next: `info`, `help`.".to_owned(),
    }
}
