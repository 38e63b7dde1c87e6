//! The world stopped and let go, over and over, while sixteen threads do what threads do: nothing of theirs is lost.
//!
//! A thousand times by default, as many as `SIGHEAP_CYCLES` says otherwise. Between two stops every thread has to get on,
//! so that a lost wake-up is noticed, and what they hand each other is added up at the end.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::Write;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sigheap::internals::{self, Pause, arena};

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

const CYCLES: u32 = 1000;
const THREADS: usize = 16;
/// How long a thread may take to get on, on a busy machine, before it counts as lost.
const DEADLINE: Duration = Duration::from_secs(60);

static DONE: AtomicBool = AtomicBool::new(false);
/// Rounds that each thread has made.
static ROUNDS: [AtomicU64; THREADS] = [const { AtomicU64::new(0) }; THREADS];

/// Runs one round after the other until the end; a round that is cut short fails the test.
fn keep(number: usize, mut round: impl FnMut() + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || {
        while !DONE.load(Ordering::Relaxed) {
            round();
            ROUNDS[number].fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// Blocks go from one thread to another, which frees them. Both add up what is in them.
fn sender(number: usize, to: SyncSender<Vec<u64>>, sum: Arc<AtomicU64>) -> JoinHandle<()> {
    let mut next = 0u64;
    keep(number, move || {
        next += 1;
        let mut block: Vec<u64> = (next..next + next % 90).collect();
        block.extend([next; 7]);
        sum.fetch_add(block.iter().sum(), Ordering::Relaxed);
        to.send(block).unwrap();
    })
}

fn receiver(number: usize, from: Receiver<Vec<u64>>, sum: Arc<AtomicU64>) -> JoinHandle<()> {
    thread::spawn(move || {
        for block in from {
            sum.fetch_add(block.iter().sum(), Ordering::Relaxed);
            ROUNDS[number].fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// Threads that live for a moment.
fn spawner(number: usize) -> JoinHandle<()> {
    keep(number, move || {
        let words = thread::spawn(|| vec!["spawned".to_owned(); 20].concat())
            .join()
            .unwrap();
        assert_eq!(words.len(), 140);
    })
}

/// A wait that nobody ends.
fn waiter(number: usize) -> JoinHandle<()> {
    let (_nobody, never) = channel::<()>();
    keep(number, move || {
        let _open = &_nobody;
        let began = Instant::now();
        let ended = never.recv_timeout(Duration::from_millis(2));
        assert_eq!(ended, Err(RecvTimeoutError::Timeout));
        assert!(
            began.elapsed() >= Duration::from_millis(2),
            "it is no shorter"
        );
    })
}

/// A log that all write to, a line at a time.
fn logger(number: usize, log: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    keep(number, move || {
        let mut log = log.lock().unwrap();
        if log.len() > 1 << 20 {
            log.clear();
        }
        writeln!(log, "thread {number} was here").unwrap();
        assert!(log.ends_with(b" was here\n"));
    })
}

fn panicker(number: usize) -> JoinHandle<()> {
    keep(number, move || {
        let caught = catch_unwind(|| std::panic::resume_unwind(Box::new(vec![number; 30])));
        let payload = caught.unwrap_err().downcast::<Vec<usize>>().unwrap();
        assert_eq!(payload.iter().sum::<usize>(), number * 30);
    })
}

/// Two that wait for each other, round by round. They end together.
fn meeting(number: usize, barrier: Arc<Barrier>) -> JoinHandle<()> {
    static OVER: AtomicBool = AtomicBool::new(false);
    thread::spawn(move || {
        loop {
            if barrier.wait().is_leader() {
                OVER.store(DONE.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            barrier.wait();
            if OVER.load(Ordering::SeqCst) {
                return;
            }
            ROUNDS[number].fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// Stops the world and lets it go. Between, nobody gets on.
fn cycle(generation: u32) {
    let rounds = || {
        ROUNDS
            .each_ref()
            .map(|rounds| rounds.load(Ordering::SeqCst))
    };
    let _arena = arena::enter();
    let pause = Pause::begin(generation, DEADLINE).unwrap();
    let late: Vec<_> = pause
        .threads()
        .into_iter()
        .filter(|thread| thread.stopped.is_err() && !is_ending(thread))
        .collect();
    assert!(late.is_empty(), "{late:?}");
    let before = rounds();
    thread::yield_now();
    assert_eq!(
        before,
        rounds(),
        "somebody got on while the world stood still"
    );
    drop(pause);
}

fn is_ending(thread: &internals::Thread) -> bool {
    thread
        .stopped
        .as_ref()
        .is_err_and(|why| why == "it is ending")
}

/// Waits until every thread has made a round since.
fn all_get_on(before: &[u64; THREADS], cycle: u32) {
    let until = Instant::now() + DEADLINE;
    for (number, before) in before.iter().enumerate() {
        while ROUNDS[number].load(Ordering::SeqCst) <= *before {
            assert!(
                Instant::now() < until,
                "thread {number} is lost after stop {cycle}"
            );
            thread::sleep(Duration::from_micros(50));
        }
    }
}

#[test]
fn nothing_is_lost_however_often_the_world_is_stopped() {
    arena::reserve().unwrap();
    internals::prepare_to_stop().unwrap();
    let (sent, received) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (log, barrier) = (Arc::default(), Arc::new(Barrier::new(2)));
    let mut threads = Vec::new();
    for pair in 0..3 {
        let (to, from) = sync_channel(100);
        threads.push(sender(2 * pair, to, sent.clone()));
        threads.push(receiver(2 * pair + 1, from, received.clone()));
    }
    threads.extend([6, 7].map(spawner));
    threads.extend([8, 9].map(waiter));
    threads.extend([10, 11].map(|number| logger(number, Arc::clone(&log))));
    threads.extend([12, 13].map(panicker));
    threads.extend([14, 15].map(|number| meeting(number, Arc::clone(&barrier))));
    let cycles = std::env::var("SIGHEAP_CYCLES").map_or(CYCLES, |text| text.parse().unwrap());
    for number in 1..=cycles {
        let before = ROUNDS
            .each_ref()
            .map(|rounds| rounds.load(Ordering::SeqCst));
        cycle(number);
        all_get_on(&before, number);
    }
    DONE.store(true, Ordering::SeqCst);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(sent.load(Ordering::SeqCst), received.load(Ordering::SeqCst));
}
