//! `resolve`: an entry for a type -> its name, size and alignment. Reads bytes, nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gimli::constants as dw;

use super::dwarf::{Debug, Die, Entry};
use super::paths;

/// A type, as far as it is described.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Type {
    /// As the compiler writes it, with whole paths: `alloc::vec::Vec<u8, alloc::alloc::Global>`.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: Option<u64>,
    /// In bytes.
    pub(super) align: Option<u64>,
}

/// The types read so far.
#[derive(Debug, Default)]
pub(super) struct Types {
    read: RefCell<HashMap<Die, Option<Rc<Type>>>>,
    /// Those with a size, by name. Units that describe the same type do so alike.
    named: RefCell<HashMap<String, Die>>,
}

/// How deep types may be nested in each other, and namespaces: more is damage.
const DEPTH: usize = 32;

impl Types {
    /// The type that an entry describes.
    pub(super) fn read(&self, debug: &Debug, die: Die) -> Option<Rc<Type>> {
        self.read_nested(debug, die, DEPTH)
    }

    fn read_nested(&self, debug: &Debug, die: Die, depth: usize) -> Option<Rc<Type>> {
        if let Some(known) = self.read.borrow().get(&die) {
            return known.clone();
        }
        let read = depth
            .checked_sub(1)
            .and_then(|depth| self.describe(debug, die, depth))
            .map(Rc::new);
        if let Some(of) = read.as_ref().filter(|of| of.size.is_some()) {
            let mut named = self.named.borrow_mut();
            named.entry(of.name.clone()).or_insert(die);
        }
        self.read.borrow_mut().insert(die, read.clone());
        read
    }

    /// A type read before, by its name and its size in bytes.
    pub(super) fn named(&self, name: &str, size: Option<u64>) -> Option<Die> {
        let die = *self.named.borrow().get(name)?;
        let read = self.read.borrow();
        let of = read.get(&die)?.as_ref()?;
        (size.is_none() || of.size == size).then_some(die)
    }

    fn describe(&self, debug: &Debug, die: Die, depth: usize) -> Option<Type> {
        let entry = debug.entry(die)?;
        let number = |attribute| entry.attr_value(attribute)?.udata_value();
        let mut found = Type {
            name: debug.name(die.unit, &entry).unwrap_or_default().to_string(),
            size: number(dw::DW_AT_byte_size),
            align: number(dw::DW_AT_alignment),
        };
        match entry.tag() {
            dw::DW_TAG_pointer_type | dw::DW_TAG_subroutine_type => {
                (found.size, found.align) = (Some(WORD), Some(WORD));
            }
            dw::DW_TAG_base_type | dw::DW_TAG_enumeration_type => {
                found.align = found.align.or(found.size)
            }
            dw::DW_TAG_array_type => found = self.array(debug, die, &entry, depth)?,
            _ => {}
        }
        if has_path(entry.tag()) {
            found.name = join(&scope(debug, die), &found.name);
        }
        (!found.name.is_empty()).then_some(found)
    }

    fn array(&self, debug: &Debug, die: Die, entry: &Entry, depth: usize) -> Option<Type> {
        let element = debug.target(die, entry.attr_value(dw::DW_AT_type)?)?;
        let element = self.read_nested(debug, element, depth)?;
        let count = debug
            .children(die, dw::DW_TAG_subrange_type)
            .first()
            .and_then(|range| {
                let last = || {
                    range
                        .attr_value(dw::DW_AT_upper_bound)?
                        .udata_value()?
                        .checked_add(1)
                };
                let count = || range.attr_value(dw::DW_AT_count)?.udata_value();
                count().or_else(last)
            })?;
        Some(Type {
            name: format!("[{}; {count}]", element.name),
            size: element.size.and_then(|size| size.checked_mul(count)),
            align: element.align,
        })
    }
}

/// The size of a pointer.
const WORD: u64 = 8;

fn has_path(tag: gimli::DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_structure_type | dw::DW_TAG_enumeration_type | dw::DW_TAG_union_type
    )
}

/// The path of what encloses an entry, generics left out.
pub(super) fn scope(debug: &Debug, die: Die) -> String {
    let mut segments = Vec::new();
    let mut at = die;
    while let Some(parent) = debug.parent(at).filter(|_| segments.len() < DEPTH) {
        let name = debug
            .entry(parent)
            .and_then(|entry| debug.name(parent.unit, &entry));
        segments.push(paths::without_generics(name.unwrap_or("{unnamed}")));
        at = parent;
    }
    segments.reverse();
    segments.join("::")
}

/// Two parts of a path as one.
pub(super) fn join(scope: &str, name: &str) -> String {
    match scope.is_empty() || name.is_empty() {
        true => name.to_string(),
        false => format!("{scope}::{name}"),
    }
}
