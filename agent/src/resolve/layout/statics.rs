//! `resolve`: the variables of a file that live as long as the program or a thread, and its vtables: one pass over all units.
//! Reads bytes, nothing else.

use std::collections::HashMap;

use gimli::{AttributeValue, EntriesRaw, Operation, constants as dw};

use crate::heap::{Step, Unit, Waiting};
use crate::resolve::dwarf::{Debug, Die, Slice, Value};
use crate::resolve::paths::without_generics;

/// What one pass over a file keeps.
#[derive(Debug, Default)]
pub(in crate::resolve) struct Statics {
    /// Variables with a name of their own.
    pub(in crate::resolve) named: Vec<Variable>,
    /// The description of the type of a vtable by the vtable's address.
    pub(in crate::resolve) vtables: HashMap<u64, Die>,
}

/// A variable.
#[derive(Debug)]
pub(in crate::resolve) struct Variable {
    /// With its path.
    pub(in crate::resolve) name: String,
    pub(in crate::resolve) spot: Spot,
    pub(in crate::resolve) of: Die,
}

/// Where a variable is, in the file's own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::resolve) enum Spot {
    At(u64),
    /// In the block of thread-local variables.
    OfThread(u64),
}

/// What the standard library calls the variable behind a `thread_local!`.
const OF_THREAD: &[&str] = &["__RUST_STD_INTERNAL_VAL", "__RUST_STD_INTERNAL_INIT", "VAL"];
/// Names deep enough for any path.
const DEPTH: usize = 64;

impl Statics {
    /// Comes by every entry of a file once. None where nobody waits for it any more.
    pub(in crate::resolve) fn read(debug: &Debug, waiting: &dyn Waiting) -> Option<Self> {
        let mut statics = Statics::default();
        for unit in 0..debug.units_count() {
            let step = Step {
                what: "reading debug information",
                done: unit as u64,
                total: debug.units_count() as u64,
                unit: Unit::Of("units"),
            };
            if !waiting.goes_on(step) {
                return None;
            }
            let mut pass = Pass {
                debug,
                unit,
                around: Vec::new(),
            };
            // What is damaged ends its unit alone.
            let _noted = debug.note(pass.run(&mut statics));
        }
        statics.drop_dead();
        Some(statics)
    }

    /// Of a `thread_local!` there are several, and the linker leaves the dead ones at the beginning of the block.
    fn drop_dead(&mut self) {
        let mut best: HashMap<String, usize> = HashMap::new();
        let mut dead = vec![false; self.named.len()];
        for (i, variable) in self.named.iter().enumerate() {
            let Spot::OfThread(offset) = variable.spot else {
                continue;
            };
            match best.get(&variable.name).copied() {
                Some(other) if offset == 0 => dead[i] = i != other,
                Some(other) => {
                    dead[other] = true;
                    best.insert(variable.name.clone(), i);
                }
                None => {
                    best.insert(variable.name.clone(), i);
                }
            }
        }
        let mut dead = dead.into_iter();
        self.named.retain(|_| dead.next() == Some(false));
    }
}

/// One unit being read.
struct Pass<'p> {
    debug: &'p Debug<'p>,
    unit: usize,
    /// The namespaces around the entry being read, with their depths; none in the place of a function.
    around: Vec<(isize, Option<&'static str>)>,
}

impl Pass<'_> {
    fn run(&mut self, statics: &mut Statics) -> gimli::Result<()> {
        let Some(mut entries) = self.debug.skim(self.unit, None) else {
            return Ok(());
        };
        while let Some(met) = entries.next()? {
            let tag = met.abbreviation.tag();
            if !matches!(
                tag,
                dw::DW_TAG_subprogram | dw::DW_TAG_namespace | dw::DW_TAG_variable
            ) {
                continue;
            }
            while self
                .around
                .pop_if(|(outer, _)| *outer >= met.depth)
                .is_some()
            {}
            let is_inside = self.around.last().is_some_and(|(_, name)| name.is_none());
            match tag {
                dw::DW_TAG_subprogram if !is_inside => self.around.push((met.depth, None)),
                dw::DW_TAG_namespace if !is_inside && self.around.len() < DEPTH => {
                    let (name, ..) = self.variable(entries.read()?, met.abbreviation)?;
                    let name = name.unwrap_or("{unnamed}");
                    self.around.push((met.depth, Some(name)));
                }
                dw::DW_TAG_variable if !is_inside => {
                    let (name, of, place) = self.variable(entries.read()?, met.abbreviation)?;
                    if let (Some(name), Some(of), Some(place)) = (name, of, place) {
                        self.add(statics, name, of, place);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Name, type and place of the entry that comes next.
    fn variable(
        &self,
        mut raw: EntriesRaw<'_, Slice>,
        abbreviation: &gimli::Abbreviation,
    ) -> gimli::Result<(Option<&'static str>, Option<Value>, Option<Spot>)> {
        let (mut name, mut of, mut place) = (None, None, None);
        for attribute in abbreviation.attributes() {
            let attribute = raw.read_attribute(*attribute)?;
            match attribute.name() {
                dw::DW_AT_name => name = self.debug.text(self.unit, attribute.value()),
                dw::DW_AT_type => of = Some(attribute.value()),
                dw::DW_AT_location => place = self.place(attribute.value()),
                _ => {}
            }
        }
        Ok((name, of, place))
    }

    fn place(&self, location: Value) -> Option<Spot> {
        let AttributeValue::Exprloc(expression) = location else {
            return None;
        };
        let unit = self.debug.unit(self.unit)?;
        let mut operations = expression.operations(unit.encoding());
        let first = operations.next().ok()??;
        let second = operations.next().ok()?;
        let address = match first {
            Operation::Address { address } => Some(address),
            Operation::AddressIndex { index } => self.debug.address(self.unit, index),
            _ => None,
        };
        match (address, first, second) {
            // What the linker left out stands at zero, or at all ones.
            (Some(address), _, None) if (1..u64::MAX - 1).contains(&address) => {
                Some(Spot::At(address))
            }
            (None, Operation::UnsignedConstant { value }, Some(Operation::TLS)) => {
                Some(Spot::OfThread(value))
            }
            (None, Operation::SignedConstant { value }, Some(Operation::TLS)) => {
                Some(Spot::OfThread(value.cast_unsigned()))
            }
            _ => None,
        }
    }

    fn add(&self, statics: &mut Statics, name: &'static str, of: Value, spot: Spot) {
        let here = Die {
            unit: self.unit,
            offset: 0,
        };
        let Some(of) = self.debug.target(here, of) else {
            return;
        };
        if name.ends_with("::{vtable}") {
            if let Spot::At(address) = spot {
                statics.vtables.insert(address, of);
            }
            return;
        }
        let mut segments: Vec<String> = self
            .around
            .iter()
            .filter_map(|(_, name)| Some(without_generics((*name)?)))
            .collect();
        match OF_THREAD.contains(&name) && matches!(spot, Spot::OfThread(_)) {
            // It stands in a closure in a constant of the name that the program gave.
            true => while segments.pop_if(|last| last.starts_with('{')).is_some() {},
            false => segments.push(name.to_owned()),
        }
        statics.named.push(Variable {
            name: segments.join("::"),
            spot,
            of,
        });
    }
}
