//! Conditions on blocks: `size > 1k && age > 60s`, `site ~ *insert*`. What they mean; `read` has how they are written.

mod read;

use std::fmt;
use std::time::Duration;

use super::Flag;
use super::pattern::{Pattern, glob_matches};
use crate::heap::{Address, Confidence, TypeName};

pub(crate) use read::{Wrong, extent};

/// A condition on a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// One of several, two at least.
    Any(Vec<Filter>),
    /// All of several, two at least.
    All(Vec<Filter>),
    /// The contrary.
    Not(Box<Filter>),
    /// One field compared with a value.
    Is(Field, Op, Operand),
    /// `realloc` was moving it.
    Moving,
}

/// What a block is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Size,
    Align,
    Age,
    Address,
    Type,
    Confidence,
    Site,
    Stack,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    MoreOrEqual,
    More,
    Like,
    NotLike,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Bytes(u64),
    Span(Duration),
    Address(Address),
    Confidence(Confidence),
    Text(String),
}

/// How a field is called, and what help says of it.
pub(crate) struct Named {
    /// As it is typed.
    pub(crate) name: &'static str,
    /// None for the one that stands alone.
    field: Option<Field>,
}

/// The fields there are.
pub(crate) const FIELDS: [Named; 9] = [
    Named::new("size", Some(Field::Size)),
    Named::new("align", Some(Field::Align)),
    Named::new("age", Some(Field::Age)),
    Named::new("address", Some(Field::Address)),
    Named::new("type", Some(Field::Type)),
    Named::new("confidence", Some(Field::Confidence)),
    Named::new("site", Some(Field::Site)),
    Named::new("stack", Some(Field::Stack)),
    Named::new("moving", None),
];

impl Named {
    const fn new(name: &'static str, field: Option<Field>) -> Self {
        Named { name, field }
    }
}

/// The flag that takes a condition.
pub(crate) const WHERE: Flag = Flag {
    name: "--where",
    values: &["EXPR"],
    help: "only blocks for which this holds, as in size > 1k && age > 60s",
};

/// What help says of conditions.
pub(crate) const HELP: &str = "EXPR is a condition on a block: a field, a comparison and a value, joined by && and ||, turned \
    round by !, grouped by parentheses. Fields: size and align (1k is 1024 bytes; m, g), age (ms, s, min, h, d), address, type, \
    confidence (unknown < guess < likely < exact), site (where it was allocated, as `list` shows it), stack (any function \
    on the way there), and moving, which stands alone. Comparisons: < <= = != >= >, and ~ for a glob or a part of a name, !~ \
    for its contrary; `type ~ X` is the pattern X, `type = X` that type alone. The condition ends where it is complete, so \
    flags and `> FILE` may follow.";

/// What is known of a block, or, without the block's own facts, of all blocks of one site, size and alignment.
pub(crate) struct Facts<'a> {
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes.
    pub(crate) align: u64,
    /// Its type, as sure as it is for this block.
    pub(crate) name: &'a TypeName,
    /// Where it was allocated, as a table shows it.
    pub(crate) site: &'a str,
    /// The functions of its stack, innermost first.
    pub(crate) stack: &'a [std::rc::Rc<str>],
    /// What the blocks of one kind do not share.
    pub(crate) own: Option<Own>,
}

/// What is a block's own.
#[derive(Clone, Copy)]
pub(crate) struct Own {
    /// Where it begins.
    pub(crate) address: Address,
    /// None where its birth is not known: then no comparison with an age holds.
    pub(crate) age: Option<Duration>,
    /// Whether `realloc` was moving it.
    pub(crate) moving: bool,
}

impl Filter {
    /// Whether it asks where a block was allocated, which takes time to tell.
    pub(crate) fn asks_for_stacks(&self) -> bool {
        match self {
            Filter::Any(several) | Filter::All(several) => {
                several.iter().any(Filter::asks_for_stacks)
            }
            Filter::Not(one) => one.asks_for_stacks(),
            Filter::Is(field, ..) => matches!(field, Field::Site | Field::Stack),
            Filter::Moving => false,
        }
    }

    /// Whether it holds; none where that depends on facts of the block's own that are not given.
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> Option<bool> {
        match self {
            Filter::Any(several) => decide(several, true, facts),
            Filter::All(several) => decide(several, false, facts),
            Filter::Not(one) => one.holds(facts).map(|holds| !holds),
            Filter::Is(field, op, value) => compare(*field, *op, value, facts),
            Filter::Moving => facts.own.map(|own| own.moving),
        }
    }
}

/// Whether any is `wanted`; if none is, the contrary, unless one is open.
fn decide(several: &[Filter], wanted: bool, facts: &Facts<'_>) -> Option<bool> {
    let mut open = false;
    for one in several {
        match one.holds(facts) {
            Some(holds) if holds == wanted => return Some(wanted),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!wanted)
}

fn compare(field: Field, op: Op, value: &Operand, facts: &Facts<'_>) -> Option<bool> {
    let holds = match (field, value) {
        (Field::Size, Operand::Bytes(n)) => op.orders(&facts.size, n),
        (Field::Align, Operand::Bytes(n)) => op.orders(&facts.align, n),
        (Field::Age, Operand::Span(span)) => match facts.own?.age {
            Some(age) => op.orders(&age, span),
            None => false,
        },
        (Field::Address, Operand::Address(address)) => op.orders(&facts.own?.address, address),
        (Field::Confidence, Operand::Confidence(sure)) => op.orders(&facts.name.confidence, sure),
        (Field::Type, Operand::Text(text)) => op.turns(is_type(op, text, facts.name)),
        (Field::Site, Operand::Text(text)) => {
            let function = facts.site.split(" at ").next().unwrap_or_default();
            op.turns(is_function(op, text, function) || op.is_like() && like(text, facts.site))
        }
        (Field::Stack, Operand::Text(text)) => {
            let mut functions = facts.stack.iter();
            op.turns(functions.any(|function| is_function(op, text, function)))
        }
        // The reader makes no other pairs.
        _ => false,
    };
    Some(holds)
}

fn is_type(op: Op, text: &str, name: &TypeName) -> bool {
    match op.is_like() {
        true => Pattern::read(text).matches(name),
        false if text == "unknown" => Pattern::Unknown.matches(name),
        false => Pattern::Exactly(text.to_owned()).matches(name),
    }
}

/// A function by its whole name, or by the end of it after a `::`.
fn is_function(op: Op, text: &str, function: &str) -> bool {
    if op.is_like() {
        return like(text, function);
    }
    let before = function.strip_suffix(text);
    before.is_some_and(|before| before.is_empty() || before.ends_with("::"))
}

/// A glob where it has the letters of one, otherwise a part.
fn like(text: &str, name: &str) -> bool {
    match text.contains(['*', '?']) {
        true => glob_matches(text, name),
        false => name.contains(text),
    }
}

impl Op {
    const ALL: [(Op, &'static str); 8] = [
        // The longer ones first: `<=` begins as `<` does.
        (Op::LessOrEqual, "<="),
        (Op::MoreOrEqual, ">="),
        (Op::NotEqual, "!="),
        (Op::NotLike, "!~"),
        (Op::Less, "<"),
        (Op::More, ">"),
        (Op::Equal, "="),
        (Op::Like, "~"),
    ];

    fn is_like(self) -> bool {
        matches!(self, Op::Like | Op::NotLike)
    }

    /// What is found, or the contrary.
    fn turns(self, found: bool) -> bool {
        found != matches!(self, Op::NotEqual | Op::NotLike)
    }

    fn orders<T: Ord>(self, a: &T, b: &T) -> bool {
        match self {
            Op::Less => a < b,
            Op::LessOrEqual => a <= b,
            Op::Equal | Op::Like => a == b,
            Op::NotEqual | Op::NotLike => a != b,
            Op::MoreOrEqual => a >= b,
            Op::More => a > b,
        }
    }
}

impl Field {
    fn name(self) -> &'static str {
        let named = FIELDS.iter().find(|named| named.field == Some(self));
        named.map_or("", |named| named.name)
    }
}

/// As it may be typed; reading it again gives the same.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Any(several) => join(f, several, " || ", |one| matches!(one, Filter::Any(_))),
            Filter::All(several) => join(f, several, " && ", |one| {
                matches!(one, Filter::Any(_) | Filter::All(_))
            }),
            Filter::Not(one) if matches!(**one, Filter::Not(_) | Filter::Moving) => {
                write!(f, "!{one}")
            }
            Filter::Not(one) => write!(f, "!({one})"),
            Filter::Is(field, op, value) => write!(f, "{} {op} {value}", field.name()),
            Filter::Moving => f.write_str("moving"),
        }
    }
}

fn join(
    f: &mut fmt::Formatter<'_>,
    several: &[Filter],
    word: &str,
    grouped: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (i, one) in several.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        match grouped(one) {
            true => write!(f, "({one})")?,
            false => write!(f, "{one}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = Op::ALL.iter().find(|(op, _)| op == self);
        f.write_str(written.map_or("", |(_, written)| written))
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Bytes(n) => f.write_str(&in_units(u128::from(*n), &read::BYTES)),
            Operand::Span(span) => f.write_str(&in_units(span.as_nanos(), &read::SPANS)),
            Operand::Address(address) => write!(f, "{address}"),
            Operand::Confidence(confidence) => write!(f, "{confidence}"),
            Operand::Text(text) if read::is_plain(text) => f.write_str(text),
            Operand::Text(text) => {
                let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, "\"{escaped}\"")
            }
        }
    }
}

/// In the largest unit that leaves no fraction.
fn in_units(n: u128, units: &[(&str, u128)]) -> String {
    let whole = |(_, size): &&(&str, u128)| n > 0 && n.is_multiple_of(*size);
    let largest = units.iter().filter(whole).max_by_key(|(_, size)| *size);
    match largest.or(units.first()) {
        Some((unit, size)) => format!("{}{unit}", n / size),
        None => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn holds(filter: &str) -> bool {
        let filter: Filter = filter
            .parse()
            .unwrap_or_else(|wrong| panic!("{filter}: {wrong:?}"));
        let name = TypeName {
            full: "Arc<demo::CacheEntity>".into(),
            short: "Arc<CacheEntity>".into(),
            payload: [Rc::from("demo::CacheEntity")].into(),
            confidence: Confidence::Likely,
        };
        let own = Own {
            address: Address(0x1000),
            age: Some(Duration::from_secs(90)),
            moving: false,
        };
        let mut facts = Facts {
            size: 2048,
            align: 8,
            name: &name,
            site: "demo::cache::insert at src/cache.rs:42",
            stack: &["demo::cache::insert".into(), "demo::main".into()],
            own: None,
        };
        let without = filter.holds(&facts);
        facts.own = Some(own);
        let holds = filter.holds(&facts).expect("all is known");
        assert!(without.is_none_or(|without| without == holds), "{filter}");
        holds
    }

    #[test]
    fn fields_are_compared() {
        for filter in [
            "size > 1k && age > 60s",
            "size = 2k",
            "size >= 2KiB and not size > 2k",
            "align = 8",
            "age = 1.5min",
            "age<1h||size=1",
            "address >= 0x1000",
            "type ~ CacheEntity",
            "type = Arc<CacheEntity>",
            "type != CacheEntity",
            "type !~ Vec*",
            "confidence >= guess && confidence != exact",
            "site ~ *insert*",
            "site ~ cache.rs",
            "site = insert",
            "site = cache::insert",
            "stack = main",
            "stack ~ demo",
            "!moving",
            "!(moving || size < 1k)",
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in [
            "size > 2k",
            "age > 90s",
            "moving",
            "type = CacheEntity",
            "site = sert",
            "site !~ insert",
            "stack ~ nothing",
            "confidence = exact",
            "size > 1k && moving",
            "address < 0x1000",
        ] {
            assert!(!holds(filter), "{filter}");
        }
    }
}
