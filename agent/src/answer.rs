//! What a command of the program's own may return: plain, and the same on every target.

use std::fmt;

/// What a [command of the program's own](crate::Agent::command) returns: nothing, or whether it went well. An error is
/// shown at the prompt after what the command wrote.
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
