//! `help`: what there is to ask, from the declarations.

use super::args::COMMON;
use super::command::shown;
use super::{Argument, Command, Error, Example, Kind, Typed, View, find};
use crate::heap::Host;
use crate::report::{Column, Report, Row, Value};

pub(crate) static COMMAND: Command = Command {
    name: "help",
    aliases: &["?", "h"],
    summary: "what there is to ask, or how one command is used",
    help: "Without a command, one line for each. With one, how it is typed, what it answers, and examples that run.",
    arguments: &[Argument {
        name: "COMMAND",
        kind: Kind::Command,
        optional: true,
        help: "the command to explain",
    }],
    examples: &[
        Example {
            line: "help",
            says: "all commands",
        },
        Example {
            line: "help top",
            says: "one of them",
        },
    ],
    from: "pdb, gdb",
    run,
    ..Command::PLAIN
};

fn run(_: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    match typed.words.first() {
        None => Ok(all()),
        Some(word) => find(word).map(one),
    }
}

fn all() -> Report {
    Report {
        command: COMMAND.name,
        columns: vec![
            Column::new("usage", "command"),
            Column::prose("summary", "answers"),
            Column::new("name", ""),
            Column::new("aliases", ""),
        ],
        rows: shown().map(row).collect(),
        notes: vec![
            "`help COMMAND` explains one, with examples. The beginning of a name will do."
                .to_owned(),
            "Every command takes --json, --full and `> FILE`; a row is `#3` in the next one."
                .to_owned(),
        ],
        ..Report::default()
    }
}

fn one(command: &'static Command) -> Report {
    Report {
        command: COMMAND.name,
        head: explain(command),
        columns: ["name", "usage", "summary", "help", "aliases", "from"]
            .map(|key| Column::new(key, ""))
            .to_vec(),
        rows: vec![Row::new([
            Value::text(command.name),
            Value::Text(command.usage()),
            Value::text(command.summary),
            Value::text(command.help),
            aliases(command),
            Value::text(command.from),
        ])],
        ..Report::default()
    }
}

fn row(command: &'static Command) -> Row {
    let mut names = vec![command.name];
    names.extend(command.aliases);
    let mut typed = names.join(", ");
    for argument in command.arguments {
        typed = format!("{typed} {}", argument.name);
    }
    Row::new([
        Value::Text(typed),
        Value::text(command.summary),
        Value::text(command.name),
        aliases(command),
    ])
}

/// Everything a declaration says. Lines that begin with two spaces are kept as they are.
fn explain(command: &Command) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", command.name, command.summary),
        format!("  {}", command.usage()),
    ];
    lines.extend(command.help.lines().map(str::to_owned));
    lines.extend(command.more.iter().map(|paragraph| (*paragraph).to_owned()));
    let arguments = command.arguments.iter();
    lines.extend(arguments.map(|a| format!("  {:<22} {}", a.name, a.help)));
    let flags = command.flags.iter().chain(COMMON);
    lines.extend(flags.map(|flag| format!("  {:<22} {}", flag.usage(), flag.help)));
    lines.push("Examples:".to_owned());
    let examples = command.examples.iter();
    lines.extend(examples.map(|e| format!("  {:<22} {}", e.line, e.says)));
    if !command.aliases.is_empty() {
        lines.push(format!("Short: {}.", command.aliases.join(", ")));
    }
    if !command.from.is_empty() {
        lines.push(format!("You may know it from {}.", command.from));
    }
    lines
}

fn aliases(command: &Command) -> Value {
    Value::List(
        command
            .aliases
            .iter()
            .map(|alias| Value::text(*alias))
            .collect(),
    )
}
