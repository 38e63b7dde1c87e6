//! ON THE PROGRAM'S HOT PATH: the way that a walk took, as it is remembered.

use std::mem::MaybeUninit;

use crate::os::object;
use crate::track::stack::Registers;

/// In the place of a word of the stack: the register rbp itself.
pub(super) const REGISTER: u64 = 0xffff;

/// A frame that a walk came to.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) return_address: u64,
    /// Which word above the stack pointer it lies in: up to half a mebibyte.
    pub(super) word: u16,
}

/// Frames of a path at most, recursion not folded.
pub(super) const FRAMES: usize = 128;
/// Values of rbp at most.
const BASES: usize = 64;

/// What a walk tells of its way.
pub(in crate::track) trait Trail {
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
pub(in crate::track) struct Path {
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
    pub(in crate::track) fn from(at: Registers) -> Path {
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
    pub(super) fn is_lasting(&self) -> bool {
        let code = self.frames().iter().map(|frame| frame.return_address);
        // A return address of zero is no code, but ends the stack of a thread that something else than the C library began.
        let mut code = code.filter(|&address| address != 0);
        self.is_whole && code.all(|address| object::stays(address - 1))
    }

    pub(super) fn frames(&self) -> &[Frame] {
        // SAFETY: `found` wrote so many, in order.
        unsafe { std::slice::from_raw_parts(self.frames.as_ptr().cast(), self.frame_count) }
    }

    pub(super) fn bases(&self) -> &[u64] {
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
