//! ON THE PROGRAM'S HOT PATH: stacks that were walked before, recognised by their words.
//!
//! A walk by rules is a chain: where a frame's return address lies is known only when the frame below is. But once it was
//! walked, a stack is known by where its return addresses lie, counted from the stack pointer, and by the values of rbp
//! that its rules used. If all these words are found again, the same rules lead the same way: the stack is the same, whole
//! and exactly. Comparing words is no chain, so the processor does many at once.
//!
//! Which stack to compare with is found by a tree. A node holds the return addresses of one stack from some frame
//! outwards. Where a stack first differs from a node's, the node, the frame and the return address found there are the
//! key of the node to go on with; up to that frame the two are equal. So what is compared is about one stack, however
//! many there are.
//!
//! Nodes are appended to an arena and never change; the tree grows by single stores into a table of fixed size. What has
//! no room is walked by rules each time: that costs time, never truth.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::unwind;
use super::walk::{Registers, Stack, Words};
use crate::os::{map, object};

/// The stacks of the process.
pub(super) static MEMO: Memo = Memo::new();

/// Base-two logarithm of the nodes the table has room for: 1 MiB of addresses.
const TABLE_LOG2: u32 = 17;
/// Entries in a cache line. An entry lies in the line that its key says.
const LINE: usize = 8;
/// Sizes of the arena to try, in bytes.
const SIZES: [usize; 3] = [16 << 20, 4 << 20, 1 << 20];

/// See the module.
pub(super) struct Memo {
    /// Where the nodes are, null until the first.
    arena: AtomicPtr<u64>,
    /// Words of the arena.
    words: AtomicUsize,
    /// Words given out. The first is unused: no node is number zero.
    used: AtomicUsize,
    table: Table,
}

/// Node numbers by key: the node's number in the lower half, the upper half of the key's hash in the upper; zero is free.
#[repr(align(64))]
struct Table([[AtomicU64; LINE]; (1 << TABLE_LOG2) / LINE]);

impl Memo {
    const fn new() -> Memo {
        Memo {
            arena: AtomicPtr::new(ptr::null_mut()),
            words: AtomicUsize::new(0),
            used: AtomicUsize::new(1),
            table: Table([const { [const { AtomicU64::new(0) }; LINE] }; _]),
        }
    }

    /// The site of a stack that was [added](Memo::add), if the first node that comes into question holds it: nearly always
    /// so, and with little work. `stack` is the part from the stack pointer upwards.
    #[inline(always)]
    pub(super) fn glance(&self, at: Registers, stack: Stack) -> Option<u32> {
        self.glance_at(first_key(at, stack)?, at, stack)
    }

    #[inline(always)]
    fn glance_at(&self, key: Key, at: Registers, stack: Stack) -> Option<u32> {
        let hash = key.hash();
        let entry = self.line(hash)[0].load(Ordering::Acquire);
        if (entry ^ hash) >> 32 != 0 {
            return None;
        }
        let node = self.read(entry as u32);
        (node.is_of(key) && node.is_on(stack) && node.bases_hold(stack, at))
            .then(|| node.shape.site())
    }

    /// The site of a stack that was [added](Memo::add), or where the tree ends.
    pub(super) fn find(&self, at: Registers, stack: Stack) -> Result<u32, End> {
        let key = first_key(at, stack).ok_or_else(End::default)?;
        self.find_from(key, at, stack)
    }

    fn find_from(&self, key: Key, at: Registers, stack: Stack) -> Result<u32, End> {
        let mut end = End {
            key,
            depth: 0,
            is_open: true,
        };
        // Each turn goes outwards by one frame at least.
        for _ in 0..FRAMES {
            let Some(node) = self.node(end.key) else {
                return Err(end);
            };
            match node.difference(stack) {
                Difference::None if node.bases_hold(stack, at) => return Ok(node.shape.site()),
                Difference::At(frame, value) => {
                    end.key = Key {
                        branch: NODE | u64::from(node.number) | (frame as u64) << 48,
                        value,
                    };
                    end.depth = node.shape.depth() + frame;
                }
                Difference::None | Difference::Outside => break,
            }
        }
        end.is_open = false;
        Err(end)
    }

    /// Adds a stack that was walked, where the tree ended for it. Not the path of a walk that something else than the
    /// stack's words and lasting rules decided.
    pub(super) fn add(&self, end: End, path: &Path, site: u32) {
        if end.is_open && site != 0 && path.is_lasting() {
            self.append(end, path, site);
        }
    }

    /// The addresses of the part of the arena in use, and those of the table.
    pub(super) fn ranges(&self) -> [Range<u64>; 2] {
        let start = self.arena.load(Ordering::Acquire) as u64;
        let used = self.used.load(Ordering::Relaxed) * size_of::<u64>();
        let table = ptr::from_ref(self) as u64;
        [
            start..start + if start == 0 { 0 } else { used as u64 },
            table..table + size_of::<Memo>() as u64,
        ]
    }

    /// Forgets all stacks and gives their memory back. For when no stack is taken any more.
    pub(super) fn discard(&self) {
        for entry in self.table.0.as_flattened() {
            if entry.load(Ordering::Relaxed) != 0 {
                entry.store(0, Ordering::Relaxed);
            }
        }
        let [arena, _] = self.ranges();
        // SAFETY: the arena was mapped by `map_arena`; a node of zeros has no frames and is no key's.
        unsafe { map::discard(arena.start, (arena.end - arena.start) as usize) };
    }

    fn node(&self, key: Key) -> Option<Node<'_>> {
        let hash = key.hash();
        self.line(hash)
            .iter()
            .map(|entry| entry.load(Ordering::Acquire))
            .take_while(|&entry| entry != 0)
            .filter(|entry| (entry ^ hash) >> 32 == 0)
            .map(|entry| self.read(entry as u32))
            .find(|node| node.is_of(key))
    }

    #[inline(always)]
    fn line(&self, hash: u64) -> &[AtomicU64; LINE] {
        &self.table.0[hash as usize % self.table.0.len()]
    }

    /// The node of a number that the table holds.
    #[inline(always)]
    fn read(&self, number: u32) -> Node<'_> {
        let start = self.arena.load(Ordering::Relaxed);
        // SAFETY: a number stands in the table only after `append` wrote its node whole, inside the arena; nodes never
        // change. Should the memory have been given back since, it reads as zeros, which is the node of no key.
        unsafe {
            let node = start.add(number as usize);
            Node {
                number,
                branch: node.read(),
                shape: Shape(node.add(1).read()),
                groups: node.add(HEADER).cast(),
                memo: PhantomData,
            }
        }
    }

    fn append(&self, end: End, path: &Path, site: u32) -> Option<()> {
        let frames = path.frames().get(end.depth..)?;
        if frames.first()?.return_address != end.key.value || !self.leads_to(end, path.frames()) {
            return None;
        }
        let hash = end.key.hash();
        let free = self
            .line(hash)
            .iter()
            .find(|entry| entry.load(Ordering::Relaxed) == 0)?;
        let shape = Shape::new(site, frames, path.bases().len(), end.depth);
        let number = self.take(HEADER + shape.words())?;
        let arena = self.arena.load(Ordering::Acquire);
        // SAFETY: `take` gave these words to this thread alone, inside the arena, and nobody reads them before the table
        // holds their number.
        unsafe {
            let node = arena.add(number);
            node.write(end.key.branch);
            node.add(1).write(shape.0);
            let groups = node.add(HEADER).cast::<Group>();
            // What fills the last group up is its last frame again.
            for (number, frames) in frames.chunks(GROUP).enumerate() {
                let frame = |index: usize| frames[index.min(frames.len() - 1)];
                groups.add(number).write(Group {
                    return_addresses: std::array::from_fn(|index| frame(index).return_address),
                    places: std::array::from_fn(|index| frame(index).word),
                });
            }
            let bases = groups.add(shape.groups()).cast();
            ptr::copy_nonoverlapping(path.bases().as_ptr(), bases, path.bases().len());
        }
        let entry = number as u64 | hash >> 32 << 32;
        // If another thread took the entry, likely for the same stack, the words are lost.
        free.compare_exchange(0, entry, Ordering::Release, Ordering::Relaxed)
            .ok()
            .map(drop)
    }

    /// Whether the walk found the frames that were compared on the way to where the tree ended, and found the one by which
    /// the stacks part, all in the places that were compared. Not so where a frame counted from rbp is of another size,
    /// and the words compared were left over from calls before: these do not decide how such a stack is walked.
    fn leads_to(&self, end: End, frames: &[Frame]) -> bool {
        let (mut branch, mut depth) = (end.key.branch, end.depth);
        while branch & NODE != 0 {
            let (node, parting) = (self.read(branch as u32), (branch >> 48) as usize);
            let found = frames.get(node.shape.depth()..=depth).unwrap_or(&[]);
            let agrees = |(index, found): (usize, &Frame)| {
                node.frame(index).is_some_and(|kept| {
                    let is_same = index == parting || kept.return_address == found.return_address;
                    kept.word == found.word && is_same
                })
            };
            if found.len() != parting + 1 || !found.iter().enumerate().all(agrees) {
                return false;
            }
            (branch, depth) = (node.branch, node.shape.depth());
        }
        true
    }

    /// Takes words from the arena, and says which is the first.
    fn take(&self, words: usize) -> Option<usize> {
        if self.arena.load(Ordering::Acquire).is_null() {
            self.map_arena()?;
        }
        let limit = self.words.load(Ordering::Acquire);
        let fits = |used: usize| used.checked_add(words).filter(|&after| after <= limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.ok()
    }

    fn map_arena(&self) -> Option<()> {
        let (start, bytes) = map::reserve_first(&SIZES)?;
        let fresh = start.as_ptr().cast();
        let won = self.arena.compare_exchange(
            ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match won {
            Ok(_) => self
                .words
                .store(bytes / size_of::<u64>(), Ordering::Release),
            // SAFETY: another thread's arena won; ours was mapped above and published nowhere.
            Err(_) => unsafe { map::release(start, bytes) },
        }
        Some(())
    }
}

/// What leads to the first node of a stack: the code that takes it, and that code's return address, if its rule is known
/// and simple.
#[inline(always)]
fn first_key(at: Registers, stack: Stack) -> Option<Key> {
    let rule = unwind::remembered(at.pc)?;
    let base = if rule.is_from_bp() { at.bp } else { at.sp };
    if !rule.is_plain() {
        return None;
    }
    Some(Key {
        // Stacks of different heights are different, which spares most steps through the tree.
        branch: at.pc | stack.count() << 48,
        value: stack.word(base.wrapping_add(rule.offset() - 8))?,
    })
}

/// Where the tree ended for a stack.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    key: Key,
    /// How many frames were equal.
    depth: usize,
    /// Whether the stack can be added there.
    is_open: bool,
}

/// What leads to a node.
#[derive(Clone, Copy, Debug, Default)]
struct Key {
    /// The number of the node that the stack parted from, with the bit [`NODE`], and from bit 48 on the frame, counted
    /// in that node; for a stack's first node the address of the code that takes the stack.
    branch: u64,
    /// The return address found there.
    value: u64,
}

/// Tells a node's number from an address of code, which has 47 bits.
const NODE: u64 = 1 << 47;

impl Key {
    #[inline(always)]
    fn hash(self) -> u64 {
        let mixed = (self.branch.rotate_left(29) ^ self.value).wrapping_mul(SPREAD);
        // No free entry, which is zero, is taken for one of this hash.
        (mixed ^ mixed >> 32) | 1 << 63
    }
}

/// An odd number without pattern (from the golden ratio): multiplying by it spreads differences to the upper bits.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Words of a node before its frames: the key's branch; site, number of frames, of bases, and depth.
const HEADER: usize = 2;

/// A node as it lies in the arena.
#[derive(Clone, Copy)]
struct Node<'a> {
    number: u32,
    branch: u64,
    shape: Shape,
    /// Groups of frames, then the bases, each in one word.
    groups: *const Group,
    memo: PhantomData<&'a Memo>,
}

/// Frames that are compared at once.
const GROUP: usize = 4;

/// Some frames, next to each other so that they share a cache line. Their places come in order.
#[repr(C)]
struct Group {
    return_addresses: [u64; GROUP],
    /// Which word above the stack pointer each return address is.
    places: [u16; GROUP],
}

/// Site (20 bits), the highest place of a frame (16), groups of frames (8), bases (8), and how many frames of the stack come
/// before the first (8).
#[derive(Clone, Copy)]
struct Shape(u64);

impl Shape {
    fn new(site: u32, frames: &[Frame], bases: usize, depth: usize) -> Shape {
        let highest = frames.last().map_or(0, |frame| frame.word);
        Shape(
            u64::from(site)
                | u64::from(highest) << 20
                | (frames.len().div_ceil(GROUP) as u64) << 36
                | (bases as u64) << 44
                | (depth as u64) << 52,
        )
    }

    #[inline(always)]
    fn site(self) -> u32 {
        (self.0 & 0xf_ffff) as u32
    }

    #[inline(always)]
    fn highest_place(self) -> u64 {
        self.0 >> 20 & 0xffff
    }

    #[inline(always)]
    fn groups(self) -> usize {
        (self.0 >> 36 & 0xff) as usize
    }

    #[inline(always)]
    fn bases(self) -> usize {
        (self.0 >> 44 & 0xff) as usize
    }

    fn depth(self) -> usize {
        (self.0 >> 52 & 0xff) as usize
    }

    /// Words of a node of this shape, without the header.
    fn words(self) -> usize {
        self.groups() * (size_of::<Group>() / size_of::<u64>()) + self.bases()
    }
}

enum Difference {
    None,
    /// Frame of the node, and the return address that is there instead.
    At(usize, u64),
    /// The stack is shorter than the node.
    Outside,
}

impl Node<'_> {
    #[inline(always)]
    fn is_of(self, key: Key) -> bool {
        // SAFETY: a node has a frame at least; where its memory was given back, the word reads as zero.
        self.branch == key.branch && unsafe { (*self.groups).return_addresses[0] } == key.value
    }

    /// Whether all return addresses are those of this stack.
    #[inline(always)]
    fn is_on(self, stack: Stack) -> bool {
        if !self.fits(stack) {
            return false;
        }
        // A plain loop: of the iterators' the compiler makes calls.
        let mut number = 0;
        while number < self.shape.groups() {
            let differs = self.differences(number, stack);
            if differs[0] | differs[1] | differs[2] | differs[3] != 0 {
                return false;
            }
            number += 1;
        }
        true
    }

    /// The first frame whose return address is another on this stack.
    fn difference(self, stack: Stack) -> Difference {
        if !self.fits(stack) {
            return Difference::Outside;
        }
        for number in 0..self.shape.groups() {
            let differs = self.differences(number, stack);
            if let Some(index) = differs.iter().position(|&bits| bits != 0) {
                // SAFETY: one of the node's groups.
                let kept = unsafe { (*self.groups.add(number)).return_addresses[index] };
                return Difference::At(number * GROUP + index, kept ^ differs[index]);
            }
        }
        Difference::None
    }

    /// One of its frames. A node whose memory was given back has none.
    fn frame(self, index: usize) -> Option<Frame> {
        let is_kept = index / GROUP < self.shape.groups();
        // SAFETY: just checked to be one of the node's groups, which never change.
        let group = is_kept.then(|| unsafe { &*self.groups.add(index / GROUP) })?;
        Some(Frame {
            return_address: group.return_addresses[index % GROUP],
            word: group.places[index % GROUP],
        })
    }

    /// Whether the places of all frames lie on a stack.
    #[inline(always)]
    fn fits(self, stack: Stack) -> bool {
        self.shape.highest_place() < stack.count()
    }

    /// For each frame of a group, the bits in which its return address on a stack that the node fits on is another.
    #[inline(always)]
    fn differences(self, number: usize, stack: Stack) -> [u64; GROUP] {
        // SAFETY: one of the node's groups, which never change.
        let group = unsafe { &*self.groups.add(number) };
        // SAFETY: no place is higher than the highest, which lies on the stack.
        let found = |index: usize| unsafe { stack.nth_unchecked(group.places[index].into()) };
        let differs = |index: usize| found(index) ^ group.return_addresses[index];
        // Written out: of the array's `map` the compiler makes a call.
        [differs(0), differs(1), differs(2), differs(3)]
    }

    /// Whether rbp had the values that the rules used.
    #[inline(always)]
    fn bases_hold(self, stack: Stack, at: Registers) -> bool {
        // SAFETY: the bases lie after the groups.
        let bases = unsafe { self.groups.add(self.shape.groups()).cast::<u64>() };
        let mut index = 0;
        while index < self.shape.bases() {
            // SAFETY: one of the node's bases.
            let base = unsafe { bases.add(index).read() };
            let found = match base & REGISTER {
                REGISTER => Some(at.bp),
                word => stack.nth(word),
            };
            if found != Some(at.sp.wrapping_add(base >> 16)) {
                return false;
            }
            index += 1;
        }
        true
    }
}

/// In the place of a word of the stack: the register rbp itself.
const REGISTER: u64 = 0xffff;

/// A frame that a walk came to.
#[derive(Clone, Copy)]
struct Frame {
    return_address: u64,
    /// Which word above the stack pointer it lies in: up to half a mebibyte.
    word: u16,
}

/// Frames of a path at most, recursion not folded.
const FRAMES: usize = 128;
/// Values of rbp at most.
const BASES: usize = 64;

/// What a walk tells of its way.
pub(super) trait Trail {
    /// The walk found a return address on the stack.
    fn found(&mut self, address: u64, return_address: u64);
    /// The walk counted from rbp, which came from an address on the stack, or from the register.
    fn based(&mut self, saved_at: Option<u64>, bp: u64);
    /// Something else decided: the path is no one's but this stack's.
    fn spoil(&mut self);
}

/// For who does not ask. It spares the room of a path, which a small stack may not have.
impl Trail for () {
    fn found(&mut self, _: u64, _: u64) {}
    fn based(&mut self, _: Option<u64>, _: u64) {}
    fn spoil(&mut self) {}
}

/// The way a walk took over a stack.
pub(super) struct Path {
    sp: u64,
    frames: [MaybeUninit<Frame>; FRAMES],
    bases: [MaybeUninit<u64>; BASES],
    frame_count: usize,
    base_count: usize,
    /// Whether the words recorded here decide the way alone.
    is_whole: bool,
}

impl Path {
    #[inline(always)]
    pub(super) fn from(at: Registers) -> Path {
        Path {
            sp: at.sp,
            frames: [MaybeUninit::uninit(); FRAMES],
            bases: [MaybeUninit::uninit(); BASES],
            frame_count: 0,
            base_count: 0,
            is_whole: true,
        }
    }

    /// Whether every stack with these words is walked the same way, for ever: not so if a rule may change, because the
    /// code it is for can be unloaded.
    fn is_lasting(&self) -> bool {
        let code = self.frames().iter().map(|frame| frame.return_address);
        // A return address of zero is no code, but ends the stack of a thread that something else than the C library began.
        let mut code = code.filter(|&address| address != 0);
        self.is_whole && code.all(|address| object::stays(address - 1))
    }

    fn frames(&self) -> &[Frame] {
        // SAFETY: `found` wrote so many, in order.
        unsafe { std::slice::from_raw_parts(self.frames.as_ptr().cast(), self.frame_count) }
    }

    fn bases(&self) -> &[u64] {
        // SAFETY: `based` wrote so many, in order.
        unsafe { std::slice::from_raw_parts(self.bases.as_ptr().cast(), self.base_count) }
    }
}

impl Trail for Path {
    #[inline(always)]
    fn found(&mut self, address: u64, return_address: u64) {
        let word = u16::try_from(address.wrapping_sub(self.sp) / 8);
        match (self.frames.get_mut(self.frame_count), word) {
            (Some(room), Ok(word)) => {
                room.write(Frame {
                    return_address,
                    word,
                });
                self.frame_count += 1;
            }
            _ => self.is_whole = false,
        }
    }

    #[inline(always)]
    fn based(&mut self, saved_at: Option<u64>, bp: u64) {
        let word = saved_at.map_or(REGISTER, |address| address.wrapping_sub(self.sp) / 8);
        let is_far = saved_at.is_some() && word >= REGISTER;
        let above = bp.wrapping_sub(self.sp);
        match self.bases.get_mut(self.base_count) {
            Some(room) if !is_far && above >> 48 == 0 => {
                room.write(above << 16 | word);
                self.base_count += 1;
            }
            _ => self.is_whole = false,
        }
    }

    #[inline(always)]
    fn spoil(&mut self) {
        self.is_whole = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A made-up stack: its words, and the way of a walk over it.
    struct Made {
        words: Vec<u64>,
        path: Path,
        frames: Vec<u64>,
    }

    const CODE: u64 = 0x5555_0000_0000;
    const BP: u64 = 0x1234_5678;

    /// Draws a stack of calls among a few functions, each with a few places it calls from and a frame of its own size;
    /// some count from rbp. What lies between the return addresses is left over from calls before.
    fn draw(dice: &mut u64) -> Made {
        let mut roll = |sides: u64| {
            *dice = dice.wrapping_mul(SPREAD).wrapping_add(0x1357_9bdf);
            (*dice >> 33) % sides
        };
        let mut words: Vec<u64> = (0..400).map(|_| CODE + roll(6) * 256 + roll(3)).collect();
        words.resize(2000, 0);
        let sp = words.as_ptr() as u64;
        let at = Registers { pc: 1, sp, bp: BP };
        let (mut path, mut frames, mut word) = (Path::from(at), Vec::new(), 3);
        for _ in 0..=roll(12) {
            let function = roll(6);
            let return_address = CODE + function * 256 + roll(3);
            words[word] = return_address;
            path.found(sp + word as u64 * 8, return_address);
            frames.push(return_address);
            if function == 4 {
                words[word - 1] = sp + word as u64 * 8 + 64;
                path.based(Some(sp + (word as u64 - 1) * 8), words[word - 1]);
            }
            word += 2 + function as usize * 3;
        }
        words[word] = CODE - 1;
        path.found(sp + word as u64 * 8, CODE - 1);
        frames.push(CODE - 1);
        Made {
            words,
            path,
            frames,
        }
    }

    impl Made {
        fn find(&self, memo: &Memo) -> Result<u32, End> {
            let sp = self.words.as_ptr() as u64;
            let at = Registers { pc: 1, sp, bp: BP };
            let key = Key {
                branch: at.pc,
                value: self.words[3],
            };
            let stack = Stack::between(sp, sp + self.words.len() as u64 * 8);
            let found = memo.find_from(key, at, stack);
            if let Some(site) = memo.glance_at(key, at, stack) {
                assert_eq!(found.as_ref().ok(), Some(&site));
            }
            found
        }

        /// The words that decide how it is walked.
        fn deciding(&self) -> Vec<usize> {
            let frames = self.path.frames().iter().map(|frame| frame.word.into());
            let bases = self
                .path
                .bases()
                .iter()
                .map(|base| (base & REGISTER) as usize);
            frames.chain(bases).collect()
        }
    }

    #[test]
    fn a_stack_is_found_if_and_only_if_it_was_added() {
        static MEMO: Memo = Memo::new();
        let mut sites = HashMap::new();
        let (mut dice, mut again) = (1, 0);
        for _ in 0..20_000 {
            let made = draw(&mut dice);
            let known = sites.get(&made.frames).copied();
            match made.find(&MEMO) {
                Ok(site) => assert_eq!(Some(site), known),
                Err(end) => {
                    assert_eq!(known, None, "was added");
                    let site = sites.len() as u32 + 1;
                    MEMO.append(end, &made.path, site).unwrap();
                    sites.insert(made.frames.clone(), site);
                    assert_eq!(made.find(&MEMO).ok(), Some(site));
                }
            }
            again += usize::from(known.is_some());
        }
        assert!(
            sites.len() > 5000 && again > 1000,
            "{} {again}",
            sites.len()
        );
    }

    #[test]
    fn each_word_that_decides_is_compared_and_no_other() {
        static MEMO: Memo = Memo::new();
        let mut dice = 7;
        for site in 1..200 {
            let mut made = draw(&mut dice);
            if let Err(end) = made.find(&MEMO) {
                MEMO.append(end, &made.path, site).unwrap();
            }
            let found = made.find(&MEMO).ok();
            assert!(found.is_some());
            let deciding = made.deciding();
            for word in 0..made.words.len() {
                made.words[word] ^= 1 << 46;
                let now = made.find(&MEMO).ok();
                made.words[word] ^= 1 << 46;
                assert_eq!(now == found, !deciding.contains(&word), "word {word}");
            }
        }
    }

    #[test]
    fn another_rbp_is_another_stack() {
        static MEMO: Memo = Memo::new();
        let mut words = [0u64; 16];
        words[3] = CODE;
        let sp = words.as_ptr() as u64;
        let stack = Stack::between(sp, sp + 128);
        let at = |bp| Registers { pc: 1, sp, bp };
        let key = Key {
            branch: 1,
            value: CODE,
        };
        let mut path = Path::from(at(sp + 48));
        path.based(None, sp + 48);
        path.found(sp + 24, CODE);
        let end = MEMO.find_from(key, at(sp + 48), stack).unwrap_err();
        MEMO.append(end, &path, 9).unwrap();
        assert_eq!(MEMO.find_from(key, at(sp + 48), stack).ok(), Some(9));
        assert!(MEMO.find_from(key, at(sp + 56), stack).is_err());
        // What does not fit is found nowhere.
        assert!(
            MEMO.find_from(key, at(sp + 48), Stack::between(sp, sp + 24))
                .is_err()
        );
    }

    /// What is left over from calls before may look like the frames of a node, and lead a stack to where it does not belong.
    #[test]
    fn a_stack_is_added_only_where_its_own_frames_lead() {
        static MEMO: Memo = Memo::new();
        let mut words = vec![0u64; 32];
        let sp = words.as_ptr() as u64;
        let at = Registers { pc: 1, sp, bp: BP };
        let path = |frames: &[(u64, u64)]| {
            let mut path = Path::from(at);
            for &(word, return_address) in frames {
                path.found(sp + word * 8, return_address);
            }
            path
        };
        let key = Key {
            branch: 1,
            value: CODE,
        };
        let find = || MEMO.find_from(key, at, Stack::between(sp, sp + 256));
        (words[3], words[5], words[7]) = (CODE, CODE + 1, CODE + 2);
        let small = path(&[(3, CODE), (5, CODE + 1), (7, CODE + 2)]);
        MEMO.append(find().unwrap_err(), &small, 1).unwrap();
        // The second function's frame is larger now; what was below is still there.
        (words[6], words[7], words[9]) = (CODE + 3, CODE + 4, CODE + 4);
        let mut large = path(&[(3, CODE), (6, CODE + 3), (9, CODE + 4)]);
        large.based(Some(sp + 32), sp + 80);
        words[4] = sp + 80;
        let end = find().unwrap_err();
        assert_eq!((end.depth, end.key.value), (2, CODE + 4));
        assert_eq!(MEMO.append(end, &large, 2), None);
        // Another caller of the large frame is another stack.
        words[6] = CODE + 5;
        assert!(find().is_err());
        words[7] = CODE + 2;
        assert_eq!(find().ok(), Some(1));
    }

    /// Two keys may have one hash.
    #[test]
    fn an_entry_of_another_key_is_not_believed() {
        static MEMO: Memo = Memo::new();
        let made = draw(&mut 5);
        let end = made.find(&MEMO).unwrap_err();
        MEMO.append(end, &made.path, 1).unwrap();
        let number = MEMO.node(end.key).unwrap().number;
        for key in [
            Key {
                branch: 2,
                ..end.key
            },
            Key {
                value: CODE - 2,
                ..end.key
            },
        ] {
            let hash = key.hash();
            let entry = u64::from(number) | hash >> 32 << 32;
            MEMO.line(hash)[0].store(entry, Ordering::Relaxed);
            assert!(MEMO.node(key).is_none());
            let (sp, bp) = (made.words.as_ptr() as u64, BP);
            let (at, stack) = (Registers { pc: 1, sp, bp }, Stack::between(sp, sp + 16_000));
            assert_eq!(MEMO.glance_at(key, at, stack), None);
        }
        assert_eq!(made.find(&MEMO).ok(), Some(1));
    }

    #[test]
    fn a_full_arena_takes_no_more_and_forgets_nothing() {
        static MEMO: Memo = Memo::new();
        MEMO.map_arena().unwrap();
        MEMO.words.store(2000, Ordering::Relaxed);
        let mut dice = 3;
        let all: Vec<Made> = (0..500).map(|_| draw(&mut dice)).collect();
        let mut added = Vec::new();
        for (site, made) in all.iter().enumerate() {
            if let Err(end) = made.find(&MEMO)
                && MEMO.append(end, &made.path, site as u32 + 1).is_some()
            {
                added.push((made, site as u32 + 1));
            }
        }
        assert!(added.len() > 20 && added.len() < 400, "{}", added.len());
        assert!(
            added
                .iter()
                .all(|(made, site)| made.find(&MEMO).ok() == Some(*site))
        );
        MEMO.discard();
        assert!(added.iter().all(|(made, _)| made.find(&MEMO).is_err()));
    }

    #[test]
    fn threads_that_add_the_same_stacks_agree() {
        static MEMO: Memo = Memo::new();
        let work = || {
            let mut dice = 11;
            for _ in 0..3000 {
                let made = draw(&mut dice);
                // A site that the frames say, so that whoever adds it, it is right.
                let site = made.frames.iter().fold(7, |sum, frame| mix(sum, *frame));
                match made.find(&MEMO) {
                    Ok(found) => assert_eq!(found, site),
                    Err(end) => _ = MEMO.append(end, &made.path, site),
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(work);
            }
        });
    }

    fn mix(sum: u32, frame: u64) -> u32 {
        (u64::from(sum) ^ frame)
            .wrapping_mul(SPREAD)
            .rotate_left(31) as u32
            & 0xf_ffff
    }

    #[test]
    fn what_else_decided_is_not_added() {
        let at = Registers {
            pc: 1,
            sp: 4096,
            bp: 0,
        };
        // This function's code stays.
        let here = what_else_decided_is_not_added as *const () as u64;
        object::list_lasting();
        let path = |spoil: &dyn Fn(&mut Path)| {
            let mut path = Path::from(at);
            path.found(4096, here);
            spoil(&mut path);
            path.is_lasting()
        };
        assert!(path(&|_| {}));
        assert!(path(&|path| path.found(4104, 0)));
        assert!(!path(&Path::spoil));
        // No code, too high on the stack, rbp below it, more than there is room for.
        assert!(!path(&|path| path.found(4104, 8)));
        assert!(!path(&|path| path.found(4096 + (8 << 16), here)));
        assert!(!path(&|path| path.based(None, 8)));
        assert!(!path(
            &|path| (0..FRAMES).for_each(|_| path.found(4104, here))
        ));
    }
}
