//! From an address to the block in which it lies, also inside it.
//!
//! A bit for each 16 bytes says whether a block begins there, and beside each 64 of them stands how many blocks begin
//! before: two loads from one line of the cache give the last block at or before an address. Where blocks begin closer
//! together than that, a binary search answers instead.

use crate::heap::Block;

/// Finds blocks by addresses.
#[derive(Debug, Default)]
pub struct Index {
    /// For each 32 GiB of addresses its regions, none where no block is. Indexed by the upper bits of an address.
    directory: Vec<Option<Box<[Region]>>>,
    /// The lines of all regions in which a block begins.
    lines: Vec<Line>,
    /// Whether two blocks begin in one granule, so that the lines cannot tell them apart.
    crowded: bool,
}

/// One mebibyte of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Region {
    /// No block is there.
    #[default]
    Empty,
    /// Blocks begin there; its lines begin at this place.
    Lines(u32),
    /// None begins there, but this one reaches into it.
    Inside(u32),
}

/// What begins in a kibibyte.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// A bit for each granule in which a block begins.
    begins: u64,
    /// Blocks that begin before.
    before: u32,
}

const GRANULE_LOG2: u32 = 4;
const LINE_LOG2: u32 = GRANULE_LOG2 + 6;
const REGION_LOG2: u32 = 20;
const AREA_LOG2: u32 = 35;
const LINES: usize = 1 << (REGION_LOG2 - LINE_LOG2);
const REGIONS: usize = 1 << (AREA_LOG2 - REGION_LOG2);
/// User addresses have 47 bits.
const AREAS: usize = 1 << (47 - AREA_LOG2);

impl Index {
    /// Of blocks in order of address. Blocks beyond a user's addresses are not found.
    pub fn new(blocks: &[Block]) -> Self {
        let mut index = Index {
            directory: vec![None; AREAS],
            ..Index::default()
        };
        for (id, block) in blocks.iter().enumerate() {
            index.add(id as u32, block);
        }
        index.count();
        index
    }

    /// The block that an address means: it lies in it, or one past its end where no other block begins.
    pub fn find(&self, blocks: &[Block], address: u64) -> Option<u32> {
        let id = self.candidate(blocks, address)?;
        let block = blocks.get(id as usize)?;
        let into = address.checked_sub(block.address.0)?;
        (into <= block.size).then_some(id)
    }

    /// Whether an address is near blocks at all: cheap, and false for nearly every word that is no pointer.
    pub fn is_near(&self, address: u64) -> bool {
        self.region(address) != Region::Empty
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        let areas = self.directory.iter().flatten().count();
        self.directory.len() * size_of::<Option<Box<[Region]>>>()
            + areas * REGIONS * size_of::<Region>()
            + self.lines.len() * size_of::<Line>()
    }

    /// The last block that begins at or before an address, if that may reach it.
    fn candidate(&self, blocks: &[Block], address: u64) -> Option<u32> {
        match self.region(address) {
            Region::Empty => None,
            _ if self.crowded => {
                let after = blocks.partition_point(|block| block.address.0 <= address);
                after.checked_sub(1).map(|id| id as u32)
            }
            Region::Inside(id) => Some(id),
            Region::Lines(first) => {
                let line = self.lines.get(first as usize + line_in_region(address))?;
                let granule = address >> GRANULE_LOG2 & 63;
                let id = (line.before + (line.begins & u64::MAX >> (63 - granule)).count_ones())
                    .checked_sub(1)?;
                // A block may begin in the granule, but behind the address.
                let begins = blocks.get(id as usize)?.address.0 <= address;
                if begins { Some(id) } else { id.checked_sub(1) }
            }
        }
    }

    #[inline]
    fn region(&self, address: u64) -> Region {
        let area = self.directory.get((address >> AREA_LOG2) as usize);
        match area {
            Some(Some(regions)) => regions[(address >> REGION_LOG2) as usize % REGIONS],
            _ => Region::Empty,
        }
    }

    fn add(&mut self, id: u32, block: &Block) {
        let begin = block.address.0;
        // One past the end is still the block's.
        let last = begin.saturating_add(block.size);
        let Some(Region::Lines(first)) = self.with_lines(begin) else {
            return;
        };
        let line = &mut self.lines[first as usize + line_in_region(begin)];
        let bit = 1 << (begin >> GRANULE_LOG2 & 63);
        self.crowded |= line.begins & bit != 0;
        line.begins |= bit;
        let regions = (begin >> REGION_LOG2) + 1..=last.min((1 << 47) - 1) >> REGION_LOG2;
        for region in regions {
            if let Some(place) = self.place(region << REGION_LOG2) {
                *place = Region::Inside(id);
            }
        }
    }

    /// The region of an address, which has lines from now on. None beyond a user's addresses.
    fn with_lines(&mut self, address: u64) -> Option<Region> {
        let first = self.lines.len() as u32;
        let place = self.place(address)?;
        if !matches!(place, Region::Lines(_)) {
            *place = Region::Lines(first);
            self.lines.resize(self.lines.len() + LINES, Line::default());
        }
        self.place(address).copied()
    }

    fn place(&mut self, address: u64) -> Option<&mut Region> {
        let area = self.directory.get_mut((address >> AREA_LOG2) as usize)?;
        let regions = area.get_or_insert_with(|| vec![Region::Empty; REGIONS].into());
        regions.get_mut((address >> REGION_LOG2) as usize % REGIONS)
    }

    /// Lines were made in order of address, so that one running count serves all.
    fn count(&mut self) {
        let mut before = 0;
        for line in &mut self.lines {
            line.before = before;
            before += line.begins.count_ones();
        }
    }
}

fn line_in_region(address: u64) -> usize {
    (address >> LINE_LOG2) as usize % LINES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::graph::fixture::block;
    use proptest::prelude::*;

    fn naive(blocks: &[Block], address: u64) -> Option<u32> {
        let reaches =
            |block: &Block| (block.address.0..=block.address.0 + block.size).contains(&address);
        blocks.iter().rposition(reaches).map(|id| id as u32)
    }

    fn check(blocks: &[Block]) {
        let index = Index::new(blocks);
        for block in blocks {
            let (begin, end) = (block.address.0, block.address.0 + block.size);
            for address in [
                begin.wrapping_sub(1),
                begin,
                begin + 1,
                end - 1,
                end,
                end + 1,
                begin ^ 1 << 20,
            ] {
                assert_eq!(
                    index.find(blocks, address),
                    naive(blocks, address),
                    "{address:#x}"
                );
            }
        }
    }

    #[test]
    fn blocks_of_many_regions_are_found_at_both_ends() {
        check(&[
            block(0x10_0000 - 32, 32),
            block(0x10_0000, 5 << 20),
            block(0x7000_0000_0010, 3 << 20),
            block(0x7000_0040_0000, 16),
        ]);
    }

    #[test]
    fn no_address_is_out_of_bounds() {
        let blocks = [block(0x1000, 64), block(u64::MAX - 64, 32)];
        let index = Index::new(&blocks);
        for address in [0, 1 << 46, 1 << 47, 1 << 63, u64::MAX] {
            assert_eq!(index.find(&blocks, address), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_found_lies_there(
            gaps in prop::collection::vec((1u64..3000, 1u64..4000), 1..200), near: bool, base in 1u64..1 << 46,
        ) {
            let mut at = base;
            let mut blocks = Vec::new();
            for (gap, size) in gaps {
                // Now and then closer together than a granule.
                at += if near { gap % 20 + 1 } else { gap.next_multiple_of(16) };
                blocks.push(block(at, if near { size % 9 + 1 } else { size }));
                at += blocks[blocks.len() - 1].size;
            }
            check(&blocks);
        }
    }
}
