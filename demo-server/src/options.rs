//! The command line: what was asked for, checked. Touches nothing but its arguments.

use crate::leaks::{Leak, Leaks};
use lexopt::{Arg, Parser, ValueExt};
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A real little server with a leak, to press Ctrl-\\ in.

It reads access-log lines in Combined Log Format, keeps the sessions of the latest clients, and
stores a row for each line in SQLite. With no arguments it feeds itself a generated stream.

Usage: demo-server [- | FILE | --follow FILE | --listen ADDRESS] [OPTIONS]

Input:
  -                     standard input
  FILE                  a log file, read once to its end
  --follow FILE         a log file that is still being written, as tail -F reads it: it may appear
                        late, grow, be cut back, or be renamed and made anew
  --listen ADDRESS      lines from any number of TCP clients; port 0 takes a free one

Options:
  --leak KINDS          what goes wrong, several with commas between [default: cache]
                          cache     nobody prunes the index of CacheEntity objects
                          cycle     clients and their connections hold each other
                          task      tasks wait for a notification that nobody sends
                          forget    guards are forgotten, not disarmed, with their boxes
                          spare     buffers keep the room that a burst gave them
                          fragment  the allocator cannot give freed memory back
                          all, none
  --db FILE             the database [default: demo-server.sqlite]
  --commit-every TIME   time between commits, such as 500ms, 30s, 2m [default: 30s]
  --sessions N          clients whose sessions are kept [default: 500]
  --rate N              lines a second of the generated stream [default: 2000]
  -h, --help            this text

Ctrl-\\ (or `kill -QUIT PID`) opens the heap. Ctrl-C and SIGTERM commit and end the server.
";

/// Bounds that keep a slip of the finger from asking for the whole machine.
const MAX_SESSIONS: usize = 1_000_000;
const MAX_RATE: u32 = 1_000_000;
const MAX_COMMIT_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// `--help`.
    Help,
    /// A server.
    Run(Options),
}

/// A server, as asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Where the lines come from.
    pub(crate) source: Source,
    /// What goes wrong.
    pub(crate) leaks: Leaks,
    /// The database's file.
    pub(crate) db: PathBuf,
    /// Time between commits.
    pub(crate) commit_every: Duration,
    /// Bound on the sessions kept.
    pub(crate) sessions: NonZeroUsize,
}

/// Where the lines come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The server feeds itself.
    Generated {
        /// Lines a second, at least one.
        rate: u32,
    },
    /// Standard input.
    Stdin,
    /// A file, once.
    File(PathBuf),
    /// A file that is still being written.
    Follow(PathBuf),
    /// TCP clients.
    Listen(SocketAddr),
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Generated { rate } => write!(out, "a generated stream of {rate} lines/s"),
            Source::Stdin => out.write_str("standard input"),
            Source::File(path) => write!(out, "{}", path.display()),
            Source::Follow(path) => write!(out, "{} as it grows", path.display()),
            Source::Listen(address) => write!(out, "TCP clients at {address}"),
        }
    }
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut given = Given::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Asked::Help),
            Arg::Long("follow") => {
                let file = file(parser.value()?, "--follow")?;
                given.source(Source::Follow(file))?;
            }
            Arg::Long("listen") => given.listen(value(&mut parser, "--listen")?)?,
            Arg::Long("leak") => given.leaks = Some(value(&mut parser, "--leak")?.read(leaks)?),
            Arg::Long("db") => given.db = Some(file(parser.value()?, "--db")?),
            Arg::Long("commit-every") => {
                given.commit_every = Some(value(&mut parser, "--commit-every")?.read(time)?);
            }
            Arg::Long("sessions") => {
                given.sessions = Some(value(&mut parser, "--sessions")?.read(sessions)?);
            }
            Arg::Long("rate") => given.rate = Some(value(&mut parser, "--rate")?.read(rate)?),
            Arg::Value(input) if input == "-" => given.source(Source::Stdin)?,
            Arg::Value(input) => given.source(Source::File(input.into()))?,
            other => return Err(other.unexpected().into()),
        }
    }
    given.complete().map(Asked::Run)
}

/// What was typed, before the defaults.
#[derive(Default)]
struct Given {
    source: Option<Source>,
    leaks: Option<Leaks>,
    db: Option<PathBuf>,
    commit_every: Option<Duration>,
    sessions: Option<NonZeroUsize>,
    rate: Option<u32>,
}

impl Given {
    fn listen(&mut self, address: Value) -> Result<(), UsageError> {
        let address = address.read(|text| {
            text.parse()
                .map_err(|_| "an address such as 127.0.0.1:7070")
        })?;
        self.source(Source::Listen(address))
    }

    fn source(&mut self, source: Source) -> Result<(), UsageError> {
        match self.source.replace(source) {
            None => Ok(()),
            Some(_) => Err(UsageError::TwoInputs),
        }
    }

    fn complete(self) -> Result<Options, UsageError> {
        Ok(Options {
            source: match (self.source, self.rate) {
                (Some(_), Some(_)) => return Err(UsageError::RateOfAnInput),
                (Some(source), None) => source,
                (None, rate) => Source::Generated {
                    rate: rate.unwrap_or(2000),
                },
            },
            leaks: self.leaks.unwrap_or(Leaks::NONE.with(Leak::Cache)),
            db: self.db.unwrap_or_else(|| "demo-server.sqlite".into()),
            commit_every: self.commit_every.unwrap_or(Duration::from_secs(30)),
            sessions: self
                .sessions
                .unwrap_or(const { NonZeroUsize::new(500).unwrap() }),
        })
    }
}

/// The value of an option, not yet understood.
struct Value {
    option: &'static str,
    text: String,
}

impl Value {
    /// Understands it, where `read` says in a few words what it should have been.
    fn read<T>(self, read: impl Fn(&str) -> Result<T, &'static str>) -> Result<T, UsageError> {
        read(&self.text).map_err(|wanted| UsageError::Value {
            option: self.option,
            text: self.text,
            wanted,
        })
    }
}

fn value(parser: &mut Parser, option: &'static str) -> Result<Value, UsageError> {
    let text = parser.value()?.string()?;
    Ok(Value { option, text })
}

fn leaks(text: &str) -> Result<Leaks, &'static str> {
    Leaks::parse(text).ok_or(Leaks::WANTED)
}

fn file(file: OsString, option: &'static str) -> Result<PathBuf, UsageError> {
    if file.is_empty() {
        return Err(UsageError::Value {
            option,
            text: String::new(),
            wanted: "a file",
        });
    }
    Ok(file.into())
}

fn time(text: &str) -> Result<Duration, &'static str> {
    let wanted = "a time up to 24h, such as 500ms, 30s or 2m";
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(wanted)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wanted)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    let time = Duration::from_millis(milliseconds.ok_or(wanted)?);
    let sound = !time.is_zero() && time <= MAX_COMMIT_EVERY;
    sound.then_some(time).ok_or(wanted)
}

fn sessions(text: &str) -> Result<NonZeroUsize, &'static str> {
    let number = text.parse().ok();
    let sound = number.filter(|number: &NonZeroUsize| number.get() <= MAX_SESSIONS);
    sound.ok_or("a number from 1 to 1000000")
}

fn rate(text: &str) -> Result<u32, &'static str> {
    let number = text.parse().ok();
    let sound = number.filter(|number| (1..=MAX_RATE).contains(number));
    sound.ok_or("a number from 1 to 1000000")
}

/// What is wrong with a command line.
#[derive(Debug)]
pub(crate) enum UsageError {
    /// Its form.
    Form(lexopt::Error),
    /// The value of an option.
    Value {
        /// The option.
        option: &'static str,
        /// What was given.
        text: String,
        /// What it takes.
        wanted: &'static str,
    },
    /// More than one of `-`, `FILE`, `--follow` and `--listen`.
    TwoInputs,
    /// `--rate` together with an input.
    RateOfAnInput,
}

impl From<lexopt::Error> for UsageError {
    fn from(source: lexopt::Error) -> Self {
        UsageError::Form(source)
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::Form(source) => write!(out, "{source}"),
            UsageError::Value {
                option,
                text,
                wanted,
            } => write!(out, "{option} {text:?}: it takes {wanted}"),
            UsageError::TwoInputs => {
                out.write_str("more than one of -, FILE, --follow and --listen")
            }
            UsageError::RateOfAnInput => {
                out.write_str("--rate belongs to the generated stream, not to an input")
            }
        }
    }
}

impl Error for UsageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            UsageError::Form(source) => source.source(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options(line: &str) -> Options {
        match read(line) {
            Ok(Asked::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_defaults_are_those_that_the_help_states() {
        let options = options("");
        assert_eq!(options.source, Source::Generated { rate: 2000 });
        for default in [
            &options.leaks.to_string(),
            &options.db.display().to_string(),
            &format!("{}s", options.commit_every.as_secs()),
            &options.sessions.to_string(),
            "2000",
        ] {
            assert!(HELP.contains(&format!("[default: {default}]")), "{default}");
        }
    }

    #[test]
    fn every_option_is_read() {
        let line =
            "--listen 127.0.0.1:0 --leak=cycle,task --db x.db --commit-every 250ms --sessions 9";
        let expected = Options {
            source: Source::Listen("127.0.0.1:0".parse().unwrap()),
            leaks: Leaks::parse("task,cycle").unwrap(),
            db: "x.db".into(),
            commit_every: Duration::from_millis(250),
            sessions: NonZeroUsize::new(9).unwrap(),
        };
        assert_eq!(options(line), expected);
        assert_eq!(options("-").source, Source::Stdin);
        assert_eq!(options("a.log").source, Source::File("a.log".into()));
        assert_eq!(
            options("--follow a.log").source,
            Source::Follow("a.log".into())
        );
        assert_eq!(options("-- -").source, Source::Stdin);
        assert_eq!(options("--rate 7").source, Source::Generated { rate: 7 });
        assert_eq!(read("--help").unwrap(), Asked::Help);
    }

    #[test]
    fn every_leak_is_in_the_help() {
        for leak in Leak::ALL {
            assert!(HELP.contains(&format!("\n                          {} ", leak.name())));
        }
        assert!(HELP.lines().all(|line| line.len() <= 98));
    }

    #[test]
    fn a_mad_command_line_is_refused() {
        for line in [
            "--nonsense",
            "-x",
            "a.log b.log",
            "- --listen 127.0.0.1:1",
            "a.log --rate 5",
            "--listen here",
            "--listen 127.0.0.1",
            "--leak",
            "--leak everything",
            "--leak cache,none",
            "--commit-every 30",
            "--commit-every 0s",
            "--commit-every 25h",
            "--commit-every 99999999999999999999s",
            "--commit-every -5s",
            "--sessions 0",
            "--sessions 99999999999",
            "--rate 0",
            "--rate many",
            "--db=",
            "--follow",
            "--follow=",
            "--follow a.log b.log",
        ] {
            let error = read(line).expect_err(line);
            assert!(!error.to_string().is_empty());
        }
    }
}
