//! `walk`: one value as a person reads it: a few words, and its parts. Wrappers are folded into what they wrap, so that the
//! parts of `Arc<Mutex<Option<Session>>>` are those of the session, and the words say what the wrappers do.

use std::rc::Rc;

use super::containers::{List, Map, Seen, Text};
use super::{Spot, Walker};
use crate::heap::{Layout, Shape, Variant};

/// A value, one level of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shown {
    /// The value itself: `42`, `"text"`, `Some`; empty for a struct, which is its fields.
    pub(super) text: String,
    /// What wrappers around it say: `strong 2, weak 0`.
    pub(super) notes: Vec<String>,
    pub(super) parts: Parts,
    /// Why it is not shown as it should be.
    pub(super) gap: Option<String>,
}

/// What a value is made up of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Parts {
    #[default]
    Nothing,
    Fields(Vec<(Rc<str>, Spot)>),
    List(List),
    Map(Map),
}

/// Wrappers that are folded: a list of which each node holds only the next would go on for ever.
pub(super) const FOLDS: usize = 16;
/// Bytes of a text that are read.
const TEXT: u64 = 4096;
/// What is said of a value that cannot be read.
pub(super) const ABSENT: &str = "not in memory";

impl Walker<'_> {
    /// One level of a value.
    pub(super) fn describe(&self, spot: Spot) -> Shown {
        self.fold(spot, FOLDS)
    }

    fn fold(&self, spot: Spot, folds: usize) -> Shown {
        let Some(folds) = folds.checked_sub(1) else {
            return Shown::text("…");
        };
        let Some(layout) = self.layout(spot.of) else {
            return Shown::gap("its type is not described");
        };
        match self.container(spot) {
            Some(Ok(seen)) => self.seen(seen, folds),
            Some(Err(torn)) => Shown {
                gap: Some(torn.0),
                ..self.fields(spot, &layout)
            },
            None => self.plain(spot, &layout, folds),
        }
    }

    pub(super) fn seen(&self, seen: Seen, folds: usize) -> Shown {
        match seen {
            Seen::Text(text) => self.text(text),
            Seen::List(list) => Shown::list(list),
            Seen::Map(map) => Shown {
                text: count(map.length, "entry", "entries"),
                parts: Parts::Map(map),
                ..Shown::default()
            },
            Seen::Held(says, None) => Shown::text(says),
            Seen::Held(says, Some(inner)) => self.fold(inner, folds).with(says),
            Seen::Around(says, inner) => self.seen(*inner, folds).with(says),
        }
    }

    /// The text of so many bytes at an address, as it is written in Rust.
    pub(crate) fn text_at(&self, at: crate::heap::Address, length: u64) -> String {
        let shown = self.text(Text {
            at,
            length,
            is_text: true,
        });
        shown.text
    }

    fn text(&self, text: Text) -> Shown {
        let mut bytes = vec![0; text.length.min(TEXT) as usize];
        if self.memory.read(text.at, &mut bytes).is_none() {
            return Shown::gap(format!(
                "its {} bytes at {} are {ABSENT}",
                text.length, text.at
            ));
        }
        let cut = if text.length > TEXT { "…" } else { "" };
        let read = match (text.is_text, std::str::from_utf8(&bytes)) {
            (true, Ok(read)) => format!("{read:?}{cut}"),
            // A cut may go through a character.
            (true, Err(error)) if error.error_len().is_none() && !cut.is_empty() => {
                format!(
                    "{:?}{cut}",
                    String::from_utf8_lossy(&bytes[..error.valid_up_to()])
                )
            }
            _ => format!("b\"{}\"{cut}", bytes.escape_ascii()),
        };
        let notes = (text.length > 64).then(|| count(text.length, "byte", "bytes"));
        Shown {
            notes: notes.into_iter().collect(),
            ..Shown::text(read)
        }
    }

    fn plain(&self, spot: Spot, layout: &Layout, folds: usize) -> Shown {
        match &layout.shape {
            Shape::Enum(_) => match self.variant(spot) {
                Some((variant, content)) => self.one_of(&variant, content, folds),
                None => Shown::gap("what tells its variants apart means none of them"),
            },
            Shape::Array(of, count) => Shown::list(List {
                of: *of,
                stride: self.size(*of),
                runs: vec![(spot.at, *count)],
                room: None,
            }),
            Shape::Struct(fields) if fields.is_empty() => {
                Shown::text(self.layouts.written(spot.of).to_string())
            }
            Shape::Struct(_) | Shape::Union(_) => {
                let is_wrapper = ["core::", "alloc::", "std::"]
                    .into_iter()
                    .any(|library| layout.name.starts_with(library));
                match self.inner(spot).filter(|_| is_wrapper) {
                    Some(inner) => self.fold(inner, folds),
                    None => self.fields(spot, layout),
                }
            }
            Shape::Opaque => Shown::gap("its type is not described"),
            _ => match self.scalar(spot, layout) {
                Some(text) => Shown::text(text),
                None => Shown::gap(ABSENT),
            },
        }
    }

    /// A variant with the one value it holds, or with its fields.
    fn one_of(&self, variant: &Variant, content: Spot, folds: usize) -> Shown {
        let Some(layout) = self.layout(content.of) else {
            return Shown::text(&*variant.name);
        };
        if let Some(place) = &variant.place {
            return Shown {
                text: waits(&variant.name, place),
                ..self.fields(content, &layout)
            };
        }
        let fields = self.fields(content, &layout);
        let name = &variant.name;
        let Parts::Fields(parts) = &fields.parts else {
            return Shown::text(&**name);
        };
        match &parts[..] {
            [(label, only)] if &**label == "0" => {
                let inner = self.fold(*only, folds);
                let text = match inner.text.is_empty() {
                    true => name.to_string(),
                    false => format!("{name}({})", inner.text),
                };
                Shown { text, ..inner }
            }
            _ => Shown {
                text: name.to_string(),
                ..fields
            },
        }
    }

    /// The fields as they stand, those left out that only mark a type.
    fn fields(&self, spot: Spot, layout: &Layout) -> Shown {
        let is_marker = |of| {
            let layout = self.layout(of);
            layout.is_some_and(|layout| layout.path() == "core::marker::PhantomData")
        };
        let fields = layout.fields().iter();
        let fields = fields
            .filter(|field| !is_marker(field.of))
            .filter_map(|field| {
                let label: Rc<str> = match &*field.name {
                    "__awaitee" => ".await".into(),
                    name => match name.strip_prefix("__") {
                        Some(number) if number.parse::<u32>().is_ok() => number.into(),
                        _ => name.into(),
                    },
                };
                Some((label, self.part(spot, field)?))
            });
        let fields: Vec<_> = fields.collect();
        Shown {
            parts: match fields.is_empty() {
                true => Parts::Nothing,
                false => Parts::Fields(fields),
            },
            ..Shown::default()
        }
    }
}

/// What a future does in a state.
fn waits(state: &str, place: &str) -> String {
    match state {
        "Unresumed" => "not started".to_owned(),
        "Returned" => "done".to_owned(),
        "Panicked" => "panicked".to_owned(),
        _ => format!("waits at {place}"),
    }
}

/// A number and what it counts.
pub(super) fn count(n: u64, one: &str, several: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { several })
}

impl Shown {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Shown {
            text: text.into(),
            ..Shown::default()
        }
    }

    pub(super) fn gap(why: impl Into<String>) -> Self {
        Shown {
            gap: Some(why.into()),
            ..Shown::default()
        }
    }

    fn list(list: List) -> Self {
        let length = list.length();
        let room = list.room.filter(|room| *room > length);
        Shown {
            text: count(length, "value", "values"),
            notes: room
                .map(|room| format!("room for {room}"))
                .into_iter()
                .collect(),
            parts: Parts::List(list),
            gap: None,
        }
    }

    /// The same within a wrapper that says something.
    pub(super) fn with(mut self, says: String) -> Self {
        if !says.is_empty() {
            self.notes.insert(0, says);
        }
        self
    }

    /// All words in a line, but for the parts.
    pub(super) fn line(&self) -> String {
        let notes = self.notes.join("; ");
        match (self.text.is_empty(), notes.is_empty()) {
            (_, true) => self.text.clone(),
            (true, false) => notes,
            (false, false) => format!("{} ({notes})", self.text),
        }
    }
}

impl List {
    /// How many values there are.
    pub(super) fn length(&self) -> u64 {
        let counts = self.runs.iter().map(|(_, count)| *count);
        counts.fold(0, u64::saturating_add)
    }

    /// The one with this number.
    pub(super) fn get(&self, mut number: u64) -> Option<Spot> {
        for (start, count) in &self.runs {
            if number < *count {
                let at = start.0.checked_add(number.checked_mul(self.stride)?)?;
                return Some(Spot {
                    at: crate::heap::Address(at),
                    of: self.of,
                });
            }
            number -= count;
        }
        None
    }
}
