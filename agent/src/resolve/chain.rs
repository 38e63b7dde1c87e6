//! `resolve`: an address -> the functions inlined there, from one pass over the function's own entries that leaves out what
//! does not contain the address. Reads bytes, nothing else.

use gimli::{EntriesRaw, constants as dw};

use super::bounds::Bounds;
use super::dwarf::{Debug, Die, Slice, Value, file_number};

/// One function of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The function's entry.
    pub(super) die: Die,
    /// Where the next function out calls it: the number of a file and a line. Absent for the outermost.
    pub(super) called_at: Option<(u64, u32)>,
}

/// The functions whose code stands at an address, innermost first. Empty when unknown.
pub(super) fn chain(debug: &Debug, address: u64) -> Vec<Link> {
    let Some(function) = debug.function_at(address) else {
        return Vec::new();
    };
    let mut links = vec![Link {
        die: function,
        called_at: None,
    }];
    descend(debug, function, address, &mut links);
    links.reverse();
    links
}

fn descend(debug: &Debug, function: Die, address: u64, links: &mut Vec<Link>) -> Option<()> {
    let mut entries = debug.skim(function.unit, Some(function.offset))?;
    debug.note(entries.next())??;
    // Entries at this depth are looked at; deeper ones are in what was left out, and a shallower one ends the pass.
    let mut level = 1;
    while let Some(met) = debug.note(entries.next())?.filter(|met| met.depth >= level) {
        if met.depth > level || !has_code(met.abbreviation.tag()) {
            continue;
        }
        let block = entries
            .read()
            .and_then(|raw| Block::read(raw, met.abbreviation));
        let block = debug.note(block)?;
        if debug.covers(function.unit, &block.bounds, address) {
            if met.abbreviation.tag() == dw::DW_TAG_inlined_subroutine {
                links.extend(block.link(debug, function));
            }
            level = met.depth + 1;
        }
    }
    Some(())
}

fn has_code(tag: gimli::DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_inlined_subroutine | dw::DW_TAG_lexical_block
    )
}

/// A lexical block or an inlined function.
#[derive(Default)]
struct Block {
    bounds: Bounds,
    origin: Option<Value>,
    file: u64,
    line: u64,
}

impl Block {
    fn read(
        mut raw: EntriesRaw<'_, Slice>,
        abbreviation: &gimli::Abbreviation,
    ) -> gimli::Result<Self> {
        let mut block = Block::default();
        for attribute in abbreviation.attributes() {
            let attribute = raw.read_attribute(*attribute)?;
            block.bounds.take(&attribute);
            let number = || attribute.value().udata_value().unwrap_or(0);
            match attribute.name() {
                dw::DW_AT_abstract_origin => block.origin = Some(attribute.value()),
                dw::DW_AT_call_file => block.file = file_number(attribute.value()),
                dw::DW_AT_call_line => block.line = number(),
                _ => {}
            }
        }
        Ok(block)
    }

    fn link(&self, debug: &Debug, within: Die) -> Option<Link> {
        let die = debug.target(within, self.origin?)?;
        let line = u32::try_from(self.line).ok()?;
        let called_at = Some((self.file, line));
        Some(Link { die, called_at })
    }
}
