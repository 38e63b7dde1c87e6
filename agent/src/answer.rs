//! What a command of the program's own may return: plain, and the same on every target.

use std::fmt;

/// What a [command of the program's own](crate::Agent::command) returns: nothing, or whether it went well. An error is
/// shown at the prompt after what the command wrote.
///
/// A closure that only panics, such as `|_, _| panic!()`, does not say which of these it is, and does not compile, in
/// edition 2021 as little as in 2024. One with a type does: `|_, _| -> () { panic!() }`.
pub trait Answer {
    /// What went wrong, if something did.
    fn failure(self) -> Option<String>;
}

impl Answer for () {
    fn failure(self) -> Option<String> {
        None
    }
}

impl<E: fmt::Display> Answer for Result<(), E> {
    fn failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}
