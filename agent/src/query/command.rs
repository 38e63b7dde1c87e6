//! What a command declares about itself, and how one is found by what was typed.

use super::near::nearest;
use super::program::of_program;
use super::unrecorded::is_whole;
use super::{COMMANDS, Error, Typed, View};
use crate::heap::Host;
use crate::report::Report;

/// A command: all that help, completion, the documentation and the tests say of it, and its answer.
#[derive(Debug)]
pub(crate) struct Command {
    /// Its full name.
    pub(crate) name: &'static str,
    /// Other names, all short.
    pub(crate) aliases: &'static [&'static str],
    /// What it answers, in a line.
    pub(crate) summary: &'static str,
    /// What `help COMMAND` says beyond that, in paragraphs.
    pub(crate) help: &'static str,
    /// Further paragraphs of that, where several commands share them.
    pub(crate) more: &'static [&'static str],
    /// What stands after the name, in order.
    pub(crate) arguments: &'static [Argument],
    /// Its flags, beside those that [every command](super::args::COMMON) takes.
    pub(crate) flags: &'static [Flag],
    /// Lines that run.
    pub(crate) examples: &'static [Example],
    /// The tools whose users know it, if any.
    pub(crate) from: &'static str,
    /// What must be there for it to answer.
    pub(crate) needs: &'static [Need],
    /// Whether no prefix of the name stands for it, since it cannot be undone.
    pub(crate) whole: bool,
    /// Whether a short word for it, at a terminal, has to be confirmed: it ends the program.
    pub(crate) asks: bool,
    /// Whether help and completion leave it out: it is there for the tests.
    pub(crate) hidden: bool,
    /// Whether the program answers it, not sigheap; see [`add`].
    pub(crate) of_program: bool,
    /// Answers.
    pub(crate) run: fn(&mut View<'_>, &Typed, &mut dyn Host) -> Result<Report, Error>,
}

impl Command {
    /// What most commands have.
    pub(crate) const PLAIN: Command = Command {
        name: "",
        aliases: &[],
        summary: "",
        help: "",
        more: &[],
        arguments: &[],
        flags: &[],
        examples: &[],
        from: "",
        needs: &[],
        whole: false,
        asks: false,
        hidden: false,
        of_program: false,
        run: |_, _, _| Ok(Report::default()),
    };

    /// Answers, if what it needs is there.
    ///
    /// # Errors
    /// Those of the command, and those of what it [needs](Need).
    pub(crate) fn answer(
        &self,
        view: &mut View<'_>,
        words: &[String],
        host: &mut dyn Host,
    ) -> Result<Report, Error> {
        let typed = Typed::read(self, words)?;
        for need in self.needs {
            need.check(self.name, view)?;
        }
        (self.run)(view, &typed, host)
    }

    /// How it is typed: `top [N] [--by bytes|count]`.
    pub(crate) fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for argument in self.arguments {
            let name = argument.name;
            usage += &if argument.optional {
                format!(" [{name}]")
            } else {
                format!(" {name}")
            };
        }
        for flag in self.flags {
            usage += &format!(" [{}]", flag.usage());
        }
        usage
    }

    /// Whether it has to be confirmed if it was called so: by the beginning of its name, or by an alias of one letter.
    pub(crate) fn asks_if_called(&self, word: &str) -> bool {
        self.asks && (word.len() == 1 || !self.is_called(word))
    }

    pub(super) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.aliases.contains(&word)
    }
}

/// The command that a word stands for: a name, an alias, or the beginning of one name alone.
///
/// # Errors
/// [`Error::UnknownCommand`], [`Error::Ambiguous`], [`Error::NotWhole`].
pub(crate) fn find(word: &str) -> Result<&'static Command, Error> {
    if let Some(command) = all().find(|command| command.is_called(word)) {
        return Ok(command);
    }
    let begins = |command: &&'static Command| !command.hidden && command.name.starts_with(word);
    let mut begun: Vec<_> = all().filter(begins).collect();
    // The program's commands leave sigheap's their short forms.
    if begun.iter().any(|command| !command.of_program) {
        begun.retain(|command| !command.of_program);
    }
    match *begun {
        [] => Err(Error::UnknownCommand {
            word: word.to_owned(),
            near: nearest(word, shown().map(|command| command.name)),
        }),
        [one] if one.whole => Err(Error::NotWhole { name: one.name }),
        [one] => Ok(one),
        ref several => Err(Error::Ambiguous {
            word: word.to_owned(),
            names: several.iter().map(|command| command.name).collect(),
        }),
    }
}

/// The commands that help and completion show.
pub(crate) fn shown() -> impl Iterator<Item = &'static Command> {
    all().filter(|command| !command.hidden)
}

/// Sigheap's commands and then the program's.
fn all() -> impl Iterator<Item = &'static Command> {
    COMMANDS.iter().copied().chain(of_program())
}

/// What stands after a command's name.
#[derive(Debug)]
pub(crate) struct Argument {
    /// Its name in capitals.
    pub(crate) name: &'static str,
    /// What may stand there.
    pub(crate) kind: Kind,
    /// Whether it may be left out.
    pub(crate) optional: bool,
    /// What it means.
    pub(crate) help: &'static str,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A type, a glob, or the number of a row.
    Pattern,
    /// An address, or the number of a row.
    Address,
    /// A static, an address, or the number of a row.
    Static,
    /// A number.
    Number,
    /// The name of a command.
    Command,
    /// How much to record.
    Mode,
    /// Anything.
    Word,
    /// The name of a setting.
    Setting,
    /// What the setting before it may be set to.
    SettingValue,
    /// The name of a mark.
    Mark,
    /// The id or the name of a thread, or the number of a row.
    Thread,
}

/// A flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// With its dashes.
    pub(crate) name: &'static str,
    /// The values it takes; none for one that stands alone. One in capitals stands for any value: `EXPR`.
    pub(crate) values: &'static [&'static str],
    /// What it does.
    pub(crate) help: &'static str,
}

impl Flag {
    /// Whether it takes this value.
    pub(crate) fn takes(&self, value: &str) -> bool {
        let allows = |allowed: &&str| *allowed == value || stands_for_any(allowed);
        self.values.iter().any(allows)
    }

    /// How it is typed.
    pub(crate) fn usage(&self) -> String {
        if self.values.is_empty() {
            self.name.to_owned()
        } else {
            format!("{} {}", self.name, self.values.join("|"))
        }
    }
}

/// Whether a value in a declaration stands for any: it is in capitals.
pub(crate) fn stands_for_any(value: &str) -> bool {
    value.starts_with(|first: char| first.is_ascii_uppercase())
}

/// A line that runs.
#[derive(Debug)]
pub(crate) struct Example {
    /// The line.
    pub(crate) line: &'static str,
    /// What it answers.
    pub(crate) says: &'static str,
}

/// What must be there for a command to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The program allocates through the tracker.
    Tracking,
    /// Some of what lives was recorded.
    Records,
    /// All of it was.
    Every,
}

impl Need {
    /// Whether it is there.
    pub(super) fn check(self, command: &'static str, view: &View<'_>) -> Result<(), Error> {
        let (snapshot, tracking) = (view.snapshot, &view.snapshot.tracking);
        if !tracking.present {
            return Err(Error::NotTracked { command });
        }
        match self {
            Need::Records if snapshot.blocks.is_empty() && tracking.unknown_blocks > 0 => {
                Err(Error::NotRecorded { command })
            }
            Need::Every if !is_whole(tracking) => Err(Error::NotEvery {
                command,
                unknown: tracking.unknown_blocks,
                mode: tracking.mode,
            }),
            Need::Tracking | Need::Records | Need::Every => Ok(()),
        }
    }
}
