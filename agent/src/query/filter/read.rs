//! How conditions are written: read from text, with the place of what is wrong.

use std::str::FromStr;
use std::time::Duration;

use super::{FIELDS, Field, Filter, Op, Operand};
use crate::heap::{Address, Confidence};
use crate::query::near::nearest;

/// What is wrong with a condition, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// In bytes from its beginning.
    pub(crate) at: usize,
    /// What was expected there.
    pub(crate) what: String,
}

impl FromStr for Filter {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let mut reader = Reader::new(text);
        let filter = reader.any()?;
        match reader.rest() {
            "" => Ok(filter),
            rest if rest.starts_with(')') => Err(reader.wrong("no parenthesis is open here")),
            _ => Err(reader.wrong("`&&` or `||` was expected before this")),
        }
    }
}

/// How much of a text is a condition, in bytes: as much as is complete, or all of it where none is.
pub(crate) fn extent(text: &str) -> usize {
    let mut reader = Reader::new(text);
    match reader.any() {
        Ok(_) => reader.end,
        Err(_) => text.trim_end().len(),
    }
}

/// Units of size and their bytes, the smallest first.
pub(super) const BYTES: [(&str, u128); 5] = [
    ("", 1),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
];
/// Units of time and their nanoseconds.
pub(super) const SPANS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Parentheses within parentheses, at most: each takes stack.
const DEEPEST: usize = 64;

struct Reader<'a> {
    text: &'a str,
    /// Where it is, at the beginning of a token.
    at: usize,
    /// Where the last token ended.
    end: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Reader {
            text,
            at: 0,
            end: 0,
            depth: 0,
        };
        reader.skip(0);
        reader
    }

    fn any(&mut self) -> Result<Filter, Wrong> {
        let mut several = vec![self.all()?];
        while self.takes(&["||"], "or") {
            several.push(self.all()?);
        }
        Ok(one_or(several, Filter::Any))
    }

    fn all(&mut self) -> Result<Filter, Wrong> {
        let mut several = vec![self.one()?];
        while self.takes(&["&&"], "and") {
            several.push(self.one()?);
        }
        Ok(one_or(several, Filter::All))
    }

    fn one(&mut self) -> Result<Filter, Wrong> {
        let from = self.at;
        if self.depth == DEEPEST {
            return Err(self.wrong("this is nested too deep"));
        }
        self.depth += 1;
        let filter = if self.takes(&["!"], "not") {
            Filter::Not(Box::new(self.one()?))
        } else if self.takes(&["("], "") {
            let inner = self.any()?;
            if !self.takes(&[")"], "") {
                let open = Wrong {
                    at: from,
                    what: "this parenthesis is not closed".to_owned(),
                };
                return Err(if self.rest().is_empty() {
                    open
                } else {
                    self.wrong("`&&`, `||` or `)` was expected before this")
                });
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, Wrong> {
        let word = self.word();
        let Some(named) = FIELDS.iter().find(|named| named.name == word) else {
            return Err(self.wrong(no_field(word)));
        };
        self.skip(word.len());
        let Some(field) = named.field else {
            return Ok(Filter::Moving);
        };
        let op = self.op(field)?;
        Ok(Filter::Is(field, op, self.value(field)?))
    }

    fn op(&mut self, field: Field) -> Result<Op, Wrong> {
        let begins = |(_, written): &&(Op, &str)| self.rest().starts_with(written);
        let Some((op, written)) = Op::ALL.iter().find(begins) else {
            return Err(self.wrong("a comparison was expected: < <= = != >= > ~ !~"));
        };
        let is_text = matches!(field, Field::Type | Field::Site | Field::Stack);
        let fits = match op {
            Op::Equal | Op::NotEqual => true,
            Op::Like | Op::NotLike => is_text,
            _ => !is_text,
        };
        if !fits {
            let allowed = if is_text {
                "= != ~ !~"
            } else {
                "< <= = != >= >"
            };
            let name = field.name();
            return Err(self.wrong(format!("`{name}` is compared by {allowed}")));
        }
        self.skip(written.len());
        // As in C and Rust.
        if *op == Op::Equal && self.end == self.at && self.rest().starts_with('=') {
            self.skip(1);
        }
        Ok(*op)
    }

    fn value(&mut self, field: Field) -> Result<Operand, Wrong> {
        let (text, length) = self.text_value()?;
        let (value, wanted) = match field {
            Field::Size | Field::Align => (
                in_units(&text, &BYTES)
                    .and_then(|n| u64::try_from(n).ok())
                    .map(Operand::Bytes),
                "a number of bytes was expected, such as 100, 4k, 1.5m",
            ),
            Field::Age => (
                span(&text),
                "a span of time was expected, such as 500ms, 60s, 5min, 2h",
            ),
            Field::Address => (address(&text), "an address was expected, such as 0x7f00"),
            Field::Confidence => (
                confidence(&text),
                "one of these was expected: unknown, guess, likely, exact",
            ),
            Field::Type | Field::Site | Field::Stack => (Some(Operand::Text(text)), ""),
        };
        let value = value.ok_or_else(|| self.wrong(wanted))?;
        self.skip(length);
        Ok(value)
    }

    /// The value that stands here, without its quotation marks, and its length with them.
    fn text_value(&self) -> Result<(String, usize), Wrong> {
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                unquote(rest, quote).ok_or_else(|| self.wrong("this quotation mark is not closed"))
            }
            _ => match plain(rest) {
                0 => Err(self.wrong("a value was expected")),
                length => Ok((rest[..length].to_owned(), length)),
            },
        }
    }

    /// Takes one of these marks, or the word, if it stands here.
    fn takes(&mut self, marks: &[&str], word: &str) -> bool {
        let mark = marks.iter().find(|mark| self.rest().starts_with(**mark));
        let length = match mark {
            Some(mark) => mark.len(),
            None if !word.is_empty() && self.word() == word => word.len(),
            None => return false,
        };
        self.skip(length);
        true
    }

    /// The letters that stand here.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        &rest[..end.unwrap_or(rest.len())]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes past a token and the spaces after it.
    fn skip(&mut self, length: usize) {
        self.end = self.at + length;
        let rest = &self.text[self.end..];
        self.at = self.end + rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, what: impl Into<String>) -> Wrong {
        Wrong {
            at: self.at,
            what: what.into(),
        }
    }
}

fn one_or(mut several: Vec<Filter>, joined: impl Fn(Vec<Filter>) -> Filter) -> Filter {
    match several.len() {
        1 => several.remove(0),
        _ => joined(several),
    }
}

fn no_field(word: &str) -> String {
    let names = || FIELDS.iter().map(|named| named.name);
    match nearest(word, names()).first() {
        Some(near) if !word.is_empty() => {
            format!("there is no field `{word}`; did you mean `{near}`?")
        }
        _ => {
            let names: Vec<&str> = names().collect();
            format!("a field was expected: {}", names.join(", "))
        }
    }
}

/// How long the unquoted value is that stands here. Spaces between `<` and `>` or other brackets belong to it.
fn plain(rest: &str) -> usize {
    let (length, depth) = plain_to(rest, true);
    match depth {
        0 => length,
        // A bracket without its other half is a letter.
        _ => plain_to(rest, false).0,
    }
}

fn plain_to(rest: &str, brackets: bool) -> (usize, usize) {
    let mut depth = 0usize;
    let mut before = ' ';
    for (i, c) in rest.char_indices() {
        let ends = c.is_whitespace()
            || (c == ')' && depth == 0)
            || rest[i..].starts_with("&&")
            || rest[i..].starts_with("||");
        if depth == 0 && ends {
            return (i, 0);
        }
        match c {
            '<' | '(' | '[' if brackets => depth += 1,
            '>' if before == '-' => {}
            '>' | ')' | ']' if brackets => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = c;
    }
    (rest.len(), depth)
}

/// Whether a text can be written without quotation marks, whatever follows it.
pub(super) fn is_plain(text: &str) -> bool {
    let harmless = |c: char| c.is_alphanumeric() || "_:*?./,-<>".contains(c);
    !text.is_empty() && text.chars().all(harmless) && plain_to(text, true) == (text.len(), 0)
}

/// What stands between two marks, and the length with both. `\` takes the next letter as it is.
fn unquote(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((i, c)) = letters.next() {
        match c {
            c if c == quote => return Some((text, i + 1)),
            '\\' => text.push(letters.next()?.1),
            c => text.push(c),
        }
    }
    None
}

/// `1.5k`: a number and one of these units, in the smallest of them.
fn in_units(text: &str, units: &[(&str, u128)]) -> Option<u128> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let unit = unit.trim_end_matches("ib").trim_end_matches('b');
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.parse::<u64>().ok()?;
    let part = match part {
        "" => 0,
        part if part.len() <= 9 && !part.starts_with(['+', '-']) => {
            part.parse::<u128>().ok()? * size / 10u128.pow(part.len() as u32)
        }
        _ => return None,
    };
    u128::from(whole).checked_mul(*size)?.checked_add(part)
}

fn span(text: &str) -> Option<Operand> {
    // `5m` can mean nothing else where a time is wanted.
    let text = match text.strip_suffix('m') {
        Some(minutes) => format!("{minutes}min"),
        None => text.to_owned(),
    };
    let nanos = u64::try_from(in_units(&text, &SPANS)?).ok()?;
    Some(Operand::Span(Duration::from_nanos(nanos)))
}

fn address(text: &str) -> Option<Operand> {
    let digits = text.strip_prefix("0x")?;
    let all_digits = digits.chars().all(|c| c.is_ascii_hexdigit());
    let address = u64::from_str_radix(digits, 16)
        .ok()
        .filter(|_| all_digits)?;
    Some(Operand::Address(Address(address)))
}

fn confidence(text: &str) -> Option<Operand> {
    let all = [
        Confidence::Unknown,
        Confidence::Guess,
        Confidence::Likely,
        Confidence::Exact,
    ];
    let found = all.into_iter().find(|one| one.to_string() == text);
    found.map(Operand::Confidence)
}

#[cfg(test)]
mod tests;
