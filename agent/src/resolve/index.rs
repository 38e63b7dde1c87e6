//! `resolve`: the index of one unit, made in one pass: which function covers an address, and what encloses what.

use gimli::{Abbreviation, Dwarf, EntriesRaw, Unit, constants as dw};

use super::bounds::Bounds;
use super::dwarf::Slice;
use super::skim::Skim;

/// What one pass over a unit keeps.
#[derive(Default)]
pub(super) struct Index {
    /// Functions by the code they cover, in order of addresses.
    functions: Vec<Covered<u32>>,
    /// (entry, the entry that encloses it) for namespaces, types and functions, in order of entries.
    parents: Vec<(u32, u32)>,
    types: bool,
    paths: bool,
    /// How many variables and parameters have a place, and how many of these one that changes.
    variables: u32,
    moving: u32,
}

/// A range of addresses that is covered by something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Covered<T> {
    begin: u64,
    end: u64,
    pub(super) of: T,
}

impl<T: Copy> Covered<T> {
    /// How far back to look for a range that began before its neighbours and covers them too.
    const OVERLAPS: usize = 16;

    /// `None` for what covers nothing: empty ranges, and those at zero, which the linker dropped.
    pub(super) fn new(range: gimli::Range, of: T) -> Option<Self> {
        let (begin, end) = (range.begin, range.end);
        (begin > 0 && begin < end).then_some(Covered { begin, end, of })
    }

    #[cfg(test)]
    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    /// What covers an address, nearest beginning first.
    pub(super) fn find(all: &[Self], address: u64) -> impl Iterator<Item = T> {
        let after = all.partition_point(|one| one.begin <= address);
        let near = all[..after].iter().rev().take(Self::OVERLAPS);
        near.filter(move |one| address < one.end).map(|one| one.of)
    }
}

impl Index {
    /// Comes by every entry of a unit once.
    pub(super) fn build(
        dwarf: &Dwarf<Slice>,
        unit: &Unit<Slice>,
        mut entries: Skim<'_>,
    ) -> gimli::Result<Self> {
        let mut index = Index::default();
        let mut enclosing = Enclosing::default();
        while let Some(met) = entries.next()? {
            let tag = met.abbreviation.tag();
            index.note_variable(met.abbreviation);
            let (true, Ok(offset)) = (encloses(tag), u32::try_from(met.offset)) else {
                continue;
            };
            let parent = enclosing.enter(met.depth, offset);
            index.parents.extend(parent.map(|parent| (offset, parent)));
            index.types |= tag == dw::DW_TAG_structure_type;
            index.paths |= tag == dw::DW_TAG_namespace;
            if tag == dw::DW_TAG_subprogram && has_code(met.abbreviation) {
                let raw = entries.read()?;
                index.add_function(dwarf, unit, raw, met.abbreviation, offset)?;
            }
        }
        index.functions.sort_unstable();
        Ok(index)
    }

    fn add_function(
        &mut self,
        dwarf: &Dwarf<Slice>,
        unit: &Unit<Slice>,
        mut raw: EntriesRaw<'_, Slice>,
        abbreviation: &Abbreviation,
        offset: u32,
    ) -> gimli::Result<()> {
        let mut bounds = Bounds::default();
        for attribute in abbreviation.attributes() {
            bounds.take(&raw.read_attribute(*attribute)?);
        }
        bounds.each(dwarf, unit, |range| {
            self.functions.extend(Covered::new(range, offset))
        })
    }

    fn note_variable(&mut self, abbreviation: &Abbreviation) {
        if !matches!(
            abbreviation.tag(),
            dw::DW_TAG_formal_parameter | dw::DW_TAG_variable
        ) {
            return;
        }
        let location = abbreviation
            .attributes()
            .iter()
            .find(|attribute| attribute.name() == dw::DW_AT_location);
        self.variables += u32::from(location.is_some());
        self.moving +=
            u32::from(location.is_some_and(|location| location.form() != dw::DW_FORM_exprloc));
    }

    /// Whether the unit was compiled without optimisation. The debug information does not say it, but then few variables change
    /// their place: 2–17 % in development builds, 31 % and more in release builds, units of a handful left aside.
    pub(super) fn is_unoptimised(&self) -> bool {
        self.variables >= 16 && self.moving < self.variables / 5
    }

    pub(super) fn function_at(&self, address: u64) -> Option<usize> {
        let mut covering = Covered::find(&self.functions, address);
        covering.next().map(|offset| offset as usize)
    }

    #[cfg(test)]
    pub(super) fn function_addresses(&self) -> impl Iterator<Item = u64> {
        self.functions.iter().map(|function| function.begin)
    }

    pub(super) fn parent_of(&self, entry: usize) -> Option<usize> {
        let entry = u32::try_from(entry).ok()?;
        let at = self
            .parents
            .binary_search_by_key(&entry, |(child, _)| *child)
            .ok()?;
        self.parents.get(at).map(|(_, parent)| *parent as usize)
    }

    /// Whether it says where functions stand: line tables alone do not.
    pub(super) fn has_paths(&self) -> bool {
        self.paths
    }

    /// Whether it describes any type.
    pub(super) fn has_types(&self) -> bool {
        self.types
    }
}

/// Bodies of closures and async blocks, by their last name.
pub(super) type Bodies = Vec<(u32, &'static [u8])>;

/// Those of a unit.
pub(super) fn bodies(
    dwarf: &Dwarf<Slice>,
    unit: &Unit<Slice>,
    mut entries: Skim<'_>,
) -> gimli::Result<Bodies> {
    let mut bodies = Vec::new();
    while let Some(met) = entries.next()? {
        let mut attributes = met.abbreviation.attributes().iter();
        let is_named = attributes.any(|attribute| attribute.name() == dw::DW_AT_name);
        let (true, Ok(offset)) = (is_named, u32::try_from(met.offset)) else {
            continue;
        };
        if met.abbreviation.tag() != dw::DW_TAG_subprogram {
            continue;
        }
        let mut raw = entries.read()?;
        for attribute in met.abbreviation.attributes() {
            let attribute = raw.read_attribute(*attribute)?;
            if attribute.name() == dw::DW_AT_name {
                let name = dwarf.attr_string(unit, attribute.value())?.slice();
                bodies.extend(name.starts_with(b"{").then_some((offset, base_name(name))));
            }
        }
    }
    Ok(bodies)
}

/// Whether a function says which code it has: most were inlined wherever they are called, or are declarations.
fn has_code(abbreviation: &Abbreviation) -> bool {
    let mut attributes = abbreviation.attributes().iter();
    attributes.any(|one| [dw::DW_AT_low_pc, dw::DW_AT_ranges].contains(&one.name()))
}

/// `{closure#0}` of `{closure#0}<T>`.
fn base_name(name: &'static [u8]) -> &'static [u8] {
    name.split(|byte| *byte == b'<').next().unwrap_or(name)
}

/// Whether entries of this kind are part of the path of what they contain.
fn encloses(tag: gimli::DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_namespace
            | dw::DW_TAG_structure_type
            | dw::DW_TAG_enumeration_type
            | dw::DW_TAG_union_type
            | dw::DW_TAG_subprogram
    )
}

/// The entries that enclose the one being read.
#[derive(Default)]
struct Enclosing(Vec<(isize, u32)>);

impl Enclosing {
    /// Enters an entry and returns the nearest one around it.
    fn enter(&mut self, depth: isize, offset: u32) -> Option<u32> {
        while self.0.last().is_some_and(|(outer, _)| *outer >= depth) {
            self.0.pop();
        }
        let parent = self.0.last().map(|(_, offset)| *offset);
        self.0.push((depth, offset));
        parent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_beginning_comes_first_and_dropped_code_is_left_out() {
        let covered = |begin, end, of| Covered::new(gimli::Range { begin, end }, of);
        assert_eq!(covered(0, 9, 1), None);
        assert_eq!(covered(9, 9, 1), None);
        let all: Vec<_> = [covered(10, 90, 1), covered(20, 30, 2), covered(40, 50, 3)]
            .into_iter()
            .flatten()
            .collect();
        let find = |address| Covered::find(&all, address).collect::<Vec<_>>();
        assert_eq!(find(25), [2, 1]);
        assert_eq!(find(60), [1]);
        assert_eq!(find(9), [0i32; 0]);
        assert_eq!(find(90), [0i32; 0]);
    }

    #[test]
    fn an_entry_is_enclosed_by_the_nearest_shallower_one() {
        let mut enclosing = Enclosing::default();
        assert_eq!(enclosing.enter(1, 100), None);
        assert_eq!(enclosing.enter(2, 200), Some(100));
        assert_eq!(enclosing.enter(4, 300), Some(200));
        assert_eq!(enclosing.enter(2, 400), Some(100));
        assert_eq!(enclosing.enter(1, 500), None);
    }
}
