//! Lines into sessions and rows: the one place that all of them pass, one after the other. Touches no file and no socket.

use crate::combined;
use crate::lines::Line;
use crate::seconds::Seconds;
use crate::sessions::Sessions;
use crate::store::Row;
use crate::visits::Visits;
use crate::writer::{Figures, WriteError, Writer};
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// Rows that are committed at once, before their time, so that the store always has room for more.
const ROWS_A_COMMIT: u64 = crate::store::MAX_STAGED / 2;

/// The server's state, apart from what is stored.
#[derive(Debug)]
pub(crate) struct Ingest {
    sessions: Sessions,
    visits: Visits,
    seconds: Seconds,
    writer: Writer,
    lines: u64,
    bad: u64,
    /// Rows handed over since a commit was last asked for.
    uncommitted: u64,
}

impl Ingest {
    /// With no session yet.
    pub(crate) fn new(
        sessions: NonZeroUsize,
        visits: Visits,
        seconds: Seconds,
        writer: Writer,
    ) -> Self {
        Ingest {
            sessions: Sessions::new(sessions),
            visits,
            seconds,
            writer,
            lines: 0,
            bad: 0,
            uncommitted: 0,
        }
    }

    /// Takes lines until they end or `stop` does, then commits. Lines already read are not lost to a stop.
    pub(crate) async fn run(
        mut self,
        mut lines: Receiver<Line>,
        commit_every: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<(), WriteError> {
        let mut tick = ticks(commit_every);
        let mut stop = std::pin::pin!(stop);
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                () = &mut stop, if !stopping => {
                    stopping = true;
                    lines.close();
                }
                _ = tick.tick() => self.commit().await?,
                line = lines.recv() => match line {
                    Some(line) => self.take(line).await?,
                    None => break,
                },
            }
        }
        let figures = self.figures();
        self.writer.close(figures).await
    }

    async fn take(&mut self, line: Line) -> Result<(), WriteError> {
        self.lines += 1;
        match self.row(&line) {
            Some(row) => self.writer.add(row).await?,
            None => {
                self.bad += 1;
                return Ok(());
            }
        }
        self.uncommitted += 1;
        if self.uncommitted == ROWS_A_COMMIT {
            self.commit().await?;
        }
        Ok(())
    }

    /// The row of a good line, once its session knows of it.
    fn row(&mut self, line: &Line) -> Option<Row> {
        let Line::Text(line) = line else {
            return None;
        };
        let entry = combined::parse(line).ok()?;
        self.seconds.record(&entry);
        let visit = self.sessions.record(&entry, &mut self.visits);
        Some(Row::new(entry, visit))
    }

    async fn commit(&mut self) -> Result<(), WriteError> {
        self.uncommitted = 0;
        self.writer.commit(self.figures()).await
    }

    fn figures(&self) -> Figures {
        let busiest = self.sessions.busiest();
        Figures {
            lines: self.lines,
            bad: self.bad,
            sessions: self.sessions.len(),
            cached: self.visits.cached(),
            ended: self.visits.ended(),
            median: self.seconds.median(),
            busiest: busiest.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// The commits' beat. After a pause, however long, there is one commit and then the beat goes on.
fn ticks(every: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
