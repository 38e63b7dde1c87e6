//! What one look leaves for the next: its counts, the marks, and the highest counts so far. Bounded: what does not fit
//! is left out with a mark on what remains, or refused.

use std::rc::Rc;

use super::Counts;
use super::peaks::Peaks;
use super::wire::{Reader, fnv64, number};
use crate::heap::SiteId;

/// What looks hand on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// What the last look counted.
    pub(crate) last: Option<Rc<Counts>>,
    /// What that look compared itself with. A look after a command of the program's own, at the same prompt, goes on with
    /// it: the user has not let the program go.
    pub(crate) base: Option<Rc<Counts>>,
    /// The marks, in the order in which they were made.
    pub(crate) marks: Vec<Mark>,
    /// The highest counts so far.
    pub(crate) peaks: Peaks,
}

/// The counts of one look under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// What it is called.
    pub(crate) name: String,
    /// What was there.
    pub(crate) counts: Rc<Counts>,
}

/// Marks kept at most.
pub(crate) const MOST_MARKS: usize = 64;
/// Bytes of a mark's name at most.
pub(crate) const LONGEST_NAME: usize = 40;

/// Why a mark was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoMark {
    /// There are [`MOST_MARKS`] already.
    TooMany,
    /// The others leave too little room for its counts.
    NoRoom,
}

/// What was handed on cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

const MAGIC: &[u8] = b"shl2";
/// Bytes of the hash.
const HASH: usize = 8;
/// Share of the room that all marks together may take; the rest is for the last look and the peaks.
const MARKS_SHARE: usize = 2;
/// Share of the room that the peaks may take.
const PEAKS_SHARE: usize = 8;
/// Less room than one part in so many of what its counts need, and a mark would say too little to be of use.
const COARSEST: usize = 16;

impl Ledger {
    /// The mark of that name.
    pub(crate) fn mark(&self, name: &str) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.name == name)
    }

    /// Remembers counts under a name, in place of what had that name. Where the others leave less of `room` (bytes, for
    /// the whole ledger) than they need, they are [folded](Counts::folded).
    pub(crate) fn add(
        &mut self,
        name: &str,
        counts: Rc<Counts>,
        room: usize,
    ) -> Result<(), NoMark> {
        let others = || self.marks.iter().filter(|mark| mark.name != name);
        if others().count() >= MOST_MARKS {
            return Err(NoMark::TooMany);
        }
        let taken: usize = others()
            .map(|mark| mark.counts.encode(usize::MAX).len())
            .sum();
        let left = (room / MARKS_SHARE).saturating_sub(taken);
        let needed = counts.encode(usize::MAX).len();
        let counts = if needed <= left {
            counts
        } else if left < needed / COARSEST {
            return Err(NoMark::NoRoom);
        } else {
            let coarse = Counts::decode(&counts.encode(left));
            Rc::new(coarse.ok_or(NoMark::NoRoom)?)
        };
        self.drop_mark(name);
        self.marks.push(Mark {
            name: name.to_owned(),
            counts,
        });
        Ok(())
    }

    /// Forgets a mark. False if there is none of that name.
    pub(crate) fn drop_mark(&mut self, name: &str) -> bool {
        let before = self.marks.len();
        self.marks.retain(|mark| mark.name != name);
        self.marks.len() < before
    }

    /// The call stacks that its counts refer to.
    pub(crate) fn sites(&self) -> impl Iterator<Item = SiteId> {
        let marks = self.marks.iter().map(|mark| &mark.counts);
        let counts = self.last.iter().chain(&self.base).chain(marks);
        counts.flat_map(|counts| counts.groups.iter().map(|group| group.site))
    }

    /// As bytes, `room` at the most. Short room costs the last look and its base their details, then the peaks, never a
    /// mark: those were fitted when they were made.
    ///
    /// A head: `shl2`, then in LEB128 the length of the last look plus one or zero, the same of its base, the number of marks, for each the
    /// length of its name, the name, and the length of its counts; the peaks; the FNV-1a hash of all that, eight bytes,
    /// the lowest first. Then the counts one after the other, which have hashes of their own.
    pub(crate) fn encode(&self, room: usize) -> Vec<u8> {
        let marks: Vec<_> = self
            .marks
            .iter()
            .map(|mark| mark.counts.encode(usize::MAX))
            .collect();
        let peaks = self.peaks.encode(room / PEAKS_SHARE);
        let body: usize = marks.iter().map(Vec::len).sum();
        let names: usize = self.marks.iter().map(|mark| mark.name.len()).sum();
        // Numbers take ten bytes at the most.
        let head = MAGIC.len() + HASH + peaks.len() + names + 10 * (3 + 2 * marks.len());
        let left = room.saturating_sub(head + body);
        let [last, base] = side_by_side([&self.last, &self.base], left);
        let mut out = MAGIC.to_vec();
        for counts in [&last, &base] {
            let length = counts.as_ref().map_or(0, |counts| counts.len() as u64 + 1);
            number(&mut out, length);
        }
        number(&mut out, marks.len() as u64);
        for (mark, counts) in self.marks.iter().zip(&marks) {
            number(&mut out, mark.name.len() as u64);
            out.extend(mark.name.as_bytes());
            number(&mut out, counts.len() as u64);
        }
        out.extend(peaks);
        let hash = fnv64(&out);
        out.extend(hash.to_le_bytes());
        last.iter()
            .chain(&base)
            .chain(&marks)
            .for_each(|counts| out.extend(counts));
        out
    }

    /// Reads what [`encode`](Self::encode) wrote; no bytes are an empty ledger.
    ///
    /// # Errors
    /// [`Damaged`] in any way: all or nothing.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        if bytes.is_empty() {
            return Ok(Ledger::default());
        }
        read(bytes).ok_or(Damaged)
    }
}

/// Two counts as bytes, in so much room together: what one leaves of its half is the other's.
fn side_by_side(counts: [&Option<Rc<Counts>>; 2], room: usize) -> [Option<Vec<u8>>; 2] {
    let encode = |counts: &Option<Rc<Counts>>, room| counts.as_ref().map(|one| one.encode(room));
    let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
    let [first, second] = counts;
    let wanted = length(&encode(second, room));
    let first = encode(first, room.saturating_sub(wanted.min(room / 2)));
    let second = encode(second, room.saturating_sub(length(&first)));
    [first, second].map(|bytes| bytes.filter(|bytes| !bytes.is_empty()))
}

fn read(bytes: &[u8]) -> Option<Ledger> {
    let mut reader = Reader {
        rest: bytes.strip_prefix(MAGIC)?,
    };
    let last = usize::try_from(reader.number()?).ok()?;
    let base = usize::try_from(reader.number()?).ok()?;
    let count = usize::try_from(reader.number()?).ok()?;
    if count > MOST_MARKS {
        return None;
    }
    let mut marks = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(reader.number()?).ok()?;
        let name = std::str::from_utf8(reader.bytes(length.min(LONGEST_NAME + 1))?).ok()?;
        let length = usize::try_from(reader.number()?).ok()?;
        (name.len() <= LONGEST_NAME).then_some(())?;
        marks.push((name.to_owned(), length));
    }
    let peaks = Peaks::decode(&mut reader)?;
    let head = &bytes[..bytes.len() - reader.rest.len()];
    (reader.bytes(HASH)? == fnv64(head).to_le_bytes()).then_some(())?;
    let mut counts = |length| Some(Rc::new(Counts::decode(reader.bytes(length)?)?));
    let mut perhaps = |length: usize| match length.checked_sub(1) {
        Some(length) => counts(length).map(Some),
        None => Some(None),
    };
    let (last, base) = (perhaps(last)?, perhaps(base)?);
    let mark = |(name, length)| {
        let counts = counts(length)?;
        Some(Mark { name, counts })
    };
    let marks = marks.into_iter().map(mark).collect::<Option<_>>()?;
    Some(Ledger {
        last,
        base,
        marks,
        peaks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trend::Group;
    use proptest::prelude::*;

    fn counts(groups: u32) -> Rc<Counts> {
        let group = |i: u32| Group {
            site: SiteId(i / 3),
            size: u64::from(10_000 - i),
            align_log2: 3,
            count: 10,
            bytes: u64::from(10_000 - i) * 10,
            sample: 0,
        };
        Rc::new(Counts {
            look: 3,
            taken_ns: 77,
            unknown: 5,
            groups: (0..groups).map(group).collect(),
            folded: false,
        })
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger {
            last: Some(counts(30)),
            base: Some(counts(25)),
            ..Ledger::default()
        };
        ledger.add("before", counts(20), 1 << 20).unwrap();
        ledger.add("ä long näme", counts(0), 1 << 20).unwrap();
        ledger.peaks.raise(3, [("String", 7, 140), ("", 1, 2)]);
        ledger
    }

    #[test]
    fn what_is_written_is_read() {
        let ledger = ledger();
        let mut bytes = ledger.encode(1 << 20);
        bytes.extend([7; 50]);
        assert_eq!(Ledger::decode(&bytes), Ok(ledger));
        assert_eq!(Ledger::decode(&[]), Ok(Ledger::default()));
    }

    #[test]
    fn a_name_has_one_mark() {
        let mut ledger = ledger();
        ledger.add("before", counts(5), 1 << 20).unwrap();
        assert_eq!(ledger.marks.len(), 2);
        assert_eq!(ledger.mark("before").unwrap().counts, counts(5));
        assert!(ledger.drop_mark("before") && !ledger.drop_mark("before"));
        assert_eq!(ledger.mark("before"), None);
    }

    #[test]
    fn short_room_costs_details_then_refuses() {
        let room = 100 << 10;
        let mut ledger = Ledger {
            last: Some(counts(9000)),
            base: Some(counts(8000)),
            ..Ledger::default()
        };
        let mut folded = 0;
        let refused = (0..MOST_MARKS).find_map(|i| {
            let made = ledger.add(&format!("m{i}"), counts(6000), room);
            folded = ledger
                .marks
                .iter()
                .filter(|mark| mark.counts.folded)
                .count();
            let bytes = ledger.encode(room);
            assert!(bytes.len() <= room, "{} into {room}", bytes.len());
            let read = Ledger::decode(&bytes).unwrap();
            assert_eq!(read.marks, ledger.marks, "marks are never cut again");
            assert_eq!(read.last.unwrap().bytes(), counts(9000).bytes());
            assert_eq!(read.base.unwrap().bytes(), counts(8000).bytes());
            made.err()
        });
        assert_eq!(refused, Some(NoMark::NoRoom));
        assert!(folded > 0, "the last one before was made coarse");
        for mark in &ledger.marks {
            assert_eq!(mark.counts.bytes(), counts(6000).bytes());
        }
    }

    #[test]
    fn there_is_an_end_to_marks() {
        let mut ledger = Ledger::default();
        for i in 0..MOST_MARKS {
            ledger.add(&i.to_string(), counts(0), 1 << 20).unwrap();
        }
        assert_eq!(ledger.add("more", counts(0), 1 << 20), Err(NoMark::TooMany));
        assert_eq!(ledger.add("7", counts(1), 1 << 20), Ok(()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "it damages each byte, slowly")]
    fn every_damage_is_noticed() {
        let whole = ledger().encode(1 << 20);
        for place in 0..whole.len() {
            if place > 0 {
                assert_eq!(
                    Ledger::decode(&whole[..place]),
                    Err(Damaged),
                    "cut at {place}"
                );
            }
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            assert_eq!(Ledger::decode(&damaged), Err(Damaged), "at {place}");
        }
    }

    /// A head that says the truth of itself, whatever it says.
    fn hashed(head: &[u8], rest: &[u8]) -> Vec<u8> {
        let head = [MAGIC, head].concat();
        [&head[..], &fnv64(&head).to_le_bytes(), rest].concat()
    }

    proptest! {
        #[test]
        fn no_bytes_panic(head: Vec<u8>, rest: Vec<u8>) {
            let _ = Ledger::decode(&rest);
            let _ = Ledger::decode(&hashed(&head, &rest));
        }

        #[test]
        fn any_ledger_comes_back(
            sizes in prop::collection::vec(0u32..200, 0..8),
            types in prop::collection::vec(("[a-z]{0,5}", any::<u64>(), any::<u64>()), 0..50),
        ) {
            let mut ledger = Ledger::default();
            for (i, groups) in sizes.iter().enumerate() {
                ledger.add(&format!("m{i}"), counts(*groups), 1 << 20).unwrap();
            }
            let types: Vec<_> = types.iter().map(|(name, count, bytes)| (name.as_str(), *count, *bytes)).collect();
            ledger.peaks.raise(9, types);
            prop_assert_eq!(Ledger::decode(&ledger.encode(1 << 20)), Ok(ledger));
        }
    }
}
