//! A coroutine, by hand: code on a stack that no library of threads knows, in the middle of the heap.

use std::arch::global_asm;
use std::hint::black_box;

// `sigheap_test_switch(keep, to)`: keeps the stack pointer at `keep`, with the registers that a call preserves below it, and
// goes on where another was kept. A stack that was not run yet begins at `sigheap_test_begin`, the outermost of its frames.
global_asm!(
    ".globl sigheap_test_switch, sigheap_test_begin",
    "sigheap_test_switch:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    "push r12",
    ".cfi_adjust_cfa_offset 8",
    "push r13",
    ".cfi_adjust_cfa_offset 8",
    "push r14",
    ".cfi_adjust_cfa_offset 8",
    "push r15",
    ".cfi_adjust_cfa_offset 8",
    "mov [rdi], rsp",
    "mov rsp, rsi",
    "pop r15",
    ".cfi_adjust_cfa_offset -8",
    "pop r14",
    ".cfi_adjust_cfa_offset -8",
    "pop r13",
    ".cfi_adjust_cfa_offset -8",
    "pop r12",
    ".cfi_adjust_cfa_offset -8",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    "pop rbp",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_endproc",
    "sigheap_test_begin:",
    ".cfi_startproc",
    ".cfi_undefined rip",
    "mov rdi, r12",
    "call r13",
    "ud2",
    ".cfi_endproc",
);

unsafe extern "C" {
    fn sigheap_test_switch(keep: *mut u64, to: u64);
    fn sigheap_test_begin();
}

/// Where the two sides are while they do not run.
struct Sides {
    inside: u64,
    outside: u64,
    turns: u32,
}

/// Allocates within, and lets the outside go on in between.
extern "C" fn inside(sides: *mut Sides) {
    loop {
        for number in 0..3 {
            black_box(format!("{number}"));
        }
        // SAFETY: the outside keeps both alive as long as it switches here.
        unsafe {
            (*sides).turns += 1;
            let outside = (*sides).outside;
            sigheap_test_switch(&raw mut (*sides).inside, outside);
        }
    }
}

/// Both sides allocate in turn.
pub(crate) fn run() {
    const WORDS: usize = (256 << 10) / 8;
    let mut stack = vec![0u64; WORDS];
    let mut sides = Sides {
        inside: 0,
        outside: 0,
        turns: 0,
    };
    let sides = &raw mut sides;
    // The registers, last pushed first, then where to begin. A call leaves the stack pointer 8 below a multiple of 16.
    let top = (stack.as_ptr() as u64 + (WORDS as u64) * 8) / 16 * 16 - 16;
    let place = |address: u64| ((address - stack.as_ptr() as u64) / 8) as usize;
    let (r13, r12, begin) = (place(top - 40), place(top - 32), place(top - 8));
    stack[r13] = inside as *const () as u64;
    stack[r12] = sides as u64;
    stack[begin] = sigheap_test_begin as *const () as u64;
    // SAFETY: the stack is as `sigheap_test_switch` would have left it, and outlives what runs on it, which is left where it is.
    unsafe {
        (*sides).inside = top - 56;
        for _ in 0..5 {
            black_box(format!("{}", (*sides).turns));
            let inside = (*sides).inside;
            sigheap_test_switch(&raw mut (*sides).outside, inside);
        }
        assert_eq!((*sides).turns, 5);
    }
}
