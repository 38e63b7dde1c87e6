//! The program's own commands, as far as the study knows them: names that help and completion show beside sigheap's. What
//! they answer comes from the program.

use std::cell::Cell;

use super::{Argument, COMMANDS, Command, Example, Kind, find};
use crate::heap::{Answered, Ended, Gap};
use crate::report::{Column, Report, Row, Value};

thread_local! {
    /// The look is one thread, and its commands do not change.
    static ADDED: Cell<&'static [&'static Command]> = const { Cell::new(&[]) };
}

/// The longest name, in letters.
const LONGEST: usize = 24;

/// The program's commands, in the order in which they were added.
pub(super) fn of_program() -> impl Iterator<Item = &'static Command> {
    ADDED.get().iter().copied()
}

/// Adds a command of the program's, for as long as the look lasts: its declaration is never freed.
pub(crate) fn add(name: &str, summary: &str) {
    let name: &'static str = name.to_owned().leak();
    let command: &'static Command = Box::leak(Box::new(Command {
        name,
        summary: summary.to_owned().leak(),
        help: "A command of the program's own. It runs in the program, which goes on meanwhile; then the heap is frozen anew. \
               `growth` goes on comparing with the look before this prompt opened; `mark NAME` before the command and \
               `diff NAME` after it show what the command changed. What it writes is shown here. Words after `--` are its own, whatever they look like.",
        arguments: &[Argument {
            name: "WORD…",
            kind: Kind::Word,
            optional: true,
            help: "what the command makes of it",
        }],
        examples: Box::leak(Box::new([Example {
            line: name,
            says: "have the program run it",
        }])),
        of_program: true,
        ..Command::PLAIN
    }));
    let mut added = ADDED.get().to_vec();
    added.push(command);
    ADDED.set(added.leak());
}

/// What a command of the program's wrote, as rows: a line each.
pub(crate) fn answer_of_program(answered: &Answered) -> Report {
    let text = String::from_utf8_lossy(&answered.output);
    let mut gaps: Vec<Gap> = left_out(answered).into_iter().collect();
    if std::str::from_utf8(&answered.output).is_err() {
        gaps.push(Gap::new("some bytes of the output", "they are no UTF-8"));
    }
    Report {
        command: find(&answered.call.name).map_or("", |command| command.name),
        columns: vec![Column::new("text", "")],
        rows: text
            .lines()
            .map(|line| Row::new([Value::text(line)]))
            .collect(),
        total: vec![("bytes", Value::Bytes(answered.output.len() as u64))],
        gaps,
        ..Report::default()
    }
}

fn left_out(answered: &Answered) -> Option<Gap> {
    let what = format!("{} more of the output", Value::Bytes(answered.left_out));
    (answered.left_out > 0).then(|| Gap::new(what, "the prompt keeps no more of it"))
}

/// What went wrong, and what to do about it.
pub(crate) fn failure_of_program(answered: &Answered) -> Option<(String, String)> {
    let name = &answered.call.name;
    let (error, hint) = match &answered.ended {
        Ended::Well => return None,
        Ended::Failed(why) => (
            format!("`{name}` failed: {why}"),
            "the program's command says so".to_owned(),
        ),
        Ended::Panicked(why) => (
            format!("`{name}` panicked: {why}"),
            "the panic was in the program's command, on a thread of its own; the program goes on"
                .to_owned(),
        ),
        Ended::NotYet(waited) => (
            format!("`{name}` has not ended after {}", Value::Span(*waited)),
            "it goes on in the program, unheard".to_owned(),
        ),
        Ended::Busy => (
            format!("`{name}` still runs since it was last called"),
            "it can be called again once it has ended".to_owned(),
        ),
        Ended::NotCalled(why) => (
            format!("`{name}` was not called: {why}"),
            "the program goes on".to_owned(),
        ),
    };
    Some((error, hint))
}

/// Whether a command of the program's may be called so.
///
/// # Errors
/// Why not.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_typed = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    let taken = |command: &&Command| command.is_called(name);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(is_typed) {
        Err("a name begins with a letter and goes on with letters, digits and `-_.:`")
    } else if name.len() > LONGEST {
        Err("its name is longer than 24 letters")
    } else if COMMANDS.iter().copied().any(|command| taken(&command)) {
        Err("sigheap has a command of that name")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["cache", "cache-fill", "a.b:c_1"] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in [
            "",
            "top",
            "q",
            "panic",
            "a b",
            "-a",
            "#1",
            "é",
            "a".repeat(25).as_str(),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn the_programs_commands_leave_sigheaps_their_prefixes() {
        for name in ["growl", "cache", "cachet"] {
            add(name, "as a test has it");
        }
        let found = |word| find(word).map(|command| command.name).ok();
        assert_eq!(found("gro"), Some("growth"));
        assert_eq!(found("growl"), Some("growl"));
        assert_eq!(found("cache"), Some("cache"));
        assert_eq!(found("cac"), None);
        assert_eq!(found("cachet"), Some("cachet"));
    }
}
