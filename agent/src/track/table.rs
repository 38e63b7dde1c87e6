//! ON THE PROGRAM'S HOT PATH: the table of live blocks, out of band and without locks.
//!
//! One word (a [`Record`]) for each 32-byte granule of the address space, in leaves mapped when the program first
//! allocates in their range. No two blocks begin in one granule: glibc's chunks are 32 bytes apart at least, and a
//! foreign allocator is asked for no less (see `heap`).
//!
//! A store needs no lock, because an address belongs to its caller alone between `malloc` and `free`: whoever hands the
//! block to another thread also orders the stores.
//!
//! Two levels, though one flat reservation of 32 TiB would save a load: it fails under `ulimit -v` and strict
//! overcommit, and the kernel refuses to clone a process with a mapping larger than memory.
//!
//! A block in a range whose leaf could not be mapped is not recorded, only counted ([`Table::unrecorded`]).

use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use super::atomic::{AtomicPtr, AtomicU64};
use super::record::{self, Record};
use crate::heap::{Address, Birth, Block, SiteId};
use crate::os::map;

/// Base-two logarithm of the bytes that one record stands for.
const GRANULE_LOG2: u32 = 5;
/// Base-two logarithm of the bytes of address space that one leaf covers: 64 MiB.
const LEAF_LOG2: u32 = 26;
/// Records in a leaf.
const RECORDS: usize = 1 << (LEAF_LOG2 - GRANULE_LOG2);
/// Bytes of a leaf: 16 MiB, of which only the pages written count.
const LEAF_BYTES: usize = RECORDS * size_of::<AtomicU64>();
/// Leaves that cover the 47 bits of a user address.
const LEAVES: usize = 1 << (47 - LEAF_LOG2);
/// Leaves of one bit of the summary: one page of the root.
const GROUP: usize = 512;
/// Records in a page of a leaf.
const PAGE_RECORDS: usize = map::PAGE / size_of::<AtomicU64>();

/// The table of the process.
pub(super) static TABLE: Table = Table::new();

type Leaf = [AtomicU64; RECORDS];

/// See the module.
pub(super) struct Table {
    /// A leaf for each 64 MiB, null until a block begins there. In bss: 16 MiB of addresses, not of memory.
    root: [AtomicPtr<Leaf>; LEAVES],
    /// A bit for each `GROUP` of leaves of which one was ever mapped, so that reading the table spares the root's pages.
    summary: [AtomicU64; LEAVES / GROUP / 64],
    /// Blocks that could not be recorded, ever.
    unrecorded: AtomicU64,
    /// Records that gave way to one of another block in their granule, ever.
    crowded: AtomicU64,
}

impl Table {
    const fn new() -> Table {
        Table {
            root: [const { AtomicPtr::new(ptr::null_mut()) }; LEAVES],
            summary: [const { AtomicU64::new(0) }; LEAVES / GROUP / 64],
            unrecorded: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
        }
    }

    /// Records a live block, if there is room to. Its size comes first: a record that is seen is whole.
    #[inline(always)]
    #[must_use]
    pub(super) fn insert(&self, address: u64, record: Record, size: usize) -> bool {
        let word = match self.word(address) {
            Some(word) => word,
            None => match self.map_leaf(address) {
                Some(word) => word,
                None => return false,
            },
        };
        if size >= record::LARGE && !self.insert_size(address, size) {
            return false;
        }
        let before = Record(word.load(Ordering::Relaxed));
        if before.is_live() {
            self.displace(before, record);
        }
        word.store(record.0, Ordering::Relaxed);
        true
    }

    /// Forgets a block, given its size, and says whether it was recorded. Its size goes last.
    #[inline(always)]
    pub(super) fn remove(&self, address: u64, size: usize) -> bool {
        let Some(word) = self.word(address) else {
            return false;
        };
        if !Record(word.load(Ordering::Relaxed)).is_live() {
            return false;
        }
        word.store(0, Ordering::Relaxed);
        if size >= record::LARGE {
            self.remove_size(address);
        }
        true
    }

    /// Takes note where a record is written over another. At the same address the other's block was freed by somebody
    /// who does not come through here (C's `free`), and all is well again. At another, the allocator puts blocks closer
    /// together than the table can tell apart.
    #[cold]
    #[inline(never)]
    fn displace(&self, before: Record, record: Record) {
        if before.offset() != record.offset() {
            self.crowded.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Gives the memory of all records back, and lets go of the leaves. A thread that is writing a record just then may
    /// leave it behind, in a leaf that nobody reads any more.
    pub(super) fn discard(&self) {
        self.for_each_leaf(&mut |start, leaf| {
            self.root[(start >> LEAF_LOG2) as usize].store(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: leaves are mapped by `map_leaf` with this size, and zeros are no records.
            unsafe { map::discard(ptr::from_ref(leaf) as u64, LEAF_BYTES) };
        });
    }

    /// The record of the block at an address.
    #[inline(always)]
    pub(super) fn get(&self, address: u64) -> Record {
        match self.word(address) {
            Some(word) => Record(word.load(Ordering::Relaxed)),
            None => Record::NONE,
        }
    }

    /// The block that begins in the same granule as `address`, as the study sees it.
    pub(super) fn block(&self, address: u64) -> Option<Block> {
        let record = self.get(address);
        let start = address >> GRANULE_LOG2 << GRANULE_LOG2;
        record.is_shown().then(|| self.decode(start, record))
    }

    /// Calls `visit` with every recorded block, in order of address.
    pub(super) fn for_each(&self, visit: &mut dyn FnMut(Block)) {
        self.for_each_leaf(&mut |start, leaf| self.for_each_in(start, leaf, visit));
    }

    /// Calls `visit` with the address range of every leaf.
    pub(super) fn for_each_range(&self, visit: &mut dyn FnMut(std::ops::Range<u64>)) {
        self.for_each_leaf(&mut |_, leaf| {
            let start = ptr::from_ref(leaf) as u64;
            visit(start..start + LEAF_BYTES as u64);
        });
    }

    /// Blocks that could not be recorded, ever.
    pub(super) fn unrecorded(&self) -> u64 {
        self.unrecorded.load(Ordering::Relaxed)
    }

    /// Records that gave way to one of another block in their granule, ever.
    pub(super) fn crowded(&self) -> u64 {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Whether a block was ever given to this table.
    pub(super) fn was_used(&self) -> bool {
        let any = |bits: &AtomicU64| bits.load(Ordering::Relaxed) != 0;
        self.summary.iter().any(any) || self.unrecorded() != 0
    }

    /// The word of the granule that holds an address.
    #[inline(always)]
    fn word(&self, address: u64) -> Option<&AtomicU64> {
        let leaf = self.root.get((address >> LEAF_LOG2) as usize)?;
        let leaf = leaf.load(Ordering::Acquire);
        let record = (address >> GRANULE_LOG2) as usize % RECORDS;
        // SAFETY: a leaf that is not null was published whole by `map_leaf`, and is never unmapped.
        unsafe { leaf.as_ref() }.map(|leaf| &leaf[record])
    }

    /// Maps the leaf of an address. Threads may race: one leaf wins, the others go back.
    #[cold]
    #[inline(never)]
    fn map_leaf(&self, address: u64) -> Option<&AtomicU64> {
        let index = (address >> LEAF_LOG2) as usize;
        let fresh = (index < LEAVES).then(|| map::reserve(LEAF_BYTES)).flatten();
        let Some(fresh) = fresh else {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.publish_leaf(index, fresh);
        self.word(address)
    }

    fn publish_leaf(&self, index: usize, fresh: NonNull<u8>) {
        let group = index / GROUP;
        self.summary[group / 64].fetch_or(1 << (group % 64), Ordering::Relaxed);
        let won = self.root[index].compare_exchange(
            ptr::null_mut(),
            fresh.as_ptr().cast(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if won.is_err() {
            // SAFETY: mapped by our caller with this size, and published nowhere.
            unsafe { map::release(fresh, LEAF_BYTES) };
        }
    }

    /// Writes the size of a large block into the word of its second granule, which may lie in another leaf.
    #[inline]
    fn insert_size(&self, address: u64, size: usize) -> bool {
        let second = address + (1 << GRANULE_LOG2);
        let word = self.word(second).or_else(|| self.map_leaf(second));
        if let Some(word) = word {
            word.store(record::large_size_word(size), Ordering::Relaxed);
        }
        word.is_some()
    }

    #[inline]
    fn remove_size(&self, address: u64) {
        if let Some(word) = self.word(address + (1 << GRANULE_LOG2)) {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// Calls `visit` with every leaf and the first address it stands for.
    fn for_each_leaf<'a>(&'a self, visit: &mut dyn FnMut(u64, &'a Leaf)) {
        for index in self
            .used_groups()
            .flat_map(|group| group * GROUP..(group + 1) * GROUP)
        {
            let leaf = self.root[index].load(Ordering::Acquire);
            // SAFETY: as in `word`.
            if let Some(leaf) = unsafe { leaf.as_ref() } {
                visit((index as u64) << LEAF_LOG2, leaf);
            }
        }
    }

    fn used_groups(&self) -> impl Iterator<Item = usize> {
        let used = |&group: &usize| {
            let bits = self.summary[group / 64].load(Ordering::Relaxed);
            bits >> (group % 64) & 1 != 0
        };
        (0..LEAVES / GROUP).filter(used)
    }

    /// The blocks of one leaf. Pages never written hold none, and reading them is spared where the kernel tells.
    fn for_each_in(&self, start: u64, leaf: &Leaf, visit: &mut dyn FnMut(Block)) {
        let mut touched = [true; RECORDS / PAGE_RECORDS];
        if map::touched(ptr::from_ref(leaf) as u64, &mut touched).is_err() {
            touched.fill(true);
        }
        let pages = leaf.chunks_exact(PAGE_RECORDS).enumerate();
        for (page, words) in pages.filter(|&(page, _)| touched[page]) {
            for (index, word) in words.iter().enumerate() {
                let record = Record(word.load(Ordering::Relaxed));
                if record.is_shown() {
                    let granule = (page * PAGE_RECORDS + index) as u64;
                    visit(self.decode(start + (granule << GRANULE_LOG2), record));
                }
            }
        }
    }

    fn decode(&self, granule: u64, record: Record) -> Block {
        let second = granule + (1 << GRANULE_LOG2);
        let large = || record::large_size(self.get(second).0);
        block(
            granule + record.offset(),
            record.size().unwrap_or_else(large),
            record,
        )
    }
}

/// A block as the study sees it.
pub(super) fn block(address: u64, size: u64, record: Record) -> Block {
    Block {
        address: Address(address),
        size,
        align_log2: record.align_log2(),
        birth: Birth(record.birth()),
        site: SiteId(record.site()),
        moving: false,
        rate: record.rate(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Mutex, PoisonError, RwLock};

    use super::super::record::Origin;
    use super::*;
    use crate::heap::Rate;
    use crate::track::model::{self, Moment, explore};

    /// Held by whoever goes over the whole table, and alone by the test that takes leaves away, as nothing else ever does.
    pub(in crate::track) static WHOLE: RwLock<()> = RwLock::new(());

    /// Tests share the table of the process, each in its own corner of the address space; no test allocates there.
    fn blocks_between(from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let _whole = WHOLE.read().unwrap_or_else(PoisonError::into_inner);
        TABLE.for_each(&mut |block| {
            if (from..to).contains(&block.address.0) {
                found.push((block.address.0, block.size));
            }
        });
        found
    }

    fn insert(address: u64, size: usize) {
        let origin = Origin {
            site: 5,
            birth: 9,
            rate: Rate::WHOLE,
        };
        let record = Record::new(address, size, 16, origin);
        let recorded = TABLE.insert(address, record, size);
        assert_eq!(recorded, TABLE.get(address) == record);
    }

    #[test]
    fn what_was_inserted_is_enumerated_in_order() {
        let base = 0x1000_0000_0000;
        let expected = [(base, 1), (base + 48, 16), (base + (3 << 26), 4094)];
        for (address, size) in expected.iter().rev() {
            insert(*address, *size);
        }
        let expected = expected.map(|(address, size)| (address, size as u64));
        assert_eq!(blocks_between(base, base + (4 << 26)), expected);
        assert!(TABLE.remove(base + 48, 16) && !TABLE.remove(base + 48, 16));
        assert_eq!(blocks_between(base, base + 64), expected[..1]);
    }

    #[test]
    fn a_large_size_survives_at_the_edge_of_a_leaf() {
        let edge = 0x1100_0000_0000 - 32;
        for size in [4095, 4096, 1 << 40] {
            insert(edge, size);
            assert_eq!(blocks_between(edge, edge + 64), [(edge, size as u64)]);
            TABLE.remove(edge, size);
            assert_eq!(blocks_between(edge, edge + 64), []);
            assert_eq!(TABLE.get(edge + 32), Record::NONE);
        }
    }

    #[test]
    fn blocks_too_close_together_are_noticed() {
        let base = 0x1200_0000_0000;
        let before = TABLE.crowded();
        insert(base, 8);
        // Freed behind the tracker's back, and given out again.
        insert(base, 8);
        assert_eq!(TABLE.crowded(), before);
        insert(base + 16, 8);
        assert_eq!(TABLE.crowded(), before + 1);
    }

    #[test]
    fn a_block_outside_the_users_addresses_is_counted_not_recorded() {
        let before = TABLE.unrecorded();
        insert(1 << 47, 10);
        TABLE.remove(1 << 47, 10);
        assert!(TABLE.unrecorded() > before);
        assert!(!TABLE.get(1 << 47).is_live());
    }

    /// Two threads are the first where there is no leaf yet: one is mapped, and both their blocks are in it.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of orders")]
    fn in_every_order_the_first_blocks_share_a_leaf() {
        const BASE: u64 = 0x1300_0000_0000;
        type Shared = Mutex<Option<Moment>>;
        let share = || {
            let first = |began: &Shared| {
                *began.lock().unwrap() = Some(model::moment());
                insert(BASE, 5);
            };
            let second = |began: &Shared| {
                if TABLE.word(BASE).is_some() {
                    let began = began.lock().unwrap().expect("somebody mapped it");
                    assert!(model::knows(began), "whoever finds a leaf sees it whole");
                }
                insert(BASE + 64, 5000);
            };
            let after = |_: &Shared| {
                assert!(TABLE.get(BASE).is_live() && TABLE.get(BASE + 64).is_live());
                assert_eq!(TABLE.block(BASE + 64).unwrap().size, 5000);
                assert!(TABLE.remove(BASE, 5) && TABLE.remove(BASE + 64, 5000));
                assert_eq!(TABLE.get(BASE + 96), Record::NONE);
            };
            explore(3, unmapped, &[&first, &second], after)
        };
        let _alone = WHOLE.write().unwrap_or_else(PoisonError::into_inner);
        let unmapped_before = TABLE.unrecorded();
        assert!(share() > 200);
        assert!(model::fails_without_its_orderings(|| _ = share()));
        assert_eq!(TABLE.unrecorded(), unmapped_before);

        fn unmapped() -> Shared {
            let place = &TABLE.root[(BASE >> LEAF_LOG2) as usize];
            let leaf = place.swap(ptr::null_mut(), Ordering::Relaxed);
            if let Some(leaf) = NonNull::new(leaf) {
                // SAFETY: mapped by `map_leaf` with this size; nobody else uses this corner.
                unsafe { map::release(leaf.cast(), LEAF_BYTES) };
            }
            Mutex::default()
        }
    }
}
