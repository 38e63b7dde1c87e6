//! Sessions by client, the latest only: the cache that is meant to be one. Touches `visits`.

use crate::combined::Entry;
use crate::visits::{Visit, Visits};
use lru::LruCache;
use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// A client silent for longer, in seconds, begins a new visit when it comes back.
const VISIT_ENDS_AFTER: u64 = 30 * 60;

/// Latest pages kept for a session.
const PAGES_KEPT: usize = 8;

/// The sessions of the clients seen last, at most as many as asked for.
#[derive(Debug)]
pub(crate) struct Sessions {
    by_client: LruCache<String, Session>,
}

impl Sessions {
    /// Room for `bound` sessions.
    pub(crate) fn new(bound: NonZeroUsize) -> Self {
        Sessions {
            by_client: LruCache::new(bound),
        }
    }

    /// Adds a request to its client's session, and begins one where there is none. Returns the number of its visit.
    pub(crate) fn record(&mut self, entry: &Entry<'_>, visits: &mut Visits) -> u64 {
        if let Some(session) = self.by_client.get_mut(entry.client)
            && session.is_same_visit(entry.at)
        {
            return session.record(entry);
        }
        let mut session = Session::new(visits.begin(entry));
        let number = session.record(entry);
        let before = self.by_client.push(entry.client.to_owned(), session);
        if let Some((_, session)) = before {
            visits.end(&session.visit);
        }
        number
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// The visit with the most requests.
    pub(crate) fn busiest(&self) -> Option<&Visit> {
        let visits = self.by_client.iter().map(|(_, session)| &session.visit);
        visits.max_by_key(|visit| visit.requests())
    }
}

/// One client, as long as it is among the latest.
#[derive(Debug)]
struct Session {
    visit: Visit,
    /// Seconds since 1970-01-01 UTC, by the log's clock.
    last_seen: i64,
    /// The latest pages, oldest first.
    pages: VecDeque<Box<str>>,
}

impl Session {
    fn new(visit: Visit) -> Self {
        Session {
            visit,
            last_seen: 0,
            pages: VecDeque::with_capacity(PAGES_KEPT),
        }
    }

    /// Logs are not always in order, so silence counts both ways.
    fn is_same_visit(&self, at: i64) -> bool {
        self.last_seen.abs_diff(at) <= VISIT_ENDS_AFTER
    }

    fn record(&mut self, entry: &Entry<'_>) -> u64 {
        self.last_seen = entry.at;
        if self.pages.len() == PAGES_KEPT {
            self.pages.pop_front();
        }
        self.pages.push_back(entry.path().into());
        self.visit.record(entry);
        self.visit.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;
    use crate::visits::tests::visits;

    /// Sessions and what they tell of a visit's end.
    struct Site(Sessions, Visits);

    impl Site {
        fn new(bound: usize, leaks: &str) -> Self {
            let bound = NonZeroUsize::new(bound).unwrap();
            Site(Sessions::new(bound), visits(leaks))
        }

        /// The number of the visit that this line belongs to.
        fn record(&mut self, line: &str) -> u64 {
            self.0.record(&parse(line.as_bytes()).unwrap(), &mut self.1)
        }

        /// Sessions and entities.
        fn sizes(&self) -> (usize, usize) {
            (self.0.len(), self.1.cached())
        }
    }

    fn visit(client: u32, minute: u32) -> String {
        format!(
            r#"10.0.0.{client} - - [10/Oct/2000:13:{minute:02}:36 +0000] "GET /{client} HTTP/1.1" 200 7 "-" "-""#
        )
    }

    #[tokio::test]
    async fn the_bound_holds_and_the_least_recent_is_pushed_out() {
        let mut site = Site::new(3, "none");
        let visits = [1, 2, 3, 1].map(|client| site.record(&visit(client, 0)));
        assert_eq!((visits, site.sizes()), ([1, 2, 3, 1], (3, 3)));
        site.record(&visit(4, 0));
        assert_eq!(site.sizes(), (3, 3));
        assert_eq!(site.record(&visit(1, 0)), 1);
        assert_eq!(site.record(&visit(2, 0)), 5, "the second was pushed out");
    }

    #[tokio::test]
    async fn a_client_that_was_silent_begins_a_new_visit() {
        let mut site = Site::new(3, "none");
        assert_eq!(site.record(&visit(1, 0)), 1);
        assert_eq!(site.record(&visit(1, 30)), 1);
        let late = visit(1, 30).replace(":13:", ":14:");
        assert_eq!(site.record(&late), 2);
        assert_eq!(site.sizes(), (1, 1));
    }

    #[tokio::test]
    async fn an_index_that_is_told_stays_as_small_as_the_sessions() {
        for (leaks, cached) in [("none", 10), ("cache", 200)] {
            let mut site = Site::new(10, leaks);
            for client in 0..200 {
                site.record(&visit(client, 0));
            }
            assert_eq!(site.sizes(), (10, cached), "{leaks}");
        }
    }

    #[tokio::test]
    async fn pages_are_bounded_and_the_busiest_visit_is_found() {
        let mut site = Site::new(3, "none");
        site.record(&visit(1, 0));
        for minute in 0..50 {
            site.record(&visit(2, minute));
        }
        assert_eq!(site.0.busiest().unwrap().number(), 2);
        let (_, session) = site.0.by_client.peek_mru().unwrap();
        assert_eq!(session.pages.len(), PAGES_KEPT);
    }
}
