//! `resolve`: the types of the variables that a function has at an address, those of functions inlined there included. Reads
//! bytes, nothing else.
//!
//! They tell what a function that is itself generic over nothing works with.

use std::collections::HashSet;
use std::rc::Rc;

use gimli::constants as dw;

use super::bounds::Bounds;
use super::dwarf::{Debug, Die, Value};
use super::function::Functions;
use super::paths::{split_array, split_generics, split_list};
use super::sizes;
use super::skim::Skim;
use super::types::{Type, Types};

/// A type that variables are of, or point to, or that is part of such a type; and what it is generic over or points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) of: Rc<Type>,
    pub(super) over: Vec<Rc<Type>>,
}

/// More types than are worth looking at.
const MANY: usize = 512;
/// How deep types are taken apart.
const DEPTH: usize = 8;

/// What the variables and parameters of the functions at an address are made up of.
pub(super) fn at(debug: &Debug, types: &Types, address: u64) -> Vec<Held> {
    let mut parts = Parts {
        debug,
        types,
        seen: HashSet::new(),
        found: Vec::new(),
    };
    if let Some(function) = debug.function_at(address) {
        // What it returns is as good as a variable.
        if let Some(of) = returned(debug, function, STEPS) {
            parts.take(of, DEPTH);
        }
        // An instance leaves out those that nothing is left of.
        for described in [Some(function), origin(debug, function)]
            .into_iter()
            .flatten()
        {
            walk(debug, described, address, &mut |value| {
                if let Some(of) = type_of(debug, described, value, STEPS) {
                    parts.take(of, DEPTH);
                }
                parts.found.len() < MANY
            });
        }
    }
    parts.found
}

/// For builds that describe neither types nor variables: the types that the functions inlined into the one at an address are
/// generic over, wherever in it they are. They too tell what it works with.
pub(super) fn by_names(
    debug: &Debug,
    functions: &Functions,
    types: &Types,
    address: u64,
) -> Vec<Held> {
    let mut found = Vec::new();
    let Some(function) = debug.function_at(address) else {
        return found;
    };
    for origin in inlined_into(debug, function).unwrap_or_default() {
        let Some(die) = debug.target(function, origin) else {
            continue;
        };
        for parameter in &functions.read(debug, types, die).parameters {
            name_parts(&parameter.of.name, DEPTH, &mut found);
        }
    }
    found
}

/// What the functions are instances of that are inlined into one.
fn inlined_into(debug: &Debug, function: Die) -> Option<Vec<Value>> {
    let mut entries = debug.skim(function.unit, Some(function.offset))?;
    debug.note(entries.next())??;
    let mut found = Vec::new();
    while let Some(met) = debug.note(entries.next())?.filter(|met| met.depth >= 1) {
        if found.len() >= MANY {
            break;
        }
        if met.abbreviation.tag() != dw::DW_TAG_inlined_subroutine {
            continue;
        }
        if let Some(Says::Origin(origin)) = debug.note(says(&entries, met.abbreviation))? {
            found.push(origin);
        }
    }
    Some(found)
}

/// Takes a type's name apart as types are.
fn name_parts(name: &str, depth: usize, found: &mut Vec<Held>) {
    if depth == 0 || found.len() >= MANY || found.iter().any(|held| held.of.name == name) {
        return;
    }
    let pointed = name.strip_prefix(['&', '*']).map(|to| {
        let to = to.strip_prefix("mut ").or(to.strip_prefix("const "));
        to.unwrap_or(&name[1..])
    });
    let tuple = name
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    let over = match (pointed, tuple, split_array(name)) {
        (Some(to), ..) => vec![to],
        (_, Some(items), _) => split_list(items),
        (_, _, Some((element, _))) => vec![element],
        _ => split_generics(name).1,
    };
    found.push(Held {
        of: Rc::new(sizes::by_name(name)),
        over: over
            .iter()
            .map(|one| Rc::new(sizes::by_name(one)))
            .collect(),
    });
    for one in over {
        name_parts(one, depth - 1, found);
    }
}

/// Types being taken apart.
struct Parts<'a> {
    debug: &'a Debug<'a>,
    types: &'a Types,
    seen: HashSet<Die>,
    found: Vec<Held>,
}

impl Parts<'_> {
    fn take(&mut self, die: Die, depth: usize) -> Option<()> {
        if depth == 0 || self.found.len() >= MANY || !self.seen.insert(die) {
            return None;
        }
        let entry = self.debug.entry(die)?;
        let of = self.types.read(self.debug, die);
        let inner = match entry.tag() {
            dw::DW_TAG_pointer_type => {
                let to = entry.attr_value(dw::DW_AT_type);
                to.and_then(|to| self.debug.target(die, to))
                    .into_iter()
                    .collect()
            }
            _ => self.parameters(die),
        };
        let over = inner
            .iter()
            .filter_map(|one| self.types.read(self.debug, *one))
            .collect();
        let is_made_by_compiler = of.as_ref().is_some_and(|of| is_anonymous(&of.name));
        self.found.extend(of.map(|of| Held { of, over }));
        for one in inner {
            self.take(one, depth - 1);
        }
        for variant in self.variants(die) {
            for one in self.targets(variant, dw::DW_TAG_member) {
                self.take(one, depth - 1);
            }
        }
        if is_made_by_compiler {
            for one in self.targets(die, dw::DW_TAG_member) {
                self.take(one, depth - 1);
            }
        }
        Some(())
    }

    /// What a type is generic over. An enum says so at its variants, of which all say the same.
    fn parameters(&self, die: Die) -> Vec<Die> {
        let own = self.targets(die, dw::DW_TAG_template_type_parameter);
        if !own.is_empty() {
            return own;
        }
        let variants = self.variants(die);
        variants.first().map_or_else(Vec::new, |variant| {
            self.targets(*variant, dw::DW_TAG_template_type_parameter)
        })
    }

    /// The variants of an enum, each a struct within it.
    fn variants(&self, die: Die) -> Vec<Die> {
        let variants = self.debug.children(die, dw::DW_TAG_structure_type);
        let at = |variant: &super::dwarf::Entry| Die {
            offset: variant.offset().0,
            ..die
        };
        variants.iter().map(at).collect()
    }

    fn targets(&self, die: Die, tag: gimli::DwTag) -> Vec<Die> {
        let entries = self.debug.children(die, tag);
        let target =
            |entry: &super::dwarf::Entry| self.debug.target(die, entry.attr_value(dw::DW_AT_type)?);
        entries.iter().filter_map(target).collect()
    }
}

/// Tuples, slices, and what closures capture: their members say what they are made up of.
fn is_anonymous(name: &str) -> bool {
    name.starts_with(['(', '&', '*']) || name.contains("{closure_env#") && !name.ends_with('>')
}

/// How many steps a variable may be from its declaration: more is damage.
const STEPS: usize = 4;

/// What says the type of a variable.
enum Says {
    Type(Value),
    Origin(Value),
}

fn type_of(debug: &Debug, from: Die, says: Says, steps: usize) -> Option<Die> {
    match says {
        Says::Type(value) => debug.target(from, value),
        Says::Origin(value) => {
            let steps = steps.checked_sub(1)?;
            let origin = debug.target(from, value)?;
            let entry = debug.entry(origin)?;
            let own = entry.attr_value(dw::DW_AT_type).map(Says::Type);
            let further = || {
                entry
                    .attr_value(dw::DW_AT_abstract_origin)
                    .map(Says::Origin)
            };
            type_of(debug, origin, own.or_else(further)?, steps)
        }
    }
}

/// What a function is an instance of.
fn origin(debug: &Debug, function: Die) -> Option<Die> {
    let origin = debug
        .entry(function)?
        .attr_value(dw::DW_AT_abstract_origin)?;
    debug.target(function, origin)
}

/// What a function returns: an instance says so at its declaration.
fn returned(debug: &Debug, function: Die, steps: usize) -> Option<Die> {
    let entry = debug.entry(function)?;
    if let Some(of) = entry.attr_value(dw::DW_AT_type) {
        return debug.target(function, of);
    }
    let origins = [dw::DW_AT_abstract_origin, dw::DW_AT_specification];
    let origin = origins
        .into_iter()
        .find_map(|name| entry.attr_value(name))?;
    returned(
        debug,
        debug.target(function, origin)?,
        steps.checked_sub(1)?,
    )
}

/// Hands out each variable, functions that are inlined elsewhere left out, for as long as it is asked to go on.
fn walk(
    debug: &Debug,
    function: Die,
    address: u64,
    take: &mut dyn FnMut(Says) -> bool,
) -> Option<()> {
    let mut entries = debug.skim(function.unit, Some(function.offset))?;
    debug.note(entries.next())??;
    // Entries deeper than this are in a function that is inlined elsewhere.
    let mut shown = isize::MAX;
    while let Some(met) = debug.note(entries.next())?.filter(|met| met.depth >= 1) {
        if met.depth > shown {
            continue;
        }
        shown = isize::MAX;
        match met.abbreviation.tag() {
            dw::DW_TAG_inlined_subroutine => {
                let bounds = debug.note(bounds(&entries, met.abbreviation))?;
                if !debug.covers(function.unit, &bounds, address) {
                    shown = met.depth;
                }
            }
            dw::DW_TAG_variable | dw::DW_TAG_formal_parameter => {
                let says = debug.note(says(&entries, met.abbreviation))?;
                if says.is_some_and(|says| !take(says)) {
                    return None;
                }
            }
            dw::DW_TAG_lexical_block => {}
            _ => shown = met.depth,
        }
    }
    Some(())
}

/// Where the code of an entry is.
pub(super) fn bounds(
    entries: &Skim<'_>,
    abbreviation: &gimli::Abbreviation,
) -> gimli::Result<Bounds> {
    let mut bounds = Bounds::default();
    let mut raw = entries.read()?;
    for attribute in abbreviation.attributes() {
        bounds.take(&raw.read_attribute(*attribute)?);
    }
    Ok(bounds)
}

fn says(entries: &Skim<'_>, abbreviation: &gimli::Abbreviation) -> gimli::Result<Option<Says>> {
    let mut says = None;
    let mut raw = entries.read()?;
    for attribute in abbreviation.attributes() {
        let attribute = raw.read_attribute(*attribute)?;
        match attribute.name() {
            dw::DW_AT_type => says = Some(Says::Type(attribute.value())),
            dw::DW_AT_abstract_origin => says = Some(Says::Origin(attribute.value())),
            _ => {}
        }
    }
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_types_are_taken_apart() {
        let mut found = Vec::new();
        let name = "&mut core::option::Option<(alloc::rc::Rc<a::B>, [a::C; 3])>";
        name_parts(name, DEPTH, &mut found);
        let names: Vec<_> = found.iter().map(|held| held.of.name.as_str()).collect();
        assert_eq!(names[2], "(alloc::rc::Rc<a::B>, [a::C; 3])");
        assert!(names.contains(&"a::B") && names.contains(&"a::C"));
        assert_eq!(found[2].over[0].name, "alloc::rc::Rc<a::B>");
    }
}
