//! ON THE PROGRAM'S HOT PATH: walks the calling thread's stack by compiled unwind rules.
//!
//! No word is read outside the stack: each load is checked against its bounds, and each frame must lie above the one
//! before. A stack that is not the thread's own (alternate, coroutine) has no known bounds, so only the page that the
//! stack pointer is in is read, and the trace is marked broken.

use std::mem::offset_of;

use super::memo::{End, Glanced, MEMO, Path, Trail};
use super::stack::{Registers, Stack, Words};
use super::thread;
use super::trace::{Seen, Trace};
use super::unwind::{self, Rule};
use super::{sites, sites::SITES};

/// Frames walked at most, counted before recursion is folded.
const STEPS: usize = 512;

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
    let stack = Stack::words_from(sp, words);
    match MEMO.glance(Registers { pc, sp, bp }, stack) {
        Ok(site) => site,
        Err(glanced) => follow(pc, sp, bp, words, glanced),
    }
}

#[inline(never)]
fn follow(pc: u64, sp: u64, bp: u64, words: u64, glanced: Glanced) -> u32 {
    let stack = Stack::words_from(sp, words);
    match MEMO.follow(glanced, Registers { pc, sp, bp }, stack) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::map::{self, PAGE};

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
    #[cfg_attr(miri, ignore = "it protects no pages")]
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
