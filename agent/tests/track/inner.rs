//! Inner allocators that fail, look around while a block moves, or pack blocks tightly.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sigheap::Heap;
use sigheap::internals::{self, Address, Block};

use crate::books::{BLOCKS, BYTES, all_blocks, alone};
use crate::life::in_fork;
use crate::work::Dice;

#[test]
fn a_block_keeps_its_birth_when_it_moves_and_its_address_has_another_later() {
    let _alone = alone();
    internals::set_epoch(100);
    let mut block = vec![1u8; 100];
    internals::set_epoch(200);
    let before = internals::block_at(Address(block.as_ptr() as u64)).unwrap();
    block.reserve_exact(1 << 20);
    let after = internals::block_at(Address(block.as_ptr() as u64)).unwrap();
    assert_eq!((before.birth.0, after.birth.0), (100, 100));
    assert_eq!(after.size, (1 << 20) + 100);
    assert_ne!(before.site, after.site);
    internals::set_epoch(u32::MAX);
    assert_eq!(internals::epoch(), (1 << 20) - 1);
    internals::set_epoch(201);
}

/// An allocator over `System` whose next `realloc` fails, or that looks around while it moves.
struct Odd;

static MOVES_SEEN: AtomicUsize = AtomicUsize::new(0);
static ODD_BLOCK: AtomicU64 = AtomicU64::new(0);

// SAFETY: forwards to `System`; a null answer is allowed.
unsafe impl GlobalAlloc for Odd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        internals::for_each_block(|seen| {
            if seen.moving && seen.address.0 == ODD_BLOCK.load(Ordering::Relaxed) {
                MOVES_SEEN.fetch_add(seen.size as usize, Ordering::Relaxed);
            }
        });
        if size > 1 << 20 {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[test]
fn a_block_is_seen_while_it_moves_and_stays_when_the_move_fails() {
    let _alone = alone();
    static ODD: Heap<Odd> = Heap::new(Odd);
    for size in [40, 70_000] {
        let layout = Layout::from_size_align(size, 64).unwrap();
        MOVES_SEEN.store(0, Ordering::Relaxed);
        // SAFETY: one block, freed once with its last layout.
        unsafe {
            let block = ODD.alloc(layout);
            ODD_BLOCK.store(block as u64, Ordering::Relaxed);
            let first = internals::block_at(Address(block as u64)).unwrap();
            assert!(ODD.realloc(block, layout, 2 << 20).is_null());
            assert_eq!(
                MOVES_SEEN.load(Ordering::Relaxed),
                size,
                "seen once, with its old size"
            );
            assert_eq!(internals::block_at(Address(block as u64)), Some(first));
            let moved = ODD.realloc(block, layout, 90_000);
            assert_eq!(
                internals::block_at(Address(moved as u64)).unwrap().size,
                90_000
            );
            ODD.dealloc(moved, Layout::from_size_align(90_000, 64).unwrap());
            assert_eq!(internals::block_at(Address(moved as u64)), None);
        }
    }
}

/// An allocator that packs blocks as tightly as their layouts allow and never frees.
struct Tight;

static TIGHT_NEXT: AtomicU64 = AtomicU64::new(0);

// SAFETY: each block lies in a fresh part of a leaked region, as aligned as asked.
unsafe impl GlobalAlloc for Tight {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = TIGHT_NEXT
            .load(Ordering::Relaxed)
            .next_multiple_of(layout.align() as u64);
        TIGHT_NEXT.store(next + layout.size() as u64, Ordering::Relaxed);
        next as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[test]
fn a_foreign_allocator_that_packs_tightly_is_exact() {
    let _alone = alone();
    static HEAP: Heap<Tight> = Heap::new(Tight);
    let region: &mut [u8] = Vec::leak(vec![0u8; 8 << 20]);
    TIGHT_NEXT.store(region.as_ptr() as u64, Ordering::Relaxed);
    let mut expected = HashMap::new();
    let mut dice = Dice(3);
    for _ in 0..20_000 {
        let size = 1 + (dice.roll() % 40) as usize;
        let layout = Layout::from_size_align(size, 1 << (dice.roll() % 5)).unwrap();
        // SAFETY: the sizes are not zero, and a block is used with the layout it has.
        unsafe {
            let block = HEAP.alloc(layout);
            match dice.roll() % 4 {
                0 => HEAP.dealloc(block, layout),
                1 => drop(expected.insert(HEAP.realloc(block, layout, size * 2) as u64, size * 2)),
                _ => drop(expected.insert(block as u64, size)),
            }
        }
    }
    let range = region.as_ptr_range();
    let inside = |b: &Block| (range.start as u64..range.end as u64).contains(&b.address.0);
    // The region itself is a block too: it begins where the first of them does, and no other record is lost.
    let blocks: Vec<Block> = all_blocks().0.into_iter().filter(inside).collect();
    for block in &blocks {
        assert_eq!(
            expected.get(&block.address.0),
            Some(&(block.size as usize)),
            "{block:?}"
        );
    }
    assert_eq!(blocks.len(), expected.len());
    // Leave the bookkeeper's view as it was: the region's own record went under the first block's.
    blocks.into_iter().for_each(internals::forget);
    BLOCKS.fetch_sub(1, Ordering::SeqCst);
    BYTES.fetch_sub(8 << 20, Ordering::SeqCst);
}

/// An allocator that answers with addresses where nothing is.
struct Nowhere;

const NOWHERE: u64 = 0x3000_0000_0000;

// SAFETY: it breaks the contract, and so nobody but the test below, which never looks at its blocks, may use it.
unsafe impl GlobalAlloc for Nowhere {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        NOWHERE as *mut u8
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[test]
fn a_block_for_which_the_table_cannot_grow_is_counted_and_harmless() {
    let _alone = alone();
    static HEAP: Heap<Nowhere> = Heap::new(Nowhere);
    let fine = in_fork(|| {
        let none = libc::rlimit {
            rlim_cur: 1 << 20,
            rlim_max: 1 << 20,
        };
        let before = internals::stats().unrecorded;
        // SAFETY: the limit is the child's own, and the block is never looked at.
        let block = unsafe {
            libc::setrlimit(libc::RLIMIT_AS, &none);
            HEAP.alloc(Layout::new::<[u64; 4]>())
        };
        let unrecorded = internals::block_at(Address(block as u64)).is_none();
        // SAFETY: as above.
        unsafe { HEAP.dealloc(block, Layout::new::<[u64; 4]>()) };
        unrecorded && internals::stats().unrecorded == before + 1
    });
    assert!(fine);
}
