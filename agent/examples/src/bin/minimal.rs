//! The least that it takes: the allocator, and `install`.
//!
//! `cargo run -p sigheap-examples --bin minimal`, then press Ctrl-\. At the prompt, `top` lists what lives on the heap by
//! its type; `continue`, wait, press Ctrl-\ again, and `growth` says what was added meanwhile. `quit` ends the program.

use std::thread::sleep;
use std::time::Duration;

// Remembers every live block, and leaves the work to the system's allocator.
#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

struct Reading {
    degrees: f64,
    note: String,
}

fn main() {
    // First of all: from here on Ctrl-\ opens the prompt.
    sigheap::install();
    println!("Press Ctrl-\\ to look into the heap, Ctrl-C to end.");

    // Measures the temperature, and never forgets. `sites Reading` at the prompt names the line below.
    let mut readings: Vec<Box<Reading>> = Vec::new();
    for minute in 0u32.. {
        readings.push(Box::new(Reading {
            degrees: 20.0 + f64::from(minute % 10) / 10.0,
            note: format!("minute {minute}"),
        }));
        if minute % 600 == 599 {
            let sum: f64 = readings.iter().map(|reading| reading.degrees).sum();
            let last = readings.last().map_or("", |reading| &reading.note);
            println!(
                "{:.1} degrees on average, up to {last}",
                sum / f64::from(minute + 1)
            );
        }
        sleep(Duration::from_millis(10));
    }
}
