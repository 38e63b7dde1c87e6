//! What was typed after a command's name, checked against its declaration. What it means is each command's own type.

use super::near::nearest;
use super::{Command, Error, Flag, Kind};

/// The flags of every command.
pub(crate) static COMMON: &[Flag] = &[
    Flag {
        name: "--json",
        values: &[],
        help: "one document on one line, for programs",
    },
    Flag {
        name: "--full",
        values: &[],
        help: "whole paths, and stacks with every frame",
    },
];

/// Words sorted into flags and the rest; the flags are known to be the command's.
#[derive(Debug)]
pub(crate) struct Typed {
    command: &'static str,
    /// Those that are not flags, in order.
    pub(crate) words: Vec<String>,
    flags: Vec<(&'static str, String)>,
}

impl Typed {
    /// Sorts the words that follow a command's name.
    ///
    /// # Errors
    /// [`Error::UnknownFlag`], and [`Error::Usage`] for a value that is missing, not one of those allowed, or too many
    /// words.
    pub(crate) fn read(command: &Command, words: &[String]) -> Result<Self, Error> {
        let mut typed = Typed {
            command: command.name,
            words: Vec::new(),
            flags: Vec::new(),
        };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let is_short = |flag: &Flag| flag.name == word;
            if word.starts_with("--") || command.flags.iter().any(is_short) {
                let flag = read_flag(command, word, || rest.next().cloned())?;
                typed.flags.push(flag);
            } else {
                typed.words.push(word.clone());
            }
        }
        typed.check_number_of_words(command)?;
        Ok(typed)
    }

    /// Whether a flag was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.value(flag).is_some()
    }

    /// The value of a flag, the last one if it was given twice.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        let given = self.flags.iter().rev().find(|(name, _)| *name == flag);
        given.map(|(_, value)| value.as_str())
    }

    /// Whether whole names were asked for.
    pub(crate) fn full(&self) -> bool {
        self.has("--full")
    }

    /// Takes a number off the end of the words, if one stands there.
    pub(crate) fn split_number(&self) -> (Option<usize>, &[String]) {
        match self.words.split_last() {
            Some((last, before)) if last.parse::<usize>().is_ok() => (last.parse().ok(), before),
            _ => (None, &self.words),
        }
    }

    /// An error about how the command was typed.
    pub(crate) fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Usage {
            command: self.command,
            what: what.into(),
        }
    }

    fn check_number_of_words(&self, command: &Command) -> Result<(), Error> {
        let any = command.arguments.iter().any(|a| a.kind == Kind::Pattern);
        match self.words.get(command.arguments.len()) {
            Some(word) if !any => Err(self.wrong(format!("`{word}` is one word too many"))),
            _ => Ok(()),
        }
    }
}

/// A flag and its value: `--by count` or `--by=count`.
fn read_flag(
    command: &Command,
    word: &str,
    next: impl FnOnce() -> Option<String>,
) -> Result<(&'static str, String), Error> {
    let (name, given) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    let flag = find_flag(command, name)?;
    let wrong = |what: String| Error::Usage {
        command: command.name,
        what,
    };
    match (flag.values, given) {
        ([], None) => Ok((flag.name, String::new())),
        ([], Some(_)) => Err(wrong(format!("{name} takes no value"))),
        (values, given) => match given.or_else(next) {
            Some(value) if flag.takes(&value) => Ok((flag.name, value)),
            _ => Err(wrong(format!("{name} takes {}", values.join(" or ")))),
        },
    }
}

fn find_flag(command: &Command, name: &str) -> Result<&'static Flag, Error> {
    let mut flags = command.flags.iter().chain(COMMON);
    flags
        .find(|flag| flag.name == name)
        .ok_or_else(|| Error::UnknownFlag {
            command: command.name,
            flag: name.to_owned(),
            near: nearest(
                name,
                command.flags.iter().chain(COMMON).map(|flag| flag.name),
            ),
        })
}
