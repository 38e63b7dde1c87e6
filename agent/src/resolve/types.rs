//! `resolve`: an entry for a type -> its name, size and alignment. Reads bytes, nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gimli::constants as dw;

use super::dwarf::{Debug, Die, Entry, file_number};
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
    /// Where closures and async blocks stand in the source, by the path of their type.
    places: RefCell<HashMap<String, String>>,
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
        let read = depth.checked_sub(1).and_then(|depth| self.describe(debug, die, depth)).map(Rc::new);
        self.read.borrow_mut().insert(die, read.clone());
        read
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
            dw::DW_TAG_base_type | dw::DW_TAG_enumeration_type => found.align = found.align.or(found.size),
            dw::DW_TAG_array_type => found = self.array(debug, die, &entry, depth)?,
            _ => {}
        }
        if has_path(entry.tag()) {
            found.name = join(&scope(debug, die), &found.name);
            self.note_places(debug, die, &entry, &found.name, depth);
        }
        (!found.name.is_empty()).then_some(found)
    }

    fn array(&self, debug: &Debug, die: Die, entry: &Entry, depth: usize) -> Option<Type> {
        let element = debug.target(die, entry.attr_value(dw::DW_AT_type)?)?;
        let element = self.read_nested(debug, element, depth)?;
        let count = debug.children(die, dw::DW_TAG_subrange_type).first().and_then(|range| {
            let last = || range.attr_value(dw::DW_AT_upper_bound)?.udata_value()?.checked_add(1);
            let count = || range.attr_value(dw::DW_AT_count)?.udata_value();
            count().or_else(last)
        })?;
        Some(Type {
            name: format!("[{}; {count}]", element.name),
            size: element.size.and_then(|size| size.checked_mul(count)),
            align: element.align,
        })
    }

    /// Keeps where a closure stands; for a type that is generic over closures, where each of those does.
    fn note_places(&self, debug: &Debug, die: Die, entry: &Entry, name: &str, depth: usize) {
        if !name.contains("_env#") {
            return;
        }
        let (path, _) = paths::split_generics(name);
        if path.contains("_env#") {
            if let Some(place) = place(debug, die, entry).or_else(|| place_of_body(debug, die, entry)) {
                self.places.borrow_mut().insert(path.to_string(), place);
            }
        }
        for parameter in debug.children(die, dw::DW_TAG_template_type_parameter) {
            let of = parameter.attr_value(dw::DW_AT_type).and_then(|value| debug.target(die, value));
            of.and_then(|of| self.read_nested(debug, of, depth));
        }
    }

    /// `src/pool.rs:42`, for the path of a closure's type.
    pub(super) fn place(&self, path: &str) -> Option<String> {
        self.places.borrow().get(path).cloned()
    }
}

/// The size of a pointer.
const WORD: u64 = 8;

fn has_path(tag: gimli::DwTag) -> bool {
    matches!(tag, dw::DW_TAG_structure_type | dw::DW_TAG_enumeration_type | dw::DW_TAG_union_type)
}

fn place(debug: &Debug, die: Die, entry: &Entry) -> Option<String> {
    let file = file_number(entry.attr_value(dw::DW_AT_decl_file)?);
    let line = entry.attr_value(dw::DW_AT_decl_line)?.udata_value()?;
    Some(format!("{}:{line}", debug.lines(die.unit)?.file(file)?))
}

/// Compilers before 1.96 say where the function of a closure stands, not its type: `{closure#0}` beside `{closure_env#0}`.
fn place_of_body(debug: &Debug, die: Die, entry: &Entry) -> Option<String> {
    let (name, _) = paths::split_generics(debug.name(die.unit, entry)?);
    let body = name.replace("_env#", "#");
    let parent = debug.parent(die)?;
    let is_body = |sibling: &&Entry| {
        let name = debug.name(die.unit, sibling).unwrap_or_default();
        paths::split_generics(name).0 == body
    };
    debug.children(parent, dw::DW_TAG_subprogram).iter().find(is_body).and_then(|sibling| place(debug, die, sibling))
}

/// The path of what encloses an entry, generics left out.
pub(super) fn scope(debug: &Debug, die: Die) -> String {
    let mut segments = Vec::new();
    let mut at = die;
    while let Some(parent) = debug.parent(at).filter(|_| segments.len() < DEPTH) {
        let name = debug.entry(parent).and_then(|entry| debug.name(parent.unit, &entry));
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
