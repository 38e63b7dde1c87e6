//! `walk`: a path as it is typed, from a value to one in it: `.entries["key"][3].name`, with a `*` before it for a raw
//! pointer. References, boxes and locks on the way are passed through unasked.

use super::containers::{Behind, behind};
use super::describe::Parts;
use super::{Spot, Walker, Whole};

/// A step from a value to one in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `.name`, `.0`.
    Field(String),
    /// `[3]`, `["key"]`: a number, or a key as it is shown or without its quotes.
    Index(String),
    /// `*`.
    Deref,
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The step that could not be taken, in words.
    pub(crate) what: String,
    /// The steps that there are.
    pub(crate) known: Vec<String>,
}

/// What a path begins with, and its steps. The stars before it come last.
pub(crate) fn split(text: &str) -> (&str, &str, usize) {
    let bare = text.trim_start_matches('*');
    let mut depth = 0i32;
    let end = bare.char_indices().find(|(_, c)| {
        match c {
            '<' | '{' | '(' => depth += 1,
            '>' | '}' | ')' => depth -= 1,
            '.' | '[' => return depth <= 0,
            _ => {}
        }
        false
    });
    let end = end.map_or(bare.len(), |(at, _)| at);
    (&bare[..end], &bare[end..], text.len() - bare.len())
}

/// The steps of `.entries["key"][3]`. None where it cannot be read.
pub(crate) fn steps(text: &str, stars: usize) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(Step::Index(after[..end].trim().to_owned()));
            rest = &after[end + 1..];
            continue;
        }
        let after = rest.strip_prefix('.')?;
        if let Some(after) = after.strip_prefix('*') {
            steps.push(Step::Deref);
            rest = after;
            continue;
        }
        // The future that another waits for is shown as `.await`.
        let end = after.find(['.', '[']).unwrap_or(after.len());
        match &after[..end] {
            "" => {}
            name => steps.push(Step::Field(name.to_owned())),
        }
        rest = &after[end..];
    }
    steps.extend(std::iter::repeat_n(Step::Deref, stars));
    Some(steps)
}

/// Where the bracket closes, quotes passed over.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted && depth == 0 => return Some(at),
            ']' if !quoted => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Walker<'_> {
    /// The value that a step leads to.
    pub(crate) fn step(&self, from: &Whole, step: &Step) -> Result<Whole, Lost> {
        let found = match (step, from) {
            (Step::Deref, Whole::Value(from)) => self.deref(*from),
            (Step::Deref, Whole::Values(..)) => None,
            (Step::Field(name), _) => return self.named(from, name).map(Whole::Value),
            (Step::Index(key), _) => return self.indexed(from, key).map(Whole::Value),
        };
        found.map(Whole::Value).ok_or_else(|| Lost {
            what: "it is no pointer that leads to a value of a known type".to_owned(),
            known: Vec::new(),
        })
    }

    fn deref(&self, from: Spot) -> Option<Spot> {
        let pointer = self.pointer(from)?;
        let name = self.layout(from.of)?.name.clone();
        match behind(self, &pointer, 0, &name)? {
            Behind::Value(spot) => Some(spot),
            Behind::Seen(_) | Behind::Unknown(..) => None,
        }
    }

    fn named(&self, from: &Whole, name: &str) -> Result<Spot, Lost> {
        let shown = self.describe_whole(from);
        let Parts::Fields(fields) = &shown.parts else {
            return Err(Lost {
                what: match shown.parts {
                    Parts::List(_) | Parts::Map(_) => {
                        format!("`.{name}`: it is a collection; `[0]` or `[\"key\"]` lead into it")
                    }
                    _ => format!("`.{name}`: it has no fields"),
                },
                known: Vec::new(),
            });
        };
        let meant = |label: &str| label == name || label == format!(".{name}");
        let mut found = fields.iter().filter(|(label, _)| meant(label));
        found.next().map(|(_, spot)| *spot).ok_or_else(|| Lost {
            what: format!("`.{name}`: it has no such field"),
            known: fields.iter().map(|(label, _)| label.to_string()).collect(),
        })
    }

    fn indexed(&self, from: &Whole, key: &str) -> Result<Spot, Lost> {
        let number = key.parse::<u64>();
        let lost = |what: String| Lost {
            what,
            known: Vec::new(),
        };
        match self.describe_whole(from).parts {
            Parts::List(list) => {
                let number = number.map_err(|_| lost(format!("`[{key}]`: a number is wanted")))?;
                let length = list.length();
                list.get(number)
                    .ok_or_else(|| lost(format!("`[{key}]`: it has {length} values")))
            }
            Parts::Map(map) => {
                let quoted = format!("{key:?}");
                let mut entries = map.entries.iter();
                let under = entries.find(|(known, value)| {
                    let known = value.map(|_| self.brief(*known));
                    known.is_some_and(|known| known == key || known == quoted)
                });
                let numbered = || map.entries.get(usize::try_from(number.ok()?).ok()?);
                match (under, numbered()) {
                    (Some((_, Some(value))), _) => Ok(*value),
                    // A set is shown with numbers.
                    (None, Some((key, None))) => Ok(*key),
                    _ => Err(lost(format!("`[{key}]`: no such key among {}", map.length))),
                }
            }
            _ => Err(lost(format!("`[{key}]`: it is no collection"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_apart() {
        let (root, rest, stars) = split("**a::b::C.d[\"x.y]\"][3].0.*");
        assert_eq!((root, rest, stars), ("a::b::C", ".d[\"x.y]\"][3].0.*", 2));
        let index = |key: &str| Step::Index(key.to_owned());
        let field = |name: &str| Step::Field(name.to_owned());
        let expected = [
            field("d"),
            index("\"x.y]\""),
            index("3"),
            field("0"),
            Step::Deref,
            Step::Deref,
            Step::Deref,
        ];
        assert_eq!(steps(rest, stars), Some(expected.to_vec()));
        assert_eq!(split("0x7f00.next"), ("0x7f00", ".next", 0));
        assert_eq!(split("a::f<[u8; 2]>::X"), ("a::f<[u8; 2]>::X", "", 0));
        for wrong in ["x", "[3", "[\"a]", "]"] {
            assert_eq!(steps(wrong, 0), None, "{wrong}");
        }
    }
}
