//! ON THE PROGRAM'S HOT PATH: the call stacks that allocate, each kept once.
//!
//! Records never change; a chained hash finds them. A new record is written whole, then
//! linked at the head of its chain by one compare-and-swap, so readers need no lock. All frames are compared: equal
//! hashes never merge two stacks.
//!
//! The room is bounded. Past half of it new stacks keep their 16 innermost frames, past four fifths 4, marked short;
//! when it is full, blocks are recorded without a stack, and counted.

use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering;

use super::atomic::{AtomicU32, AtomicU64};
use super::room::Room;
use super::trace::{FRAMES, Trace};
use crate::heap::{Address, Marks, Site, SiteId};

/// More frames than are kept.
pub(super) const DEEP: u32 = 1;
/// The unwinder could not go on.
pub(super) const BROKEN: u32 = 2;
/// A recursion was folded.
pub(super) const FOLDED: u32 = 4;
/// Fewer frames were kept, for want of room.
pub(super) const SHORT: u32 = 8;

/// The sites of the process.
pub(super) static SITES: Sites = Sites::new();

/// Bytes of a unit; a site's number is the unit its record begins at.
const UNIT: usize = 64;
/// Words of 8 bytes in a unit.
const UNIT_WORDS: usize = UNIT / 8;
/// Words before the frames of a record: `frames | marks << 16 | next << 32`, and the hash.
const HEADER: usize = 2;
/// Chains: 256 KiB of heads.
const CHAINS: usize = 1 << 16;
/// Links of a chain that are followed. In full room a chain has 5 on average.
const LINKS: usize = 256;
/// Sizes to try, in bytes. The first has a unit for each number that fits a block's record.
const SIZES: [usize; 4] = [64 << 20, 16 << 20, 4 << 20, 1 << 20];

/// See the module.
pub(super) struct Sites {
    /// The records; zero is no site.
    room: Room<UNIT>,
    /// Stacks linked.
    count: AtomicU64,
    /// Times that a stack could not be kept.
    without: AtomicU64,
    /// The newest site of each chain, zero for none.
    heads: [AtomicU32; CHAINS],
}

impl Sites {
    const fn new() -> Sites {
        Sites {
            room: Room::new(),
            count: AtomicU64::new(0),
            without: AtomicU64::new(0),
            heads: [const { AtomicU32::new(0) }; CHAINS],
        }
    }

    /// The number of a stack, the same for the same frames and marks, and whether it was met for the first time. Zero if
    /// it could not be kept.
    #[inline(always)]
    pub(super) fn intern(&self, trace: &mut Trace) -> (u32, bool) {
        let stack = Stack::of(trace);
        let head = self.head(stack).load(Ordering::Acquire);
        match self.find(stack, head, 0) {
            Some(site) => (site, false),
            None => (self.add(trace), true),
        }
    }

    /// Reads a site back. Nothing for a number that is none.
    pub(super) fn read(&self, id: SiteId) -> Option<Site> {
        let record = self.record(id.0)?;
        let mark = |bit: u32| record.info & bit << 16 != 0;
        Some(Site {
            id,
            frames: record.frames.iter().copied().map(Address).collect(),
            marks: Marks {
                deep: mark(DEEP),
                broken: mark(BROKEN),
                folded: mark(FOLDED),
                short: mark(SHORT),
            },
        })
    }

    /// Distinct stacks kept.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Share of the room in use, in thousandths.
    pub(super) fn used_permille(&self) -> u32 {
        self.room.used_permille().unwrap_or(0)
    }

    /// Blocks recorded without a stack, ever.
    pub(super) fn without_stack(&self) -> u64 {
        self.without.load(Ordering::Relaxed)
    }

    /// Gives the memory of all sites back; their numbers are none any more: a record of zeros has no frames and ends its
    /// chain.
    pub(super) fn discard(&self) {
        self.room.discard();
    }

    /// The addresses of the records.
    pub(super) fn range(&self) -> Range<u64> {
        self.room.range()
    }

    #[inline(always)]
    fn head(&self, stack: Stack<'_>) -> &AtomicU32 {
        &self.heads[(stack.hash >> 48) as usize]
    }

    /// Looks a stack up in a chain, from `site` on until `end`.
    #[inline(always)]
    fn find(&self, stack: Stack<'_>, mut site: u32, end: u32) -> Option<u32> {
        for _ in 0..LINKS {
            if site == end {
                return None;
            }
            let record = self.record(site)?;
            if record.info == stack.info
                && record.hash == stack.hash
                && record.frames == stack.frames
            {
                return Some(site);
            }
            site = record.next;
        }
        None
    }

    /// A stack not kept whole: finds it shortened, or keeps as much of it as there is room for.
    #[cold]
    #[inline(never)]
    fn add(&self, trace: &mut Trace) -> u32 {
        let affordable = self.frames_affordable();
        for frames in [FRAMES, 16, 4] {
            trace.shorten(frames);
            let stack = Stack::of(trace);
            let site = if frames <= affordable {
                self.insert(stack)
            } else {
                self.find(stack, self.head(stack).load(Ordering::Acquire), 0)
            };
            if let Some(site) = site {
                return site;
            }
        }
        self.without.fetch_add(1, Ordering::Relaxed);
        0
    }

    /// How many frames of a new stack there is room for.
    fn frames_affordable(&self) -> usize {
        match self.room.used_permille() {
            None | Some(..=500) => FRAMES,
            Some(501..=800) => 16,
            _ => 4,
        }
    }

    /// Finds a stack or appends it. Two threads may append the same at once: one record is then linked, the other lost.
    fn insert(&self, stack: Stack<'_>) -> Option<u32> {
        let head = self.head(stack);
        let mut newest = head.load(Ordering::Acquire);
        if let Some(site) = self.find(stack, newest, 0) {
            return Some(site);
        }
        let units = (HEADER + stack.frames.len()).div_ceil(UNIT_WORDS) as u32;
        let site = self.room.take(units, &SIZES)?;
        loop {
            self.write(site, stack, newest);
            match head.compare_exchange(newest, site, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Some(site);
                }
                // Another thread linked a stack meanwhile; only the links before the ones seen are new.
                Err(newer) => {
                    if let Some(site) = self.find(stack, newer, newest) {
                        return Some(site);
                    }
                    newest = newer;
                }
            }
        }
    }

    /// Writes a record that is not linked yet.
    fn write(&self, site: u32, stack: Stack<'_>, next: u32) {
        let room = self.room.start();
        // SAFETY: the room gave these units to this thread alone, and nothing reads them before they
        // are linked.
        unsafe {
            let record = room.add(site as usize * UNIT_WORDS);
            record.write(u64::from(stack.info) | u64::from(next) << 32);
            record.add(1).write(stack.hash);
            ptr::copy_nonoverlapping(
                stack.frames.as_ptr(),
                record.add(HEADER),
                stack.frames.len(),
            );
        }
    }

    /// The record at a unit. No number is believed: it must lie whole in the part given out.
    #[inline(always)]
    fn record(&self, site: u32) -> Option<Record<'_>> {
        let used = self.room.used() as usize * UNIT_WORDS;
        let at = site as usize * UNIT_WORDS;
        let room = self.room.start();
        if site == 0 || at >= used || room.is_null() {
            return None;
        }
        // SAFETY: a record begins with a whole unit, and what the room gave out is mapped.
        let (word, hash) = unsafe { (room.add(at).read(), room.add(at + 1).read()) };
        let frames = (word & 0xffff) as usize;
        if frames > FRAMES || at + HEADER + frames > used {
            return None;
        }
        // SAFETY: as above, and the end was checked. Linked records do not change.
        let frames = unsafe { std::slice::from_raw_parts(room.add(at + HEADER), frames) };
        Some(Record {
            info: word as u32,
            next: (word >> 32) as u32,
            hash,
            frames,
        })
    }
}

/// A stack to look up.
#[derive(Clone, Copy)]
struct Stack<'a> {
    /// Number of frames and, from bit 16, marks.
    info: u32,
    hash: u64,
    frames: &'a [u64],
}

impl<'a> Stack<'a> {
    #[inline(always)]
    fn of(trace: &'a Trace) -> Stack<'a> {
        let frames = trace.frames();
        Stack {
            info: frames.len() as u32 | trace.marks() << 16,
            hash: trace.hash(),
            frames,
        }
    }
}

/// A stack kept.
struct Record<'a> {
    info: u32,
    /// The next of the chain, zero at its end.
    next: u32,
    hash: u64,
    frames: &'a [u64],
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::track::model::{self, Moment, explore};

    /// Sites with room of their own, for so many units.
    fn sites(units: u32) -> &'static Sites {
        let sites: &Sites = Box::leak(Box::new(Sites::new()));
        let first = sites.room.take(1, &SIZES).unwrap();
        assert_eq!(first, 1);
        sites.room.limit(units);
        sites
    }

    fn trace(frames: &[u64], marks: u32) -> Trace {
        let mut trace = Trace::of(frames);
        trace.mark(marks);
        trace
    }

    fn frames_of(sites: &Sites, id: u32) -> Vec<u64> {
        let site = sites.read(SiteId(id)).unwrap();
        site.frames.iter().map(|frame| frame.0).collect()
    }

    #[test]
    fn the_same_stack_has_the_same_number() {
        let sites = sites(100);
        let one = sites.intern(&mut trace(&[1, 2, 3], 0)).0;
        let two = sites.intern(&mut trace(&[1, 2, 4], 0)).0;
        let broken = sites.intern(&mut trace(&[1, 2, 3], BROKEN)).0;
        assert_eq!(sites.intern(&mut trace(&[1, 2, 3], 0)).0, one);
        assert!(one != 0 && two != 0 && one != two && one != broken);
        assert_eq!(frames_of(sites, two), [1, 2, 4]);
        assert!(sites.read(SiteId(broken)).unwrap().marks.broken);
        assert_eq!(sites.count(), 3);
    }

    #[test]
    fn equal_hashes_do_not_merge() {
        let sites = sites(1000);
        let frames: Vec<[u64; 3]> = (0..100).map(|n| [n, n + 1, n + 2]).collect();
        let same_hash = |frames| Stack {
            info: 3,
            hash: 7 << 48,
            frames,
        };
        let ids: Vec<u32> = frames
            .iter()
            .map(|f| sites.insert(same_hash(f)).unwrap())
            .collect();
        for (id, frames) in ids.iter().zip(&frames) {
            assert_eq!(sites.insert(same_hash(frames)), Some(*id));
            assert_eq!(frames_of(sites, *id), frames);
        }
    }

    #[test]
    fn full_room_shortens_then_refuses_and_never_hangs() {
        let sites = sites(64);
        let stack = |n: u64| (n * 100..n * 100 + 60).collect::<Vec<u64>>();
        let ids: Vec<u32> = (1..100)
            .map(|n| sites.intern(&mut trace(&stack(n), 0)).0)
            .collect();
        let kept: Vec<usize> = ids
            .iter()
            .filter(|&&id| id != 0)
            .map(|&id| frames_of(sites, id).len())
            .collect();
        assert!(kept.is_sorted_by(|a, b| a >= b), "{kept:?}");
        assert_eq!((kept.first(), kept.last()), (Some(&60), Some(&4)));
        assert!(kept.contains(&16));
        assert!(ids.contains(&0) && sites.without_stack() > 0);
        assert!(
            sites
                .read(SiteId(*ids.iter().rfind(|&&id| id != 0).unwrap()))
                .unwrap()
                .marks
                .short
        );
        for (n, id) in (1..100).zip(&ids) {
            assert_eq!(sites.intern(&mut trace(&stack(n), 0)).0, *id);
        }
        assert_eq!(sites.used_permille(), 1000);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        let sites = sites(10);
        let id = sites.intern(&mut trace(&[1; 1], 0)).0;
        assert!(sites.read(SiteId(id)).is_some());
        for wrong in [0, id + 1, 10, 1 << 20, u32::MAX] {
            assert_eq!(sites.read(SiteId(wrong)), None);
        }
    }

    /// A table that two threads meet in, when each began, and whether one came to know of the other.
    struct Meeting {
        sites: Box<Sites>,
        began: Mutex<[Option<Moment>; 2]>,
        is_known: AtomicBool,
    }

    impl Meeting {
        fn new() -> Meeting {
            Meeting {
                sites: Box::new(Sites::new()),
                began: Mutex::default(),
                is_known: AtomicBool::new(false),
            }
        }

        /// A thread's part: interns the stacks, which the other does as well.
        fn meet(&self, thread: usize, stacks: &[[u64; 2]]) {
            self.began.lock().unwrap()[thread] = Some(model::moment());
            for stack in stacks {
                let (site, _) = self.sites.intern(&mut trace(stack, 0));
                assert_eq!(frames_of(&self.sites, site), stack);
            }
            let other = self.began.lock().unwrap()[1 - thread];
            if other.is_some_and(model::knows) {
                self.is_known.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Two stacks of one chain, met by two threads in each other's order: in every order there is one site of each, and
    /// who found the other's knows all that it wrote.
    #[test]
    #[cfg_attr(miri, ignore = "thousands of orders")]
    fn in_every_order_each_stack_is_one_site_and_seen_whole() {
        let chain = |stack: &[u64; 2]| trace(stack, 0).hash() >> 48;
        let one = [1, 2];
        let other = (3..)
            .map(|n| [n, 2])
            .find(|stack| chain(stack) == chain(&one));
        let (one, other) = (one, other.unwrap());
        let meet = |turns| {
            let first = |meeting: &Meeting| meeting.meet(0, &[one, other]);
            let second = |meeting: &Meeting| meeting.meet(1, &[other, one]);
            let after = |meeting: &Meeting| {
                assert_eq!(meeting.sites.count(), 2);
                assert!(meeting.is_known.load(Ordering::Relaxed));
            };
            explore(turns, Meeting::new, &[&first, &second], after)
        };
        assert!(meet(2) > 500);
        assert!(model::fails_without_its_orderings(|| _ = meet(1)));
    }

    #[test]
    fn threads_that_meet_the_same_stacks_agree() {
        let sites = sites(1 << 16);
        let count = if cfg!(miri) { 50 } else { 5000 };
        let all = move || {
            (0..count)
                .map(|n| sites.intern(&mut trace(&[n, n * 7, 3], 0)).0)
                .collect::<Vec<u32>>()
        };
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(all)).collect();
        let mut answers = threads.into_iter().map(|thread| thread.join().unwrap());
        let first = answers.next().unwrap();
        assert!(answers.all(|answer| answer == first));
        assert_eq!(sites.count(), count);
    }
}
