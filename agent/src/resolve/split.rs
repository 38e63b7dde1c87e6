//! `resolve`: units that the linker left in files of their own: `.dwo` files, and packages of them (`.dwp`). Reads files through
//! [`Files`] alone, a unit's when one of its addresses is asked for.
//!
//! The program keeps a skeleton of each such unit, which names the file and an identity that both have in common.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gimli::{Dwarf, DwarfPackage, EndianSlice, LittleEndian, SectionId, Unit};

use super::dwarf::Slice;
use super::object::{Object, ObjectError};
use crate::heap::Files;

/// Finds the units that skeletons stand for.
#[derive(Default)]
pub(super) struct Splits<'a> {
    files: Option<&'a dyn Files>,
    /// The files that hold the skeletons. A package lies beside one of them and has its name with `.dwp` behind.
    beside: Vec<PathBuf>,
    packages: OnceCell<Vec<DwarfPackage<Slice>>>,
    opened: RefCell<HashMap<PathBuf, Option<Rc<Dwarf<Slice>>>>>,
    lost: RefCell<Option<Lost>>,
}

/// A unit from a file of its own, with that file's sections.
pub(super) struct Split {
    pub(super) dwarf: Rc<Dwarf<Slice>>,
    pub(super) unit: Unit<Slice>,
}

/// Why a unit was not found; of several reasons the last of these.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    /// No file is there.
    Absent {
        /// Where a package would be.
        package: PathBuf,
        /// What the skeleton names.
        named: PathBuf,
    },
    /// A file is there and cannot be read.
    Unreadable { file: PathBuf, why: String },
    /// A file is there, and the unit in it is of another build.
    Other { file: PathBuf },
}

/// More units than any compiler puts into one `.dwo` file.
const UNITS: usize = 4096;

impl<'a> Splits<'a> {
    /// For skeletons in these files.
    pub(super) fn new(files: &'a dyn Files, beside: Vec<PathBuf>) -> Self {
        Splits {
            files: Some(files),
            beside,
            ..Splits::default()
        }
    }

    /// The unit that a skeleton of these sections stands for.
    pub(super) fn find(&self, parent: &Dwarf<Slice>, skeleton: &Unit<Slice>) -> Option<Split> {
        let found = self.in_packages(parent, skeleton);
        found.or_else(|| self.in_own_file(parent, skeleton))
    }

    /// Why units were not found, if some were not.
    pub(super) fn lost(&self) -> Option<std::cell::Ref<'_, Lost>> {
        std::cell::Ref::filter_map(self.lost.borrow(), Option::as_ref).ok()
    }

    fn in_packages(&self, parent: &Dwarf<Slice>, skeleton: &Unit<Slice>) -> Option<Split> {
        let packages = self.packages.get_or_init(|| self.open_packages());
        packages.iter().find_map(|package| {
            let dwarf = package.find_cu(skeleton.dwo_id?, parent).ok()??;
            of_skeleton(Rc::new(dwarf), skeleton)
        })
    }

    fn in_own_file(&self, parent: &Dwarf<Slice>, skeleton: &Unit<Slice>) -> Option<Split> {
        let paths = self.paths(parent, skeleton);
        for path in &paths {
            let Some(dwarf) = self.open_own_file(parent, path) else {
                continue;
            };
            if let Some(split) = of_skeleton(dwarf, skeleton) {
                return Some(split);
            }
            self.lose(Lost::Other { file: path.clone() });
        }
        self.lose_all(paths);
        None
    }

    /// Where a skeleton's own file may be: where it was compiled, or beside the program.
    fn paths(&self, parent: &Dwarf<Slice>, skeleton: &Unit<Slice>) -> Vec<PathBuf> {
        let text = |bytes: Slice| std::str::from_utf8(bytes.slice()).ok();
        let name = skeleton.dwo_name().ok().flatten();
        let name = name.and_then(|name| text(parent.attr_string(skeleton, name).ok()?));
        let Some(name) = name.map(Path::new) else {
            return Vec::new();
        };
        let compiled_in = Path::new(skeleton.comp_dir.and_then(text).unwrap_or_default());
        let beside = self.beside.iter();
        let beside = beside.filter_map(|file| Some(file.with_file_name(name.file_name()?)));
        std::iter::once(compiled_in.join(name))
            .chain(beside)
            .filter(|path| path.is_absolute())
            .collect()
    }

    fn open_packages(&self) -> Vec<DwarfPackage<Slice>> {
        let opened = self.beside.iter().filter_map(|file| {
            let path = package(file);
            let object = self.open(&path)?;
            let load = |id: SectionId| section(&object, id);
            let loaded = DwarfPackage::load(load, EndianSlice::new(&[], LittleEndian));
            self.note(&path, loaded)
        });
        opened.collect()
    }

    fn open_own_file(&self, parent: &Dwarf<Slice>, path: &Path) -> Option<Rc<Dwarf<Slice>>> {
        if let Some(known) = self.opened.borrow().get(path) {
            return known.clone();
        }
        let opened = self.open(path).and_then(|object| {
            let loaded = Dwarf::load(|id| section(&object, id));
            let mut dwarf = self.note(path, loaded)?;
            dwarf.make_dwo(parent);
            Some(Rc::new(dwarf))
        });
        let mut all = self.opened.borrow_mut();
        all.entry(path.into()).or_insert(opened).clone()
    }

    fn open(&self, path: &Path) -> Option<Object> {
        match self.files?.open(path) {
            Ok(bytes) => self.note(path, Object::parse(bytes).map_err(Failure::Object)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => self.note(path, Err(Failure::File(error))),
        }
    }

    fn note<T>(&self, path: &Path, result: Result<T, Failure>) -> Option<T> {
        let unreadable = |why: Failure| Lost::Unreadable {
            file: path.into(),
            why: why.to_string(),
        };
        result.map_err(|why| self.lose(unreadable(why))).ok()
    }

    fn lose(&self, lost: Lost) {
        let mut known = self.lost.borrow_mut();
        if known.as_ref().is_none_or(|known| *known < lost) {
            *known = Some(lost);
        }
    }

    /// Notes that a unit is in none of these files, nor in the packages.
    fn lose_all(&self, paths: Vec<PathBuf>) {
        let packages = self.beside.iter().map(|file| package(file));
        let mut packages = packages.peekable();
        let named = paths.into_iter().next().unwrap_or_default();
        let package = packages.peek().cloned().unwrap_or_default();
        let opened = self.packages.get().is_some_and(|opened| !opened.is_empty());
        match opened {
            true => self.lose(Lost::Other { file: package }),
            false => self.lose(Lost::Absent { package, named }),
        }
    }
}

/// `demo.dwp` beside `demo`.
fn package(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".dwp");
    name.into()
}

/// The unit among those of a file that has a skeleton's identity.
fn of_skeleton(dwarf: Rc<Dwarf<Slice>>, skeleton: &Unit<Slice>) -> Option<Split> {
    let mut headers = dwarf.units();
    for _ in 0..UNITS {
        let mut unit = dwarf.unit(headers.next().ok()??).ok()?;
        if unit.dwo_id == skeleton.dwo_id {
            unit.copy_relocated_attributes(skeleton);
            return Some(Split { dwarf, unit });
        }
    }
    None
}

/// A section of a file that holds split units. Those of which nothing is read stay packed.
fn section(object: &Object, id: SectionId) -> Result<Slice, Failure> {
    let bytes = match id.dwo_name().filter(|_| super::dwarf::is_read(id)) {
        Some(name) => object.section(name).map_err(Failure::Object)?,
        None => &[],
    };
    Ok(EndianSlice::new(bytes, LittleEndian))
}

/// Why a file that holds split units cannot be read.
#[derive(Debug)]
enum Failure {
    File(io::Error),
    Object(ObjectError),
    Dwarf(gimli::Error),
}

impl From<gimli::Error> for Failure {
    fn from(error: gimli::Error) -> Self {
        Failure::Dwarf(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::File(error) => error.fmt(f),
            Failure::Object(error) => error.fmt(f),
            Failure::Dwarf(error) => error.fmt(f),
        }
    }
}
