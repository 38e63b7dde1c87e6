//! `growth`: what grew since the last look, since a mark, or above the highest count so far.

use super::change::{self, ALL, Ask, Change, ago, changes, columns, gaps, most_first};
use super::rows::N;
use super::{Command, Error, Example, Flag, Need, Typed, View};
use crate::heap::{Gap, Host};
use crate::report::Report;
use crate::trend::Peaks;

pub(crate) static COMMAND: Command = Command {
    name: "growth",
    aliases: &["g"],
    summary: "what grew since the last look",
    help: "Types of which there is more than when the program was last stopped, the one that grew by most bytes first. The \
           first look sets the baseline. While the program stands still nothing changes, so the answer of one look is the \
           same however often it is asked. With --all also the types that shrank or stayed. With --since the counts of a \
           mark are the baseline. With --peak a type is shown when there are more of it than at any look so far, and by how \
           many: what comes and goes stays out, and what creeps up shows.",
    arguments: &[N],
    flags: &[
        ALL,
        SINCE,
        Flag {
            name: "--peak",
            values: &[],
            help: "above the highest count of all looks so far",
        },
    ],
    examples: &[
        Example {
            line: "growth",
            says: "what grew",
        },
        Example {
            line: "growth 50 --all",
            says: "what shrank, too",
        },
        Example {
            line: "growth --since before",
            says: "since the mark `before`",
        },
        Example {
            line: "growth --peak",
            says: "what there was never so much of",
        },
    ],
    from: "objgraph's show_growth, Pympler's tracker",
    needs: &[Need::Tracking],
    run,
    ..Command::PLAIN
};

const SINCE: Flag = Flag {
    name: "--since",
    values: &["MARK"],
    help: "since a mark (see `mark`)",
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (ask, words) = Ask::read(view, COMMAND.name, typed);
    Ask::refuse(typed, &words)?;
    match (typed.value(SINCE.name), typed.has("--peak")) {
        (Some(_), true) => Err(typed.wrong("--since and --peak are two questions")),
        (Some(name), false) => since_mark(view, name, &ask.with(&format!("--since {name}"))),
        (None, true) => Ok(above_peak(view, &ask.with("--peak").by_count())),
        (None, false) => Ok(since_last(view, &ask)),
    }
}

fn since_last(view: &mut View<'_>, ask: &Ask) -> Report {
    let Some(past) = view.past() else {
        return baseline(view);
    };
    let since = format!("since look {}, {}", past.look, ago(&past));
    let changes = changes(&view.types().kinds, &past.kinds);
    let gaps = gaps(view, [("the last look", &*past)]);
    change::report(COMMAND.name, &since, &changes, ask, gaps)
}

/// What grew, or changed, from a mark until now.
pub(super) fn since_mark(view: &mut View<'_>, name: &str, ask: &Ask) -> Result<Report, Error> {
    let past = view.marked(name)?;
    let since = format!("since the mark `{name}`, {}", ago(&past));
    let changes = changes(&view.types().kinds, &past.kinds);
    let gaps = gaps(view, [(format!("the mark `{name}`").as_str(), &past)]);
    Ok(change::report(COMMAND.name, &since, &changes, ask, gaps))
}

fn above_peak(view: &mut View<'_>, ask: &Ask) -> Report {
    let types = view.types();
    let Some(peaks) = view.peaks() else {
        return baseline(view);
    };
    let since = match peaks.through {
        1 => "above the counts of look 1".to_owned(),
        through => format!("above the highest counts of looks 1 to {through}"),
    };
    let above = |kind| above(kind, &peaks);
    let mut changes: Vec<Change> = types.kinds.iter().map(above).collect();
    most_first(&mut changes);
    let mut gaps = gaps(view, []);
    if peaks.cut {
        gaps.push(Gap::new(
            "the highest counts of the rarest types",
            "there were more types than there is room to hand on, and those left out look as if they were new",
        ));
    }
    change::report(COMMAND.name, &since, &changes, ask, gaps)
}

/// A type against its peak. The change in bytes is since the moment of the peak.
fn above(kind: &super::types::Kind, peaks: &Peaks) -> Change {
    let peak = peaks.of(&kind.name.full).unwrap_or_default();
    Change {
        kind: kind.clone(),
        count: kind.count.wrapping_sub(peak.count) as i64,
        bytes: kind.bytes.wrapping_sub(peak.bytes) as i64,
    }
}

fn baseline(view: &View<'_>) -> Report {
    Report {
        command: COMMAND.name,
        head: vec![
            "This is the first look: it sets the baseline.".to_owned(),
            // Not the key: the agent may listen to another signal, and then Ctrl-\ ends the program.
            "`continue`, let the program work, look again, and `growth` names what grew."
                .to_owned(),
        ],
        columns: columns(0),
        gaps: view.gaps(),
        ..Report::default()
    }
}
