//! The project's sources as tokens: comments and strings left out, each token with its line and the module it stands in.

use std::path::{Path, PathBuf};
use std::{fs, iter};

/// One source file.
pub(super) struct Source {
    /// Its path from the top of the repository.
    pub(super) path: PathBuf,
    /// As it stands.
    pub(super) text: String,
}

impl Source {
    /// A source that is in no file, for negative controls.
    pub(super) fn made_up(path: &str, text: &str) -> Self {
        Source {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The room of the agent it belongs to, as its path of modules from the crate's root; empty for `lib.rs`. `None`
    /// outside the agent's sources.
    pub(super) fn modules(&self) -> Option<Vec<String>> {
        let inside = self.path.strip_prefix("agent/src").ok()?.with_extension("");
        let parts = inside
            .iter()
            .map(|part| part.to_string_lossy().into_owned());
        Some(
            parts
                .filter(|part| part != "mod" && part != "lib")
                .collect(),
        )
    }

    /// The room of the agent it belongs to.
    pub(super) fn room(&self) -> Option<String> {
        self.modules()?.into_iter().next()
    }

    /// Names of the modules in files of their own that only tests see.
    pub(super) fn modules_of_tests(&self) -> Vec<String> {
        let tokens = self.tokens();
        let ends = (2..tokens.len()).filter(|end| tokens[*end].text == ";");
        let opened = ends.filter_map(|end| opened_module(&tokens[..end]));
        opened
            .filter(|(_, test)| *test)
            .map(|(name, _)| name)
            .collect()
    }

    /// Whether the whole file is tests.
    pub(super) fn is_tests(&self) -> bool {
        self.path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs")
    }

    /// Its tokens.
    pub(super) fn tokens(&self) -> Vec<Token> {
        place(scan(&self.text))
    }
}

/// A word or a mark of the source.
pub(super) struct Token {
    /// The word; for marks one character, but `::` is one token.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
    /// The inline modules (`mod x { … }`) it stands in.
    pub(super) inside: Vec<String>,
    /// Whether it stands in a module that only tests see.
    pub(super) test: bool,
}

/// Every Rust source of the project.
pub(super) fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["agent", "demo-server", "tests"] {
        gather(&top().join(folder), &mut sources);
    }
    assert!(sources.len() > 20, "only {} sources found", sources.len());
    sources
}

/// The top of the repository.
pub(super) fn top() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("the package lies in the repository")
        .into()
}

fn gather(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("its entry").path();
        if path.is_dir() && !path.ends_with("target") {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let path = path.strip_prefix(top()).expect("below the top").into();
            sources.push(Source { path, text });
        }
    }
}

/// Words and marks with their lines.
fn scan(text: &str) -> Vec<(String, usize)> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = match skipped(rest) {
            Some(length) => (length, false),
            None => (word(rest), !first.is_whitespace()),
        };
        if is_token {
            tokens.push((rest[..length].to_owned(), line));
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// How many bytes of comment, string or character literal begin here, if any do.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    let unprefixed = rest.trim_start_matches(['b', 'c', 'r']);
    let prefix = rest.len() - unprefixed.len();
    if prefix <= 2 && rest[..prefix].ends_with('r') && unprefixed.starts_with(['"', '#']) {
        return raw_string(unprefixed).map(|length| prefix + length);
    }
    if prefix <= 1 && unprefixed.starts_with('"') {
        return Some(prefix + quoted(unprefixed, '"'));
    }
    is_character(unprefixed).then(|| prefix + quoted(unprefixed, '\''))
}

/// Length of `#"…"#` with any number of hashes; nothing for a raw identifier.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let close: String = iter::once('"').chain(iter::repeat_n('#', hashes)).collect();
    Some(
        body.find(&close)
            .map_or(rest.len(), |end| hashes + 1 + end + close.len()),
    )
}

/// Length of a literal between two of these marks.
fn quoted(rest: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == mark => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Whether a quote begins a character and not a lifetime.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars();
    characters.next() == Some('\'')
        && match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        }
}

/// Length of the word, the `::` or the single mark that begins here.
fn word(rest: &str) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let length = rest
        .find(|character| !is_part(character))
        .unwrap_or(rest.len());
    match length {
        0 if rest.starts_with("::") => 2,
        0 => rest.chars().next().map_or(0, char::len_utf8),
        _ => length,
    }
}

/// Adds to each token the inline modules around it.
fn place(words: Vec<(String, usize)>) -> Vec<Token> {
    let mut open: Vec<(String, usize, bool)> = Vec::new();
    let mut depth = 0;
    let mut tokens: Vec<Token> = Vec::new();
    for (text, line) in words {
        if text == "{" {
            depth += 1;
            if let Some((name, test)) = opened_module(&tokens) {
                open.push((name, depth, test));
            }
        } else if text == "}" {
            open.pop_if(|(_, opened, _)| *opened == depth);
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token {
            text,
            line,
            inside: open.iter().map(|(name, ..)| name.clone()).collect(),
            test: open.iter().any(|(.., test)| *test),
        });
    }
    tokens
}

/// The module whose `{` comes after these tokens, and whether `#[cfg(test)]` stands before it.
fn opened_module(before: &[Token]) -> Option<(String, bool)> {
    let [rest @ .., keyword, name] = before else {
        return None;
    };
    let attribute: Vec<&str> = rest
        .iter()
        .rev()
        .take(7)
        .map(|token| token.text.as_str())
        .collect();
    let test = attribute == ["]", ")", "test", "(", "cfg", "[", "#"];
    (keyword.text == "mod").then(|| (name.text.clone(), test))
}

#[test]
fn scanning_leaves_out_comments_and_strings_but_not_lifetimes() {
    let text = "a /* b */ 'c' \"d\\\"\" r#\"e\"# b\"f\" &'g h // i\n/// j\nk::l b'\\'' m";
    let words: Vec<String> = scan(text).into_iter().map(|(word, _)| word).collect();
    assert_eq!(words, ["a", "&", "'", "g", "h", "k", "::", "l", "m"]);
}

#[test]
fn a_token_knows_its_line_and_its_modules() {
    let source = Source::made_up(
        "agent/src/os/mod.rs",
        "a\n#[cfg(test)]\nmod b { c { d } }\ne",
    );
    let tokens = source.tokens();
    let find = |text: &str| {
        tokens
            .iter()
            .find(|token| token.text == text)
            .expect("is there")
    };
    assert_eq!(
        (find("d").line, find("d").inside.as_slice(), find("d").test),
        (3, &["b".to_owned()][..], true)
    );
    assert_eq!(
        (find("e").line, find("e").inside.len(), find("e").test),
        (4, 0, false)
    );
}
