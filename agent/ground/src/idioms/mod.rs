//! Every idiom by which Rust code allocates, with its true type.

mod code;
mod family;
mod generic;
mod nasty;
mod plain;
mod text;
mod words;

use crate::case::Case;

pub(crate) fn all(out: &mut Vec<Case>) {
    plain::all(out);
    text::all(out);
    code::all(out);
    nasty::all(out);
    family::all(out);
    words::all(out);
}
