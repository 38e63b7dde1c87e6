//! `resolve`: the entries of a unit, one after the other, at a fraction of what reading them costs: how long each is says a table
//! made once for all of one kind. Reads bytes, nothing else; whatever is out of the ordinary, damage included, is left to gimli.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use gimli::{
    Abbreviation, Abbreviations, Encoding, EntriesRaw, Unit, UnitHeader, UnitOffset,
    constants as dw,
};

use super::dwarf::Slice;

/// Goes through the entries of a unit, in order.
pub(super) struct Skim<'u> {
    unit: &'u Unit<Slice>,
    /// The unit, its header included: an offset in the unit is a place here.
    bytes: &'static [u8],
    lengths: &'u Lengths,
    /// Where the next entry begins, or the attributes of the entry that was handed out last.
    at: usize,
    depth: isize,
    /// The code of the entry that was handed out last, if its attributes are still to be passed.
    passing: Option<usize>,
    begun: usize,
}

/// An entry that was come by.
#[derive(Clone, Copy)]
pub(super) struct Met<'u> {
    pub(super) offset: usize,
    /// As deep as it is nested below the one at which the pass began.
    pub(super) depth: isize,
    pub(super) abbreviation: &'u Abbreviation,
}

impl<'u> Skim<'u> {
    /// From an entry on; from the first if none is given. `info` is the section that the unit stands in.
    pub(super) fn new(
        unit: &'u Unit<Slice>,
        info: Slice,
        lengths: &'u Lengths,
        from: Option<usize>,
    ) -> Option<Self> {
        let start = unit.header.debug_info_offset()?.0;
        let end = start.checked_add(unit.header.length_including_self())?;
        let root = unit.header.root_offset().0;
        Some(Skim {
            unit,
            bytes: info.slice().get(start..end)?,
            lengths,
            at: from.unwrap_or(root).max(root),
            depth: 0,
            passing: None,
            begun: 0,
        })
    }

    /// The next entry. None at the end of the unit.
    ///
    /// # Errors
    /// Those of gimli, of what is damaged.
    pub(super) fn next(&mut self) -> gimli::Result<Option<Met<'u>>> {
        self.pass()?;
        while self.at < self.bytes.len() {
            let offset = self.at;
            let Some(code) = self.code() else {
                return self.raw(offset)?.read_abbreviation().map(|_| None);
            };
            if code == 0 {
                self.depth -= 1;
                continue;
            }
            let Some(abbreviation) = self.unit.abbreviations.get(code) else {
                return self.raw(offset)?.read_abbreviation().map(|_| None);
            };
            let depth = self.depth;
            self.depth += isize::from(abbreviation.has_children());
            (self.begun, self.passing) = (offset, Some(code as usize));
            return Ok(Some(Met {
                offset,
                depth,
                abbreviation,
            }));
        }
        Ok(None)
    }

    /// The entry that was handed out last, to be read.
    ///
    /// # Errors
    /// Those of gimli, of what is damaged.
    pub(super) fn read(&self) -> gimli::Result<EntriesRaw<'u, Slice>> {
        let mut raw = self.raw(self.begun)?;
        raw.read_abbreviation()?;
        Ok(raw)
    }

    fn raw(&self, offset: usize) -> gimli::Result<EntriesRaw<'u, Slice>> {
        self.unit.entries_raw(Some(UnitOffset(offset)))
    }

    /// Passes the attributes of the entry that was handed out last.
    fn pass(&mut self) -> gimli::Result<()> {
        let Some(code) = self.passing.take() else {
            return Ok(());
        };
        let steps = self.lengths.of(code);
        let end = steps.and_then(|steps| steps.pass(self.bytes, self.at));
        self.at = match end.filter(|end| *end <= self.bytes.len()) {
            Some(end) => end,
            None => {
                let mut raw = self.raw(self.begun)?;
                let abbreviation = raw.read_abbreviation()?;
                let attributes = abbreviation.map_or(&[][..], Abbreviation::attributes);
                raw.skip_attributes(attributes)?;
                raw.next_offset().0
            }
        };
        Ok(())
    }

    /// The code that comes next. None for one that no compiler would give.
    fn code(&mut self) -> Option<u64> {
        let (code, after) = leb(self.bytes, self.at)?;
        self.at = after;
        Some(code)
    }
}

/// How long entries are, by the codes of their abbreviations.
pub(super) struct Lengths(Vec<Option<Steps>>);

/// How to pass the attributes of an entry: so many bytes, then a number or a run of bytes with its length before it, and so on.
struct Steps {
    first: usize,
    rest: Box<[(Step, usize)]>,
}

#[derive(Clone, Copy)]
enum Step {
    /// A number of as many bytes as it needs.
    Number,
    /// That, and so many bytes more.
    Run,
}

impl Lengths {
    /// Compilers number them from one on.
    fn new(abbreviations: &Abbreviations, header: &UnitHeader<Slice>) -> Self {
        let known = (1..).map_while(|code| abbreviations.get(code));
        let steps = known.map(|one| Steps::new(one, header));
        Lengths(std::iter::once(None).chain(steps).collect())
    }

    fn of(&self, code: usize) -> Option<&Steps> {
        self.0.get(code)?.as_ref()
    }
}

impl Steps {
    /// None where an attribute is of a form that is rare.
    fn new(abbreviation: &Abbreviation, header: &UnitHeader<Slice>) -> Option<Self> {
        let mut steps = Steps {
            first: 0,
            rest: Box::default(),
        };
        let mut rest: Vec<(Step, usize)> = Vec::new();
        for attribute in abbreviation.attributes() {
            let step = match attribute.form() {
                dw::DW_FORM_exprloc | dw::DW_FORM_block => Step::Run,
                dw::DW_FORM_udata
                | dw::DW_FORM_sdata
                | dw::DW_FORM_ref_udata
                | dw::DW_FORM_strx
                | dw::DW_FORM_addrx
                | dw::DW_FORM_loclistx
                | dw::DW_FORM_rnglistx
                | dw::DW_FORM_GNU_str_index
                | dw::DW_FORM_GNU_addr_index => Step::Number,
                _ => {
                    let size = attribute.size(header)?;
                    *rest.last_mut().map_or(&mut steps.first, |(_, size)| size) += size;
                    continue;
                }
            };
            rest.push((step, 0));
        }
        steps.rest = rest.into();
        Some(steps)
    }

    /// Where the attributes that begin there end. None where that cannot be told.
    fn pass(&self, bytes: &[u8], begin: usize) -> Option<usize> {
        let mut at = begin.checked_add(self.first)?;
        for (step, more) in &self.rest {
            let (number, after) = leb(bytes, at)?;
            let run = match step {
                Step::Number => 0,
                Step::Run => usize::try_from(number).ok()?,
            };
            at = after.checked_add(run)?.checked_add(*more)?;
        }
        Some(at)
    }
}

/// An unsigned number in LEB128, and where it ends. None for one longer than eight bytes: those are left to gimli.
#[inline]
fn leb(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *bytes.get(at)?;
    if first < 0x80 {
        return Some((u64::from(first), at + 1));
    }
    let mut number = u64::from(first & 0x7f);
    for (place, byte) in bytes.get(at + 1..)?.iter().take(7).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * (place + 1));
        if *byte < 0x80 {
            return Some((number, at + place + 2));
        }
    }
    None
}

/// The tables made so far: units may share their abbreviations, those of a program that was linked as a whole all do.
#[derive(Default)]
pub(super) struct Known(RefCell<HashMap<(*const Abbreviations, Encoding), Rc<Lengths>>>);

impl Known {
    /// Those of a unit. The abbreviations must be kept for as long as this is.
    pub(super) fn of(&self, unit: &Unit<Slice>) -> Rc<Lengths> {
        let key = (Arc::as_ptr(&unit.abbreviations), unit.encoding());
        let mut known = self.0.borrow_mut();
        let new = || Rc::new(Lengths::new(&unit.abbreviations, &unit.header));
        Rc::clone(known.entry(key).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use gimli::{Dwarf, EndianSlice, LittleEndian, Section, SectionId};
    use object::{Object, ObjectSection};

    use super::*;

    /// Where entries begin, how deep they are nested, and which abbreviation each has.
    type Entries = Vec<(usize, isize, u64)>;

    /// The debug information of this program.
    fn own() -> Dwarf<Slice> {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let file = object::File::parse(&*bytes.leak()).unwrap();
        let load = |id: SectionId| -> Result<_, gimli::Error> {
            let section = file.section_by_name(id.name());
            let bytes = section.and_then(|section| section.data().ok());
            let bytes = bytes.unwrap_or_default().to_vec().leak();
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        Dwarf::load(load).unwrap()
    }

    fn skimmed(dwarf: &Dwarf<Slice>, unit: &Unit<Slice>, lengths: &Lengths) -> Entries {
        let mut skim = Skim::new(unit, *dwarf.debug_info.reader(), lengths, None).unwrap();
        let mut found = Vec::new();
        while let Some(met) = skim.next().unwrap() {
            found.push((met.offset, met.depth, met.abbreviation.code()));
        }
        found
    }

    fn read(unit: &Unit<Slice>) -> Entries {
        let mut raw = unit.entries_raw(None).unwrap();
        let mut found = Vec::new();
        while !raw.is_empty() {
            let (offset, depth) = (raw.next_offset().0, raw.next_depth());
            if let Some(abbreviation) = raw.read_abbreviation().unwrap() {
                found.push((offset, depth, abbreviation.code()));
                raw.skip_attributes(abbreviation.attributes()).unwrap();
            }
        }
        found
    }

    #[test]
    fn it_comes_by_the_same_entries_as_gimli() {
        let dwarf = own();
        let (mut units, mut met) = (dwarf.units(), 0);
        while let Some(header) = units.next().unwrap() {
            let unit = dwarf.unit(header).unwrap();
            let read = read(&unit);
            let lengths = Lengths::new(&unit.abbreviations, &unit.header);
            assert!(skimmed(&dwarf, &unit, &lengths) == read);
            if read.len() < 1000 {
                // As where all forms are rare.
                assert!(skimmed(&dwarf, &unit, &Lengths(Vec::new())) == read);
            }
            met += read.len();
        }
        assert!(met > 10_000, "{met} entries");
    }

    #[test]
    fn numbers_are_as_long_as_they_say() {
        assert_eq!(leb(&[0x7f], 0), Some((0x7f, 1)));
        assert_eq!(leb(&[0, 0xe5, 0x8e, 0x26], 1), Some((624_485, 4)));
        assert_eq!(leb(&[0x80], 0), None);
        assert_eq!(leb(&[0xff; 9], 0), None);
        assert_eq!(leb(&[], 0), None);
    }

    #[test]
    fn runs_that_lead_outside_end_nothing_here() {
        let steps = Steps {
            first: 1,
            rest: [(Step::Run, 2)].into(),
        };
        assert_eq!(steps.pass(&[0, 3, 9, 9, 9, 9, 9], 0), Some(7));
        assert_eq!(steps.pass(&[0, 0xff], 0), None);
        let huge = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(steps.pass(&huge, usize::MAX), None);
    }
}
