//! What must not be done on the agent's thread, since it is the program's code: its logger, its signal handler. That
//! thread has a descriptor table, a place to allocate and a signal mask of its own; this one shares the program's table
//! and allocates as the program does.
//!
//! It is stopped like every other thread, so the agent's thread never waits for it while a look is on. A logger that
//! never returns costs what is logged after it, no more.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::commands::Job;
use crate::os::{process, quit, stop};
use crate::track::arena;

/// Errands that wait at most; what comes beyond that is dropped.
const WAITING: usize = 16;

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Errands(SyncSender<Errand>);

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
}

impl Errands {
    /// Starts the thread. To be called on a thread of the program's: it gets that one's descriptor table.
    pub(super) fn start() -> io::Result<Errands> {
        let _untracked = arena::untracked();
        let _deaf = process::Deaf::to_all(&[stop::signal()]);
        let (sender, receiver) = sync_channel(WAITING);
        let run = move || serve(&receiver);
        thread::Builder::new()
            .name("sigheap-errands".into())
            .spawn(run)?;
        Ok(Errands(sender))
    }

    /// Has something done soon. False where too much waits already: the program's logger does not return.
    pub(super) fn send(&self, errand: Errand) -> bool {
        self.0.try_send(errand).is_ok()
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
            tracing::info!(target: "sigheap", seconds = took.as_secs_f64(), "the look is over");
        }
        Errand::Trouble { what, took } => {
            tracing::warn!(target: "sigheap", seconds = took.as_secs_f64(), "the look ended: {what}");
        }
        Errand::Failed(why) => {
            process::write(2, format!("[sigheap: {why}]\r\n").as_bytes());
            tracing::warn!(target: "sigheap", "{why}");
        }
        Errand::Note(what) => tracing::warn!(target: "sigheap", "{what}"),
        Errand::Run(job) => job.start(),
        Errand::PassOn => quit::pass_on(),
    }
}
