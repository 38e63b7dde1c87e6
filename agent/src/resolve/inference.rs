//! `resolve`: tests of the inference as a whole, from stacks written as arrays: one line a function, innermost first.
//!
//! `* path T=a::B:16:8` is a function compiled for itself, generic over a type of 16 bytes aligned to 8; lines before it
//! without the star are inlined into it.

use std::rc::Rc;

use super::function::{Function, Parameter};
use super::infer::{Call, Merged, Stack, infer};
use super::name::Writer;
use super::owner::owner;
use super::types::Type;
use super::variables::Held;
use crate::heap::Confidence;

fn named(stack: &[&str], size: u64, align: u64) -> Option<(String, Confidence)> {
    let mut calls = calls(stack).into_iter();
    let more = move || calls.next().map(|call| vec![call]);
    let mut stack = Stack::new(more, |_| Rc::default());
    let found = infer(&mut stack, size, align)?;
    let place = |_: &str| None;
    let owner = owner(&found, &mut stack, &Writer { place: &place });
    Some((owner.full, found.confidence))
}

fn calls(stack: &[&str]) -> Vec<Call> {
    let mut level = 0;
    let call = |line: &&str| {
        let outer = line.starts_with("* ");
        let mut words = line.trim_start_matches("* ").split(' ');
        let path = words.next().unwrap_or_default().to_string();
        let function = Function {
            path,
            parameters: words.map(parameter).collect(),
            described: true,
            ..Function::default()
        };
        let call = Call {
            function: Rc::new(function),
            level,
            merged: Merged::Perhaps,
        };
        level += usize::from(outer);
        call
    };
    stack.iter().map(call).collect()
}

fn parameter(text: &str) -> Parameter {
    let (name, of) = text.split_once('=').unwrap();
    let mut parts = of.rsplitn(3, ':');
    let mut number = || parts.next().unwrap().parse().ok();
    let (align, size) = (number(), number());
    let name_of = parts.next().unwrap().replace('~', " ");
    Parameter {
        name: name.into(),
        of: Rc::new(Type {
            name: name_of,
            size,
            align,
        }),
    }
}

fn exact(name: &str) -> Option<(String, Confidence)> {
    Some((name.into(), Confidence::Exact))
}

#[test]
fn the_first_form_that_fits_decides() {
    let stack = [
        "alloc::alloc::alloc",
        "alloc::raw_vec::RawVecInner::finish_grow A=x::A:0:1",
        "alloc::raw_vec::RawVec::grow_one T=u32:4:4",
        "alloc::vec::Vec::push T=demo::Entity:48:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 4 * 48, 8), exact("Vec<demo::Entity>"));
    assert_eq!(named(&stack, 4 * 48, 4), exact("Vec<u32>"));
    assert_eq!(named(&stack, 50, 8), None);
}

#[test]
fn a_merged_helper_is_named_by_its_caller() {
    let stack = [
        "* alloc::raw_vec::RawVec::grow_one T=demo::A:16:8",
        "alloc::vec::Vec::push T=demo::B:16:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 64, 8), exact("Vec<demo::B>"));
}

/// Two small values are as large as one of twice their size.
#[test]
fn a_merged_pointer_is_not_to_a_slice_of_another_type() {
    let stack = [
        "* alloc::sync::Arc::allocate_for_layout T=demo::Half:8:8",
        "alloc::sync::Arc::new_uninit T=demo::Whole:16:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 32, 8), exact("Arc<demo::Whole>"));
}

#[test]
fn a_clone_is_not_named_by_its_caller() {
    let stack = [
        "* alloc::vec::Vec::clone T=demo::A:24:8",
        "alloc::slice::to_vec T=alloc::vec::Vec<demo::A>:24:8",
        "* demo::main",
    ];
    let likely_or_better = named(&stack, 48, 8).unwrap();
    assert_eq!(likely_or_better.0, "Vec<demo::A>");
}

#[test]
fn a_generic_function_alone_is_likely_at_most() {
    let stack = ["* alloc::boxed::Box::new T=demo::A:16:8", "* demo::main"];
    assert_eq!(
        named(&stack, 16, 8),
        Some(("Box<demo::A>".into(), Confidence::Likely))
    );
}

#[test]
fn who_calls_the_program_back_allocates_nothing_of_it() {
    let stack = [
        "demo::arena::chunk",
        "* alloc::vec::Vec::from_iter T=u64:8:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 64, 8), None);
}

#[test]
fn the_programs_own_allocator_is_passed_over() {
    let stack = [
        "demo::Counting::alloc",
        "demo::_::__rust_alloc",
        "alloc::alloc::alloc",
        "alloc::vec::Vec::push T=u64:8:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 64, 8), exact("Vec<u64>"));
}

/// Without the shims only the symbol says that it is an allocator.
#[test]
fn an_allocator_is_known_by_its_trait() {
    let named = |symbol: &str| {
        let stack = [
            "* demo::{impl#0}::alloc",
            "alloc::raw_vec::RawVecInner::finish_grow",
            "alloc::vec::Vec::push T=u64:8:8",
            "* demo::main",
        ];
        let mut calls = calls(&stack);
        let mut function = (*calls[0].function).clone();
        function.symbol = symbol.into();
        calls[0].function = Rc::new(function);
        let mut calls = calls.into_iter().map(|call| vec![call]);
        let mut stack = Stack::new(move || calls.next(), |_| Rc::default());
        infer(&mut stack, 64, 8).map(|found| found.of.name.clone())
    };
    // As text: demangling leaves it alone.
    let symbol = "<demo::A as core::alloc::global::GlobalAlloc>::alloc";
    assert_eq!(named(symbol).as_deref(), Some("u64"));
    assert_eq!(named(""), None);
}

#[test]
fn texts_are_named_by_who_owns_their_bytes() {
    let owned_by = |owners: &[&'static str]| {
        let mut stack = vec![
            "alloc::raw_vec::RawVec::grow_one T=u8:1:1",
            "alloc::vec::Vec::reserve T=u8:1:1",
        ];
        stack.extend(owners);
        stack.push("* demo::main");
        named(&stack, 40, 1).unwrap().0
    };
    assert_eq!(owned_by(&[]), "Vec<u8>");
    assert_eq!(owned_by(&["alloc::string::String::push_str"]), "String");
    assert_eq!(
        owned_by(&[
            "std::sys::os_str::bytes::Buf::push",
            "std::path::PathBuf::push"
        ]),
        "PathBuf"
    );
    assert_eq!(
        owned_by(&[
            "alloc::string::String::clone",
            "alloc::slice::to_vec T=alloc::string::String:24:8"
        ]),
        "String"
    );
    assert_eq!(
        owned_by(&["demo::text", "alloc::string::String::push_str"]),
        "Vec<u8>"
    );
}

#[test]
fn collections_own_their_buffers() {
    let buffer = |owner: &'static str| {
        let stack = [
            "alloc::raw_vec::RawVec::grow_one T=u64:8:8",
            owner,
            "* demo::main",
        ];
        named(&stack, 64, 8).unwrap().0
    };
    assert_eq!(
        buffer("alloc::collections::vec_deque::VecDeque::grow T=u64:8:8"),
        "VecDeque<u64>"
    );
    assert_eq!(
        buffer("alloc::collections::binary_heap::BinaryHeap::push T=u64:8:8"),
        "BinaryHeap<u64>"
    );
    assert_eq!(
        buffer("alloc::boxed::Box::new_uninit_slice T=u64:8:8"),
        "Box<[u64]>"
    );
}

/// What is collected into a box is generic over its items and, as `T`, over the iterator.
#[test]
fn a_slice_is_boxed_by_whoever_collects_it() {
    let stack = [
        "alloc::vec::Vec::with_capacity T=a::B:16:8",
        "alloc::vec::{impl#9}::from_iter T=a::B:16:8 I=x::Map:8:8",
        "* alloc::boxed::iter::{impl#2}::from_iter I=a::B:16:8 T=x::Map:8:8",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 64, 8).unwrap().0, "Box<[a::B]>");
}

#[test]
fn where_no_sizes_are_known_names_decide() {
    let likely = |name: &str, confidence| Some((name.to_string(), confidence));
    let slice = [
        "alloc::sync::{closure#0} T=a::B:?:?",
        "* alloc::sync::allocate_for_slice T=a::B:?:?",
        "* demo::main",
    ];
    let named_slice = named(&slice, 608, 8);
    assert_eq!(named_slice, likely("Arc<[a::B]>", Confidence::Likely));
    let block = [
        "alloc::alloc::alloc",
        "* x::list::Block::new T=a::B:?:?",
        "* demo::main",
    ];
    let named_block = named(&block, 752, 8);
    assert_eq!(
        named_block,
        likely("Box<x::list::Block<a::B>>", Confidence::Guess)
    );
    let method = [
        "alloc::alloc::alloc",
        "* x::list::Block::grow T=a::B:?:?",
        "* demo::main",
    ];
    assert_eq!(named(&method, 752, 8), None);
}

/// Copies of bytes come out as one function, which goes by any of their names.
#[test]
fn merged_copies_are_of_the_text_that_the_caller_works_with() {
    let text = |name: &str| Held {
        of: Rc::new(Type {
            name: name.into(),
            ..Type::default()
        }),
        over: Vec::new(),
    };
    let named = |merged, held: Vec<Held>| {
        let stack = ["* alloc::boxed::Box::from T=u8:1:1", "* demo::main"];
        let mut calls = calls(&stack)
            .into_iter()
            .map(|call| Call { merged, ..call });
        let held: Rc<[Held]> = held.into();
        let more = move || calls.next().map(|call| vec![call]);
        let mut stack = Stack::new(more, |_| held.clone());
        let found = infer(&mut stack, 10, 1).unwrap();
        let place = |_: &str| None;
        owner(&found, &mut stack, &Writer { place: &place }).full
    };
    let path = || text("std::path::PathBuf");
    assert_eq!(named(Merged::Yes, vec![path()]), "PathBuf");
    assert_eq!(
        named(Merged::Yes, vec![path(), text("alloc::string::String")]),
        "Box<[u8]>"
    );
    assert_eq!(named(Merged::Perhaps, vec![path()]), "Box<[u8]>");
}

#[test]
fn tables_are_named_by_their_map() {
    let table = |owners: &[&'static str], pair: &'static str, size| {
        let mut stack = vec![pair];
        stack.extend(owners);
        stack.push("* demo::main");
        named(&stack, size, 16).unwrap().0
    };
    let (pair, size) = (
        "hashbrown::raw::RawTable::reserve T=(u64,~a::B):16:8",
        4 * 16 + 4 + 16,
    );
    let map = "std::collections::hash::map::HashMap::insert K=u64:8:8 V=a::B:8:8";
    assert_eq!(
        table(&["hashbrown::map::HashMap::insert", map], pair, size),
        "HashMap<u64, a::B>"
    );
    assert_eq!(
        table(&["hashbrown::map::HashMap::insert"], pair, size),
        "hashbrown::HashMap<u64, a::B>"
    );
    let (unit, size) = (
        "hashbrown::raw::RawTable::reserve T=(u64,~()):8:8",
        4 * 8 + 4 + 16,
    );
    let set = "std::collections::hash::set::HashSet::insert T=u64:8:8";
    assert_eq!(
        table(&["hashbrown::map::HashMap::insert", set], unit, size),
        "HashSet<u64>"
    );
    let (position, size) = (
        "hashbrown::raw::RawTable::reserve T=usize:8:8",
        4 * 8 + 4 + 16,
    );
    let index = "indexmap::map::IndexMap::insert K=u64:8:8 V=a::B:8:8";
    assert_eq!(table(&[index], position, size), "IndexMap<u64, a::B>");
}

#[test]
fn the_insides_of_things_are_named_as_the_things() {
    let boxed = |of: &str| {
        let call = format!("alloc::boxed::Box::new T={of}:32:8");
        named(&[&call, "* demo::main"], 32, 8).unwrap().0
    };
    assert_eq!(
        boxed("alloc::sync::ArcInner<demo::Cache>"),
        "Arc<demo::Cache>"
    );
    assert_eq!(
        boxed("alloc::collections::linked_list::Node<u8>"),
        "LinkedList<u8>"
    );
    assert_eq!(
        boxed(
            "alloc::collections::btree::node::LeafNode<u8,~alloc::collections::btree::set_val::SetValZST>"
        ),
        "BTreeSet<u8>"
    );
    assert_eq!(
        boxed("tokio::runtime::task::core::Cell<demo::serve::{async_fn_env#0},~x::Handle>"),
        "task demo::serve"
    );
    assert_eq!(
        boxed("tokio::runtime::task::core::Cell<demo::run::{async_block_env#0},~x>"),
        "task {async block in demo::run}"
    );
    assert_eq!(
        boxed("demo::run::{closure_env#0}"),
        "Box<closure in demo::run>"
    );
}

#[test]
fn counted_slices_are_named_as_slices() {
    let stack = [
        "alloc::sync::Arc::allocate_for_slice_in T=u8:1:1",
        "* demo::main",
    ];
    assert_eq!(named(&stack, 32, 8), exact("Arc<[u8]>"));
}

#[test]
fn a_generic_function_of_the_program_is_a_guess() {
    let stack = ["* demo::make T=demo::A:40:8", "* demo::main"];
    assert_eq!(
        named(&stack, 40, 8),
        Some(("Box<demo::A>".into(), Confidence::Guess))
    );
}
