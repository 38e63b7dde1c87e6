//! Completion, from the commands' declarations, the types in the heap and the rows of the last answer.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::choices::{Screen, fitting};
use super::parse::{Word, split_open};
use crate::heap::SETTINGS;
use crate::query::{COMMON, Command, FIELDS, Flag, Kind, WHERE, find, shown, stands_for_any};

/// What completion knows beyond the declarations.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The types of the heap without their paths, heaviest first.
    pub(super) types: Vec<String>,
    /// The same with their paths.
    pub(super) paths: Vec<String>,
    /// What the rows of the last answer stand for.
    pub(super) rows: Vec<String>,
    /// The marks.
    pub(super) marks: Vec<String>,
    /// The names of threads.
    pub(super) threads: Vec<String>,
    /// The statics with their paths, once they are known.
    pub(super) statics: Vec<String>,
    /// What the list is shown on.
    pub(super) screen: Screen,
}

/// Where the word begins that is completed, and what it may become.
type Found = (usize, Vec<Pair>);

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<Found> {
        let (start, choices) = self.candidates(line.get(..pos).unwrap_or(line));
        Ok((start, fitting(choices, self.screen)))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

impl Words {
    fn candidates(&self, line: &str) -> Found {
        let (mut words, quote) = split_open(line);
        // A condition that is not complete goes on after its last space.
        if let [.., before, condition] = &mut words[..]
            && before.text == WHERE.name
            && quote.is_none()
        {
            line[condition.start..].clone_into(&mut condition.text);
        }
        let typed = match words.last() {
            Some(last) if quote.is_some() || line[last.start..].ends_with(&last.text) => {
                words.pop()
            }
            _ => None,
        };
        let (start, typed) = match typed {
            Some(word) => (word.start, word.text),
            None => (line.len(), String::new()),
        };
        let (start, mut candidates) = self.of_word(&words, start, &typed);
        if let Some(quote) = quote {
            for pair in &mut candidates {
                let word = pair.replacement.trim_end();
                pair.replacement = format!("{quote}{word}{quote} ");
            }
        }
        (start, candidates)
    }

    fn of_word(&self, before: &[Word], start: usize, typed: &str) -> Found {
        let Some((command, given)) = before.split_first() else {
            return (start, names(typed));
        };
        let Ok(command) = find(&command.text) else {
            return (start, Vec::new());
        };
        let flags = || command.flags.iter().chain(COMMON);
        let flag_before = given.last().and_then(|word| find_flag(command, &word.text));
        if let Some(flag) = flag_before.filter(|flag| !flag.values.is_empty()) {
            return self.of_flag(flag, start, typed);
        }
        if let Some((name, value)) = typed.split_once('=')
            && let Some(flag) = find_flag(command, name)
        {
            return self.of_flag(flag, start + name.len() + 1, value);
        }
        if typed.starts_with('-') {
            return (start, beginning(flags().map(|flag| flag.name), typed));
        }
        self.of_argument(command, given, start, typed)
    }

    fn of_flag(&self, flag: &Flag, start: usize, typed: &str) -> Found {
        if flag.name == WHERE.name {
            return self.of_condition(start, typed);
        }
        if flag.values == ["MARK"] {
            return (start, self.marks(typed));
        }
        (start, beginning(fixed(flag.values), typed))
    }

    fn of_argument(&self, command: &Command, given: &[Word], start: usize, typed: &str) -> Found {
        let plain: Vec<&Word> = plain_words(command, given);
        let arguments = command.arguments;
        let kind = match arguments
            .iter()
            .find(|argument| argument.kind == Kind::Pattern)
        {
            // There may be several.
            Some(_) => Some(Kind::Pattern),
            None => arguments.get(plain.len()).map(|argument| argument.kind),
        };
        match kind {
            Some(Kind::Pattern | Kind::Address) if typed.starts_with('#') => {
                (start, self.numbered(typed))
            }
            Some(Kind::Pattern) => self.of_pattern(&plain, start, typed),
            Some(Kind::Address) if typed.is_empty() => (start, self.numbered("#")),
            Some(Kind::Command) => (start, names(typed)),
            Some(Kind::Mode) => (
                start,
                beginning(["full", "sampled", "off"].into_iter(), typed),
            ),
            Some(Kind::Mark) => (start, self.marks(typed)),
            Some(Kind::Static) if typed.starts_with('#') => (start, self.numbered(typed)),
            Some(Kind::Static) => (start, self.statics(typed)),
            Some(Kind::Thread) if typed.starts_with('#') => (start, self.numbered(typed)),
            Some(Kind::Thread) => (
                start,
                beginning(self.threads.iter().map(String::as_str), typed),
            ),
            Some(Kind::Setting) => (start, beginning(SETTINGS.iter().map(|one| one.name), typed)),
            Some(Kind::SettingValue) => (start, setting_values(&plain, typed)),
            _ => (start, Vec::new()),
        }
    }

    /// A type may be several words, so what stands before may belong to it.
    fn of_pattern(&self, before: &[&Word], start: usize, typed: &str) -> Found {
        for first in 0..before.len() {
            let words: Vec<&str> = before[first..]
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            let found = self.types(&format!("{} {typed}", words.join(" ")));
            if !found.is_empty() {
                return (before[first].start, found);
            }
        }
        (start, self.types(typed))
    }

    fn marks(&self, typed: &str) -> Vec<Pair> {
        beginning(self.marks.iter().map(String::as_str), typed)
    }

    /// Statics whose path begins so, or whose name does. A path may go on, so that no space follows.
    fn statics(&self, typed: &str) -> Vec<Pair> {
        let begins = |name: &&String| {
            let last = name.rsplit("::").next().unwrap_or_default();
            name.starts_with(typed) || !typed.is_empty() && last.starts_with(typed)
        };
        let pair = |name: &String| Pair {
            display: name.clone(),
            replacement: name.clone(),
        };
        self.statics.iter().filter(begins).map(pair).collect()
    }

    fn types(&self, typed: &str) -> Vec<Pair> {
        let (exactly, typed) = match typed.strip_prefix('=') {
            Some(typed) => ("=", typed),
            None => ("", typed),
        };
        let known = if typed.contains("::") {
            &self.paths
        } else {
            &self.types
        };
        let mut types = beginning(known.iter().map(String::as_str), typed);
        for pair in &mut types {
            pair.replacement.insert_str(0, exactly);
        }
        types
    }

    fn numbered(&self, typed: &str) -> Vec<Pair> {
        let rows = self.rows.iter().enumerate();
        let rows = rows.map(|(i, stands_for)| Pair {
            display: format!("#{} {stands_for}", i + 1),
            replacement: format!("#{} ", i + 1),
        });
        rows.filter(|row| row.replacement.starts_with(typed))
            .collect()
    }

    /// In a condition: a field where one comes, a type or a confidence after one that is compared with it.
    fn of_condition(&self, start: usize, typed: &str) -> Found {
        let last = typed.rfind([' ', '(', '!']).map_or(0, |at| at + 1);
        let (before, word) = typed.split_at(last);
        let before = before.trim_end();
        let start = start + last;
        let after = |field: &str| {
            let compared = before.trim_end_matches(['<', '>', '=', '!', '~']);
            compared.len() < before.len() && compared.trim_end().ends_with(field)
        };
        let ends = ["", "&&", "||", "(", "!"].iter().any(|mark| match *mark {
            "" => before.is_empty(),
            mark => before.ends_with(mark),
        });
        if after("confidence") {
            let levels = ["unknown", "guess", "likely", "exact"];
            (start, beginning(levels.into_iter(), word))
        } else if after("type") {
            (start, self.types(word))
        } else if ends {
            (
                start,
                beginning(FIELDS.iter().map(|named| named.name), word),
            )
        } else {
            (start, Vec::new())
        }
    }
}

fn find_flag(command: &Command, name: &str) -> Option<&'static Flag> {
    let mut flags = command.flags.iter().chain(COMMON);
    flags.find(|flag| flag.name == name)
}

/// The words that are neither flags nor their values.
fn plain_words<'w>(command: &Command, given: &'w [Word]) -> Vec<&'w Word> {
    let mut plain = Vec::new();
    let mut words = given.iter();
    while let Some(word) = words.next() {
        match find_flag(command, &word.text) {
            Some(flag) if !flag.values.is_empty() => _ = words.next(),
            Some(_) => {}
            None if word.text.starts_with('-') => {}
            None => plain.push(word),
        }
    }
    plain
}

/// What the setting that was named may be set to.
fn setting_values(given: &[&Word], typed: &str) -> Vec<Pair> {
    let is_named = |name: &str| given.last().is_some_and(|word| word.text == name);
    let named = SETTINGS.iter().find(|one| is_named(one.name));
    beginning(fixed(named.map_or(&[], |one| one.values)), typed)
}

/// Those values that stand for themselves.
fn fixed(values: &[&'static str]) -> impl Iterator<Item = &'static str> {
    values
        .iter()
        .copied()
        .filter(|value| !stands_for_any(value))
}

fn names(typed: &str) -> Vec<Pair> {
    beginning(shown().map(|command| command.name), typed)
}

/// Those that begin so, in whatever case; each with a space after it, for what comes next.
fn beginning<'n>(names: impl Iterator<Item = &'n str>, typed: &str) -> Vec<Pair> {
    let typed = typed.to_lowercase();
    names
        .filter(|name| name.to_lowercase().starts_with(&typed))
        .map(|name| Pair {
            display: name.to_owned(),
            replacement: format!("{name} "),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::COMMANDS;
    use proptest::prelude::*;

    fn words() -> Words {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Words {
            types: owned(&[
                "Arc<CacheEntity>",
                "CacheEntity",
                "HashMap<String, Session>",
                "task serve",
            ]),
            paths: owned(&["Arc<demo::CacheEntity>", "demo::CacheEntity"]),
            rows: owned(&["Arc<CacheEntity>", "String"]),
            marks: owned(&["before", "after"]),
            statics: owned(&["demo::CACHE", "demo::ENDED"]),
            threads: owned(&["ingest", "writer"]),
            screen: Screen::default(),
        }
    }

    fn candidates(line: &str) -> (usize, Vec<String>) {
        let (start, pairs) = words().candidates(line);
        (
            start,
            pairs.into_iter().map(|pair| pair.replacement).collect(),
        )
    }

    /// The line as it is after Tab, where there is one way to go on.
    fn completed(line: &str) -> String {
        match candidates(line) {
            (start, words) if words.len() == 1 => format!("{}{}", &line[..start], words[0]),
            (_, words) => panic!("{line}: {words:?}"),
        }
    }

    #[test]
    fn commands_flags_values_and_types() {
        for (line, after) in [
            ("gro", "growth "),
            ("help to", "help top "),
            ("top --b", "top --by "),
            ("top --by c", "top --by count "),
            ("top --by=c", "top --by=count "),
            ("list cache", "list CacheEntity "),
            ("list =Arc", "list =Arc<CacheEntity> "),
            ("list Arc<Ca", "list Arc<CacheEntity> "),
            ("list HashMap<String, Se", "list HashMap<String, Session> "),
            (
                "list Arc<CacheEntity> Ha",
                "list Arc<CacheEntity> HashMap<String, Session> ",
            ),
            ("list task se", "list task serve "),
            ("list Arc<demo::", "list Arc<demo::CacheEntity> "),
            ("list 'Hash", "list 'HashMap<String, Session>' "),
            (
                "list \"HashMap<String, S",
                "list \"HashMap<String, Session>\" ",
            ),
            (
                "list --by age Ha",
                "list --by age HashMap<String, Session> ",
            ),
            ("diff before a", "diff before after "),
            ("bt wr", "bt writer "),
            ("show CAC", "show demo::CACHE"),
            ("show demo::E", "show demo::ENDED"),
            ("p #2", "p #2 "),
            ("threads #2", "threads #2 "),
            ("growth --since b", "growth --since before "),
            ("list #2", "list #2 "),
            ("where #1", "where #1 "),
            ("set pag", "set paging "),
            ("set paging of", "set paging off "),
            ("set rows ", "set rows auto "),
            ("list --wh", "list --where "),
            ("list --where siz", "list --where size "),
            (
                "list --where size > 1 && ag",
                "list --where size > 1 && age ",
            ),
            (
                "list --where size > 1 && type = Ha",
                "list --where size > 1 && type = HashMap<String, Session> ",
            ),
            ("list --where !mov", "list --where !moving "),
            ("list --where=(conf", "list --where=(confidence "),
            (
                "list * --where confidence >= ex",
                "list * --where confidence >= exact ",
            ),
            (
                "list * --where type ~ Ha",
                "list * --where type ~ HashMap<String, Session> ",
            ),
        ] {
            assert_eq!(completed(line), after);
        }
        assert_eq!(candidates("list ").1.len(), 4);
        assert_eq!(candidates("list --").1.len(), 4 + COMMON.len());
        assert_eq!(candidates("list #").1, ["#1 ", "#2 "]);
        assert_eq!(candidates("where ").1, ["#1 ", "#2 "]);
        assert_eq!(candidates("list '").1.len(), 4);
        for line in ["list --where ", "list --where size > 1 && "] {
            assert_eq!(candidates(line).1.len(), FIELDS.len(), "{line}");
        }
        for line in [
            "pani",
            "where 0",
            "nonsense a",
            "list #3",
            "list --where size ",
        ] {
            assert!(candidates(line).1.is_empty(), "{line}");
        }
    }

    #[test]
    fn rows_are_shown_with_what_they_stand_for() {
        let (_, rows) = words().candidates("list #");
        assert_eq!(rows[1].display, "#2 String");
    }

    #[test]
    fn an_empty_line_offers_what_help_shows() {
        let shown = COMMANDS.iter().filter(|command| !command.hidden);
        assert_eq!(candidates("").1.len(), shown.count());
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "(list|top|set|where|count) ?([a-z#=<>'\"(!&|-]|--where |--by | |é){0,12}") {
            let (start, _) = words().candidates(&line);
            prop_assert!(line.is_char_boundary(start));
        }
    }
}
