//! How many rows a table gets: as many as were asked for, else as was set, else as the screen has room for.

use super::{Argument, Flag, Kind, Typed, View};
use crate::report::{Row, count};

/// What a command with a table takes last.
pub(crate) const N: Argument = Argument {
    name: "N",
    kind: Kind::Number,
    optional: true,
    help: "how many rows; as many as fit the screen unless given",
};

/// What every command with a table takes, too.
pub(crate) const ALL: Flag = Flag {
    name: "--all",
    values: &[],
    help: "every row",
};

/// Rows where nobody sees a screen: in JSON, in files, in reports.
const UNSEEN: usize = 20;
/// A small screen has to scroll: fewer rows than this say too little.
const FEWEST: usize = 10;
/// Lines that stand around the rows of most answers: the prompt's own, a sentence, titles, the total, three notes.
const AROUND: usize = 7;

/// How many rows a table gets; `asked` is the number that was typed.
pub(crate) fn rows(view: &View<'_>, asked: Option<usize>, typed: &Typed) -> usize {
    wanted(view, asked, typed).unwrap_or_else(|| lines(view).unwrap_or(UNSEEN))
}

/// The same below or above so many lines more than most answers have around their rows.
pub(crate) fn rows_beside(
    view: &View<'_>,
    more: usize,
    asked: Option<usize>,
    typed: &Typed,
) -> usize {
    let left = |lines: usize| lines.saturating_sub(more).max(FEWEST);
    wanted(view, asked, typed).unwrap_or_else(|| lines(view).map_or(UNSEEN, left))
}

/// How many lines the rows of a table may take together, where that decides how many there are.
pub(crate) fn lines_for_rows(
    view: &View<'_>,
    asked: Option<usize>,
    typed: &Typed,
) -> Option<usize> {
    match wanted(view, asked, typed) {
        Some(_) => None,
        None => lines(view),
    }
}

/// Keeps as many rows as these lines have room for, with what stands below each; one at least.
pub(crate) fn fit(rows: &mut Vec<Row>, lines: Option<usize>) {
    let Some(lines) = lines else {
        return;
    };
    let mut taken = 0;
    let fits = |row: &&Row| {
        taken += 1 + row.below.len();
        taken <= lines
    };
    let kept = rows.iter().take_while(fits).count();
    rows.truncate(kept.max(1));
}

/// That rows are left out, and what shows them.
pub(crate) fn left_out(left: u64, what: &str) -> Option<String> {
    let left_out = count(left, what);
    (left > 0).then(|| format!("{left_out} not shown: add `--all`, or a number"))
}

fn wanted(view: &View<'_>, asked: Option<usize>, typed: &Typed) -> Option<usize> {
    let all = typed.has(ALL.name).then_some(usize::MAX);
    let set = view.settings.rows.map(|rows| rows as usize);
    asked.or(all).or(set)
}

fn lines(view: &View<'_>) -> Option<usize> {
    let lines = view.screen?.saturating_sub(AROUND);
    Some(lines.max(FEWEST))
}
