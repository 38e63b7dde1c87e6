//! The program's own commands: kept by name while it runs, called on a thread of the program's, waited for by the
//! agent's.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::Looks;
use super::errands::Errand;
use super::notices::{self, cut};
use super::place::Place;
use crate::heap::{Answered, Call, Ended};
use crate::os::{futex, process, quit};
use crate::query;
use crate::track::arena;

/// What a command does: words in, bytes out, and an error if it failed.
pub(super) type Run = dyn Fn(&[&str], &mut dyn Write) -> Result<(), String> + Send + Sync;

/// How long the prompt waits for a command; Ctrl-C ends the wait sooner.
const LIMIT: Duration = Duration::from_secs(60);
/// After this time the prompt says that it waits.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the waiting looks up: after a key, a signal.
const TICK: Duration = Duration::from_millis(20);
/// Bytes of a command's output that are kept, and the part of the arena that they may take.
const MOST: usize = 16 << 20;
const SHARE: u64 = 16;
/// Bytes of its error, or of its panic's message, that are kept.
const MOST_WORDS: usize = 64 << 10;
/// Commands that are kept, and bytes of what each says of itself: every look copies them.
const MOST_COMMANDS: usize = 256;
const MOST_SUMMARY: usize = 200;

/// A command of the program's.
struct Registered {
    name: String,
    summary: String,
    run: Box<Run>,
    /// Whether a call of it has not ended.
    running: AtomicBool,
}

static REGISTRY: Mutex<Vec<Arc<Registered>>> = Mutex::new(Vec::new());

/// Adds a command, or says why not.
pub(super) fn register(name: &str, summary: &str, run: Box<Run>) {
    let _untracked = arena::untracked();
    let mut registry = locked(&REGISTRY);
    let problem = if let Err(problem) = query::check_name(name) {
        problem
    } else if registry.iter().any(|known| known.name == name) {
        "it is registered already"
    } else if registry.len() >= MOST_COMMANDS {
        "the program has as many as are kept"
    } else {
        registry.push(Arc::new(Registered {
            name: name.to_owned(),
            summary: cut(summary.lines().next().unwrap_or_default(), MOST_SUMMARY).to_owned(),
            run,
            running: AtomicBool::new(false),
        }));
        return;
    };
    drop(registry);
    notices::say(format!(
        "The program's command `{}` is left out: {problem}.",
        name.escape_debug()
    ));
}

/// Names and summaries. Takes a lock that the program's threads take: only before they are stopped.
pub(super) fn declared() -> Vec<(String, String)> {
    let registry = locked(&REGISTRY);
    let declared = registry
        .iter()
        .map(|one| (one.name.clone(), one.summary.clone()));
    declared.collect()
}

/// Has a command run in the program, which goes on meanwhile, and waits for it.
pub(super) fn call(call: Call, place: &Place, looks: &Looks) -> Answered {
    let (progress, ended) = match begin(&call, looks) {
        Ok((command, progress)) => {
            let ended = wait(&command, &progress, place);
            (progress, ended)
        }
        Err(ended) => (Arc::default(), ended),
    };
    let mut written = locked(&progress.written);
    written.unheard = true;
    Answered {
        call,
        output: std::mem::take(&mut written.kept),
        left_out: written.left_out,
        ended,
    }
}

fn begin(call: &Call, looks: &Looks) -> Result<(Arc<Registered>, Arc<Progress>), Ended> {
    let registry = locked(&REGISTRY);
    let command = registry.iter().find(|known| known.name == call.name);
    let command =
        command.ok_or_else(|| Ended::NotCalled("the program has no such command".into()))?;
    if command.running.swap(true, Ordering::SeqCst) {
        return Err(Ended::Busy);
    }
    let progress = Arc::<Progress>::default();
    let job = Job {
        command: Arc::clone(command),
        words: call.words.clone(),
        progress: Arc::clone(&progress),
        blocked: looks.blocked,
    };
    if looks.errands.send(Errand::Run(job)) {
        return Ok((Arc::clone(command), progress));
    }
    command.running.store(false, Ordering::SeqCst);
    Err(Ended::NotCalled(HELD_UP.into()))
}

const HELD_UP: &str =
    "the thread that starts commands is held up, most likely by the program's logger";

fn wait(command: &Registered, progress: &Progress, place: &Place) -> Ended {
    let name = &command.name;
    let began = process::now_ns();
    let mut told = false;
    loop {
        futex::wait(&progress.done, 0, Some(TICK));
        if let Some(ended) = locked(&progress.ended).take() {
            return ended;
        }
        // The presses of whoever waits here are answered.
        quit::acknowledge();
        let waited = Duration::from_nanos(process::now_ns() - began);
        if waited > LIMIT || place.is_interrupted() {
            if progress.give_up() {
                command.running.store(false, Ordering::SeqCst);
                return Ended::NotCalled(format!("{HELD_UP}; it will not run"));
            }
            return Ended::NotYet(waited);
        }
        if waited > PATIENCE && !told {
            told = true;
            place.say(&format!(
                "`{name}` runs in the program; Ctrl-C ends the wait"
            ));
        }
    }
}

/// A call under way, shared by whoever runs it and whoever waits.
#[derive(Default)]
struct Progress {
    /// Where it stands: [`WAITING`], and then one of the others for ever.
    stage: AtomicU32,
    written: Mutex<Written>,
    ended: Mutex<Option<Ended>>,
    /// One once `ended` is there.
    done: AtomicU32,
}

const WAITING: u32 = 0;
const STARTED: u32 = 1;
const GIVEN_UP: u32 = 2;

impl Progress {
    /// Whether it may run now. Not once its user has given it up: what nobody waits for must not happen later.
    fn start(&self) -> bool {
        self.leave_waiting(STARTED)
    }

    /// Whether it will never run. Not so once it has started.
    fn give_up(&self) -> bool {
        self.leave_waiting(GIVEN_UP)
    }

    fn leave_waiting(&self, to: u32) -> bool {
        let left = self
            .stage
            .compare_exchange(WAITING, to, Ordering::SeqCst, Ordering::SeqCst);
        left.is_ok()
    }
}

#[derive(Default)]
struct Written {
    kept: Vec<u8>,
    left_out: u64,
    /// Nobody waits any more: nothing is kept.
    unheard: bool,
}

impl Written {
    /// Keeps what there is room for. After the first byte left out all are: there are no holes.
    fn keep(&mut self, bytes: &[u8], most: usize) {
        let room = match self.left_out == 0 && !self.unheard {
            true => most.saturating_sub(self.kept.len()).min(bytes.len()),
            false => 0,
        };
        let kept = match self.kept.try_reserve(room) {
            Ok(()) => room,
            Err(_) => 0,
        };
        self.kept.extend_from_slice(&bytes[..kept]);
        self.left_out += (bytes.len() - kept) as u64;
    }
}

/// A call for the thread that starts them.
pub(super) struct Job {
    command: Arc<Registered>,
    words: Vec<String>,
    progress: Arc<Progress>,
    /// The signals that the program's main thread blocks, if that is known.
    blocked: Option<u64>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.command.name, self.words)
    }
}

impl Job {
    /// Runs it on a thread of its own: one that hangs holds up nobody else.
    pub(super) fn start(self) {
        let job = Arc::new(self);
        let ours = Arc::clone(&job);
        let started = thread::Builder::new()
            .name(format!("sigheap-{}", job.command.name))
            .spawn(move || {
                // Before anything of the program's: what it spawns inherits the mask.
                if let Some(blocked) = ours.blocked {
                    process::block_only(blocked);
                }
                ours.run();
            });
        if let Err(error) = started
            && job.progress.start()
        {
            let why = format!("there is no thread for it ({error})");
            job.end(|| Ended::NotCalled(kept(&why)));
        }
    }

    fn run(&self) {
        if !self.progress.start() {
            return;
        }
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let mut tap = Tap(&self.progress.written);
        let run = AssertUnwindSafe(|| (self.command.run)(&words, &mut tap));
        match catch_unwind(run) {
            Ok(Ok(())) => self.end(|| Ended::Well),
            Ok(Err(why)) => self.end(|| Ended::Failed(kept(&why))),
            Err(payload) => {
                self.end(|| Ended::Panicked(kept(message(&*payload))));
                // Last of all, since dropping it may panic again. What comes of that has no other way to go.
                catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(std::mem::forget);
            }
        }
    }

    /// Tells whoever waits. What `ended` makes is the agent's, which drops it while everybody else stands still: no
    /// byte of it may be the program's to free.
    fn end(&self, ended: impl FnOnce() -> Ended) {
        let _arena = arena::enter();
        self.command.running.store(false, Ordering::SeqCst);
        *locked(&self.progress.ended) = Some(ended());
        self.progress.done.store(1, Ordering::SeqCst);
        futex::wake(&self.progress.done);
    }
}

/// A copy of a command's words about itself, cut where they are long. Empty where there is no room.
fn kept(words: &str) -> String {
    let words = cut(words, MOST_WORDS);
    let mut copy = String::new();
    if copy.try_reserve_exact(words.len()).is_ok() {
        copy.push_str(words);
    }
    copy
}

/// Where a command writes. What it writes is the agent's, not the program's.
struct Tap<'a>(&'a Mutex<Written>);

impl Write for Tap<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _arena = arena::enter();
        let most = MOST.min((arena::size() / SHARE) as usize);
        locked(self.0).keep(bytes, most);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let words = payload.downcast_ref::<&str>().copied();
    let words = words.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    words.unwrap_or("it did not say why")
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_never_starts_and_what_has_started_is_not_given_up() {
        let (early, late) = (Progress::default(), Progress::default());
        assert!(early.start() && !early.give_up());
        assert!(late.give_up() && !late.start());
    }

    #[test]
    fn what_does_not_fit_is_counted_and_leaves_no_hole() {
        let mut written = Written::default();
        written.keep(b"abc", 5);
        written.keep(b"defg", 5);
        written.keep(b"h", 100);
        assert_eq!((&written.kept[..], written.left_out), (&b"abcde"[..], 3));
    }
}
