//! `walk`: what a block holds: a value, or values that only their owner counts.

use super::containers::{List, Seen, Text, table_in_block};
use super::describe::{FOLDS, Shown};
use super::{Spot, Walker};
use crate::heap::{Address, Content, Shape, TypeId};

/// What a path begins with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Whole {
    /// A value of a type.
    Value(Spot),
    /// What fills a block from an address on, and what is to be said of it.
    Values(Address, Filling, String),
}

/// What fills a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filling(Result<Seen, String>);

/// Two counts lie before the value of an `Rc` or `Arc`, in bytes.
const COUNTS: u64 = 16;

impl Whole {
    /// Where it begins.
    pub(crate) fn at(&self) -> Address {
        match self {
            Whole::Value(spot) => spot.at,
            Whole::Values(at, ..) => *at,
        }
    }
}

impl Walker<'_> {
    pub(super) fn describe_whole(&self, whole: &Whole) -> Shown {
        match whole {
            Whole::Value(spot) => self.describe(*spot),
            Whole::Values(_, Filling(Ok(seen)), says) => {
                self.seen(seen.clone(), FOLDS).with(says.clone())
            }
            Whole::Values(_, Filling(Err(why)), _) => Shown::gap(why.clone()),
        }
    }

    /// What a block of this size (bytes) holds.
    pub(crate) fn block(&self, content: Content, at: Address, size: u64) -> Whole {
        let values = |filling: Result<Seen, String>, says: &str| {
            Whole::Values(at, Filling(filling), says.to_owned())
        };
        match content {
            Content::One(of) => Whole::Value(Spot { at, of }),
            Content::Counted(of) => match self.behind_counts(at, of) {
                Some(value) => Whole::Value(value),
                None => values(Err("it lies above all addresses".to_owned()), ""),
            },
            Content::Bytes => {
                let text = Text {
                    at,
                    length: size,
                    is_text: false,
                };
                values(Ok(Seen::Text(text)), OWNER_KNOWS)
            }
            Content::Items(of) => values(Ok(Seen::List(self.items(at, size, of))), OWNER_KNOWS),
            Content::CountedItems(of) => {
                let skip = self
                    .behind_counts(at, of)
                    .map_or(0, |value| value.at.0 - at.0);
                let start = Address(at.0.saturating_add(skip));
                let list = self.items(start, size.saturating_sub(skip), of);
                values(Ok(Seen::List(list)), &self.counts(at).unwrap_or_default())
            }
            Content::Table(of) => {
                let table = table_in_block(self, of, at, size);
                let table = table.map(|table| table.map_err(|torn| torn.0));
                values(
                    table.unwrap_or_else(|| Err("it is no table of its type".to_owned())),
                    "",
                )
            }
            Content::Unknown => values(Err("nobody knows of what type it is".to_owned()), ""),
        }
    }

    /// What the counts of a block that `Rc` or `Arc` points to say.
    pub(crate) fn counts(&self, at: Address) -> Option<String> {
        let weak = Address(at.0.checked_add(8)?);
        let (strong, weak) = (self.memory.word(at)?, self.memory.word(weak)?);
        // All strong ones together are one weak one.
        let weak = weak.saturating_sub(u64::from(strong > 0));
        Some(format!("strong {strong}, weak {weak}"))
    }

    fn behind_counts(&self, at: Address, of: TypeId) -> Option<Spot> {
        let align = self.layout(of).map_or(1, |layout| layout.align);
        let skip = COUNTS.checked_next_multiple_of(align.max(1))?;
        let at = Address(at.0.checked_add(skip)?);
        Some(Spot { at, of })
    }

    fn items(&self, at: Address, size: u64, of: TypeId) -> List {
        let stride = self.size(of);
        List {
            of,
            stride,
            runs: vec![(at, size.checked_div(stride).unwrap_or(0))],
            room: None,
        }
    }

    /// The part of a block at an address in it, the largest that begins there; the whole where none does.
    pub(crate) fn part_at(&self, whole: Whole, address: Address) -> Whole {
        let start = match &whole {
            Whole::Values(_, Filling(Ok(Seen::List(list))), _) => {
                let first = list.runs.first().map_or(address.0, |(first, _)| first.0);
                let number = address.0.checked_sub(first);
                let number = number.and_then(|offset| offset.checked_div(list.stride));
                number.and_then(|number| list.get(number))
            }
            Whole::Value(spot) => Some(*spot),
            Whole::Values(..) => None,
        };
        let part = start.and_then(|start| self.descend(start, address));
        part.map_or(whole, Whole::Value)
    }

    fn descend(&self, mut spot: Spot, address: Address) -> Option<Spot> {
        // Each step leads into a smaller part.
        for _ in 0..64 {
            let inside = address.0.checked_sub(spot.at.0)?;
            if inside == 0 {
                return Some(spot);
            }
            spot = match self.layout(spot.of)?.shape {
                Shape::Array(of, _) => {
                    let size = self.size(of);
                    let at = Address(spot.at.0 + inside.checked_div(size)? * size);
                    Spot { at, of }
                }
                Shape::Enum(_) => self.variant(spot)?.1,
                _ => {
                    let layout = self.layout(spot.of)?;
                    let mut fields = layout.fields().iter();
                    let around = fields.find(|field| {
                        (field.offset..field.offset + self.size(field.of)).contains(&inside)
                    })?;
                    self.part(spot, around)?
                }
            };
        }
        None
    }
}

/// Said of a buffer.
const OWNER_KNOWS: &str = "how much of it is in use only its owner knows";
