//! `quit`: end the program.

use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Host, Request};
use crate::report::Report;

pub(crate) static COMMAND: Command = Command {
    name: "quit",
    aliases: &["q", "exit"],
    summary: "end the program",
    help: "The program ends at once with this exit code, 0 unless given: no destructor runs, nothing is flushed. The terminal \
           is restored. At a terminal a shorter word, such as `q`, asks first.",
    arguments: &[Argument {
        name: "CODE",
        kind: Kind::Number,
        optional: true,
        help: "the exit code, 0 to 255",
    }],
    examples: &[
        Example {
            line: "quit",
            says: "exit code 0",
        },
        Example {
            line: "quit 3",
            says: "exit code 3",
        },
    ],
    from: "pdb, gdb",
    asks: true,
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    let code = match typed.words.first() {
        None => 0,
        Some(word) => word
            .parse()
            .map_err(|_| typed.wrong(format!("`{word}` is no exit code from 0 to 255")))?,
    };
    host.request(Request::Quit(code))?;
    Ok(Report {
        command: COMMAND.name,
        head: vec![format!(
            "Ending {} with exit code {code}.",
            view.snapshot.program
        )],
        ..Report::default()
    })
}
