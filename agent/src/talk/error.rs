//! Why a line has no answer.

use std::path::PathBuf;
use std::{fmt, io};

use crate::query;

/// Why a line has no answer.
#[derive(Debug)]
pub(crate) enum Error {
    /// A quotation mark without its other half.
    Quote,
    /// `>` without a file, or with more than one.
    Redirection,
    /// An answer that is to go into another program.
    Pipe,
    /// The command said so.
    Query(query::Error),
    /// The file for the answer could not be written.
    File {
        /// As typed.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The command panicked: a fault of sigheap.
    Panic {
        /// What the panic said.
        message: String,
    },
    /// There is no terminal to talk at.
    NoTerminal(io::Error),
}

impl Error {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Error::Query(error) => error.hint(),
            Error::Quote => Some("close it, or leave it out".to_owned()),
            Error::Redirection => Some("as in `top > FILE`, at the end of the line".to_owned()),
            Error::Pipe => Some("a number is how many rows; `> FILE` writes a file for other programs".to_owned()),
            Error::File { source, .. } => file_hint(source),
            Error::Panic { .. } => Some(
                "this is a bug in sigheap; the program is not harmed, and the other commands still answer"
                    .to_owned(),
            ),
            Error::NoTerminal(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Quote => f.write_str("a quotation mark is not closed"),
            Error::Redirection => f.write_str("`>` takes one file"),
            Error::Pipe => f.write_str("an answer cannot go into another program"),
            Error::Query(error) => error.fmt(f),
            Error::File { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
            Error::Panic { message } => write!(f, "the command panicked: {message}"),
            Error::NoTerminal(source) => write!(f, "there is no terminal: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Query(error) => Some(error),
            Error::File { source, .. } | Error::NoTerminal(source) => Some(source),
            Error::Quote | Error::Redirection | Error::Pipe | Error::Panic { .. } => None,
        }
    }
}

impl From<query::Error> for Error {
    fn from(error: query::Error) -> Self {
        Error::Query(error)
    }
}

fn file_hint(source: &io::Error) -> Option<String> {
    match source.kind() {
        io::ErrorKind::NotFound => Some(
            "the folder must exist; a relative path begins at the program's working directory"
                .to_owned(),
        ),
        io::ErrorKind::PermissionDenied => {
            Some("it is written with the program's own rights".to_owned())
        }
        _ => None,
    }
}
