//! Damaged object files: whatever a file holds, `resolve` neither panics nor hangs, its memory is bounded, and what it cannot
//! read it says.
//!
//! `cargo test` tries some hundreds; `SIGHEAP_MUTATIONS=100000 cargo test --release -p sigheap --test damage -- --nocapture`
//! tries as many as it is told. A number decides each mutation, so that what is found once is found again:
//! `SIGHEAP_MUTATION=NUMBER` tries one alone.
#![expect(unsafe_code, reason = "an allocator that bounds")]
#![expect(clippy::unwrap_used, reason = "a test")]

mod bounded;
mod kinds;
#[path = "../builds/make.rs"]
mod make;
mod mutate;

use std::cell::Cell;
use std::env;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bounded::bounded;
use kinds::{Kind, kinds};
use mutate::{Random, damage};

#[global_allocator]
static ALLOCATOR: bounded::Bounded = bounded::Bounded;

/// Mutations that once went wrong: these two take the line table from the sample's only unit, which nothing told. Each is
/// tried on every kind of file.
const FOUND: &[u64] = &[19197, 52175];

/// How many are tried unless the environment says.
const USUAL: u64 = 210;

/// What came of the mutations of one kind of file.
#[derive(Debug, Default)]
struct Score {
    tried: u64,
    /// All answers were those about the whole file.
    same: u64,
    /// Some were not, and a gap said so.
    gap: u64,
    /// Some were not, and nothing said so: a letter of a name is another.
    other: u64,
    slowest: Duration,
    /// In bytes.
    largest: usize,
}

#[test]
fn damaged_files_neither_panic_nor_hang_nor_lie_about_what_is_missing() {
    let kinds = kinds();
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    let numbers: Vec<u64> = match number("SIGHEAP_MUTATION") {
        Some(one) => vec![one],
        None => {
            let all = 0..number("SIGHEAP_MUTATIONS").unwrap_or(USUAL);
            all.chain(FOUND.iter().copied()).collect()
        }
    };
    let mut failed = Vec::new();
    let loud = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    for (place, kind) in kinds.iter().enumerate() {
        let mut score = Score::default();
        for number in &numbers {
            // The usual ones are shared out among the kinds.
            if number % kinds.len() as u64 == place as u64
                || numbers.len() == 1
                || FOUND.contains(number)
            {
                failed.extend(attempt(kind, *number, &mut score));
            }
        }
        println!("{:>14}: {score:?}", kind.name);
        assert!(
            score.same < score.tried || score.tried < 10,
            "nothing was damaged"
        );
    }
    panic::set_hook(loud);
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Tries one mutation. Returns what is wrong.
fn attempt(kind: &Kind, number: u64, score: &mut Score) -> Option<String> {
    let (begun, answer) = (Instant::now(), Cell::new(None));
    let taken = bounded(|| {
        let mut bytes = kind.bytes.clone();
        damage(&mut bytes, &kind.parts, &mut Random::new(number));
        let study = catch_unwind(AssertUnwindSafe(|| kind.answers(bytes.leak())));
        // What a panic carries lies in the region, as everything else.
        answer.set(study.map_err(std::mem::forget).ok());
    });
    score.tried += 1;
    score.slowest = score.slowest.max(begun.elapsed());
    score.largest = score.largest.max(taken);
    let wrong = |what: &str| Some(format!("{} {number}: {what}", kind.name));
    let Some(found) = answer.get() else {
        return wrong("panics");
    };
    match (found.hash == kind.whole.hash, found.gaps > kind.whole.gaps) {
        (true, _) => score.same += 1,
        (false, true) => score.gap += 1,
        (false, false) => score.other += 1,
    }
    if found.described == 0 && found.gaps == 0 {
        return wrong("describes nothing, and says nothing of it");
    }
    None
}
