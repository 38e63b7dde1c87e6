//! The entities of all visits, by number, and the leak. Touches nothing but its own memory.
//!
//! A visit's entity is shared by the session in the LRU and by the index here, where the number
//! that is stored with each row finds it. When the LRU drops a session, its `Arc` goes, but the
//! index still holds the other one: whoever ends a visit must call [`Cache::forget`] too.
//! `--leak cache` is the server in which nobody does.

use crate::combined::Entry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sizes of responses kept for a visit.
const SIZES_KEPT: usize = 16;

/// Every visit's entity, by the visit's number.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: Mutex<BTreeMap<u64, Arc<CacheEntity>>>,
}

impl Cache {
    /// With nothing in it.
    pub(crate) const fn new() -> Self {
        Cache {
            entries: Mutex::new(BTreeMap::new()),
        }
    }

    /// Makes and keeps the entity of the visit that `first` opens.
    pub(crate) fn open(&self, visit: u64, first: &Entry<'_>) -> Arc<CacheEntity> {
        let entity = Arc::new(CacheEntity::new(visit, first));
        self.entries().insert(visit, Arc::clone(&entity));
        entity
    }

    /// Drops the index's hold on a visit that has ended.
    pub(crate) fn forget(&self, entity: &CacheEntity) {
        self.entries().remove(&entity.visit);
    }

    /// How many entities the index holds.
    pub(crate) fn len(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<CacheEntity>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one visit.
#[derive(Debug)]
pub(crate) struct CacheEntity {
    visit: u64,
    client: String,
    /// The path that the visit came in by.
    landing: Box<str>,
    device: Box<Device>,
    activity: Mutex<Activity>,
}

impl CacheEntity {
    fn new(visit: u64, first: &Entry<'_>) -> Self {
        CacheEntity {
            visit,
            client: first.client.to_owned(),
            landing: first.path().into(),
            device: Box::new(Device::of(first.agent.as_deref().unwrap_or(""))),
            activity: Mutex::new(Activity::new()),
        }
    }

    /// The visit's number.
    pub(crate) fn visit(&self) -> u64 {
        self.visit
    }

    /// Adds one request.
    pub(crate) fn record(&self, entry: &Entry<'_>) {
        self.activity().record(entry);
    }

    /// Requests made so far.
    pub(crate) fn requests(&self) -> u64 {
        self.activity().requests
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The visit in a few words, for the log.
impl fmt::Display for CacheEntity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let activity = self.activity();
        write!(
            out,
            "{} on {}, {:.40}: {} requests, {} failed, median {} B",
            self.client,
            self.device,
            self.landing,
            activity.requests,
            activity.failed(),
            activity.median_size(),
        )
    }
}

/// What a client browses with, as far as its name tells.
#[derive(Debug)]
struct Device {
    family: &'static str,
    mobile: bool,
    robot: bool,
}

impl Device {
    /// Families in the order in which they must be tried: each also claims to be those after it.
    const FAMILIES: [&str; 6] = ["Edg", "Firefox", "Chrome", "Safari", "curl", "Mozilla"];

    fn of(agent: &str) -> Self {
        let family = Self::FAMILIES.into_iter().find(|name| agent.contains(name));
        Device {
            family: family.unwrap_or("other"),
            mobile: agent.contains("Mobile"),
            robot: agent.contains("bot"),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mobile = if self.mobile { "mobile " } else { "" };
        let robot = if self.robot { " (robot)" } else { "" };
        write!(out, "{mobile}{}{robot}", self.family)
    }
}

/// What a visit has done so far.
#[derive(Debug)]
struct Activity {
    requests: u64,
    /// Requests in each minute of the hour.
    by_minute: [u32; 60],
    /// Requests by the first digit of the status.
    by_class: [u32; 10],
    /// Bytes of the latest responses, at most [`SIZES_KEPT`], oldest overwritten first.
    sizes: Vec<u64>,
}

impl Activity {
    fn new() -> Self {
        Activity {
            requests: 0,
            by_minute: [0; 60],
            by_class: [0; 10],
            sizes: Vec::with_capacity(SIZES_KEPT / 2),
        }
    }

    fn record(&mut self, entry: &Entry<'_>) {
        let minute = entry.at.div_euclid(60).rem_euclid(60);
        self.by_minute[usize::try_from(minute).unwrap_or(0)] += 1;
        self.by_class[usize::from(entry.status / 100 % 10)] += 1;
        self.keep_size(entry.bytes);
        self.requests += 1;
    }

    fn keep_size(&mut self, bytes: u64) {
        if self.sizes.len() < SIZES_KEPT {
            self.sizes.push(bytes);
        } else {
            let oldest = self.requests % SIZES_KEPT as u64;
            self.sizes[usize::try_from(oldest).unwrap_or(0)] = bytes;
        }
    }

    fn failed(&self) -> u32 {
        self.by_class[4] + self.by_class[5]
    }

    fn median_size(&self) -> u64 {
        let mut sizes = self.sizes.clone();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET /a?b HTTP/1.1" 404 7 "-" "Mozilla/5.0 Mobile Firefox/1""#;

    #[test]
    fn the_index_holds_an_entity_until_it_is_told_to_forget() {
        let cache = Cache::new();
        let entry = parse(LINE.as_bytes()).unwrap();
        let entity = cache.open(7, &entry);
        assert_eq!((cache.len(), Arc::strong_count(&entity)), (1, 2));
        cache.forget(&entity);
        assert_eq!((cache.len(), Arc::strong_count(&entity)), (0, 1));
    }

    #[test]
    fn a_visit_is_summed_up_in_bounded_memory() {
        let entry = parse(LINE.as_bytes()).unwrap();
        let entity = CacheEntity::new(7, &entry);
        for _ in 0..1000 {
            entity.record(&entry);
        }
        let line = "h on mobile Firefox, /a: 1000 requests, 1000 failed, median 7 B";
        assert_eq!(entity.to_string(), line);
        assert_eq!(entity.activity().sizes.len(), SIZES_KEPT);
        assert_eq!(entity.activity().by_minute[55], 1000);
    }
}
