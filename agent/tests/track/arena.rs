//! The agent's own memory, and what the tracker says of itself.

use sigheap::internals::{self, Address};

use crate::books::{alone, check};
use crate::life::in_fork;

#[test]
fn the_arena_is_not_the_programs() {
    let _alone = alone();
    let reserved = internals::arena::reserve().unwrap();
    let kept = {
        let _inside = internals::arena::enter();
        let mut numbers: Vec<u64> = (0..100_000).collect();
        numbers.push(1);
        numbers
    };
    assert!(internals::arena::used() > 800_000 && internals::arena::used() < reserved);
    let address = Address(kept.as_ptr() as u64);
    assert_eq!(internals::block_at(address), None);
    assert_eq!(kept[99_999], 99_999);
    // Moved by the program's code, it becomes a block of the program; freed there, it goes back.
    let mut moved = kept;
    moved.reserve_exact(200_000);
    assert!(internals::block_at(Address(moved.as_ptr() as u64)).is_some());
    assert_eq!((moved[0], moved[99_999]), (0, 99_999));
    drop(moved);
    let mut own = vec![5u8; 50];
    {
        let _inside = internals::arena::enter();
        own.resize(5000, 6);
    }
    assert_eq!((own[49], own[4999]), (5, 6));
    assert_eq!(internals::block_at(Address(own.as_ptr() as u64)), None);
    drop(own);
    // All of it was given back, each to where it came from.
    check(&[]).unwrap();
}

#[test]
fn the_clone_never_frees_what_is_not_its_own_and_keeps_its_bound() {
    let _alone = alone();
    internals::arena::reserve().unwrap();
    let mut own = vec![5u8; 50];
    let fine = in_fork(|| {
        let _inside = internals::arena::enter();
        internals::arena::set_in_clone();
        let first = Address(own.as_ptr() as u64);
        own.resize(5000, 6);
        let frozen = internals::block_at(first).is_some_and(|block| block.size == 50);
        internals::arena::limit(internals::arena::used() + (1 << 20));
        let refused = Vec::<u8>::new().try_reserve_exact(64 << 20).is_err();
        frozen && refused && own[49] == 5 && Vec::<u8>::new().try_reserve_exact(1 << 16).is_ok()
    });
    assert!(fine);
}

#[test]
fn what_the_tracker_costs_is_said() {
    let stats = internals::stats();
    assert!(stats.sites > 10 && stats.own_bytes > 4096, "{stats:?}");
    assert_eq!((stats.without_stack, stats.unrecorded), (0, 0));
    let mut ranges = 0;
    internals::for_each_own_range(|range| ranges += usize::from(!range.is_empty()));
    assert!(ranges >= 3);
}
