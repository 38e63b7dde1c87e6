//! ON THE PROGRAM'S HOT PATH: a node of the tree, as it lies in the room, and how it is compared with a stack.

use std::marker::PhantomData;
use std::ptr;

use super::path::{Frame, REGISTER};
use super::{Key, Memo, NODE};
use crate::track::stack::{Registers, Stack};

/// Words of a node before its frames: the key's branch; site, number of frames, of bases, and depth.
const HEADER: usize = 2;

/// A node to be.
pub(super) struct New<'a> {
    /// Of its key.
    pub(super) branch: u64,
    pub(super) site: u32,
    /// Frames of the stack before the first of its own.
    pub(super) depth: usize,
    /// Its own, at least one.
    pub(super) frames: &'a [Frame],
    pub(super) bases: &'a [u64],
}

impl New<'_> {
    /// How many words it takes.
    pub(super) fn words(&self) -> usize {
        let groups = self.frames.len().div_ceil(GROUP);
        HEADER + groups * (size_of::<Group>() / size_of::<u64>()) + self.bases.len()
    }

    /// Writes it.
    ///
    /// # Safety
    /// From `node` on so many words are this thread's alone to write.
    pub(super) unsafe fn write(&self, node: *mut u64) {
        let shape = Shape::of(self);
        // SAFETY: the caller's promise: header, groups and bases are as many words.
        unsafe {
            node.write(self.branch);
            node.add(1).write(shape.0);
            let groups = node.add(HEADER).cast::<Group>();
            // What fills the last group up is its last frame again.
            for (number, frames) in self.frames.chunks(GROUP).enumerate() {
                let frame = |index: usize| frames[index.min(frames.len() - 1)];
                groups.add(number).write(Group {
                    return_addresses: std::array::from_fn(|index| frame(index).return_address),
                    places: std::array::from_fn(|index| frame(index).word),
                });
            }
            let bases = groups.add(shape.groups()).cast();
            ptr::copy_nonoverlapping(self.bases.as_ptr(), bases, self.bases.len());
        }
    }
}

/// A node that was written.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    number: u32,
    pub(super) branch: u64,
    pub(super) shape: Shape,
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
pub(super) struct Shape(u64);

impl Shape {
    fn of(new: &New<'_>) -> Shape {
        let highest = new.frames.last().map_or(0, |frame| frame.word);
        Shape(
            u64::from(new.site)
                | u64::from(highest) << 20
                | (new.frames.len().div_ceil(GROUP) as u64) << 36
                | (new.bases.len() as u64) << 44
                | (new.depth as u64) << 52,
        )
    }

    #[inline(always)]
    pub(super) fn site(self) -> u32 {
        (self.0 & 0xf_ffff) as u32
    }

    #[inline(always)]
    fn highest_place(self) -> u64 {
        self.0 >> 20 & 0xffff
    }

    #[inline(always)]
    pub(super) fn groups(self) -> usize {
        (self.0 >> 36 & 0xff) as usize
    }

    #[inline(always)]
    fn bases(self) -> usize {
        (self.0 >> 44 & 0xff) as usize
    }

    pub(super) fn depth(self) -> usize {
        (self.0 >> 52 & 0xff) as usize
    }
}

/// How a node's frames differ from a stack's.
pub(super) enum Difference {
    None,
    /// Frame of the node, and the return address that is there instead.
    At(usize, u64),
    /// The stack is shorter than the node.
    Outside,
}

impl Node<'_> {
    /// Reads the header of a node.
    ///
    /// # Safety
    /// At `node` a [`New`] was written whole, for as long as the reference lasts, or all is zeros.
    #[inline(always)]
    pub(super) unsafe fn at(node: *const u64, number: u32) -> Self {
        // SAFETY: the caller's promise.
        let (branch, shape) = unsafe { (node.read(), Shape(node.add(1).read())) };
        Node {
            number,
            branch,
            shape,
            groups: node.wrapping_add(HEADER).cast(),
            memo: PhantomData,
        }
    }

    /// What leads from here to the node of a stack whose frame has another return address.
    #[inline(always)]
    pub(super) fn onwards(self, frame: usize, value: u64) -> Key {
        Key {
            branch: NODE | u64::from(self.number) | (frame as u64) << 48,
            value,
        }
    }

    #[inline(always)]
    pub(super) fn is_of(self, key: Key) -> bool {
        // SAFETY: a node has a frame at least; where its memory was given back, the word reads as zero.
        self.branch == key.branch && unsafe { (*self.groups).return_addresses[0] } == key.value
    }

    /// How many groups of return addresses, from the first on, are those of this stack.
    #[inline(always)]
    pub(super) fn equal_groups(self, stack: Stack) -> usize {
        if !self.fits(stack) {
            return 0;
        }
        self.equal_groups_from(0, stack)
    }

    /// The same where the groups before `number` are known to be, on a stack that the node fits on.
    #[inline(always)]
    fn equal_groups_from(self, mut number: usize, stack: Stack) -> usize {
        // A plain loop: of the iterators' the compiler makes calls.
        while number < self.shape.groups() {
            let differs = self.differences(number, stack);
            if differs[0] | differs[1] | differs[2] | differs[3] != 0 {
                break;
            }
            number += 1;
        }
        number
    }

    /// The first frame whose return address is another on this stack, on which so many `groups` are equal.
    #[inline(always)]
    pub(super) fn difference(self, groups: usize, stack: Stack) -> Difference {
        if !self.fits(stack) {
            return Difference::Outside;
        }
        match self.equal_groups_from(groups, stack) {
            all if all >= self.shape.groups() => Difference::None,
            number => self.parting(number, stack),
        }
    }

    /// The first of a group's frames that differs; one does. It compares again: what the loop kept for this would cost each
    /// turn of it.
    #[inline(always)]
    fn parting(self, number: usize, stack: Stack) -> Difference {
        let differs = self.differences(number, stack);
        let index = match differs {
            [0, 0, 0, _] => 3,
            [0, 0, _, _] => 2,
            [0, _, _, _] => 1,
            _ => 0,
        };
        // SAFETY: one of the node's groups.
        let kept = unsafe { (*self.groups.add(number)).return_addresses[index] };
        Difference::At(number * GROUP + index, kept ^ differs[index])
    }

    /// One of its frames. A node whose memory was given back has none.
    pub(super) fn frame(self, index: usize) -> Option<Frame> {
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
    pub(super) fn bases_hold(self, stack: Stack, at: Registers) -> bool {
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
