//! What a command is asked about: types, call stacks and blocks, by one word or several.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::filter::{Facts, Filter, Own};
use super::near::nearest;
use super::pattern::{Pattern, bare, whole_or_payload};
use super::stack::{frames, label};
use super::types::Types;
use super::view::{View, read_address};
use super::{Error, Typed};
use crate::heap::{Address, Block, SiteId, TypeName};
use crate::report::Object;

/// What a command is asked about: every block that one of its parts means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Types(Pattern),
    Site(SiteId),
    Block(Address),
}

impl Subject {
    /// What words mean: patterns, numbered rows, addresses. A type may be several words (`task demo_server::serve`), so
    /// the longest run of words that is one is taken for one. No words mean every block.
    ///
    /// # Errors
    /// [`Error::NoRow`] for a number without a row, [`Error::NoMatch`] and [`Error::NoBlock`] where a word means no live
    /// block.
    pub(crate) fn read(view: &mut View<'_>, words: &[String]) -> Result<Self, Error> {
        let words: Vec<&str> = words.iter().map(|word| separated(word)).collect();
        let mut parts = Vec::new();
        let mut rest = &words[..];
        while let Some(first) = rest.first() {
            let (part, taken) = match part_of_row(view, first)? {
                Some(part) => (part, 1),
                None => longest(view, rest)?,
            };
            parts.push(part);
            rest = &rest[taken..];
        }
        Ok(Subject { parts })
    }

    /// A line for an answer that is empty, with the condition as it was understood.
    pub(crate) fn none_found(&self, found: u64, filter: Option<&Filter>) -> Option<String> {
        let condition = filter.map(|filter| format!(" for which this holds: {filter}"));
        let condition = condition.unwrap_or_default();
        (found == 0).then(|| match &self.parts[..] {
            [Part::Types(Pattern::Unknown)] if condition.is_empty() => {
                "Every block that is recorded has a type: none is `unknown`.".to_owned()
            }
            _ => format!("No live block is there{condition}."),
        })
    }

    /// The same, where a block stands for its call stack.
    pub(crate) fn by_site(mut self, view: &View<'_>) -> Self {
        for part in &mut self.parts {
            if let Part::Block(address) = *part
                && let Some(block) = view.block_at(address)
            {
                *part = Part::Site(block.site);
            }
        }
        self
    }

    /// Which of the look's groups are meant whole.
    pub(crate) fn groups(&self, types: &Types) -> Vec<bool> {
        let groups = types.counts.groups.iter().enumerate();
        let meant = |(i, site): (usize, SiteId)| {
            self.parts.is_empty()
                || self.parts.iter().any(|part| match part {
                    Part::Types(pattern) => pattern.matches(&types.kind_of(i).name),
                    Part::Site(one) => *one == site,
                    Part::Block(_) => false,
                })
        };
        groups.map(|(i, group)| meant((i, group.site))).collect()
    }

    /// The blocks that are meant and for which a condition holds, in order of address.
    pub(crate) fn blocks<'a>(
        &self,
        view: &mut View<'a>,
        types: &Types,
        filter: Option<&Filter>,
    ) -> Vec<&'a Block> {
        let whole = self.groups(types);
        let single: HashSet<Address> = self.parts.iter().filter_map(Part::address).collect();
        let mut sieve = Sieve::new(filter, types);
        let blocks = view.snapshot.blocks.iter();
        let meant = blocks.filter_map(|block| Some((block, types.index.of(block)?)));
        let meant = meant.filter(|(block, group)| whole[*group] || single.contains(&block.address));
        let mut kept = Vec::new();
        for (block, group) in meant {
            if sieve.lets_through(view, block, group) {
                kept.push(block);
            }
        }
        kept
    }
}

impl Part {
    fn address(&self) -> Option<Address> {
        match self {
            Part::Block(address) => Some(*address),
            Part::Types(_) | Part::Site(_) => None,
        }
    }
}

impl Typed {
    /// The condition after `--where`, if there is one.
    ///
    /// # Errors
    /// [`Error::Condition`].
    pub(crate) fn filter(&self) -> Result<Option<Filter>, Error> {
        let Some(text) = self.value(super::WHERE.name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|wrong| Error::Condition {
            text: text.to_owned(),
            wrong,
        })
    }
}

/// Lets those blocks through for which a condition holds. What a whole group has in common is asked once.
struct Sieve<'f> {
    filter: Option<&'f Filter>,
    types: &'f Types,
    /// For groups asked already: whether it holds for all, or for none, or depends on the block.
    of_group: HashMap<usize, Option<bool>>,
    /// The places of allocation and the functions of call stacks, where the condition asks for them.
    stacks: HashMap<SiteId, Rc<Stack>>,
}

#[derive(Default)]
struct Stack {
    label: String,
    functions: Vec<Rc<str>>,
}

impl<'f> Sieve<'f> {
    fn new(filter: Option<&'f Filter>, types: &'f Types) -> Self {
        Sieve {
            filter,
            types,
            of_group: HashMap::new(),
            stacks: HashMap::new(),
        }
    }

    fn lets_through(&mut self, view: &mut View<'_>, block: &Block, group: usize) -> bool {
        let Some(filter) = self.filter else {
            return true;
        };
        let of_group = match self.of_group.get(&group) {
            Some(asked) => *asked,
            None => {
                let holds = self.holds(filter, view, block, None);
                self.of_group.insert(group, holds);
                holds
            }
        };
        let own = || Own {
            address: block.address,
            age: view.snapshot.age(block.birth),
            moving: block.moving,
        };
        match of_group {
            Some(holds) => holds,
            None => {
                let own = own();
                self.holds(filter, view, block, Some(own)) == Some(true)
            }
        }
    }

    fn holds(
        &mut self,
        filter: &Filter,
        view: &mut View<'_>,
        block: &Block,
        own: Option<Own>,
    ) -> Option<bool> {
        let name: TypeName = self.types.name_of(block);
        let stack = match filter.asks_for_stacks() {
            true => self.stack(view, block.site),
            false => Rc::default(),
        };
        filter.holds(&Facts {
            size: block.size,
            align: block.align(),
            name: &name,
            site: &stack.label,
            stack: &stack.functions,
            own,
        })
    }

    fn stack(&mut self, view: &mut View<'_>, site: SiteId) -> Rc<Stack> {
        let stack = self.stacks.entry(site).or_insert_with(|| {
            let frames = frames(view, site);
            Rc::new(Stack {
                label: label(&frames, false),
                functions: frames.into_iter().map(|frame| frame.function).collect(),
            })
        });
        Rc::clone(stack)
    }
}

/// A word of a list: `String, Vec<u64>` is two types.
fn separated(word: &str) -> &str {
    match word.strip_suffix(',') {
        Some(rest) if !rest.is_empty() => rest,
        _ => word,
    }
}

/// A numbered row or an address; none for what is a pattern.
fn part_of_row(view: &View<'_>, word: &str) -> Result<Option<Part>, Error> {
    Ok(match view.row(word)? {
        Some(Object::Type(full)) => Some(Part::Types(Pattern::Full(full))),
        Some(Object::Site(site)) => Some(Part::Site(site)),
        Some(Object::Block(address)) => Some(Part::Block(address)),
        Some(other @ (Object::Threads(_) | Object::Root(_))) => {
            return Err(Error::WrongRow {
                word: word.to_owned(),
                is: other.kind(),
                wanted: "the row of a type, a call stack or a block",
            });
        }
        None => match read_address(word) {
            None => None,
            Some(address) => {
                let block = view
                    .block_at(address)
                    .ok_or_else(|| view.no_block(address))?;
                Some(Part::Block(block.address))
            }
        },
    })
}

/// The pattern that most of the words make up, and how many those are.
fn longest(view: &mut View<'_>, words: &[&str]) -> Result<(Part, usize), Error> {
    let types = view.types();
    for taken in (1..=words.len()).rev() {
        let pattern = Pattern::read(&words[..taken].join(" "));
        // That nothing is unknown is an answer.
        let nothing = pattern == Pattern::Unknown;
        if nothing || types.kinds.iter().any(|kind| pattern.matches(&kind.name)) {
            return Ok((Part::Types(pattern), taken));
        }
    }
    Err(no_match(words, &types))
}

/// Hints at names like the first word, or like all of them if they were meant for one.
fn no_match(words: &[&str], types: &Types) -> Error {
    let kinds = types.kinds.iter();
    let names = kinds.flat_map(|kind| whole_or_payload(&kind.name));
    let mut known: Vec<String> = names.map(bare).collect();
    known.retain(|name| !name.is_empty());
    let near = |pattern: &str| {
        let wanted = bare(pattern.trim_start_matches('='));
        nearest(&wanted, known.iter().map(String::as_str))
    };
    let (all, first) = (words.join(" "), words.first().copied().unwrap_or_default());
    match near(&all) {
        near if !near.is_empty() => Error::NoMatch { pattern: all, near },
        _ => Error::NoMatch {
            pattern: first.to_owned(),
            near: near(first),
        },
    }
}
