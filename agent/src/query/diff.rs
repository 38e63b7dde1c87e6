//! `diff`: what changed from one mark to another, or to now.

use std::cmp::Ordering;
use std::time::Duration;

use super::change::{self, ALL, Ask, changes, gaps};
use super::growth::since_mark;
use super::rows::N;
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::Host;
use crate::report::{Report, Value};

pub(crate) static COMMAND: Command = Command {
    name: "diff",
    aliases: &[],
    summary: "what changed from one mark to another, or to now",
    help: "Types of which there is more at mark B than at mark A, the one that grew by most bytes first; without B, more now \
           than at A. With --all also the types that shrank or stayed. `mark` makes and lists marks.",
    arguments: &[
        Argument {
            name: "A",
            kind: Kind::Mark,
            optional: false,
            help: "the mark to compare with",
        },
        Argument {
            name: "B",
            kind: Kind::Mark,
            optional: true,
            help: "the mark to compare; now unless given",
        },
        N,
    ],
    flags: &[ALL],
    examples: &[
        Example {
            line: "diff before",
            says: "what grew since the mark `before`",
        },
        Example {
            line: "diff before before --all",
            says: "every type of two marks",
        },
    ],
    from: "tracemalloc's compare_to, heapy's setref",
    needs: &[Need::Tracking],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (ask, words) = named_like_a_number(view, typed);
    let report = match &words[..] {
        [] => {
            return Err(match typed.words.first() {
                Some(name) => view.no_mark(name),
                None => typed.wrong("from which mark?"),
            });
        }
        [from] => since_mark(view, from, &ask)?,
        [from, to] => between(view, from, to, &ask)?,
        [_, _, more, ..] => return Err(typed.wrong(format!("`{more}` is no number of rows"))),
    };
    Ok(Report {
        command: COMMAND.name,
        ..report
    })
}

/// A last word that is a number is one of rows, unless a mark has that name.
fn named_like_a_number(view: &View<'_>, typed: &Typed) -> (Ask, Vec<String>) {
    let (ask, words) = Ask::read(view, COMMAND.name, typed);
    let last = typed.words.last();
    match last.filter(|last| words.len() < 2 && view.ledger.mark(last).is_some()) {
        Some(_) => (
            ask.all_words(view, COMMAND.name, typed),
            typed.words.clone(),
        ),
        None => (ask, words),
    }
}

fn between(view: &mut View<'_>, from: &str, to: &str, ask: &Ask) -> Result<Report, Error> {
    let (before, after) = (view.marked(from)?, view.marked(to)?);
    let apart = Value::Span(Duration::from_nanos(before.ago_ns.abs_diff(after.ago_ns)));
    let when = match after.ago_ns.cmp(&before.ago_ns) {
        Ordering::Less => format!("{apart} after it"),
        Ordering::Equal => "of the same look".to_owned(),
        Ordering::Greater => format!("{apart} before it"),
    };
    let since = format!("from the mark `{from}` to `{to}`, {when}");
    let changes = changes(after.kinds.values(), &before.kinds);
    let whose = [from, to].map(|name| format!("the mark `{name}`"));
    let gaps = gaps(view, [(&*whose[0], &before), (&*whose[1], &after)]);
    Ok(change::report(COMMAND.name, &since, &changes, ask, gaps))
}
