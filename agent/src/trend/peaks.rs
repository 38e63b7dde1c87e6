//! The highest count that each type ever had at a look: objgraph's `peak_stats`.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::wire::{Reader, fnv64, number};

/// The highest counts so far. Types are known by a hash of their whole names, 64 bits of it, so that a type takes some
/// 12 bytes however long its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peaks {
    /// The looks up to this one are counted in; zero before the first.
    pub(crate) through: u32,
    /// Whether types were left out for want of room.
    pub(crate) cut: bool,
    types: HashMap<u64, Peak>,
}

/// The highest count of a type, and its bytes at that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    /// Blocks.
    pub(crate) count: u64,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// Types kept at most: those with most blocks.
const MOST_TYPES: usize = 1 << 16;
/// The fewest bytes a type takes.
const SMALLEST: usize = 8 + 1 + 1;

impl Peaks {
    /// The peak of the type with this whole name.
    pub(crate) fn of(&self, name: &str) -> Option<Peak> {
        self.types.get(&fnv64(name.as_bytes())).copied()
    }

    /// Counts a look in: its types' whole names, how many blocks each has, and their bytes.
    pub(crate) fn raise<'n>(
        &mut self,
        look: u32,
        types: impl IntoIterator<Item = (&'n str, u64, u64)>,
    ) {
        self.through = self.through.max(look);
        for (name, count, bytes) in types {
            let peak = self.types.entry(fnv64(name.as_bytes())).or_default();
            if count > peak.count {
                *peak = Peak { count, bytes };
            }
        }
    }

    /// As bytes, `room` at the most: the look, whether types were left out, their number, and for each the hash (eight
    /// bytes, the lowest first), count and bytes in LEB128.
    pub(super) fn encode(&self, room: usize) -> Vec<u8> {
        let mut types: Vec<_> = self.types.iter().collect();
        types.sort_unstable_by_key(|(hash, peak)| (Reverse(peak.count), **hash));
        let (mut body, mut kept) = (Vec::new(), 0);
        for (hash, peak) in types.into_iter().take(MOST_TYPES) {
            let before = body.len();
            body.extend(hash.to_le_bytes());
            number(&mut body, peak.count);
            number(&mut body, peak.bytes);
            // Three numbers stand before them.
            if body.len() + 30 > room {
                body.truncate(before);
                break;
            }
            kept += 1;
        }
        let mut out = Vec::new();
        number(&mut out, u64::from(self.through));
        number(&mut out, u64::from(self.cut || kept < self.types.len()));
        number(&mut out, kept as u64);
        out.extend(body);
        out
    }

    /// Reads what `encode` wrote.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let through = u32::try_from(reader.number()?).ok()?;
        let cut = reader.number()? != 0;
        let count = usize::try_from(reader.number()?).ok()?;
        // Before anything is reserved for them.
        if count > reader.rest.len() / SMALLEST {
            return None;
        }
        let mut one = || {
            let hash = u64::from_le_bytes(reader.bytes(8)?.try_into().ok()?);
            let (count, bytes) = (reader.number()?, reader.number()?);
            Some((hash, Peak { count, bytes }))
        };
        let types = (0..count).map(|_| one()).collect::<Option<_>>()?;
        Some(Peaks {
            through,
            cut,
            types,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_higher_count_is_a_new_peak() {
        let mut peaks = Peaks::default();
        assert_eq!(peaks.of("A"), None);
        peaks.raise(1, [("A", 5, 50), ("B", 1, 1)]);
        peaks.raise(2, [("A", 3, 90)]);
        assert_eq!(
            peaks.of("A"),
            Some(Peak {
                count: 5,
                bytes: 50
            })
        );
        peaks.raise(3, [("A", 6, 12)]);
        assert_eq!(
            peaks.of("A"),
            Some(Peak {
                count: 6,
                bytes: 12
            })
        );
        assert_eq!((peaks.through, peaks.cut), (3, false));
    }

    #[test]
    fn short_room_keeps_the_largest_and_says_so() {
        let mut peaks = Peaks::default();
        let names: Vec<String> = (0..1000).map(|i| format!("T{i}")).collect();
        peaks.raise(
            1,
            names
                .iter()
                .zip(1..)
                .map(|(name, count)| (name.as_str(), count, 8)),
        );
        let bytes = peaks.encode(2000);
        assert!(bytes.len() <= 2000);
        let read = Peaks::decode(&mut Reader { rest: &bytes }).unwrap();
        assert!(read.cut);
        assert_eq!(
            read.of("T999"),
            Some(Peak {
                count: 1000,
                bytes: 8
            })
        );
        assert_eq!(read.of("T0"), None);
        // Once something was left out, it stays said.
        let again = read.encode(usize::MAX);
        assert!(Peaks::decode(&mut Reader { rest: &again }).unwrap().cut);
    }
}
