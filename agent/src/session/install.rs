//! Setting the agent up. Never panics, never keeps the program from starting: what it cannot do it says.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::{io, thread};

use super::apart;
use super::clock::Clock;
use super::{Looks, serve};
use crate::heap::{Gap, Settings};
use crate::os::quit::{self, Before};
use crate::os::shared::Shared;
use crate::os::{files, look, process, stop};
use crate::track::{self, arena};

/// A handle on the agent. Cheap to copy; dropping it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Agent {
    active: bool,
}

impl Agent {
    /// Whether SIGQUIT opens the heap. If not, the log says why.
    pub fn is_active(&self) -> bool {
        self.active
    }
}

/// Makes SIGQUIT (Ctrl-\\ in the program's terminal) open the heap.
///
/// Call it first thing in `main`, before threads start. It starts one thread, which sleeps. Calling it again gives the
/// same agent. What it cannot do it reports through `tracing` and on the first screen; it never panics and never keeps
/// the program from starting. With `SIGHEAP=off` in the environment it does nothing at all.
pub fn install() -> Agent {
    static AGENT: OnceLock<Agent> = OnceLock::new();
    *AGENT.get_or_init(|| {
        let _untracked = arena::untracked();
        match start() {
            Ok(()) => Agent { active: true },
            Err(refusal) => {
                refusal.tell();
                Agent { active: false }
            }
        }
    })
}

fn start() -> Result<(), Refusal> {
    if !process::is_setuid() && std::env::var_os("SIGHEAP").is_some_and(|options| options == "off")
    {
        return Err(Refusal::Off);
    }
    match quit::disposition() {
        Before::Default => {}
        Before::Ignored => return Err(Refusal::Ignored),
        Before::Handled => return Err(Refusal::Handled),
    }
    let kept = Shared::new(KEPT_ROOM).map_err(|error| Refusal::System("shared memory", error))?;
    arena::reserve().ok_or(Refusal::NoRoom)?;
    prepare_to_stop().map_err(|error| Refusal::System("the signal that stops threads", error))?;
    quiet_panics_in_the_clone();
    let history = history_file();
    files::look_in(apart::places());
    spawn(history, kept).map_err(|error| Refusal::System("the agent's thread", error))?;
    quit::install().map_err(|error| Refusal::System("the handler of SIGQUIT", error))
}

/// Makes threads stoppable, but not in the middle of what the tracker does.
pub fn prepare_to_stop() -> io::Result<()> {
    track::set_stop_hook(stop::stop_deferred);
    stop::install(track::defer_stop)
}

/// Bytes for what looks hand on: in the counts of one, a group of blocks takes about 10.
const KEPT_ROOM: usize = 32 << 20;
/// Bytes of stack for the agent's thread, and so for the clone. Debug information nests deep.
const STACK: usize = 8 << 20;

fn spawn(history: Option<PathBuf>, kept: Shared) -> io::Result<()> {
    let _deaf = process::Deaf::new();
    let _arena = arena::enter();
    let agent = move || {
        let _arena = arena::enter();
        let mut gaps = Vec::new();
        if let Err(error) = process::own_descriptors() {
            gaps.push(Gap::new(
                "connections closed during a look are seen closed only after it",
                error.to_string(),
            ));
        }
        serve(Looks {
            clock: Clock::new(),
            number: 0,
            kept,
            settings: Settings::default(),
            before: None,
            history,
            gaps,
        })
    };
    thread::Builder::new()
        .name("sigheap".into())
        .stack_size(STACK)
        .spawn(agent)
        .map(drop)
}

/// A panic in the clone must not run the program's hook, which may log, lock or print to where nobody looks.
fn quiet_panics_in_the_clone() {
    let program = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if look::in_clone() {
            process::write(2, format!("\r\nsigheap: {panic}\r\n").as_bytes());
        } else {
            program(panic);
        }
    }));
}

/// `~/.local/state/sigheap/history`, as the XDG directories have it.
fn history_file() -> Option<PathBuf> {
    if process::is_setuid() {
        return None;
    }
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state
        .or_else(home)
        .map(|state| state.join("sigheap/history"))
}

/// Why the agent was not set up. The program runs without it.
#[derive(Debug)]
enum Refusal {
    Off,
    Ignored,
    Handled,
    NoRoom,
    System(&'static str, io::Error),
}

impl Refusal {
    fn tell(&self) {
        match self {
            Refusal::Off => {}
            Refusal::Ignored => {
                tracing::info!(target: "sigheap", "SIGQUIT is ignored by whoever started this program (a script's `&`, nohup); left as it is"
                )
            }
            Refusal::Handled => {
                tracing::warn!(target: "sigheap", "the program has a handler for SIGQUIT already; it is left alone"
                )
            }
            Refusal::NoRoom => {
                tracing::warn!(target: "sigheap", "not installed: no addresses left for its memory (ulimit -v)"
                )
            }
            Refusal::System(what, error) => {
                tracing::warn!(target: "sigheap", "not installed: {what}: {error}")
            }
        }
    }
}
