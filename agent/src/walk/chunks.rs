//! `walk`: which memory between live blocks is in use, where the allocator is glibc's: by the sizes that stand before its chunks.
//!
//! What was freed still says what it said: a leaked block would pass for held by memory that is not tracked, because a
//! buffer that is long free once had its address. So chunks are gone through from each block to the next. One is free if
//! the next one says so, or if its first word is the mangled link of a list of free chunks (`tcache`, fast bins; glibc from
//! 2.32 on). Where sizes do not lead exactly from block to block, all that lies between counts as in use.

use std::iter::once;
use std::ops::Range;

use crate::heap::{Address, Block, Memory};

/// Bytes of a chunk before what the program gets, its size being the second word.
const HEADER: u64 = 16;
/// Bits of a size that say something else: the chunk before is in use, the chunk is a mapping of its own, of another arena.
const FLAGS: u64 = 7;
const BEFORE_IS_USED: u64 = 1;
const IS_MAPPED: u64 = 2;
/// The least chunk.
const LEAST: u64 = 32;
/// Chunks between two blocks that are gone through at the most.
const MOST: usize = 1 << 16;

/// What comes behind a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next block, at this address.
    Block(u64),
    /// No other one up to here, where what the allocator may give out ends.
    End(u64),
}

/// Where behind a block memory is in use. Not what the block's own chunk has beside it.
pub(super) fn in_use(memory: &dyn Memory, block: &Block, next: Next) -> Vec<Range<u64>> {
    let (Next::Block(end) | Next::End(end)) = next;
    let all = || once(block.address.0.saturating_add(block.size)..end).collect();
    // Right behind each other, as most are.
    let expected = block.size.saturating_add(8 + 15).max(LEAST) & !15;
    if next == Next::Block(block.address.0.saturating_add(expected)) {
        return Vec::new();
    }
    chunks(memory, block, next).unwrap_or_else(all)
}

fn chunks(memory: &dyn Memory, block: &Block, next: Next) -> Option<Vec<Range<u64>>> {
    let (end, is_last) = match next {
        Next::Block(address) => (address, false),
        Next::End(end) => (end.checked_add(HEADER)?, true),
    };
    let mut used = Vec::new();
    let mut at = block
        .address
        .0
        .checked_add(size(memory, block.address.0)?)?;
    for _ in 0..MOST {
        if at == end {
            return Some(used);
        }
        let size = size(memory, at)?;
        let after = at.checked_add(size).filter(|after| *after <= end)?;
        if is_last && after == end {
            // The last chunk is what was never given out, or is free again.
            return Some(used);
        }
        let is_used = memory.word(Address(after - 8))? & BEFORE_IS_USED != 0;
        if is_used && !is_listed(memory, at, size) {
            // A chunk's last word is the first of the next one's header.
            used.push(at..after - HEADER + 8);
        }
        at = after;
    }
    None
}

/// The size of the chunk of what begins at an address.
fn size(memory: &dyn Memory, at: u64) -> Option<u64> {
    let word = memory.word(Address(at.checked_sub(8)?))?;
    let size = word & !FLAGS;
    (word & IS_MAPPED == 0 && size >= LEAST && size.is_multiple_of(16)).then_some(size)
}

/// Whether a chunk is in a list of free ones: its first word, taken apart, is nothing or leads to another of its size, either to
/// what the program had of that or to its header.
fn is_listed(memory: &dyn Memory, at: u64, own: u64) -> bool {
    let Some(word) = memory.word(Address(at)) else {
        return false;
    };
    let link = word ^ at >> 12;
    let leads_to = |at: u64| size(memory, at) == Some(own);
    link == 0 || link.is_multiple_of(16) && (leads_to(link) || leads_to(link.wrapping_add(HEADER)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::{Birth, Pieces, Rate, SiteId};

    const START: u64 = 0x5000_0000;

    fn block(place: u64, size: u64) -> Block {
        Block {
            address: Address(START + place),
            size,
            align_log2: 3,
            birth: Birth(1),
            site: SiteId(1),
            moving: false,
            rate: Rate::WHOLE,
        }
    }

    /// Chunks in a row: the size of each, whether the one before is in use, its first word.
    fn heap(chunks: &[(u64, u64, u64)]) -> Pieces {
        let mut words = vec![0];
        for (size, before, first) in chunks {
            words.push(size | before);
            words.push(*first);
            words.extend(std::iter::repeat_n(
                0,
                (size / 8).saturating_sub(2) as usize,
            ));
        }
        Pieces(vec![(
            START - 16,
            words
                .iter()
                .flat_map(|word: &u64| word.to_le_bytes())
                .collect(),
        )])
    }

    fn between(chunks: &[(u64, u64, u64)], next: u64) -> Vec<(u64, u64)> {
        let next = Next::Block(START + next);
        pairs(in_use(&heap(chunks), &block(0, 24), next))
    }

    fn pairs(ranges: Vec<Range<u64>>) -> Vec<(u64, u64)> {
        let pair = |range: Range<u64>| (range.start - START, range.end - START);
        ranges.into_iter().map(pair).collect()
    }

    #[test]
    fn what_is_free_is_left_out() {
        // Ours; C's; one free by the bit of the next; one of C's; ours.
        let chunks = [
            (32, 1, 7),
            (48, 1, 7),
            (64, 1, 7),
            (32, 0, 7),
            (32, 1, 7),
            (32, 1, 7),
        ];
        assert_eq!(between(&chunks, 176), [(32, 72), (144, 168)]);
    }

    #[test]
    fn what_is_in_a_list_of_free_chunks_is_left_out() {
        let at = START + 32;
        for link in [0, START + 80, START + 80 - 16] {
            let chunks = [
                (32, 1, 7),
                (48, 1, link ^ at >> 12),
                (48, 1, 7),
                (32, 1, 7),
                (32, 1, 7),
            ];
            assert_eq!(between(&chunks, 128), [(80, 120)], "{link:#x}");
        }
        // Leads to one of another size.
        let chunks = [
            (32, 1, 7),
            (48, 1, START ^ at >> 12),
            (48, 1, 7),
            (32, 1, 7),
            (32, 1, 7),
        ];
        assert_eq!(between(&chunks, 128), [(32, 72), (80, 120)]);
    }

    #[test]
    fn the_last_chunk_was_never_given_out() {
        let memory = heap(&[(32, 1, 7), (48, 1, 7), (64, 1, 7)]);
        let found = in_use(&memory, &block(0, 24), Next::End(START + 144 - 16));
        assert_eq!(pairs(found), [(32, 72)]);
        let found = in_use(&memory, &block(0, 24), Next::End(START + 160));
        assert_eq!(pairs(found), [(24, 160)], "it ends elsewhere");
    }

    #[test]
    fn where_sizes_lead_nowhere_all_is_in_use() {
        for wrong in [0, 8, 40, 1 << 40, u64::MAX, 48 | IS_MAPPED] {
            let chunks = [(32, 1, 7), (wrong & !1, 1, 7), (32, 1, 7)];
            let chunks = if wrong > 1 << 20 {
                &chunks[..1]
            } else {
                &chunks[..]
            };
            assert_eq!(between(chunks, 4096), [(24, 4096)], "{wrong:#x}");
        }
        assert_eq!(between(&[(32, 1, 7), (32, 1, 7)], 32), []);
    }
}
