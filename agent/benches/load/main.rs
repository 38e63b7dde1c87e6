//! What recording costs a program, by kind of program: `cargo bench -p sigheap-load`.
//!
//! Each figure is a ratio of processor time (user and system, all threads) over the same work with the bare allocator.
//! Every run is a process of its own, runs with and without take turns, and the quietest of each counts. `-- WORK...` picks
//! some kinds, `--runs N` says how often (9 times unless told), `--over jemalloc|mimalloc` puts another allocator below.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "figures are what a benchmark is for, and a failure is to end it"
)]

mod base;
mod work;

use std::process::Command;

use work::{WORKS, Work};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--once", work, mode] => once(work, mode),
        _ => compare(&arguments),
    }
}

/// How much is recorded, as `SIGHEAP=track=` takes it, and how a program is when the agent never was on.
const MODES: [&str; 4] = ["full", "sampled:512k", "off", "never"];

fn compare(arguments: &[String]) {
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let runs: usize = after("--runs").map_or(9, |text| text.parse().unwrap());
    let over = after("--over").unwrap_or("system");
    let picked = |work: &&Work| {
        let named = WORKS
            .iter()
            .any(|work| arguments.contains(&work.name.into()));
        !named || arguments.contains(&work.name.into())
    };
    println!("processor time over that with {over}'s allocator alone; memory of the tracker");
    println!(
        "{:<9}{:>11}{:>9}{:>14}{:>8}{:>8}{:>12}",
        "", over, "full", "sampled:512k", "off", "never", "memory"
    );
    for work in WORKS.iter().filter(picked) {
        let mut best = [f64::MAX; 1 + MODES.len()];
        let mut memory = 0;
        for _ in 0..runs {
            for (index, mode) in ["bare"].iter().chain(&MODES).enumerate() {
                let (seconds, own) = run(work.name, over, mode);
                best[index] = best[index].min(seconds);
                if *mode == "full" {
                    memory = own;
                }
            }
        }
        let [bare, ratios @ ..] = best;
        let [full, sampled, off, never] = ratios.map(|seconds| seconds / bare);
        println!(
            "{:<9}{:>8.0} ms{full:>9.3}{sampled:>14.3}{off:>8.3}{never:>8.3}{:>8.1} MiB  {}",
            work.name,
            bare * 1e3,
            memory as f64 / (1 << 20) as f64,
            work.what
        );
    }
}

/// Runs one kind of work in a process of its own: seconds of processor time, and bytes of the tracker afterwards.
fn run(work: &str, over: &str, mode: &str) -> (f64, u64) {
    let own = std::env::current_exe().unwrap();
    let number = base::NAMES.iter().position(|name| *name == over).unwrap();
    let choice = number * 2 + usize::from(mode != "bare");
    let output = Command::new(own)
        .args(["--once", work, mode])
        .env(base::VARIABLE, choice.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words = text.split_whitespace();
    let mut next = || {
        words
            .next()
            .unwrap_or_else(|| panic!("{work} failed: {:?}", output.status))
    };
    (next().parse().unwrap(), next().parse().unwrap())
}

fn once(work: &str, mode: &str) {
    let work = WORKS.iter().find(|one| one.name == work).unwrap();
    match mode {
        "bare" => {}
        "never" => sigheap::internals::end(),
        mode => _ = sigheap::internals::set_mode(mode.parse().unwrap()),
    }
    let before = processor_seconds();
    (work.run)();
    let seconds = processor_seconds() - before;
    println!("{seconds} {}", sigheap::internals::stats().own_bytes);
}

#[expect(unsafe_code, reason = "the kernel is asked")]
fn processor_seconds() -> f64 {
    // SAFETY: the kernel fills the structure, of which zeros are a value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
