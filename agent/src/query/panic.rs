//! `panic`: hidden, for the tests of what guards the program against its look.

use std::hint::black_box;

use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Host, Step, Unit};
use crate::report::Report;

pub(crate) static COMMAND: Command = Command {
    name: "panic",
    summary: "goes wrong, for the tests of what guards the program",
    help: "A command that panics must cost its answer alone; one that goes wrong otherwise the look, and never the program. This \
           one does nothing else, so that a test from outside can see it.",
    arguments: &[Argument {
        name: "HOW",
        kind: Kind::Word,
        optional: true,
        help: "`loop`: never ends; `alloc`: allocates without end; `stack`: calls itself without end; `abort`: as a panic \
               under panic = \"abort\" does; `slow`: never ends, and says how far it is",
    }],
    examples: &[Example {
        line: "panic",
        says: "panic",
    }],
    hidden: true,
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    match typed.words.first().map(String::as_str) {
        None => panic!("asked for"),
        Some("loop") => loop {
            std::hint::spin_loop();
        },
        Some("slow") => {
            for done in 0.. {
                let step = Step {
                    what: "doing nothing",
                    done: done % 100,
                    total: 100,
                    unit: Unit::Of("steps"),
                };
                if !view.waiting.goes_on(step) {
                    break;
                }
            }
            // Made of a part, and thrown away.
            Ok(Report::default())
        }
        Some("alloc") => loop {
            // Room that nobody touches counts, and costs the machine nothing.
            black_box(Vec::<u8>::with_capacity(1 << 20).leak());
        },
        Some("stack") => Err(typed.wrong(deeper(0).to_string())),
        Some("abort") => std::process::abort(),
        Some(_) => Err(typed.wrong("there is no such way to go wrong")),
    }
}

/// Calls itself without end, and not by a jump.
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 100]);
    match depth {
        u64::MAX => 0,
        depth => deeper(depth + 1) + black_box(room)[1],
    }
}
