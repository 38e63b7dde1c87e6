//! How long a look takes, as its user sees it: `cargo build --release -p demo-server && cargo bench -p ground --bench latency`.
//!
//! A program runs under a terminal; Ctrl-\ is pressed there, and what counts is the time until the prompt stands on it, and
//! until `top` has answered. `-- NAME...` picks some programs, `--rounds N` says how many of each are started.
//!
//! The programs are the release demo server (`target/release/demo-server`) and this very one: it has the code of `ground`,
//! which with its crates and debug information makes more than 100 MB, and allocates what it is told to.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a failure is to end it"
)]
#![expect(unsafe_code, reason = "ground's code")]
#![expect(clippy::borrowed_box, reason = "ground's code")]
#![expect(clippy::useless_vec, reason = "ground's code")]

#[path = "../../ground/src/case.rs"]
#[expect(dead_code, reason = "nobody judges the types here")]
mod case;
#[path = "../../ground/src/crates.rs"]
mod crates;
#[path = "../../ground/src/idioms/mod.rs"]
mod idioms;
mod record;
mod subject;
mod terminal;
#[path = "../../ground/src/unseen/mod.rs"]
mod unseen;

use std::path::{Path, PathBuf};
use std::time::Duration;

use subject::Heap;
use terminal::Program;

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--subject", blocks, size, threads] => subject::live(&Heap {
            blocks: blocks.parse().unwrap(),
            size: size.parse().unwrap(),
            threads: threads.parse().unwrap(),
        }),
        _ => measure(&arguments),
    }
}

/// A program to look into.
struct Subject {
    name: &'static str,
    /// None: the demo server.
    heap: Option<Heap>,
    /// How many processes, and how many looks into each.
    rounds: usize,
    looks: usize,
}

const fn plain(blocks: usize, size: usize, threads: usize) -> Option<Heap> {
    Some(Heap {
        blocks,
        size,
        threads,
    })
}

const SUBJECTS: [Subject; 7] = [
    subject("demo", None, 8, 4),
    subject("100mb", plain(0, 0, 0), 6, 4),
    subject("million", plain(1_000_000, 64, 0), 4, 6),
    subject("gib", plain(1_000_000, 1024, 0), 3, 5),
    subject("8threads", plain(0, 0, 8), 2, 10),
    subject("64threads", plain(0, 0, 64), 2, 10),
    subject("512threads", plain(0, 0, 512), 2, 10),
];

const fn subject(name: &'static str, heap: Option<Heap>, rounds: usize, looks: usize) -> Subject {
    Subject {
        name,
        heap,
        rounds,
        looks,
    }
}

fn measure(arguments: &[String]) {
    let rounds = arguments.iter().position(|word| word == "--rounds");
    let rounds: Option<usize> = rounds.map(|at| arguments[at + 1].parse().expect("a number"));
    let named = |subject: &Subject| arguments.iter().any(|word| word == subject.name);
    let any = SUBJECTS.iter().any(named);
    println!("milliseconds: median / 90 % / 99 % of so many");
    println!(
        "{:<12}{:<8}{:>4}{:>26}{:>26}{:>24}",
        "program", "look", "", "key to prompt", "then `top`", "threads stopped in"
    );
    for subject in SUBJECTS.iter().filter(|one| !any || named(one)) {
        let (mut first, mut later) = (Times::default(), Times::default());
        for _ in 0..rounds.unwrap_or(subject.rounds) {
            let program = subject.start();
            look(&program, &mut first);
            (1..subject.looks).for_each(|_| look(&program, &mut later));
        }
        first.print(subject.name, "first");
        later.print("", "later");
    }
}

impl Subject {
    fn start(&self) -> Program {
        match &self.heap {
            None => Program::start(&demo(), &["--commit-every", "1s"], "Ctrl-\\"),
            Some(heap) => {
                let own = std::env::current_exe().unwrap();
                let words = [heap.blocks, heap.size, heap.threads].map(|n| n.to_string());
                let [blocks, size, threads] = &words;
                Program::start(&own, &["--subject", blocks, size, threads], subject::READY)
            }
        }
    }
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/demo-server")
}

/// Looks once, and lets the program go on for a while.
fn look(program: &Program, times: &mut Times) {
    times.prompt.push(program.press());
    times.top.push(program.command("top 10").0);
    let (_, info) = program.command("info --json");
    times.stop.push(stop(&info));
    program.resume();
}

/// How long stopping took, as `info --json` tells.
fn stop(info: &str) -> Duration {
    let (_, behind) = info.split_once(r#""stop_s":"#).expect("the time it took");
    let end = behind.find([',', '}']).unwrap();
    Duration::from_secs_f64(behind[..end].trim().parse().expect("seconds"))
}

#[derive(Default)]
struct Times {
    prompt: Vec<Duration>,
    top: Vec<Duration>,
    stop: Vec<Duration>,
}

impl Times {
    fn print(&self, name: &str, which: &str) {
        println!(
            "{name:<12}{which:<8}{:>4}{:>26}{:>26}{:>24}",
            self.prompt.len(),
            percentiles(&self.prompt, 1),
            percentiles(&self.top, 1),
            percentiles(&self.stop, 2)
        );
    }
}

fn percentiles(times: &[Duration], digits: usize) -> String {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
    let text = [50, 90, 99].map(|percent| format!("{:.digits$}", at(percent)));
    text.join(" / ")
}
