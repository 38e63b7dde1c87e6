//! ON THE PROGRAM'S HOT PATH: a stack while it is walked, its recursion folded. Pure arithmetic.

use std::mem::MaybeUninit;

use super::sites;

/// Frames kept: the innermost.
pub(super) const FRAMES: usize = 64;

/// The longest cycle of a recursion that is folded, in frames.
const PERIOD: usize = 16;

/// A stack while it is walked: its return addresses, innermost first, recursion folded.
pub(super) struct Trace {
    pub(super) frames: Frames,
    pub(super) summary: Summary,
}

pub(super) type Frames = [MaybeUninit<u64>; FRAMES];

/// What is known of the frames of a trace.
#[derive(Clone, Copy)]
pub(super) struct Summary {
    /// How many are written.
    len: usize,
    /// Of the frames, in order.
    hash: u64,
    /// What the stack lacks: bits of `sites`.
    pub(super) marks: u32,
}

/// A bit for each frame by its hash: a frame whose bit is clear was not seen before. Of 64 bits, a stack of 20
/// frames set so many by chance that looking for repetitions cost more than the walk.
pub(super) type Seen = [u64; 4];

impl Trace {
    #[inline(always)]
    pub(super) fn new() -> Trace {
        Trace {
            frames: [MaybeUninit::uninit(); FRAMES],
            summary: Summary {
                len: 0,
                hash: 0,
                marks: 0,
            },
        }
    }

    /// Return addresses, innermost first.
    #[inline(always)]
    pub(super) fn frames(&self) -> &[u64] {
        written(&self.frames, self.summary.len)
    }

    /// A hash of the frames.
    #[inline(always)]
    pub(super) fn hash(&self) -> u64 {
        self.summary.hash
    }

    /// What the stack lacks: bits of `sites`.
    #[inline(always)]
    pub(super) fn marks(&self) -> u32 {
        self.summary.marks
    }

    /// Adds to what the stack lacks.
    pub(super) fn mark(&mut self, marks: u32) {
        self.summary.marks |= marks;
    }

    /// Leaves out all but the innermost frames, and marks the stack short if that is less than it had.
    pub(super) fn shorten(&mut self, frames: usize) {
        if frames < self.summary.len {
            self.summary.len = frames;
            self.summary.hash = hash_of(self.frames());
            self.mark(sites::SHORT);
        }
    }
}

#[cfg(test)]
impl Trace {
    /// The trace of a stack with these frames.
    pub(super) fn of(frames: &[u64]) -> Trace {
        let (mut trace, mut seen) = (Trace::new(), Seen::default());
        for &frame in frames {
            if !trace.summary.push(&mut trace.frames, &mut seen, frame) {
                trace.mark(sites::DEEP);
            }
        }
        trace
    }
}

impl Summary {
    /// Adds the next frame outwards, or says that there is no room.
    #[inline(always)]
    pub(super) fn push(&mut self, frames: &mut Frames, seen: &mut Seen, frame: u64) -> bool {
        let Some(room) = frames.get_mut(self.len) else {
            return false;
        };
        room.write(frame);
        self.len += 1;
        self.hash = mix(self.hash, frame);
        let bits = frame.wrapping_mul(SPREAD);
        let word = &mut seen[(bits >> 62) as usize];
        let bit = 1 << (bits >> 56 & 63);
        if *word & bit != 0 {
            let frames = written(frames, self.len);
            if let Some(period) = repeated(frames) {
                self.len -= period;
                self.hash = hash_of(&frames[..self.len]);
                self.marks |= sites::FOLDED;
            }
        }
        *word |= bit;
        true
    }
}

/// The first frames of a trace, which `Summary::push` wrote.
#[inline(always)]
fn written(frames: &Frames, len: usize) -> &[u64] {
    debug_assert!(len <= FRAMES);
    // SAFETY: `len` is a summary's, which counts the frames written, in order.
    unsafe { std::slice::from_raw_parts(frames.as_ptr().cast(), len) }
}

/// How many frames the last turn of a recursion has, if the turn before is the same.
#[inline(never)]
fn repeated(frames: &[u64]) -> Option<usize> {
    let last = frames.len() - 1;
    let repeats = |&period: &usize| {
        frames[last - period] == frames[last] && {
            let (before, turn) = frames[last + 1 - 2 * period..].split_at(period);
            before == turn
        }
    };
    (1..=PERIOD.min(frames.len() / 2)).find(repeats)
}

#[inline(never)]
fn hash_of(frames: &[u64]) -> u64 {
    frames.iter().fold(0, |hash, &frame| mix(hash, frame))
}

/// An odd number without pattern (from the golden ratio): multiplying by it spreads differences to the upper bits.
pub(super) const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline(always)]
fn mix(hash: u64, frame: u64) -> u64 {
    (hash.rotate_left(23) ^ frame).wrapping_mul(SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace_of(frames: impl IntoIterator<Item = u64>) -> Trace {
        Trace::of(&frames.into_iter().collect::<Vec<u64>>())
    }

    #[test]
    fn recursion_of_any_depth_is_one_stack() {
        for period in 1..=PERIOD as u64 {
            let at_depth = |turns: u64| {
                let turns = (0..turns).flat_map(|_| 100..100 + period);
                trace_of([1, 2, 3].into_iter().chain(turns).chain([7, 8]))
            };
            let (few, many) = (at_depth(2), at_depth(30));
            assert_eq!(few.frames(), many.frames());
            assert_eq!(few.hash(), many.hash());
            assert_eq!(few.marks(), sites::FOLDED);
            assert_eq!(few.frames().len() as u64, 5 + period);
            assert_eq!(at_depth(1).frames(), few.frames());
            assert_eq!(at_depth(1).marks(), 0);
        }
    }

    #[test]
    fn a_frame_that_returns_without_a_cycle_is_kept() {
        let frames = [1, 2, 3, 1, 4, 2, 3, 5, 1];
        let trace = trace_of(frames);
        assert_eq!((trace.frames(), trace.marks()), (&frames[..], 0));
    }

    #[test]
    fn the_innermost_frames_of_a_deep_stack_are_kept() {
        let mut trace = trace_of(1..=65);
        assert_eq!(trace.frames(), (1..=64).collect::<Vec<u64>>());
        assert_eq!(trace.marks(), sites::DEEP);
        trace.shorten(4);
        assert_eq!(trace.frames(), [1, 2, 3, 4]);
        assert_eq!(trace.hash(), trace_of(1..=4).hash());
        assert_eq!(trace.marks(), sites::DEEP | sites::SHORT);
    }
}
