//! Words that must not stand in some rooms, or anywhere.

use super::source::{Source, Token, all};

/// The rooms whose code runs while the program's threads are frozen, or in the clone that inherits their locks.
const FROZEN: &[&str] = &[
    "pause", "capture", "resolve", "walk", "query", "trend", "export", "render", "talk",
];

/// What takes a lock that a frozen thread may hold, or allocates with C's malloc.
const DEADLOCKS: &[&str] = &[
    "tracing ::",
    "log ::",
    "println !",
    "print !",
    "eprintln !",
    "eprint !",
    "dbg !",
    "std :: env",
    "env :: var",
    "env :: var_os",
    "env :: vars",
    "io :: stdout",
    "io :: stderr",
    "thread :: spawn",
    "thread :: Builder",
    "process :: Command",
    "fs :: read_dir",
    "Backtrace ::",
    "panic :: set_hook",
];

/// What may stand in such a room all the same, since it runs before the stop: the prompt is made then.
const BEFORE_THE_STOP: &[(&str, &str)] = &[
    ("agent/src/talk/prompt.rs", "std::env"),
    ("agent/src/talk/prompt.rs", "env::var_os"),
];

/// What no file has: unfinished work, silenced lints, debugging left behind.
const NOWHERE: &[&str] = &["todo !", "unimplemented !", "dbg !", "allow ("];

#[test]
fn rooms_that_run_frozen_take_no_foreign_lock() {
    let sources = all();
    let found: Vec<String> = sources
        .iter()
        .filter(|source| {
            source
                .room()
                .is_some_and(|room| FROZEN.contains(&room.as_str()))
        })
        .filter(|source| !only_tests_see(source, &sources))
        .flat_map(|source| phrases(source, DEADLOCKS, |token| !token.test))
        .filter(|found| !runs_before_the_stop(found))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Whether a file is tests, by its name or by how the file above it declares it.
fn only_tests_see(source: &Source, sources: &[Source]) -> bool {
    let folder = source.path.parent();
    let above = sources
        .iter()
        .find(|above| above.path.parent() == folder && above.path.ends_with("mod.rs"));
    let name = source.path.file_stem().unwrap_or_default();
    source.is_tests()
        || above.is_some_and(|above| {
            above
                .modules_of_tests()
                .iter()
                .any(|module| name == module.as_str())
        })
}

#[test]
fn a_lock_taken_while_frozen_is_caught() {
    let text = "fn f() { tracing::info!(\"x\"); std::env::var(\"Y\"); }\n#[cfg(test)] mod tests { fn g() { println!() } }";
    let source = Source::made_up("agent/src/query/top.rs", text);
    let found = phrases(&source, DEADLOCKS, |token| !token.test);
    assert_eq!(
        found.len(),
        3,
        "tracing, std::env and env::var, but not the test's println: {found:?}"
    );
}

#[test]
fn nothing_unfinished_or_silenced_is_left() {
    let found: Vec<String> = all()
        .iter()
        .flat_map(|source| phrases(source, NOWHERE, |_| true))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    let marks: Vec<_> = all()
        .into_iter()
        .filter(|source| !source.path.starts_with("tests/rules"))
        .collect();
    for source in marks {
        for word in ["TODO", "FIXME", "XXX:"] {
            assert!(
                !source.text.contains(word),
                "{} has {word}",
                source.path.display()
            );
        }
    }
}

#[test]
fn unsafe_stands_in_two_rooms_alone() {
    for source in all() {
        // `elsewhere` stands for both rooms where the agent is not supported; tests of the two rooms are unsafe as they are.
        let allowed = [
            "agent/src/elsewhere.rs",
            "agent/src/os",
            "agent/src/track",
            "agent/tests",
            "agent/benches",
            // Ground truth needs an allocator that knows it.
            "agent/ground",
            // The programs that the tests start are what safe Rust is not: they handle signals by hand, and fork.
            "tests/programs",
        ];
        if !allowed.iter().any(|place| source.path.starts_with(place)) {
            let found = phrases(&source, &["unsafe"], |_| true);
            assert!(
                found.is_empty(),
                "outside os/ and track/:\n{}",
                found.join("\n")
            );
        }
    }
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let found: Vec<String> = all().iter().flat_map(unexplained_unsafe).collect();
    assert!(
        found.is_empty(),
        "no SAFETY comment near:\n{}",
        found.join("\n")
    );
}

#[test]
fn an_unexplained_unsafe_block_is_caught() {
    let explained = "// SAFETY: because.\nlet x = unsafe { f() };";
    assert!(unexplained_unsafe(&Source::made_up("a.rs", explained)).is_empty());
    assert_eq!(
        unexplained_unsafe(&Source::made_up("a.rs", "let x = unsafe { f() };")).len(),
        1
    );
    assert_eq!(
        unexplained_unsafe(&Source::made_up("a.rs", "unsafe impl Send for X {}")).len(),
        1
    );
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    for source in all() {
        assert!(
            source.text.starts_with("//! "),
            "{} does not begin with `//! `",
            source.path.display()
        );
    }
}

/// Whether a message of [`phrases`] is of something that may stand where it does.
fn runs_before_the_stop(found: &str) -> bool {
    let is_of = |(path, phrase): &(&str, &str)| {
        found.starts_with(&format!("{path}:")) && found.ends_with(&format!("`{phrase}`"))
    };
    BEFORE_THE_STOP.iter().any(is_of)
}

/// Where these phrases (tokens with a blank between) stand, as messages.
fn phrases(source: &Source, phrases: &[&str], counts: impl Fn(&Token) -> bool) -> Vec<String> {
    let tokens = source.tokens();
    let begins = |at: usize, phrase: &str| {
        let ahead = tokens[at..].iter().map(|token| token.text.as_str());
        phrase.split(' ').map(Some).eq(ahead
            .map(Some)
            .chain([None])
            .take(phrase.split(' ').count()))
    };
    let mut found = Vec::new();
    for at in (0..tokens.len()).filter(|at| counts(&tokens[*at])) {
        for phrase in phrases.iter().filter(|phrase| begins(at, phrase)) {
            found.push(format!(
                "{}:{}: `{}`",
                source.path.display(),
                tokens[at].line,
                phrase.replace(' ', "")
            ));
        }
    }
    found
}

/// `unsafe` blocks and impls without a SAFETY comment on their line or the few above.
fn unexplained_unsafe(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let is_explained = |line: usize| {
        lines[line.saturating_sub(8)..line]
            .iter()
            .any(|text| text.contains("SAFETY:"))
    };
    let tokens = source.tokens();
    tokens
        .windows(2)
        .filter(|pair| pair[0].text == "unsafe" && matches!(pair[1].text.as_str(), "{" | "impl"))
        .filter(|pair| !is_explained(pair[0].line))
        .map(|pair| format!("{}:{}", source.path.display(), pair[0].line))
        .collect()
}
