//! `walk`: by which fields a place in a block is reached: `index.table[17].1`. What the standard library names within its own
//! types is left out.

use super::{Spot, Walker};
use crate::heap::{Address, Content, Shape};

/// Steps into a value: each leads into a smaller part.
const STEPS: usize = 64;

impl Walker<'_> {
    /// The fields that lead to an offset in a block; empty where the block is no more than that.
    pub(crate) fn place_in(
        &self,
        content: Content,
        at: Address,
        size: u64,
        offset: u64,
    ) -> Option<String> {
        let whole = |of| Spot { at, of };
        let numbered = |of, from: u64| {
            let stride = self.size(of);
            let number = offset.checked_sub(from)?.checked_div(stride)?;
            let at = Address(at.0.checked_add(from + number * stride)?);
            Some((format!("[{number}]"), Spot { at, of }))
        };
        let counts = |of| {
            let align = self.layout(of).map_or(1, |layout| layout.align);
            16u64.checked_next_multiple_of(align.max(1))
        };
        let (path, spot) = match content {
            Content::Unknown | Content::Bytes => return None,
            Content::One(of) => (String::new(), whole(of)),
            Content::Counted(of) => {
                let at = Address(at.0.checked_add(counts(of)?)?);
                (String::new(), Spot { at, of })
            }
            Content::Items(of) => numbered(of, 0)?,
            Content::CountedItems(of) => numbered(of, counts(of)?)?,
            Content::Table(of) => {
                let (_, control) = super::pointers::buckets(self.size(of), size)?;
                let bucket = (control.checked_sub(offset + 1)?).checked_div(self.size(of))?;
                let below = (bucket + 1).checked_mul(self.size(of))?;
                let at = Address(at.0.checked_add(control.checked_sub(below)?)?);
                (format!("[{bucket}]"), Spot { at, of })
            }
        };
        let inside = at.0.checked_add(offset)?.checked_sub(spot.at.0)?;
        let path = path + &self.place(spot, inside)?;
        Some(path.strip_prefix('.').map(str::to_owned).unwrap_or(path))
    }

    fn place(&self, mut spot: Spot, mut inside: u64) -> Option<String> {
        let mut path = String::new();
        for _ in 0..STEPS {
            let layout = self.layout(spot.of)?;
            let is_standard = ["core::", "alloc::", "std::", "hashbrown::", "&", "*"]
                .into_iter()
                .any(|library| layout.name.starts_with(library));
            match &layout.shape {
                Shape::Array(of, _) => {
                    let size = self.size(*of);
                    let number = inside.checked_div(size)?;
                    path += &format!("[{number}]");
                    let at = Address(spot.at.0.checked_add(number * size)?);
                    (spot, inside) = (Spot { at, of: *of }, inside % size);
                }
                Shape::Enum(_) => {
                    let (variant, content) = self.variant(spot)?;
                    if !is_standard && variant.place.is_none() {
                        path += &format!(".{}", variant.name);
                    }
                    spot = content;
                }
                Shape::Struct(fields) => {
                    let around = |offset: u64, of| {
                        (offset..offset.saturating_add(self.size(of))).contains(&inside)
                    };
                    let mut fields = fields.iter();
                    let field = fields.find(|field| around(field.offset, field.of))?;
                    if !is_standard {
                        let name = field.name.strip_prefix("__").unwrap_or(&field.name);
                        path += &format!(".{name}");
                    }
                    inside -= field.offset;
                    spot = self.part(spot, field)?;
                }
                _ => return Some(path),
            }
        }
        Some(path)
    }
}
