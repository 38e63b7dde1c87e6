//! ON THE PROGRAM'S HOT PATH: the record of a block, 64 bits. Pure arithmetic.
//!
//! ```text
//! bit 0       live
//! bit 1       the block begins in the upper half of its 32-byte granule
//! bits 2..8   base-two logarithm of the alignment
//! bits 8..28  site
//! bits 28..48 birth
//! bits 48..64 size, or LARGE: then the next granule's word holds it
//! ```

/// The size field of a block too large for it.
pub(super) const LARGE: usize = 0xffff;

/// The largest site number a record can hold.
pub(super) const MAX_SITE: u32 = (1 << 20) - 1;

/// The latest birth a record can hold.
pub(crate) const MAX_BIRTH: u32 = (1 << 20) - 1;

const LIVE: u64 = 1;
const OFFSET: u32 = 1;
const ALIGN: u32 = 2;
const SITE: u32 = 8;
const BIRTH: u32 = 28;
const SIZE: u32 = 48;

/// What is known of a live block; zero bits mean that none begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record(pub u64);

impl Record {
    /// No block.
    pub(super) const NONE: Record = Record(0);

    /// Packs a live block. `site` and `birth` are at most `MAX_SITE` and `MAX_BIRTH`.
    #[inline(always)]
    pub(super) fn new(address: u64, size: usize, align: usize, site: u32, birth: u32) -> Record {
        debug_assert!(site <= MAX_SITE && birth <= MAX_BIRTH);
        Record(
            LIVE | (address >> 4 & 1) << OFFSET
                | u64::from(align.trailing_zeros()) << ALIGN
                | u64::from(site) << SITE
                | u64::from(birth) << BIRTH
                | (size.min(LARGE) as u64) << SIZE,
        )
    }

    /// Whether a block begins here. The size of a large block, kept in a word of its own, never looks so.
    #[inline(always)]
    pub(super) fn is_live(self) -> bool {
        self.0 & LIVE != 0
    }

    /// Where the block begins, in bytes from the start of its granule.
    pub(super) fn offset(self) -> u64 {
        (self.0 >> OFFSET & 1) << 4
    }

    /// Base-two logarithm of the alignment asked for.
    pub(super) fn align_log2(self) -> u8 {
        (self.0 >> ALIGN & 0x3f) as u8
    }

    /// The call stack's number, zero if none was taken.
    pub(super) fn site(self) -> u32 {
        (self.0 >> SITE) as u32 & MAX_SITE
    }

    /// The epoch of the first allocation.
    #[inline(always)]
    pub(super) fn birth(self) -> u32 {
        (self.0 >> BIRTH) as u32 & MAX_BIRTH
    }

    /// The size, or nothing when the next granule's word holds it.
    pub(super) fn size(self) -> Option<u64> {
        let size = self.0 >> SIZE;
        (size != LARGE as u64).then_some(size)
    }
}

/// The word after a large block's record: its size, with the live bit clear.
#[inline(always)]
pub(super) fn large_size_word(size: usize) -> u64 {
    (size as u64) << 1
}

/// The size in the word after a large block's record.
pub(super) fn large_size(word: u64) -> u64 {
    word >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_comes_back() {
        let sizes = [1, 2, 31, 32, 33, 4096, LARGE - 1];
        let aligns = [1, 8, 16, 64, 1 << 12, 1 << 40];
        let numbers = [0, 1, 0x5_5555, 0xa_aaaa, MAX_SITE];
        for (size, align, site, birth) in every(&sizes, &aligns, &numbers) {
            for address in [0x7f00_1234_5640, 0x7f00_1234_5650] {
                let record = Record::new(address, size, align, site, birth);
                assert!(record.is_live());
                assert_eq!(record.offset(), address & 16);
                assert_eq!(1usize << record.align_log2(), align);
                assert_eq!((record.site(), record.birth()), (site, birth));
                assert_eq!(record.size(), Some(size as u64));
            }
        }
    }

    fn every(sizes: &[usize], aligns: &[usize], numbers: &[u32]) -> Vec<(usize, usize, u32, u32)> {
        let mut all = Vec::new();
        for &size in sizes {
            for &align in aligns {
                for &site in numbers {
                    all.extend(numbers.iter().map(|&birth| (size, align, site, birth)));
                }
            }
        }
        all
    }

    #[test]
    fn a_large_size_goes_to_a_word_that_is_not_a_record() {
        for size in [LARGE, LARGE + 1, 1 << 46] {
            assert_eq!(Record::new(64, size, 16, 1, 1).size(), None);
            let word = large_size_word(size);
            assert!(!Record(word).is_live());
            assert_eq!(large_size(word), size as u64);
        }
    }

    #[test]
    fn no_block_is_not_live() {
        assert!(!Record::NONE.is_live());
    }
}
