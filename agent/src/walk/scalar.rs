//! `walk`: numbers, characters, names and bare addresses, as they are written in Rust.

use super::{Spot, Walker};
use crate::heap::{Beside, Layout, Shape};

impl Walker<'_> {
    /// A value without parts. None where it cannot be read.
    pub(super) fn scalar(&self, spot: Spot, layout: &Layout) -> Option<String> {
        if let Shape::Pointer(_, beside) = layout.shape {
            let pointer = self.pointer(spot)?;
            return Some(match beside {
                Beside::Nothing => pointer.at.to_string(),
                Beside::Length => format!("{}, {} long", pointer.at, pointer.word),
                Beside::Vtable => format!("{}, vtable {:#x}", pointer.at, pointer.word),
            });
        }
        let size = match layout.shape {
            Shape::Function => 8,
            _ => layout.size,
        };
        let bits = self.bits(spot.at, size)?;
        Some(match &layout.shape {
            Shape::Bool => match bits {
                0 => "false".to_owned(),
                1 => "true".to_owned(),
                other => format!("{other:#x}, which is no bool"),
            },
            Shape::Char => match u32::try_from(bits).ok().and_then(char::from_u32) {
                Some(character) => format!("{character:?}"),
                None => format!("{bits:#x}, which is no char"),
            },
            Shape::Signed => signed(bits, size).to_string(),
            Shape::Float if size == 4 => format!("{:?}", f32::from_bits(bits as u32)),
            Shape::Float if size == 8 => format!("{:?}", f64::from_bits(bits as u64)),
            Shape::Function => format!("{bits:#x}"),
            Shape::Names(names) => match names.iter().find(|(value, _)| *value == bits) {
                Some((_, name)) => name.to_string(),
                None => format!("{bits}, which means none of its variants"),
            },
            _ => bits.to_string(),
        })
    }
}

/// The bits of a number of this size (bytes) with its sign.
fn signed(bits: u128, size: u64) -> i128 {
    let unused = 128 - 8 * size.clamp(1, 16) as u32;
    (bits << unused).cast_signed() >> unused
}
