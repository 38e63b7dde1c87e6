//! `resolve`: bytes of object files -> names: which type a block has, how a stack reads. Knows no process, no clock and no
//! terminal; reads files through [`Files`] alone, and only when an address in them is asked for.
//!
//! The generics of a Rust function stand in its debug information, and the stack that allocated a block goes through functions
//! generic over the block's type. So: each return address is expanded into the functions inlined there (`chain`), innermost
//! first; the first whose form is known (`forms`) and fits the block's size and alignment decides (`infer`); those further
//! out say who owns the block (`holder`, `owner`). Nothing a file says is believed: what cannot be read becomes a [`Gap`].

mod bounds;
mod chain;
mod closures;
#[cfg(test)]
mod damage;
mod dwarf;
mod forms;
mod frames;
mod function;
mod holder;
mod image;
mod index;
mod infer;
#[cfg(test)]
mod inference;
mod inflate;
mod layout;
mod lines;
mod locals;
mod merged;
mod missing;
mod name;
mod object;
mod owner;
mod paths;
mod separate;
mod shorten;
mod sizes;
mod skim;
mod split;
mod sure;
mod symbols;
mod types;
mod variables;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

use function::Function;
use image::Image;
use infer::{Call, Found, Merged, Stack};
use locals::InFrame;
use name::Writer;
use owner::Owner;
use shorten::Shortener;
use variables::Held;

use crate::heap::{
    Address, Confidence, Datum, Files, Frame, Gap, Layouts, Module, Names, Patient, Site, SiteId,
    Told, TypeName, Variable, Waiting,
};

/// Names types and frames from the debug information of a program's object files.
pub struct Resolver<'a> {
    files: &'a dyn Files,
    modules: Vec<Module>,
    /// Each module's object file; modules of one file share it.
    images: Vec<Rc<OnceCell<Image<'a>>>>,
    types: HashMap<(SiteId, u64, u64), TypeName>,
    /// The keys of these, in the order in which they were asked for.
    asked: Vec<(SiteId, u64, u64)>,
    /// Equal types are equal names, shortened alike.
    names: HashMap<(Owner, Confidence), TypeName>,
    shortener: RefCell<Shortener>,
    frames: HashMap<Address, Rc<[Frame]>>,
    /// Where closures stand, by the paths of their types.
    places: RefCell<HashMap<String, Option<String>>>,
    /// Modules in which blocks were allocated whose type could not be told for sure.
    wanting: BTreeSet<usize>,
    /// Layouts, variables and what blocks hold.
    known: layout::Known,
    waiting: &'a dyn Waiting,
}

/// How many return addresses are looked at: the deciding one is the fourth at most in release builds, the ninth without
/// optimisation.
const LEVELS: usize = 24;

/// Files that hold no Rust.
const OF_C: [&str; 6] = [
    "ld-linux",
    "libc.so",
    "libgcc_s.so",
    "libm.so",
    "libpthread.so",
    "libstdc++.so",
];

/// Whether a mapped file, by its path, is one of those.
fn is_of_c(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    OF_C.iter().any(|begin| name.starts_with(begin))
}

impl<'a> Resolver<'a> {
    /// For the program made up of these modules. Opens nothing yet.
    pub fn new(modules: Vec<Module>, files: &'a dyn Files) -> Resolver<'a> {
        let mut by_path: HashMap<_, Rc<OnceCell<Image<'a>>>> = HashMap::new();
        let images = modules.iter().map(|module| {
            by_path
                .entry(module.path.clone())
                .or_insert_with(Rc::default)
                .clone()
        });
        Resolver {
            files,
            images: images.collect(),
            modules,
            types: HashMap::new(),
            asked: Vec::new(),
            names: HashMap::new(),
            shortener: RefCell::default(),
            frames: HashMap::new(),
            places: RefCell::default(),
            wanting: BTreeSet::new(),
            known: layout::Known::default(),
            waiting: &Patient,
        }
    }

    /// Says from now on how far long work is.
    pub fn tell(&mut self, waiting: &'a dyn Waiting) {
        self.waiting = waiting;
    }

    /// Believes what an earlier one told of the same modules. Short names come out as they did then, as long as nothing was
    /// asked for before.
    pub fn know(&mut self, told: Vec<Told>) {
        for one in told {
            let owner = Owner {
                full: one.name.full.to_string(),
                payload: one.name.payload.iter().map(|one| one.to_string()).collect(),
            };
            let name = self.name(owner, one.name.confidence);
            self.remember((one.site, one.size, one.align), name);
        }
    }

    fn remember(&mut self, key: (SiteId, u64, u64), name: TypeName) {
        if self.types.insert(key, name).is_none() {
            self.asked.push(key);
        }
    }

    /// The number of the module that an address of the process lies in, its object file, and the address there.
    fn locate(&self, address: u64) -> Option<(usize, &Image<'a>, u64)> {
        let number = self
            .modules
            .iter()
            .position(|module| module.contains(address))?;
        let image = self.image(number)?;
        Some((number, image, self.modules.get(number)?.to_file(address)))
    }

    /// The object file of a module.
    fn image(&self, number: usize) -> Option<&Image<'a>> {
        let module = self.modules.get(number)?;
        let open = || Image::open(module, self.files);
        Some(self.images.get(number)?.get_or_init(open))
    }

    /// Like [`locate`](Self::locate), for code that may be Rust's. The rest says nothing of types, and its debug information, where there is any, is
    /// large, apart and compressed.
    fn locate_rust(&self, address: u64) -> Option<(usize, &Image<'a>, u64)> {
        let holds = |module: &&Module| module.contains(address);
        let module = self.modules.iter().find(holds)?;
        (!is_of_c(&module.name)).then(|| self.locate(address))?
    }

    /// The functions at one level of a stack, ready to be judged. `None`: the stack ends.
    fn calls(&self, site: &Site, level: usize) -> Option<Vec<Call>> {
        let return_address = site.frames.get(level).filter(|_| level < LEVELS)?.0;
        let Some((_, image, address)) = self.locate_rust(return_address.wrapping_sub(1)) else {
            return Some(Vec::new());
        };
        let found = image.functions_at(address);
        let instance = self.instance(site, level, found.last());
        let merged = match &instance {
            Some(_) => Merged::No,
            None => image.merged(address),
        };
        let call = |function: &Rc<Function>| Call {
            function: match &instance {
                Some((merged, meant)) => Rc::new(function.as_instance(merged, meant)),
                None => function.clone(),
            },
            level,
            merged,
        };
        Some(found.iter().map(call).collect())
    }

    /// What the variables of the functions at one level of a stack are made up of.
    fn variables(&self, site: &Site, level: usize) -> Rc<[Held]> {
        let place = site
            .frames
            .get(level)
            .and_then(|address| self.locate_rust(address.0.wrapping_sub(1)));
        place.map_or_else(Rc::default, |(_, image, address)| {
            image.variables_at(address)
        })
    }

    /// A function that was merged with another instance of itself, and the one that its caller meant: builds that keep thunks
    /// for merged functions name it in the call instruction.
    fn instance(
        &self,
        site: &Site,
        level: usize,
        merged: Option<&Rc<Function>>,
    ) -> Option<(Rc<Function>, Rc<Function>)> {
        let merged = merged?.clone();
        let (module, _, inside) = self.locate_rust(site.frames.get(level)?.0.wrapping_sub(1))?;
        let (caller, image, return_address) = self.locate_rust(site.frames.get(level + 1)?.0)?;
        let target = image.call_target(return_address)?;
        if module != caller || image.is_one_function(inside, target) {
            return None;
        }
        let meant = image.functions_at(target).last()?.clone();
        meant
            .is_other_instance_of(&merged)
            .then_some((merged, meant))
    }

    fn infer(&self, site: &Site, size: u64, align: u64) -> Option<(Owner, Confidence)> {
        self.found(site, size, align, |found, stack| {
            let place = |path: &str| self.place_of_closure(site, path);
            let writer = Writer { place: &place };
            (owner::owner(&found, stack, &writer), found.confidence)
        })
    }

    /// What a block is, told from the stack that allocated it.
    fn found<T>(
        &self,
        site: &Site,
        size: u64,
        align: u64,
        then: impl FnOnce(Found, &mut Stack<'_>) -> T,
    ) -> Option<T> {
        let mut level = 0;
        let more = || {
            level += 1;
            self.calls(site, level - 1)
        };
        let mut stack = Stack::new(more, |level| self.variables(site, level));
        let mut found = infer::infer(&mut stack, size, align)?;
        // Without types the size of what was found is at best guessed from its name, and nothing says what callers work with.
        if found.confidence == Confidence::Exact && !self.describes_types(site) {
            found.confidence = Confidence::Likely;
        }
        Some(then(found, &mut stack))
    }

    /// Whether the innermost code of the program's on a stack, its libraries' included, is described with its types.
    fn describes_types(&self, site: &Site) -> bool {
        let mut near = site.frames.iter().take(LEVELS);
        let described = near.find_map(|address| {
            let (_, image, address) = self.locate_rust(address.0.wrapping_sub(1))?;
            image.describes_types_at(address)
        });
        described.unwrap_or(true)
    }

    /// Where a closure stands in the source: its body is compiled near a function that was on the stack when it was boxed. The
    /// first answer holds, so that equal types stay equal.
    fn place_of_closure(&self, site: &Site, path: &str) -> Option<String> {
        if let Some(known) = self.places.borrow().get(path) {
            return known.clone();
        }
        let near = site.frames.iter().take(LEVELS);
        let place = near.into_iter().find_map(|address| {
            let (_, image, address) = self.locate_rust(address.0.wrapping_sub(1))?;
            image.place_of_closure(address, path)
        });
        self.places
            .borrow_mut()
            .insert(path.to_string(), place.clone());
        place
    }

    /// A type's name, shortened; the same for equal types.
    fn name(&mut self, owner: Owner, confidence: Confidence) -> TypeName {
        if let Some(known) = self.names.get(&(owner.clone(), confidence)) {
            return known.clone();
        }
        let name = TypeName {
            full: owner.full.as_str().into(),
            short: self.shortener.borrow_mut().shorten(&owner.full).into(),
            payload: owner
                .payload
                .iter()
                .map(|one| one.as_str().into())
                .collect(),
            confidence,
        };
        self.names.insert((owner, confidence), name.clone());
        name
    }

    /// Remembers that something would be known if the module that allocates were built otherwise.
    fn note_wanting(&mut self, site: &Site) {
        let first = site
            .frames
            .first()
            .and_then(|address| self.locate(address.0.wrapping_sub(1)));
        if let Some((number, ..)) = first {
            self.wanting.insert(number);
        }
    }
}

impl Names for Resolver<'_> {
    fn type_of(&mut self, site: &Site, size: u64, align: u64) -> TypeName {
        let key = (site.id, size, align);
        if let Some(known) = self.types.get(&key) {
            return known.clone();
        }
        let (owner, confidence) = match self.infer(site, size, align) {
            Some(inferred) => inferred,
            None if align == 1 => (owner::bytes(), Confidence::Guess),
            None => (Owner::default(), Confidence::Unknown),
        };
        if confidence < Confidence::Exact {
            self.note_wanting(site);
        }
        let name = self.name(owner, confidence);
        self.remember(key, name.clone());
        name
    }

    fn frames(&mut self, return_address: Address) -> Rc<[Frame]> {
        if let Some(known) = self.frames.get(&return_address) {
            return known.clone();
        }
        let address = return_address.0.wrapping_sub(1);
        let shown = match self.locate(address) {
            Some((number, image, inside)) => {
                let (found, places) = (image.functions_at(inside), image.places_at(inside));
                frames::frames(&found, &places, self.modules.get(number), inside)
            }
            None => frames::frames(&[], &[], None, address),
        };
        let shown: Rc<[Frame]> = shown.into();
        self.frames.insert(return_address, shown.clone());
        shown
    }

    fn layouts(&self) -> &dyn Layouts {
        self
    }

    fn variable(&mut self, at: Datum) -> Option<Variable> {
        let module = self.modules.get(at.module as usize)?;
        let open = || Image::open(module, self.files);
        let image = self.images.get(at.module as usize)?.get_or_init(open);
        let (name, offset) = image.variable_at(at.address, at.thread_local)?;
        Some(Variable {
            name: name.into(),
            offset,
        })
    }

    fn local(&mut self, return_address: Address, at: i64, end: Option<i64>) -> Option<Rc<str>> {
        let (_, image, inside) = self.locate(return_address.0.wrapping_sub(1))?;
        image.local_at(inside, InFrame { at, end }).map(Rc::from)
    }

    fn gaps(&self) -> Vec<Gap> {
        let lacks = self.wanting.iter().filter_map(|number| {
            let image = self.images.get(*number)?.get()?;
            Some(image.gaps(&self.modules.get(*number)?.name))
        });
        let lacks = lacks.flatten();
        lacks.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn told(&self) -> Vec<Told> {
        let told = |key: &(SiteId, u64, u64)| {
            let (site, size, align) = *key;
            let name = self.types.get(key)?.clone();
            Some(Told {
                site,
                size,
                align,
                name,
            })
        };
        self.asked.iter().filter_map(told).collect()
    }
}

impl fmt::Debug for Resolver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("modules", &self.modules)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    struct Nothing;

    impl Files for Nothing {
        fn open(&self, _: &Path) -> io::Result<&'static [u8]> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn told(site: u32, full: &str) -> Told {
        Told {
            site: SiteId(site),
            size: 48,
            align: 8,
            name: TypeName {
                full: full.into(),
                short: full.into(),
                payload: [full.into()].into(),
                confidence: Confidence::Exact,
            },
        }
    }

    fn site(number: u32) -> Site {
        Site {
            id: SiteId(number),
            ..Site::default()
        }
    }

    /// Each look read debug information anew.
    #[test]
    fn what_an_earlier_look_told_needs_no_file() {
        let mut resolver = Resolver::new(Vec::new(), &Nothing);
        resolver.know(vec![told(1, "a::Entity"), told(2, "b::Entity")]);
        let name = resolver.type_of(&site(2), 48, 8);
        assert_eq!((&*name.full, &*name.short), ("b::Entity", "b::Entity"));
        assert_eq!(&*resolver.type_of(&site(1), 48, 8).short, "Entity");
        assert_eq!(&*resolver.type_of(&site(1), 64, 8).full, "");
        let sites = resolver
            .told()
            .into_iter()
            .map(|one| (one.site.0, one.size));
        assert_eq!(sites.collect::<Vec<_>>(), [(1, 48), (2, 48), (1, 64)]);
    }

    #[test]
    fn only_files_of_c_are_passed_over() {
        for path in [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ] {
            assert!(is_of_c(path), "{path}");
        }
        for path in ["/srv/libc.so.d/server", "/srv/server", "/srv/libmine.so"] {
            assert!(!is_of_c(path), "{path}");
        }
    }
}
