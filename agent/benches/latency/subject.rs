//! The program looked into: a large binary with many types, and a heap of the size wished for.

use std::thread;
use std::time::Duration;

use crate::{crates, idioms, unseen};

/// What it says when it can be looked into.
pub(crate) const READY: &str = "ready to be looked into";

/// What it has besides the blocks of `ground`.
pub(crate) struct Heap {
    pub(crate) blocks: usize,
    /// Bytes of each.
    pub(crate) size: usize,
    /// Threads that wait.
    pub(crate) threads: usize,
}

/// Allocates, says so, and does nothing any more.
pub(crate) fn live(heap: &Heap) -> ! {
    let agent = sigheap::install();
    assert!(agent.is_active(), "the agent is not active");
    let mut cases = Vec::new();
    idioms::all(&mut cases);
    crates::all(&mut cases);
    unseen::all(&mut cases);
    // Every byte is written: memory that nobody touched costs nothing to copy.
    let blocks: Vec<Vec<u8>> = (0..heap.blocks).map(|_| vec![1; heap.size]).collect();
    for _ in 0..heap.threads {
        thread::spawn(wait);
    }
    println!("{READY}: {} idioms, {} blocks", cases.len(), blocks.len());
    wait()
}

fn wait() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}
