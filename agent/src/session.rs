//! The whole story in one function, [`look`]: pause, capture, clone, study, act, resume. Runs in the agent's thread.
//!
//! Before the stop everything is made ready that could wait for a lock (the line editor, the pipe, the allocator's own
//! figures); from the stop on the agent allocates in its arena alone and calls nobody else's code.

mod apart;
mod clock;
mod commands;
mod environment;
mod errands;
mod install;
mod marks;
mod notices;
mod place;
mod study;
mod watch;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::capture::Frozen;
use crate::heap::{Answered, Before, Call, Gap, Malloc, Settings};
use crate::os::clone::{self, Child, Side};
use crate::os::look::Channel;
use crate::os::shared::Shared;
use crate::os::streams::Streams;
use crate::os::{files, malloc, process, quit, signals};
use crate::pause::Pause;
use crate::track::{self, arena};

pub use install::{Agent, builder, install, prepare_to_stop};

use clock::{Clock, Stopped};
use errands::{Errand, Errands};
use place::Place;
use study::Study;
use watch::{Ending, Verdict};

/// What the agent's thread keeps from one look to the next.
struct Looks {
    clock: Clock,
    /// Looks so far; also the generation of the last pause.
    number: u32,
    /// What looks hand on: counts, marks, peaks.
    kept: Shared,
    /// The types that they told.
    names: Shared,
    /// What the user has set at the prompt.
    settings: Settings,
    /// Where the memory was at the last look.
    before: Option<Before>,
    /// Where lines typed at the prompt are kept, if there is a home.
    history: Option<PathBuf>,
    /// What install could not do.
    gaps: Vec<Gap>,
    /// The signals that the program's main thread blocked before it was last stopped.
    blocked: Option<u64>,
    /// Who speaks to the program's code.
    errands: Errands,
    /// Whether the handler was found replaced, which is said once.
    replaced: bool,
}

/// A thread that has not stopped by then goes on running, and is named.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// From the key to the program running again for good. Answers the presses before it; where somebody sat at the prompt,
/// also those during it. A report tells of its own moment alone: who presses while it is being written wants another.
fn attend(looks: &mut Looks) -> Result<Ending, Failure> {
    let before = quit::presses();
    let _streams = Streams::borrow();
    let place = Place::find();
    let result = attend_at(&place, looks);
    quit::answer(match place.has_terminal() {
        true => quit::presses(),
        false => before,
    });
    quit::acknowledge();
    result
}

/// A look, and another one after each command of the program's own.
fn attend_at(place: &Place, looks: &mut Looks) -> Result<Ending, Failure> {
    let mut earlier = None;
    loop {
        match look(looks, place, earlier.take()) {
            Ok(Done::Over(ending)) => return Ok(ending),
            Ok(Done::Called(call, standby)) => {
                earlier = Some(Earlier {
                    answered: commands::call(call, place, looks),
                    _standby: standby,
                });
            }
            Err(failure) => {
                place.restore(None);
                return Err(failure);
            }
        }
    }
}

/// How a look came to its end.
enum Done {
    Over(Ending),
    /// The user called a command of the program's own.
    Called(Call, Standby),
}

/// What a look at the same prompt follows.
struct Earlier {
    answered: Answered,
    /// The copy that gives the terminal back should the program end before the next one can.
    _standby: Standby,
}

/// One look. The program runs again when it returns.
fn look(looks: &mut Looks, place: &Place, earlier: Option<Earlier>) -> Result<Done, Failure> {
    let _arena = arena::enter();
    let malloc = what_malloc_says(&mut looks.errands);
    let history = match place.has_terminal() {
        true => looks.usable_history(),
        false => None,
    };
    let prompt = place.prompt(history.as_deref());
    let channel = Channel::open().map_err(Failure::Channel)?;
    let commands = commands::declared();
    let mut hints = notices::all();
    hints.extend(place.hints());
    // All that is known of one that cannot be stopped.
    let blocked = process::mask_of_the_main_thread();
    looks.number += 1;
    looks.clock.begin_tick();
    let pause = Pause::begin(looks.number, STOP_DEADLINE).map_err(Failure::Stop)?;
    if place.is_lost() {
        return Err(Failure::TerminalLost);
    }
    let stopped = looks.clock.stop();
    let blocked = pause.mask_of(process::pid()).or(blocked);
    looks.blocked = blocked.map(quit::without_ours);
    let mut frozen = Frozen {
        pid: process::pid(),
        taken: SystemTime::now(),
        taken_ns: looks.clock.now(),
        stop: pause.took,
        look: looks.number,
        threads: pause.threads(),
        registers: pause.registers(),
        births: Vec::new(),
        malloc,
        before: looks.before,
        gaps: looks.gaps.clone(),
        hints,
    };
    match clone::process().map_err(Failure::Clone)? {
        Side::Copy => {
            frozen.births = looks.clock.take_births();
            let study = Study {
                place,
                channel: &channel,
                looks,
                commands,
                answered: earlier.as_ref().map(|earlier| &earlier.answered),
            };
            study.run(frozen, prompt)
        }
        Side::Program(child) => {
            drop(earlier);
            // At the terminal the program waits for the user; without one there is nobody to wait for.
            let mut still = Some((pause, stopped));
            if !place.has_terminal() {
                looks.clock.go_on(still.take());
            }
            Ok(see_through(looks, place, child, &channel, still))
        }
    }
}

/// What C's allocator says of itself, or why it does not. Its locks may be held for good.
fn what_malloc_says(errands: &mut Errands) -> Result<Malloc, &'static str> {
    const FOREIGN: &str =
        "only glibc's says so, from 2.33 on; what others keep is among the unexplained";
    const LATE: &str = "it did not answer in time: a thread holds its lock, or the program's logger holds up who asks";
    match track::is_over_system() {
        true => errands.ask(malloc::allocator).ok_or(LATE)?.ok_or(FOREIGN),
        false => Err(FOREIGN),
    }
}

/// Waits for the copy, and does as it says.
fn see_through(
    looks: &mut Looks,
    place: &Place,
    child: Child,
    channel: &Channel,
    still: Option<(Pause, Stopped)>,
) -> Done {
    let ending = watch::until_over(&child, channel, place);
    looks.settings = ending.settings.unwrap_or(looks.settings);
    if let Verdict::Call(call) = ending.verdict {
        // At this prompt `info` goes on comparing with what it compared with.
        looks.before = looks.before.or(ending.memory);
        place.lend();
        looks.clock.go_on(still);
        return Done::Called(call, Standby(child));
    }
    looks.before = ending.memory.or(looks.before);
    place.restore(Some(child.id));
    match ending.verdict {
        Verdict::Quit(code) => process::end(code),
        Verdict::Abort => process::abort(),
        Verdict::Continue | Verdict::Call(_) => {}
    }
    // First the program, then the news: a terminal that stands still must not hold it.
    looks.clock.go_on(still);
    place.pass_on_hangup();
    if let Some(trouble) = &ending.trouble {
        place.say(&format!("the look ended: {trouble}; the program goes on"));
    }
    Done::Over(ending)
}

/// A copy that has told all it knew. It ends when dropped.
struct Standby(Child);

impl Drop for Standby {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The agent's thread: looks when asked, and keeps the clock by which blocks have an age.
fn serve(mut looks: Looks) -> ! {
    loop {
        if quit::wait(Clock::TICK) {
            let began = process::now_ns();
            marks::looking(true);
            let result = attend(&mut looks);
            marks::looking(false);
            let took = Duration::from_nanos(process::now_ns() - began);
            looks.errands.send(news(result, took));
        } else {
            // Also after a nudge, long before the time is over.
            marks::make(&mut looks);
            looks.clock.tick();
            looks.watch_the_handler();
        }
        // Also at a tick: a signal that follows another at once wakes nobody.
        if quit::take_owed() {
            looks.errands.send(Errand::PassOn);
        }
    }
}

/// How the look went, for the program's log.
fn news(result: Result<Ending, Failure>, took: Duration) -> Errand {
    match result {
        Ok(Ending { trouble: None, .. }) => Errand::Looked(took),
        Ok(Ending {
            trouble: Some(what),
            ..
        }) => Errand::Trouble { what, took },
        Err(failure) => Errand::Failed(failure.to_string()),
    }
}

impl Looks {
    /// Where lines typed are kept, if that can be had without waiting.
    fn usable_history(&mut self) -> Option<PathBuf> {
        let history = self.history.clone()?;
        let asked = history.clone();
        let is_fit = self
            .errands
            .ask(move || files::is_fit_for_a_history(&asked));
        (is_fit == Some(true)).then_some(history)
    }

    /// Says once that another handler has come after ours. It is the program's right: nothing is done about it.
    fn watch_the_handler(&mut self) {
        if !self.replaced && quit::is_replaced() {
            self.replaced = true;
            self.errands.send(Errand::Note(format!(
                "another handler for {} came after the agent's; the prompt opens only if it calls the one before it, as \
                 those of signal-hook and tokio do",
                signals::name(quit::signal())
            )));
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
