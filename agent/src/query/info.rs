//! `info`: the state of the program, its memory and the tracker.

use super::types::{Types, share};
use super::verdict::verdict;
use super::{Command, Error, Example, Typed, View};
use crate::heap::{Confidence, Gap, Host, MemorySplit, Snapshot};
use crate::report::{Column, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "info",
    aliases: &["i"],
    summary: "the program, where its memory is, what the tracker knows",
    help: "The first screen in full: how long the program has been paused and what stopped, where its resident memory is, how \
           the tracker stands, how many of the live bytes have a type, everything that could not be known with the line \
           that mends it, and a verdict: whether the live heap grows, the allocator keeps freed memory, or the memory is \
           outside Rust's allocator.",
    examples: &[
        Example {
            line: "info",
            says: "for you",
        },
        Example {
            line: "info --json",
            says: "for a program",
        },
    ],
    from: "pyrasite's memory viewer",
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, _: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let verdict = verdict(view);
    let mut head = vec![paused(view)];
    head.extend(unstopped(view.snapshot, usize::MAX));
    head.extend(view.snapshot.hints.iter().cloned());
    let mut notes = vec![live(view), tracker(view.snapshot), typed(view)];
    notes.push(format!("Verdict: {}", verdict.says));
    notes.push(format!("Next: {}", verdict.next));
    let mut gaps = view.gaps();
    gaps.extend(untracked(view.snapshot));
    let mut total = facts(view);
    total.push(("verdict", Value::text(verdict.about.key())));
    total.push(("verdict_says", Value::Text(verdict.says)));
    total.push(("next", Value::Text(verdict.next)));
    Ok(Report {
        command: COMMAND.name,
        head,
        columns: vec![
            Column::flexible("part", "resident memory"),
            Column::new("bytes", "bytes"),
            Column::new("share", "%"),
        ],
        rows: rows(&view.snapshot.memory),
        total,
        notes,
        gaps,
        ..Report::default()
    })
}

/// A part of the resident memory.
pub(crate) struct Part {
    /// What programs call it.
    pub(crate) key: &'static str,
    /// What people call it.
    pub(crate) name: &'static str,
    /// Its size, if it could be told.
    pub(crate) bytes: Option<u64>,
}

/// Where the resident memory is.
pub(crate) fn parts(memory: &MemorySplit) -> [Part; 8] {
    [
        ("live", "live Rust blocks", Some(memory.live)),
        ("rounding", "rounding of those", memory.rounding),
        ("free", "free in the allocator", memory.free),
        ("foreign", "C's malloc", memory.foreign),
        ("own", "the agent's own", Some(memory.own)),
        ("stacks", "stacks of threads", Some(memory.stacks)),
        ("files", "files", Some(memory.files)),
        ("unexplained", "unexplained", Some(memory.unexplained)),
    ]
    .map(|(key, name, bytes)| Part { key, name, bytes })
}

/// Program and pid, how long it has been paused, what stopped.
pub(crate) fn paused(view: &View<'_>) -> String {
    let snapshot = view.snapshot;
    let threads = snapshot.programs_threads();
    let stopped = threads.filter(|t| t.stopped.is_ok()).count() as u64;
    let state = if view.frozen {
        let paused = Value::Span(view.paused);
        format!("paused for {paused} and its clients wait")
    } else {
        "it runs on, this is a copy".to_owned()
    };
    format!(
        "{} (pid {}), look {}: {state}; {} stopped in {}.",
        snapshot.program,
        snapshot.pid,
        snapshot.look,
        count(stopped, "thread"),
        Value::Span(snapshot.stop),
    )
}

/// A line for the threads that could not be stopped, of whom so many are named.
pub(crate) fn unstopped(snapshot: &Snapshot, most: usize) -> Option<String> {
    let mut running = Vec::new();
    for thread in &snapshot.threads {
        if let Err(why) = &thread.stopped {
            running.push(format!("{} ({}): {why}", thread.name, thread.tid));
        }
    }
    let left = running.len().saturating_sub(most);
    running.truncate(most);
    if left > 0 {
        running.push(format!("{left} more"));
    }
    (!running.is_empty()).then(|| format!("Not stopped: {}.", running.join("; ")))
}

/// How the tracker stands, and what has no record.
pub(crate) fn tracking(snapshot: &Snapshot) -> String {
    let tracking = &snapshot.tracking;
    let line = tracker(snapshot);
    match tracking.unknown_blocks {
        0 => line,
        n => format!(
            "{}; {} of {} without a record.",
            line.trim_end_matches('.'),
            count(n, "block"),
            Value::Bytes(tracking.unknown_bytes)
        ),
    }
}

fn tracker(snapshot: &Snapshot) -> String {
    let tracking = &snapshot.tracking;
    if !tracking.present {
        return "Tracking: none, the program does not allocate through sigheap::Heap.".to_owned();
    }
    let used = Value::Share(f64::from(tracking.sites_used_permille) / 1000.0);
    let sites = count(tracking.sites, "call stack");
    let some = |n, what| match n {
        0 => String::new(),
        n => format!("; {} {what}", count(n, "block")),
    };
    format!(
        "Tracking: {}; {sites} kept, {used} % of their room used{}{}.",
        super::track::mode(tracking),
        some(tracking.without_stack, "came without one"),
        some(
            tracking.unrecorded,
            "could not be recorded for want of memory"
        ),
    )
}

/// How many of the live bytes have a type.
pub(crate) fn typed(view: &mut View<'_>) -> String {
    let types = view.types();
    let share = |at_least| Value::Share(types.share(at_least));
    format!(
        "Types: {} % of the {} bytes have one, {} % exact (~ likely, ? guessed).",
        share(Confidence::Guess),
        of_what(view.snapshot, &types),
        share(Confidence::Exact),
    )
}

/// Which bytes the shares of an answer are of: what has no record, and no sample that stands for it, is in none.
pub(crate) fn of_what(snapshot: &Snapshot, types: &Types) -> &'static str {
    if snapshot.tracking.unknown_blocks > 0 && types.counts.sample() == 0 {
        "recorded"
    } else {
        "live"
    }
}

/// What mends a program that is not tracked.
pub(crate) fn untracked(snapshot: &Snapshot) -> Option<Gap> {
    let gap = Gap::new(
        "the heap",
        "the program does not allocate through sigheap::Heap",
    );
    (!snapshot.tracking.present).then(|| {
        gap.mended_by("#[global_allocator] static HEAP: sigheap::Heap = sigheap::Heap::system();")
    })
}

fn rows(memory: &MemorySplit) -> Vec<Row> {
    let row = |part| row(part, memory.resident);
    parts(memory).map(row).to_vec()
}

fn row(part: Part, resident: u64) -> Row {
    Row::new([
        Value::Name {
            short: part.name.into(),
            full: part.key.into(),
        },
        part.bytes.map_or(Value::None, Value::Bytes),
        part.bytes
            .map_or(Value::None, |bytes| Value::Share(share(bytes, resident))),
    ])
}

fn live(view: &mut View<'_>) -> String {
    let types = view.types();
    let known = types.kinds.iter().filter(|kind| kind.is_known()).count();
    let types = count(known as u64, "type");
    let (snapshot, tracking) = (view.snapshot, &view.snapshot.tracking);
    let (blocks, bytes) = (snapshot.blocks.len() as u64, snapshot.live_bytes());
    let recorded = Value::Bytes(bytes);
    if tracking.unknown_blocks == 0 {
        return format!("Live: {} of {types}, {recorded}.", count(blocks, "block"));
    }
    // Counted exactly, whatever of it has a record.
    format!(
        "Live: {}, {}; {} of them, of {types} and {recorded}, have a record{}.",
        count(blocks + tracking.unknown_blocks, "block"),
        Value::Bytes(bytes + tracking.unknown_bytes),
        Value::Count(blocks),
        match tracking.sample {
            0 => "",
            _ => ", and stand for the others",
        },
    )
}

fn facts(view: &mut View<'_>) -> Vec<(&'static str, Value)> {
    let types = view.types();
    let snapshot = view.snapshot;
    let threads = snapshot.programs_threads();
    let stopped = threads.filter(|t| t.stopped.is_ok()).count();
    vec![
        ("bytes", Value::Bytes(snapshot.memory.resident)),
        ("program", Value::text(&*snapshot.program)),
        ("look", Value::Count(u64::from(snapshot.look))),
        ("paused_s", Value::Span(view.paused)),
        ("stop_s", Value::Span(snapshot.stop)),
        (
            "threads",
            Value::Count(snapshot.programs_threads().count() as u64),
        ),
        ("threads_stopped", Value::Count(stopped as u64)),
        ("live_count", Value::Count(types.counts.count())),
        ("live_bytes", Value::Bytes(types.counts.bytes())),
        ("types", Value::Count(types.kinds.len() as u64)),
        ("typed_share", Value::Share(types.share(Confidence::Guess))),
        ("exact_share", Value::Share(types.share(Confidence::Exact))),
        ("tracked", Value::Flag(snapshot.tracking.present)),
        ("sites", Value::Count(snapshot.tracking.sites)),
        (
            "sites_used",
            Value::Share(f64::from(snapshot.tracking.sites_used_permille) / 1000.0),
        ),
        (
            "without_stack",
            Value::Count(snapshot.tracking.without_stack),
        ),
        ("unrecorded", Value::Count(snapshot.tracking.unrecorded)),
        ("mode", Value::Text(snapshot.tracking.mode.to_string())),
        ("sample", Value::Count(snapshot.tracking.sample)),
        (
            "unknown_count",
            Value::Count(snapshot.tracking.unknown_blocks),
        ),
        (
            "unknown_bytes",
            Value::Bytes(snapshot.tracking.unknown_bytes),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixture::{Book, snapshot};

    /// With tracking off it said that all live bytes had a type, where next to none had a record.
    #[test]
    fn shares_are_of_what_has_a_record() {
        let (mut snapshot, mut book) = (snapshot(), Book::default());
        assert!(typed(&mut View::new(&snapshot, &mut book, None)).contains("of the live bytes"));
        snapshot.tracking.unknown_blocks = 3;
        assert!(
            typed(&mut View::new(&snapshot, &mut book, None)).contains("of the recorded bytes")
        );
    }
}
