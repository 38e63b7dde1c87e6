//! What a program asks of the agent before it is installed: plain data, which every target compiles.

use crate::heap::Mode;

/// How the agent is to be installed: made by [`builder`](crate::builder), finished by [`install`](Self::install).
///
/// Whoever starts the program has the last word: what the environment variable `SIGHEAP` says wins over what was built
/// here. It holds words with commas between them:
///
/// | in code | in `SIGHEAP` | without it |
/// |---|---|---|
/// | [`.off()`](Builder::off) | `off`, `on` | on |
/// | [`.signal(libc::SIGUSR2)`](Builder::signal) | `signal=USR2`, `signal=none` | SIGQUIT, which is Ctrl-\\ |
/// | [`.chain()`](Builder::chain) | `chain`, `chain=off` | a handler that was there first is left alone |
/// | [`.track(mode)`](Builder::track) | `track=full`, `track=sampled:512k`, `track=off` | `full` |
///
/// What cannot be read there changes nothing and never stops the program: the log names it, and so do `info` and the
/// first screen. A program that was started with more rights than its user has (setuid, setgid, file capabilities) has no
/// agent, whatever stands there or in the code: who can type at its prompt could read and write with its rights.
///
/// ```
/// # use std::num::NonZeroU64;
/// let agent = sigheap::builder()
///     .track(sigheap::Mode::Sampled(NonZeroU64::new(512 << 10).unwrap()))
///     .chain()
///     .install();
/// # let _ = agent;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "nothing happens before `install`"]
pub struct Builder {
    pub(crate) options: Options,
}

impl Builder {
    /// The signal that opens the heap, by its number (`libc::SIGUSR2`), or `None` for none. Default: SIGQUIT, which the
    /// terminal sends for Ctrl-\\.
    ///
    /// It has to be one that means nothing yet: SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR or
    /// a real-time signal. With another, or a number that is no signal, SIGQUIT stays, and the agent says so. With
    /// `None` nothing opens the prompt, and the agent says that, too.
    pub fn signal(mut self, signal: impl Into<Option<i32>>) -> Self {
        self.options.signal = signal.into();
        self
    }

    /// Where the program has a handler for the signal already: opens the prompt and calls that handler as well. Default:
    /// it is left alone, and there is no prompt.
    ///
    /// The agent notes the signal first and then calls the handler, on the same thread and with the same
    /// arguments, for every signal that comes. The handler so runs just before the program is frozen, or is frozen in
    /// its middle and goes on with the program. A handler that is registered later needs no chaining: signal-hook's,
    /// and so tokio's, call those that were there before.
    pub fn chain(mut self) -> Self {
        self.options.chain = true;
        self
    }

    /// How much of what the program allocates is recorded. Default: [`Mode::Full`], every block.
    ///
    /// It counts from `install` on; until then every block is recorded.
    pub fn track(mut self, mode: Mode) -> Self {
        self.options.track = mode;
        self
    }

    /// Installs nothing: no thread, no handler, no memory. For programs that decide so by themselves; whoever starts
    /// one writes `SIGHEAP=off`, and `SIGHEAP=on` undoes this.
    pub fn off(mut self) -> Self {
        self.options.off = true;
        self
    }
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether nothing is to be installed.
    pub(crate) off: bool,
    /// The number of the signal that opens the heap, if one does.
    pub(crate) signal: Option<i32>,
    /// Whether a handler that was there before is called as well.
    pub(crate) chain: bool,
    /// How much is recorded.
    pub(crate) track: Mode,
}

/// The number of SIGQUIT, the same on every Unix.
const SIGQUIT: i32 = 3;

impl Default for Options {
    fn default() -> Self {
        Options {
            off: false,
            signal: Some(SIGQUIT),
            chain: false,
            track: Mode::Full,
        }
    }
}
