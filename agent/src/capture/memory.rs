//! Where the resident memory is: the kernel's account of mappings, the allocator's of itself, and the blocks put together.

use crate::heap::{Block, Malloc, Mapped, MemorySplit};
use crate::os::map;

use super::maps::{self, Mapping};

/// Blocks of fewer bytes count as resident: to ask the kernel of each would take longer than the answer is worth, and what
/// is so small seldom lies untouched. In bytes.
const ASKED_FROM: u64 = 64 << 10;

/// Splits the resident memory, so many bytes in all. `own` are the agent's address ranges, `stacks` a stack pointer a thread, `unrecorded` the
/// bytes of live blocks that are not among `blocks`.
pub(super) fn split(
    (mappings, resident): (&[Mapping], u64),
    own: &[(u64, u64)],
    stacks: &[u64],
    blocks: &[Block],
    unrecorded: u64,
    malloc: Option<Malloc>,
) -> MemorySplit {
    let mut split = maps::split(mappings, resident, own, stacks);
    split.live = blocks.iter().map(resident_of).sum::<u64>() + unrecorded;
    split.largest_other = largest_other(mappings, own, stacks, blocks);
    share_out(&mut split, blocks, unrecorded, malloc);
    split
}

/// Shares out what is neither the agent's, nor stacks, nor files, nor live blocks. No part may take more than there is
/// left: the allocator counts as free what it gave back to the kernel page by page, and as used what was never touched.
fn share_out(split: &mut MemorySplit, blocks: &[Block], unrecorded: u64, malloc: Option<Malloc>) {
    let known = split.own + split.stacks + split.files + split.live;
    let mut left = split.resident.saturating_sub(known);
    let mut take = |bytes: u64| {
        let taken = bytes.min(left);
        left -= taken;
        taken
    };
    if let Some(malloc) = malloc {
        let chunks = blocks.iter().map(chunk).sum::<u64>() + unrecorded;
        let asked = blocks.iter().map(|block| block.size).sum::<u64>() + unrecorded;
        split.rounding = Some(take(chunks - asked));
        split.free = Some(take(malloc.free));
        let all = malloc.used + malloc.mapped;
        split.foreign = Some(take(all.saturating_sub(chunks)));
    }
    split.unexplained = left;
}

/// Bytes of a block that are in memory. A large one may be room that nobody touched yet.
fn resident_of(block: &Block) -> u64 {
    if block.size < ASKED_FROM {
        return block.size;
    }
    let end = block.address.0.saturating_add(block.size);
    map::resident(block.address.0..end).min(block.size)
}

/// What glibc takes for a block: its size and a word, in units of 16 bytes, 32 at least.
fn chunk(block: &Block) -> u64 {
    block.size.saturating_add(8 + 15).max(32) & !15
}

/// The largest mapping without a file that has none of the program's blocks, nor a stack.
fn largest_other(
    mappings: &[Mapping],
    own: &[(u64, u64)],
    stacks: &[u64],
    blocks: &[Block],
) -> Option<Mapped> {
    let has_block = |mapping: &Mapping| {
        let first = blocks.partition_point(|block| block.address.0 < mapping.start);
        blocks
            .get(first)
            .is_some_and(|block| block.address.0 < mapping.end)
    };
    let others = mappings.iter().filter(|mapping| {
        mapping.is_anonymous(own, stacks) && mapping.resident > 0 && !has_block(mapping)
    });
    let largest = others.max_by_key(|mapping| mapping.resident)?;
    Some(Mapped {
        start: crate::heap::Address(largest.start),
        bytes: largest.resident,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::{Address, Birth, Rate, SiteId};

    fn block(address: u64, size: u64) -> Block {
        Block {
            address: Address(address),
            size,
            align_log2: 3,
            birth: Birth(0),
            site: SiteId(1),
            moving: false,
            rate: Rate::WHOLE,
        }
    }

    fn of(resident: u64, malloc: Option<Malloc>) -> MemorySplit {
        let mut split = MemorySplit {
            resident,
            own: 100,
            stacks: 100,
            files: 300,
            live: 500,
            ..MemorySplit::default()
        };
        share_out(
            &mut split,
            &[block(0x1000, 100), block(0x2000, 400)],
            0,
            malloc,
        );
        split
    }

    fn sum(split: &MemorySplit) -> u64 {
        let told = [split.rounding, split.free, split.foreign];
        let told: u64 = told.into_iter().flatten().sum();
        split.own + split.stacks + split.files + split.live + told + split.unexplained
    }

    #[test]
    fn the_parts_make_up_the_whole() {
        let malloc = Malloc {
            free: 1000,
            used: 900,
            mapped: 0,
        };
        let split = of(5000, Some(malloc));
        // Chunks of 112 and 416 bytes.
        assert_eq!((split.rounding, split.free), (Some(28), Some(1000)));
        assert_eq!(split.foreign, Some(900 - 528));
        assert_eq!(sum(&split), 5000);
        assert_eq!(of(5000, None).unexplained, 4000);
    }

    #[test]
    fn what_was_given_back_to_the_kernel_is_not_counted_as_kept() {
        let malloc = Malloc {
            free: 1 << 30,
            used: 600,
            mapped: 1 << 40,
        };
        let split = of(1500, Some(malloc));
        assert_eq!(split.free, Some(472));
        assert_eq!((split.foreign, split.unexplained), (Some(0), 0));
        assert_eq!(sum(&split), 1500);
    }

    #[test]
    fn room_that_nobody_touched_is_not_resident() {
        let start = map::reserve(1 << 20).expect("addresses");
        let block = block(start.as_ptr() as u64, 1 << 20);
        assert_eq!(resident_of(&block), 0);
    }
}
