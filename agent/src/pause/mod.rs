//! Stop every thread; resume on drop. Runs in the agent's thread, allocates in its arena, takes no lock.
//!
//! Threads appear while others are being stopped, so the list is read again until it holds nobody new. A thread that
//! cannot be stopped by the deadline is named and left running: the rest of the heap still stands still.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::heap::{Doing, Registers, Site, Thread};
use crate::os::{process, stop, threads};

/// All threads of the program but this one, stopped. Dropping it lets them go on.
#[derive(Debug)]
pub struct Pause {
    generation: u32,
    threads: Vec<Found>,
    /// How long it took to stop them.
    pub took: Duration,
}

impl Pause {
    /// Stops all other threads. `generation` must be larger than at any pause before; those who have not stopped after
    /// `deadline` are left out.
    pub fn begin(generation: u32, deadline: Duration) -> std::io::Result<Pause> {
        if !stop::is_installed() {
            let why = format!("signal {} has another handler by now", stop::signal());
            return Err(std::io::Error::other(why));
        }
        let began = process::now_ns();
        let elapsed = || Duration::from_nanos(process::now_ns() - began);
        let mut pause = Pause {
            generation,
            threads: Vec::new(),
            took: Duration::ZERO,
        };
        while pause.ask_new_threads()? {
            pause.wait_until(|| elapsed() >= deadline);
            // Threads that cannot be stopped may go on making others for ever.
            if elapsed() >= deadline {
                break;
            }
        }
        pause.took = elapsed();
        Ok(pause)
    }

    /// The threads, by their names, with why one did not stop.
    pub fn threads(&self) -> Vec<Thread> {
        self.threads
            .iter()
            .filter(|found| found.state != State::Gone)
            .map(|found| found.describe(self.generation))
            .collect()
    }

    /// The registers of the stopped threads, by their ids.
    pub fn registers(&self) -> Vec<(u32, Registers)> {
        let stopped = self
            .slots()
            .filter(|(slot, _)| stop::stopped(*slot, self.generation));
        stopped
            .map(|(slot, tid)| (tid, stop::registers(slot)))
            .collect()
    }

    /// The signals that a thread blocked where it stopped, a bit each. None for one that runs.
    pub(crate) fn mask_of(&self, tid: u32) -> Option<u64> {
        let (slot, _) = self.slots().find(|(_, other)| *other == tid)?;
        stop::stopped(slot, self.generation).then(|| stop::mask(slot))
    }

    /// Asks every thread that was not asked before. False when there was none.
    fn ask_new_threads(&mut self) -> std::io::Result<bool> {
        let (me, before) = (process::tid(), self.threads.len());
        threads::each(|tid| {
            if tid != me && !self.threads.iter().any(|found| found.tid == tid) {
                self.threads.push(Found {
                    tid,
                    slot: self.threads.len(),
                    state: State::Unasked,
                });
            }
        })?;
        Ok(self.threads.len() > before)
    }

    /// Waits until everybody known has stopped or is explained, or `late` says that time is up.
    fn wait_until(&mut self, late: impl Fn() -> bool) {
        let mut round = 0u32;
        loop {
            let seen = stop::stops();
            let look_closer = round % ROUNDS_BETWEEN_CHECKS == ROUNDS_BETWEEN_CHECKS - 1;
            let generation = self.generation;
            let waiting = self
                .threads
                .iter_mut()
                .filter_map(|found| found.still_runs(generation, look_closer).then_some(()))
                .count();
            if waiting == 0 || late() {
                return;
            }
            stop::wait_for_more(seen, ROUND);
            round = round.wrapping_add(1);
        }
    }

    fn slots(&self) -> impl Iterator<Item = (usize, u32)> {
        self.threads.iter().map(|found| (found.slot, found.tid))
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let deaf = self
            .threads
            .iter()
            .filter(|found| found.may_be_deaf(self.generation));
        remember_deaf(deaf.map(|found| found.tid));
        stop::go(self.generation);
    }
}

/// How long one wait for a thread to stop lasts, and after how many a thread that still runs is looked up in /proc.
const ROUND: Duration = Duration::from_micros(500);
const ROUNDS_BETWEEN_CHECKS: u32 = 4;

/// The threads that did not stop when they were last asked. The agent's thread alone pauses, so nobody who is frozen
/// holds it.
static DEAF: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn was_deaf(tid: u32) -> bool {
    DEAF.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&tid)
}

fn remember_deaf(tids: impl Iterator<Item = u32>) {
    let mut deaf = DEAF.lock().unwrap_or_else(PoisonError::into_inner);
    deaf.clear();
    deaf.extend(tids);
}

#[derive(Debug)]
struct Found {
    tid: u32,
    slot: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unasked,
    Asked,
    Gone,
    NoRoom,
    HandlerGone,
    /// It was asked at a pause before this one, and still has that signal waiting.
    Deaf,
}

impl Found {
    /// Asks it if it was not asked yet; true while there is reason to wait for it.
    fn still_runs(&mut self, generation: u32, look_closer: bool) -> bool {
        if self.state == State::Unasked && was_deaf(self.tid) && self.still_is_deaf() {
            self.state = State::Deaf;
        }
        if self.state == State::Unasked {
            self.state = match stop::ask(self.tid, self.slot, generation) {
                Ok(()) => State::Asked,
                Err(stop::Refused::Gone) => State::Gone,
                Err(stop::Refused::QueueFull) => State::Unasked,
                Err(stop::Refused::NoRoom) => State::NoRoom,
                Err(stop::Refused::HandlerGone) => State::HandlerGone,
            };
        }
        let runs = matches!(self.state, State::Asked | State::Unasked)
            && !stop::stopped(self.slot, generation);
        if runs && look_closer && self.has_ended() {
            self.state = State::Gone;
            return false;
        }
        runs
    }

    /// Whether it was asked and has not stopped.
    fn may_be_deaf(&self, generation: u32) -> bool {
        matches!(self.state, State::Asked | State::Deaf) && !stop::stopped(self.slot, generation)
    }

    /// Whether a stop signal waits for it, which it blocks. Another would only lengthen the queue.
    fn still_is_deaf(&self) -> bool {
        let status = status(self.tid).unwrap_or_default();
        ["SigPnd:", "SigBlk:"].iter().all(|key| {
            let mask = u64::from_str_radix(field(&status, key), 16).unwrap_or(0);
            mask >> (stop::signal() - 1) & 1 == 1
        })
    }

    fn has_ended(&self) -> bool {
        status(self.tid).is_none_or(|status| {
            matches!(field(&status, "State:").bytes().next(), Some(b'Z' | b'X'))
        })
    }

    fn describe(&self, generation: u32) -> Thread {
        let stopped = if stop::stopped(self.slot, generation) {
            Ok(())
        } else {
            Err(self.why_not())
        };
        Thread {
            tid: self.tid,
            name: name(self.tid),
            stopped,
            doing: Doing::Unknown,
            stack: Site::default(),
            stack_at: Vec::new(),
        }
    }

    fn why_not(&self) -> String {
        let Some(status) = status(self.tid) else {
            return "it is ending".into();
        };
        let blocked = u64::from_str_radix(field(&status, "SigBlk:"), 16).unwrap_or(0);
        let why = match (self.state, field(&status, "State:").bytes().next()) {
            (State::HandlerGone, _) => "the signal that stops threads has another handler by now",
            (State::NoRoom, _) => "there are more threads than can be stopped",
            (State::Unasked, _) => "the queue of pending signals is full (ulimit -i)",
            (_, Some(b'D')) => "it is in an uninterruptible system call",
            _ if blocked >> (stop::signal() - 1) & 1 == 1 => {
                "it blocks the signal that stops threads"
            }
            _ => "it did not answer in time",
        };
        why.into()
    }
}

fn name(tid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default();
    name.trim_end().to_string()
}

fn status(tid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/task/{tid}/status")).ok()
}

fn field<'a>(status: &'a str, key: &str) -> &'a str {
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map_or("", str::trim)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

    use super::*;

    /// These tests stop the whole process.
    static ALONE: Mutex<()> = Mutex::new(());
    /// Their generations, which only grow.
    static NEXT: AtomicU32 = AtomicU32::new(1);

    /// Threads that count stand still between two readings while paused, and not otherwise.
    #[test]
    fn threads_stand_still_until_dropped() {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        static DONE: AtomicBool = AtomicBool::new(false);
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        stop::install(|| false).unwrap();
        let busy: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    while !DONE.load(Ordering::Relaxed) {
                        COUNT.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let moved = |during: Duration| {
            let before = COUNT.load(Ordering::SeqCst);
            stop::wait_for_more(stop::stops(), during);
            COUNT.load(Ordering::SeqCst) != before
        };
        let first = NEXT.fetch_add(20, Ordering::SeqCst);
        for generation in first..first + 20 {
            let pause = Pause::begin(generation, Duration::from_secs(5)).unwrap();
            assert!(
                pause
                    .threads()
                    .iter()
                    .filter(|thread| thread.stopped.is_ok())
                    .count()
                    >= 4
            );
            assert!(!moved(Duration::from_millis(5)));
            drop(pause);
        }
        assert!(moved(Duration::from_millis(200)));
        DONE.store(true, Ordering::Relaxed);
        busy.into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// Asked while it stood in the handler of the stop signal, it seemed to block every signal.
    #[test]
    fn a_stopped_threads_mask_is_its_own() {
        const MASK: u64 = 1 << (libc::SIGUSR1 - 1);
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        stop::install(|| false).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            process::block_only(MASK);
            tell.send(process::tid()).unwrap();
            let _ = ended.recv();
        });
        let tid = told.recv().unwrap();
        let generation = NEXT.fetch_add(1, Ordering::SeqCst);
        let pause = Pause::begin(generation, Duration::from_secs(5)).unwrap();
        assert_eq!(pause.mask_of(tid), Some(MASK));
        assert_eq!(pause.mask_of(process::tid()), None, "it runs");
        drop((pause, end));
        thread.join().unwrap();
    }

    /// A thread that blocks the signal collected one for each pause.
    #[test]
    fn a_deaf_thread_is_asked_once() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        stop::install(|| false).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let deaf = std::thread::spawn(move || {
            // For ever: it would stop, and nobody is there to let it go on.
            std::mem::forget(process::Deaf::to_all(&[]));
            tell.send(process::tid()).unwrap();
            let _ = ended.recv();
        });
        let mut found = Found {
            tid: told.recv().unwrap(),
            slot: 1000,
            state: State::Unasked,
        };
        assert!(found.still_runs(1000, false) && found.state == State::Asked);
        remember_deaf([found.tid].into_iter());
        found.state = State::Unasked;
        assert!(!found.still_runs(1001, false) && found.state == State::Deaf);
        assert_eq!(found.why_not(), "it blocks the signal that stops threads");
        drop(end);
        deaf.join().unwrap();
    }
}
