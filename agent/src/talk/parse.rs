//! A line as words, and the file its answer goes to.

use std::path::PathBuf;

use super::Error;
use crate::query::{WHERE, extent};

/// A line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// The command and what follows it; empty for an empty line.
    pub(crate) words: Vec<String>,
    /// Where the answer goes instead of the terminal.
    pub(crate) file: Option<Redirection>,
}

/// `> FILE`, or `>> FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirection {
    /// As typed.
    pub(crate) path: PathBuf,
    /// Whether what the file has stays.
    pub(crate) append: bool,
}

impl Redirection {
    /// To a file of this name, in place of what it has.
    pub(super) fn to(path: PathBuf) -> Self {
        let append = false;
        Redirection { path, append }
    }

    /// Whether the file is by its name one for a document.
    fn is_json(&self) -> bool {
        self.path.extension() == Some("json".as_ref())
    }
}

impl Line {
    /// Whether the answer is to be a document: its file is one, or it was asked for among these words.
    pub(super) fn wants_json(&self, words: &[String]) -> bool {
        self.file.as_ref().is_some_and(Redirection::is_json) || wants_json(words)
    }

    /// Takes a line apart.
    ///
    /// # Errors
    /// [`Error::Quote`], [`Error::Pipe`] and [`Error::Redirection`].
    pub(crate) fn read(line: &str) -> Result<Self, Error> {
        let mut parsed = Line::default();
        let mut words = split(line)?.into_iter();
        while let Some(word) = words.next() {
            if word.is_pipe() {
                return Err(Error::Pipe);
            }
            if !word.operator {
                parsed.words.push(word.text);
                continue;
            }
            let path = words.next().filter(|path| !path.operator);
            let path = path.ok_or(Error::Redirection)?;
            if words.next().is_some() {
                return Err(Error::Redirection);
            }
            parsed.file = Some(Redirection {
                path: path.text.into(),
                append: word.text == ">>",
            });
        }
        Ok(parsed)
    }
}

/// Whether a document is asked for among the words behind a command.
pub(super) fn wants_json(words: &[String]) -> bool {
    words.iter().any(|word| word == "--json")
}

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Where in the line it begins, in bytes.
    pub(super) start: usize,
    /// Without its quotation marks.
    pub(super) text: String,
    /// Whether it is `>` or `>>`.
    operator: bool,
}

impl Word {
    /// Whether it is the `|` of a shell, which no name of a type begins with.
    fn is_pipe(&self) -> bool {
        self.text.starts_with('|')
    }

    /// Whether a condition comes next: one word, with its spaces and its `>`, up to where it is complete.
    fn takes_condition(&self) -> bool {
        self.text == WHERE.name
    }
}

/// The words of a line. A type is one word however it is written: spaces and `>` between a `<` and its `>` belong to it,
/// so that `list HashMap<String, Session> > FILE` needs no quotation marks. They count at the beginning of a word alone,
/// for the sake of `&'static str`.
pub(super) fn split(line: &str) -> Result<Vec<Word>, Error> {
    match split_open(line) {
        (words, None) => Ok(words),
        (_, Some(_)) => Err(Error::Quote),
    }
}

/// The same of a line that is still being typed: its last word may lack the quotation mark that is given.
pub(super) fn split_open(line: &str) -> (Vec<Word>, Option<char>) {
    let mut words: Vec<Word> = Vec::new();
    let mut start = 0;
    let mut open = None;
    loop {
        start += line[start..].len() - line[start..].trim_start().len();
        let rest = &line[start..];
        let Some(first) = rest.chars().next() else {
            return (words, open);
        };
        let condition = words.last().is_some_and(Word::takes_condition);
        let (text, taken, operator) = match first {
            '"' | '\'' => match rest[1..].find(first) {
                Some(length) => (&rest[1..=length], length + 2, false),
                None => {
                    open = Some(first);
                    (&rest[1..], rest.len(), false)
                }
            },
            '>' => {
                let length = if rest.starts_with(">>") { 2 } else { 1 };
                (&rest[..length], length, true)
            }
            _ => {
                let length = match condition_after_equals(rest) {
                    Some(length) => length,
                    None if condition => extent(rest),
                    None => plain(rest),
                };
                (&rest[..length], length, false)
            }
        };
        words.push(Word {
            start,
            text: text.to_owned(),
            operator,
        });
        start += taken;
    }
}

/// How long the word is if it is `--where=` and a condition.
fn condition_after_equals(rest: &str) -> Option<usize> {
    let condition = rest.strip_prefix(WHERE.name)?.strip_prefix('=')?;
    Some(rest.len() - condition.len() + extent(condition))
}

/// How long the word is with which the line goes on.
fn plain(rest: &str) -> usize {
    let mut inside_until = 0;
    // A `<` without its `>` is a letter, and so are those after it: `list Arc<*`.
    let mut hopeless = false;
    for (i, c) in rest.char_indices() {
        if i < inside_until {
            continue;
        }
        match c {
            c if c.is_whitespace() => return i,
            '<' if !hopeless => match closing(&rest[i..]) {
                Some(length) => inside_until = i + length,
                None => hopeless = true,
            },
            _ => {}
        }
    }
    rest.len()
}

/// How far it is to just after the `>` that closes the `<` at the beginning. A `>` after a space redirects, and `->`
/// closes nothing.
fn closing(rest: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut before = ' ';
    for (i, c) in rest.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before.is_whitespace() => return None,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i + 1);
        }
        before = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        Line::read(line).expect("it is a good line").words
    }

    #[test]
    fn words_are_split_and_types_are_not() {
        assert_eq!(words("  top  5 --json "), ["top", "5", "--json"]);
        assert_eq!(
            words("list =HashMap<String, a::B> 5"),
            ["list", "=HashMap<String, a::B>", "5"]
        );
        assert_eq!(
            words("list Box<dyn Fn(u8) -> Vec<u8> + Send> 5"),
            ["list", "Box<dyn Fn(u8) -> Vec<u8> + Send>", "5"]
        );
        assert_eq!(words("list Arc<* 5"), ["list", "Arc<*", "5"]);
        assert_eq!(words("list 'a b' \"c d\""), ["list", "a b", "c d"]);
        assert_eq!(words("list &'static"), ["list", "&'static"]);
        assert_eq!(
            words("list --where size > 1k && type = Vec<u64> --by age 5"),
            [
                "list",
                "--where",
                "size > 1k && type = Vec<u64>",
                "--by",
                "age",
                "5"
            ]
        );
        assert_eq!(
            words("list --where 'size > 1' 5"),
            ["list", "--where", "size > 1", "5"]
        );
        assert_eq!(
            words("list --where=size > 1k 5"),
            ["list", "--where=size > 1k", "5"]
        );
        assert!(words("   ").is_empty());
    }

    #[test]
    fn the_answer_may_go_to_a_file() {
        for (line, path, append) in [
            ("top > a.txt", "a.txt", false),
            ("top >a.txt", "a.txt", false),
            ("top >> a.txt", "a.txt", true),
            ("top > 'a b'", "a b", false),
            ("list Arc<B> > a.txt", "a.txt", false),
            ("list Arc<* > a.txt", "a.txt", false),
            ("list --where size > 1k > a.txt", "a.txt", false),
            ("list --where moving >> a.txt", "a.txt", true),
        ] {
            let file = Line::read(line).expect("it is a good line").file;
            let file = file.expect("it names a file");
            assert_eq!(
                (file.path.to_str(), file.append),
                (Some(path), append),
                "{line}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        assert!(matches!(Line::read("list 'a"), Err(Error::Quote)));
        for line in ["top --json | head", "top |head"] {
            assert!(matches!(Line::read(line), Err(Error::Pipe)), "{line}");
        }
        assert!(Line::read("list --where moving || size > 1k").is_ok());
        for line in ["top >", "top > a b", "top > > a", "top > a > b"] {
            assert!(
                matches!(Line::read(line), Err(Error::Redirection)),
                "{line}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line: String) {
            _ = Line::read(&line);
        }

        #[test]
        fn no_line_of_its_own_letters_panics(line in "[a<>'\" -]{0,30}") {
            _ = Line::read(&line);
        }
    }
}
