//! What Tab offers, cut to what fits the screen: a longer list would ask whether to go on, and answer no Ctrl-C.

use rustyline::completion::Pair;

use crate::render::{cut, width};

/// The screen that the choices are shown on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Columns.
    pub(super) columns: usize,
    /// Lines.
    pub(super) lines: usize,
}

impl Default for Screen {
    fn default() -> Self {
        Screen {
            columns: 80,
            lines: 24,
        }
    }
}

/// Spaces that the editor puts between the columns of a list.
const BETWEEN: usize = 2;
/// Lines that the list leaves: the one being typed, above it and again below.
const KEPT: usize = 3;

/// The first choices, as many as fit, and how many more there are. What all of them begin with, those that are left
/// become as well, so that Tab adds no letter that is not in all.
pub(super) fn fitting(mut choices: Vec<Pair>, screen: Screen) -> Vec<Pair> {
    let columns = screen.columns.saturating_sub(BETWEEN).max(1);
    for choice in &mut choices {
        choice.display = cut(&choice.display, columns);
    }
    let all = choices.len();
    let fit = fit(&choices, screen);
    if all <= fit {
        return choices;
    }
    let kept = fit.saturating_sub(1).max(1);
    let common = common(&choices);
    choices.truncate(kept);
    choices.push(Pair {
        display: cut(&format!("… {} more", all - kept), columns),
        replacement: common,
    });
    choices
}

/// How many of the choices fit: the editor makes columns as wide as the widest, filled from the top.
fn fit(choices: &[Pair], screen: Screen) -> usize {
    let lines = screen.lines.saturating_sub(KEPT).max(1);
    let mut widest = 0;
    let mut fit = 0;
    for (number, choice) in choices.iter().enumerate() {
        widest = widest.max(width(&choice.display) + BETWEEN);
        let beside = (screen.columns / widest).max(1);
        if (number + 1).div_ceil(beside) > lines {
            break;
        }
        fit = number + 1;
    }
    fit
}

/// What all begin with.
fn common(choices: &[Pair]) -> String {
    let mut choices = choices.iter().map(|choice| choice.replacement.as_str());
    let first = choices.next().unwrap_or_default();
    let shared = |a: &str, b: &str| {
        let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
        same.map(|(c, _)| c.len_utf8()).sum()
    };
    let length = choices.fold(first.len(), |length, choice| {
        shared(&first[..length], choice)
    });
    first[..length].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(names: impl IntoIterator<Item = String>) -> Vec<Pair> {
        let pair = |name: String| Pair {
            display: name.clone(),
            replacement: name,
        };
        names.into_iter().map(pair).collect()
    }

    const SCREEN: Screen = Screen {
        columns: 40,
        lines: 10,
    };

    #[test]
    fn a_long_list_ends_with_how_many_more() {
        let names = |n: usize| pairs((0..n).map(|i| format!("Arc<T{i:03}>")));
        assert_eq!(fitting(names(21), SCREEN).len(), 21);
        let long = fitting(names(300), SCREEN);
        assert_eq!(long.len(), 21);
        assert_eq!(long[20].display, "… 280 more");
        assert_eq!(long[20].replacement, "Arc<T");
        assert!(fitting(Vec::new(), SCREEN).is_empty());
    }

    proptest! {
        #[test]
        fn every_list_fits_and_begins_as_all_do(
            names in proptest::collection::vec("aé[ab]{0,30}", 1..200), columns in 12usize..200, lines in 4usize..50
        ) {
            let screen = Screen { columns, lines };
            let all = pairs(names);
            let begin = common(&all);
            prop_assert!(all.iter().all(|one| one.replacement.starts_with(&begin)));
            let shown = fitting(all, screen);
            prop_assert_eq!(common(&shown), begin);
            let widest = shown.iter().map(|one| width(&one.display) + BETWEEN).max().unwrap();
            prop_assert!(widest <= columns);
            prop_assert!(shown.len() <= 2 || shown.len().div_ceil(columns / widest) <= lines - 2);
        }
    }
}
