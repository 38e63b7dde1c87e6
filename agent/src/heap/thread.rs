//! A thread: one that stands still while the program is looked at, or one that could not be stopped.

use super::Site;

/// A thread of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its kernel id.
    pub tid: u32,
    /// Its name, as in `/proc/PID/task/TID/comm`.
    pub name: String,
    /// Whether it stopped, and if not, why.
    pub stopped: Result<(), String>,
    /// What it was doing then.
    pub doing: Doing,
    /// Its call stack, as those of sites are, without a number. Empty where it did not stop.
    pub stack: Site,
    /// The stack pointer in each frame of it.
    pub stack_at: Vec<u64>,
}

/// What the agent calls the thread that speaks to the program's code.
pub const ERRANDS: &str = "sigheap-errands";

impl Thread {
    /// Whether it is the agent's own.
    pub fn is_agents(&self) -> bool {
        self.name == ERRANDS
    }
}

/// What a thread was doing when it stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doing {
    /// It did not stop, or its code could not be read.
    #[default]
    Unknown,
    /// It ran, or was ready to.
    Running,
    /// It was in a system call: the kernel's number of it, if that could be told.
    Calling(Option<u32>),
}

/// The registers of a stopped thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// The next instruction.
    pub ip: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The frame pointer, which code without one uses as it likes.
    pub bp: u64,
    /// Where a system call takes its number from and leaves its result.
    pub ax: u64,
    /// All general ones, in the order of [`REGISTERS`].
    pub general: [u64; REGISTERS.len()],
    /// Where the thread's control block is: its thread-locals end there.
    pub base: u64,
    /// Where its vector registers lie in memory while it stands, 16 of 16 bytes each; 0 for nowhere.
    pub vectors: u64,
}

/// The names of the general registers, in the kernel's order.
pub const REGISTERS: [&str; 16] = [
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax",
    "rcx", "rsp",
];
