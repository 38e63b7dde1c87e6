//! `continue`: resume the program.

use super::{Command, Error, Example, Typed, View};
use crate::heap::{Host, Request};
use crate::report::Report;

pub(crate) static COMMAND: Command = Command {
    name: "continue",
    aliases: &["c"],
    summary: "resume the program as if nothing had happened",
    help: "Every thread goes on where it stood. Ctrl-D does the same. What this look counted is what `growth` compares the \
           next one with.",
    examples: &[Example {
        line: "continue",
        says: "resume",
    }],
    from: "pdb, gdb",
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, _: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    host.request(Request::Continue)?;
    Ok(Report {
        command: COMMAND.name,
        head: vec![format!("Resuming {}.", view.snapshot.program)],
        ..Report::default()
    })
}
