//! ON THE PROGRAM'S HOT PATH: the part of a thread's memory that is its stack, and the registers that say where on it.
//!
//! No word is read outside: each load is checked against the bounds.

use crate::os::map::PAGE;

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

    /// So many words from an address on, a multiple of 8.
    #[inline(always)]
    pub(super) fn words_from(lo: u64, words: u64) -> Stack {
        Stack { lo, words }
    }

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
    pub(super) fn page_of(sp: u64) -> Stack {
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
