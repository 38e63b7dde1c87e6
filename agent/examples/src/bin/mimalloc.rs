//! On top of mimalloc instead of the system's allocator.
//!
//! `cargo run -p sigheap-examples --bin mimalloc`, then press Ctrl-\. Everything works as it does elsewhere, but for one figure of
//! `info`: how much freed memory mimalloc keeps is not known.

use mimalloc::MiMalloc;
use std::collections::VecDeque;
use std::thread::sleep;
use std::time::Duration;

// What it is over stands in the type and in `new`; nothing else changes.
#[global_allocator]
static HEAP: sigheap::Heap<MiMalloc> = sigheap::Heap::new(MiMalloc);

struct Order {
    number: u32,
    urgent: bool,
}

fn main() {
    sigheap::install();
    // As a program does: a backlog of fixed length, and an archive that grows.
    let mut backlog = VecDeque::new();
    let mut archive: Vec<Box<Order>> = Vec::new();
    for number in 0u32.. {
        backlog.push_back(Box::new(Order {
            number,
            urgent: number % 5 == 0,
        }));
        if backlog.len() > 1000 {
            // Urgent ones are done with; the rest is kept for ever.
            archive.extend(backlog.pop_front().filter(|order| !order.urgent));
        }
        // Said once there is something to see.
        if number == 1500 {
            println!("Press Ctrl-\\ to look into the heap, Ctrl-C to end.");
        }
        if number > 1500 {
            sleep(Duration::from_millis(5));
        }
        if number % 10_000 == 9999 {
            let last = archive.last().map_or(0, |order| order.number);
            println!("order {last} is the last of {}", archive.len());
        }
    }
}
