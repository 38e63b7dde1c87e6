//! ON THE PROGRAM'S HOT PATH: what the tracker keeps for each thread.
//!
//! The bounds of its stack stand in constant thread-locals without destructors: they need no initialisation that could
//! allocate, and serve allocations until the thread is gone. The block that the thread is moving, the distance to the
//! next block that it samples, and its count of blocks without a record stand in a [`Slot`] of a directory, where the
//! look finds them. The slot goes back when the thread ends, and the next thread goes on with its figures.

use std::cell::Cell;
use std::ffi::c_void;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering;

use super::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use super::record::Record;
use super::sample;
use super::stack::Stack;
use crate::heap::{Block, Rate};
use crate::os::map::{self, Errno};
use crate::os::process;

thread_local! {
    /// None until the bounds were asked for.
    static STACK: Cell<Stack> = const { Cell::new(Stack::NONE) };
    /// None until the first is claimed, and where there is none to have.
    static SLOT: Cell<Option<&'static Slot>> = const { Cell::new(None) };
    /// Set when the thread is ending, or there was no slot to have.
    static WITHOUT_SLOT: Cell<bool> = const { Cell::new(false) };
}

/// The bounds of this thread's stack, learned at its first allocation.
#[inline(always)]
pub(super) fn stack() -> Stack {
    let stack = STACK.get();
    if stack.is_known() {
        stack
    } else {
        learn_stack()
    }
}

/// The bounds of this thread's stack, if they were learned.
#[inline(always)]
pub(super) fn known_stack() -> Stack {
    STACK.get()
}

/// A stack that holds no stack pointer: of a thread whose own is not known.
const UNKNOWN_STACK: Stack = Stack::between(0, 8);

/// Asks the C library. It uses C's malloc, and for the main thread reads `/proc/self/maps`.
#[cold]
#[inline(never)]
fn learn_stack() -> Stack {
    // Should the C library allocate through us after all, it finds this and does not ask again.
    STACK.set(UNKNOWN_STACK);
    let _errno = Errno::save();
    let stack = ask_stack().unwrap_or(UNKNOWN_STACK);
    STACK.set(stack);
    stack
}

fn ask_stack() -> Option<Stack> {
    // SAFETY: zeros are valid for a structure that `pthread_getattr_np` fills.
    let mut attributes: libc::pthread_attr_t = unsafe { std::mem::zeroed() };
    // SAFETY: a thread may ask for its own attributes.
    let asked = unsafe { libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) };
    if asked != 0 {
        return None;
    }
    let (mut lo, mut bytes) = (ptr::null_mut(), 0);
    // SAFETY: the attributes were filled just now, and are destroyed once.
    let got = unsafe {
        let got = libc::pthread_attr_getstack(&attributes, &mut lo, &mut bytes);
        libc::pthread_attr_destroy(&mut attributes);
        got
    };
    let (lo, bytes) = (lo as u64, bytes as u64);
    (got == 0).then(|| plausible(lo, lo + bytes))
}

/// The most that a stack is believed to be, in bytes.
const MOST: u64 = 64 << 30;

/// A stack by the bounds that the C library says. Where the main thread's is unlimited, that is all there is between it and
/// what is mapped below it, into which C's heap grows: a coroutine's stack there is not this one.
fn plausible(lo: u64, hi: u64) -> Stack {
    Stack::between(lo.max(hi.saturating_sub(MOST)), hi)
}

/// What a thread writes for the look to read. One cache line, so that threads do not disturb each other. It is written
/// by its thread alone, so that adding needs no more than a load and a store.
#[repr(align(64))]
pub(super) struct Slot {
    taken: AtomicBool,
    /// Parts of the mean to the next sampled block; zero in a slot that was never taken.
    left: AtomicU64,
    /// What the next distance is drawn with.
    dice: AtomicU64,
    unrecorded: Unrecorded,
    /// Where the block was; zero when none is being moved.
    address: AtomicU64,
    /// Its record.
    record: AtomicU64,
    /// Its size in bytes, which the record need not hold.
    size: AtomicU64,
}

/// Blocks without a record that were born, less those that died: the sum over all slots is what lives. A single one may
/// be less than zero, since a block may die in another thread.
struct Unrecorded {
    blocks: AtomicI64,
    bytes: AtomicI64,
}

/// Those of threads without a slot, which add at once.
static HOMELESS: Unrecorded = Unrecorded {
    blocks: AtomicI64::new(0),
    bytes: AtomicI64::new(0),
};

/// Counts blocks without a record in this thread's [`slot`]: born, or dead where less than zero.
#[inline(always)]
pub(super) fn count_unrecorded(slot: Option<&Slot>, blocks: i64, bytes: i64) {
    let Some(slot) = slot else {
        return count_homeless(blocks, bytes);
    };
    let add = |word: &AtomicI64, more: i64| {
        let sum = word.load(Ordering::Relaxed).wrapping_add(more);
        word.store(sum, Ordering::Relaxed);
    };
    add(&slot.unrecorded.blocks, blocks);
    add(&slot.unrecorded.bytes, bytes);
}

#[cold]
#[inline(never)]
fn count_homeless(blocks: i64, bytes: i64) {
    HOMELESS.blocks.fetch_add(blocks, Ordering::Relaxed);
    HOMELESS.bytes.fetch_add(bytes, Ordering::Relaxed);
}

/// How many blocks without a record live, and their bytes. Exact where nothing moves; otherwise about.
pub(super) fn unrecorded() -> (i64, i64) {
    let chunks = DIRECTORY.chunks.iter().filter_map(Directory::slots);
    let all = chunks.flatten().map(|slot| &slot.unrecorded);
    all.chain([&HOMELESS]).fold((0, 0), |(blocks, bytes), one| {
        (
            one.blocks.load(Ordering::Relaxed).wrapping_add(blocks),
            one.bytes.load(Ordering::Relaxed).wrapping_add(bytes),
        )
    })
}

/// Whether this thread, which has this [`slot`], samples a block of so many bytes.
#[inline(always)]
pub(super) fn picks(slot: Option<&Slot>, size: usize, rate: Rate) -> bool {
    let parts = sample::parts(size, rate);
    let Some(slot) = slot else {
        return picks_homeless(parts);
    };
    let left = slot.left.load(Ordering::Relaxed);
    let hit = parts >= left;
    if hit {
        slot.draw();
    } else {
        slot.left.store(left - parts, Ordering::Relaxed);
    }
    hit
}

/// Without a place for what is left of a distance, one is drawn for each block: distances have no memory.
#[cold]
#[inline(never)]
fn picks_homeless(parts: u64) -> bool {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let (mixed, _) = sample::roll(process::seed() ^ call);
    let (bits, _) = sample::roll(mixed);
    parts >= sample::distance(bits)
}

impl Slot {
    /// Draws the distance to the next sampled block.
    #[cold]
    #[inline(never)]
    fn draw(&self) {
        let (bits, dice) = sample::roll(self.dice.load(Ordering::Relaxed));
        self.dice.store(dice, Ordering::Relaxed);
        self.left.store(sample::distance(bits), Ordering::Relaxed);
    }

    /// Makes a slot ready that was never taken. Each has a stretch of its own of the generator's one long period.
    fn begin_sampling(&self, index: usize) {
        if self.left.load(Ordering::Relaxed) == 0 {
            let (mixed, _) = sample::roll(process::seed());
            let (own, _) = sample::roll(mixed.wrapping_add(index as u64));
            self.dice.store(own, Ordering::Relaxed);
            self.draw();
        }
    }

    /// Whether a block is being moved: in a signal handler that interrupted a move.
    pub(super) fn is_busy(&self) -> bool {
        self.address.load(Ordering::Relaxed) != 0
    }

    /// Notes a block. In a section, together with the removal of its record.
    pub(super) fn begin(&self, address: u64, record: Record, size: usize) {
        self.record.store(record.0, Ordering::Relaxed);
        self.size.store(size as u64, Ordering::Relaxed);
        self.address.store(address, Ordering::Relaxed);
    }

    /// Forgets the block. In a section, together with the insertion of a record.
    pub(super) fn end(&self) {
        self.address.store(0, Ordering::Relaxed);
    }

    fn moving(&self) -> Option<Block> {
        let address = self.address.load(Ordering::Relaxed);
        let record = Record(self.record.load(Ordering::Relaxed));
        let size = self.size.load(Ordering::Relaxed);
        (address != 0 && record.is_shown()).then(|| Block {
            moving: true,
            ..super::table::block(address, size, record)
        })
    }
}

/// This thread's slot. Nothing once its destructors ran, and when the directory is full.
#[inline(always)]
pub(super) fn slot() -> Option<&'static Slot> {
    match SLOT.get() {
        None => claim_slot(),
        slot => slot,
    }
}

#[cold]
#[inline(never)]
fn claim_slot() -> Option<&'static Slot> {
    if WITHOUT_SLOT.get() {
        return None;
    }
    let _errno = Errno::save();
    let slot = give_back_key().and_then(|key| {
        let (index, slot) = DIRECTORY.claim()?;
        // SAFETY: the key exists. The value is an index plus one: zero would call no destructor.
        let set = unsafe { libc::pthread_setspecific(key, (index + 1) as *const c_void) };
        if set != 0 {
            DIRECTORY.give_back(index);
        }
        (set == 0).then_some(slot)
    });
    WITHOUT_SLOT.set(slot.is_none());
    SLOT.set(slot);
    slot
}

/// The key whose destructor gives a thread's slot back, made at the first call.
fn give_back_key() -> Option<libc::pthread_key_t> {
    /// The key plus one, zero before there is one.
    static KEY: AtomicU32 = AtomicU32::new(0);
    let known = KEY.load(Ordering::Acquire);
    if known != 0 {
        return Some(known - 1);
    }
    let mut fresh = 0;
    // SAFETY: `give_back` has the signature of a destructor.
    if unsafe { libc::pthread_key_create(&mut fresh, Some(give_back)) } != 0 {
        return None;
    }
    match KEY.compare_exchange(0, fresh + 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            if !cfg!(miri) {
                // SAFETY: the handler takes nothing, and does no more than store. Where it cannot be had, a forked child
                // shows the blocks that others were moving for ever.
                unsafe { libc::pthread_atfork(None, None, Some(forget_other_threads)) };
            }
            Some(fresh)
        }
        Err(known) => {
            // SAFETY: another thread's key won; ours was made above and used nowhere.
            unsafe { libc::pthread_key_delete(fresh) };
            Some(known - 1)
        }
    }
}

unsafe extern "C" fn give_back(value: *mut c_void) {
    WITHOUT_SLOT.set(true);
    SLOT.set(None);
    DIRECTORY.give_back((value as usize).wrapping_sub(1));
}

/// In a child that the program forked: the other threads are gone, and so are the blocks that they were moving, for
/// their addresses were free, or theirs to free. Their slots are for others now, figures and all.
unsafe extern "C" fn forget_other_threads() {
    let own = SLOT.get().map_or(ptr::null(), ptr::from_ref);
    let chunks = DIRECTORY.chunks.iter().filter_map(Directory::slots);
    for slot in chunks.flatten().filter(|slot| !ptr::eq(*slot, own)) {
        if slot.taken.load(Ordering::Relaxed) {
            slot.end();
            slot.taken.store(false, Ordering::Relaxed);
        }
    }
}

/// Calls `visit` with every block that a thread is moving.
pub(super) fn for_each_moving(visit: &mut dyn FnMut(Block)) {
    let chunks = DIRECTORY.chunks.iter().filter_map(Directory::slots);
    chunks.flatten().filter_map(Slot::moving).for_each(visit);
}

/// Calls `visit` with the address range of every part of the directory.
pub(super) fn for_each_range(visit: &mut dyn FnMut(Range<u64>)) {
    for chunk in DIRECTORY.chunks.iter().filter_map(Directory::slots) {
        let start = chunk.as_ptr() as u64;
        visit(start..start + size_of::<Chunk>() as u64);
    }
}

/// Slots in use.
pub(super) fn slots_taken() -> usize {
    let chunks = DIRECTORY.chunks.iter().filter_map(Directory::slots);
    let taken = |slot: &&Slot| slot.taken.load(Ordering::Relaxed);
    chunks.flatten().filter(taken).count()
}

/// Slots mapped at a time: 64 KiB.
const CHUNK: usize = 1024;
/// Chunks at most: slots for 65,536 threads at once.
const CHUNKS: usize = 64;

type Chunk = [Slot; CHUNK];

static DIRECTORY: Directory = Directory::new();

/// All slots. Chunks are mapped when needed, and never unmapped.
struct Directory {
    chunks: [AtomicPtr<Chunk>; CHUNKS],
    /// Where a free slot is likely: the last one given back, or the one after the last claimed.
    next: AtomicUsize,
}

impl Directory {
    const fn new() -> Directory {
        Directory {
            chunks: [const { AtomicPtr::new(ptr::null_mut()) }; CHUNKS],
            next: AtomicUsize::new(0),
        }
    }

    /// Takes a free slot, looking at each at most once.
    fn claim(&self) -> Option<(usize, &'static Slot)> {
        let start = self.next.load(Ordering::Relaxed);
        let near = (start..CHUNK * CHUNKS).take(CHUNK);
        near.chain(0..CHUNK * CHUNKS).find_map(|index| {
            let slot = &self.chunk(index / CHUNK)?[index % CHUNK];
            let free = !slot.taken.load(Ordering::Relaxed);
            let won = free && !slot.taken.swap(true, Ordering::Acquire);
            if won {
                self.next.store(index + 1, Ordering::Relaxed);
                slot.begin_sampling(index);
            }
            won.then_some((index, slot))
        })
    }

    fn give_back(&self, index: usize) {
        if let Some(slots) = self.chunks.get(index / CHUNK).and_then(Directory::slots) {
            slots[index % CHUNK].taken.store(false, Ordering::Release);
            self.next.store(index, Ordering::Relaxed);
        }
    }

    /// A chunk, mapped if it is not yet.
    fn chunk(&self, index: usize) -> Option<&'static Chunk> {
        let chunk = self.chunks.get(index)?;
        Directory::slots(chunk).or_else(|| {
            let fresh = map::reserve(size_of::<Chunk>())?;
            let new = fresh.as_ptr().cast();
            let old =
                chunk.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
            if old.is_err() {
                // SAFETY: another thread's chunk won; ours was mapped above and published nowhere.
                unsafe { map::release(fresh, size_of::<Chunk>()) };
            }
            Directory::slots(chunk)
        })
    }

    fn slots(chunk: &AtomicPtr<Chunk>) -> Option<&'static Chunk> {
        // SAFETY: a chunk that is not null was published whole, zeros are free slots, and it is never unmapped.
        unsafe { chunk.load(Ordering::Acquire).as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::record::Origin;
    use super::*;
    use crate::track::model::{self, Moment, explore};

    /// A directory, and who holds each slot: nobody any more since a moment.
    struct Lent(Directory, Mutex<Vec<(usize, Option<Moment>)>>);

    impl Lent {
        /// What a thread does that lives for a moment.
        fn live(&self) {
            let Lent(directory, held) = self;
            let (index, _) = directory.claim().unwrap();
            let before = |held: &[(usize, Option<Moment>)]| {
                let last = held.iter().rev().find(|(other, _)| *other == index);
                last.map(|(_, until)| until.expect("it is nobody's any more"))
            };
            if let Some(until) = before(&held.lock().unwrap()) {
                assert!(model::knows(until), "it goes on with the other's figures");
            }
            held.lock().unwrap().push((index, None));
            held.lock().unwrap().push((index, Some(model::moment())));
            directory.give_back(index);
        }
    }

    impl Drop for Lent {
        fn drop(&mut self) {
            for chunk in &self.0.chunks {
                if let Some(start) = ptr::NonNull::new(chunk.load(Ordering::Relaxed)) {
                    // SAFETY: mapped by `chunk` with this size, and nobody is left to use it.
                    unsafe { map::release(start.cast(), size_of::<Chunk>()) };
                }
            }
        }
    }

    /// Slots are one thread's at a time, and handed on whole.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of orders")]
    fn in_every_order_a_slot_is_one_threads() {
        let hand_on = || {
            let live = |lent: &Lent| lent.live();
            let twice = |lent: &Lent| (0..2).for_each(|_| lent.live());
            let make = || Lent(Directory::new(), Mutex::default());
            explore(2, make, &[&live, &twice], |_| {})
        };
        assert!(hand_on() > 100);
        assert!(model::fails_without_its_orderings(|| _ = hand_on()));
    }

    #[test]
    #[cfg_attr(miri, ignore = "its threads have no stack in memory")]
    fn the_stack_of_every_thread_holds_its_locals() {
        let holds = || {
            let local = 0u64;
            stack().from(&raw const local as u64).is_some()
        };
        assert!(holds());
        assert!(std::thread::spawn(holds).join().unwrap());
    }

    #[test]
    fn no_stack_reaches_down_to_the_heap() {
        let (heap, hi) = (0x5555_5000_0000, 0x7fff_f000_0000);
        let unlimited = plausible(heap, hi);
        assert!(unlimited.from(heap + 4096).is_none() && unlimited.from(hi - (1 << 30)).is_some());
        let limited = plausible(hi - (8 << 20), hi);
        assert!(limited.from(hi - (8 << 20)).is_some() && limited.from(hi - (9 << 20)).is_none());
    }

    #[test]
    fn a_slot_shows_its_block_until_the_move_ends() {
        let slot = slot().unwrap();
        let address = 0x2000_0000_0010;
        let origin = Origin {
            site: 3,
            birth: 4,
            rate: Rate::WHOLE,
        };
        slot.begin(address, Record::new(address, 100_000, 64, origin), 100_000);
        let mut seen = Vec::new();
        for_each_moving(&mut |block| seen.push(block));
        slot.end();
        let block = seen
            .iter()
            .find(|block| block.address.0 == address)
            .unwrap();
        assert!(block.moving && block.size == 100_000 && block.align() == 64 && block.birth.0 == 4);
        assert!(!slot.is_busy());
    }
}
