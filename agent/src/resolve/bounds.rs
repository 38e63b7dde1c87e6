//! `resolve`: which code an entry covers. Reads bytes, nothing else.

use gimli::{Attribute, Dwarf, Unit, constants as dw};

use super::dwarf::{Slice, Value};

/// The attributes that say which code an entry covers.
#[derive(Default)]
pub(super) struct Bounds {
    low: Option<Value>,
    high: Option<Value>,
    ranges: Option<Value>,
}

/// More ranges than any function has: in damaged files every entry may refer to the longest list there is.
const RANGES: usize = 4096;

impl Bounds {
    /// Takes an attribute in, if it is one of them.
    pub(super) fn take(&mut self, attribute: &Attribute<Slice>) {
        match attribute.name() {
            dw::DW_AT_low_pc => self.low = Some(attribute.value()),
            dw::DW_AT_high_pc => self.high = Some(attribute.value()),
            dw::DW_AT_ranges => self.ranges = Some(attribute.value()),
            _ => {}
        }
    }

    pub(super) fn covers(&self, dwarf: &Dwarf<Slice>, unit: &Unit<Slice>, address: u64) -> bool {
        let mut hit = false;
        let looked = self.each(dwarf, unit, |range| {
            hit |= (range.begin..range.end).contains(&address)
        });
        looked.is_ok() && hit
    }

    /// Hands out each range of code. Ranges at zero belong to functions that the linker dropped.
    pub(super) fn each(
        &self,
        dwarf: &Dwarf<Slice>,
        unit: &Unit<Slice>,
        mut take: impl FnMut(gimli::Range),
    ) -> gimli::Result<()> {
        if let Some(ranges) = self.ranges {
            if let Some(mut ranges) = dwarf.attr_ranges(unit, ranges)? {
                let mut left = RANGES;
                while let Some(range) = ranges.next()?.filter(|_| left > 0) {
                    take(range);
                    left -= 1;
                }
            }
            return Ok(());
        }
        let (Some(low), Some(high)) = (self.low, self.high) else {
            return Ok(());
        };
        if let Some(begin) = dwarf.attr_address(unit, low)? {
            let end = match dwarf.attr_address(unit, high)? {
                Some(end) => end,
                None => begin.saturating_add(high.udata_value().unwrap_or(0)),
            };
            take(gimli::Range { begin, end });
        }
        Ok(())
    }
}
