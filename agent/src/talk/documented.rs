//! `docs/commands.md`: written from the declarations, with what the commands answer about the fixture.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::execute::execute;
use crate::heap::SETTINGS;
use crate::query::fixture::{Asked, Book, held, ledger, past};
use crate::query::{COMMANDS, COMMON, Command, View};
use crate::render::Style;

/// Set to write the document instead of comparing it.
const WRITE: &str = "SIGHEAP_WRITE_DOCS";

/// The document is what the declarations say. To write it anew:
/// `SIGHEAP_WRITE_DOCS=1 cargo test -p sigheap --lib documented`.
#[test]
fn the_document_is_what_the_declarations_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    let wanted = document();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &wanted).expect("docs/ can be written");
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let mut lines = wanted.lines().zip(written.lines());
    let differs = lines.find(|(wanted, written)| wanted != written);
    assert!(
        wanted == written,
        "docs/commands.md is not what the declarations say, first in {differs:?}; \
         `{WRITE}=1 cargo test -p sigheap --lib documented` writes it"
    );
}

#[test]
fn the_readme_has_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).expect("README.md");
    let rows: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .collect();
    for command in COMMANDS.iter().filter(|command| !command.hidden) {
        let is_of = |row: &&str| {
            row.split(['`', ' ', ',']).next() == Some(command.name)
                || row.contains(&format!("`{} ", command.name))
                || row.contains(&format!("`{}`", command.name))
        };
        assert!(
            rows.iter().any(is_of),
            "README.md has no row for `{}`",
            command.name
        );
    }
}

fn document() -> String {
    let mut page = INTRODUCTION.to_owned();
    let shown = || COMMANDS.iter().filter(|command| !command.hidden);
    page += "| command | answers |\n|---|---|\n";
    for command in shown() {
        let usage = command.usage().replace('|', "\\|");
        let (name, summary) = (command.name, command.summary);
        _ = writeln!(page, "| [`{usage}`](#{name}) | {summary} |");
    }
    page += IN_COMMON;
    for flag in COMMON {
        _ = writeln!(page, "- `{}`: {}", flag.usage(), flag.help);
    }
    for command in shown() {
        page += &of(command);
    }
    page
}

const INTRODUCTION: &str = "\
# Commands

What can be typed at the prompt. This page is written from the declarations of the commands, by a test that also checks it;
the answers shown are about a little heap of the tests.

";

const IN_COMMON: &str = "
## What all have in common

The beginning of a name is enough where it is the beginning of one name alone, but for `abort`. Tab
completes names, flags, values, types, and after `#` rows; the arrow keys go back through what was typed.

**Rows** are numbered where they stand for something: `#3` is what row 3 of the last table stands for, a type, a call stack or a
block, wherever a PATTERN or an ADDR may stand.

**PATTERN** is a type without its path or with it (`CacheEntity`, `cache::CacheEntity`), which stands for that type whoever owns it;
`=Arc<CacheEntity>`, that type alone; a glob (`*Entity*`); `unknown`; an address; or a row. Several mean what any of them means, and a
type may be several words (`task demo_server::serve`).

**Answers** fit the terminal's width. What is longer than the screen waits for a key at each screenful: space for the next, Enter for a
line, `q` to stop. `COMMAND > FILE` writes the answer into a file, `COMMAND >> FILE` appends it; a name that ends in `.json` gets JSON.

**JSON** is one document on one line: `{\"schema\": 1, \"command\": …, \"capture\": {\"time\": …, \"frozen\": …, \"pid\": …}, \"rows\": […],
\"total\": {…}, \"gaps\": […]}`. Sizes are in bytes, times in seconds, shares from 0 to 1. An error is `{\"schema\": 1, \"command\": …,
\"error\": …, \"hint\": …}`.

**Ages**, and the time between looks, are of the program's running: while it stands still at the prompt, nothing gets older.

Every command takes these flags:

";

fn of(command: &Command) -> String {
    let mut page = format!("\n## {}\n\n", command.name);
    _ = writeln!(page, "`{}`\n", command.usage());
    for paragraph in std::iter::once(&command.help).chain(command.more) {
        _ = writeln!(page, "{}\n", wrapped(paragraph));
    }
    let arguments = command.arguments.iter();
    let arguments = arguments.map(|argument| (argument.name.to_owned(), argument.help));
    let flags = command.flags.iter().map(|flag| (flag.usage(), flag.help));
    for (name, help) in arguments.chain(flags) {
        _ = writeln!(page, "- `{name}`: {help}");
    }
    if !(command.arguments.is_empty() && command.flags.is_empty()) {
        page.push('\n');
    }
    if command.name == "set" {
        for setting in SETTINGS {
            _ = writeln!(
                page,
                "- `{} {}`: {}",
                setting.name,
                setting.values.join("|"),
                setting.help
            );
        }
        page.push('\n');
    }
    page += "For example:\n\n";
    for example in command.examples {
        _ = writeln!(page, "- `{}`: {}", example.line, example.says);
    }
    page.push('\n');
    page += &shown(command);
    _ = writeln!(page, "{}", facts(command).join("\n\n"));
    page
}

/// The answer to the first example that is for people.
fn shown(command: &Command) -> String {
    let people = |line: &&str| !line.contains("--json") && !line.contains('>');
    let lines = command.examples.iter().map(|example| example.line);
    match lines.clone().find(people).or(lines.clone().next()) {
        Some(line) => {
            let answer = ask(line);
            format!("```text\n(sigheap) {line}\n{}\n```\n\n", answer.trim_end())
        }
        None => String::new(),
    }
}

fn facts(command: &Command) -> Vec<String> {
    let code = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    };
    let mut facts = Vec::new();
    if !command.aliases.is_empty() {
        let aliases: Vec<String> = command
            .aliases
            .iter()
            .map(|alias| (*alias).to_owned())
            .collect();
        facts.push(format!("Short: {}.", code(&aliases)));
    }
    if !command.from.is_empty() {
        facts.push(format!("Known from {}.", command.from));
    }
    let (rows, total) = keys(command);
    if !rows.is_empty() {
        facts.push(format!("JSON, each row: {}.", code(&rows)));
    }
    if !total.is_empty() {
        facts.push(format!("In `total`: {}.", code(&total)));
    }
    facts.iter_mut().for_each(|fact| *fact = wrapped(fact));
    facts
}

/// The keys of the rows and of the total, over the answers to all examples.
fn keys(command: &Command) -> (Vec<String>, Vec<String>) {
    let (mut rows, mut total) = (Keys::default(), Keys::default());
    for example in command.examples {
        let line = format!("{} --json", example.line);
        let answer = ask(&line);
        let answer: serde_json::Value = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{line}: {error}: {answer}"));
        for row in answer["rows"].as_array().into_iter().flatten() {
            rows.add(row);
        }
        total.add(&answer["total"]);
    }
    (rows.in_order(), total.in_order())
}

/// Keys in the order in which they were met.
#[derive(Default)]
struct Keys(BTreeMap<String, usize>);

impl Keys {
    fn add(&mut self, object: &serde_json::Value) {
        for key in object
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys())
        {
            let next = self.0.len();
            self.0.entry(key.clone()).or_insert(next);
        }
    }

    fn in_order(self) -> Vec<String> {
        let mut keys: Vec<_> = self.0.into_iter().collect();
        keys.sort_by_key(|(_, place)| *place);
        keys.into_iter().map(|(key, _)| key).collect()
    }
}

/// What is answered after a table whose rows a line may mean.
fn ask(line: &str) -> String {
    let ((snapshot, memory), mut book) = (held(), Book::default());
    let ledger = ledger(Some(&past()));
    let mut view = View::open(&snapshot, &mut book, &memory, ledger, 1 << 20);
    let style = Style {
        width: 80,
        colour: false,
        whole: false,
    };
    let mut host = Asked::default();
    for before in PREPARED {
        execute(before, &mut view, &mut host, style);
    }
    execute(line, &mut view, &mut host, style).text
}

/// What examples may refer to: marks, and the rows of a table of blocks.
const PREPARED: [&str; 1] = ["list *"];

/// Lines of at most so many letters.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 120;
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is one");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            let space = if last.is_empty() { "" } else { " " };
            *last += space;
            *last += word;
        }
    }
    lines.join("\n")
}
