//! `resolve`: one object file with all that is known of it so far. Opened when first asked for.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::chain::{Link, chain};
use super::closures;
use super::dwarf::{Debug, Die};
use super::function::{Function, Functions};
use super::infer::Merged;
use super::layout::{Read, Statics};
use super::lines::{File, Lines};
use super::locals::{self, InFrame};
use super::missing::{self, Missing};
use super::object::{Object, ObjectError};
use super::paths::{is_within, last_segment};
use super::separate;
use super::split::Splits;
use super::symbols;
use super::types::{Types, join};
use super::variables::{self, Held};
use crate::heap::{Files, Gap, Layout, Module, TypeId, Waiting};

/// An object file. Addresses are in its own numbering.
#[derive(Debug, Default)]
pub(super) struct Image<'a> {
    object: Option<Object>,
    /// The file with its debug information, where that is apart. Its addresses are the same; its code is left out.
    apart: Option<Object>,
    debug: Option<Debug<'a>>,
    missing: Vec<Missing>,
    functions: Functions,
    types: Types,
    known: RefCell<HashMap<u64, Rc<[Rc<Function>]>>>,
    /// A function of the program's own that has a symbol and no description.
    undescribed: RefCell<Option<String>>,
    variables: RefCell<HashMap<u64, Rc<[Held]>>>,
    statics: OnceCell<Statics>,
}

/// Crates that come compiled with the standard library, some without debug information, and the allocator's shims, which never
/// have any: no build of the program's changes that.
const STANDARD: &[&str] = &[
    "__rustc",
    "addr2line",
    "alloc",
    "core",
    "gimli",
    "hashbrown",
    "miniz_oxide",
    "object",
    "rustc_demangle",
    "std",
];

/// A file and a line in it.
pub(super) type Place = (File, u32);

impl<'a> Image<'a> {
    /// Reads what the file of a module is made of, and finds its debug information where it is apart.
    pub(super) fn open(module: &Module, files: &'a dyn Files) -> Self {
        let bytes = files.open(&module.path).map_err(Missing::File);
        let parsed = bytes.and_then(|bytes| Object::parse(bytes).map_err(Missing::Object));
        let object = match parsed {
            Ok(object) => object,
            Err(missing) => {
                return Image {
                    missing: vec![missing],
                    ..Image::default()
                };
            }
        };
        let splits = Splits::new(files, vec![PathBuf::from(&module.name)]);
        let own = Debug::open(|name| object.section(name), splits);
        let mut image = match own {
            Ok(Some(debug)) => Image {
                debug: Some(debug),
                ..Image::default()
            },
            own => Image::apart(&object, module, files, own.err()),
        };
        let described = image.apart.as_ref().unwrap_or(&object);
        image
            .missing
            .extend(described.shared().map(Missing::Shared));
        image.object = Some(object);
        image
    }

    /// One whose own file has no debug information, perhaps since it is damaged.
    fn apart(
        object: &Object,
        module: &Module,
        files: &'a dyn Files,
        damage: Option<ObjectError>,
    ) -> Self {
        let missing = match separate::find(object, module, files) {
            Ok(Some(found)) => {
                return Image {
                    apart: Some(found.object),
                    debug: Some(found.debug),
                    ..Image::default()
                };
            }
            Ok(None) => None,
            Err(missing) => Some(missing),
        };
        let own = damage.map(Missing::Object).or(missing);
        let own = own.unwrap_or_else(|| match object.is_stripped() {
            true => Missing::Symbols(object.build_id().map(<[u8]>::to_vec)),
            false => Missing::Debug,
        });
        Image {
            missing: vec![own],
            ..Image::default()
        }
    }

    /// The functions at an address, innermost first; the last is the one that was compiled. Empty when unknown.
    pub(super) fn functions_at(&self, address: u64) -> Rc<[Rc<Function>]> {
        if let Some(known) = self.known.borrow().get(&address) {
            return known.clone();
        }
        let described = self
            .debug
            .as_ref()
            .map(|debug| self.by_debug(debug, address));
        let mut found = described.unwrap_or_default();
        if found.is_empty() {
            found.extend(self.by_symbol(address));
            self.note_undescribed(&found);
        }
        let found: Rc<[_]> = found.into();
        self.known.borrow_mut().insert(address, found.clone());
        found
    }

    fn by_debug(&self, debug: &Debug, address: u64) -> Vec<Rc<Function>> {
        let links = chain(debug, address);
        let read = |link: &Link| self.functions.read(debug, &self.types, link.die);
        let mut found: Vec<_> = links.iter().map(read).collect();
        if found.iter().any(|function| is_bare(function)) {
            for (function, place) in found.iter_mut().zip(places(debug, &links, address)) {
                *function = in_module(function, place.as_ref());
            }
            if let Some(function) = found.last_mut().filter(|function| is_bare(function)) {
                *function = self.by_own_symbol(function, address);
            }
        }
        found
    }

    /// A function without its path, as the symbol of the code at an address has it, if that is of a function of its name.
    fn by_own_symbol(&self, function: &Rc<Function>, address: u64) -> Rc<Function> {
        let symbol = self.by_symbol(address);
        let path = symbol
            .map(|symbol| symbol.path.clone())
            .filter(|path| last_segment(path) == function.path);
        match path {
            Some(path) => Rc::new(at_path(function, path)),
            None => function.clone(),
        }
    }

    /// For each of the functions at an address, where the address is in it.
    pub(super) fn places_at(&self, address: u64) -> Vec<Option<Place>> {
        let debug = self.debug.as_ref();
        debug
            .map(|debug| places(debug, &chain(debug, address), address))
            .unwrap_or_default()
    }

    /// What the variables of the functions at an address are made up of.
    pub(super) fn variables_at(&self, address: u64) -> Rc<[Held]> {
        if let Some(known) = self.variables.borrow().get(&address) {
            return known.clone();
        }
        let debug = self.debug.as_ref();
        let found = debug.map(|debug| match debug.describes_types_at(address) {
            Some(false) => variables::by_names(debug, &self.functions, &self.types, address),
            _ => variables::at(debug, &self.types, address),
        });
        let found: Rc<[Held]> = found.unwrap_or_default().into();
        self.variables.borrow_mut().insert(address, found.clone());
        found
    }

    /// The local variable at a place in the frame of the function at an address.
    pub(super) fn local_at(&self, address: u64, place: InFrame) -> Option<String> {
        locals::at(self.debug.as_ref()?, &self.types, address, place)
    }

    /// How the values of a type lie in memory; `number` numbers those that it refers to.
    pub(super) fn layout(&self, die: Die, number: &dyn Fn(Die) -> TypeId) -> Option<Layout> {
        let read = Read {
            debug: self.debug.as_ref()?,
            types: &self.types,
            number,
        };
        read.layout(die)
    }

    /// A type that was met before, by its name as the compiler writes it and its size in bytes.
    pub(super) fn type_named(&self, name: &str, size: Option<u64>) -> Option<Die> {
        self.types.named(name, size)
    }

    /// The name of a type as the compiler writes it.
    pub(super) fn name_of_type(&self, die: Die) -> Option<String> {
        let of = self.types.read(self.debug.as_ref()?, die)?;
        Some(of.name.clone())
    }

    /// The variables that live as long as the program, and the vtables. None where nobody waits for them any more.
    pub(super) fn statics(&self, waiting: &dyn Waiting) -> Option<&Statics> {
        if let Some(known) = self.statics.get() {
            return Some(known);
        }
        let read = match &self.debug {
            Some(debug) => Statics::read(debug, waiting)?,
            None => Statics::default(),
        };
        Some(self.statics.get_or_init(|| read))
    }

    /// The type whose vtable stands at an address.
    pub(super) fn type_behind(&self, vtable: u64, waiting: &dyn Waiting) -> Option<Die> {
        let debug = self.debug.as_ref()?;
        let table = *self.statics(waiting)?.vtables.get(&vtable)?;
        let of = debug.entry(table)?;
        debug.target(table, of.attr_value(gimli::DW_AT_containing_type)?)
    }

    /// The static or thread-local that covers an address, and how far into it that is.
    pub(super) fn variable_at(&self, address: u64, thread_local: bool) -> Option<(String, u64)> {
        let (symbol, offset) = self.with_symbols()?.variable_at(address, thread_local)?;
        Some((symbols::variable(symbol), offset))
    }

    fn by_symbol(&self, address: u64) -> Option<Rc<Function>> {
        let symbol = self.with_symbols()?.function_at(address)?;
        Some(Rc::new(symbols::function(symbol)))
    }

    /// Remembers code of Rust's that nobody described, although code of other units is.
    fn note_undescribed(&self, found: &[Rc<Function>]) {
        let Some(function) = found.first().filter(|_| self.debug.is_some()) else {
            return;
        };
        let standard = STANDARD.iter().any(|name| is_within(&function.path, name));
        if function.path.contains("::") && !standard {
            let mut known = self.undescribed.borrow_mut();
            known.get_or_insert_with(|| function.path.clone());
        }
    }

    /// The file whose symbols are to be believed: a stripped one has only what the dynamic linker needs.
    fn with_symbols(&self) -> Option<&Object> {
        let object = self.object.as_ref()?;
        let apart = self.apart.as_ref().filter(|_| object.is_stripped());
        Some(apart.filter(|apart| !apart.is_stripped()).unwrap_or(object))
    }

    /// Whether the function at an address was merged with others.
    pub(super) fn merged(&self, address: u64) -> Merged {
        if self
            .debug
            .as_ref()
            .is_some_and(|debug| debug.is_unoptimised_at(address))
        {
            return Merged::No;
        }
        let shared = self
            .with_symbols()
            .is_some_and(|object| object.is_shared(address));
        if shared { Merged::Yes } else { Merged::Perhaps }
    }

    /// Whether types are described where an address is. `None`: the code there was not compiled with the program.
    pub(super) fn describes_types_at(&self, address: u64) -> Option<bool> {
        self.debug.as_ref()?.describes_types_at(address)
    }

    /// Whether two addresses are of one function, as far as is described.
    pub(super) fn is_one_function(&self, one: u64, other: u64) -> bool {
        let at = |address| self.debug.as_ref()?.function_at(address);
        at(one).is_some() && at(one) == at(other)
    }

    /// Where a closure stands in the source, from the path of its type, if the unit that covers an address has its body.
    pub(super) fn place_of_closure(&self, address: u64, path: &str) -> Option<String> {
        closures::place(self.debug.as_ref()?, address, path)
    }

    /// Where the direct call leads that returns to an address.
    pub(super) fn call_target(&self, return_address: u64) -> Option<u64> {
        self.object.as_ref()?.call_target(return_address)
    }

    /// What the file lacks, as far as it has shown; the module goes by this name.
    pub(super) fn gaps(&self, module: &str) -> Vec<Gap> {
        let mut gaps: Vec<_> = self.missing.iter().map(|one| one.gap(module)).collect();
        let Some(debug) = &self.debug else {
            return gaps;
        };
        let lost = debug.lost();
        if let Some(lost) = &lost {
            gaps.push(missing::of_split(lost, module));
        } else if debug.lacks_types() && debug.lacks_paths() {
            gaps.push(Missing::Lines.gap(module));
        } else if let Some(path) = &*self.undescribed.borrow() {
            gaps.push(Missing::Description(path.clone()).gap(module));
        } else if debug.lacks_types() {
            gaps.push(Missing::Types.gap(module));
        }
        if debug.is_damaged() {
            gaps.push(Missing::Damaged.gap(module));
        }
        gaps
    }
}

/// The place of an address in the innermost function, then where each is called from in the next.
fn places(debug: &Debug, links: &[Link], address: u64) -> Vec<Option<Place>> {
    let lines = links.last().and_then(|link| debug.lines(link.die.unit));
    let calls = links.iter().map(|link| {
        let (file, line) = link.called_at?;
        Some((lines?.file(file)?, line))
    });
    let own = lines.and_then(|lines| lines.at(address));
    let unknown = || lines.map(Lines::unknown);
    let places = std::iter::once(own).chain(calls).take(links.len());
    places.map(|place| place.or_else(unknown)).collect()
}

/// Line tables alone name functions without their path.
fn is_bare(function: &Function) -> bool {
    !function.path.is_empty() && !function.path.contains("::")
}

/// A function without its path, put into the module that its source file is.
fn in_module(function: &Rc<Function>, place: Option<&Place>) -> Rc<Function> {
    let module = place
        .filter(|_| is_bare(function))
        .and_then(|(file, _)| module_of(&file.path));
    let Some(module) = module else {
        return function.clone();
    };
    Rc::new(at_path(function, join(&module, &function.path)))
}

/// A function at a path, of which only the name was known.
fn at_path(function: &Function, path: String) -> Function {
    let arguments: Vec<&str> = function
        .parameters
        .iter()
        .map(|one| one.of.name.as_str())
        .collect();
    Function {
        symbol: function.symbol.clone(),
        over_text: function.over_text,
        over_slice: function.over_slice,
        described: true,
        ..Function::from_texts(path, &arguments)
    }
}

/// `…/alloc/src/raw_vec/mod.rs` is `alloc::raw_vec`; `…/tokio-1.48.0/src/sync/mutex.rs` is `tokio::sync::mutex`.
fn module_of(file: &str) -> Option<String> {
    let (root, inside) = file.strip_suffix(".rs")?.rsplit_once("/src/")?;
    let package = root.rsplit('/').next()?;
    let name = match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => package,
    };
    let inside = inside
        .strip_suffix("/mod")
        .unwrap_or(inside)
        .replace('/', "::");
    let name = name.replace('-', "_");
    Some(match inside.as_str() {
        "lib" | "main" => name,
        inside => format!("{name}::{inside}"),
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    #[test]
    fn modules_are_told_from_files() {
        let module = |file| module_of(file).unwrap();
        assert_eq!(
            module("/rustc/59807/library/alloc/src/raw_vec/mod.rs"),
            "alloc::raw_vec"
        );
        assert_eq!(
            module("/r/src/index/tokio-1.48.0/src/sync/mutex.rs"),
            "tokio::sync::mutex"
        );
        assert_eq!(module("/w/demo-server/src/main.rs"), "demo_server");
        assert_eq!(module_of("main.c"), None);
    }

    /// A file that is everywhere.
    struct Everywhere(&'static [u8]);

    impl Files for Everywhere {
        fn open(&self, _: &Path) -> io::Result<&'static [u8]> {
            Ok(self.0)
        }
    }

    /// Rust's own builders leave types out of the standard library. Nothing else may have been asked for yet.
    #[test]
    fn only_what_was_compiled_with_the_program_is_said_to_lack_types() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let files = Everywhere(bytes.leak());
        let module = Module {
            path: "/srv/demo".into(),
            name: "/srv/demo".into(),
            start: 0,
            end: 1 << 40,
            bias: 0,
        };
        let image = Image::open(&module, &files);
        let debug = image.debug.as_ref().unwrap();
        let others = debug.covered_by_others();
        let asked = others
            .iter()
            .filter(|address| !image.functions_at(**address).is_empty());
        assert!(asked.count() > 0, "nothing of the standard library's");
        assert_eq!(image.gaps("demo"), []);
    }

    #[test]
    fn what_is_no_object_file_is_a_gap_and_nothing_more() {
        let module = Module {
            path: "/srv/demo".into(),
            name: "/srv/demo".into(),
            start: 0,
            end: 1 << 20,
            bias: 0,
        };
        for bytes in [&b""[..], b"\x7fELF", b"\x7fELF\x02\x01\x01", &[0xff; 4096]] {
            let files = Everywhere(bytes);
            let image = Image::open(&module, &files);
            assert_eq!(image.gaps("demo").len(), 1);
            assert!(image.functions_at(0x1000).is_empty());
            assert_eq!(image.call_target(0x1000), None);
        }
    }
}
