//! ON THE PROGRAM'S HOT PATH: walks the calling thread's stack by compiled unwind rules.
//!
//! No word is read outside the stack: each load is checked against its bounds, and each frame must lie above the one
//! before. A stack that is not the thread's own (alternate, coroutine) has no known bounds, so only the page that the
//! stack pointer is in is read, and the trace is marked broken.

use std::mem::{MaybeUninit, offset_of};

use super::memo::{End, MEMO, Path, Trail};
use super::thread;
use super::unwind::{self, Rule};
use super::{sites, sites::SITES};
use crate::os::map::PAGE;

/// Frames kept: the innermost.
pub(super) const FRAMES: usize = 64;

/// Frames walked at most, counted before recursion is folded.
const STEPS: usize = 512;

/// The longest cycle of a recursion that is folded, in frames.
const PERIOD: usize = 16;

/// The number of the stack that `here` stands on, or zero if there is no room to keep it. The first frame is the
/// caller of the function that `here` was taken in.
#[inline(always)]
pub(super) fn site(Registers { pc, sp, bp }: Registers) -> u32 {
    // Asked for here: where the program's own code is compiled, a thread-local is an address, not a call.
    let stack = thread::known_stack().from(sp).unwrap_or(Stack::NONE);
    glance(pc, sp, bp, stack.count())
}

/// Given as numbers, which go in registers; the last is how many words of the stack lie above the stack pointer.
#[inline(never)]
fn glance(pc: u64, sp: u64, bp: u64, words: u64) -> u32 {
    let stack = Stack { lo: sp, words };
    match MEMO.glance(Registers { pc, sp, bp }, stack) {
        Some(site) => site,
        None => look(pc, sp, bp),
    }
}

#[inline(never)]
fn look(pc: u64, sp: u64, bp: u64) -> u32 {
    let here = Registers { pc, sp, bp };
    let Some(stack) = thread::stack().from(sp) else {
        return walk_foreign(here);
    };
    match MEMO.find(here, stack) {
        Ok(site) => site,
        Err(end) => walk_own(here, stack, end),
    }
}

/// A stack that the tree of stacks does not hold. What is seen a second time is added.
#[inline(never)]
fn walk_own(here: Registers, stack: Stack, end: End) -> u32 {
    let mut trace = Trace::new();
    let mut path = Path::from(here);
    walk(here, stack, unwind::rule, &mut trace, &mut path);
    let (site, is_new) = SITES.intern(&mut trace);
    if !is_new {
        MEMO.add(end, &path, site);
    }
    site
}

/// A stack that is not the thread's own may be small, as those for signals are: no new rule is compiled on it, and no path
/// kept, which take some kilobytes.
#[cold]
#[inline(never)]
fn walk_foreign(here: Registers) -> u32 {
    let mut trace = Trace::new();
    trace.mark(sites::BROKEN);
    let known = |pc| unwind::remembered(pc).unwrap_or(Rule::NONE);
    let page = Stack::page_of(here.sp);
    walk(here, page, known, &mut trace, &mut ());
    SITES.intern(&mut trace).0
}

/// The registers that unwinding needs.
#[derive(Clone, Copy)]
pub(super) struct Registers {
    /// An address inside the instruction executed: one below a return address.
    pub(super) pc: u64,
    /// Stack pointer.
    pub(super) sp: u64,
    /// Frame pointer, which code without one uses as it likes.
    pub(super) bp: u64,
}

impl Registers {
    /// Those of the function this is inlined in.
    #[inline(always)]
    pub(super) fn here() -> Registers {
        let (pc, sp, bp): (u64, u64, u64);
        // SAFETY: reads three registers, and writes nothing else.
        unsafe {
            std::arch::asm!(
                "lea {pc}, [rip]",
                "mov {sp}, rsp",
                "mov {bp}, rbp",
                pc = out(reg) pc,
                sp = out(reg) sp,
                bp = out(reg) bp,
                options(nomem, nostack, preserves_flags),
            );
        }
        Registers { pc, sp, bp }
    }
}

/// The part of the memory that is a stack: the words that may be read.
#[derive(Clone, Copy)]
pub(super) struct Stack {
    /// Its lowest address, a multiple of 8.
    lo: u64,
    /// How many words of 8 bytes it has.
    words: u64,
}

impl Stack {
    /// No stack.
    pub(super) const NONE: Stack = Stack { lo: 0, words: 0 };

    /// The whole words between two addresses.
    pub(super) const fn between(lo: u64, hi: u64) -> Stack {
        let lo = lo & !7;
        Stack {
            lo,
            words: hi.saturating_sub(lo) / 8,
        }
    }

    /// The part from an address on it upwards. What lies below the stack pointer need not be mapped: the main thread's
    /// stack grows as it is used.
    #[inline(always)]
    pub(super) fn from(self, address: u64) -> Option<Stack> {
        let words = self.number(address);
        (words < self.words).then(|| Stack {
            lo: address,
            words: self.words - words,
        })
    }

    /// What is mapped for sure of a stack whose bounds are not known.
    fn page_of(sp: u64) -> Stack {
        Stack::between(sp, (sp | (PAGE as u64 - 1)).saturating_add(1))
    }

    /// How many words it has.
    #[inline(always)]
    pub(super) fn count(self) -> u64 {
        self.words
    }

    /// A word by its number from the lowest address.
    #[inline(always)]
    pub(super) fn nth(self, number: u64) -> Option<u64> {
        // SAFETY: just checked.
        (number < self.words).then(|| unsafe { self.nth_unchecked(number) })
    }

    /// The same of a word that is on the stack for sure.
    ///
    /// # Safety
    /// `number` is less than [`count`](Self::count).
    #[inline(always)]
    pub(super) unsafe fn nth_unchecked(self, number: u64) -> u64 {
        let address = self.lo + number * 8;
        // SAFETY: the bounds are those of this thread's stack from the stack pointer up, all of which is mapped, and only
        // this thread moves its stack pointer.
        unsafe { (address as *const u64).read_volatile() }
    }

    /// Whether it has any word.
    #[inline(always)]
    pub(super) fn is_known(self) -> bool {
        self.words != 0
    }

    /// Which word an address is: a number larger than that of any word where it is none, or no multiple of 8.
    #[inline(always)]
    fn number(self, address: u64) -> u64 {
        address.wrapping_sub(self.lo).rotate_right(3)
    }
}

/// Whoever reads the words of a stack.
pub(super) trait Words: Copy {
    /// The word at an address, if it lies on the stack.
    fn word(self, address: u64) -> Option<u64>;
}

impl Words for Stack {
    #[inline(always)]
    fn word(self, address: u64) -> Option<u64> {
        self.nth(self.number(address))
    }
}

/// Collects the return addresses from `at` outwards.
#[inline(always)]
fn walk(
    at: Registers,
    stack: Stack,
    rule: impl Fn(u64) -> Rule,
    trace: &mut Trace,
    path: &mut impl Trail,
) {
    // All that a step changes stands in local variables of which no reference is made: so it stays in registers, which
    // halves the time of a walk.
    let Registers {
        mut pc,
        mut sp,
        mut bp,
    } = at;
    // Where on the stack rbp was saved last; nothing while the register holds what it held at the start.
    let mut saved_at = None;
    let mut summary = trace.summary;
    let mut seen = Seen::default();
    summary.marks |= 'walked: {
        for _ in 0..STEPS {
            let below = sp;
            let rule = rule(pc);
            let at = Registers { pc, sp, bp };
            if rule.is_plain() {
                match plain_step(rule, at, stack) {
                    Some(caller) => Registers { pc, sp, bp } = caller,
                    None => {
                        path.spoil();
                        break 'walked sites::BROKEN;
                    }
                }
                if rule.is_from_bp() {
                    path.based(saved_at, at.bp);
                }
                if rule.saved_bp() != 0 {
                    saved_at = Some(sp - rule.saved_bp());
                }
                path.found(sp - 8, pc.wrapping_add(1));
            } else if rule == Rule::END {
                break 'walked 0;
            } else {
                path.spoil();
                match special_step(rule, at, stack) {
                    Some(caller) => Registers { pc, sp, bp } = caller,
                    None => break 'walked sites::BROKEN,
                }
            }
            // What is kept are return addresses: whoever looks one byte before one finds the call. It is the same with
            // an interrupted instruction.
            let frame = pc.wrapping_add(1);
            // So ends the stack of a thread that something else than the C library began.
            if frame == 0 {
                break 'walked 0;
            }
            // Each frame lies above the one it called: no walk goes round.
            if sp <= below {
                path.spoil();
                break 'walked sites::BROKEN;
            }
            if !summary.push(&mut trace.frames, &mut seen, frame) {
                break 'walked sites::DEEP;
            }
        }
        sites::DEEP
    };
    trace.summary = summary;
}

/// The caller's registers, by a packed rule.
#[inline(always)]
pub(super) fn plain_step(rule: Rule, at: Registers, stack: impl Words) -> Option<Registers> {
    let base = if rule.is_from_bp() { at.bp } else { at.sp };
    let cfa = base.wrapping_add(rule.offset());
    let return_address = stack.word(cfa.wrapping_sub(8))?;
    let bp = match rule.saved_bp() {
        0 => at.bp,
        below => stack.word(cfa.wrapping_sub(below))?,
    };
    Some(Registers {
        pc: return_address.wrapping_sub(1),
        sp: cfa,
        bp,
    })
}

#[cold]
#[inline(never)]
pub(super) fn special_step(rule: Rule, at: Registers, stack: impl Words) -> Option<Registers> {
    match rule {
        Rule::SIGNAL => interrupted(at.sp, stack),
        Rule::WIDE => {
            let (cfa, bp) = unwind::wide_frame(at, &|address| stack.word(address))?;
            let return_address = stack.word(cfa.wrapping_sub(8))?;
            let pc = return_address.wrapping_sub(1);
            Some(Registers { pc, sp: cfa, bp })
        }
        _ => None,
    }
}

/// The interrupted code, from the context that the kernel left where a signal handler returns to.
fn interrupted(context: u64, stack: impl Words) -> Option<Registers> {
    let registers = offset_of!(libc::ucontext_t, uc_mcontext) + offset_of!(libc::mcontext_t, gregs);
    let register = |number: libc::c_int| {
        stack.word(context.wrapping_add((registers + number as usize * 8) as u64))
    };
    Some(Registers {
        pc: register(libc::REG_RIP)?,
        sp: register(libc::REG_RSP)?,
        bp: register(libc::REG_RBP)?,
    })
}

/// A stack while it is walked: its return addresses, innermost first, recursion folded.
pub(super) struct Trace {
    frames: Frames,
    summary: Summary,
}

type Frames = [MaybeUninit<u64>; FRAMES];

/// What is known of the frames of a trace.
#[derive(Clone, Copy)]
struct Summary {
    /// How many are written.
    len: usize,
    /// Of the frames, in order.
    hash: u64,
    /// What the stack lacks: bits of `sites`.
    marks: u32,
}

/// A bit for each frame by its hash: a frame whose bit is clear was not seen before. Of 64 bits, a stack of 20
/// frames set so many by chance that looking for repetitions cost more than the walk.
type Seen = [u64; 4];

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
    fn push(&mut self, frames: &mut Frames, seen: &mut Seen, frame: u64) -> bool {
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
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline(always)]
fn mix(hash: u64, frame: u64) -> u64 {
    (hash.rotate_left(23) ^ frame).wrapping_mul(SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::map;

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

    /// Walks an array as a stack whose frames all have the same rule.
    fn walked(words: &[u64], rule: Rule) -> Trace {
        let lo = words.as_ptr() as u64;
        let stack = Stack::between(lo, lo + size_of_val(words) as u64);
        let mut trace = Trace::new();
        let at = Registers {
            pc: 1,
            sp: lo,
            bp: lo,
        };
        walk(
            at,
            stack,
            |pc| if pc == 98 { Rule::END } else { rule },
            &mut trace,
            &mut Path::from(at),
        );
        trace
    }

    #[test]
    fn a_stack_ends_at_its_outermost_frame() {
        let by_sp = Rule::plain(false, 0, 16).unwrap();
        let trace = walked(&[0, 11, 0, 22, 0, 99, 0, 0], by_sp);
        assert_eq!((trace.frames(), trace.marks()), (&[11, 22, 99][..], 0));
    }

    #[test]
    fn nothing_below_the_stack_pointer_is_read() {
        let pages = map::reserve(2 * PAGE).unwrap();
        let lo = pages.as_ptr() as u64;
        // SAFETY: the lower of the two pages was mapped just now, and nothing is in it.
        let closed = unsafe { libc::mprotect(pages.as_ptr().cast(), PAGE, libc::PROT_NONE) };
        assert_eq!(closed, 0);
        let stack = Stack::between(lo, lo + 2 * PAGE as u64);
        let sp = lo + PAGE as u64;
        let at = Registers {
            pc: 1,
            sp,
            // A register that the code uses as it likes.
            bp: lo + 64,
        };
        let mut trace = Trace::new();
        let by_bp = Rule::plain(true, 16, 16).unwrap();
        walk(
            at,
            stack.from(sp).unwrap(),
            |_| by_bp,
            &mut trace,
            &mut Path::from(at),
        );
        assert_eq!((trace.frames(), trace.marks()), (&[][..], sites::BROKEN));
        // SAFETY: as mapped above.
        unsafe { map::release(pages, 2 * PAGE) };
    }

    #[test]
    fn a_stack_that_runs_off_its_bounds_is_broken() {
        let by_sp = Rule::plain(false, 0, 16).unwrap();
        let trace = walked(&[0, 11, 0, 22, 0], by_sp);
        assert_eq!(
            (trace.frames(), trace.marks()),
            (&[11, 22][..], sites::BROKEN)
        );
        let by_bp = Rule::plain(true, 16, 16).unwrap();
        let down = walked(&[0, 11, 0, 22], by_bp);
        assert_eq!((down.frames(), down.marks()), (&[11][..], sites::BROKEN));
    }
}
