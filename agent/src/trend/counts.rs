//! The live blocks of one look, counted by site, size and alignment: what decides their type.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::heap::{Block, Rate, SiteId, Snapshot};

/// How many blocks of each kind a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The look, from 1.
    pub(crate) look: u32,
    /// When the program had stopped, in nanoseconds, as in the snapshot.
    pub(crate) taken_ns: u64,
    /// Bytes of live blocks that had no record, and so are in no group.
    pub(crate) unknown: u64,
    /// Heaviest first; see [`Group`].
    pub(crate) groups: Vec<Group>,
    /// Whether room was short, so that a group is all of a site, and `size` that of its heaviest kind alone.
    pub(crate) folded: bool,
}

/// Blocks of one site with the same size and alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The call stack they have in common.
    pub(crate) site: SiteId,
    /// Bytes of each.
    pub(crate) size: u64,
    /// Base-two logarithm of their alignment.
    pub(crate) align_log2: u8,
    /// How many; where some were picked out of many, how many there are by estimate.
    pub(crate) count: u64,
    /// Bytes of all: `size` times `count`, unless folded or estimated.
    pub(crate) bytes: u64,
    /// How many recorded blocks the estimate rests on; zero where it is none, but a count.
    pub(crate) sample: u64,
}

/// Site, size and alignment.
type Key = (SiteId, u64, u8);

impl Counts {
    /// Counts the blocks of a snapshot: one pass over them.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let unknown = snapshot.tracking.unknown_bytes;
        Counts::of_blocks(snapshot.look, snapshot.taken_ns, unknown, &snapshot.blocks)
    }

    /// Counts the blocks of a look, at a moment of the monotonic clock, beside so many bytes in blocks that are not known.
    pub(crate) fn of_blocks(look: u32, taken_ns: u64, unknown: u64, blocks: &[Block]) -> Self {
        Counts {
            look,
            taken_ns,
            unknown,
            groups: heaviest_first(sum(blocks)),
            folded: false,
        }
    }

    /// Blocks in all.
    pub(crate) fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Bytes in all.
    pub(crate) fn bytes(&self) -> u64 {
        self.groups.iter().map(|group| group.bytes).sum()
    }

    /// How many recorded blocks the estimates in it rest on; zero where there are none.
    pub(crate) fn sample(&self) -> u64 {
        self.groups.iter().map(|group| group.sample).sum()
    }

    /// Where each kind of block stands in `groups`.
    pub(crate) fn index(&self) -> GroupIndex {
        let places = self.groups.iter().enumerate();
        GroupIndex(places.map(|(i, group)| (group.key(), i)).collect())
    }

    /// The same with one group a site: less exact, and shorter to hand on.
    pub(crate) fn folded(&self) -> Self {
        let mut sites: HashMap<Key, Group, Quick> = HashMap::default();
        // Heaviest first, so that the size kept is that of the site's heaviest kind.
        for group in &self.groups {
            let all = sites.entry((group.site, 0, 0)).or_insert(Group {
                count: 0,
                bytes: 0,
                sample: 0,
                ..*group
            });
            all.count += group.count;
            all.bytes += group.bytes;
            all.sample += group.sample;
        }
        Counts {
            groups: heaviest_first(sites.into_values().collect()),
            folded: true,
            ..*self
        }
    }

    /// The same with only the heaviest groups; the rest becomes one group without a site.
    pub(crate) fn cut_to(&self, groups: usize) -> Self {
        let (kept, rest) = self.groups.split_at(groups.min(self.groups.len()));
        let mut kept = kept.to_vec();
        if !rest.is_empty() {
            kept.push(Group {
                site: SiteId::default(),
                size: 0,
                align_log2: 0,
                count: rest.iter().map(|group| group.count).sum(),
                bytes: rest.iter().map(|group| group.bytes).sum(),
                sample: rest.iter().map(|group| group.sample).sum(),
            });
        }
        Counts {
            groups: kept,
            folded: true,
            ..*self
        }
    }
}

impl Group {
    fn key(&self) -> Key {
        (self.site, self.size, self.align_log2)
    }
}

/// Finds the group of a block.
#[derive(Debug)]
pub(crate) struct GroupIndex(HashMap<Key, usize, Quick>);

impl GroupIndex {
    /// Where in [`Counts::groups`] this block was counted.
    pub(crate) fn of(&self, block: &Block) -> Option<usize> {
        self.0
            .get(&(block.site, block.size, block.align_log2))
            .copied()
    }
}

fn sum(blocks: &[Block]) -> Vec<Group> {
    let mut sums: HashMap<Key, Tally, Quick> = HashMap::default();
    let key = |block: &Block| (block.site, block.size, block.align_log2);
    // Neighbours are often alike, and to hash takes longer than to add.
    for alike in blocks.chunk_by(|one, next| key(one) == key(next)) {
        let sum = sums.entry(key(&alike[0])).or_default();
        alike.iter().for_each(|block| sum.add(block));
    }
    let mut sums: Vec<(Key, Tally)> = sums.into_iter().collect();
    if sums.iter().any(|(_, sum)| sum.sample != 0) {
        sums.sort_unstable_by_key(|(key, _)| *key);
    }
    let mut carry = 0.0;
    let group = |(key, sum): (Key, Tally)| sum.group(key, &mut carry);
    sums.into_iter().map(group).collect()
}

/// How many blocks there are, told from those recorded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Blocks recorded because all were.
    whole: u64,
    /// Bytes of those.
    whole_bytes: u64,
    /// Blocks recorded because they were picked.
    sample: u64,
    /// How many those stand for.
    estimate: f64,
    /// Bytes of those.
    estimate_bytes: f64,
}

impl Tally {
    /// Of these blocks.
    pub(crate) fn of<'b>(blocks: impl IntoIterator<Item = &'b Block>) -> Self {
        let mut tally = Tally::default();
        blocks.into_iter().for_each(|block| tally.add(block));
        tally
    }

    /// One block more, and those it stands for.
    pub(crate) fn add(&mut self, block: &Block) {
        if block.rate == Rate::WHOLE {
            self.whole += 1;
            self.whole_bytes = self.whole_bytes.saturating_add(block.size);
        } else {
            let weight = block.rate.weight(block.size);
            self.sample += 1;
            self.estimate += weight;
            self.estimate_bytes += weight * block.size as f64;
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.whole + self.estimate.round() as u64
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> u64 {
        let estimate = self.estimate_bytes.round() as u64;
        self.whole_bytes.saturating_add(estimate)
    }

    /// How many of them are recorded.
    pub(crate) fn recorded(&self) -> u64 {
        self.whole + self.sample
    }

    /// How many recorded blocks the estimate in it rests on.
    pub(crate) fn sample(&self) -> u64 {
        self.sample
    }

    /// Blocks are whole numbers; what rounding leaves is carried over to the next group, so that no sum of groups is off
    /// by more than one.
    fn group(self, (site, size, align_log2): Key, carry: &mut f64) -> Group {
        let wanted = self.estimate + *carry;
        let estimate = wanted.round().max(0.0);
        *carry = wanted - estimate;
        Group {
            site,
            size,
            align_log2,
            count: self.whole + estimate as u64,
            bytes: self.bytes(),
            sample: self.sample,
        }
    }
}

fn heaviest_first(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_unstable_by_key(|group| (std::cmp::Reverse(group.bytes), group.key()));
    groups
}

/// Hashes small integers by a multiplication each. The standard hasher withstands hostile keys, which these are not,
/// and takes four times as long for a million blocks.
#[derive(Clone, Copy, Debug, Default)]
struct Multiply(u64);

type Quick = BuildHasherDefault<Multiply>;

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        // The fractional part of the golden ratio; the fold brings the well-mixed upper half down, where the table looks.
        let product = u128::from(self.0 ^ n) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::heap::{Address, Birth, Mode};

    fn block(address: u64, site: u32, size: u64) -> Block {
        Block {
            address: Address(address),
            size,
            align_log2: 3,
            birth: Birth(0),
            site: SiteId(site),
            moving: false,
            rate: Rate::WHOLE,
        }
    }

    #[test]
    fn groups_are_counted_heaviest_first() {
        let groups = heaviest_first(sum(&[
            block(0x100, 1, 8),
            block(0x200, 2, 100),
            block(0x300, 1, 8),
            block(0x400, 1, 16),
        ]));
        let seen: Vec<_> = groups.iter().map(|g| (g.site.0, g.size, g.count)).collect();
        assert_eq!(seen, [(2, 100, 1), (1, 8, 2), (1, 16, 1)]);
    }

    #[test]
    fn picked_blocks_stand_for_many_and_rounding_loses_none() {
        let rate = Rate::of(Mode::Sampled(NonZeroU64::new(1 << 10).unwrap())).unwrap();
        let picked = |i: u64| Block {
            rate,
            ..block(0x100 * i, 1, 700 + i)
        };
        // Each stands for 1.9 to 2 blocks: rounded one by one, 200 blocks would make 400.
        let blocks: Vec<Block> = (0..200).map(picked).collect();
        let exact: f64 = blocks.iter().map(|b| b.rate.weight(b.size)).sum();
        let counts = Counts {
            groups: heaviest_first(sum(&blocks)),
            ..Counts::default()
        };
        assert_eq!(counts.groups.len(), 200);
        assert_eq!(counts.sample(), 200);
        assert!((counts.count() as f64 - exact).abs() <= 1.0);
        let one = sum(&[picked(0), block(0x900, 1, 700)])[0];
        assert_eq!((one.count, one.bytes, one.sample), (3, 2114, 1));
    }

    #[test]
    fn folding_and_cutting_keep_the_sums() {
        let all = Counts {
            groups: heaviest_first(sum(&[
                block(0x100, 1, 8),
                block(0x200, 2, 100),
                block(0x300, 1, 400),
                block(0x400, 3, 5),
            ])),
            ..Counts::default()
        };
        let folded = all.folded();
        assert_eq!(folded.groups.len(), 3);
        assert_eq!(folded.groups[0].size, 400);
        assert_eq!(folded.groups[0].bytes, 408);
        let cut = folded.cut_to(1);
        assert_eq!(cut.groups.len(), 2);
        for counts in [&folded, &cut] {
            assert_eq!((counts.count(), counts.bytes()), (all.count(), all.bytes()));
        }
    }

    #[test]
    fn the_index_finds_the_group_of_a_block() {
        let blocks = [block(0x100, 1, 8), block(0x200, 2, 100)];
        let counts = Counts {
            groups: heaviest_first(sum(&blocks)),
            ..Counts::default()
        };
        assert_eq!(counts.index().of(&blocks[0]), Some(1));
        assert_eq!(counts.index().of(&block(0x100, 9, 8)), None);
    }
}
