//! Text fitted to columns: measured, cut, padded, wrapped.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that words take on a terminal.
pub(crate) fn width(words: &str) -> usize {
    words.width()
}

/// The words in at most so many columns, the middle cut out where they are too long: a name's beginning says whose it
/// is, its end what it is.
pub(crate) fn cut(words: &str, columns: usize) -> String {
    if width(words) <= columns {
        return words.to_owned();
    }
    let Some(kept) = columns.checked_sub(1) else {
        return String::new();
    };
    let head = prefix(words.chars(), kept / 2);
    let tail: String = prefix(words.chars().rev(), kept - width(&head));
    let tail: String = tail.chars().rev().collect();
    format!("{head}…{tail}")
}

/// The words with their control characters shown as `?`: names come out of files that anyone may have written, and the
/// terminal obeys escape sequences.
pub(crate) fn tame(words: &str) -> String {
    let tame = |c: char| if c.is_control() { '?' } else { c };
    words.chars().map(tame).collect()
}

/// Fills up to so many columns, on the left for figures.
pub(super) fn pad(words: &str, columns: usize, figure: bool) -> String {
    let spaces = " ".repeat(columns.saturating_sub(width(words)));
    if figure {
        format!("{spaces}{words}")
    } else {
        format!("{words}{spaces}")
    }
}

/// Lines of at most so many columns, broken at spaces where there are any. What the line begins with in spaces, the
/// others begin with, too.
pub(super) fn wrap(line: &str, columns: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let words = line.trim_start_matches(' ');
    let indent = " ".repeat((line.len() - words.len()).min(columns / 2));
    let room = columns - indent.len();
    let mut lines = Vec::new();
    let mut rest = words;
    while width(rest) > room {
        let (now, later) = rest.split_at(break_at(rest, room));
        lines.push(format!("{indent}{}", now.trim_end_matches(' ')));
        rest = later.trim_start_matches(' ');
    }
    lines.push(format!("{indent}{rest}"));
    lines
}

/// A function and its place, `a::b at src/a.rs:7`, in lines of at most so many columns: where one does not do, the place
/// begins another. Nothing is lost.
pub(super) fn wrap_frame(text: &str, columns: usize) -> Vec<String> {
    const INDENT: &str = "  ";
    let columns = columns.max(INDENT.len() + 2);
    let room = columns - INDENT.len();
    if width(text) <= columns {
        return vec![text.to_owned()];
    }
    let (function, place) = match text.rsplit_once(" at ") {
        Some((function, place)) => (function, Some(format!("at {place}"))),
        None => (text, None),
    };
    let mut lines = wrap_name(function, columns);
    if lines.len() > 1 {
        lines = wrap_name(function, room);
        lines[1..]
            .iter_mut()
            .for_each(|line| line.insert_str(0, INDENT));
    }
    let place = place.iter().flat_map(|place| wrap_name(place, room));
    lines.extend(place.map(|line| format!("{INDENT}{line}")));
    lines
}

/// A name in lines of at most so many columns, broken after a path, a comma or a bracket where there is one. Nothing is
/// lost: put together, the lines are the name but for spaces at the breaks.
pub(super) fn wrap_name(name: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut rest = name;
    while width(rest) > columns {
        let fits = prefix(rest.chars(), columns).len();
        let breaks = ["::", ", ", "<", " ", "/"].iter().filter_map(|mark| {
            let at = rest[..fits].rfind(mark)? + mark.len();
            // Not so early that most of the line stays empty.
            (at > fits / 2).then_some(at)
        });
        let (now, later) = rest.split_at(breaks.max().unwrap_or(fits));
        lines.push(now.trim_end_matches(' ').to_owned());
        rest = later;
    }
    lines.push(rest.to_owned());
    lines
}

/// Where to break words that do not fit: after the last space that does, or in the middle of a word.
fn break_at(words: &str, room: usize) -> usize {
    let fits = prefix(words.chars(), room).len();
    let space = match words[fits..].starts_with(' ') {
        true => Some(fits),
        false => words[..fits].rfind(' '),
    };
    let first = words.chars().next().map_or(0, char::len_utf8);
    space.filter(|at| *at > 0).unwrap_or(fits).max(first)
}

fn prefix(chars: impl Iterator<Item = char>, columns: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    chars.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_middle_is_cut() {
        assert_eq!(cut("demo_server::CacheEntity", 11), "demo_…ntity");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("short", 1), "…");
        assert_eq!(cut("short", 0), "");
        assert_eq!(cut("日本語文字列", 6), "日…列");
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  one two", 6), ["  one", "  two"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn names_are_broken_after_their_parts() {
        assert_eq!(
            wrap_name("HashMap<String, demo_server::sessions::Session>", 24),
            ["HashMap<String,", "demo_server::sessions::", "Session>"]
        );
        assert_eq!(wrap_name("abcdefgh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn a_frame_that_does_not_fit_has_its_place_below() {
        assert_eq!(
            wrap_frame("tokio::runtime::park at src/runtime/park.rs:117", 30),
            ["tokio::runtime::park", "  at src/runtime/park.rs:117"]
        );
        assert_eq!(wrap_frame("a::b at c.rs:7", 14), ["a::b at c.rs:7"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(words in ".{0,60}", columns in 2usize..50) {
            let words = tame(&words);
            prop_assert!(width(&cut(&words, columns)) <= columns);
            for line in wrap(&words, columns) {
                prop_assert!(width(&line) <= columns, "{line:?} in {columns}");
            }
            let lines = wrap_name(&words, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns));
            let frame = wrap_frame(&words, columns.max(4));
            prop_assert!(frame.iter().all(|line| width(line) <= columns.max(4)));
            let spaceless = |words: &str| words.replace(' ', "");
            prop_assert_eq!(spaceless(&lines.concat()), spaceless(&words));
            prop_assert_eq!(spaceless(&frame.concat()), spaceless(&words));
        }
    }
}
