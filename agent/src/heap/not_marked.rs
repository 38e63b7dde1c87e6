//! Why a program's own mark was not made.

use std::fmt;

/// Why [`Agent::mark`](crate::Agent::mark) made no mark. The program is not harmed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotMarked {
    /// The agent is not installed in this process, or not supported here.
    NotInstalled,
    /// That can be no name: why.
    Name(String),
    /// Somebody is looking at the heap just now, at the prompt, or too many marks wait to be made.
    Busy,
    /// There are as many marks as are kept, or they leave no room. `mark NAME --drop` at the prompt removes one.
    Full,
    /// It took too long. It may still be made.
    Late,
    /// The process could not be stopped or copied: why.
    Failed(String),
}

impl fmt::Display for NotMarked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotMarked::NotInstalled => f.write_str("the agent is not installed in this process"),
            NotMarked::Name(why) | NotMarked::Failed(why) => f.write_str(why),
            NotMarked::Busy => {
                f.write_str("somebody is looking at the heap, or too many marks wait")
            }
            NotMarked::Full => f.write_str("there is no room for another mark"),
            NotMarked::Late => f.write_str("it took too long"),
        }
    }
}

impl std::error::Error for NotMarked {}
