//! Marks that the program makes itself: asked for on its threads, counted by a short-lived copy while it goes on.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Failure, Looks, STOP_DEADLINE, study};
use crate::capture;
use crate::heap::NotMarked;
use crate::os::clone::{self, Child, End, Side};
use crate::os::look::{self, Channel};
use crate::os::shared::Shared;
use crate::os::{futex, process, quit};
use crate::pause::Pause;
use crate::query;
use crate::track::arena;
use crate::trend::{Counts, Ledger, NoMark};

/// How long whoever asks is kept waiting.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks whether it was heard.
const ROUND: Duration = Duration::from_millis(5);
/// How long the copy may count.
const LIMIT: Duration = Duration::from_secs(30);
/// Marks that wait at most.
const WAITING: usize = 16;

/// Set while somebody looks at the heap: nobody is there to make marks.
static LOOKING: AtomicBool = AtomicBool::new(false);
static QUEUE: Mutex<VecDeque<Arc<Asked>>> = Mutex::new(VecDeque::new());

/// A mark that was asked for.
struct Asked {
    name: String,
    answer: Mutex<Option<Result<(), NotMarked>>>,
    /// One once `answer` is there.
    done: AtomicU32,
}

/// Asks for a mark and waits for it, a little while. On a thread of the program's.
pub(super) fn ask(name: &str) -> Result<(), NotMarked> {
    let _untracked = arena::untracked();
    query::check_mark(name).map_err(NotMarked::Name)?;
    let asked = Arc::new(Asked {
        name: name.to_owned(),
        answer: Mutex::new(None),
        done: AtomicU32::new(0),
    });
    {
        let mut queue = locked(&QUEUE);
        if LOOKING.load(Ordering::SeqCst) || queue.len() >= WAITING {
            return Err(NotMarked::Busy);
        }
        queue.push_back(Arc::clone(&asked));
    }
    let began = process::now_ns();
    loop {
        quit::nudge();
        futex::wait(&asked.done, 0, Some(ROUND));
        if let Some(answer) = locked(&asked.answer).take() {
            return answer;
        }
        if Duration::from_nanos(process::now_ns() - began) > PATIENCE {
            locked(&QUEUE).retain(|other| !Arc::ptr_eq(other, &asked));
            return Err(NotMarked::Late);
        }
    }
}

/// Says that somebody looks at the heap from now on, or no longer. What waits is refused.
pub(super) fn looking(now: bool) {
    let waiting: Vec<_> = {
        let mut queue = locked(&QUEUE);
        LOOKING.store(now, Ordering::SeqCst);
        queue.drain(..).collect()
    };
    for asked in waiting {
        asked.answer(Err(NotMarked::Busy));
    }
}

/// Makes the marks that wait, until a look is asked for, which refuses the others. On the agent's thread.
pub(super) fn make(looks: &mut Looks) {
    while !quit::is_pressed() {
        // The lock goes before anybody is stopped.
        let next = locked(&QUEUE).pop_front();
        let Some(asked) = next else { return };
        let made = mark(looks, &asked.name);
        asked.answer(made);
    }
}

impl Asked {
    fn answer(&self, answer: Result<(), NotMarked>) {
        let _untracked = arena::untracked();
        *locked(&self.answer) = Some(answer);
        self.done.store(1, Ordering::SeqCst);
        futex::wake(&self.done);
    }
}

/// A look that only counts. The program goes on as soon as the copy is there.
fn mark(looks: &mut Looks, name: &str) -> Result<(), NotMarked> {
    let failed = |failure: Failure| NotMarked::Failed(failure.to_string());
    let _arena = arena::enter();
    let channel = Channel::open().map_err(|error| failed(Failure::Channel(error)))?;
    looks.number += 1;
    let pause = Pause::begin(looks.number, STOP_DEADLINE);
    let pause = pause.map_err(|error| failed(Failure::Stop(error)))?;
    let (stopped, taken_ns) = (looks.clock.stop(), looks.clock.now());
    let program = process::pid();
    let child = match clone::process() {
        Ok(Side::Copy) => count(program, looks.number, taken_ns, name, &looks.kept),
        Ok(Side::Program(child)) => Ok(child),
        Err(error) => Err(error),
    };
    looks.clock.go_on(Some((pause, stopped)));
    let child = child.map_err(|error| failed(Failure::Clone(error)))?;
    outcome(wait(&child, &channel, quit::is_pressed)?)
}

/// The copy's whole life.
fn count(program: u32, look: u32, taken_ns: u64, name: &str, kept: &Shared) -> ! {
    arena::set_in_clone();
    log::set_max_level(log::LevelFilter::Off);
    look::settle(program, None);
    look::tell_want_of_memory(study::NO_MEMORY, arena::ran_out);
    arena::limit(study::room());
    let counted = catch_unwind(AssertUnwindSafe(|| {
        let (blocks, tracking) = capture::blocks(taken_ns);
        let counts = Counts::of_blocks(look, taken_ns, tracking.unknown_bytes, &blocks);
        // One that was written over says so at the next look, and is none until then.
        let mut ledger = Ledger::decode(&kept.latest()).unwrap_or_default();
        match ledger.add(name, Rc::new(counts), kept.room()) {
            Ok(()) if kept.publish(&ledger.encode(kept.room())) => MARKED,
            Ok(()) | Err(NoMark::TooMany | NoMark::NoRoom) => FULL,
        }
    }));
    look::leave(counted.unwrap_or(PANICKED))
}

/// How the copy says what came of it.
const MARKED: u8 = 0;
const FULL: u8 = 1;
const PANICKED: u8 = 70;

/// Waits for the copy, but not while somebody waits for a prompt: on a large heap it counts for seconds.
fn wait(child: &Child, channel: &Channel, is_pressed: fn() -> bool) -> Result<End, NotMarked> {
    let began = process::now_ns();
    loop {
        if let Some(end) = child.ended() {
            return Ok(end);
        }
        let late = Duration::from_nanos(process::now_ns() - began) > LIMIT;
        if late || is_pressed() {
            child.kill();
            return Err(if late {
                NotMarked::Late
            } else {
                NotMarked::Busy
            });
        }
        channel.wait(child, ROUND);
    }
}

fn outcome(end: End) -> Result<(), NotMarked> {
    match end {
        End::Exited(code) if code == i32::from(MARKED) => Ok(()),
        End::Exited(code) if code == i32::from(FULL) => Err(NotMarked::Full),
        End::Exited(code) if code == i32::from(study::NO_MEMORY) => Err(NotMarked::Failed(
            "whoever counted had no memory left".to_owned(),
        )),
        End::Exited(code) => Err(NotMarked::Failed(format!(
            "a fault in sigheap (status {code})"
        ))),
        End::Killed(signal) => Err(NotMarked::Failed(format!(
            "signal {signal} killed whoever counted"
        ))),
    }
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent was deaf for as long as the copy counted, and the third press killed the program.
    #[test]
    fn a_press_ends_a_copy_that_counts() {
        let channel = Channel::open().unwrap();
        let child = match clone::process().unwrap() {
            Side::Copy => look::stand_by(),
            Side::Program(child) => child,
        };
        assert_eq!(wait(&child, &channel, || true), Err(NotMarked::Busy));
        assert_eq!(child.ended(), Some(End::Exited(0)), "nobody is left");
    }

    #[test]
    fn without_a_press_the_copy_is_waited_for() {
        let channel = Channel::open().unwrap();
        let child = match clone::process().unwrap() {
            Side::Copy => process::end(FULL),
            Side::Program(child) => child,
        };
        let end = wait(&child, &channel, || false).unwrap();
        assert_eq!(outcome(end), Err(NotMarked::Full));
    }
}
