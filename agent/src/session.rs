//! The whole story in one function, [`look`]: pause, capture, clone, study, act, resume. Runs in the agent's thread.
//!
//! Before the stop everything is made ready that could wait for a lock (the line editor, the pipe, the allocator's own
//! figures); from the stop on the agent allocates in its arena alone and calls nobody else's code.

mod apart;
mod clock;
mod install;
mod place;
mod study;
mod watch;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::capture::Frozen;
use crate::heap::{Before, Gap, Settings};
use crate::os::clone::{self, Side};
use crate::os::look::Channel;
use crate::os::shared::Shared;
use crate::os::{process, quit};
use crate::pause::Pause;
use crate::track::arena;

pub use install::{Agent, install, prepare_to_stop};

use clock::Clock;
use place::Place;
use watch::{Ending, Verdict};

/// What the agent's thread keeps from one look to the next.
struct Looks {
    clock: Clock,
    /// Looks so far; also the generation of the last pause.
    number: u32,
    /// What looks hand on: counts, marks, peaks.
    kept: Shared,
    /// What the user has set at the prompt.
    settings: Settings,
    /// Where the memory was at the last look.
    before: Option<Before>,
    /// Where lines typed at the prompt are kept, if there is a home.
    history: Option<PathBuf>,
    /// What install could not do.
    gaps: Vec<Gap>,
}

/// A thread that has not stopped by then goes on running, and is named.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// One look, from the key to the program running again.
fn look(looks: &mut Looks) -> Result<Ending, Failure> {
    let malloc = process::allocator();
    let _arena = arena::enter();
    let place = Place::find();
    let prompt = place.prompt(looks.history.as_deref());
    let channel = Channel::open().map_err(Failure::Channel)?;
    looks.number += 1;
    let born_before = looks.clock.begin_tick();
    let pause = Pause::begin(looks.number, STOP_DEADLINE).map_err(Failure::Stop)?;
    if place.is_lost() {
        return Err(Failure::TerminalLost);
    }
    let stopped = looks.clock.stop();
    let frozen = Frozen {
        pid: process::pid(),
        taken: SystemTime::now(),
        taken_ns: looks.clock.now(),
        stop: pause.took,
        look: looks.number,
        threads: pause.threads(),
        stack_pointers: pause.stack_pointers(),
        births: born_before,
        malloc,
        before: looks.before,
        gaps: looks.gaps.clone(),
        hints: place.hints(),
    };
    match clone::process().map_err(Failure::Clone)? {
        Side::Copy => study::run(frozen, &place, prompt, &channel, looks),
        Side::Program(child) => {
            // At the terminal the program waits for the user; without one there is nobody to wait for.
            let mut still = Some((pause, stopped));
            if !place.has_terminal() {
                looks.clock.go_on(still.take());
            }
            let ending = watch::until_over(&child, &channel, &place);
            place.restore(child.id);
            looks.settings = ending.settings.unwrap_or(looks.settings);
            looks.before = ending.memory.or(looks.before);
            match ending.verdict {
                Verdict::Continue => {}
                Verdict::Quit(code) => process::end(code),
                Verdict::Abort => process::die_of_quit(),
            }
            // First the program, then the news: a terminal that stands still must not hold it.
            looks.clock.go_on(still);
            if let Some(trouble) = &ending.trouble {
                place.say(&format!("the look ended: {trouble}; the program goes on"));
            }
            Ok(ending)
        }
    }
}

/// The agent's thread: looks when asked, and keeps the clock by which blocks have an age.
fn serve(mut looks: Looks) -> ! {
    loop {
        if quit::wait(Clock::TICK) {
            let began = process::now_ns();
            let result = look(&mut looks);
            quit::acknowledge();
            tell(result, Duration::from_nanos(process::now_ns() - began));
        } else {
            looks.clock.tick();
        }
    }
}

/// Says how the look went, in the program's log, now that the program runs again. Whoever pressed the key and got no
/// prompt must learn why even where nobody listens to the log.
fn tell(result: Result<Ending, Failure>, took: Duration) {
    // The log is the program's code: what it keeps must not lie in the agent's memory.
    let _untracked = arena::untracked();
    let seconds = took.as_secs_f64();
    match result {
        Ok(Ending { trouble: None, .. }) => {
            tracing::info!(target: "sigheap", seconds, "the look is over");
        }
        Ok(Ending {
            trouble: Some(trouble),
            ..
        }) => tracing::warn!(target: "sigheap", seconds, "the look ended: {trouble}"),
        Err(failure) => {
            process::write(2, format!("[sigheap: {failure}]\r\n").as_bytes());
            tracing::warn!(target: "sigheap", "{failure}");
        }
    }
}

/// Why there was no look. The program runs on in every case.
#[derive(Debug)]
enum Failure {
    Channel(io::Error),
    Stop(io::Error),
    Clone(io::Error),
    TerminalLost,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Channel(error) => write!(f, "no pipe to the look ({error})"),
            Failure::Stop(error) => write!(f, "the threads could not be listed ({error})"),
            Failure::Clone(error) => write!(
                f,
                "the process could not be copied ({error}); a limit on processes (ulimit -u, pids.max) or on memory \
                 (vm.overcommit_memory=2, ulimit -v) forbids it"
            ),
            Failure::TerminalLost => {
                write!(
                    f,
                    "the shell that started the program died of the same key, and the terminal went with it"
                )
            }
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Channel(error) | Failure::Stop(error) | Failure::Clone(error) => Some(error),
            Failure::TerminalLost => None,
        }
    }
}
