//! A real little server with a leak, to press Ctrl-\ in.
//!
//! The way of the data:
//!
//! ```text
//! input (generate | - | FILE | follow | TCP) -> lines -> ingest -> combined -> sessions -> writer -> store
//!                                                                        \-> visits, most of the leaks
//! ```
//!
//! - [`options`]: the command line.
//! - [`input`]: the sources; [`lines`] puts their bytes together, [`generate`] makes some up, [`follow`] reads a log that
//!   is still being written.
//! - [`ingest`]: each line through [`combined`] into its client's session and into a row.
//! - [`sessions`]: the LRU, which is meant to be bounded; [`visits`]: what is told of a session's end, and what is not.
//! - [`leaks`]: what goes wrong, by name. It goes wrong in [`cache`], [`clients`], [`farewell`], [`trouble`], [`seconds`]
//!   and [`advice`].
//! - [`writer`]: the thread that owns [`store`].

mod advice;
mod cache;
mod clients;
mod combined;
mod farewell;
mod follow;
mod generate;
mod ingest;
mod input;
mod leaks;
mod lines;
mod moment;
mod options;
mod seconds;
mod sessions;
mod store;
mod trouble;
mod visits;
mod writer;

use options::{Asked, Options};
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::info;

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

/// The entities of all visits.
static CACHE: cache::Cache = cache::Cache::new();

/// The visits that have ended.
static ENDED: farewell::Ended = farewell::Ended::new();

/// Lines between a source and the sessions; a source that is faster waits.
const LINES_IN_FLIGHT: usize = 1024;

/// Exit status of a command line that makes no sense.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    log_to_stderr();
    let agent = sigheap::install();
    agent.command("cache", "how full the index of visits is", |_, out| {
        writeln!(out, "{} visits in the index", CACHE.len())
    });
    match options::parse(std::env::args_os().skip(1)) {
        Ok(Asked::Help) => say(io::stdout(), options::HELP, ExitCode::SUCCESS),
        Ok(Asked::Run(options)) => run(&options, agent),
        Err(error) => {
            let text = format!("demo-server: {error}\nTry: demo-server --help\n");
            say(io::stderr(), &text, ExitCode::from(MISUSED))
        }
    }
}

fn run(options: &Options, agent: sigheap::Agent) -> ExitCode {
    match serve(options, agent) {
        Ok(()) => {
            info!("ended");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{}", writer::in_full(&*error));
            ExitCode::FAILURE
        }
    }
}

fn serve(options: &Options, agent: sigheap::Agent) -> Result<(), Box<dyn Error>> {
    let writer = writer::Writer::start(store::Store::open(&options.db)?)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(until_told_to_stop(options, agent, writer));
    // A client's task may be anywhere, and nothing that matters is left to it.
    runtime.shutdown_background();
    result
}

async fn until_told_to_stop(
    options: &Options,
    agent: sigheap::Agent,
    writer: writer::Writer,
) -> Result<(), Box<dyn Error>> {
    let stop = stop_signal()?;
    let (sender, lines) = mpsc::channel(LINES_IN_FLIGHT);
    input::start(&options.source, sender)
        .await
        .map_err(|error| format!("cannot read {}: {error}", options.source))?;
    announce(options, agent);
    let visits = visits::Visits::new(&CACHE, &ENDED, options.leaks);
    let seconds = seconds::Seconds::new(options.leaks.has(leaks::Leak::Spare));
    let ingest = ingest::Ingest::new(options.sessions, visits, seconds, writer);
    Ok(ingest.run(lines, options.commit_every, stop).await?)
}

fn announce(options: &Options, agent: sigheap::Agent) {
    let pid = std::process::id();
    info!(
        pid,
        leak = %options.leaks,
        db = %options.db.display(),
        commit_every = ?options.commit_every,
        sessions = options.sessions,
        "reading {}",
        options.source
    );
    // Nothing opens it where the agent is off or could not be installed, which it says itself.
    if let Some(signal) = agent.signal() {
        info!("{} to open the heap", how_to_send(signal, pid));
    }
}

/// What a user does to send a signal to this process.
fn how_to_send(signal: i32, pid: u32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    let name = name.map(|name| name.trim_start_matches("SIG").to_owned());
    let kill = format!("run `kill -{} {pid}`", name.unwrap_or(signal.to_string()));
    match signal == signal_hook::consts::SIGQUIT {
        true => format!("press Ctrl-\\ in this terminal, or {kill},"),
        false => kill,
    }
}

/// Ready when the server is asked to end, by Ctrl-C or SIGTERM. From this call on neither kills it.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        info!("{name}: committing");
    })
}

fn log_to_stderr() {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        // Its complaint about a closed stderr goes to stderr, and panics.
        .log_internal_errors(false)
        .init();
}

fn say(mut to: impl Write, text: &str, status: ExitCode) -> ExitCode {
    // Where nobody reads, there is nobody to tell.
    let _ = to.write_all(text.as_bytes());
    status
}
