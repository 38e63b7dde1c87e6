//! Counts as bytes, handed from one look to the next through memory that a dying process may have left half written.
//!
//! `shc1`, then in LEB128: look, time, 1 if folded plus 2 if estimated, bytes without a
//! record, number of groups, and for each group site, size,
//! alignment, count, if folded or estimated bytes, and if estimated the size of the sample. Then the FNV-1a hash of all before it, four bytes, the lowest first.

use super::{Counts, Group};
use crate::heap::SiteId;

const MAGIC: &[u8] = b"shc1";
/// Bytes of the hash at the end.
const HASH: usize = 4;
/// The fewest bytes a group takes.
const SMALLEST_GROUP: usize = 4;
/// Bytes that a header and one group without a site may take at most.
const HEADER: usize = MAGIC.len() + HASH + 11 * 10;

impl Counts {
    /// As bytes, `room` at the most: where the groups do not fit, they are folded to one a site, and where those do not
    /// either, the lightest go into one. Empty where there is no room at all.
    pub(crate) fn encode(&self, room: usize) -> Vec<u8> {
        let whole = self.write();
        if whole.len() <= room {
            return whole;
        }
        let folded = self.folded();
        let bytes = folded.write();
        if bytes.len() <= room {
            return bytes;
        }
        if room < HEADER {
            return Vec::new();
        }
        folded
            .cut_to(fitting(&folded.groups, room - HEADER))
            .write()
    }

    /// Reads what [`encode`](Self::encode) wrote; none if it is damaged in any way. Bytes after it are ignored.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader {
            rest: bytes.strip_prefix(MAGIC)?,
        };
        let look = u32::try_from(reader.number()?).ok()?;
        let taken_ns = reader.number()?;
        let extra = Extra::read(reader.number()?)?;
        let unknown = reader.number()?;
        let groups = reader.groups(extra)?;
        let (body, hash) = bytes.split_at(bytes.len() - reader.rest.len());
        (hash.get(..HASH)? == fnv(body).to_le_bytes()).then_some(Counts {
            look,
            taken_ns,
            unknown,
            groups,
            folded: extra.folded,
        })
    }

    fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        number(&mut out, u64::from(self.look));
        number(&mut out, self.taken_ns);
        let extra = Extra {
            folded: self.folded,
            estimated: self.sample() != 0,
        };
        number(&mut out, extra.number());
        number(&mut out, self.unknown);
        number(&mut out, self.groups.len() as u64);
        for one in &self.groups {
            group(&mut out, one, extra);
        }
        let hash = fnv(&out);
        out.extend(hash.to_le_bytes());
        out
    }
}

/// What groups have beside what all have.
#[derive(Clone, Copy)]
struct Extra {
    /// Bytes.
    folded: bool,
    /// Bytes and the size of the sample.
    estimated: bool,
}

impl Extra {
    fn number(self) -> u64 {
        u64::from(self.folded) | u64::from(self.estimated) << 1
    }

    fn read(number: u64) -> Option<Self> {
        (number < 4).then_some(Extra {
            folded: number & 1 != 0,
            estimated: number & 2 != 0,
        })
    }
}

/// How many of these groups fit into so many bytes.
fn fitting(groups: &[Group], room: usize) -> usize {
    let mut out = Vec::new();
    let all = Extra {
        folded: true,
        estimated: true,
    };
    let fits = |one: &&Group| {
        group(&mut out, one, all);
        out.len() <= room
    };
    groups.iter().take_while(fits).count()
}

fn group(out: &mut Vec<u8>, group: &Group, extra: Extra) {
    number(out, u64::from(group.site.0));
    number(out, group.size);
    out.push(group.align_log2);
    number(out, group.count);
    if extra.folded || extra.estimated {
        number(out, group.bytes);
    }
    if extra.estimated {
        number(out, group.sample);
    }
}

pub(super) fn number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads from the front; nothing once something is not there.
pub(super) struct Reader<'a> {
    /// What was not read yet.
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// As many bytes as that.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    fn groups(&mut self, extra: Extra) -> Option<Vec<Group>> {
        let count = usize::try_from(self.number()?).ok()?;
        // Before anything is reserved for them.
        if count > self.rest.len() / SMALLEST_GROUP {
            return None;
        }
        (0..count).map(|_| self.group(extra)).collect()
    }

    fn group(&mut self, extra: Extra) -> Option<Group> {
        let site = SiteId(u32::try_from(self.number()?).ok()?);
        let size = self.number()?;
        let align_log2 = self.byte()?;
        let count = self.number()?;
        let bytes = if extra.folded || extra.estimated {
            self.number()?
        } else {
            size.saturating_mul(count)
        };
        let sample = if extra.estimated { self.number()? } else { 0 };
        Some(Group {
            site,
            size,
            align_log2,
            count,
            bytes,
            sample,
        })
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(n);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
}

/// The FNV-1a hash, in 64 bits.
pub(super) fn fnv64(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn fnv(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(groups: u32) -> Counts {
        let group = |i: u32| Group {
            site: SiteId(i / 3),
            size: u64::from(1000 - i),
            align_log2: 3,
            count: 10,
            bytes: u64::from(1000 - i) * 10,
            sample: 0,
        };
        Counts {
            look: 7,
            taken_ns: u64::MAX,
            unknown: 1 << 40,
            groups: (0..groups).map(group).collect(),
            folded: false,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let counts = counts(300);
        let mut bytes = counts.encode(usize::MAX);
        bytes.extend([0; 100]);
        assert_eq!(Counts::decode(&bytes), Some(counts));
    }

    #[test]
    fn estimates_are_read_as_such() {
        let mut counts = counts(300);
        counts.groups[7].sample = 3;
        counts.groups[7].bytes += 11;
        let read = |counts: &Counts, room| Counts::decode(&counts.encode(room)).unwrap();
        assert_eq!(read(&counts, usize::MAX), counts);
        let short = read(&counts, 500);
        assert_eq!(
            (short.bytes(), short.sample()),
            (counts.bytes(), counts.sample())
        );
    }

    #[test]
    fn short_room_folds_and_cuts_and_keeps_the_sums() {
        let counts = counts(300);
        for room in [1500, 1000, 300, HEADER] {
            let bytes = counts.encode(room);
            assert!(bytes.len() <= room, "{} into {room}", bytes.len());
            let read = Counts::decode(&bytes).expect("it was not damaged");
            assert!(read.folded);
            assert_eq!(
                (read.count(), read.bytes()),
                (counts.count(), counts.bytes())
            );
        }
        assert!(counts.encode(HEADER - 1).is_empty());
    }

    #[test]
    #[cfg_attr(miri, ignore = "it damages each byte, slowly")]
    fn every_damage_is_noticed() {
        let whole = counts(20).encode(usize::MAX);
        for place in 0..whole.len() {
            assert_eq!(Counts::decode(&whole[..place]), None);
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            assert_eq!(Counts::decode(&damaged), None, "at {place}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            Counts::decode(&bytes);
            Counts::decode(&[MAGIC, &bytes].concat());
        }
    }
}
