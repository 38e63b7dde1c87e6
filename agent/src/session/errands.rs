//! What must not be done on the agent's thread, since it is the program's code: its logger, its signal handler. That
//! thread has a descriptor table, a place to allocate and a signal mask of its own; this one shares the program's table
//! and allocates as the program does.
//!
//! What may never come back is done here, too: a question to C's allocator, whose lock a thread may hold for good, or to a
//! file system that hangs. The agent's thread waits for the answer, but not for long.
//!
//! It is stopped like every other thread, so the agent's thread never waits for it while a look is on. A logger that
//! never returns costs what is logged after it and such answers, no more.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io, thread};

use super::commands::Job;
use crate::heap::ERRANDS;
use crate::os::{futex, process, quit, stop};
use crate::track::arena;

/// Errands that wait at most; what comes beyond that is dropped.
const WAITING: usize = 16;

/// How long a question may take. While it is open no other is asked: one wait is enough.
const PATIENCE: Duration = Duration::from_millis(500);

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Errands {
    way: SyncSender<Errand>,
    /// The last question that was given up: one once it has been answered after all.
    open: Option<Arc<AtomicU32>>,
}

/// Something to be done.
#[derive(Debug)]
pub(super) enum Errand {
    /// A look went well, and took so long.
    Looked(Duration),
    /// A look ended otherwise than its user meant.
    Trouble { what: String, took: Duration },
    /// There was no look. Whoever pressed the key and got no prompt must learn why even where nobody listens to the log.
    Failed(String),
    /// Something that the log alone hears.
    Note(String),
    /// A command of the program's own is to run.
    Run(Job),
    /// The program's handler has to hear of a signal that came to the agent's thread.
    PassOn,
    /// A question of the agent's.
    Answer(Question),
}

/// Something to find out. What it finds goes where whoever asked will look for it.
pub(super) struct Question(Box<dyn FnOnce() + Send>);

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a question")
    }
}

impl Errands {
    /// Starts the thread. To be called on a thread of the program's: it gets that one's descriptor table.
    pub(super) fn start() -> io::Result<Errands> {
        let _untracked = arena::untracked();
        let _deaf = process::Deaf::to_all(&[stop::signal()]);
        let (sender, receiver) = sync_channel(WAITING);
        let run = move || serve(&receiver);
        thread::Builder::new().name(ERRANDS.into()).spawn(run)?;
        Ok(Errands {
            way: sender,
            open: None,
        })
    }

    /// Has something done soon. False where too much waits already: the program's logger does not return.
    pub(super) fn send(&self, errand: Errand) -> bool {
        self.way.try_send(errand).is_ok()
    }

    /// What comes of this on that thread; none if it takes too long. On the agent's thread, before any stop.
    pub(super) fn ask<T: Copy + Send + 'static>(
        &mut self,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let is_open = |done: &Arc<AtomicU32>| done.load(Ordering::SeqCst) == 0;
        if self.open.as_ref().is_some_and(is_open) {
            return None;
        }
        let answer = Arc::new(Mutex::new(None));
        let done = Arc::new(AtomicU32::new(0));
        let ours = (Arc::clone(&answer), Arc::clone(&done));
        let sent = self.send(Errand::Answer(Question(Box::new(move || {
            *ours.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(question());
            ours.1.store(1, Ordering::SeqCst);
            futex::wake(&ours.1);
        }))));
        let began = process::now_ns();
        let late = || Duration::from_nanos(process::now_ns() - began) >= PATIENCE;
        while sent && done.load(Ordering::SeqCst) == 0 && !late() {
            futex::wait(&done, 0, Some(PATIENCE));
        }
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.open = (sent && answer.is_none()).then_some(done);
        answer
    }
}

fn serve(receiver: &Receiver<Errand>) {
    for errand in receiver {
        // What the program's code keeps of this is not the program's.
        let _untracked = arena::untracked();
        run(errand);
    }
}

fn run(errand: Errand) {
    match errand {
        Errand::Looked(took) => {
            tracing::info!(target: "sigheap", seconds = to_ms(took), "the look is over");
        }
        Errand::Trouble { what, took } => {
            tracing::warn!(target: "sigheap", seconds = to_ms(took), "the look ended: {what}");
        }
        Errand::Failed(why) => {
            process::write(2, format!("[sigheap: {why}]\r\n").as_bytes());
            tracing::warn!(target: "sigheap", "{why}");
        }
        Errand::Note(what) => tracing::warn!(target: "sigheap", "{what}"),
        Errand::Run(job) => job.start(),
        Errand::PassOn => quit::pass_on(),
        Errand::Answer(question) => (question.0)(),
    }
}

/// In seconds, to the millisecond: nobody reads the rest.
fn to_ms(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent waited for ever for an allocator whose lock a dead thread held.
    #[test]
    fn a_question_that_nobody_answers_costs_one_wait() {
        let mut errands = Errands::start().unwrap();
        assert_eq!(errands.ask(|| 1), Some(1));
        let (free, held) = std::sync::mpsc::channel::<()>();
        assert_eq!(errands.ask(move || held.recv().is_ok()), None);
        let began = std::time::Instant::now();
        for _ in 0..1000 {
            assert_eq!(errands.ask(|| 2), None);
        }
        assert!(
            began.elapsed() < 1000 * PATIENCE,
            "nobody waits for what cannot come"
        );
        free.send(()).unwrap();
        let answered = std::iter::repeat_with(|| errands.ask(|| 3)).find(Option::is_some);
        assert_eq!(answered.flatten(), Some(3));
    }
}
