//! `resolve`: a stack and a layout -> the type of the block. Pure: the stack comes from whoever can expand it.

use std::rc::Rc;

use super::forms::{Form, Shape};
use super::function::Function;
use super::merged;
use super::paths;
use super::sure;
use super::types::Type;
use super::variables::Held;
use crate::heap::Confidence;

/// A function of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) function: Rc<Function>,
    /// Which return address it came from, 0 for the innermost.
    pub(super) level: usize,
    /// Whether its code may serve other functions too, and so go by another's name.
    pub(super) merged: Merged,
}

/// Whether the compiler merged functions with equal code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Merged {
    /// It merges none without optimisation.
    No,
    /// Instances of generic functions often are.
    #[default]
    Perhaps,
    /// Other functions stand at the same place.
    Yes,
}

/// What a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) shape: Shape,
    pub(super) of: Rc<Type>,
    /// The block's size and alignment, in bytes.
    pub(super) size: u64,
    pub(super) align: u64,
    /// The number of the call that decided.
    pub(super) by: usize,
    /// The first call whose generics can be believed: those before it are of functions merged with others.
    pub(super) believed: usize,
    pub(super) confidence: Confidence,
}

/// A stack that is expanded as far as it is looked at.
pub(super) struct Stack<'a> {
    calls: Vec<Call>,
    more: Box<dyn FnMut() -> Option<Vec<Call>> + 'a>,
    variables: Box<dyn Fn(usize) -> Rc<[Held]> + 'a>,
}

impl<'a> Stack<'a> {
    /// `more` gives the calls of one return address after another, innermost first; `variables` what the variables of the
    /// functions at a level are made up of.
    pub(super) fn new(
        more: impl FnMut() -> Option<Vec<Call>> + 'a,
        variables: impl Fn(usize) -> Rc<[Held]> + 'a,
    ) -> Self {
        Stack {
            calls: Vec::new(),
            more: Box::new(more),
            variables: Box::new(variables),
        }
    }

    /// A call by its number, 0 for the innermost.
    pub(super) fn call(&mut self, number: usize) -> Option<&Call> {
        while self.calls.len() <= number {
            self.calls.extend((self.more)()?);
        }
        self.calls.get(number)
    }

    /// The first call of the next return address out.
    pub(super) fn next_level(&mut self, number: usize) -> Option<usize> {
        let level = self.call(number)?.level;
        let mut next = number + 1;
        while self.call(next)?.level == level {
            next += 1;
        }
        Some(next)
    }

    /// The calls of one return address, from its first on.
    pub(super) fn level_from(&mut self, first: usize) -> &[Call] {
        let end = self.next_level(first).unwrap_or(self.calls.len());
        self.calls.get(first..end).unwrap_or_default()
    }

    /// What the variables of the functions at a call's level are made up of.
    pub(super) fn variables_at(&mut self, number: usize) -> Rc<[Held]> {
        let level = self.call(number).map(|call| call.level);
        level.map_or_else(Rc::default, |level| (self.variables)(level))
    }

    /// The function that the code at a call was compiled as.
    pub(super) fn outer_of(&mut self, number: usize) -> Option<&Call> {
        let last = match self.next_level(number) {
            Some(next) => next.checked_sub(1)?,
            None => self.calls.len().checked_sub(1)?,
        };
        self.calls.get(last)
    }
}

/// The type of a block of this size and alignment (bytes) that was allocated by this stack.
///
/// Libraries are asked from the inside out. The first function outside of them made the block, so nobody further out did:
/// `collect` calls closures that allocate what it knows nothing of.
pub(super) fn infer(stack: &mut Stack<'_>, size: u64, align: u64) -> Option<Found> {
    let mut number = first_asked(stack);
    loop {
        let function = stack.call(number)?.function.clone();
        if let Some((shape, of, known)) = decide(&function, size, align) {
            let mut found = Found {
                shape,
                of,
                size,
                align,
                by: number,
                believed: number,
                confidence: Confidence::Guess,
            };
            merged::mend(stack, &mut found);
            found.confidence = sure::confidence(stack, &mut found, known, function.described);
            return text_of_caller(stack, &found).or(Some(found));
        }
        if !paths::is_library(&function.path) {
            let own = own_value(&function, size, align, number)
                .or_else(|| pointed_to(stack, size, align, number))
                .or_else(|| made_by_name(&function, size, align, number))
                .or_else(|| only_text(stack, size, align, number));
            return own.map(|found| sure::mend(stack, found));
        }
        number += 1;
    }
}

/// The first call beyond those through which every allocation goes, the program's own allocator among them.
fn first_asked(stack: &mut Stack<'_>) -> usize {
    /// How many calls may lie inside of one of those, or between two: the body of the program's allocator.
    const BETWEEN: usize = 8;
    let (mut first, mut number) = (0, 0);
    while number < first + BETWEEN {
        match stack.call(number) {
            Some(call) if passes_on(&call.function) => first = number + 1,
            Some(_) => {}
            None => break,
        }
        number += 1;
    }
    first
}

/// Whether a function is the agent, an allocator's, or one of those that stand between an allocation and the allocator.
fn passes_on(function: &Function) -> bool {
    let modules = ["alloc::alloc", "sigheap"];
    let shims = ["__rust_alloc", "__rust_realloc", "__rg_", "__rdl_"];
    modules
        .into_iter()
        .any(|module| paths::is_within(&function.path, module))
        || shims
            .into_iter()
            .any(|shim| paths::last_segment(&function.path).starts_with(shim))
        || is_allocators(&function.symbol)
}

/// Optimised for size, the shims jump to the program's allocator, and are not on the stack.
fn is_allocators(symbol: &str) -> bool {
    symbol.contains("GlobalAlloc")
        && rustc_demangle::demangle(symbol)
            .to_string()
            .contains(" as core::alloc::global::GlobalAlloc>::")
}

/// The first form of a function that fits, and whether the type's size is known.
fn decide(function: &Function, size: u64, align: u64) -> Option<(Shape, Rc<Type>, bool)> {
    let candidates =
        Form::of(function).flat_map(|form| form.shapes.iter().map(move |shape| (form, *shape)));
    for (form, shape) in candidates {
        let of = match function.parameter(form.parameter) {
            Some(of) => of.clone(),
            None => Rc::new(Type::default()),
        };
        // A byte in a box of its own is next to never meant, a text or a slice of one byte often is.
        if shape == Shape::One && &*of.name == "u8" {
            continue;
        }
        let is_bare_slice = function.over_slice && of.size.is_none();
        if is_bare_slice && matches!(shape, Shape::One | Shape::Counted) {
            continue;
        }
        match shape.fits(&of, size, align) {
            Some(true) => return Some((shape, of, true)),
            Some(false) => {}
            // The function around a closure says more about what it is for, a slice or a value.
            None if is_unsized(&of.name) || is_closure(&function.path) => {}
            None => return Some((shape, of, false)),
        }
    }
    None
}

fn is_closure(path: &str) -> bool {
    paths::last_segment(path).starts_with("{closure")
}

/// A block of a slice or a trait object has another size each time: an inner or outer call says what it is of.
fn is_unsized(name: &str) -> bool {
    name == "str" || name.starts_with("dyn ") || name.starts_with('[') && !name.contains(';')
}

/// A function that calls the allocator itself has a pointer to what it wants.
fn pointed_to(stack: &mut Stack<'_>, size: u64, align: u64, number: usize) -> Option<Found> {
    let variables = stack.variables_at(number);
    let pointed_by = |pointers: &[&str]| {
        let mut fitting: Vec<_> = variables
            .iter()
            .filter(|held| pointers.iter().any(|word| held.of.name.starts_with(word)))
            .filter_map(|held| held.over.first())
            .filter(|of| Shape::One.fits(of, size, align) == Some(true) && of.name.contains("::"))
            .collect();
        fitting.sort_by(|one, other| one.name.cmp(&other.name));
        fitting.dedup_by(|one, other| one.name == other.name);
        match fitting[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    };
    // Who borrows a value seldom allocated it.
    let of = pointed_by(&["*", "alloc::boxed::Box<"]).or_else(|| pointed_by(&["&"]))?;
    Some(guess(of, size, align, number))
}

/// Functions that copy bytes, texts and paths come out as one, and go by the name of any of them: whoever called knows what it
/// has them for.
fn text_of_caller(stack: &mut Stack<'_>, found: &Found) -> Option<Found> {
    let is_merged = stack.outer_of(found.by)?.merged == Merged::Yes;
    let is_bytes = found.shape == Shape::Items && found.of.name == "u8";
    let caller = stack.next_level(found.by)?;
    let is_own = !paths::is_library(&stack.call(caller)?.function.path);
    if !is_merged || !is_bytes || !is_own || found.confidence == Confidence::Exact {
        return None;
    }
    let text = only_text(stack, found.size, found.align, caller)?;
    Some(Found {
        confidence: Confidence::Likely,
        ..text
    })
}

/// Bytes of code without a place are those of the one text that the function works with, if there is one.
fn only_text(stack: &mut Stack<'_>, size: u64, align: u64, number: usize) -> Option<Found> {
    /// What owns bytes.
    const OWNERS: &[&str] = &[
        "alloc::ffi::c_str::CString",
        "alloc::string::String",
        "alloc::vec::Vec<u8, alloc::alloc::Global>",
        "std::ffi::os_str::OsString",
        "std::path::PathBuf",
    ];
    let variables = stack.variables_at(number);
    let mut known = variables
        .iter()
        .filter(|held| align == 1 && OWNERS.contains(&held.of.name.as_str()));
    let of = known.next()?.of.clone();
    let shape = Shape::Text;
    known.all(|other| other.of.name == of.name).then(|| Found {
        shape,
        ..guess(of, size, align, number)
    })
}

/// Where no types are described: a function `Block::new` that calls the allocator itself makes a `Block`.
fn made_by_name(function: &Function, size: u64, align: u64, number: usize) -> Option<Found> {
    let (of, method) = function.path.rsplit_once("::")?;
    let is_type = paths::last_segment(of).starts_with(char::is_uppercase);
    let over: Vec<&str> = function
        .parameters
        .iter()
        .map(|one| one.of.name.as_str())
        .collect();
    let name = match over.is_empty() {
        true => of.to_string(),
        false => format!("{of}<{}>", over.join(", ")),
    };
    let of = Rc::new(Type {
        name,
        ..Type::default()
    });
    let is_made = is_type && function.method_of.is_none() && function.described;
    (is_made && method.starts_with("new")).then(|| guess(of, size, align, number))
}

fn guess(of: Rc<Type>, size: u64, align: u64, number: usize) -> Found {
    Found {
        shape: Shape::One,
        of,
        size,
        align,
        by: number,
        believed: number,
        confidence: Confidence::Guess,
    }
}

/// A method of the program, or a function generic over a type, may well allocate a value of that type, if the size is the same.
fn own_value(function: &Function, size: u64, align: u64, number: usize) -> Option<Found> {
    let parameters = function.parameters.iter().map(|parameter| &parameter.of);
    let of = function
        .method_of
        .iter()
        .chain(parameters)
        .find(|of| Shape::One.fits(of, size, align) == Some(true))?;
    Some(guess(of.clone(), size, align, number))
}
