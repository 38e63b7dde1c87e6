//! Why the program is as large as it is: which part of its memory grows, or else holds most, and what to do next.

use std::time::Duration;

use super::View;
use crate::heap::{MemorySplit, Snapshot};
use crate::report::Value;

/// Where to look next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What it is about.
    pub(crate) about: About,
    /// In a sentence.
    pub(crate) says: String,
    /// What to do.
    pub(crate) next: String,
}

/// The parts of the memory that a program can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// Live Rust blocks.
    Live,
    /// What the allocator keeps free.
    Free,
    /// Neither.
    Outside,
    /// Nothing is large or grows.
    Nothing,
}

/// Less than this is noise: what a program allocates in passing between two looks. In bytes.
const NOISE: u64 = 256 << 10;
/// Growth between looks counts from a twentieth of what there was: at that pace it doubles in fourteen looks.
const GREW: u64 = 20;
/// At one look alone, what the allocator keeps is worth a word from a quarter of the memory that is neither files nor the
/// agent's: a program that takes and frees by turns keeps that much without harm.
const KEPT: u64 = 4;
/// And from so many bytes: glibc keeps some for each thread on purpose, and giving those back gains nothing.
const KEPT_FLOOR: u64 = 4 << 20;
/// What is outside is worth a word from a third: C libraries take some in every program.
const OUTSIDE: u64 = 3;

impl About {
    /// What programs call it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            About::Live => "live",
            About::Free => "free",
            About::Outside => "outside",
            About::Nothing => "none",
        }
    }

    fn bytes(self, memory: &Figures) -> u64 {
        match self {
            About::Live => memory.live,
            About::Free => memory.free,
            About::Outside => memory.outside,
            About::Nothing => 0,
        }
    }
}

/// The sizes that decide, in bytes.
#[derive(Clone, Copy, Debug)]
struct Figures {
    live: u64,
    free: u64,
    outside: u64,
    /// Resident, without files and the agent's own.
    all: u64,
}

impl Figures {
    fn of(memory: &MemorySplit) -> Self {
        Figures {
            // Without their rounding: the same figure as in the table above the verdict, and in `growth`.
            live: memory.live,
            free: memory.free.unwrap_or(0),
            outside: memory.foreign.unwrap_or(0) + memory.unexplained,
            all: memory.resident.saturating_sub(memory.files + memory.own),
        }
    }
}

/// What grew most since the last look, or else what stands out now.
pub(crate) fn verdict(view: &mut View<'_>) -> Verdict {
    let snapshot = view.snapshot;
    let now = Figures::of(&snapshot.memory);
    let grew = snapshot.before.as_ref().and_then(|before| {
        let was = Figures::of(&before.memory);
        let ago = Duration::from_nanos(snapshot.taken_ns.saturating_sub(before.taken_ns));
        Some((grown(&was, &now)?, was, ago))
    });
    match grew {
        Some((about, was, ago)) if about != About::Free && outweighed(about, &was, &now) => {
            let grows = says_grown(about, &was, &now, ago);
            Verdict {
                about: About::Free,
                says: format!(
                    "{} Besides, {grows}",
                    says_standing(About::Free, snapshot, &now)
                ),
                next: next(About::Free, snapshot),
            }
        }
        Some((about, was, ago)) => {
            let mut verdict = Verdict {
                about,
                says: says_grown(about, &was, &now, ago),
                next: next(about, snapshot),
            };
            if about != About::Live && grew_enough(About::Live, &was, &now) {
                verdict.add_live(&says_grown(About::Live, &was, &now, ago));
            }
            if about != About::Free && is_much_free(&was) && is_much_free(&now) {
                verdict.add_free(&says_standing(About::Free, snapshot, &now));
            }
            verdict
        }
        None => {
            let about = standing(&now);
            Verdict {
                about,
                says: says_standing(about, snapshot, &now),
                next: next(about, snapshot),
            }
        }
    }
}

impl Verdict {
    /// A cache of a C library that fills up must not hide a leak beside it, which `growth` can name.
    fn add_live(&mut self, grows: &str) {
        self.says += &format!(" Besides, {grows}");
        self.next = format!("`growth` names what grew in the live heap. {}", self.next);
    }

    /// Nor must it hide what the allocator keeps.
    fn add_free(&mut self, kept: &str) {
        self.says += &format!(" Besides, {kept}");
        self.next += " What the allocator keeps goes back with malloc_trim(0), MALLOC_ARENA_MAX=2 or another allocator.";
    }
}

/// Whether what the allocator kept all the while is much more than what grew.
fn outweighed(grew: About, was: &Figures, now: &Figures) -> bool {
    /// So many times as much.
    const MUCH_MORE: u64 = 4;
    let more = grew.bytes(now).saturating_sub(grew.bytes(was));
    let stayed = now.free.min(was.free);
    is_much_free(now) && stayed / MUCH_MORE >= more
}

/// The part that grew most, if any grew by enough.
fn grown(was: &Figures, now: &Figures) -> Option<About> {
    let parts = [About::Live, About::Free, About::Outside];
    let enough = |about: &About| grew_enough(*about, was, now);
    let more = |about: &About| about.bytes(now).saturating_sub(about.bytes(was));
    parts.into_iter().filter(enough).max_by_key(more)
}

fn grew_enough(about: About, was: &Figures, now: &Figures) -> bool {
    let more = about.bytes(now).saturating_sub(about.bytes(was));
    // What is kept free comes and goes: it counts only once it is much.
    let matters = about != About::Free || is_much_free(now);
    let base = match about {
        About::Live => was.live,
        _ => was.all,
    };
    matters && more >= NOISE && more >= base / GREW
}

fn is_much_free(now: &Figures) -> bool {
    now.free >= KEPT_FLOOR && now.free >= now.all / KEPT
}

/// The largest part that stands out by itself.
fn standing(now: &Figures) -> About {
    let free = is_much_free(now).then_some(About::Free);
    let outside = now.outside >= now.all / OUTSIDE && now.outside >= KEPT_FLOOR;
    let outside = outside.then_some(About::Outside);
    let live = (now.live >= KEPT_FLOOR).then_some(About::Live);
    let large = [live, free, outside].into_iter().flatten();
    large
        .max_by_key(|about| about.bytes(now))
        .unwrap_or(About::Nothing)
}

fn says_grown(about: About, was: &Figures, now: &Figures, ago: Duration) -> String {
    let more = about.bytes(now).saturating_sub(about.bytes(was));
    let more = Value::DeltaBytes(i64::try_from(more).unwrap_or(i64::MAX));
    let (ago, now) = (Value::Span(ago), Value::Bytes(about.bytes(now)));
    match about {
        About::Live => format!("the live heap grows: {more} in {ago}, to {now}."),
        About::Free => {
            format!("the allocator keeps freed memory, and more of it: {more} in {ago}, to {now}.")
        }
        _ => format!("memory outside Rust's allocator grows: {more} in {ago}, to {now}."),
    }
}

fn says_standing(about: About, snapshot: &Snapshot, now: &Figures) -> String {
    let share = Value::Share(super::types::share(about.bytes(now), now.all));
    let bytes = Value::Bytes(about.bytes(now));
    let part = format!("{bytes}, {share} % of what is neither files nor sigheap's");
    match about {
        About::Live => format!("most is live Rust blocks: {part}."),
        About::Free => {
            let since = match &snapshot.before {
                Some(before) if is_much_free(&Figures::of(&before.memory)) => "as at the last look",
                Some(_) => "not so at the last look",
                None => "the next look tells whether it stays",
            };
            format!("the allocator keeps freed memory: {part}; {since}.")
        }
        About::Outside => format!("most is memory outside Rust's allocator: {part}."),
        About::Nothing => "nothing stands out.".to_owned(),
    }
}

/// What to do, in words that can be typed.
fn next(about: About, snapshot: &Snapshot) -> String {
    match about {
        About::Live if snapshot.before.is_some() => {
            "`growth` names the types that grew, `top` those that are large; `sites #1` then shows where they are made."
                .to_owned()
        }
        About::Live => "`top` names the types, `sites #1` shows where the first is made; the next look tells what grows \
                        (`growth`)."
            .to_owned(),
        About::Free => "It is not lost: new blocks come from it first. To give it back: malloc_trim(0) after a peak; \
                        MALLOC_ARENA_MAX=2 in the environment where many threads allocate; another allocator, as in \
                        sigheap::Heap::new(MiMalloc). What pins it are live blocks between the freed ones: \
                        `sites * --json` and `list --by age` show those that stay, which are better made before or after \
                        the large short-lived ones."
            .to_owned(),
        About::Outside => outside(snapshot),
        About::Nothing => "`top` shows what the live blocks are.".to_owned(),
    }
}

fn outside(snapshot: &Snapshot) -> String {
    let memory = &snapshot.memory;
    let mut next = String::new();
    if memory.free.is_none() {
        next += "What the program's allocator keeps free is among it: only glibc's says how much. ";
    }
    match memory.foreign {
        Some(foreign) if foreign >= memory.unexplained => {
            let foreign = Value::Bytes(foreign);
            next += &format!(
                "C code has about {foreign} of it from malloc (databases, TLS, compression: see their own limits and \
                 statistics, as sqlite3_status or cache_size for SQLite). "
            );
        }
        _ => {
            next += "Most of it is mappings: files mapped privately, buffers of libraries, other allocators, stacks that \
                     no thread stands on. ";
        }
    }
    if let Some(largest) = memory.largest_other {
        next += &format!(
            "The largest mapping without a block of the program's is {} at {}. ",
            Value::Bytes(largest.bytes),
            largest.start
        );
    }
    next + &format!(
        "`pmap -x {}` in another terminal lists all; `growth` does not see it.",
        snapshot.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Before;
    use crate::query::fixture::{Book, snapshot};

    const MIB: u64 = 1 << 20;

    /// Live, free and outside in MiB, with 10 MiB of files.
    fn memory(live: u64, free: u64, outside: u64) -> MemorySplit {
        MemorySplit {
            resident: (live + free + outside + 10) * MIB,
            live: live * MIB,
            rounding: Some(0),
            free: Some(free * MIB),
            foreign: Some(outside * MIB / 2),
            files: 10 * MIB,
            unexplained: outside * MIB / 2,
            ..MemorySplit::default()
        }
    }

    fn after(before: Option<MemorySplit>, now: MemorySplit) -> Verdict {
        let mut snapshot = snapshot();
        snapshot.memory = now;
        snapshot.before = before.map(|memory| Before {
            memory,
            taken_ns: snapshot.taken_ns - 60_000_000_000,
        });
        let mut book = Book::default();
        verdict(&mut View::new(&snapshot, &mut book, None))
    }

    #[test]
    fn what_grows_most_is_named() {
        let was = Some(memory(20, 2, 4));
        assert_eq!(after(was, memory(30, 2, 4)).about, About::Live);
        assert_eq!(after(was, memory(21, 40, 5)).about, About::Free);
        assert_eq!(after(was, memory(20, 2, 20)).about, About::Outside);
        // As the demo's `--leak fragment` with a growing cache of SQLite's beside it.
        let kept = after(Some(memory(2, 30, 2)), memory(2, 30, 4));
        assert_eq!(kept.about, About::Free);
        assert!(kept.says.contains("Besides, memory outside"), "{kept:?}");
        // Freed: what the heap loses, the allocator keeps.
        let freed = after(Some(memory(60, 2, 4)), memory(20, 42, 4));
        assert_eq!(freed.about, About::Free);
        assert!(
            freed.says.contains("+40.0 MiB in 60 s, to 42.0 MiB"),
            "{freed:?}"
        );
    }

    /// As any of the demo's leaks in its first minute, while SQLite's cache fills.
    #[test]
    fn a_leak_beside_a_larger_growth_is_named_too() {
        let both = after(Some(memory(2, 2, 4)), memory(4, 2, 14));
        assert_eq!(both.about, About::Outside);
        assert!(
            both.says.contains("Besides, the live heap grows: +2.0 MiB"),
            "{both:?}"
        );
        assert!(both.next.starts_with("`growth` names"), "{both:?}");
        let alone = after(Some(memory(2, 2, 4)), memory(2, 2, 14));
        assert!(!alone.says.contains("Besides"), "{alone:?}");
        assert!(!alone.next.contains("`growth` names"), "{alone:?}");
    }

    /// As the demo's `--leak fragment` in its first half minute.
    #[test]
    fn kept_memory_beside_a_growth_is_named_too() {
        let both = after(Some(memory(2, 30, 2)), memory(2, 30, 14));
        assert_eq!(both.about, About::Outside);
        let kept = "Besides, the allocator keeps freed memory: 30.0 MiB";
        assert!(both.says.contains(kept), "{both:?}");
        assert!(both.next.contains("malloc_trim"), "{both:?}");
        let little = after(Some(memory(2, 2, 2)), memory(2, 2, 14));
        assert!(!little.says.contains("Besides"), "{little:?}");
    }

    #[test]
    fn without_growth_what_is_large_is_named() {
        for before in [None, Some(memory(20, 100, 4))] {
            let verdict = after(before, memory(20, 100, 4));
            assert_eq!(verdict.about, About::Free);
            let stays = if before.is_some() {
                "as at the last look"
            } else {
                "the next look"
            };
            assert!(verdict.says.contains(stays), "{verdict:?}");
        }
        assert_eq!(after(None, memory(100, 10, 4)).about, About::Live);
        assert_eq!(after(None, memory(10, 1, 50)).about, About::Outside);
        // A shrinking heap is no growth.
        assert_eq!(
            after(Some(memory(90, 1, 4)), memory(50, 1, 4)).about,
            About::Live
        );
    }

    #[test]
    fn small_programs_have_no_verdict() {
        assert_eq!(after(None, memory(2, 3, 3)).about, About::Nothing);
        // A large share of little, and noise.
        let mut noise = memory(2, 2, 1);
        noise.live += NOISE / 2;
        assert_eq!(after(Some(memory(2, 2, 1)), noise).about, About::Nothing);
    }

    #[test]
    fn every_verdict_says_what_to_do() {
        for now in [
            memory(100, 1, 1),
            memory(1, 100, 1),
            memory(1, 1, 100),
            memory(1, 1, 1),
        ] {
            let verdict = after(None, now);
            assert!(verdict.next.contains('`'), "{verdict:?}");
        }
    }
}
