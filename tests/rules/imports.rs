//! The direction of imports between the agent's rooms.

use std::iter::Peekable;
use std::slice::Iter;

use super::source::{Source, Token, all};

/// What each room may import. `heap` and `error` are open to all, each room to itself; `session` may import everything,
/// and `lib.rs` only re-exports.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("heap", &[]),
    ("error", &[]),
    ("answer", &[]),
    ("elsewhere", &["answer", "options"]),
    ("options", &[]),
    ("report", &[]),
    ("os", &[]),
    ("track", &["os"]),
    ("pause", &["os"]),
    ("capture", &["os", "track", "pause"]),
    ("resolve", &[]),
    ("walk", &[]),
    ("query", &["resolve", "trend", "report", "walk"]),
    ("trend", &["report"]),
    ("export", &["report"]),
    ("render", &["report"]),
    ("talk", &["query", "render", "os"]),
    (
        "session",
        &[
            "answer", "options", "os", "track", "pause", "capture", "resolve", "query", "trend",
            "export", "report", "render", "talk", "walk",
        ],
    ),
];

const OPEN_TO_ALL: &[&str] = &["heap", "error"];

#[test]
fn rooms_import_only_what_they_may() {
    let violations: Vec<String> = all().iter().flat_map(violations).collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn a_forbidden_import_is_caught_in_every_form() {
    for text in [
        "use crate::os::Pid;",
        "use crate::{heap::Block, os::{self, Pid}};",
        "use super::super::os;",
        "fn f() { crate::os::kill() }",
        "mod inner { use super::super::super::os; }",
        "pub(in crate::os) fn f() {}",
        "use crate::*;",
        "use crate::Heap;",
    ] {
        let found = violations(&Source::made_up("agent/src/query/top.rs", text));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

#[test]
fn an_allowed_import_is_not() {
    for text in [
        "use crate::heap::Block; use crate::report::{self, Row}; use crate::resolve;",
        "use super::View; use super::super::report::Row; pub(crate) fn f() {}",
        "mod inner { use super::super::View; use super::f; }",
        "// use crate::os;\nconst TEXT: &str = \"use crate::os;\";",
        "use os::anything; use std::os::fd::AsFd;",
    ] {
        let found = violations(&Source::made_up("agent/src/query/top.rs", text));
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn every_room_is_in_the_table() {
    for room in all().iter().filter_map(Source::room) {
        assert!(
            MAY_IMPORT.iter().any(|(known, _)| *known == room),
            "agent/src/{room} has no line in MAY_IMPORT"
        );
    }
}

/// The forbidden imports of one file, as messages.
fn violations(source: &Source) -> Vec<String> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let allowed = MAY_IMPORT
        .iter()
        .find(|(known, _)| *known == room)
        .map_or(&[][..], |(_, allowed)| allowed);
    let is_allowed =
        |target: &str| target == room || OPEN_TO_ALL.contains(&target) || allowed.contains(&target);
    references(source)
        .into_iter()
        .filter(|(target, _)| !is_allowed(target))
        .map(|(target, line)| {
            format!(
                "{}:{line}: `{room}` must not import `{target}`",
                source.path.display()
            )
        })
        .collect()
}

/// Every room named by a path, with its line. A path that ends at the crate's root names `*` or the item it takes there.
fn references(source: &Source) -> Vec<(String, usize)> {
    let tokens = source.tokens();
    let modules = source.modules().unwrap_or_default();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let starts = at == 0 || tokens[at - 1].text != "::";
        if starts && matches!(token.text.as_str(), "crate" | "super" | "self") {
            let here: Vec<String> = modules.iter().chain(&token.inside).cloned().collect();
            follow(&mut tokens[at..].iter().peekable(), here, &mut found);
        }
    }
    found
}

/// Follows one path (or a group of paths) from the module `here`, and notes the room it leads to.
fn follow(
    tokens: &mut Peekable<Iter<'_, Token>>,
    mut here: Vec<String>,
    found: &mut Vec<(String, usize)>,
) {
    let mut in_root = false;
    while let Some(token) = tokens.next() {
        match token.text.as_str() {
            "crate" => here.clear(),
            "super" => drop(here.pop()),
            "self" => {}
            "{" => return follow_group(tokens, &here, found),
            name if in_root => return found.push((name.to_owned(), token.line)),
            _ => return,
        }
        in_root = here.is_empty();
        if tokens.next_if(|next| next.text == "::").is_none() {
            return;
        }
    }
}

/// Follows each path of a group whose `{` was just read.
fn follow_group(
    tokens: &mut Peekable<Iter<'_, Token>>,
    here: &[String],
    found: &mut Vec<(String, usize)>,
) {
    let mut depth = 1;
    let mut begins = true;
    while let Some(token) = tokens.peek() {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if begins && depth == 1 => follow_member(tokens, here, found),
            _ => {}
        }
        if depth == 0 {
            return;
        }
        begins = tokens.next().is_some_and(|token| token.text == ",");
    }
}

/// Follows a group's member without passing the `,` or `}` behind it.
fn follow_member(
    tokens: &mut Peekable<Iter<'_, Token>>,
    here: &[String],
    found: &mut Vec<(String, usize)>,
) {
    let mut ahead = tokens.clone();
    match tokens.peek().map(|token| (token.text.as_str(), token.line)) {
        Some(("super" | "self" | "crate", _)) => follow(&mut ahead, here.to_vec(), found),
        Some((name, line)) if here.is_empty() => found.push((name.to_owned(), line)),
        _ => {}
    }
}
