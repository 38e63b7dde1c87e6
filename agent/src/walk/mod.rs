//! `walk`: frozen bytes + layouts -> values, and frozen bytes alone -> who points at whom (`edges`). Knows no process, no
//! terminal and no debug information: bytes come from [`Memory`], layouts from [`Layouts`], both from arrays in tests. This
//! room imports `heap` alone.
//!
//! Nothing it reads is believed. A thread may have been stopped in the middle of any change, so lengths are compared with
//! capacities, and what does not hold together is said and shown as its plain fields.

mod awaits;
mod block;
mod census;
mod chunks;
mod containers;
mod describe;
mod edges;
mod extents;
mod path;
mod places;
mod plan;
mod pointers;
mod scalar;
mod statics;
#[cfg(test)]
mod tests;
mod typed;
mod value;

use std::rc::Rc;

use crate::heap::{Address, Beside, Field, Layout, Layouts, Memory, Shape, TypeId, Variant};

pub(crate) use awaits::{Await, Task, TaskState, Waits};
pub(crate) use block::Whole;
pub(crate) use census::{Census, Frozen, Known, Owner, Room, Text, Unread, Wanted};
pub use edges::{Edges, Judge, Judged, NoTypes, Scan, scan};
pub use extents::{Extent, Extents};
pub(crate) use path::{Lost, split, steps};
pub use pointers::{Found, Live, Plans, TypedBuffer, TypedPointer};
pub(crate) use statics::{Variables, Words};
pub(crate) use typed::Typed;
pub(crate) use value::{Limits, Value};

/// Reads values.
#[derive(Clone, Copy)]
pub struct Walker<'a> {
    /// The bytes.
    pub memory: &'a dyn Memory,
    /// How they are meant.
    pub layouts: &'a dyn Layouts,
}

/// A value: where it is, and its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Where it begins.
    pub(crate) at: Address,
    /// Its type.
    pub(crate) of: TypeId,
}

/// A pointer as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// What it points at.
    pub(crate) at: Address,
    /// The type that is said to be there.
    pub(crate) to: Option<TypeId>,
    /// What stands beside it.
    pub(crate) beside: Beside,
    /// The word that does.
    pub(crate) word: u64,
}

/// How many wrappers of one field may lie around a value, and how deep a part is looked for: more is damage.
const WRAPPERS: usize = 16;
/// The same where all parts of a type are looked through.
const DEPTH: usize = 6;

impl<'a> Walker<'a> {
    pub(crate) fn layout(&self, of: TypeId) -> Option<Rc<Layout>> {
        self.layouts.layout(of)
    }

    /// Size of a type in bytes, 0 where it is not known.
    pub(crate) fn size(&self, of: TypeId) -> u64 {
        self.layout(of).map_or(0, |layout| layout.size)
    }

    /// A part of a value.
    fn part(&self, whole: Spot, field: &Field) -> Option<Spot> {
        let at = Address(whole.at.0.checked_add(field.offset)?);
        Some(Spot { at, of: field.of })
    }

    /// A field by its name.
    fn field(&self, whole: Spot, name: &str) -> Option<Spot> {
        let layout = self.layout(whole.of)?;
        let field = layout.fields().iter().find(|field| &*field.name == name)?;
        self.part(whole, field)
    }

    /// The nearest field of this name, however deep in structs.
    fn seek(&self, whole: Spot, name: &str) -> Option<Spot> {
        self.nearest(whole, &|field, _| &*field.name == name)
    }

    /// The value itself, or the nearest part of it, whose type has this path.
    fn find(&self, whole: Spot, path: &str) -> Option<Spot> {
        if self.layout(whole.of)?.path() == path {
            return Some(whole);
        }
        self.nearest(whole, &|_, layout| layout.path() == path)
    }

    fn nearest(&self, whole: Spot, wanted: &dyn Fn(&Field, &Layout) -> bool) -> Option<Spot> {
        let mut level = vec![whole];
        for _ in 0..DEPTH {
            let mut next = Vec::new();
            for spot in level {
                let Some(layout) = self.layout(spot.of) else {
                    continue;
                };
                for field in layout.fields() {
                    let (Some(part), Some(of)) = (self.part(spot, field), self.layout(field.of))
                    else {
                        continue;
                    };
                    if wanted(field, &of) {
                        return Some(part);
                    }
                    next.push(part);
                }
            }
            level = next;
        }
        None
    }

    /// What lies in wrappers of one field: of `NonNull`, `UnsafeCell`, `MaybeUninit` and their like.
    fn peel(&self, mut spot: Spot) -> Spot {
        for _ in 0..WRAPPERS {
            match self.inner(spot) {
                Some(inner) => spot = inner,
                None => break,
            }
        }
        spot
    }

    fn inner(&self, spot: Spot) -> Option<Spot> {
        let layout = self.layout(spot.of)?;
        let mut filled = layout
            .fields()
            .iter()
            .filter(|field| self.size(field.of) > 0);
        let field = filled.next().filter(|_| filled.next().is_none())?;
        self.part(spot, field)
    }

    /// A number of up to eight bytes, whatever wraps it, without its sign.
    fn number(&self, spot: Spot) -> Option<u64> {
        let spot = self.peel(spot);
        let layout = self.layout(spot.of)?;
        let is_number = matches!(
            layout.shape,
            Shape::Unsigned | Shape::Signed | Shape::Bool | Shape::Char
        );
        let bits = self.bits(spot.at, layout.size).filter(|_| is_number)?;
        u64::try_from(bits).ok()
    }

    /// The bits of so many bytes, sixteen at most.
    fn bits(&self, at: Address, size: u64) -> Option<u128> {
        let mut bytes = [0; 16];
        let size = usize::try_from(size).ok()?;
        self.memory.read(at, bytes.get_mut(..size)?)?;
        Some(u128::from_le_bytes(bytes))
    }

    /// A pointer, whatever wraps it.
    fn pointer(&self, spot: Spot) -> Option<Pointer> {
        let spot = self.peel(spot);
        let Shape::Pointer(to, beside) = self.layout(spot.of)?.shape else {
            return None;
        };
        let at = Address(self.memory.word(spot.at)?);
        let word = match beside {
            Beside::Nothing => 0,
            Beside::Length | Beside::Vtable => self.memory.word(Address(spot.at.0 + 8))?,
        };
        // Of a wide pointer the type is that of the thin one in its first word.
        let to = match (beside, to.and_then(|to| self.layout(to))) {
            (Beside::Length | Beside::Vtable, Some(thin)) => match thin.shape {
                Shape::Pointer(inner, Beside::Nothing) => inner,
                _ => to,
            },
            _ => to,
        };
        Some(Pointer {
            at,
            to,
            beside,
            word,
        })
    }

    /// Which of several a value is, and its content.
    fn variant(&self, spot: Spot) -> Option<(Variant, Spot)> {
        let layout = self.layout(spot.of)?;
        let Shape::Enum(choice) = &layout.shape else {
            return None;
        };
        let variant = match choice.tag {
            None => choice.variants.first()?,
            Some((offset, size)) => {
                let at = Address(spot.at.0.checked_add(offset)?);
                choice.variant(self.bits(at, size)?)?
            }
        };
        let content = Spot {
            of: variant.of,
            ..spot
        };
        Some((variant.clone(), content))
    }

    /// What an `Option` holds, and whether it could be told.
    fn some(&self, spot: Spot) -> Option<Option<Spot>> {
        let (variant, content) = self.variant(spot)?;
        Some(match &*variant.name {
            "Some" => Some(self.field(content, "__0")?),
            _ => None,
        })
    }

    /// The type that the first pointer in a type leads to.
    fn pointee(&self, of: TypeId, depth: usize) -> Option<TypeId> {
        let depth = depth.checked_sub(1)?;
        let layout = self.layout(of)?;
        match &layout.shape {
            Shape::Pointer(to, _) => *to,
            Shape::Struct(fields) => fields
                .iter()
                .find_map(|field| self.pointee(field.of, depth)),
            Shape::Enum(choice) => choice
                .variants
                .iter()
                .find_map(|variant| self.pointee(variant.of, depth)),
            Shape::Array(of, _) => self.pointee(*of, depth),
            Shape::Union(fields) => fields
                .iter()
                .find_map(|field| self.pointee(field.of, depth)),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Walker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walker").finish_non_exhaustive()
    }
}
