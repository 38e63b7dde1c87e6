//! Sessions by client, the latest only: the cache that is meant to be one. Touches `cache`.

use crate::cache::{Cache, CacheEntity};
use crate::combined::Entry;
use lru::LruCache;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A client silent for longer, in seconds, begins a new visit when it comes back.
const VISIT_ENDS_AFTER: u64 = 30 * 60;

/// Latest pages kept for a session.
const PAGES_KEPT: usize = 8;

/// The sessions of the clients seen last, at most as many as asked for.
#[derive(Debug)]
pub(crate) struct Sessions {
    by_client: LruCache<String, Session>,
    /// Visits begun so far, which is also the number of the latest one.
    visits: u64,
}

impl Sessions {
    /// Room for `bound` sessions.
    pub(crate) fn new(bound: NonZeroUsize) -> Self {
        Sessions {
            by_client: LruCache::new(bound),
            visits: 0,
        }
    }

    /// Adds a request to its client's session, and begins one where there is none.
    pub(crate) fn record(&mut self, entry: &Entry<'_>, cache: &Cache) -> Recorded {
        if let Some(session) = self.by_client.get_mut(entry.client)
            && session.is_same_visit(entry.at)
        {
            let visit = session.record(entry);
            return Recorded { visit, ended: None };
        }
        self.visits += 1;
        let mut session = Session::new(cache.open(self.visits, entry));
        let visit = session.record(entry);
        let before = self.by_client.push(entry.client.to_owned(), session);
        let ended = before.map(|(_, session)| session.entity);
        Recorded { visit, ended }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_client.len()
    }

    /// The visit with the most requests.
    pub(crate) fn busiest(&self) -> Option<&CacheEntity> {
        let visits = self.by_client.iter().map(|(_, session)| &*session.entity);
        visits.max_by_key(|entity| entity.requests())
    }
}

/// What recording a request did.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// Number of the visit it belongs to.
    pub(crate) visit: u64,
    /// The visit that ended by it: pushed out, or of the same client and long silent.
    pub(crate) ended: Option<Arc<CacheEntity>>,
}

/// One client, as long as it is among the latest.
#[derive(Debug)]
struct Session {
    entity: Arc<CacheEntity>,
    /// Seconds since 1970-01-01 UTC, by the log's clock.
    last_seen: i64,
    /// The latest pages, oldest first.
    pages: VecDeque<Box<str>>,
}

impl Session {
    fn new(entity: Arc<CacheEntity>) -> Self {
        Session {
            entity,
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
        self.entity.record(entry);
        self.entity.visit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    fn sessions(bound: usize) -> (Sessions, Cache) {
        let bound = NonZeroUsize::new(bound).unwrap();
        (Sessions::new(bound), Cache::new())
    }

    fn visit(client: u32, minute: u32) -> String {
        format!(
            r#"10.0.0.{client} - - [10/Oct/2000:13:{minute:02}:36 +0000] "GET /{client} HTTP/1.1" 200 7 "-" "-""#
        )
    }

    fn record(sessions: &mut Sessions, cache: &Cache, line: &str) -> Recorded {
        sessions.record(&parse(line.as_bytes()).unwrap(), cache)
    }

    #[test]
    fn the_bound_holds_and_the_least_recent_is_pushed_out() {
        let (mut sessions, cache) = sessions(3);
        for client in [1, 2, 3, 1] {
            let recorded = record(&mut sessions, &cache, &visit(client, 0));
            assert!(recorded.ended.is_none());
        }
        let recorded = record(&mut sessions, &cache, &visit(4, 0));
        assert_eq!(recorded.ended.unwrap().visit(), 2);
        assert_eq!(sessions.len(), 3);
    }

    #[test]
    fn a_client_that_was_silent_begins_a_new_visit() {
        let (mut sessions, cache) = sessions(3);
        assert_eq!(record(&mut sessions, &cache, &visit(1, 0)).visit, 1);
        assert_eq!(record(&mut sessions, &cache, &visit(1, 30)).visit, 1);
        let late = visit(1, 30).replace(":13:", ":14:");
        let recorded = record(&mut sessions, &cache, &late);
        assert_eq!(recorded.visit, 2);
        assert_eq!(recorded.ended.unwrap().visit(), 1);
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn an_index_that_is_told_stays_as_small_as_the_sessions() {
        let (mut sessions, cache) = sessions(10);
        for client in 0..200 {
            let recorded = record(&mut sessions, &cache, &visit(client, 0));
            if let Some(entity) = recorded.ended {
                cache.forget(&entity);
                assert_eq!(Arc::strong_count(&entity), 1);
            }
        }
        assert_eq!((sessions.len(), cache.len()), (10, 10));
    }

    #[test]
    fn an_index_that_nobody_tells_keeps_every_visit() {
        let (mut sessions, cache) = sessions(10);
        for client in 0..200 {
            record(&mut sessions, &cache, &visit(client, 0));
        }
        assert_eq!((sessions.len(), cache.len()), (10, 200));
    }

    #[test]
    fn pages_are_bounded_and_the_busiest_visit_is_found() {
        let (mut sessions, cache) = sessions(3);
        record(&mut sessions, &cache, &visit(1, 0));
        for minute in 0..50 {
            record(&mut sessions, &cache, &visit(2, minute));
        }
        assert_eq!(sessions.busiest().unwrap().visit(), 2);
        let (_, session) = sessions.by_client.peek_mru().unwrap();
        assert_eq!(session.pages.len(), PAGES_KEPT);
    }
}
