//! `panic`: hidden, for the tests of the guard around commands.

use super::{Command, Example};

pub(crate) static COMMAND: Command = Command {
    name: "panic",
    summary: "panics, for the tests of the guard around commands",
    help: "A command that panics must cost its answer alone, not the look and not the program. This one does nothing else, so \
           that a test from outside can see it.",
    examples: &[Example {
        line: "panic",
        says: "panic",
    }],
    hidden: true,
    run: |_, _, _| panic!("asked for"),
    ..Command::PLAIN
};
