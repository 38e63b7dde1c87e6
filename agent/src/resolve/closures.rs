//! `resolve`: where a closure or an async block stands in the source. Reads bytes, nothing else.
//!
//! The debug information of its type does not say; that of its body does: the function `{closure#0}` beside the type
//! `{closure_env#0}`, in the unit of a function on the stack that made it.

use gimli::constants as dw;

use super::dwarf::{Debug, Die, file_number};
use super::types::scope;

/// The place of a closure, `src/pool.rs:42`, from the path of its type, if its body is in the unit that covers an address.
pub(super) fn place(debug: &Debug, address: u64, path: &str) -> Option<String> {
    let (around, kind) = path.rsplit_once("::")?;
    let body = kind.replace("_env#", "#");
    let unit = debug.function_at(address)?.unit;
    debug
        .bodies(unit, &body)
        .find(|die| scope(debug, *die) == around)
        .and_then(|die| declared_at(debug, die))
}

fn declared_at(debug: &Debug, die: Die) -> Option<String> {
    let entry = debug.entry(die)?;
    let file = file_number(entry.attr_value(dw::DW_AT_decl_file)?);
    let line = entry.attr_value(dw::DW_AT_decl_line)?.udata_value()?;
    Some(format!(
        "{}:{line}",
        debug.lines(die.unit)?.file(file)?.path
    ))
}
