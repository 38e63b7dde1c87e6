//! Threads: many, short, and freeing what others allocated.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use super::Dice;

/// One thread allocates, another frees.
pub(super) fn remote() {
    let (send, receive) = mpsc::sync_channel::<Vec<Box<[u8]>>>(16);
    let freeing =
        thread::spawn(move || receive.into_iter().map(|batch| batch.len()).sum::<usize>());
    let mut dice = Dice::new(11);
    for _ in 0..30_000 {
        let batch = (0..64).map(|_| vec![0u8; 16 + dice.roll(200) as usize].into_boxed_slice());
        if send.send(batch.collect()).is_err() {
            break;
        }
    }
    drop(send);
    black_box(freeing.join().ok());
}

/// Two thousand threads, two at a time, each of a millisecond's work.
pub(super) fn brief() {
    for number in 0..1000 {
        let spawn = |number| thread::spawn(move || fill(number, 3_000));
        let both = [spawn(number), spawn(number + 1)];
        both.into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// The same work on so many threads.
pub(super) fn maps(threads: u64) {
    let spawn = |number| thread::spawn(move || fill(number, 2_400_000 / threads));
    let all: Vec<_> = (0..threads).map(spawn).collect();
    all.into_iter().for_each(|thread| drop(thread.join()));
}

/// A map of strings in which entries come and go.
fn fill(seed: u64, rounds: u64) {
    let mut dice = Dice::new(seed + 13);
    let mut map = BTreeMap::new();
    for round in 0..rounds {
        let key = dice.roll(500).to_string();
        if round % 3 == 0 {
            map.remove(&key);
        } else {
            map.insert(key, vec![round; dice.roll(12) as usize + 1]);
        }
    }
    black_box(map.len());
}
