//! A visit from its first line to its end, and what has to be tidied up then. Touches the runtime.
//!
//! Most leaks are made here: a visit that ends must be told to whoever else knows of it, and `--leak` leaves one out.

use crate::advice::{Advice, Adviser};
use crate::cache::{Cache, CacheEntity};
use crate::clients::Client;
use crate::combined::Entry;
use crate::farewell::{Ended, Farewell};
use crate::leaks::{Leak, Leaks, Pace};
use crate::trouble::Trouble;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Begins visits and ends them.
#[derive(Debug)]
pub(crate) struct Visits {
    cache: &'static Cache,
    ended: &'static Ended,
    adviser: Adviser,
    pace: Pace,
    /// What goes wrong with the visits that begin and end now.
    leaks: Leaks,
    /// Visits begun so far, which is also the number of the latest one.
    begun: u64,
}

impl Visits {
    /// None so far.
    pub(crate) fn new(cache: &'static Cache, ended: &'static Ended, leaks: Leaks) -> Self {
        Visits {
            cache,
            ended,
            adviser: Adviser::new(),
            pace: Pace::new(leaks, Instant::now()),
            leaks: Leaks::NONE,
            begun: 0,
        }
    }

    /// Begins the visit whose first line this is.
    pub(crate) fn begin(&mut self, first: &Entry<'_>) -> Visit {
        let leaks = self.pace.next(Instant::now());
        self.leaks = leaks.unwrap_or(Leaks::NONE);
        let address: Arc<str> = first.client.into();
        let trouble = Trouble::expected(&address, first);
        self.begun += 1;
        let visit = Visit {
            entity: self.cache.open(self.begun, first),
            client: Client::new(address),
            farewell: Farewell::prepare(first, self.ended),
            // In a flood there is no time for it.
            advice: leaks.map_or(Advice::default(), |leaks| {
                self.adviser.advise(first, leaks.has(Leak::Fragment))
            }),
        };
        if self.leaks.has(Leak::Forget) {
            trouble.forget();
        } else {
            trouble.disarm();
        }
        visit
    }

    /// Ends a visit: everybody who knows of it is told.
    pub(crate) fn end(&self, visit: &Visit) {
        if !self.leaks.has(Leak::Cache) {
            self.cache.forget(&visit.entity);
        }
        if !self.leaks.has(Leak::Cycle) {
            visit.client.disconnect();
        }
        if !self.leaks.has(Leak::Task) {
            visit.farewell.say();
        }
    }

    /// How many have ended and said so.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.visits()
    }

    /// How many entities the index holds.
    pub(crate) fn cached(&self) -> usize {
        self.cache.len()
    }
}

/// One client's requests, with no long silence between them.
#[derive(Debug)]
pub(crate) struct Visit {
    entity: Arc<CacheEntity>,
    client: Arc<Client>,
    farewell: Farewell,
    advice: Advice,
}

impl Visit {
    /// Adds a request.
    pub(crate) fn record(&self, entry: &Entry<'_>) {
        self.entity.record(entry);
        self.client.request(entry);
    }

    /// Its number in this run.
    pub(crate) fn number(&self) -> u64 {
        self.entity.visit()
    }

    /// Requests made so far.
    pub(crate) fn requests(&self) -> u64 {
        self.entity.requests()
    }
}

/// The visit in a few words, for the log.
impl fmt::Display for Visit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.entity)?;
        if let Some(connection) = self.client.busiest() {
            write!(out, ", {connection}")?;
        }
        match self.advice.best() {
            Some(best) => write!(out, ", may like {best}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::combined::parse;
    use std::sync::Weak;
    use tokio::runtime::Handle;
    use tokio::task::yield_now;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 7 "-" "-""#;

    /// Visits that nobody else shares.
    pub(crate) fn visits(leaks: &str) -> Visits {
        let (cache, ended) = (
            Box::leak(Box::new(Cache::new())),
            Box::leak(Box::new(Ended::new())),
        );
        Visits::new(cache, ended, Leaks::parse(leaks).unwrap())
    }

    /// What is left of some visits after their end: entities, clients, tasks.
    async fn left_of(leaks: &str) -> (usize, usize, usize) {
        let mut visits = visits(leaks);
        let entry = parse(LINE.as_bytes()).unwrap();
        let mut clients: Vec<Weak<Client>> = Vec::new();
        for _ in 0..10 {
            let visit = visits.begin(&entry);
            visit.record(&entry);
            clients.push(Arc::downgrade(&visit.client));
            visits.end(&visit);
        }
        for _ in 0..100 {
            yield_now().await;
        }
        let rings: Vec<_> = clients.iter().filter_map(Weak::upgrade).collect();
        rings.iter().for_each(|client| client.disconnect());
        let tasks = Handle::current().metrics().num_alive_tasks();
        (visits.cached(), rings.len(), tasks)
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_visit_that_ends_as_it_should() {
        assert_eq!(left_of("none").await, (0, 0, 0));
        assert_eq!(left_of("spare,fragment,forget").await, (0, 0, 0));
    }

    #[tokio::test]
    async fn an_index_that_nobody_tells_keeps_every_visit() {
        assert_eq!(left_of("cache").await, (10, 0, 0));
    }

    #[tokio::test]
    async fn a_ring_that_nobody_opens_keeps_every_client() {
        assert_eq!(left_of("cycle").await, (0, 10, 0));
    }

    #[tokio::test]
    async fn a_task_that_nobody_notifies_is_left() {
        assert_eq!(left_of("task").await, (0, 0, 10));
    }

    #[tokio::test]
    async fn several_leaks_are_left_at_once() {
        assert_eq!(left_of("all").await, (10, 10, 10));
    }

    #[tokio::test]
    async fn a_forgotten_guard_keeps_what_the_visit_no_longer_does() {
        for (leaks, holders) in [("none", 1), ("forget", 2)] {
            let mut visits = visits(leaks);
            let visit = visits.begin(&parse(LINE.as_bytes()).unwrap());
            assert_eq!(visit.client.holders(), holders, "{leaks}");
        }
    }

    #[tokio::test]
    async fn a_visit_is_said_in_a_few_words() {
        let entry = parse(LINE.as_bytes()).unwrap();
        let visit = visits("none").begin(&entry);
        visit.record(&entry);
        let text = visit.to_string();
        assert!(
            text.contains(", 1 by one connection of h, may like page "),
            "{text}"
        );
    }
}
