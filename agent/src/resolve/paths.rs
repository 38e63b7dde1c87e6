//! `resolve`: the texts of Rust paths and types, taken apart. Pure.

/// A path split at its first generic arguments: `a::B<X, Y>` into `a::B` and `[X, Y]`.
pub(super) fn split_generics(text: &str) -> (&str, Vec<&str>) {
    let Some(open) = text.find('<').filter(|at| *at > 0) else {
        return (text, Vec::new());
    };
    let inside = &text[open + 1..];
    let close = closing(inside).unwrap_or(inside.len());
    (&text[..open], split_list(&inside[..close]))
}

/// The items of a list, split at the commas that stand in no bracket.
pub(super) fn split_list(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut begin = 0;
    for (at, byte, depth) in depths(text) {
        if byte == b',' && depth == 0 {
            items.push(text[begin..at].trim());
            begin = at + 1;
        }
    }
    items.push(text[begin..].trim());
    items.retain(|item| !item.is_empty());
    items
}

/// `T` and `3` of `[T; 3]`.
pub(super) fn split_array(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let (at, ..) = depths(inside).find(|(_, byte, depth)| *byte == b';' && *depth == 0)?;
    Some((inside[..at].trim(), inside[at + 1..].trim()))
}

/// Where the bracket that was open before this text closes.
pub(super) fn closing(text: &str) -> Option<usize> {
    depths(text)
        .find(|(_, _, depth)| *depth < 0)
        .map(|(at, ..)| at)
}

/// A path without any generic arguments: `a::B<X>::c<Y>` is `a::B::c`.
pub(super) fn without_generics(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        bare.push_str(rest[..open].trim_end_matches("::"));
        rest = &rest[open + 1..];
        rest = closing(rest).map_or("", |close| &rest[close + 1..]);
    }
    bare + rest
}

/// Whether a path lies in a module, or is it.
pub(super) fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a path is of a library whose collections allocate for whoever uses them.
pub(super) fn is_library(path: &str) -> bool {
    const LIBRARIES: &[&str] = &[
        "alloc",
        "allocator_api2",
        "core",
        "dashmap",
        "hashbrown",
        "indexmap",
        "smallvec",
        "std",
    ];
    LIBRARIES.iter().any(|library| is_within(path, library))
}

/// The last segment of a path.
pub(super) fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// Whether a type's text has another type in it, or is it: `Vec<a::B>` mentions `a::B`, and `a::BTree` does not.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    mentions_at(text, name).next().is_some()
}

fn mentions_at<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    let found = text.match_indices(name).filter(move |(at, _)| {
        let (before, after) = (&text[..*at], &text[at + name.len()..]);
        !name.is_empty() && !before.ends_with(inside) && !after.starts_with(inside)
    });
    found.map(|(at, _)| at)
}

/// A type's text with another type for each mention of one.
pub(super) fn replaced(text: &str, name: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for at in mentions_at(text, name) {
        out.push_str(&text[done..at]);
        out.push_str(by);
        done = at + name.len();
    }
    out + &text[done..]
}

/// Rewrites every path in a text, generics and punctuation left as they are.
pub(super) fn map_paths(text: &str, mut rewrite: impl FnMut(&str) -> String) -> String {
    let is_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '{' | '}' | '#');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(is_path) {
        out.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let end = rest.find(|c| !is_path(c)).unwrap_or(rest.len());
        out.push_str(&rewrite(&rest[..end]));
        rest = &rest[end..];
    }
    out + rest
}

/// The paths in which two texts differ that are otherwise the same. Builtin types are left out: they are mentioned for other
/// reasons too.
pub(super) fn differing(one: &str, other: &str) -> Option<Vec<(String, String)>> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    let bare = |text, paths: &mut Vec<String>| {
        map_paths(text, |path| {
            paths.push(path.to_string());
            String::new()
        })
    };
    let same = bare(one, &mut ones) == bare(other, &mut others) && ones.len() == others.len();
    let mut pairs: Vec<_> = ones.into_iter().zip(others).collect();
    pairs.retain(|(one, other)| one != other && one.contains("::"));
    same.then_some(pairs)
}

/// Each byte with its place and how many brackets are open after it. `->` closes nothing.
fn depths(text: &str) -> impl Iterator<Item = (usize, u8, i32)> {
    let mut depth = 0;
    let mut before = 0;
    text.bytes().enumerate().map(move |(at, byte)| {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if before == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        before = byte;
        (at, byte, depth)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generics_split_at_their_own_level() {
        let (path, args) = split_generics("a::Map<(u8, b::C<D, E>), fn(x, y) -> z>");
        assert_eq!(path, "a::Map");
        assert_eq!(args, ["(u8, b::C<D, E>)", "fn(x, y) -> z"]);
        assert_eq!(split_generics("a::B"), ("a::B", vec![]));
        assert_eq!(
            split_generics("a::B<unclosed, x"),
            ("a::B", vec!["unclosed", "x"])
        );
    }

    #[test]
    fn arrays_split_at_their_own_level() {
        assert_eq!(split_array("[a::B; 3]"), Some(("a::B", "3")));
        assert_eq!(split_array("[[u8; 2]; 3]"), Some(("[u8; 2]", "3")));
        assert_eq!(split_array("[[u8; 2]]"), None);
        assert_eq!(split_array("u8"), None);
    }

    #[test]
    fn generics_go_from_the_middle_and_the_end() {
        assert_eq!(without_generics("a::B<fn() -> X>::c<Y>"), "a::B::c");
        assert_eq!(without_generics("a::b::<T>"), "a::b");
        assert_eq!(without_generics("a<<<"), "a");
    }

    #[test]
    fn modules_end_at_segments() {
        assert!(is_within("alloc::vec::Vec", "alloc::vec"));
        assert!(!is_within("alloc::vec_deque", "alloc::vec"));
    }

    #[test]
    fn a_type_is_mentioned_whole() {
        assert!(mentions("Vec<a::B>", "a::B"));
        assert!(mentions("a::B", "a::B"));
        assert!(!mentions("Vec<a::BTree>", "a::B"));
        assert!(!mentions("Vec<x::a::B>", "a::B"));
        assert!(!mentions("anything", ""));
        assert_eq!(
            replaced("(a::B, a::BTree, a::B)", "a::B", "c::D"),
            "(c::D, a::BTree, c::D)"
        );
    }

    #[test]
    fn paths_are_rewritten_in_place() {
        let upper = map_paths("&mut [a::b; 3]", |path| path.to_uppercase());
        assert_eq!(upper, "&MUT [A::B; 3]");
    }
}
