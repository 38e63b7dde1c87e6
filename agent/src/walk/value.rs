//! `walk`: a value with what is in it, so far down and so much of it as is asked for.

use std::cell::Cell;

use super::containers::{List, Map};
use super::describe::{Parts, Shown};
use super::{Spot, Walker, Whole};
use crate::heap::{Address, Shape, TypeId};

/// A value, and the values in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    /// What it is in the value around it: `name`, `[3]`, `["key"]`.
    pub(crate) label: String,
    /// Where it is.
    pub(crate) at: Address,
    /// Its type; none for what a block holds that is no single value.
    pub(crate) of: Option<TypeId>,
    /// What it says in a line.
    pub(crate) text: String,
    /// Its parts.
    pub(crate) children: Vec<Value>,
    /// How many of its parts were left out.
    pub(crate) more: u64,
    /// Why it is not shown as it should be.
    pub(crate) gap: Option<String>,
}

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Levels below the value itself.
    pub(crate) depth: usize,
    /// Elements of each collection.
    pub(crate) elements: u64,
    /// Whether numbers and the like that are many stand in one line, instead of a part each.
    pub(crate) inline: bool,
}

/// Values shown in all.
const MOST: u64 = 20_000;
/// Characters of what is shown in place of parts.
const BRIEF: usize = 60;

impl Walker<'_> {
    /// A value, or what a block holds, with its parts.
    pub(crate) fn value(&self, label: &str, whole: &Whole, limits: Limits) -> Value {
        let tree = Tree {
            walker: self,
            limits,
            left: Cell::new(MOST),
        };
        let of = match whole {
            Whole::Value(spot) => Some(spot.of),
            Whole::Values(..) => None,
        };
        let shown = self.describe_whole(whole);
        tree.grow(label.to_owned(), (whole.at(), of), shown, limits.depth)
    }

    /// A value in a line, with its parts as far as there is room.
    pub(crate) fn brief(&self, spot: Spot) -> String {
        self.brief_of(&self.describe(spot))
    }

    /// The same of what a block holds; empty where that cannot be told.
    pub(crate) fn line(&self, whole: &Whole) -> String {
        let shown = self.describe_whole(whole);
        if shown.gap.is_some() {
            return String::new();
        }
        match whole {
            Whole::Value(_) => Shown {
                text: self.brief_of(&shown),
                ..shown
            }
            .line(),
            // How much of it is in use is its owner's to say.
            Whole::Values(..) => match shown.parts {
                Parts::List(list) => format!("room for {}", list.length()),
                _ => shown.text,
            },
        }
    }

    fn brief_of(&self, shown: &Shown) -> String {
        let Parts::Fields(fields) = &shown.parts else {
            return shown.text.clone();
        };
        let mut parts = String::new();
        for (label, spot) in fields {
            let inner = self.describe(*spot);
            let text = match (&inner.parts, inner.text.is_empty()) {
                (Parts::Fields(_), _) | (_, true) => format!("{}{{…}}", inner.text),
                (_, false) => inner.text,
            };
            let comma = if parts.is_empty() { "" } else { ", " };
            if parts.chars().count() + text.chars().count() > BRIEF {
                parts += comma;
                parts += "…";
                break;
            }
            let name = if label.parse::<u32>().is_ok() {
                String::new()
            } else {
                format!("{label}: ")
            };
            parts += &format!("{comma}{name}{text}");
        }
        let space = if shown.text.is_empty() { "" } else { " " };
        format!("{}{space}{{{parts}}}", shown.text)
    }
}

struct Tree<'w> {
    walker: &'w Walker<'w>,
    limits: Limits,
    left: Cell<u64>,
}

impl Tree<'_> {
    fn grow(
        &self,
        label: String,
        (at, of): (Address, Option<TypeId>),
        shown: Shown,
        depth: usize,
    ) -> Value {
        let mut value = Value {
            label,
            at,
            of,
            text: shown.line(),
            children: Vec::new(),
            more: 0,
            gap: shown.gap.clone(),
        };
        match depth.checked_sub(1) {
            Some(below) => self.fill(&mut value, &shown.parts, below),
            None if matches!(shown.parts, Parts::Fields(_)) => {
                let text = self.walker.brief_of(&shown);
                value.text = Shown { text, ..shown }.line();
            }
            None => {}
        }
        value
    }

    fn fill(&self, value: &mut Value, parts: &Parts, depth: usize) {
        match parts {
            Parts::Nothing => {}
            Parts::Fields(fields) => {
                for (label, spot) in fields {
                    self.add(value, depth, || (label.to_string(), *spot));
                }
            }
            Parts::List(list) if self.limits.inline && self.is_of_scalars(list) => {
                value.text = self.in_a_line(&value.text, list);
            }
            Parts::List(list) => self.fill_list(value, list, depth),
            Parts::Map(map) => self.fill_map(value, map, depth),
        }
    }

    fn is_of_scalars(&self, list: &List) -> bool {
        let layout = self.walker.layout(list.of);
        let shape = layout.map(|layout| layout.shape.clone());
        use Shape::{Bool, Char, Float, Names, Signed, Unsigned};
        matches!(
            shape,
            Some(Bool | Char | Float | Names(_) | Signed | Unsigned)
        )
    }

    fn in_a_line(&self, text: &str, list: &List) -> String {
        let left = self.left.get();
        let shown = list.length().min(self.limits.elements).min(left);
        self.left.set(left - shown);
        let values = (0..shown).filter_map(|number| list.get(number));
        let values: Vec<_> = values
            .map(|spot| self.walker.describe(spot).line())
            .collect();
        let values = values.join(", ");
        match list.length() {
            _ if shown == 0 => text.to_owned(),
            all if all == shown => format!("[{values}]"),
            _ => format!("[{values}, …] {text}"),
        }
    }

    fn fill_list(&self, value: &mut Value, list: &List, depth: usize) {
        // Values of no size are all alike.
        let wanted = if list.stride == 0 {
            0
        } else {
            self.limits.elements
        };
        let shown = list.length().min(wanted);
        for number in 0..shown {
            if let Some(spot) = list.get(number) {
                self.add(value, depth, || (format!("[{number}]"), spot));
            }
        }
        value.more += if list.stride == 0 {
            0
        } else {
            list.length() - shown
        };
    }

    fn fill_map(&self, value: &mut Value, map: &Map, depth: usize) {
        let shown = map.length.min(self.limits.elements);
        for (number, (key, of)) in map.entries.iter().take(shown as usize).enumerate() {
            self.add(value, depth, || match of {
                Some(of) => (format!("[{}]", self.walker.brief(*key)), *of),
                None => (format!("[{number}]"), *key),
            });
        }
        value.more += map.length - shown;
    }

    fn add(&self, value: &mut Value, depth: usize, part: impl FnOnce() -> (String, Spot)) {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                let (label, spot) = part();
                let shown = self.walker.describe(spot);
                let place = (spot.at, Some(spot.of));
                value.children.push(self.grow(label, place, shown, depth));
            }
            None => value.more += 1,
        }
    }
}
