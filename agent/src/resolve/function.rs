//! `resolve`: an entry for a function -> its path, the types it is generic over, the type it is a method of.
//! Reads bytes, nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use gimli::constants as dw;

use super::dwarf::{Debug, Die, Entry};
use super::paths;
use super::sizes;
use super::types::{self, Type, Types};

/// A function, from debug information or from a symbol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    /// Without generics: `alloc::raw_vec::RawVec::grow_one`. An `impl` block of a trait is a segment `{impl#3}`.
    pub(super) path: String,
    /// What it is generic over, allocators left out.
    pub(super) parameters: Vec<Parameter>,
    /// The type whose inherent method it is.
    pub(super) method_of: Option<Rc<Type>>,
    /// Whether it is generic over `str`: the entry of that parameter is the one of a byte.
    pub(super) over_text: bool,
    /// Whether it is generic over a slice: the entry of that parameter is the one of an element.
    pub(super) over_slice: bool,
    /// The symbol's name, as the compiler mangled it; empty when not stated.
    pub(super) symbol: String,
    /// Whether debug information describes it: if not, functions inlined into it go unseen.
    pub(super) described: bool,
}

/// A type that a function is generic over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// `T`, `K`, ….
    pub(super) name: String,
    pub(super) of: Rc<Type>,
}

impl Function {
    /// What it is generic over under this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&Rc<Type>> {
        self.parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|parameter| &parameter.of)
    }

    /// This function, inlined into an instance that was merged with another, as it is in the instance that was meant.
    pub(super) fn as_instance(&self, merged: &Function, meant: &Function) -> Self {
        let mut function = self.clone();
        let parameters = function.parameters.iter_mut().map(|one| &mut one.of);
        for of in parameters.chain(&mut function.method_of) {
            let at = merged
                .parameters
                .iter()
                .position(|one| one.of.name == of.name);
            match at.and_then(|at| meant.parameters.get(at)) {
                Some(other) => *of = other.of.clone(),
                None => *of = in_instance(of, merged, meant),
            }
        }
        function
    }

    /// Whether two functions are instances of one, for other types.
    pub(super) fn is_other_instance_of(&self, other: &Function) -> bool {
        self.path == other.path
            && self.parameters.len() == other.parameters.len()
            && self.parameters != other.parameters
    }

    /// One from a path and the texts of its generic arguments, whose names are guessed from where it stands.
    pub(super) fn from_texts(path: String, arguments: &[&str]) -> Self {
        let maps = [
            "alloc::collections::btree",
            "std::collections::hash",
            "hashbrown::map",
            "indexmap",
        ];
        let is_map = maps
            .into_iter()
            .any(|module| paths::is_within(&path, module))
            && !path.contains("::set::");
        let names: &[&str] = if is_map {
            &["K", "V", "S"]
        } else if paths::is_within(&path, "alloc::vec::splice") {
            &["I"]
        } else {
            &["T", "A", "B"]
        };
        let known = arguments.iter().filter(|text| says_something(text));
        let parameters = known.zip(names).map(|(text, name)| Parameter {
            name: (*name).to_string(),
            of: Rc::new(sizes::by_name(sized(text))),
        });
        Function {
            parameters: parameters.collect(),
            over_text: arguments.contains(&"str"),
            over_slice: arguments
                .first()
                .is_some_and(|first| sized(first) != *first),
            path,
            ..Function::default()
        }
    }
}

/// A type made up of what a merged function is generic over, made up of what the one that was meant is. Equal code has equal
/// layouts.
fn in_instance(of: &Rc<Type>, merged: &Function, meant: &Function) -> Rc<Type> {
    let mut name = of.name.clone();
    for (from, to) in merged.parameters.iter().zip(&meant.parameters) {
        name = match paths::differing(&from.of.name, &to.of.name) {
            Some(pairs) => paths::map_paths(&name, |path| {
                let pair = pairs.iter().find(|(from, _)| from == path);
                pair.map_or(path, |(_, to)| to).to_string()
            }),
            None => paths::replaced(&name, &from.of.name, &to.of.name),
        };
    }
    match name == of.name {
        true => of.clone(),
        false => Rc::new(Type {
            name,
            ..(**of).clone()
        }),
    }
}

/// What an unsized type is made up of, as debug information describes parameters of such types.
fn sized(text: &str) -> &str {
    let slice = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match slice {
        _ if text == "str" => "u8",
        Some(element) if paths::split_array(text).is_none() => element,
        _ => text,
    }
}

/// Whether a generic argument is a type that tells instances apart: no lifetime, no allocator, no bare `T`.
fn says_something(text: &str) -> bool {
    let is_unfilled = text == "_" || text.len() == 1 && text.starts_with(char::is_uppercase);
    let is_lifetime = text.starts_with('\'');
    !is_unfilled && !is_lifetime && !is_allocator(text)
}

/// The default allocator, and its stand-in on stable compilers.
fn is_allocator(name: &str) -> bool {
    name == "alloc::alloc::Global"
        || name.starts_with("allocator_api2::") && name.ends_with("::Global")
}

/// The functions read so far.
#[derive(Debug, Default)]
pub(super) struct Functions(RefCell<HashMap<Die, Rc<Function>>>);

/// How many steps an instance may be from its declaration: more is damage.
const STEPS: usize = 8;

impl Functions {
    /// The function that an entry describes, its declaration included.
    pub(super) fn read(&self, debug: &Debug, types: &Types, die: Die) -> Rc<Function> {
        self.read_from(debug, types, die, STEPS)
    }

    fn read_from(&self, debug: &Debug, types: &Types, die: Die, steps: usize) -> Rc<Function> {
        if let Some(known) = self.0.borrow().get(&die) {
            return known.clone();
        }
        let described = steps
            .checked_sub(1)
            .and_then(|steps| self.describe(debug, types, die, steps));
        let read = Rc::new(described.unwrap_or_default());
        self.0.borrow_mut().insert(die, read.clone());
        read
    }

    fn describe(&self, debug: &Debug, types: &Types, die: Die, steps: usize) -> Option<Function> {
        let entry = debug.entry(die)?;
        let origin = [dw::DW_AT_abstract_origin, dw::DW_AT_specification];
        let origin = origin
            .into_iter()
            .find_map(|attribute| entry.attr_value(attribute));
        let mut function = match origin.and_then(|value| debug.target(die, value)) {
            Some(origin) => (*self.read_from(debug, types, origin, steps)).clone(),
            None => declared(debug, types, die, &entry),
        };
        // An instance that was inlined somewhere has them at its declaration; its own children are its whole body.
        if origin.is_none() || function.parameters.is_empty() {
            let parameters = parameters(debug, types, die);
            if !parameters.is_empty() {
                function.parameters = parameters;
            }
        }
        if let Some(value) = entry.attr_value(dw::DW_AT_linkage_name) {
            function.symbol = debug.text(die.unit, value).unwrap_or_default().to_string();
        }
        Some(function)
    }
}

/// A function where it is declared: there its scope is known.
fn declared(debug: &Debug, types: &Types, die: Die, entry: &Entry) -> Function {
    let name = debug.name(die.unit, entry).unwrap_or_default();
    let (bare, arguments) = paths::split_generics(name);
    let path = types::join(&types::scope(debug, die), bare);
    let parent = debug.parent(die).filter(|parent| is_type(debug, *parent));
    Function {
        method_of: parent.and_then(|parent| types.read(debug, parent)),
        described: true,
        ..Function::from_texts(path, &arguments)
    }
}

fn is_type(debug: &Debug, die: Die) -> bool {
    let tag = debug.entry(die).map(|entry| entry.tag());
    tag.is_some_and(|tag| {
        matches!(
            tag,
            dw::DW_TAG_structure_type | dw::DW_TAG_enumeration_type | dw::DW_TAG_union_type
        )
    })
}

fn parameters(debug: &Debug, types: &Types, die: Die) -> Vec<Parameter> {
    let entries = debug.children(die, dw::DW_TAG_template_type_parameter);
    let read = entries.iter().filter_map(|entry| {
        let name = debug.name(die.unit, entry)?.to_string();
        let of = debug.target(die, entry.attr_value(dw::DW_AT_type)?)?;
        let of = types.read(debug, of)?;
        (!is_allocator(&of.name)).then_some(Parameter { name, of })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_named_by_where_the_function_stands() {
        let function = Function::from_texts(
            "alloc::vec::from_elem".into(),
            &["'a", "u64", "alloc::alloc::Global"],
        );
        assert_eq!(function.parameter("T").unwrap().size, Some(8));
        assert_eq!(function.parameters.len(), 1);
        let map = Function::from_texts(
            "std::collections::hash::map::HashMap::insert".into(),
            &["a::K", "u8"],
        );
        assert_eq!(map.parameter("V").unwrap().name, "u8");
    }

    #[test]
    fn what_was_inlined_into_a_merged_instance_is_of_the_one_meant() {
        let over = |name: &str| Function {
            parameters: vec![Parameter {
                name: "C".into(),
                of: Rc::new(sizes::by_name(name)),
            }],
            ..Function::default()
        };
        let meant = |inlined: &str| {
            let (merged, meant) = (over("Vec<a::B, u8>"), over("Vec<c::D, u8>"));
            let mended = over(inlined).as_instance(&merged, &meant);
            mended.parameters[0].of.name.clone()
        };
        assert_eq!(meant("Vec<a::B, u8>"), "Vec<c::D, u8>");
        assert_eq!(
            meant("alloc::sync::ArcInner<a::B>"),
            "alloc::sync::ArcInner<c::D>"
        );
        assert_eq!(meant("a::Bee"), "a::Bee");
        assert_eq!(meant("u8"), "u8");
    }

    #[test]
    fn what_is_unsized_is_told_by_what_it_is_made_up_of() {
        let over = |text| Function::from_texts("alloc::boxed::Box::clone".into(), &[text]);
        let of = |text| over(text).parameter("T").unwrap().name.clone();
        assert_eq!(of("str"), "u8");
        assert_eq!(of("[a::B]"), "a::B");
        assert_eq!(of("[a::B; 3]"), "[a::B; 3]");
        assert!(over("str").over_text && over("[a::B]").over_slice);
        assert!(!over("[a::B; 3]").over_slice);
    }

    #[test]
    fn a_legacy_symbol_names_no_type() {
        let function = Function::from_texts("alloc::raw_vec::RawVec::grow_one".into(), &["T", "A"]);
        assert_eq!(function.parameters, []);
    }
}
