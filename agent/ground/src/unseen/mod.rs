//! What was written after the inference was done, and judged once before anything about it was changed: see docs/types.md. Crates
//! that it was never tried on, and code as programs have it, whose idioms nobody chose for being hard.

#[expect(deprecated, reason = "programs have it all the same")]
mod crates;
mod service;
mod values;

use crate::case::Case;

pub(crate) fn all(out: &mut Vec<Case>) {
    crates::all(out);
    service::all(out);
    values::all(out);
}
