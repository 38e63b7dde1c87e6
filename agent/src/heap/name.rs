//! Names: what a block's type is called, how sure that is, and how a stack reads.

use std::fmt;
use std::rc::Rc;

use super::{Address, Gap, Layouts, NoLayouts, Site, SiteId};

/// How sure an inferred type is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// No type could be told.
    #[default]
    Unknown,
    /// A rule of thumb: bytes, because the alignment is one.
    Guess,
    /// The deciding function may have been merged with another instance of itself.
    Likely,
    /// The function that allocated is of that type alone, or its caller agrees.
    Exact,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Confidence::Unknown => "unknown",
            Confidence::Guess => "guess",
            Confidence::Likely => "likely",
            Confidence::Exact => "exact",
        })
    }
}

/// The type of a block, written as a Rust programmer would write its owner: `Arc<demo_server::CacheEntity>`,
/// `Vec<u64>`, `task demo_server::serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeName {
    /// With whole paths, default parameters left out. Empty when the confidence is unknown.
    pub full: Rc<str>,
    /// With paths shortened as far as they stay unambiguous among the types seen.
    pub short: Rc<str>,
    /// The types owned, whole: for `Arc<a::B>` that is `a::B`, for `HashMap<String, a::B>` both. A pattern without `=`
    /// matches these.
    pub payload: Rc<[Rc<str>]>,
    /// How sure it is.
    pub confidence: Confidence,
}

/// A type that was told of blocks of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Where they were allocated.
    pub site: SiteId,
    /// Bytes of each.
    pub size: u64,
    /// Their alignment, in bytes.
    pub align: u64,
    /// Their type.
    pub name: TypeName,
}

/// One logical frame of a stack: a function, inlined or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function with its path and its generics: `demo_server::cache::insert`.
    pub function: Rc<str>,
    /// Source file, as the compiler wrote it; empty when unknown.
    pub file: Rc<str>,
    /// Line in it, from 1; 0 when unknown.
    pub line: u32,
    /// Whether it was inlined into the next frame out.
    pub inlined: bool,
    /// Whether it belongs to the allocation machinery or the runtime (the tracker, `alloc`, `core`, `std`), and so says
    /// little about why the block exists.
    pub machinery: bool,
    /// Whether it is of a library that the program uses, as far as its source's path tells; without one it counts as the
    /// program's own.
    pub library: bool,
}

/// A static, or a thread-local: in which module, and at which address of the file's own numbering; of a thread-local, how far
/// from where its module's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Datum {
    /// The module, by its place in [`Snapshot::modules`](super::Snapshot).
    pub module: u32,
    /// The address.
    pub address: u64,
    /// Whether it is a thread-local.
    pub thread_local: bool,
}

/// A name for an address in a static or a thread-local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, with its path: `demo_server::CACHE`.
    pub name: Rc<str>,
    /// How far into it the address is, in bytes.
    pub offset: u64,
}

/// Who can name types and frames. The study asks; `resolve` answers from debug information, a test from an array.
pub trait Names {
    /// The type of a block of this size and alignment (bytes) that was allocated at this site. Memoised by the answerer.
    fn type_of(&mut self, site: &Site, size: u64, align: u64) -> TypeName;

    /// The logical frames of one return address, innermost first. Never empty: an address without a name is shown as
    /// `module+0x12`.
    fn frames(&mut self, return_address: Address) -> Rc<[Frame]>;

    /// How types lie in memory.
    fn layouts(&self) -> &dyn Layouts {
        &NoLayouts
    }

    /// The static or thread-local that covers an address, if the file says so.
    fn variable(&mut self, _at: Datum) -> Option<Variable> {
        None
    }

    /// The local variable that lies `at` bytes from the stack pointer in the frame of a return address, which ends `end` bytes
    /// from there, where that is known.
    fn local(&mut self, _return_address: Address, _at: i64, _end: Option<i64>) -> Option<Rc<str>> {
        None
    }

    /// What could not be read so far: modules without debug information, damaged files.
    fn gaps(&self) -> Vec<Gap>;

    /// The types told so far, in the order in which they were asked for.
    fn told(&self) -> Vec<Told> {
        Vec::new()
    }
}
