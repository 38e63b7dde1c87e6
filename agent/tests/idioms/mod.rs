//! Every idiom by which Rust code allocates, with its true type.

mod code;
mod plain;
mod text;

use crate::ground::Case;

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    plain::all(&mut cases);
    text::all(&mut cases);
    code::all(&mut cases);
    cases
}
