//! What goes wrong, by name: the mistakes that `--leak` switches on. Pure: touches nothing.
//!
//! Most are made when a visit ends, in [`crate::visits`]. Each stands beside the code that it is made with: [`Leak::Cache`] in [`crate::cache`], [`Leak::Cycle`] in
//! [`crate::clients`], [`Leak::Task`] in [`crate::farewell`], [`Leak::Forget`] in [`crate::trouble`], [`Leak::Spare`] in
//! [`crate::seconds`], [`Leak::Fragment`] in [`crate::advice`].

use std::fmt;
use std::time::{Duration, Instant};

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leak {
    /// Nobody prunes the index of entities.
    Cache,
    /// A client and its connections hold each other.
    Cycle,
    /// A task waits for a notification that nobody sends.
    Task,
    /// A guard is forgotten where it should be disarmed.
    Forget,
    /// Buffers keep the capacity that a burst gave them.
    Spare,
    /// Small blocks are cut from large ones, and keep the allocator from giving the rest back.
    Fragment,
}

impl Leak {
    /// All of them, in the order of the help.
    pub(crate) const ALL: [Leak; 6] = [
        Leak::Cache,
        Leak::Cycle,
        Leak::Task,
        Leak::Forget,
        Leak::Spare,
        Leak::Fragment,
    ];

    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Leak::Cache => "cache",
            Leak::Cycle => "cycle",
            Leak::Task => "task",
            Leak::Forget => "forget",
            Leak::Spare => "spare",
            Leak::Fragment => "fragment",
        }
    }
}

/// Any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaks(u8);

impl Leaks {
    /// A server without fault.
    pub(crate) const NONE: Leaks = Leaks(0);

    /// What is wrong with a list that cannot be read.
    pub(crate) const WANTED: &str = "cache, cycle, task, forget, spare or fragment, several with commas between, or all, or none";

    /// Reads `none`, `all`, or names with commas between.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Leaks::NONE),
            "all" => Some(Leak::ALL.into_iter().fold(Leaks::NONE, Leaks::with)),
            _ => text.split(',').try_fold(Leaks::NONE, |leaks, name| {
                let named = Leak::ALL.into_iter().find(|leak| leak.name() == name)?;
                Some(leaks.with(named))
            }),
        }
    }

    /// These and one more.
    pub(crate) fn with(self, leak: Leak) -> Self {
        Leaks(self.0 | 1 << leak as u8)
    }

    /// Whether this one is among them.
    pub(crate) fn has(self, leak: Leak) -> bool {
        self.0 & 1 << leak as u8 != 0
    }
}

/// As on the command line, but for `all`.
impl fmt::Display for Leaks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for leak in Leak::ALL.into_iter().filter(|leak| self.has(*leak)) {
            write!(out, "{separator}{}", leak.name())?;
            separator = ",";
        }
        match separator {
            "" => out.write_str("none"),
            _ => Ok(()),
        }
    }
}

/// Visits that leak something in a second, at most: a log read at full speed must not fill the machine in a minute.
const VISITS_A_SECOND: u32 = 1000;

/// The leaks, with a bound on their rate.
#[derive(Debug)]
pub(crate) struct Pace {
    leaks: Leaks,
    /// When the second that is counted began.
    began: Instant,
    left: u32,
}

impl Pace {
    /// These leaks, bounded.
    pub(crate) fn new(leaks: Leaks, now: Instant) -> Self {
        Pace {
            leaks,
            began: now,
            left: VISITS_A_SECOND,
        }
    }

    /// What goes wrong with one more visit; nothing to be said of one that comes too fast.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Leaks> {
        if now.duration_since(self.began) >= Duration::from_secs(1) {
            (self.began, self.left) = (now, VISITS_A_SECOND);
        }
        self.left = self.left.checked_sub(1)?;
        Some(self.leaks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        for text in ["none", "cache", "cycle,task", "forget,spare,fragment"] {
            assert_eq!(Leaks::parse(text).unwrap().to_string(), text);
        }
        let all = Leaks::parse("all").unwrap();
        assert!(Leak::ALL.into_iter().all(|leak| all.has(leak)));
        assert_eq!(
            Leaks::parse("task,cycle,task"),
            Some(Leaks::NONE.with(Leak::Cycle).with(Leak::Task))
        );
        for text in [
            "",
            "everything",
            "cache,",
            "cache,none",
            "all,cache",
            "Cache",
        ] {
            assert_eq!(Leaks::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_words_for_a_bad_list_name_every_leak() {
        for leak in Leak::ALL {
            assert!(Leaks::WANTED.contains(leak.name()));
        }
    }

    #[test]
    fn a_flood_leaks_no_faster_than_the_bound() {
        let leaks = Leaks::NONE.with(Leak::Cache);
        let start = Instant::now();
        let mut pace = Pace::new(leaks, start);
        let mut leaked = |from: u64, visits: u32| {
            let now = start + Duration::from_millis(from);
            (0..visits)
                .filter(|_| pace.next(now) == Some(leaks))
                .count()
        };
        assert_eq!(leaked(0, 600), 600);
        assert_eq!(leaked(999, 600), 400);
        assert_eq!(leaked(1000, 5000), 1000);
        assert_eq!(leaked(100_000, 10), 10);
    }
}
