//! The kinds of work, each a third of a second or so of a core. They end with nothing left.

mod blocks;
mod server;
mod stacks;
mod threads;

/// One kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(),
}

/// All of them.
pub(crate) const WORKS: [Work; 11] = [
    Work {
        name: "server",
        what: "JSON lines to structs to an LRU cache to SQLite, on 2 threads",
        run: server::lines,
    },
    Work {
        name: "hot",
        what: "format and drop, a dozen frames deep",
        run: stacks::hot,
    },
    Work {
        name: "live",
        what: "100,000 live blocks, replaced at random",
        run: blocks::live,
    },
    Work {
        name: "remote",
        what: "allocated by one thread, freed by another",
        run: threads::remote,
    },
    Work {
        name: "stacks",
        what: "10,000 call stacks in turn",
        run: stacks::many,
    },
    Work {
        name: "brief",
        what: "threads that live for a millisecond",
        run: threads::brief,
    },
    Work {
        name: "tokio",
        what: "JSON lines over loopback, 8 clients",
        run: server::loopback,
    },
    Work {
        name: "1thread",
        what: "maps of strings, on 1 thread",
        run: || threads::maps(1),
    },
    Work {
        name: "2threads",
        what: "the same on 2",
        run: || threads::maps(2),
    },
    Work {
        name: "16threads",
        what: "the same on 16",
        run: || threads::maps(16),
    },
    Work {
        name: "mint",
        what: "trees built by recursion: call stacks without end",
        run: stacks::mint,
    },
];

/// A generator of numbers without pattern (xorshift64*), the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed * 2 + 1)
    }

    /// A number less than `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % sides
    }
}
