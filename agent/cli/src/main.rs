//! The command `sigheap`. A shell for now: attaching and opening dumps come with the rooms that serve them.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let text = "sigheap: nothing to attach to yet. Link the crate `sigheap` into a program and press Ctrl-\\ in its terminal.\n";
    match std::io::stderr().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => ExitCode::from(2),
    }
}
