//! `abort`: let the program die of SIGQUIT, with a core.

use super::{Command, Error, Example, Typed, View};
use crate::heap::{Host, Request};
use crate::report::Report;

pub(crate) static COMMAND: Command = Command {
    name: "abort",
    summary: "let the program die of SIGQUIT, with a core",
    help: "What Ctrl-\\ does to a program without sigheap. A core is written where `ulimit -c` and the system allow one. It has \
           to be typed whole.",
    examples: &[Example {
        line: "abort",
        says: "die of SIGQUIT",
    }],
    from: "gdb's kill, gcore",
    whole: true,
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, _: &Typed, host: &mut dyn Host) -> Result<Report, Error> {
    host.request(Request::Abort)?;
    Ok(Report {
        command: COMMAND.name,
        head: vec![format!("Aborting {}.", view.snapshot.program)],
        ..Report::default()
    })
}
