//! `resolve`: what a block is -> its owner, as a Rust programmer would write it. Pure.

use std::rc::Rc;

use super::forms::Shape;
use super::holder::{Holder, holder};
use super::infer::{Found, Merged, Stack};
use super::name::Writer;
use super::paths::{is_within, last_segment, split_generics, split_list};
use super::types::Type;
use super::variables::Held;

/// An owner, and the types in it that a search by name should find.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    /// `Arc<demo_server::cache::CacheEntity>`.
    pub(super) full: String,
    /// `demo_server::cache::CacheEntity`. A text owns itself.
    pub(super) payload: Vec<String>,
}

/// The owner of a block.
pub(super) fn owner(found: &Found, stack: &mut Stack<'_>, writer: &Writer<'_>) -> Owner {
    let name = found.of.name.as_str();
    let is_unsized = name.ends_with("[u8]") || name.ends_with("Inner<[u8]>");
    if is_unsized && let Some((Holder::Named(name), _)) = holder(found, stack) {
        return text(&format!("{}<{name}>", pointer(found, stack)));
    }
    match found.shape {
        Shape::One if is_vec_macro(found, stack) => {
            generic("Vec", &[array_element(name).unwrap_or(name)], writer)
        }
        Shape::One => one(name, writer),
        Shape::Text if !name.is_empty() => text(&writer.write(name)),
        Shape::Items | Shape::Text => items(name, holder(found, stack), writer),
        Shape::ArrayItems => generic("SmallVec", &[name], writer),
        Shape::Counted => generic(pointer(found, stack), &[name], writer),
        Shape::CountedItems => match holder(found, stack) {
            Some((Holder::Named(name), _)) => text(&format!("{}<{name}>", pointer(found, stack))),
            _ => slice(pointer(found, stack), name, writer),
        },
        Shape::Table => table(name, holder(found, stack), stack, writer),
    }
}

/// The pointer whose functions decided: `Rc` or `Arc`.
fn pointer(found: &Found, stack: &mut Stack<'_>) -> &'static str {
    match stack.call(found.by) {
        Some(call) if is_within(&call.function.path, "alloc::rc") => "Rc",
        _ => "Arc",
    }
}

/// `vec![a, b]` boxes an array and makes a vector of it.
fn is_vec_macro(found: &Found, stack: &mut Stack<'_>) -> bool {
    let by = stack
        .call(found.by)
        .map(|call| last_segment(&call.function.path).to_string());
    array_element(&found.of.name).is_some() && by.is_some_and(|by| by.starts_with("new_uninit"))
}

/// One value, whose type may be the inside of something.
fn one(name: &str, writer: &Writer<'_>) -> Owner {
    let (path, arguments) = split_generics(name);
    match path {
        "alloc::sync::ArcInner" => generic("Arc", &arguments, writer),
        "alloc::rc::RcInner" | "alloc::rc::RcBox" => generic("Rc", &arguments, writer),
        "alloc::collections::linked_list::Node" => generic("LinkedList", &arguments, writer),
        "alloc::collections::btree::node::LeafNode"
        | "alloc::collections::btree::node::InternalNode" => match arguments.as_slice() {
            [key, "alloc::collections::btree::set_val::SetValZST"] => {
                generic("BTreeSet", &[key], writer)
            }
            _ => generic("BTreeMap", &arguments, writer),
        },
        "tokio::runtime::task::core::Cell" => {
            task(arguments.first().copied().unwrap_or(name), writer)
        }
        _ => generic("Box", &[name], writer),
    }
}

/// What tokio and tracing wrap a future in; a large one is boxed first.
const WRAPPERS: &[&str] = &[
    "alloc::boxed::Box",
    "core::pin::Pin",
    "tokio::runtime::blocking::task::BlockingTask",
    "tracing::instrument::Instrumented",
    "tracing::instrument::WithDispatch",
];

/// A future that was spawned, named by its function.
fn task(future: &str, writer: &Writer<'_>) -> Owner {
    let mut inner = future;
    while let (path, [first, ..]) = (split_generics(inner).0, split_generics(inner).1.as_slice())
        && WRAPPERS.contains(&path)
    {
        inner = first;
    }
    let written = writer.write(inner);
    let name = written
        .strip_prefix("async fn ")
        .unwrap_or(&written)
        .to_string();
    let full = match name.starts_with("async block") {
        true => format!("task {{{name}}}"),
        false => format!("task {name}"),
    };
    let payload = vec![name];
    Owner { full, payload }
}

fn items(name: &str, held: Option<(Holder, usize)>, writer: &Writer<'_>) -> Owner {
    let bytes = matches!(name, "" | "u8");
    let name = if name.is_empty() { "u8" } else { name };
    let (path, arguments) = split_generics(name);
    match held.map(|(holder, _)| holder) {
        Some(Holder::String) if bytes => text("String"),
        Some(Holder::PathBuf) if bytes => text("PathBuf"),
        Some(Holder::OsString) if bytes => text("OsString"),
        Some(Holder::CString) if bytes => text("CString"),
        Some(Holder::Named(name)) if bytes => text(&format!("Box<{name}>")),
        Some(Holder::BoxedSlice) => slice("Box", name, writer),
        Some(Holder::VecDeque) => generic("VecDeque", &[name], writer),
        Some(Holder::BinaryHeap) => generic("BinaryHeap", &[name], writer),
        Some(Holder::SmallVec) => generic("SmallVec", &[name], writer),
        _ if path == "indexmap::Bucket" => index_map(&arguments, writer),
        _ => generic("Vec", &[name], writer),
    }
}

/// A hash table holds pairs; a set's have nothing as their second half.
fn table(
    name: &str,
    held: Option<(Holder, usize)>,
    stack: &mut Stack<'_>,
    writer: &Writer<'_>,
) -> Owner {
    let pair = name
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .map(split_list);
    let pair = pair.filter(|pair| pair.len() == 2);
    match (held, pair.as_deref()) {
        (Some((Holder::IndexMap | Holder::IndexSet, by)), _) => index_table(stack, by, writer),
        (Some((Holder::DashMap, _)), Some([key, value])) => {
            generic("DashMap", &[key, shared_value(value)], writer)
        }
        (Some((Holder::HashbrownSet, _)), Some([key, _])) => {
            generic("hashbrown::HashSet", &[key], writer)
        }
        (Some((Holder::HashbrownMap, _)), Some(pair)) => {
            generic("hashbrown::HashMap", pair, writer)
        }
        (Some((Holder::HashSet, _)) | None, Some([key, "()"])) => {
            generic("HashSet", &[key], writer)
        }
        (_, Some(pair)) => generic("HashMap", pair, writer),
        (_, None) => generic("hashbrown::HashTable", &[name], writer),
    }
}

/// What a `DashMap` wraps its values in goes unsaid.
fn shared_value(name: &str) -> &str {
    match split_generics(name) {
        ("dashmap::util::SharedValue", arguments) => arguments.first().copied().unwrap_or(name),
        _ => name,
    }
}

/// The table of an `IndexMap` holds positions; its functions say of what.
fn index_table(stack: &mut Stack<'_>, by: usize, writer: &Writer<'_>) -> Owner {
    let held = index_held(stack, by);
    if let [one] = &held[..] {
        let arguments: Vec<&str> = one.iter().map(|of| of.name.as_str()).collect();
        return index_map(&arguments, writer);
    }
    let parameters = stack
        .call(by)
        .map(|call| call.function.parameters.clone())
        .unwrap_or_default();
    let named = |name: &str| {
        parameters
            .iter()
            .find(|one| one.name == name)
            .map(|one| one.of.name.as_str())
    };
    match (named("K"), named("V"), named("T")) {
        (Some(key), Some(value), _) => index_map(&[key, value], writer),
        (_, _, Some(item)) => index_map(&[item, "()"], writer),
        _ => text("IndexMap"),
    }
}

/// What the maps hold that the caller of a merged function works with.
fn index_held(stack: &mut Stack<'_>, by: usize) -> Vec<Vec<Rc<Type>>> {
    let is_merged = stack
        .outer_of(by)
        .is_some_and(|call| call.merged == Merged::Yes);
    let Some(next) = stack.next_level(by).filter(|_| is_merged) else {
        return Vec::new();
    };
    let variables = stack.variables_at(next);
    let is_map = |held: &&Held| split_generics(&held.of.name).0 == "indexmap::map::IndexMap";
    let mut held: Vec<Vec<_>> = variables
        .iter()
        .filter(is_map)
        .filter_map(|held| Some(held.over.get(..2)?.to_vec()))
        .collect();
    held.dedup();
    held
}

fn index_map(arguments: &[&str], writer: &Writer<'_>) -> Owner {
    match arguments {
        [item, "()"] => generic("IndexSet", &[item], writer),
        _ => generic("IndexMap", arguments, writer),
    }
}

fn generic(owner: &str, arguments: &[&str], writer: &Writer<'_>) -> Owner {
    let payload: Vec<String> = arguments
        .iter()
        .map(|name| writer.write(initialised(name)))
        .filter(|name| !name.is_empty())
        .collect();
    let full = format!("{owner}<{}>", payload.join(", "));
    Owner { full, payload }
}

fn slice(pointer: &str, name: &str, writer: &Writer<'_>) -> Owner {
    let name = writer.write(initialised(name));
    Owner {
        full: format!("{pointer}<[{name}]>"),
        payload: vec![name],
    }
}

/// What was allocated before its value was made is that value's all the same.
fn initialised(name: &str) -> &str {
    let inner = name
        .strip_prefix("core::mem::maybe_uninit::MaybeUninit<")
        .and_then(|rest| rest.strip_suffix('>'));
    inner.unwrap_or(name)
}

/// Bytes without generics.
fn text(name: &str) -> Owner {
    Owner {
        full: name.to_string(),
        payload: vec![name.to_string()],
    }
}

/// What has no alignment to speak of and no known owner.
pub(super) fn bytes() -> Owner {
    text("bytes")
}

/// `T` of `[T; 3]`.
fn array_element(name: &str) -> Option<&str> {
    let (element, _) = name
        .strip_prefix('[')?
        .strip_suffix(']')?
        .rsplit_once(';')?;
    Some(element.trim())
}
