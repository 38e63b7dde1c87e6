//! NOUNS: how types lie in memory, and the trait by which the study asks for it.

use std::fmt;
use std::ops::RangeInclusive;
use std::rc::Rc;

use super::{Address, Site};

/// The number of a type. The same type may have several, and none outlives the look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// How the values of a type lie in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// As the compiler writes it, with whole paths: `alloc::vec::Vec<u8, alloc::alloc::Global>`.
    pub name: Rc<str>,
    /// In bytes.
    pub size: u64,
    /// In bytes, 1 where it is not said.
    pub align: u64,
    /// What it is made up of.
    pub shape: Shape,
    /// What it is generic over: `T`, and the type that is meant.
    pub over: Vec<(Rc<str>, TypeId)>,
}

/// What a type is made up of.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `true` or `false`, a byte.
    Bool,
    /// A character of Unicode.
    Char,
    /// A number without a sign.
    Unsigned,
    /// A number with one.
    Signed,
    /// A number with a fraction.
    Float,
    /// An address of a value, if it is said of what type, and what goes with it.
    Pointer(Option<TypeId>, Beside),
    /// An address of code.
    Function,
    /// Fields, of a struct, a tuple or a closure.
    Struct(Vec<Field>),
    /// One of several.
    Enum(Choice),
    /// One of several that have nothing but a name.
    Names(Vec<(u128, Rc<str>)>),
    /// So many values of a type, one after the other.
    Array(TypeId, u64),
    /// Fields at the same place.
    Union(Vec<Field>),
    /// It is not described.
    Opaque,
}

/// What stands in the word behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing does: the pointer is one word long.
    Nothing,
    /// How many values there are.
    Length,
    /// The vtable of the type that is meant.
    Vtable,
}

/// A part of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name; those of tuples are `__0`, `__1`.
    pub name: Rc<str>,
    /// Bytes from the beginning of the value.
    pub offset: u64,
    /// Its type.
    pub of: TypeId,
}

/// How one of several variants is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Offset and size in bytes of what tells them apart; none where there is but one.
    pub tag: Option<(u64, u64)>,
    /// All that may be.
    pub variants: Vec<Variant>,
}

/// One of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: Rc<str>,
    /// The tags that mean it; none for the one that all others mean.
    pub tags: Vec<RangeInclusive<u128>>,
    /// Its content, as a struct in the place of the whole.
    pub of: TypeId,
    /// Where a future that is in this state waits: `src/net.rs:42`.
    pub place: Option<Rc<str>>,
}

impl Choice {
    /// The variant that a tag means.
    pub fn variant(&self, tag: u128) -> Option<&Variant> {
        let named = |variant: &&Variant| variant.tags.iter().any(|tags| tags.contains(&tag));
        let other = |variant: &&Variant| variant.tags.is_empty();
        let mut variants = self.variants.iter();
        variants
            .clone()
            .find(named)
            .or_else(|| variants.find(other))
    }
}

impl Layout {
    /// The type that it is generic over by this name.
    pub fn parameter(&self, name: &str) -> Option<TypeId> {
        let mut over = self.over.iter();
        over.find(|(known, _)| **known == *name).map(|(_, of)| *of)
    }

    /// Its path, generic arguments left out: `alloc::vec::Vec`.
    pub fn path(&self) -> &str {
        self.name.split('<').next().unwrap_or_default()
    }

    /// Its fields; none where it has no such.
    pub fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Struct(fields) | Shape::Union(fields) => fields,
            _ => &[],
        }
    }
}

/// What a block is made up of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Nobody knows.
    #[default]
    Unknown,
    /// Bytes of a text, or of anything.
    Bytes,
    /// One value.
    One(TypeId),
    /// Values one after the other, of which the owner knows how many are in use.
    Items(TypeId),
    /// Two counts, then one value: what `Rc` and `Arc` point to.
    Counted(TypeId),
    /// Two counts, then values.
    CountedItems(TypeId),
    /// hashbrown's table: entries of this type, and control bytes behind them.
    Table(TypeId),
}

/// A variable that lives as long as the program, or a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Static {
    /// With its path: `demo_server::CACHE`.
    pub name: Rc<str>,
    /// Where it is.
    pub place: Place,
    /// Its type.
    pub of: TypeId,
}

/// Where a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this address.
    At(Address),
    /// In the block of thread-local variables of the module with this number, so many bytes from its beginning.
    OfThread {
        /// The module's number in the snapshot.
        module: usize,
        /// In bytes.
        offset: u64,
    },
}

/// Who knows how types lie in memory. `resolve` answers from debug information, a test from an array. Whatever is not known
/// is none, and memoised as such.
pub trait Layouts {
    /// How a type lies in memory.
    fn layout(&self, of: TypeId) -> Option<Rc<Layout>>;

    /// A type's name as a programmer writes it: with whole paths, and shortened.
    fn written(&self, of: TypeId) -> Written;

    /// What a block of this size and alignment (bytes) holds that was allocated at this site.
    fn content(&self, site: &Site, size: u64, align: u64) -> Content;

    /// The variables that live as long as the program or a thread.
    fn statics(&self) -> Rc<[Static]>;

    /// The type whose vtable stands at an address.
    fn behind(&self, vtable: Address) -> Option<TypeId>;
}

/// A type's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// With whole paths.
    pub full: Rc<str>,
    /// With paths shortened as far as they stay unambiguous.
    pub short: Rc<str>,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.short)
    }
}

/// Nothing is known of any type.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLayouts;

impl Layouts for NoLayouts {
    fn layout(&self, _: TypeId) -> Option<Rc<Layout>> {
        None
    }

    fn written(&self, _: TypeId) -> Written {
        Written::default()
    }

    fn content(&self, _: &Site, _: u64, _: u64) -> Content {
        Content::Unknown
    }

    fn statics(&self) -> Rc<[Static]> {
        Rc::default()
    }

    fn behind(&self, _: Address) -> Option<TypeId> {
        None
    }
}
