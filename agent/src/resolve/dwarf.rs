//! `resolve`: the debug information of one object file, read lazily: a unit is indexed when one of its addresses is asked for.
//! Reads bytes, nothing else. Whatever is damaged is skipped and noted.

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use gimli::{
    Abbreviations, AttributeValue, DebugAranges, DebuggingInformationEntry, Dwarf, EndianSlice,
    Expression, LittleEndian, Section, SectionId, Unit, UnitHeader, UnitOffset, constants as dw,
};

use super::bounds::Bounds;
use super::index::{self, Bodies, Covered, Index};
use super::lines::Lines;
use super::object::ObjectError;
use super::skim::{self, Lengths, Skim};
use super::split::{Lost, Split, Splits};

/// Bytes of a section.
pub(super) type Slice = EndianSlice<'static, LittleEndian>;
/// A value of an attribute.
pub(super) type Value = AttributeValue<Slice>;
/// A debugging information entry with its attributes.
pub(super) type Entry = DebuggingInformationEntry<Slice>;

/// The debug information of one object file.
pub(super) struct Debug<'a> {
    dwarf: Dwarf<Slice>,
    /// In order of their offsets.
    units: Vec<LazyUnit>,
    /// The tables of abbreviations read so far, by their offsets: linkers that see whole programs share one among all units.
    abbreviations: RefCell<HashMap<usize, Arc<Abbreviations>>>,
    /// What `.debug_aranges` says, in order of addresses.
    listed: Vec<Covered<usize>>,
    /// The same for the units it leaves out; found when it is first needed.
    unlisted: OnceCell<Vec<Covered<usize>>>,
    damaged: Cell<bool>,
    splits: Splits<'a>,
    lengths: skim::Known,
}

/// Where Rust's own builders compile the standard library and what it is made with.
const STANDARD: &[&[u8]] = &[b"/rustc/", b"/rust/deps/"];

/// Where an entry stands: the number of its unit and its offset there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Die {
    pub(super) unit: usize,
    pub(super) offset: usize,
}

/// A unit, parsed when first asked for.
struct LazyUnit {
    header: UnitHeader<Slice>,
    /// Where it begins in its section.
    start: usize,
    parsed: OnceCell<Option<ParsedUnit>>,
}

/// A unit with what is known of it so far.
struct ParsedUnit {
    /// As it stands in this file: perhaps a skeleton.
    here: Unit<Slice>,
    /// What the skeleton stands for.
    split: OnceCell<Option<Split>>,
    index: OnceCell<Index>,
    lines: OnceCell<Lines>,
    lengths: OnceCell<Rc<Lengths>>,
    bodies: OnceCell<Bodies>,
}

impl<'a> Debug<'a> {
    /// Finds the units; parses none of them. `None`: there is no debug information.
    pub(super) fn open(
        section: impl Fn(&str) -> Result<&'static [u8], ObjectError>,
        splits: Splits<'a>,
    ) -> Result<Option<Self>, ObjectError> {
        let load = |id: SectionId| {
            let bytes = match is_read(id) {
                true => section(id.name())?,
                false => &[],
            };
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let mut debug = Debug {
            dwarf: Dwarf::load(load)?,
            units: Vec::new(),
            abbreviations: RefCell::default(),
            listed: Vec::new(),
            unlisted: OnceCell::new(),
            damaged: Cell::new(false),
            splits,
            lengths: skim::Known::default(),
        };
        debug.find_units();
        debug.listed = debug.read_aranges(&debug.dwarf.debug_aranges);
        Ok((!debug.units.is_empty()).then_some(debug))
    }

    fn find_units(&mut self) {
        let mut headers = self.dwarf.units();
        while let Some(header) = self.note(headers.next()).flatten() {
            let Some(start) = header.debug_info_offset() else {
                continue;
            };
            self.units.push(LazyUnit {
                header,
                start: start.0,
                parsed: OnceCell::new(),
            });
        }
    }

    fn read_aranges(&self, aranges: &DebugAranges<Slice>) -> Vec<Covered<usize>> {
        let mut listed = Vec::new();
        let mut headers = aranges.headers();
        while let Some(header) = self.note(headers.next()).flatten() {
            let Some(unit) = self.unit_at(header.debug_info_offset().0) else {
                continue;
            };
            let mut entries = header.entries();
            while let Some(entry) = self.note(entries.next()).flatten() {
                listed.extend(Covered::new(entry.range(), unit));
            }
        }
        listed.sort_unstable();
        listed
    }

    /// The function whose code covers an address.
    pub(super) fn function_at(&self, address: u64) -> Option<Die> {
        let function = |unit| {
            let offset = self.index(unit)?.function_at(address)?;
            Some(Die { unit, offset })
        };
        let mut listed = Covered::find(&self.listed, address).peekable();
        match listed.peek() {
            Some(_) => listed.find_map(function),
            None => Covered::find(self.unlisted(), address).find_map(function),
        }
    }

    /// Whether the code at an address was compiled without optimisation.
    pub(super) fn is_unoptimised_at(&self, address: u64) -> bool {
        let function = self.function_at(address);
        function
            .and_then(|function| self.index(function.unit))
            .is_some_and(Index::is_unoptimised)
    }

    fn unlisted(&self) -> &[Covered<usize>] {
        self.unlisted.get_or_init(|| {
            let mut known = vec![false; self.units.len()];
            for one in &self.listed {
                known[one.of] = true;
            }
            let left_out = (0..self.units.len()).filter(|unit| !known[*unit]);
            let mut found: Vec<_> = left_out.flat_map(|unit| self.ranges_of(unit)).collect();
            found.sort_unstable();
            found
        })
    }

    fn ranges_of(&self, number: usize) -> Vec<Covered<usize>> {
        let mut found = Vec::new();
        if !self.may_have_code(number) {
            return found;
        }
        let Some(parsed) = self.parsed(number) else {
            return found;
        };
        if let Some(mut ranges) = self.note(self.dwarf.unit_ranges(&parsed.here)) {
            while let Some(range) = self.note(ranges.next()).flatten() {
                found.extend(Covered::new(range, number));
            }
        }
        found
    }

    /// Whether the first entry of a unit says what code it has. Most units of an optimised program have none left.
    fn may_have_code(&self, number: usize) -> bool {
        let says = |header: &UnitHeader<Slice>| {
            let abbreviations = self.abbreviations_of(header)?;
            let mut raw = self.note(header.entries_raw(&abbreviations, None))?;
            let first = self.note(raw.read_abbreviation())??;
            let mut attributes = first.attributes().iter();
            Some(attributes.any(|one| [dw::DW_AT_ranges, dw::DW_AT_high_pc].contains(&one.name())))
        };
        let unit = self.units.get(number);
        unit.is_some_and(|unit| says(&unit.header) == Some(true))
    }

    fn abbreviations_of(&self, header: &UnitHeader<Slice>) -> Option<Arc<Abbreviations>> {
        let offset = header.debug_abbrev_offset().0;
        if let Some(known) = self.abbreviations.borrow().get(&offset) {
            return Some(Arc::clone(known));
        }
        let read = self.note(self.dwarf.abbreviations(header))?;
        let mut known = self.abbreviations.borrow_mut();
        Some(Arc::clone(known.entry(offset).or_insert(read)))
    }

    fn parsed(&self, number: usize) -> Option<&ParsedUnit> {
        let lazy = self.units.get(number)?;
        let parse = || {
            let abbreviations = self.abbreviations_of(&lazy.header)?;
            let unit = Unit::new_with_abbreviations(&self.dwarf, lazy.header, abbreviations);
            Some(ParsedUnit {
                here: self.note(unit)?,
                split: OnceCell::new(),
                index: OnceCell::new(),
                lines: OnceCell::new(),
                lengths: OnceCell::new(),
                bodies: OnceCell::new(),
            })
        };
        lazy.parsed.get_or_init(parse).as_ref()
    }

    /// What a skeleton stands for. `None` for a unit that is whole, and for one that is lost.
    fn split(&self, number: usize) -> Option<&Split> {
        let parsed = self.parsed(number)?;
        let find = || self.splits.find(&self.dwarf, &parsed.here);
        parsed.here.dwo_id?;
        parsed.split.get_or_init(find).as_ref()
    }

    /// A unit, parsed; a skeleton's from the file it is in.
    pub(super) fn unit(&self, number: usize) -> Option<&Unit<Slice>> {
        let here = &self.parsed(number)?.here;
        match here.dwo_id {
            Some(_) => self.split(number).map(|split| &split.unit),
            None => Some(here),
        }
    }

    /// The entries of a unit in order, from one of them on, or all.
    pub(super) fn skim(&self, number: usize, from: Option<usize>) -> Option<Skim<'_>> {
        let (unit, parsed) = (self.unit(number)?, self.parsed(number)?);
        let lengths = parsed.lengths.get_or_init(|| self.lengths.of(unit));
        let info = self.sections_of(number).debug_info.reader();
        Skim::new(unit, *info, lengths, from)
    }

    /// The sections that a unit stands in.
    fn sections_of(&self, number: usize) -> &Dwarf<Slice> {
        let split = self.split(number);
        split.map_or(&self.dwarf, |split| &split.dwarf)
    }

    fn index(&self, number: usize) -> Option<&Index> {
        let unit = self.unit(number)?;
        let build = || {
            let entries = self.skim(number, None)?;
            self.note(Index::build(self.sections_of(number), unit, entries))
        };
        let build = || build().unwrap_or_default();
        Some(self.parsed(number)?.index.get_or_init(build))
    }

    /// The bodies of closures and async blocks of a unit that have this name: `{closure#0}`.
    pub(super) fn bodies(&self, unit: usize, name: &str) -> impl Iterator<Item = Die> {
        let read = || {
            let (of, entries) = (self.unit(unit)?, self.skim(unit, None)?);
            self.note(index::bodies(self.sections_of(unit), of, entries))
        };
        let bodies = self.parsed(unit).map(|parsed| {
            let bodies = parsed.bodies.get_or_init(|| read().unwrap_or_default());
            bodies.iter()
        });
        bodies
            .into_iter()
            .flatten()
            .filter(move |(_, of)| *of == name.as_bytes())
            .map(move |(offset, _)| Die {
                unit,
                offset: *offset as usize,
            })
    }

    /// The line table of a unit. A skeleton keeps it. Compilers give one to each unit with code: without it something is lost.
    pub(super) fn lines(&self, number: usize) -> Option<&Lines> {
        let parsed = self.parsed(number)?;
        let build = || {
            if parsed.here.line_program.is_none() {
                self.damaged.set(true);
            }
            self.note(Lines::read(&self.dwarf, &parsed.here))
                .unwrap_or_default()
        };
        Some(parsed.lines.get_or_init(build))
    }

    /// The nearest enclosing namespace, type or function.
    pub(super) fn parent(&self, die: Die) -> Option<Die> {
        let offset = self.index(die.unit)?.parent_of(die.offset)?;
        Some(Die { offset, ..die })
    }

    /// An entry with its attributes.
    pub(super) fn entry(&self, die: Die) -> Option<Entry> {
        self.note(self.unit(die.unit)?.entry(UnitOffset(die.offset)))
    }

    /// The direct children of an entry that have a certain tag.
    pub(super) fn children(&self, die: Die, tag: gimli::DwTag) -> Vec<Entry> {
        self.read_children(die, tag).unwrap_or_default()
    }

    fn read_children(&self, die: Die, tag: gimli::DwTag) -> Option<Vec<Entry>> {
        let unit = self.unit(die.unit)?;
        let mut entries = self.skim(die.unit, Some(die.offset))?;
        let own = self.note(entries.next())??;
        let mut found = Vec::new();
        if !own.abbreviation.has_children() {
            return Some(found);
        }
        while let Some(met) = self.note(entries.next())?.filter(|met| met.depth >= 1) {
            if met.depth == 1 && met.abbreviation.tag() == tag {
                found.push(self.note(unit.entry(UnitOffset(met.offset)))?);
            }
        }
        Some(found)
    }

    /// Where a reference leads, possibly into another unit.
    pub(super) fn target(&self, from: Die, value: Value) -> Option<Die> {
        match value {
            AttributeValue::UnitRef(offset) => Some(Die {
                offset: offset.0,
                ..from
            }),
            AttributeValue::DebugInfoRef(offset) if self.split(from.unit).is_some() => {
                // Compilers keep such references within the unit.
                let header = &self.unit(from.unit)?.header;
                let offset = offset.to_unit_offset(header)?.0;
                Some(Die { offset, ..from })
            }
            AttributeValue::DebugInfoRef(offset) => {
                let unit = self.unit_at(offset.0)?;
                let offset = offset.0.checked_sub(self.units.get(unit)?.start)?;
                Some(Die { unit, offset })
            }
            _ => None,
        }
    }

    /// The unit that covers an offset of `.debug_info`.
    fn unit_at(&self, offset: usize) -> Option<usize> {
        self.units
            .partition_point(|unit| unit.start <= offset)
            .checked_sub(1)
    }

    /// How many units there are: their numbers begin at zero.
    pub(super) fn units_count(&self) -> usize {
        self.units.len()
    }

    /// The address that has a number in a unit's table of them. A skeleton keeps that table.
    pub(super) fn address(&self, unit: usize, index: gimli::DebugAddrIndex<usize>) -> Option<u64> {
        let here = &self.parsed(unit)?.here;
        self.note(self.dwarf.address(here, index))
    }

    /// The text of an attribute.
    pub(super) fn text(&self, unit: usize, value: Value) -> Option<&'static str> {
        let text = self.sections_of(unit).attr_string(self.unit(unit)?, value);
        let bytes = self.note(text)?;
        std::str::from_utf8(bytes.slice()).ok()
    }

    /// The name of an entry.
    pub(super) fn name(&self, unit: usize, entry: &Entry) -> Option<&'static str> {
        self.text(unit, entry.attr_value(dw::DW_AT_name)?)
    }

    /// Where a variable is while the program is at an address.
    pub(super) fn location(
        &self,
        number: usize,
        value: Value,
        address: u64,
    ) -> Option<Expression<Slice>> {
        if let AttributeValue::Exprloc(location) = value {
            return Some(location);
        }
        let (sections, unit) = (self.sections_of(number), self.unit(number)?);
        let mut list = self.note(sections.attr_locations(unit, value))??;
        while let Some(one) = self.note(list.next())? {
            if (one.range.begin..one.range.end).contains(&address) {
                return Some(one.data);
            }
        }
        None
    }

    /// Whether an entry's code covers an address.
    pub(super) fn covers(&self, number: usize, bounds: &Bounds, address: u64) -> bool {
        let unit = self.unit(number);
        unit.is_some_and(|unit| bounds.covers(self.sections_of(number), unit, address))
    }

    /// The first addresses of all functions, in no order.
    #[cfg(test)]
    pub(super) fn covered(&self) -> impl Iterator<Item = u64> {
        let units = 0..self.units.len();
        units
            .filter_map(|unit| self.index(unit))
            .flat_map(Index::function_addresses)
    }

    /// Something was not as it should be.
    pub(super) fn is_damaged(&self) -> bool {
        self.damaged.get()
    }

    /// Why units in files of their own were not found, if some were not.
    pub(super) fn lost(&self) -> Option<Ref<'_, Lost>> {
        self.splits.lost()
    }

    /// Whether the program's functions are described and its types are not, as far as units have been indexed.
    pub(super) fn lacks_types(&self) -> bool {
        let mut own = self.indexed_own().peekable();
        own.peek().is_some() && !own.any(Index::has_types)
    }

    /// Whether a unit is described by no more than its line table, as far as units have been indexed.
    pub(super) fn lacks_paths(&self) -> bool {
        self.indexed_own().any(|index| !index.has_paths())
    }

    fn indexed_own(&self) -> impl Iterator<Item = &Index> {
        let numbers = 0..self.units.len();
        numbers.filter_map(|number| {
            let index = self.units[number].parsed.get()?.as_ref()?.index.get()?;
            self.is_own(number).then_some(index)
        })
    }

    /// Whether the unit that covers an address describes types. `None`: it was not compiled with the program.
    pub(super) fn describes_types_at(&self, address: u64) -> Option<bool> {
        let unit = self.function_at(address)?.unit;
        self.is_own(unit)
            .then(|| self.index(unit))?
            .map(Index::has_types)
    }

    /// Whether a unit is in Rust and was compiled with the program: how much the standard library's are described is not up to
    /// whoever builds the program.
    fn is_own(&self, number: usize) -> bool {
        let is_standard = self
            .parsed(number)
            .and_then(|parsed| parsed.here.comp_dir)
            .is_some_and(|place| STANDARD.iter().any(|dir| place.starts_with(dir)));
        !is_standard && self.language(number) == Some(dw::DW_LANG_Rust)
    }

    fn language(&self, number: usize) -> Option<gimli::DwLang> {
        let offset = self.unit(number)?.header.root_offset().0;
        let root = self.entry(Die {
            unit: number,
            offset,
        })?;
        match root.attr_value(dw::DW_AT_language)? {
            AttributeValue::Language(language) => Some(language),
            _ => None,
        }
    }

    /// The addresses of the functions in units that were not compiled with the program.
    #[cfg(test)]
    pub(super) fn covered_by_others(&self) -> Vec<u64> {
        let others = (0..self.units.len()).filter(|unit| !self.is_own(*unit));
        let ranges = others.flat_map(|unit| self.ranges_of(unit));
        ranges.map(|range| range.begin()).collect()
    }

    /// What is left of a result, the error noted.
    pub(super) fn note<T>(&self, result: gimli::Result<T>) -> Option<T> {
        result.inspect_err(|_| self.damaged.set(true)).ok()
    }
}

impl fmt::Debug for Debug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug")
            .field("units", &self.units.len())
            .finish_non_exhaustive()
    }
}

/// Whether anything of a section is read here: those that are not need not be decompressed.
pub(super) fn is_read(id: SectionId) -> bool {
    !matches!(
        id,
        SectionId::DebugMacinfo
            | SectionId::DebugMacro
            | SectionId::DebugTypes
            | SectionId::DebugNames
    )
}

/// The number of a file in its unit's line table.
pub(super) fn file_number(value: Value) -> u64 {
    match value {
        AttributeValue::FileIndex(number) => number,
        other => other.udata_value().unwrap_or(0),
    }
}
