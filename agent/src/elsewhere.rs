//! Where the agent is not supported: `install` says why nothing happens. The allocator there passes everything through.

use std::io;

use crate::answer::Answer;
use crate::heap::NotMarked;
use crate::options::Builder;

/// A handle on the agent. Cheap to copy; dropping it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Agent(());

impl Agent {
    /// Whether SIGQUIT opens the heap: never on this target.
    pub fn is_active(&self) -> bool {
        false
    }

    /// The number of the signal that opens the heap: none on this target.
    pub fn signal(&self) -> Option<i32> {
        None
    }

    /// Remembers how many blocks of each kind there are now: on this target, none.
    ///
    /// # Errors
    /// [`NotMarked::NotInstalled`].
    pub fn mark(&self, _name: &str) -> Result<(), NotMarked> {
        Err(NotMarked::NotInstalled)
    }

    /// Adds a command of the program's own to the prompt: on this target, to none.
    pub fn command<A: Answer>(
        &self,
        _name: &str,
        _summary: &str,
        _run: impl Fn(&[&str], &mut dyn io::Write) -> A + Send + Sync + 'static,
    ) {
    }
}

/// Says in the log that this target is not supported.
pub fn install() -> Agent {
    builder().install()
}

/// An agent with options.
pub fn builder() -> Builder {
    Builder::default()
}

impl Builder {
    /// Says in the log that this target is not supported, unless the agent is off anyway.
    pub fn install(self) -> Agent {
        if !self.options.off {
            tracing::warn!(target: "sigheap", "not installed: it supports Linux on x86-64 with glibc");
        }
        Agent(())
    }
}
