//! `track`: how much is recorded, and what is not known because it was less than all.

use super::unrecorded;
use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Host, Mode, Rate, Request, Snapshot, Tracking};
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
        gaps: unrecorded::gaps(tracking),
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

#[cfg(test)]
mod tests;
