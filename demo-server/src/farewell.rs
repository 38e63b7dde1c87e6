//! A task for each visit that waits for its end and counts how long it was: what `--leak task` forgets. Touches the
//! runtime.
//!
//! The task waits for a [`Notify`]. Unlike a channel, that does not tell who waits that nobody is left to notify: whoever
//! ends a visit must call [`Farewell::say`]. `--leak task` is the server in which nobody does.

use crate::combined::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// The side of the visit.
#[derive(Debug)]
pub(crate) struct Farewell(Arc<Notify>);

impl Farewell {
    /// Starts the task.
    pub(crate) fn prepare(entry: &Entry<'_>, ended: &'static Ended) -> Self {
        let notify = Arc::new(Notify::new());
        let visitor = Visitor {
            address: entry.client.to_owned(),
            came_by: entry.referer.as_deref().map(str::to_owned),
        };
        tokio::spawn(see_off(visitor, Arc::clone(&notify), ended));
        Farewell(notify)
    }

    /// Lets the task go: the visit has ended.
    pub(crate) fn say(&self) {
        self.0.notify_one();
    }
}

/// Visits that have ended, for the log.
#[derive(Debug)]
pub(crate) struct Ended {
    visits: AtomicU64,
    referred: AtomicU64,
}

impl Ended {
    /// None so far.
    pub(crate) const fn new() -> Self {
        Ended {
            visits: AtomicU64::new(0),
            referred: AtomicU64::new(0),
        }
    }

    /// How many there were.
    pub(crate) fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }
}

struct Visitor {
    address: String,
    came_by: Option<String>,
}

async fn see_off(visitor: Visitor, end: Arc<Notify>, ended: &'static Ended) {
    end.notified().await;
    ended.visits.fetch_add(1, Ordering::Relaxed);
    if let Some(came_by) = &visitor.came_by {
        ended.referred.fetch_add(1, Ordering::Relaxed);
        tracing::trace!(visitor.address, came_by, "has left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;
    use tokio::runtime::Handle;
    use tokio::task::yield_now;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 7 "-" "-""#;

    static ENDED: Ended = Ended::new();

    #[tokio::test]
    async fn a_task_that_nobody_notifies_waits_for_ever() {
        let entry = parse(LINE.as_bytes()).unwrap();
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let farewells: Vec<_> = (0..10).map(|_| Farewell::prepare(&entry, &ENDED)).collect();
        yield_now().await;
        farewells.iter().take(4).for_each(Farewell::say);
        drop(farewells);
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!((tasks(), ENDED.visits()), (6, 4));
    }
}
