//! NOUNS: whoever waits for an answer, and what they are told meanwhile.

use std::cell::Cell;
use std::ops::Range;

use super::{Address, Gap, Memory};

/// Whoever waits for an answer. The study knows no clock, terminal or key: it says how far it is every some milliseconds, and
/// is told whether to go on. An answer that was not waited for is thrown away, so what was made for it must not be kept.
pub trait Waiting {
    /// Told how far the work is: whether it is still wanted.
    fn goes_on(&self, step: Step) -> bool;

    /// Whether the answer that is being worked out is no longer wanted.
    fn has_stopped(&self) -> bool;
}

/// How far a long piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done: `reading pointers`.
    pub what: &'static str,
    /// How much of it has been done.
    pub done: u64,
    /// How much there is to do.
    pub total: u64,
    /// In which unit both are.
    pub unit: Unit,
}

/// In what work is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things called so, several of them: `blocks`.
    Of(&'static str),
}

/// Waits for ever, and is told nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patient;

impl Waiting for Patient {
    fn goes_on(&self, _: Step) -> bool {
        true
    }

    fn has_stopped(&self) -> bool {
        false
    }
}

/// Memory that is read from end to end while somebody waits. Once the answer is not wanted, there is nothing more to be read.
pub(crate) struct Watched<'a> {
    memory: &'a dyn Memory,
    waiting: &'a dyn Waiting,
    what: &'static str,
    read: Cell<u64>,
    total: u64,
    /// Bytes until it is next told.
    quiet: Cell<u64>,
    is_over: Cell<bool>,
}

/// Bytes that are read, or would be in the time that asking for some takes, between two times that anybody is told.
const QUIET: u64 = 64 << 10;
const ASKING: u64 = 256;

impl<'a> Watched<'a> {
    /// To be read as a whole, about `total` bytes, for what is done with it.
    pub(crate) fn new(
        memory: &'a dyn Memory,
        waiting: &'a dyn Waiting,
        what: &'static str,
        total: u64,
    ) -> Self {
        Watched {
            memory,
            waiting,
            what,
            read: Cell::new(0),
            total,
            quiet: Cell::new(0),
            is_over: Cell::new(false),
        }
    }

    fn goes_on(&self, bytes: u64) -> bool {
        let quiet = self.quiet.get().checked_sub(bytes + ASKING);
        if let Some(quiet) = quiet {
            self.quiet.set(quiet);
        } else if !self.is_over.get() {
            self.quiet.set(QUIET);
            self.is_over.set(!self.waiting.goes_on(Step {
                what: self.what,
                done: self.read.get().min(self.total),
                total: self.total,
                unit: Unit::Bytes,
            }));
        }
        self.read.set(self.read.get().saturating_add(bytes));
        !self.is_over.get()
    }
}

impl Memory for Watched<'_> {
    fn read(&self, at: Address, into: &mut [u8]) -> Option<()> {
        self.goes_on(into.len() as u64)
            .then(|| self.memory.read(at, into))?
    }

    fn readable(&self, within: Range<u64>) -> Vec<Range<u64>> {
        match self.goes_on(0) {
            true => self.memory.readable(within),
            false => Vec::new(),
        }
    }

    fn gaps(&self) -> Vec<Gap> {
        self.memory.gaps()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Pieces;

    /// Gives up once so much has been done.
    struct Until(u64, Cell<bool>);

    impl Waiting for Until {
        fn goes_on(&self, step: Step) -> bool {
            self.1.set(self.1.get() || step.done > self.0);
            !self.1.get()
        }

        fn has_stopped(&self) -> bool {
            self.1.get()
        }
    }

    #[test]
    fn what_is_no_longer_wanted_is_not_read() {
        const WHOLE: u64 = 4 * QUIET;
        let pieces = Pieces(vec![(0, vec![7; WHOLE as usize])]);
        let waiting = Until(0, Cell::new(false));
        let memory = Watched::new(&pieces, &waiting, "reading", WHOLE);
        let mut bytes = vec![0; QUIET as usize];
        assert_eq!(memory.readable(0..WHOLE), vec![0..WHOLE]);
        assert!(memory.read(Address(0), &mut bytes).is_some());
        assert!(memory.read(Address(QUIET), &mut bytes).is_none());
        assert!(memory.readable(0..WHOLE).is_empty() && waiting.has_stopped());
        assert!(memory.word(Address(0)).is_none());
    }
}
