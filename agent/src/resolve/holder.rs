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
    DashMap,
    HashMap,
    HashSet,
    HashbrownMap,
    HashbrownSet,
    IndexMap,
    IndexSet,
    OsString,
    PathBuf,
    SmallVec,
    /// Of bytes that are called otherwise: `Box<str>`, `Arc<Path>`.
    Named(&'static str),
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
const COUNTED: &[Shape] = &[Shape::CountedItems];
const OS_STR: Holder = Holder::Named("std::ffi::os_str::OsStr");
const C_STR: Holder = Holder::Named("core::ffi::c_str::CStr");
const TABLE: &[Shape] = &[Shape::Table];
const BYTES: &[Shape] = &[Shape::Items, Shape::Text];

const CLAIMS: &[Claim] = &[
    claim("alloc::boxed", ITEMS, Holder::BoxedSlice, 1),
    claim(
        "alloc::vec::Vec::into_boxed_slice",
        ITEMS,
        Holder::BoxedSlice,
        1,
    ),
    // Line tables leave types out of paths.
    claim("alloc::vec::into_boxed_slice", ITEMS, Holder::BoxedSlice, 1),
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
    claim("std::io::append_to_string", BYTES, Holder::String, 4),
    claim("std::path", COUNTED, Holder::Named("std::path::Path"), 6),
    claim("std::ffi::os_str", COUNTED, OS_STR, 5),
    claim("alloc::ffi::c_str", COUNTED, C_STR, 5),
    claim("hashbrown::map", TABLE, Holder::HashbrownMap, 1),
    claim("hashbrown::set", TABLE, Holder::HashbrownSet, 2),
    claim("std::collections::hash::map", TABLE, Holder::HashMap, 3),
    claim("std::collections::hash::set", TABLE, Holder::HashSet, 4),
    claim("dashmap", TABLE, Holder::DashMap, 5),
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
        let claim = claim_of(function, found);
        let named = claim.is_some_and(|claim| matches!(claim.holder, Holder::Named(_)));
        if !known || number >= found.believed && !named && is_stranger(function, found) {
            break;
        }
        if let Some(claim) = claim
            && strongest.is_none_or(|(other, _)| claim.strength >= other.strength)
        {
            strongest = Some((claim, number));
        }
        number += 1;
    }
    let (claim, by) = strongest?;
    Some((claim.holder, by))
}

const fn named(name: &'static str) -> Claim {
    claim("", &[], Holder::Named(name), 5)
}

/// `Box<str>` and its like are made by functions of `Box<[u8]>`; only the whole name of the `impl` tells.
const NAMED: &[Claim] = &[
    named("str"),
    named("std::path::Path"),
    named("std::ffi::os_str::OsStr"),
    named("core::ffi::c_str::CStr"),
];

/// Whether a type is bytes, alone or together with their counts.
fn is_bytes(name: &str) -> bool {
    matches!(name, "" | "u8" | "[u8]") || name.ends_with("Inner<[u8]>")
}

fn claim_of(function: &Function, found: &Found) -> Option<&'static Claim> {
    let bytes = is_bytes(&found.of.name);
    if bytes
        && found.shape != Shape::Table
        && let Some(claim) = named_by(function)
    {
        return Some(claim);
    }
    let mut claims = CLAIMS
        .iter()
        .filter(|claim| claim.shapes.contains(&found.shape));
    let claim = claims.find(|claim| is_within(&function.path, claim.within))?;
    // The standard library's maps are hashbrown's, and inlined: where that goes unseen, they are meant.
    let seen = function.described || !is_within(&function.path, "hashbrown");
    (seen && (matches!(found.of.name.as_str(), "" | "u8") || claim.shapes != BYTES))
        .then_some(claim)
}

/// What bytes are called by the `impl` that a function is of, or by what it is generic over.
fn named_by(function: &Function) -> Option<&'static Claim> {
    let symbol = rustc_demangle::demangle(&function.symbol).to_string();
    NAMED.iter().find(|claim| {
        let Holder::Named(name) = claim.holder else {
            return false;
        };
        let pointers = ["alloc::boxed", "alloc::rc", "alloc::sync"]
            .into_iter()
            .any(|module| is_within(&function.path, module));
        let over = function.parameter("T").is_some_and(|of| of.name == name);
        pointers && (over || name == "str" && function.over_text)
            || is_of(&symbol, name)
            || name == "str" && symbol.contains("::into_boxed_str")
    })
}

/// Whether a symbol is of an `impl` for a pointer to this: `<Box<str> as …>::f` or `a::b::<impl … for Box<str>>::f`.
fn is_of(symbol: &str, name: &str) -> bool {
    ["Box", "Rc", "Arc"].into_iter().any(|pointer| {
        let owner = format!("::{pointer}<{name}>");
        symbol.match_indices(&owner).any(|(at, _)| {
            let before = &symbol[..at];
            let itself = before.starts_with('<') && !before.contains(" as ");
            let of_impl = before
                .rsplit_once(" for ")
                .is_some_and(|(_, path)| !path.contains(['<', '&', ' ']));
            itself || of_impl && before.contains("<impl ")
        })
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
    // What is collected into a slice is its `I`; its `T` is the iterator.
    let is_item = function
        .parameter("I")
        .is_some_and(|item| item.name == element);
    let mut parameters = function
        .parameters
        .iter()
        .filter(|parameter| ["T", "K", "V"].contains(&parameter.name.as_str()))
        .peekable();
    container
        && !is_item
        && parameters.peek().is_some()
        && !parameters.any(|parameter| {
            let name = &parameter.of.name;
            element.contains(name) || *name == format!("[{element}]")
        })
}
