//! Where the agent is not supported: `install` says why nothing happens. The allocator there passes everything through.

/// A handle on the agent. Cheap to copy; dropping it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Agent(());

impl Agent {
    /// Whether SIGQUIT opens the heap: never on this target.
    pub fn is_active(&self) -> bool {
        false
    }
}

/// Says in the log that this target is not supported.
pub fn install() -> Agent {
    tracing::warn!(target: "sigheap", "not installed: it supports Linux on x86-64 with glibc");
    Agent(())
}
