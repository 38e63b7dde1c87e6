//! A tokio program: tasks are blocks on the heap too, and are named after the `async fn` they run.
//!
//! `cargo run -p sigheap-examples --bin tokio`, press Ctrl-\, type `top`. Every `task poll_sensor` is a spawned future with
//! all its local variables in it. Some wait for ever: look twice, and `growth` tells them.

use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep};

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

// Not `#[tokio::main]`: install comes before the runtime and its threads.
fn main() -> std::io::Result<()> {
    sigheap::install();
    println!("Press Ctrl-\\ to look into the heap, Ctrl-C to end.");
    tokio::runtime::Runtime::new()?.block_on(poll_sensors());
    Ok(())
}

async fn poll_sensors() {
    let mut beat = interval(Duration::from_millis(20));
    // The mistake: a sensor that does not answer keeps its sender here, so the task that waits for it never learns.
    let mut silent = Vec::new();
    for sensor in 0u32.. {
        beat.tick().await;
        let (answer, answered) = oneshot::channel();
        tokio::spawn(poll_sensor(sensor, answered));
        if sensor % 10 == 0 {
            silent.push(answer);
        } else {
            // The task has gone where this fails, and nobody waits.
            let _ = answer.send(20.5);
        }
    }
}

async fn poll_sensor(sensor: u32, answered: oneshot::Receiver<f64>) {
    let history = [0.0f64; 32];
    sleep(Duration::from_millis(u64::from(sensor % 7))).await;
    if let Ok(degrees) = answered.await
        && degrees > history[0] + 50.0
    {
        println!("sensor {sensor}: {degrees} degrees");
    }
}
