//! `resolve`: which local variable of a function lies at a place on the stack, as far as the debug information says so. Reads
//! bytes, nothing else.

use gimli::constants as dw;
use gimli::{Operation, Register, X86_64};

use super::dwarf::{Debug, Die, Value};
use super::types::Types;
use super::variables::bounds;

/// A place in a frame of a stack, in bytes from the stack pointer that the frame has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InFrame {
    /// The place.
    pub(super) at: i64,
    /// Where the frame ends: the stack pointer after it returns. None where that is not known.
    pub(super) end: Option<i64>,
}

/// Pushed below where a frame ends: the return address, and the frame pointer of functions that keep one.
const SAVED: i64 = 16;
/// Bytes of a pointer.
const WORD: i64 = 8;
/// Steps from an instance to what it is one of.
const STEPS: usize = 4;

/// The variable of the function at an address that lies at a place in its frame; of several the one of the innermost scope.
/// What was inlined is left out: it is another function's.
pub(super) fn at(debug: &Debug, types: &Types, address: u64, place: InFrame) -> Option<String> {
    let function = debug.function_at(address)?;
    let base = base(debug, function, place)?;
    let mut entries = debug.skim(function.unit, Some(function.offset))?;
    debug.note(entries.next())??;
    // Entries deeper than this are not in scope.
    let mut shown = isize::MAX;
    let mut found: Option<(isize, Die)> = None;
    while let Some(met) = debug.note(entries.next())?.filter(|met| met.depth >= 1) {
        if met.depth > shown {
            continue;
        }
        shown = isize::MAX;
        match met.abbreviation.tag() {
            dw::DW_TAG_lexical_block => {
                let bounds = debug.note(bounds(&entries, met.abbreviation))?;
                if !debug.covers(function.unit, &bounds, address) {
                    shown = met.depth;
                }
            }
            dw::DW_TAG_variable | dw::DW_TAG_formal_parameter => {
                let die = Die {
                    offset: met.offset,
                    ..function
                };
                let is_inner = found.is_none_or(|(depth, _)| met.depth >= depth);
                if is_inner && lies_at(debug, types, (die, address), base, place) == Some(true) {
                    found = Some((met.depth, die));
                }
            }
            _ => shown = met.depth,
        }
    }
    let (_, die) = found?;
    let (at, name) = says(debug, die, dw::DW_AT_name, STEPS)?;
    debug.text(at.unit, name).map(str::to_owned)
}

/// Whether a place is in a variable.
fn lies_at(
    debug: &Debug,
    types: &Types,
    (die, address): (Die, u64),
    base: i64,
    place: InFrame,
) -> Option<bool> {
    let (start, is_pointer) = start(debug, (die, address), base, place)?;
    let size = || {
        let (at, of) = says(debug, die, dw::DW_AT_type, STEPS)?;
        let of = types.read(debug, debug.target(at, of)?)?;
        i64::try_from(of.size?).ok()
    };
    let size = if is_pointer { Some(WORD) } else { size() };
    Some((start..start.checked_add(size.unwrap_or(WORD))?).contains(&place.at))
}

/// Where a variable begins, from the stack pointer on, and whether what is there is only its address.
fn start(
    debug: &Debug,
    (die, address): (Die, u64),
    base: i64,
    place: InFrame,
) -> Option<(i64, bool)> {
    let location = debug.entry(die)?.attr_value(dw::DW_AT_location)?;
    let location = debug.location(die.unit, location, address)?;
    let mut operations = location.operations(debug.unit(die.unit)?.encoding());
    let start = match debug.note(operations.next())?? {
        Operation::FrameOffset { offset } => base.checked_add(offset)?,
        Operation::RegisterOffset {
            register, offset, ..
        } => of_register(register, place)?.checked_add(offset)?,
        _ => return None,
    };
    match debug.note(operations.next())? {
        None => Some((start, false)),
        Some(Operation::Deref { .. }) => Some((start, true)),
        Some(_) => None,
    }
}

/// What the places of a function's variables are counted from, from the stack pointer on.
fn base(debug: &Debug, function: Die, place: InFrame) -> Option<i64> {
    let entry = debug.entry(function)?;
    let Value::Exprloc(base) = entry.attr_value(dw::DW_AT_frame_base)? else {
        return None;
    };
    let mut operations = base.operations(debug.unit(function.unit)?.encoding());
    match debug.note(operations.next())?? {
        Operation::Register { register } => of_register(register, place),
        Operation::CallFrameCFA => place.end,
        _ => None,
    }
}

/// Where a register points to in a frame: the stack pointer, or the frame pointer of a function that keeps one.
fn of_register(register: Register, place: InFrame) -> Option<i64> {
    match register {
        X86_64::RSP => Some(0),
        X86_64::RBP => Some(place.end? - SAVED),
        _ => None,
    }
}

/// An attribute of an entry, or of what it is an instance of, and where it stands.
fn says(debug: &Debug, die: Die, name: gimli::DwAt, steps: usize) -> Option<(Die, Value)> {
    let entry = debug.entry(die)?;
    if let Some(value) = entry.attr_value(name) {
        return Some((die, value));
    }
    let origin = entry.attr_value(dw::DW_AT_abstract_origin)?;
    says(
        debug,
        debug.target(die, origin)?,
        name,
        steps.checked_sub(1)?,
    )
}
