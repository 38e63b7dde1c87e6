//! ON THE PROGRAM'S HOT PATH: stacks that were walked before, recognised by their words.
//!
//! A walk by rules is a chain: where a frame's return address lies is known only when the frame below is. But once it was
//! walked, a stack is known by where its return addresses lie, counted from the stack pointer, and by the values of rbp
//! that its rules used. If all these words are found again, the same rules lead the same way: the stack is the same, whole
//! and exactly. Comparing words is no chain, so the processor does many at once.
//!
//! Which stack to compare with is found by a tree. A node holds the return addresses of one stack from some frame
//! outwards. Where a stack first differs from a node's, the node, the frame and the return address found there are the
//! key of the node to go on with; up to that frame the two are equal, since a stack is added only where a walk found what
//! was compared. So what is compared is about one stack, however many there are.
//!
//! Nodes never change; the tree grows by single stores into a table of fixed size. What has no room is walked by rules
//! each time: that costs time, never truth.

mod node;
mod path;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering;

use self::node::{Difference, New, Node};
use self::path::{FRAMES, Frame};
pub(super) use self::path::{Path, Trail};
use super::atomic::AtomicU64;
use super::room::Room;
use super::stack::{Registers, Stack, Words};
use super::trace::SPREAD;
use super::unwind;

/// The stacks of the process.
pub(super) static MEMO: Memo = Memo::new();

/// Base-two logarithm of the nodes the table has room for: 1 MiB of addresses.
const TABLE_LOG2: u32 = 17;
/// Entries in a cache line. An entry lies in the line that its key says.
const LINE: usize = 8;
/// Sizes of the room to try, in bytes.
const SIZES: [usize; 3] = [16 << 20, 4 << 20, 1 << 20];

/// See the module.
pub(super) struct Memo {
    /// Where the nodes are. A node's number is that of its first word; none is number zero.
    room: Room<{ size_of::<u64>() }>,
    table: Table,
}

/// Node numbers by key: the node's number in the lower half, the upper half of the key's hash in the upper; zero is free.
#[repr(align(64))]
struct Table([[AtomicU64; LINE]; (1 << TABLE_LOG2) / LINE]);

impl Memo {
    const fn new() -> Memo {
        Memo {
            room: Room::new(),
            table: Table([const { [const { AtomicU64::new(0) }; LINE] }; _]),
        }
    }

    /// The site of a stack that was [added](Memo::add), if the first node that comes into question holds it: mostly so, and
    /// with little work. Otherwise what is to be [followed](Memo::follow). `stack` is the part from the stack pointer upwards.
    #[inline(always)]
    pub(super) fn glance(&self, at: Registers, stack: Stack) -> Result<u32, Glanced> {
        let key = first_key(at, stack).ok_or(Glanced::NOTHING)?;
        self.glance_at(key, at, stack)
    }

    #[inline(always)]
    fn glance_at(&self, key: Key, at: Registers, stack: Stack) -> Result<u32, Glanced> {
        let hash = key.hash();
        let entry = self.line(hash)[0].load(Ordering::Acquire);
        if (entry ^ hash) >> 32 != 0 {
            return Err(Glanced::NOTHING);
        }
        let node = self.read(entry as u32);
        if !node.is_of(key) {
            return Err(Glanced::NOTHING);
        }
        let groups = node.equal_groups(stack);
        if groups < node.shape.groups() || !node.bases_hold(stack, at) {
            return Err(Glanced::at(entry as u32, groups));
        }
        Ok(node.shape.site())
    }

    /// The site of a stack that was [added](Memo::add), from where a glance found it to be another. It does as
    /// [`find`](Self::find) without telling where the tree ends, and so keeps what it needs in registers.
    #[inline(always)]
    pub(super) fn follow(&self, from: Glanced, at: Registers, stack: Stack) -> Option<u32> {
        let mut groups = from.groups();
        let mut node = match from.number() {
            0 => self.node(first_key(at, stack)?)?,
            number => self.read(number),
        };
        // Each turn goes outwards by one frame at least.
        loop {
            match node.difference(groups, stack) {
                Difference::None => {
                    let holds = node.bases_hold(stack, at);
                    return holds.then(|| node.shape.site());
                }
                Difference::At(frame, value) => node = self.node(node.onwards(frame, value))?,
                Difference::Outside => return None,
            }
            groups = 0;
        }
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
            match node.difference(0, stack) {
                Difference::None if node.bases_hold(stack, at) => return Ok(node.shape.site()),
                Difference::At(frame, value) => {
                    end.key = node.onwards(frame, value);
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

    /// The addresses of its parts.
    pub(super) fn ranges(&self) -> [Range<u64>; 2] {
        let table = ptr::from_ref(self) as u64;
        [self.room.range(), table..table + size_of::<Memo>() as u64]
    }

    /// Forgets all stacks and gives their memory back. For when no stack is taken any more.
    pub(super) fn discard(&self) {
        for entry in self.table.0.as_flattened() {
            if entry.load(Ordering::Relaxed) != 0 {
                entry.store(0, Ordering::Relaxed);
            }
        }
        // A node of zeros is no key's.
        self.room.discard();
    }

    #[inline(always)]
    fn node(&self, key: Key) -> Option<Node<'_>> {
        let hash = key.hash();
        // A plain loop: of the iterators' the compiler makes calls.
        for entry in self.line(hash) {
            let entry = entry.load(Ordering::Acquire);
            if (entry ^ hash) >> 32 == 0 {
                let node = self.read(entry as u32);
                if node.is_of(key) {
                    return Some(node);
                }
            } else if entry == 0 {
                return None;
            }
        }
        None
    }

    #[inline(always)]
    fn line(&self, hash: u64) -> &[AtomicU64; LINE] {
        &self.table.0[hash as usize % self.table.0.len()]
    }

    /// The node of a number that the table holds.
    #[inline(always)]
    fn read(&self, number: u32) -> Node<'_> {
        // SAFETY: a number stands in the table only after `append` wrote its node whole, inside the room; nodes never
        // change. Should the memory have been given back since, it reads as zeros, which is the node of no key.
        unsafe { Node::at(self.room.start().add(number as usize), number) }
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
        let new = New {
            branch: end.key.branch,
            site,
            depth: end.depth,
            frames,
            bases: path.bases(),
        };
        let number = self.room.take(new.words() as u32, &SIZES)?;
        // SAFETY: the room gave so many words to this thread alone, and nobody reads them before the table holds their
        // number.
        unsafe { new.write(self.room.start().add(number as usize)) };
        let entry = u64::from(number) | hash >> 32 << 32;
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

/// What a glance found: a node whose first groups are equal, and how many are; or nothing. One word, so that it goes in a
/// register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glanced(u64);

impl Glanced {
    const NOTHING: Glanced = Glanced(0);

    #[inline(always)]
    fn at(number: u32, groups: usize) -> Glanced {
        Glanced(u64::from(number) | (groups as u64) << 32)
    }

    /// The node's number, or zero.
    #[inline(always)]
    fn number(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    fn groups(self) -> usize {
        (self.0 >> 32) as usize
    }
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
