//! `walk`: what is behind a pointer: `Box`, references, `Rc` and `Arc` with their counts, slices, texts, trait objects.

use super::{List, Seen, Text, Torn};
use crate::heap::{Address, Beside, Layout, Shape, TypeId};
use crate::walk::{Pointer, Spot, Walker};

/// What a pointer leads to.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::walk) enum Behind {
    Value(Spot),
    Seen(Seen),
    /// A trait object of a type that nobody knows, with its address and its vtable's.
    Unknown(Address, Address),
}

/// Two counts lie before the value of an `Rc` or `Arc`, in bytes.
const COUNTS: u64 = 16;

impl Walker<'_> {
    /// A `Box` or a reference, followed. A raw pointer is not: nothing says that it can be.
    pub(super) fn indirect(&self, spot: Spot, layout: &Layout) -> Option<Result<Seen, Torn>> {
        let is_followed = layout.name.starts_with('&') || layout.path() == "alloc::boxed::Box";
        if !is_followed {
            return None;
        }
        let pointer = self.pointer(spot)?;
        Some(Ok(match behind(self, &pointer, 0, &layout.name)? {
            Behind::Value(spot) => Seen::Held(String::new(), Some(spot)),
            Behind::Seen(seen) => Seen::Around(String::new(), Box::new(seen)),
            Behind::Unknown(at, vtable) => Seen::Held(unknown(at, vtable), None),
        }))
    }
}

fn unknown(at: Address, vtable: Address) -> String {
    format!("at {at}, of a type not described (vtable {vtable})")
}

/// What a pointer leads to, `skip` bytes in; `name` is the pointer's type, which alone tells texts from bytes.
pub(in crate::walk) fn behind(
    walker: &Walker<'_>,
    pointer: &Pointer,
    skip: u64,
    name: &str,
) -> Option<Behind> {
    let to = pointer.to?;
    match pointer.beside {
        Beside::Nothing => {
            let at = Address(pointer.at.0.checked_add(skip)?);
            Some(Behind::Value(Spot { at, of: to }))
        }
        Beside::Length => {
            let of = element(walker, to);
            let align = walker.layout(of).map_or(1, |layout| layout.align);
            let skip = skip.checked_next_multiple_of(align.max(1))?;
            let at = Address(pointer.at.0.checked_add(skip)?);
            Some(Behind::Seen(items(walker, at, of, pointer.word, name)))
        }
        Beside::Vtable => {
            let vtable = Address(pointer.word);
            let align = walker.memory.word(Address(vtable.0.checked_add(16)?));
            let align = align.filter(|align| align.is_power_of_two() && *align <= 1 << 29)?;
            let at = skip.checked_next_multiple_of(align)?;
            let at = Address(pointer.at.0.checked_add(at)?);
            Some(match walker.layouts.behind(vtable) {
                Some(of) => Behind::Value(Spot { at, of }),
                None => Behind::Unknown(at, vtable),
            })
        }
    }
}

/// What a slice is of: of a counted one its pointer leads to the counts, behind which an element is described.
fn element(walker: &Walker<'_>, to: TypeId) -> TypeId {
    let inner = walker.layout(to).and_then(|layout| {
        let mut fields = layout.fields().iter();
        let is_counted = layout.path().ends_with("Inner") && layout.parameter("T").is_some();
        fields
            .find(|field| is_counted && matches!(&*field.name, "data" | "value"))
            .map(|field| field.of)
    });
    inner.unwrap_or(to)
}

fn items(walker: &Walker<'_>, at: Address, of: TypeId, length: u64, name: &str) -> Seen {
    let is_bytes = walker.layout(of).is_some_and(|of| &*of.name == "u8");
    match is_bytes {
        true => Seen::Text(Text {
            at,
            length,
            is_text: is_text(name),
        }),
        false => Seen::List(List {
            of,
            stride: walker.size(of),
            runs: vec![(at, length)],
            room: None,
        }),
    }
}

/// Whether a pointer of this type is to a text: `&str`, `Box<str, …>`, `Arc<str, …>`, `&Path`.
fn is_text(name: &str) -> bool {
    const TEXTS: &[&str] = &["str", "std::path::Path", "std::ffi::os_str::OsStr"];
    let inside = name
        .split(['&', '<', ',', '>', ' '])
        .filter(|part| !part.is_empty());
    inside
        .filter(|part| !matches!(*part, "mut" | "*const" | "*mut"))
        .find(|part| !part.ends_with("Box") && !part.ends_with("Rc") && !part.ends_with("Arc"))
        .is_some_and(|part| TEXTS.contains(&part))
}

/// `Rc` and `Arc`.
pub(super) fn strong(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let pointer = walker.pointer(walker.field(spot, "ptr")?)?;
    let (strong, weak) = counts(walker, pointer.at)?;
    if strong == 0 {
        return Some(Err(Torn::new("its strong count is 0: it is being dropped")));
    }
    // All strong ones together are one weak one.
    let says = format!("strong {strong}, weak {}", weak.saturating_sub(1));
    Some(Ok(held(walker, spot, &pointer, says)))
}

/// A `Weak`, which does not keep its value alive.
pub(super) fn weak(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let pointer = walker.pointer(walker.field(spot, "ptr")?)?;
    if pointer.at.0 == u64::MAX {
        return Some(Ok(Seen::Held("weak, of nothing".to_owned(), None)));
    }
    let (strong, weak) = counts(walker, pointer.at)?;
    if strong == 0 {
        let says = format!("weak, its value is gone, weak {weak}");
        return Some(Ok(Seen::Held(says, None)));
    }
    let says = format!("weak, strong {strong}, weak {}", weak.saturating_sub(1));
    Some(Ok(held(walker, spot, &pointer, says)))
}

fn counts(walker: &Walker<'_>, at: Address) -> Option<(u64, u64)> {
    let weak = Address(at.0.checked_add(8)?);
    Some((walker.memory.word(at)?, walker.memory.word(weak)?))
}

fn held(walker: &Walker<'_>, spot: Spot, pointer: &Pointer, says: String) -> Seen {
    let name = walker.layout(spot.of).map(|layout| layout.name.clone());
    let found = match pointer.beside {
        Beside::Nothing => value_of_counted(walker, pointer).map(Behind::Value),
        _ => behind(walker, pointer, COUNTS, &name.unwrap_or_default()),
    };
    match found {
        Some(Behind::Value(value)) => Seen::Held(says, Some(value)),
        Some(Behind::Seen(seen)) => Seen::Around(says, Box::new(seen)),
        Some(Behind::Unknown(at, vtable)) => {
            Seen::Held(format!("{says}, {}", unknown(at, vtable)), None)
        }
        None => Seen::Held(says, None),
    }
}

/// The value behind the counts of `RcInner` and `ArcInner`.
fn value_of_counted(walker: &Walker<'_>, pointer: &Pointer) -> Option<Spot> {
    let whole = Spot {
        at: pointer.at,
        of: pointer.to?,
    };
    let layout = walker.layout(whole.of)?;
    let is_struct = matches!(layout.shape, Shape::Struct(_));
    let value = walker
        .field(whole, "data")
        .or_else(|| walker.field(whole, "value"));
    value.filter(|_| is_struct)
}
