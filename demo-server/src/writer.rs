//! The thread that owns the store, so that no worker of the runtime ever waits for a disk. Touches `store`.

use crate::store::{Row, Store, StoreError};
use std::error::Error;
use std::{fmt, io, thread};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// Rows on their way to the thread; whoever brings more waits.
const ROWS_IN_FLIGHT: usize = 1024;

/// Tries of the last commit, each as patient as the store's lock.
const LAST_TRIES: usize = 5;

/// The server's figures at the moment of a commit, for its line in the log.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Lines that came, the bad ones included.
    pub(crate) lines: u64,
    /// Lines skipped: too long, cut off, not UTF-8, or not in the format.
    pub(crate) bad: u64,
    /// Sessions in the LRU.
    pub(crate) sessions: usize,
    /// Entities in the index.
    pub(crate) cached: usize,
    /// Visits that have ended and said so.
    pub(crate) ended: u64,
    /// Median size in bytes of the good answers of a second.
    pub(crate) median: u32,
    /// The visit with the most requests, in a few words.
    pub(crate) busiest: String,
}

enum Order {
    Add(Row),
    Commit(Figures),
    /// Commit for the last time, and say how it went.
    Close(Figures, oneshot::Sender<Result<(), WriteError>>),
}

/// The way to the thread.
#[derive(Debug)]
pub(crate) struct Writer {
    orders: mpsc::Sender<Order>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(store: Store) -> io::Result<Self> {
        let (orders, incoming) = mpsc::channel(ROWS_IN_FLIGHT);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(|| obey(store, incoming))?;
        Ok(Writer { orders })
    }

    /// Hands over a row.
    pub(crate) async fn add(&self, row: Row) -> Result<(), WriteError> {
        self.send(Order::Add(row)).await
    }

    /// Asks for a commit of the rows handed over so far, and does not wait for it.
    pub(crate) async fn commit(&self, figures: Figures) -> Result<(), WriteError> {
        self.send(Order::Commit(figures)).await
    }

    /// Commits all rows handed over, waits, and ends the thread.
    pub(crate) async fn close(self, figures: Figures) -> Result<(), WriteError> {
        let (done, closed) = oneshot::channel();
        self.send(Order::Close(figures, done)).await?;
        closed.await.unwrap_or(Err(WriteError::Gone))
    }

    async fn send(&self, order: Order) -> Result<(), WriteError> {
        self.orders.send(order).await.map_err(|_| WriteError::Gone)
    }
}

fn obey(store: Store, mut orders: mpsc::Receiver<Order>) {
    let mut clerk = Clerk {
        store,
        failing: false,
        dropping: false,
    };
    while let Some(order) = orders.blocking_recv() {
        match order {
            Order::Add(row) => clerk.add(&row),
            Order::Commit(figures) => clerk.commit(&figures),
            Order::Close(figures, done) => {
                // Nobody listens where the runtime is gone, and then there is nobody to tell.
                let _ = done.send(commit_for_the_last_time(&mut clerk.store, &figures));
                return;
            }
        }
    }
}

/// Who keeps the store, and says once what is wrong with it, and once that it no longer is.
struct Clerk {
    store: Store,
    /// Commits fail, and it was said.
    failing: bool,
    /// Rows are dropped meanwhile, and it was said.
    dropping: bool,
}

impl Clerk {
    fn add(&mut self, row: &Row) {
        let dropped = self.store.dropped();
        if let Err(error) = self.store.add(row) {
            error!("{}, row lost", in_full(&error));
        }
        if self.store.dropped() > dropped && !self.dropping {
            self.dropping = true;
            error!(
                kept = self.store.staged(),
                "no room for more rows until a commit succeeds: they are dropped, and counted"
            );
        }
    }

    fn commit(&mut self, figures: &Figures) {
        match commit(&mut self.store, figures) {
            Ok(()) => {
                if self.failing {
                    let dropped = self.store.dropped();
                    info!(
                        dropped,
                        "commits succeed again, and nothing that was kept is lost"
                    );
                }
                (self.failing, self.dropping) = (false, false);
            }
            Err(error) => {
                if !self.failing {
                    let kept = self.store.staged();
                    warn!(
                        kept,
                        "{}; rows are kept, and tried with each commit",
                        in_full(&error)
                    );
                }
                self.failing = true;
            }
        }
    }
}

fn commit(store: &mut Store, figures: &Figures) -> Result<(), StoreError> {
    let added = store.commit()?;
    info!(
        rows = store.committed(),
        lines = figures.lines,
        bad = figures.bad,
        sessions = figures.sessions,
        cached = figures.cached,
        ended = figures.ended,
        median = figures.median,
        added,
        dropped = store.dropped(),
        // Clients wrote parts of this: the debug form escapes what a terminal would obey.
        busiest = ?figures.busiest,
        "committed"
    );
    Ok(())
}

fn commit_for_the_last_time(store: &mut Store, figures: &Figures) -> Result<(), WriteError> {
    let mut tries = 1;
    while let Err(error) = commit(store, figures) {
        warn!(kept = store.staged(), "{}", in_full(&error));
        if tries == LAST_TRIES {
            let rows = store.staged();
            return Err(WriteError::Lost { rows, error });
        }
        tries += 1;
        thread::sleep(std::time::Duration::from_millis(200));
    }
    Ok(())
}

/// An error with all that caused it, in one line.
pub(crate) fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Why rows cannot be written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The thread has ended before its time.
    Gone,
    /// The last commit failed.
    Lost {
        /// Rows that were handed over and are not committed.
        rows: u64,
        /// Why.
        error: StoreError,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Gone => out.write_str("the store's thread is gone"),
            WriteError::Lost { rows, .. } => write!(out, "{rows} rows are lost"),
        }
    }
}

impl Error for WriteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            WriteError::Gone => None,
            WriteError::Lost { error, .. } => Some(error),
        }
    }
}
