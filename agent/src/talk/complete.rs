//! Completion, from the commands' declarations and the types in the heap.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::parse::split;
use crate::heap::SETTINGS;
use crate::query::{COMMANDS, COMMON, Command, Kind, find, stands_for_any};

/// What completion knows beyond the declarations.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The types of the heap, heaviest first.
    pub(super) types: Vec<String>,
    /// The marks.
    pub(super) marks: Vec<String>,
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..pos).unwrap_or(line)))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

impl Words {
    /// Where the word begins that the line ends with, and what it may become.
    fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let Ok(mut words) = split(line) else {
            return (line.len(), Vec::new());
        };
        let typed = match words.last() {
            Some(last) if line[last.start..].ends_with(&last.text) => words.pop(),
            _ => None,
        };
        let (start, typed) = match typed {
            Some(word) => (word.start, word.text),
            None => (line.len(), String::new()),
        };
        let before: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let candidates = match before.split_first() {
            None => names(&typed),
            Some((command, given)) => match find(command) {
                Ok(command) => self.of_command(command, given, &typed),
                Err(_) => Vec::new(),
            },
        };
        (start, candidates)
    }

    fn of_command(&self, command: &Command, given: &[&str], typed: &str) -> Vec<String> {
        let flags = || command.flags.iter().chain(COMMON);
        if let Some(flag) = flags().find(|flag| given.last() == Some(&flag.name))
            && !flag.values.is_empty()
        {
            if flag.values == ["MARK"] {
                return self.marks(typed);
            }
            let values = flag.values.iter().copied();
            return beginning(values.filter(|value| !stands_for_any(value)), typed);
        }
        if typed.starts_with('-') {
            return beginning(flags().map(|flag| flag.name), typed);
        }
        let place = given.iter().filter(|word| !word.starts_with('-')).count();
        match command.arguments.get(place).map(|argument| argument.kind) {
            Some(Kind::Pattern) => self.types(typed),
            Some(Kind::Command) => names(typed),
            Some(Kind::Setting) => beginning(SETTINGS.iter().map(|one| one.name), typed),
            Some(Kind::SettingValue) => setting_values(given, typed),
            Some(Kind::Mark) => self.marks(typed),
            Some(Kind::Address | Kind::Number) | None => Vec::new(),
        }
    }

    fn marks(&self, typed: &str) -> Vec<String> {
        beginning(self.marks.iter().map(String::as_str), typed)
    }

    fn types(&self, typed: &str) -> Vec<String> {
        let (exactly, typed) = match typed.strip_prefix('=') {
            Some(typed) => ("=", typed),
            None => ("", typed),
        };
        let types = beginning(self.types.iter().map(String::as_str), typed);
        types
            .into_iter()
            .map(|name| format!("{exactly}{name}"))
            .collect()
    }
}

/// What the setting that was named may be set to.
fn setting_values(given: &[&str], typed: &str) -> Vec<String> {
    let named = SETTINGS.iter().find(|one| given.last() == Some(&one.name));
    let values = named.map_or(&[][..], |one| one.values).iter().copied();
    beginning(values.filter(|value| !stands_for_any(value)), typed)
}

fn names(typed: &str) -> Vec<String> {
    let shown = COMMANDS.iter().filter(|command| !command.hidden);
    beginning(shown.map(|command| command.name), typed)
}

/// Those that begin so, in whatever case; each with a space after it, for what comes next.
fn beginning<'n>(names: impl Iterator<Item = &'n str>, typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    names
        .filter(|name| name.to_lowercase().starts_with(&typed))
        .map(|name| format!("{name} "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(line: &str) -> (usize, Vec<String>) {
        let types = [
            "Arc<CacheEntity>",
            "CacheEntity",
            "HashMap<String, Session>",
        ];
        let words = Words {
            types: types.map(str::to_owned).to_vec(),
            marks: vec!["before".to_owned(), "after".to_owned()],
        };
        words.candidates(line)
    }

    #[test]
    fn commands_flags_values_and_types() {
        let one = |start, word: &str| (start, vec![word.to_owned()]);
        assert_eq!(candidates("gro"), one(0, "growth "));
        assert_eq!(candidates("help to"), one(5, "top "));
        assert_eq!(candidates("top --b"), one(4, "--by "));
        assert_eq!(candidates("top --by c"), one(9, "count "));
        assert_eq!(candidates("list cache"), one(5, "CacheEntity "));
        assert_eq!(candidates("list =Arc"), one(5, "=Arc<CacheEntity> "));
        assert_eq!(candidates("list Ha"), one(5, "HashMap<String, Session> "));
        assert_eq!(candidates("diff before a"), one(12, "after "));
        assert_eq!(candidates("growth --since b"), one(15, "before "));
        assert_eq!(candidates("list ").1.len(), 3);
        assert_eq!(candidates("pani"), (0, Vec::new()));
        assert_eq!(candidates("set pag"), one(4, "paging "));
        assert_eq!(candidates("set paging of"), one(11, "off "));
        assert_eq!(candidates("set rows "), one(9, "auto "));
        assert_eq!(candidates("where 0"), (6, Vec::new()));
        assert_eq!(candidates("nonsense a"), (9, Vec::new()));
        assert_eq!(candidates("list 'a"), (7, Vec::new()));
    }

    #[test]
    fn an_empty_line_offers_what_help_shows() {
        let shown = COMMANDS.iter().filter(|command| !command.hidden);
        assert_eq!(candidates("").1.len(), shown.count());
    }
}
