//! ON THE PROGRAM'S HOT PATH: the record of a block, 64 bits. Pure arithmetic.
//!
//! ```text
//! bit 0       live
//! bit 1       the block begins in the upper half of its 32-byte granule
//! bits 2..8   base-two logarithm of the alignment
//! bits 8..28  site
//! bits 28..48 birth
//! bits 48..52 rate: how the block came to be recorded, so that the record says alone what it stands for, whatever the
//!             mode is by now; or OWN
//! bits 52..64 size, or LARGE: then the next granule's word holds it
//! ```

use crate::heap::Rate;

/// The size field of a block too large for it.
pub(super) const LARGE: usize = 0xfff;

/// The largest site number a record can hold.
pub(super) const MAX_SITE: u32 = (1 << 20) - 1;

/// The latest birth a record can hold.
pub(crate) const MAX_BIRTH: u32 = (1 << 20) - 1;

const LIVE: u64 = 1;
const OFFSET: u32 = 1;
const ALIGN: u32 = 2;
const SITE: u32 = 8;
const BIRTH: u32 = 28;
const RATE: u32 = 48;
const SIZE: u32 = 52;
/// In the place of a rate: a block of the agent's own.
const OWN: u64 = 15;

/// What is known of a live block; zero bits mean that none begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record(pub u64);

impl Record {
    /// No block.
    pub(super) const NONE: Record = Record(0);

    /// Packs a live block.
    #[inline(always)]
    pub(super) fn new(
        address: u64,
        size: usize,
        align: usize,
        Origin { site, birth, rate }: Origin,
    ) -> Record {
        debug_assert!(site <= MAX_SITE && birth <= MAX_BIRTH);
        Record(
            LIVE | (address >> 4 & 1) << OFFSET
                | u64::from(align.trailing_zeros()) << ALIGN
                | u64::from(site) << SITE
                | u64::from(birth) << BIRTH
                | u64::from(rate.number()) << RATE
                | (size.min(LARGE) as u64) << SIZE,
        )
    }

    /// Packs a block of the agent's own, which is known so that its free is told from that of a block without a
    /// record, and never shown.
    pub(super) fn own(address: u64, size: usize) -> Record {
        let origin = Origin {
            site: 0,
            birth: 0,
            rate: Rate::WHOLE,
        };
        Record(Record::new(address, size, 1, origin).0 | OWN << RATE)
    }

    /// Whether a block of the program begins here.
    #[inline(always)]
    pub(super) fn is_shown(self) -> bool {
        self.is_live() && self.0 >> RATE & OWN != OWN
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

    /// How the block came to be recorded.
    pub(super) fn rate(self) -> Rate {
        Rate::numbered((self.0 >> RATE & 15) as u8)
    }

    /// The size, or nothing when the next granule's word holds it.
    pub(super) fn size(self) -> Option<u64> {
        let size = self.0 >> SIZE;
        (size != LARGE as u64).then_some(size)
    }
}

/// How a block came to be, and to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The call stack's number, at most `MAX_SITE`.
    pub(super) site: u32,
    /// The epoch of the first allocation, at most `MAX_BIRTH`.
    pub(super) birth: u32,
    /// By which chance it was recorded.
    pub(super) rate: Rate,
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
        let sizes = [1, 2, 31, 32, 33, LARGE - 1];
        let aligns = [1, 8, 16, 64, 1 << 12, 1 << 40];
        let numbers = [0, 1, 0x5_5555, 0xa_aaaa, MAX_SITE];
        for (size, align, site, birth) in every(&sizes, &aligns, &numbers) {
            for address in [0x7f00_1234_5640, 0x7f00_1234_5650] {
                let rate = Rate::numbered((size % 15) as u8);
                let record = Record::new(address, size, align, Origin { site, birth, rate });
                assert!(record.is_live() && record.is_shown());
                assert_eq!(record.rate(), rate);
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
            assert_eq!(Record::own(64, size).size(), None);
            let word = large_size_word(size);
            assert!(!Record(word).is_live());
            assert_eq!(large_size(word), size as u64);
        }
    }

    #[test]
    fn a_block_of_the_agents_is_live_but_not_shown() {
        let record = Record::own(0x7f00_1234_5650, 40);
        assert!(record.is_live() && !record.is_shown());
        assert_eq!((record.offset(), record.size()), (16, Some(40)));
    }

    #[test]
    fn no_block_is_not_live() {
        assert!(!Record::NONE.is_live());
    }
}
