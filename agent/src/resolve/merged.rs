//! `resolve`: mends the names of merged functions. Pure.
//!
//! The compiler merges instances with equal code: what is called `RawVec<A>::grow_one` may serve every `Vec<B>` whose elements
//! are of that size. Whoever called it, inlined into a function of its own, still says `Vec<B>`.

use std::rc::Rc;

use super::forms::Shape;
use super::function::Function;
use super::infer::{Found, Stack};
use super::paths::{is_within, last_segment, split_generics};
use super::types::Type;

/// Takes the type from further out, as long as one function of a collection calls another. Inlined ones are asked too: code
/// is also merged before it is inlined.
pub(super) fn mend(stack: &mut Stack<'_>, found: &mut Found) {
    let mut number = found.by;
    while stack
        .call(number)
        .is_some_and(|call| hands_on(&call.function, found.shape))
    {
        number += 1;
        let Some(caller) = stack.call(number).map(|call| call.function.clone()) else {
            return;
        };
        match same_in(&caller, found) {
            Some(of) if of.name != found.of.name => {
                if is_one(&caller, &of, found) {
                    found.shape = Shape::Counted;
                }
                found.of = of;
                found.believed = number;
            }
            None if says_of_what(&caller, found.shape) => return,
            Some(_) | None => {}
        }
    }
}

/// Whether what went as a slice of smaller values is a single one: its caller makes no slices.
fn is_one(caller: &Function, of: &Type, found: &Found) -> bool {
    let is_slice =
        caller.over_slice || caller.path.contains("slice") || caller.path.contains("iter");
    found.shape == Shape::CountedItems
        && !is_slice
        && Shape::Counted.fits(of, found.size, found.align) == Some(true)
}

/// Whether a function names what its collection holds. A tree's helpers name only what they move about.
fn says_of_what(function: &Function, shape: Shape) -> bool {
    let names: &[&str] = if shape == Shape::One {
        &["K"]
    } else {
        &["T", "K"]
    };
    names.iter().any(|name| function.parameter(name).is_some())
}

const COLLECTIONS: &[&str] = &[
    "alloc::raw_vec",
    "alloc::vec",
    "alloc::collections",
    "hashbrown",
    "std::collections",
];
const POINTERS: &[&str] = &["alloc::rc", "alloc::sync"];
const VECTORS: &[&str] = &[
    "alloc::vec",
    "alloc::raw_vec",
    "alloc::collections::vec_deque",
    "alloc::collections::binary_heap",
];

/// Whether a function's caller works on the same collection. A vector's clone is often called for an item of another.
fn hands_on(function: &Function, shape: Shape) -> bool {
    let last = last_segment(&function.path);
    let clones = ["clone", "to_vec", "from_elem"]
        .into_iter()
        .any(|word| last.contains(word));
    match shape {
        Shape::Counted | Shape::CountedItems => within(function, POINTERS),
        Shape::Items => within(function, COLLECTIONS) && !clones,
        Shape::One => within(function, &["alloc::boxed", "alloc::collections::btree"]),
        Shape::Table | Shape::Text => within(function, COLLECTIONS),
        Shape::ArrayItems => false,
    }
}

/// The type that a block is of if this function allocated it, provided that it is laid out like the one found.
fn same_in(caller: &Function, found: &Found) -> Option<Rc<Type>> {
    let alike = |of: &&Rc<Type>| agree(of.size, found.of.size) && agree(of.align, found.of.align);
    match found.shape {
        Shape::Items => parameter_within(caller, VECTORS, "T")
            .filter(alike)
            .cloned(),
        Shape::Counted => parameter_within(caller, POINTERS, "T")
            .filter(alike)
            .cloned(),
        // Its helper is given the layout, and so serves items of any size.
        Shape::CountedItems => {
            let fits =
                |of: &&Rc<Type>| found.shape.fits(of, found.size, found.align) != Some(false);
            parameter_within(caller, POINTERS, "T")
                .filter(fits)
                .cloned()
        }
        Shape::Table => same_pair(caller, found),
        Shape::One => same_node(caller, found),
        Shape::Text | Shape::ArrayItems => None,
    }
}

fn within(function: &Function, modules: &[&str]) -> bool {
    modules
        .iter()
        .any(|module| is_within(&function.path, module))
}

fn parameter_within<'a>(
    caller: &'a Function,
    modules: &[&str],
    name: &str,
) -> Option<&'a Rc<Type>> {
    caller.parameter(name).filter(|_| within(caller, modules))
}

/// Whether two sizes are the same as far as they are known.
fn agree(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

/// A table holds pairs: its own functions name the pair, a map's the halves.
fn same_pair(caller: &Function, found: &Found) -> Option<Rc<Type>> {
    if let Some(of) = parameter_within(caller, &["hashbrown::raw"], "T") {
        return agree(of.size, found.of.size).then(|| of.clone());
    }
    let sets = ["hashbrown::set", "std::collections::hash::set"];
    if let Some(item) = parameter_within(caller, &sets, "T") {
        return agree(item.size, found.of.size)
            .then(|| renamed(&found.of, format!("({}, ())", item.name)));
    }
    let maps = ["hashbrown::map", "std::collections::hash::map"];
    let key = parameter_within(caller, &maps, "K")?;
    let value = parameter_within(caller, &maps, "V")?;
    let values = key
        .size
        .zip(value.size)
        .and_then(|(key, value)| key.checked_add(value));
    let padded = values
        .zip(found.of.align)
        .and_then(|(values, align)| values.checked_next_multiple_of(align.max(1)));
    agree(padded, found.of.size)
        .then(|| renamed(&found.of, format!("({}, {})", key.name, value.name)))
}

/// A tree's nodes are generic over what its functions are.
fn same_node(caller: &Function, found: &Found) -> Option<Rc<Type>> {
    let tree = ["alloc::collections::btree"];
    let (key, value) = (
        parameter_within(caller, &tree, "K")?,
        parameter_within(caller, &tree, "V")?,
    );
    let (node, _) = split_generics(&found.of.name);
    let known = is_within(node, "alloc::collections::btree::node");
    known.then(|| renamed(&found.of, format!("{node}<{}, {}>", key.name, value.name)))
}

/// A type of the same layout.
fn renamed(of: &Type, name: String) -> Rc<Type> {
    Rc::new(Type { name, ..of.clone() })
}
