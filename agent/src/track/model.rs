//! For tests: runs the tracker's own code in every order that its threads could come to their atomic operations in, and
//! with a signal before each of them.
//!
//! As loom does it, but over the very statics and memory that the program uses, which loom's atomics, made at run time,
//! cannot stand in. One thread runs at a time; before an operation (see `atomic`) the next is chosen, and all choices are
//! tried, depth first, that take the turn from a thread at most so many times: mistakes of orders show with two or three.
//!
//! Each load sees the newest value. That it may be seen, and what was written before it, is followed by clocks: a thread
//! [knows](knows) of a [moment](moment) of another if a release of that came after it, and an acquire of its own after that.
//! What Miri tells of reordered operations it tells of one order at a time; this tells it of all.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, scope};

/// A thread of the model's: it gets what the threads share.
pub(super) type Thread<'a, S> = &'a (dyn Fn(&S) + Sync);

/// Runs the threads over what `make` makes for them, in every order with so many turns taken away, and `after` at the end
/// of each. Says in how many orders. Panics where one of them does.
pub(super) fn explore<S: Sync>(
    turns: u32,
    make: impl Fn() -> S + Sync,
    threads: &[Thread<'_, S>],
    after: impl Fn(&S) + Sync,
) -> u32 {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut path, part) = (Vec::new(), WITHOUT.get());
    for run in 1.. {
        *world() = World::new(turns, threads.len(), path, part);
        // What is shared may be large, and is made on the stack.
        let outcome = scope(|scope| {
            let one = || run_once(&make, threads, &after);
            let thread = Builder::new().stack_size(32 << 20);
            thread.spawn_scoped(scope, one).expect("a thread").join()
        });
        path = std::mem::take(&mut world().path);
        assert!(outcome.is_ok(), "in order {run}: {path:?}");
        while path.pop_if(|last| last.taken + 1 == last.of).is_some() {}
        match path.last_mut() {
            Some(last) => last.taken += 1,
            None => return run,
        }
    }
    unreachable!("there is an end to orders")
}

fn run_once<S: Sync>(make: &impl Fn() -> S, threads: &[Thread<'_, S>], after: &impl Fn(&S)) {
    let shared = make();
    let run = |number: usize| {
        ME.set(Some(number));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            wait_for_turn(number);
            threads[number](&shared);
        }));
        ME.set(None);
        world().end(number);
        CHANGED.notify_all();
        outcome
    };
    let outcomes: Vec<_> = scope(|scope| {
        let spawn = |number| scope.spawn(move || run(number));
        let threads: Vec<_> = (0..threads.len()).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    for outcome in outcomes {
        if let Err(panic) = outcome.and_then(|outcome| outcome) {
            resume_unwind(panic);
        }
    }
    after(&shared);
}

/// Which part of the orderings is taken away, for the negative controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    Acquire,
    Release,
}

/// Whether `what` finds something wrong, once with no acquire done and once with no release.
pub(super) fn fails_without_its_orderings(what: impl Fn()) -> bool {
    [Without::Acquire, Without::Release]
        .into_iter()
        .all(|part| {
            WITHOUT.set(part);
            let outcome = catch_unwind(AssertUnwindSafe(&what));
            WITHOUT.set(Without::Nothing);
            outcome.is_err()
        })
}

/// A point in the life of a thread of the model's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    thread: usize,
    time: u32,
}

/// This moment.
pub(super) fn moment() -> Moment {
    let thread = ME.get().expect("in a thread of the model's");
    let mut world = world();
    // Nobody knows of it yet.
    world.clocks[thread][thread] += 1;
    let time = world.clocks[thread][thread];
    Moment { thread, time }
}

/// Whether what a thread did until a moment is visible to this thread for sure.
pub(super) fn knows(moment: Moment) -> bool {
    let me = ME.get().expect("in a thread of the model's");
    world().clocks[me][moment.thread] >= moment.time
}

/// Runs `work`, and `handler` in the midst of it: before the atomic operation of that number. Says whether it has so many.
pub(super) fn interrupted(operation: u32, handler: fn(), work: impl FnOnce()) -> bool {
    SIGNAL.set(Some((operation, handler)));
    work();
    SIGNAL.take().is_none()
}

/// Fails if this thread goes on for more operations than these: it waits for what nobody will do.
pub(super) fn bounded<T>(operations: u32, what: impl FnOnce() -> T) -> T {
    LEFT.set(Some(operations));
    let answer = what();
    LEFT.set(None);
    answer
}

type Signal = Option<(u32, fn())>;

thread_local! {
    /// Its number, of a thread of the model's.
    static ME: Cell<Option<usize>> = const { Cell::new(None) };
    /// Operations until the signal comes, and its handler.
    static SIGNAL: Cell<Signal> = const { Cell::new(None) };
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    static WITHOUT: Cell<Without> = const { Cell::new(Without::Nothing) };
}

/// An operation comes next.
pub(super) fn step() {
    match LEFT.get() {
        Some(0) => {
            LEFT.set(None);
            panic!("it waits for ever");
        }
        Some(left) => LEFT.set(Some(left - 1)),
        None => {}
    }
    match SIGNAL.get() {
        Some((0, handler)) => {
            SIGNAL.set(None);
            handler();
        }
        Some((before, handler)) => SIGNAL.set(Some((before - 1, handler))),
        None => {}
    }
    let Some(me) = ME.get() else { return };
    let goes = world().goes_to_another(me);
    if goes {
        CHANGED.notify_all();
        wait_for_turn(me);
    }
}

pub(super) fn has_read(place: usize, order: Ordering) {
    if let Some(me) = ME.get() {
        world().read(me, place, order);
    }
}

pub(super) fn has_written(place: usize, order: Ordering) {
    if let Some(me) = ME.get() {
        let mut world = world();
        world.released.remove(&place);
        world.write(me, place, order);
    }
}

/// Read and written in one.
pub(super) fn has_changed(place: usize, order: Ordering) {
    if let Some(me) = ME.get() {
        let mut world = world();
        world.read(me, place, order);
        world.write(me, place, order);
    }
}

static WORLD: Mutex<World> = Mutex::new(World::empty());
static CHANGED: Condvar = Condvar::new();

fn world() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for_turn(me: usize) {
    let mut world = world();
    while world.turn != me {
        world = CHANGED.wait(world).unwrap_or_else(PoisonError::into_inner);
    }
}

/// How far each thread has come, as far as one of them knows.
type Clock = Vec<u32>;

#[derive(Debug)]
struct World {
    /// Whose turn it is.
    turn: usize,
    /// How often a turn may still be taken away.
    turns: u32,
    without: Without,
    lives: Vec<bool>,
    /// The choices of this order, and how many of them were made.
    path: Vec<Choice>,
    made: usize,
    clocks: Vec<Clock>,
    /// What an acquire of a place brings.
    released: BTreeMap<usize, Clock>,
}

/// One of the threads that could go on.
#[derive(Clone, Copy, Debug)]
struct Choice {
    taken: usize,
    of: usize,
}

impl World {
    const fn empty() -> World {
        World {
            turn: 0,
            turns: 0,
            without: Without::Nothing,
            lives: Vec::new(),
            path: Vec::new(),
            made: 0,
            clocks: Vec::new(),
            released: BTreeMap::new(),
        }
    }

    fn new(turns: u32, threads: usize, path: Vec<Choice>, without: Without) -> World {
        World {
            turns,
            without,
            lives: vec![true; threads],
            path,
            clocks: vec![vec![0; threads]; threads],
            ..World::empty()
        }
    }

    /// One of these, as the path says, or the first where it says nothing yet.
    fn choose(&mut self, threads: &[usize]) -> usize {
        if threads.len() == 1 {
            return threads[0];
        }
        if self.made == self.path.len() {
            self.path.push(Choice {
                taken: 0,
                of: threads.len(),
            });
        }
        let choice = self.path[self.made];
        assert_eq!(choice.of, threads.len(), "an order did not come again");
        self.made += 1;
        threads[choice.taken]
    }

    /// The thread whose turn it is comes to an operation. Says whether others come first.
    fn goes_to_another(&mut self, me: usize) -> bool {
        self.clocks[me][me] += 1;
        if self.turns == 0 {
            return false;
        }
        let others = (0..self.lives.len()).filter(|&other| other != me && self.lives[other]);
        let all: Vec<usize> = [me].into_iter().chain(others).collect();
        self.turn = self.choose(&all);
        self.turns -= u32::from(self.turn != me);
        self.turn != me
    }

    fn end(&mut self, me: usize) {
        self.lives[me] = false;
        let left: Vec<usize> = (0..self.lives.len())
            .filter(|&one| self.lives[one])
            .collect();
        if !left.is_empty() {
            self.turn = self.choose(&left);
        }
    }

    fn read(&mut self, me: usize, place: usize, order: Ordering) {
        let acquires = matches!(
            order,
            Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst
        );
        if let Some(released) = self.released.get(&place)
            && acquires
            && self.without != Without::Acquire
        {
            join(&mut self.clocks[me], released);
        }
    }

    /// Of one that reads as well, what was released before stays so.
    fn write(&mut self, me: usize, place: usize, order: Ordering) {
        let releases = matches!(
            order,
            Ordering::Release | Ordering::AcqRel | Ordering::SeqCst
        );
        if releases && self.without != Without::Release {
            let released = self.released.entry(place).or_default();
            released.resize(self.lives.len(), 0);
            join(released, &self.clocks[me]);
        }
    }
}

fn join(clock: &mut Clock, with: &Clock) {
    for (mine, theirs) in clock.iter_mut().zip(with) {
        *mine = (*mine).max(*theirs);
    }
}

mod tests {
    use super::super::atomic::{AtomicBool, AtomicU32};
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "there the atomics are the standard library's")]
    fn an_update_in_two_steps_is_lost_in_some_order() {
        let add = |sum: &AtomicU32| {
            let before = sum.load(Ordering::Relaxed);
            sum.store(before + 1, Ordering::Relaxed);
        };
        let lost = AtomicU32::new(0);
        let after = |sum: &AtomicU32| {
            if sum.load(Ordering::Relaxed) == 1 {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        };
        let orders = explore(2, || AtomicU32::new(0), &[&add, &add], after);
        let lost = lost.load(Ordering::Relaxed);
        assert!(0 < lost && lost < orders, "{lost} of {orders}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "there the atomics are the standard library's")]
    fn what_is_released_is_known_to_whoever_acquires_it() {
        type Shared = (AtomicBool, Mutex<Option<Moment>>);
        let hand_over = |order| {
            let give = move |(flag, when): &Shared| {
                *when.lock().unwrap() = Some(moment());
                flag.store(true, order);
            };
            let take = |(flag, when): &Shared| {
                if flag.load(Ordering::Acquire) {
                    assert!(knows(when.lock().unwrap().unwrap()));
                }
            };
            explore(
                2,
                || (AtomicBool::new(false), Mutex::default()),
                &[&give, &take],
                |_| {},
            );
        };
        hand_over(Ordering::Release);
        assert!(catch_unwind(|| hand_over(Ordering::Relaxed)).is_err());
        assert!(fails_without_its_orderings(|| hand_over(Ordering::Release)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "there the atomics are the standard library's")]
    fn a_signal_comes_before_each_operation() {
        thread_local! {
            static SEEN: Cell<u32> = const { Cell::new(0) };
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let work = || {
            for _ in 0..5 {
                COUNT.fetch_add(1, Ordering::Relaxed);
            }
        };
        let look = || SEEN.set(COUNT.load(Ordering::Relaxed));
        for operation in 0..5 {
            COUNT.store(0, Ordering::Relaxed);
            assert!(interrupted(operation, look, work));
            assert_eq!(SEEN.get(), operation);
        }
        assert!(!interrupted(5, look, work));
    }

    #[test]
    #[should_panic(expected = "it waits for ever")]
    #[cfg_attr(miri, ignore = "there the atomics are the standard library's")]
    fn a_wait_for_nobody_is_cut() {
        static HELD: AtomicBool = AtomicBool::new(true);
        bounded(1000, || while HELD.swap(true, Ordering::Acquire) {});
    }
}
