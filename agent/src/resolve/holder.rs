//! `resolve`: who holds a buffer: of the functions that led to its allocation the one that owns it. Pure.

use super::forms::Shape;
use super::function::Function;
use super::infer::{Found, Stack};
use super::paths::{is_library, is_within};

/// A collection, or a kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    BinaryHeap,
    BoxedSlice,
    CString,
    HashMap,
    HashSet,
    HashbrownMap,
    HashbrownSet,
    IndexMap,
    IndexSet,
    OsString,
    PathBuf,
    SmallVec,
    Str,
    String,
    VecDeque,
}

/// A collection's functions, and how strongly they claim the buffer: a `PathBuf` holds an `OsString`, never the reverse.
struct Claim {
    within: &'static str,
    shapes: &'static [Shape],
    holder: Holder,
    strength: u8,
}

const fn claim(
    within: &'static str,
    shapes: &'static [Shape],
    holder: Holder,
    strength: u8,
) -> Claim {
    Claim {
        within,
        shapes,
        holder,
        strength,
    }
}

const ITEMS: &[Shape] = &[Shape::Items];
const TABLE: &[Shape] = &[Shape::Table];
const BYTES: &[Shape] = &[Shape::Items, Shape::Text];

const CLAIMS: &[Claim] = &[
    claim("alloc::boxed", ITEMS, Holder::BoxedSlice, 1),
    claim("alloc::collections::vec_deque", ITEMS, Holder::VecDeque, 2),
    claim(
        "alloc::collections::binary_heap",
        ITEMS,
        Holder::BinaryHeap,
        2,
    ),
    claim("smallvec", ITEMS, Holder::SmallVec, 2),
    claim("std::ffi::os_str", BYTES, Holder::OsString, 2),
    claim("std::sys::os_str", BYTES, Holder::OsString, 2),
    claim("std::path", BYTES, Holder::PathBuf, 3),
    claim("alloc::ffi::c_str", BYTES, Holder::CString, 3),
    claim("alloc::string", BYTES, Holder::String, 4),
    claim("alloc::fmt", BYTES, Holder::String, 4),
    claim("alloc::str", BYTES, Holder::String, 4),
    claim("hashbrown::map", TABLE, Holder::HashbrownMap, 1),
    claim("hashbrown::set", TABLE, Holder::HashbrownSet, 2),
    claim("std::collections::hash::map", TABLE, Holder::HashMap, 3),
    claim("std::collections::hash::set", TABLE, Holder::HashSet, 4),
    claim("indexmap::map", TABLE, Holder::IndexMap, 3),
    claim("indexmap::set", TABLE, Holder::IndexSet, 4),
];

/// Modules of containers. One of another type than the buffer's holds the buffer's owner: `Vec<String>::clone`.
const CONTAINERS: &[&str] = &["alloc", "std::collections", "hashbrown", "smallvec"];

/// Who holds a buffer, if it is not a plain `Vec`, and the number of the call that says so.
pub(super) fn holder(found: &Found, stack: &mut Stack<'_>) -> Option<(Holder, usize)> {
    let mut strongest: Option<(&Claim, usize)> = None;
    let mut number = found.by;
    while let Some(call) = stack.call(number) {
        let function = &*call.function;
        let known = is_library(&function.path);
        if !known || number >= found.believed && is_stranger(function, found) {
            break;
        }
        if let Some(claim) = claim_of(function, found)
            && strongest.is_none_or(|(other, _)| claim.strength >= other.strength)
        {
            strongest = Some((claim, number));
        }
        number += 1;
    }
    let (claim, by) = strongest?;
    Some((claim.holder, by))
}

/// `Box<str>` and its like are made by functions of `Box<[u8]>`; only the whole name of the `impl` tells.
const STR: Claim = claim("", &[], Holder::Str, 5);

fn claim_of(function: &Function, found: &Found) -> Option<&'static Claim> {
    let bytes = matches!(found.of.name.as_str(), "" | "u8");
    if bytes && found.shape != Shape::Table && is_of_str(&function.symbol) {
        return Some(&STR);
    }
    let mut claims = CLAIMS
        .iter()
        .filter(|claim| claim.shapes.contains(&found.shape));
    let claim = claims.find(|claim| is_within(&function.path, claim.within))?;
    // The standard library's maps are hashbrown's, and inlined: where that goes unseen, they are meant.
    let seen = function.described || !is_within(&function.path, "hashbrown");
    (seen && (bytes || claim.shapes != BYTES)).then_some(claim)
}

/// Whether a symbol is of an `impl` for `Box<str>`, `Rc<str>` or `Arc<str>`.
fn is_of_str(symbol: &str) -> bool {
    let name = rustc_demangle::demangle(symbol).to_string();
    ["Box<str>", "Rc<str>", "Arc<str>"]
        .into_iter()
        .any(|owner| {
            let before = name.find(owner).map(|at| &name[..at]);
            before.is_some_and(|before| before.starts_with('<') && !before.contains(" as "))
                || name.contains("::into_boxed_str")
        })
}

fn is_stranger(function: &Function, found: &Found) -> bool {
    let element = if found.of.name.is_empty() {
        "u8"
    } else {
        &found.of.name
    };
    let container = CONTAINERS
        .iter()
        .any(|module| is_within(&function.path, module));
    let mut parameters = function
        .parameters
        .iter()
        .filter(|parameter| parameter.name.len() == 1)
        .peekable();
    container
        && parameters.peek().is_some()
        && !parameters.any(|parameter| element.contains(&parameter.of.name))
}
