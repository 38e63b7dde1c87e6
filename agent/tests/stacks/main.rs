//! Every stack that the tracker takes, compared with the one that the system's unwinder takes at the same call.
//!
//! Around [`sigheap::Heap`] stands an allocator that asks `_Unwind_Backtrace` after each call and compares all frames
//! outside itself (`compare`). They are equal, or the tracker's says what it lacks. Four threads run code of all kinds
//! (`code`, `signals`, `objects`), while two others load and unload object files. Sixty thousand stacks are compared
//! by default, as many as `SIGHEAP_CAPTURES` says otherwise. `SIGHEAP_OLD_LOADER` hides from the tracker what the loader
//! tells since glibc 2.35: then it may not follow the code of objects that were loaded late.
#![cfg(sigheap_supported)]
#![expect(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator, the system's unwinder and signal handlers are what is tested"
)]

mod code;
mod compare;
mod coroutine;
mod objects;
mod signals;

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sigheap::Heap;
use sigheap::internals::{self, Address, Site};

use compare::{CAPTURES, COUNTS, Compared, Counts, comparing};
use objects::Pair;

#[global_allocator]
static HEAP: Compared = Compared(Heap::system());

const STACKS: u64 = 60_000;
const THREADS: usize = 4;
const LOADERS: usize = 2;

/// What our stacks of a kind of code may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum May {
    /// Nothing.
    Whole,
    /// Turns of a recursion, and frames past those that are kept.
    Fold,
    /// All that is not on the page where they begin: they are on stacks that are not the thread's own.
    Break,
    /// The same, where the loader is old: they go through code that was loaded late.
    Late,
}

use May::{Break, Fold, Late, Whole};

const KINDS: [(&str, fn(), May); 15] = [
    ("collections", code::collections, Whole),
    ("futures", code::futures, Whole),
    ("threads", code::threads, Whole),
    ("panics", code::panics, Fold),
    ("callbacks through qsort", code::through_qsort, Fold),
    ("a large frame", code::large_frame, Whole),
    ("frames of any size", objects::frames_of_any_size, Late),
    ("recursion", code::recursion, Fold),
    ("mutual recursion", code::mutual_recursion, Fold),
    ("recursion without end", code::recursion_without_end, Fold),
    ("a deep stack", code::deep, Fold),
    ("signals", signals::raised, Whole),
    (
        "signals at any instruction",
        signals::at_any_instruction,
        Fold,
    ),
    ("an alternate stack", signals::on_an_alternate_stack, Break),
    ("coroutines", coroutine::run, Break),
];
/// Of what is called back from objects that come and go.
const LOADED: usize = KINDS.len();

/// Runs all kinds in turn, until so many stacks were compared, and each kind at least once.
fn work(until: u64) {
    while {
        for (number, (_, kind, _)) in KINDS.iter().enumerate() {
            comparing(number, kind);
        }
        CAPTURES.load(Ordering::Relaxed) < until
    } {}
}

fn load(name: &str, until: u64) -> usize {
    let mut pair = Pair::new(name);
    while CAPTURES.load(Ordering::Relaxed) < until || pair.in_place == 0 {
        pair.turn(LOADED);
    }
    pair.in_place
}

/// Whether the loader is as before glibc 2.35.
fn is_loader_old() -> bool {
    std::env::var_os("SIGHEAP_OLD_LOADER").is_some()
}

/// The same in a process of its own, with fewer stacks.
#[test]
fn with_an_old_loader_what_was_loaded_late_is_marked() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "every_stack_is_the_systems_or_says_what_it_lacks",
        ])
        .env("SIGHEAP_OLD_LOADER", "1")
        .env("SIGHEAP_CAPTURES", "6000")
        .status();
    assert!(status.unwrap().success());
}

/// One test a process, because what it compares is all of it.
#[test]
fn every_stack_is_the_systems_or_says_what_it_lacks() {
    let wanted = std::env::var("SIGHEAP_CAPTURES").map_or(STACKS, |text| text.parse().unwrap());
    std::panic::set_hook(Box::new(|_| {}));
    signals::install();
    if is_loader_old() {
        internals::hide_find_object();
    }
    let workers: Vec<_> = (0..THREADS)
        .map(|_| thread::spawn(move || work(wanted)))
        .collect();
    let loaders: Vec<_> = (0..LOADERS)
        .map(|number| thread::spawn(move || load(&format!("pair{number}"), wanted)))
        .collect();
    let worked = workers.into_iter().map(|thread| thread.join());
    let worked: Vec<_> = worked.collect();
    let loaded: Vec<_> = loaders.into_iter().map(|thread| thread.join()).collect();
    drop(std::panic::take_hook());
    compare::verdict().unwrap_or_else(|text| panic!("{text}"));
    for loads in loaded {
        assert!(
            loads.unwrap() > 0,
            "none was loaded where the other had been"
        );
    }
    worked.into_iter().for_each(|outcome| outcome.unwrap());
    println!("{}", report(wanted));
}

/// What comparing came to, a line for each kind.
fn report(wanted: u64) -> String {
    let names = KINDS.iter().map(|(name, _, may)| (*name, *may));
    let mut text = "    equal    folded    deep  broken\n".to_owned();
    let mut total = 0;
    for ((name, may), counts) in names.chain([("loaded code", Late)]).zip(&COUNTS) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (equal, folded) = (read(&counts.equal), read(&counts.folded));
        let (deep, broken) = (read(&counts.deep), read(&counts.broken));
        text += &format!("{equal:>9} {folded:>9} {deep:>7} {broken:>7}  {name}\n");
        total += equal + folded + deep + broken;
        assert!(equal + folded + deep + broken > 0, "none of {name}");
        // The code of a library that came late is known where the loader tells of it.
        let is_late = may == Late && is_loader_old();
        assert_eq!(broken > 0, may == Break || is_late, "{name}");
        assert!(folded + deep == 0 || may == Fold, "{name} is cut");
    }
    assert!(total >= wanted);
    text + &format!("{total} stacks, none of which differs unmarked")
}

/// The negative control: a frame that is missing, or another, or that stands in another's place.
#[test]
fn what_differs_is_noticed() {
    let judge = |tracked: &[u64], system: &[u64]| {
        let frames = tracked.iter().copied().map(Address).collect();
        let site = Site {
            frames,
            ..Site::default()
        };
        compare::judged(&Counts::default(), &site, system).is_some()
    };
    // The first of the system's is within the comparing allocator, and so are the first of ours.
    let system = [9, 1, 2, 3];
    assert!(judge(&[7, 8, 1, 2, 3], &system));
    for wrong in [
        &[7, 1, 2][..],
        &[7, 1, 2, 4],
        &[7, 1, 3, 2],
        &[7, 1, 2, 3, 3],
        &[7],
    ] {
        assert!(!judge(wrong, &system), "{wrong:?}");
    }
}
