//! NOUNS: the bytes of the frozen program, as whoever studies them may ask for them.

use std::ops::Range;

use super::{Address, Gap};

/// The memory of the frozen program. No address is believed: what is not mapped, not readable, not in memory right now, a
/// device's or the agent's own reads as nothing, and reading makes no page resident.
pub trait Memory {
    /// Fills `into` with the bytes from `at` on. All of them or nothing.
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()>;

    /// The pieces of a range of addresses that [`read`](Self::read) would give, in order and apart from each other.
    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>>;

    /// The word at an address, aligned or not.
    fn word(&self, at: Address) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Some(u64::from_le_bytes(bytes))
    }

    /// What the program itself could read of its memory, and this cannot: what is held from there alone passes for lost.
    fn gaps(&self) -> Vec<Gap> {
        Vec::new()
    }
}

/// Memory of which nothing can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _: Address, into: &mut [u8]) -> Option<()> {
        into.is_empty().then_some(())
    }

    fn readable(&self, _: Range<u64>) -> Vec<Range<u64>> {
        Vec::new()
    }
}

/// Memory from arrays, in order of address: what tests read.
#[derive(Clone, Debug, Default)]
pub struct Pieces(pub Vec<(u64, Vec<u8>)>);

impl Memory for Pieces {
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()> {
        let piece = self.0.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(at.0.checked_sub(*start)?).ok()?;
            bytes.get(from..from.checked_add(into.len())?)
        })?;
        into.copy_from_slice(piece);
        Some(())
    }

    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let pieces = self.0.iter().map(|(start, bytes)| {
            let end = start + bytes.len() as u64;
            within.start.max(*start)..within.end.min(end)
        });
        pieces.filter(|piece| !piece.is_empty()).collect()
    }
}
