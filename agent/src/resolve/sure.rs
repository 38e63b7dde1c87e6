//! `resolve`: how sure an inferred type is. Pure.
//!
//! Code of one instance of a generic function may serve others whose code came out equal, and then goes by a wrong type. It is
//! known to be of the right one where whoever called it says so too: by what it is generic over, by a closure of its own that
//! it handed in, or by its variables.

use std::rc::Rc;

use super::forms::Shape;
use super::function::Function;
use super::infer::{Call, Found, Merged, Stack};
use super::paths::{
    is_within, map_paths, mentions, replaced, split_array, split_generics, split_list,
};
use super::types::Type;
use super::variables::Held;
use crate::heap::Confidence;

/// How sure it is: less where the size could not be compared, least where inlined functions go unseen too.
pub(super) fn confidence(
    stack: &mut Stack<'_>,
    found: &mut Found,
    known: bool,
    described: bool,
) -> Confidence {
    let is_sure = described && is_sure(stack, found);
    match (known, described) {
        (true, true) if is_sure => Confidence::Exact,
        (false, false) => Confidence::Guess,
        _ => Confidence::Likely,
    }
}

/// Takes what the callers say it is, if that is another type than the one found.
pub(super) fn mend(stack: &mut Stack<'_>, mut found: Found) -> Found {
    is_sure(stack, &mut found);
    found
}

/// Whether the deciding function is compiled into one that is of no other type, or its caller says the same, and so on outwards.
fn is_sure(stack: &mut Stack<'_>, found: &mut Found) -> bool {
    let mut number = found.believed;
    let pointer = pointer(stack, found);
    loop {
        let Some(outer) = stack.outer_of(number).cloned() else {
            return false;
        };
        match outer.merged {
            Merged::No => return true,
            Merged::Perhaps if outer.function.parameters.is_empty() => return true,
            Merged::Perhaps | Merged::Yes => {}
        }
        let Some(next) = stack.next_level(number) else {
            return false;
        };
        let callers = stack.level_from(next);
        if callers.iter().any(|call| lent(call, &outer.function)) {
            return true;
        }
        let (said, pointed) = (says(callers, &found.of), points(callers, pointer));
        let variables = match said && pointed {
            true => Rc::default(),
            false => stack.variables_at(next),
        };
        let pointed = pointed || variables.iter().any(|held| is_pointer(&held.of, pointer));
        if !said {
            let (of, is_certain) = match worked_with(&variables, found) {
                Some(of) => (of, true),
                None => match only_known(&variables, found) {
                    Some(of) => (of, false),
                    None => return false,
                },
            };
            if of.name != found.of.name {
                found.of = of;
                found.believed = next;
            }
            if !is_certain {
                return false;
            }
        }
        if !pointed {
            return false;
        }
        number = next;
    }
}

/// The module of the pointer that counts who holds a block: `Rc` and `Arc` come out as equal code too.
fn pointer(stack: &mut Stack<'_>, found: &Found) -> Option<&'static str> {
    let by = match found.shape {
        Shape::Counted | Shape::CountedItems => &stack.call(found.by)?.function.path,
        _ => &found.of.name,
    };
    ["alloc::rc", "alloc::sync"]
        .into_iter()
        .find(|module| is_within(split_generics(by).0, module))
}

fn points(callers: &[Call], pointer: Option<&str>) -> bool {
    pointer.is_none_or(|module| {
        callers.iter().any(|call| {
            let function = &call.function;
            let mut parameters = function.parameters.iter();
            is_within(&function.path, module)
                || parameters.any(|parameter| is_pointer(&parameter.of, pointer))
        })
    })
}

fn is_pointer(of: &Type, pointer: Option<&str>) -> bool {
    pointer.is_none_or(|module| of.name.contains(&format!("{module}::")))
}

/// Whether a function is generic over a closure of this caller's, and so no other's.
fn lent(caller: &Call, function: &Function) -> bool {
    let own = format!("{}::{{closure_env#", caller.function.path);
    let is_alone = caller.function.parameters.is_empty();
    is_alone
        && function
            .parameters
            .iter()
            .any(|parameter| parameter.of.name.contains(&own))
}

/// Whether functions are generic over a type, or all that it is made up of, or are methods of it.
fn says(callers: &[Call], of: &Type) -> bool {
    let parameters = callers.iter().flat_map(|call| {
        let parameters = &call.function.parameters;
        parameters
            .iter()
            .map(|parameter| &parameter.of)
            .chain(&call.function.method_of)
    });
    let names: Vec<&str> = parameters.map(|of| of.name.as_str()).collect();
    mention(&names, &of.name)
}

/// The type that a block is of by the variables of whoever called for it: the one found if they mention it and no other that
/// is laid out like it and held in the same way, or the only such other.
fn worked_with(variables: &[Held], found: &Found) -> Option<Rc<Type>> {
    let mut rivals: Vec<Rc<Type>> = variables
        .iter()
        .filter_map(|held| held_as(held, found))
        .collect();
    rivals.sort_by(|one, other| one.name.cmp(&other.name));
    rivals.dedup_by(|one, other| one.name == other.name);
    let names: Vec<&str> = variables.iter().map(|held| held.of.name.as_str()).collect();
    let is_known = || mention(&names, &found.of.name);
    match &rivals[..] {
        [] => is_known().then(|| found.of.clone()),
        // Something else holds the type found: a map of the program's or another crate's.
        [other] if is_of_others(other, &found.of) && is_known() => None,
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// The type found, with the one type of the program's own in it replaced by the only one that variables know, if they do not
/// know that of the type found: the callers of merged code know nothing of the instance that it is named after.
fn only_known(variables: &[Held], found: &Found) -> Option<Rc<Type>> {
    let mut named = own_types(&found.of.name);
    // Wrappers go by their own names whatever they are around.
    named.retain(|path| path.contains('{') || !found.of.name.contains(&format!("{path}<")));
    let [meant] = &named[..] else {
        return None;
    };
    let root = |path: &str| path.split("::").next().unwrap_or(path).to_string();
    let mut known: Vec<&str> = variables
        .iter()
        .map(|held| held.of.name.as_str())
        .filter(|name| root(name) == root(meant) && own_types(name) == [*name])
        .filter(|name| meant.contains('{') == name.contains('{'))
        .collect();
    known.sort_unstable();
    known.dedup();
    let [only] = known[..] else {
        return None;
    };
    let fits = |held: &Held| layout_of(meant, &found.of).is_none_or(|of| is_alike(&held.of, &of));
    let alike = variables
        .iter()
        .find(|held| held.of.name == only)
        .is_none_or(fits);
    let name = replaced(&found.of.name, meant, only);
    let renamed = Type {
        name,
        ..(*found.of).clone()
    };
    alike.then(|| Rc::new(renamed))
}

/// A type as it is laid out, as far as the type tells that it is part of: itself, or an array of it.
fn layout_of(name: &str, within: &Type) -> Option<Type> {
    let array = split_array(&within.name).filter(|(element, _)| *element == name);
    let count = array.and_then(|(_, count)| count.parse::<u64>().ok());
    let size = match count {
        Some(count) => within.size.and_then(|size| size.checked_div(count)),
        None if within.name == name => within.size,
        None => return None,
    };
    Some(Type {
        name: name.to_string(),
        size,
        align: within.align,
    })
}

/// What a type holds in blocks like the one found, if that is what it does.
fn held_as(held: &Held, found: &Found) -> Option<Rc<Type>> {
    let owners: &[&str] = match found.shape {
        Shape::Items => &[
            "alloc::vec::Vec",
            "alloc::collections::vec_deque::VecDeque",
            "alloc::collections::binary_heap::BinaryHeap",
        ],
        Shape::One => &["alloc::boxed::Box"],
        Shape::Counted => &[
            "alloc::rc::Rc",
            "alloc::rc::Weak",
            "alloc::sync::Arc",
            "alloc::sync::Weak",
        ],
        _ => &[],
    };
    let (path, _) = split_generics(&held.of.name);
    let first = held.over.first()?;
    if owners.contains(&path) && is_alike(first, &found.of) {
        return Some(first.clone());
    }
    if is_counted(found) && path.starts_with("alloc::rc::") {
        return counted(first, found, "alloc::rc::RcInner");
    }
    if is_counted(found) && path.starts_with("alloc::sync::") {
        return counted(first, found, "alloc::sync::ArcInner");
    }
    // A list's nodes are generic over what the list is.
    let (node, _) = split_generics(&found.of.name);
    let is_list = ["alloc::collections::linked_list", "std::sync::mpsc"]
        .into_iter()
        .zip(["alloc::collections::linked_list", "std::sync::mpmc::list"])
        .any(|(list, of)| is_within(path, list) && is_within(node, of));
    let name = format!("{node}<{}>", first.name);
    let same = || {
        Rc::new(Type {
            name,
            ..(*found.of).clone()
        })
    };
    (is_list && found.shape == Shape::One).then(same)
}

/// Whether a block is one value together with its counts: as a value it is an `ArcInner`.
fn is_counted(found: &Found) -> bool {
    let inner = ["alloc::rc::RcInner", "alloc::sync::ArcInner"];
    found.shape == Shape::One && inner.contains(&split_generics(&found.of.name).0)
}

/// A value together with its counts, if it is laid out like the one found.
fn counted(of: &Type, found: &Found, inner: &str) -> Option<Rc<Type>> {
    let fits = Shape::Counted.fits(of, found.size, found.align) != Some(false);
    let name = format!("{inner}<{}>", of.name);
    fits.then(|| {
        Rc::new(Type {
            name,
            ..(*found.of).clone()
        })
    })
}

/// Whether two types are laid out alike, as far as that is known.
fn is_alike(one: &Type, other: &Type) -> bool {
    one.size == other.size && one.align == other.align
}

/// Whether names have a type in them, or all the types that it is made up of.
fn mention(names: &[&str], name: &str) -> bool {
    let said = |part: &str| names.iter().any(|one| mentions(one, part));
    if said(name) {
        return true;
    }
    let own = own_types(name);
    if !own.is_empty() {
        return own.iter().all(|part| said(part));
    }
    // Of builtin types alone: a map is generic over the halves of its pairs.
    let parts = parts(name);
    !parts.is_empty() && parts.iter().all(|part| names.contains(part))
}

/// The types that tell this one from others of its kind: neither builtin nor of the standard library, nor of the crate that
/// wraps another's.
fn own_types(name: &str) -> Vec<String> {
    let mut own = Vec::new();
    map_paths(name, |path| {
        let common = ["alloc::", "core::", "std::", "hashbrown::"];
        if path.contains("::") && !common.into_iter().any(|root| path.starts_with(root)) {
            own.push(path.to_string());
        }
        String::new()
    });
    let (head, _) = split_generics(name);
    let root = |path: &str| path.split("::").next().unwrap_or(path).to_string();
    if own.iter().any(|path| root(path) != root(head)) {
        own.retain(|path| root(path) != root(head));
    }
    own.retain(|path| path != head || head == name);
    own
}

/// Whether a type is made up of other types than this one, which is not of builtin types alone.
fn is_of_others(other: &Type, of: &Type) -> bool {
    let own = own_types(&of.name);
    !own.is_empty() && own != own_types(&other.name)
}

/// What a tuple or a generic type is made up of.
fn parts(name: &str) -> Vec<&str> {
    let tuple = name
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let mut parts = tuple.map_or_else(|| split_generics(name).1, split_list);
    let nothing = ["()", "alloc::collections::btree::set_val::SetValZST"];
    parts.retain(|part| !nothing.contains(part));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_said_by_its_parts() {
        assert!(mention(&["x::Store<a::B>"], "a::B"));
        assert!(mention(&["u64", "a::B"], "(u64, a::B)"));
        assert!(mention(&["u64", "u32"], "(u64, u32)"));
        assert!(!mention(&["u64", "u32"], "(u64, i32)"));
        assert!(!mention(&["u64"], "u32"));
        assert!(!mention(&["a::C"], "(u64, a::B)"));
        assert!(mention(&["a::B"], "alloc::rc::RcInner<a::B>"));
        assert!(mention(
            &["a::B"],
            "tokio::Cell<a::B, alloc::sync::Arc<tokio::H>>"
        ));
        assert!(mention(&["u64"], "(u64, ())"));
    }

    #[test]
    fn a_wrapper_is_not_taken_for_what_it_is_around() {
        let found = |name: &str| Found {
            shape: Shape::One,
            of: Rc::new(Type {
                name: name.into(),
                ..Type::default()
            }),
            size: 64,
            align: 8,
            by: 0,
            believed: 0,
            confidence: Confidence::Guess,
        };
        let error = Held {
            of: Rc::new(Type {
                name: "x::Error".into(),
                ..Type::default()
            }),
            over: Vec::new(),
        };
        let known = |name| only_known(std::slice::from_ref(&error), &found(name));
        assert_eq!(known("x::Inner<x::Message<&str>>"), None);
        assert_eq!(layout_of("x::A", &found("x::Inner<x::A>").of), None);
        let array = Type {
            size: Some(48),
            align: Some(8),
            ..(*found("[x::A; 3]").of).clone()
        };
        assert_eq!(layout_of("x::A", &array).unwrap().size, Some(16));
        assert_eq!(
            known("x::Inner<x::Other>").unwrap().name,
            "x::Inner<x::Error>"
        );
    }

    #[test]
    fn variables_name_what_their_owner_holds() {
        let ty = |name: &str| {
            Rc::new(Type {
                name: name.into(),
                size: Some(16),
                align: Some(8),
            })
        };
        let vector = |of: &str| Held {
            of: ty(&format!("alloc::vec::Vec<{of}, alloc::alloc::Global>")),
            over: vec![ty(of)],
        };
        let found = Found {
            shape: Shape::Items,
            of: ty("a::B"),
            size: 64,
            align: 8,
            by: 0,
            believed: 0,
            confidence: Confidence::Guess,
        };
        let named = |variables: &[Held]| Some(worked_with(variables, &found)?.name.clone());
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[vector("a::B")]).as_deref(), Some("a::B"));
        assert_eq!(named(&[vector("a::C")]).as_deref(), Some("a::C"));
        assert_eq!(named(&[vector("a::B"), vector("a::C")]), None);
        // A map of another crate holds the type found, in a vector of its own.
        let map = Held {
            of: ty("x::Map<a::B>"),
            over: vec![ty("a::B")],
        };
        assert_eq!(named(std::slice::from_ref(&map)).as_deref(), Some("a::B"));
        assert_eq!(named(&[map, vector("a::C")]), None);
    }
}
