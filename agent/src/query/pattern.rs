//! Patterns: which types a word means.

use std::rc::Rc;

use crate::heap::TypeName;

/// A pattern. `CacheEntity` is that type whoever owns it, `=Arc<CacheEntity>` that type alone, `*Entry*` a glob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The whole name of a type or of what it owns, with or without paths.
    Name(String),
    /// The whole name of a type.
    Exactly(String),
    /// With `*` for any number of letters and `?` for one.
    Glob(String),
    /// Blocks whose type is not known.
    Unknown,
    /// The type with this whole name: a numbered row.
    Full(Rc<str>),
}

impl Pattern {
    /// What a word means.
    pub(crate) fn read(word: &str) -> Self {
        match word.strip_prefix('=') {
            Some(name) => Pattern::Exactly(name.trim().to_owned()),
            None if word.contains(['*', '?']) => Pattern::Glob(word.to_owned()),
            None if word == "unknown" => Pattern::Unknown,
            None => Pattern::Name(word.to_owned()),
        }
    }

    /// Whether it means this type.
    pub(crate) fn matches(&self, name: &TypeName) -> bool {
        match self {
            Pattern::Full(full) => name.full == *full,
            _ if name.full.is_empty() => match self {
                Pattern::Glob(glob) => glob == "*",
                _ => *self == Pattern::Unknown,
            },
            Pattern::Unknown => &*name.full == "unknown",
            Pattern::Exactly(wanted) => is(wanted, &name.full) || *wanted == *name.short,
            Pattern::Glob(glob) => whole_or_payload(name).any(|one| globs(glob, one)),
            Pattern::Name(wanted) => whole_or_payload(name)
                .any(|one| is(wanted, one) || is(wanted, without_generics(one))),
        }
    }
}

/// A type's own name and those of what it owns.
pub(crate) fn whole_or_payload(name: &TypeName) -> impl Iterator<Item = &str> {
    [&*name.full, &*name.short]
        .into_iter()
        .chain(name.payload.iter().map(|one| &**one))
}

/// A type without any paths: `Arc<a::B>` is `Arc<B>`.
pub(crate) fn bare(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut word = 0;
    for (i, c) in name.char_indices() {
        if name[i..].starts_with("::") {
            out.truncate(word);
        } else if !(c == ':' && name[..i].ends_with(':')) {
            out.push(c);
        }
        if !(c.is_alphanumeric() || c == '_' || c == ':') {
            word = out.len();
        }
    }
    out
}

/// Whether a name is meant, its paths given, or left out altogether.
fn is(wanted: &str, name: &str) -> bool {
    wanted == name || wanted == bare(name) || (name.ends_with(wanted) && path_before(wanted, name))
}

/// Whether only a path stands before the ending: `b::C` of `a::b::C`.
fn path_before(ending: &str, name: &str) -> bool {
    let before = &name[..name.len() - ending.len()];
    before.ends_with("::") && !before.contains(['<', ' ', '&', '(', '['])
}

fn without_generics(name: &str) -> &str {
    name.split('<').next().unwrap_or(name)
}

fn globs(glob: &str, name: &str) -> bool {
    glob_matches(glob, name) || glob_matches(glob, &bare(name))
}

/// Matches greedily and goes back to the last `*` alone, so that no pattern takes more than length times length.
pub(super) fn glob_matches(glob: &str, name: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g + 1, n));
                g += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((after, from)) = star else {
                    return false;
                };
                star = Some((after, from + 1));
                (g, n) = (after, from + 1);
            }
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Confidence;
    use proptest::prelude::*;

    fn name(full: &str, short: &str, payload: &[&str]) -> TypeName {
        TypeName {
            full: full.into(),
            short: short.into(),
            payload: payload.iter().map(|one| Rc::from(*one)).collect(),
            confidence: Confidence::Exact,
        }
    }

    fn entity() -> TypeName {
        name(
            "Arc<demo::cache::CacheEntity>",
            "Arc<CacheEntity>",
            &["demo::cache::CacheEntity"],
        )
    }

    #[test]
    fn a_name_is_a_payload_of_any_owner() {
        for word in [
            "CacheEntity",
            "cache::CacheEntity",
            "demo::cache::CacheEntity",
            "Arc<CacheEntity>",
            "=Arc<CacheEntity>",
            "=Arc<demo::cache::CacheEntity>",
            "Arc",
            "*Entity*",
            "*Entity",
            "Arc<Cache*",
            "demo::*",
            "Cache??tity",
        ] {
            assert!(Pattern::read(word).matches(&entity()), "{word}");
        }
        for word in [
            "Entity",
            "Cache",
            "=CacheEntity",
            "=Arc",
            "*entity",
            "unknown",
            "Ent*",
            "",
        ] {
            assert!(!Pattern::read(word).matches(&entity()), "{word}");
        }
    }

    #[test]
    fn generics_may_be_left_out() {
        let entry = name(
            "Box<lru::LruEntry<String, a::B>>",
            "Box<LruEntry<String, B>>",
            &["lru::LruEntry<String, a::B>"],
        );
        assert!(Pattern::read("LruEntry").matches(&entry));
        assert!(Pattern::read("LruEntry<String, B>").matches(&entry));
        assert!(!Pattern::read("B").matches(&entry));
    }

    #[test]
    fn unknown_is_what_has_no_name() {
        let nothing = name("", "", &[]);
        assert!(Pattern::read("unknown").matches(&nothing));
        assert!(Pattern::read("*").matches(&nothing));
        assert!(!Pattern::read("*a*").matches(&nothing));
        assert!(Pattern::Full("".into()).matches(&nothing));
    }

    #[test]
    fn paths_are_taken_off() {
        assert_eq!(
            bare("HashMap<a::b::C, Vec<&'static d::E>>"),
            "HashMap<C, Vec<&'static E>>"
        );
        assert_eq!(bare("task demo_server::serve"), "task serve");
    }

    proptest! {
        #[test]
        fn no_pattern_panics(word in ".{0,20}", full in ".{0,40}") {
            Pattern::read(&word).matches(&name(&full, &full, &[&full]));
            bare(&full);
        }
    }
}
