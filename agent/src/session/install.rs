//! Setting the agent up. Never panics, never keeps the program from starting: what it cannot do it says.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::{fmt, io, thread};

use super::apart;
use super::clock::Clock;
use super::errands::Errands;
use super::{Looks, commands, environment, marks, notices, serve};
use crate::answer::Answer;
use crate::heap::{Gap, NotMarked, Settings};
use crate::options::{Builder, Options};
use crate::os::quit::{self, Before};
use crate::os::shared::Shared;
use crate::os::{files, look, object, process, signals, stop, streams};
use crate::track::{self, arena};

/// A handle on the agent. Cheap to copy; dropping it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Agent {
    active: bool,
}

impl Agent {
    /// Whether the signal opens the heap of this process. If not, the log says why. In a child that the program forked
    /// it does not.
    pub fn is_active(&self) -> bool {
        self.active && quit::is_installed_here()
    }

    /// The number of the signal that opens the heap, if one does: SIGQUIT, unless another was chosen.
    pub fn signal(&self) -> Option<i32> {
        self.is_active().then(quit::signal)
    }

    /// Remembers how many blocks of each kind there are now, as `mark NAME` does at the prompt, where `diff` and
    /// `growth --since` compare with it: a program can mark its own phases.
    ///
    /// Works on any thread, but not in a signal handler. All threads stand still for a few milliseconds while the process
    /// is copied; the copy counts while the program goes on, and this waits for it, five seconds at the most. A name that
    /// is taken stands for this moment from then on. It is made of letters, digits and `-_.:/+`, 40 bytes at the most.
    ///
    /// # Errors
    /// [`NotMarked`] says why there is no mark.
    ///
    /// ```
    /// let agent = sigheap::install();
    /// if let Err(why) = agent.mark("warmed-up") {
    ///     eprintln!("no mark: {why}");
    /// }
    /// ```
    pub fn mark(&self, name: &str) -> Result<(), NotMarked> {
        match self.is_active() {
            true => marks::ask(name),
            false => Err(NotMarked::NotInstalled),
        }
    }

    /// Adds a command of the program's own to the prompt.
    ///
    /// Typed there, it runs **in the program**, which goes on meanwhile: on a thread of the program's, with its
    /// descriptors, its environment and the signal mask of its main thread. It may allocate, lock, log and panic. Then
    /// the heap is frozen anew, and what the command wrote is shown at the same prompt; rows that were numbered before
    /// mean nothing any more. `help`, completion, `--json` and `> FILE` know it.
    ///
    /// `name` is what is typed: a letter, then letters, digits and `-_.:`, 24 at most. `summary` is what `help` says of
    /// it, in a line. `run` gets the words behind the name, and what it writes is shown, up to 16 MiB; if it returns an
    /// [error](Answer) or panics, that is shown as well. It is waited for up to a minute, or until Ctrl-C; after that it
    /// goes on unheard.
    ///
    /// A name that cannot be typed or is taken is left out, and the log and the first screen say so. Where the agent is
    /// not installed this does nothing.
    ///
    /// ```
    /// use std::sync::Mutex;
    /// static CACHE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    ///
    /// let agent = sigheap::install();
    /// agent.command("cache", "how full the cache is", |_words, out| {
    ///     writeln!(out, "{} entries", CACHE.lock().unwrap().len())
    /// });
    /// ```
    pub fn command<A: Answer>(
        &self,
        name: &str,
        summary: &str,
        run: impl Fn(&[&str], &mut dyn io::Write) -> A + Send + Sync + 'static,
    ) {
        // In a child that the program forked, the agent may have held the registry's lock at that moment.
        if self.is_active() {
            let _untracked = arena::untracked();
            let run = move |words: &[&str], out: &mut dyn io::Write| match run(words, out).failure()
            {
                Some(why) => Err(why),
                None => Ok(()),
            };
            commands::register(name, summary, Box::new(run));
        }
    }
}

/// Makes SIGQUIT (Ctrl-\\ in the program's terminal) open the heap.
///
/// Call it first thing in `main`, before threads start. It starts two threads, which sleep. Calling it again gives the
/// same agent. What it cannot do it reports through `tracing` and on the first screen; it never panics and never keeps
/// the program from starting. With `SIGHEAP=off` in the environment it does nothing at all.
///
/// [`builder`] has options.
pub fn install() -> Agent {
    builder().install()
}

/// An agent with options.
pub fn builder() -> Builder {
    Builder::default()
}

impl Builder {
    /// Installs the agent, as [`install`] does, with these options and those of `SIGHEAP`.
    ///
    /// There is one agent in a process. Where it was installed before, this gives the same one, and the options of the
    /// first call stand.
    pub fn install(self) -> Agent {
        static AGENT: OnceLock<(Options, Agent)> = OnceLock::new();
        let mut first = false;
        let (options, agent) = AGENT.get_or_init(|| {
            first = true;
            let _untracked = arena::untracked();
            let agent = Agent {
                active: start(&self.options),
            };
            (self.options.clone(), agent)
        });
        if !first && self.options != *options {
            notices::say(
                "The agent was installed twice, with other options; the first stand.".into(),
            );
        }
        *agent
    }
}

/// Whether the agent is there now. If not, the log says why.
fn start(built: &Options) -> bool {
    let (options, problems) = options(built);
    problems.into_iter().for_each(notices::say);
    match try_to_start(&options) {
        Ok(()) => true,
        Err(refusal) => {
            if refusal.ends_tracking() {
                track::end();
            }
            refusal.tell();
            false
        }
    }
}

/// What was built, as the environment changes it, and what there is to say about both.
fn options(built: &Options) -> (Options, Vec<String>) {
    let (built, problem) = environment::checked(built.clone());
    let variable = std::env::var_os("SIGHEAP").filter(|_| !process::is_privileged());
    let text = variable.unwrap_or_default();
    let (options, mut problems) = environment::read(&text.to_string_lossy(), built);
    problems.extend(problem);
    (options, problems)
}

fn try_to_start(options: &Options) -> Result<(), Refusal> {
    if options.off {
        return Err(Refusal::Off);
    }
    if process::is_privileged() {
        return Err(Refusal::Privileged);
    }
    track::set_mode(options.track);
    let signal = options.signal.ok_or(Refusal::NoSignal)?;
    match quit::disposition(signal) {
        Before::Default => {}
        Before::Handled if options.chain => {}
        Before::Ignored => return Err(Refusal::Ignored(signal)),
        Before::Handled => return Err(Refusal::Handled(signal)),
    }
    let kept =
        Shared::within(KEPT_ROOM).map_err(|error| Refusal::System("shared memory", error))?;
    let names =
        Shared::within(NAMES_ROOM).map_err(|error| Refusal::System("shared memory", error))?;
    let room = arena::reserve().ok_or(Refusal::NoRoom)?;
    prepare_to_stop().map_err(|error| Refusal::System("the signal that stops threads", error))?;
    quiet_panics_in_the_clone();
    let history = history_file();
    files::look_in(apart::places());
    let thread = |error| Refusal::System("the agent's threads", error);
    let errands = Errands::start().map_err(thread)?;
    spawn(signal, errands, history, [kept, names], room).map_err(thread)?;
    quit::install(signal).map_err(|error| Refusal::System("the handler", error))
}

/// Makes threads stoppable, but not in the middle of what the tracker does.
pub fn prepare_to_stop() -> io::Result<()> {
    track::set_stop_hook(stop::stop_deferred);
    // Asked now, what looks for unwind tables is found without a lock later.
    object::list_lasting();
    stop::install(track::defer_stop)
}

/// Bytes for what looks hand on: in the counts of one, a group of blocks takes about 10.
const KEPT_ROOM: usize = 32 << 20;
/// Bytes for the types told in one look, about 10 for a group of blocks and 50 for a name.
const NAMES_ROOM: usize = 4 << 20;
/// Bytes of stack for the agent's thread, and so for the clone. Debug information nests deep.
const STACK: usize = 8 << 20;

fn spawn(
    signal: i32,
    errands: Errands,
    history: Option<PathBuf>,
    [kept, names]: [Shared; 2],
    room: u64,
) -> io::Result<()> {
    let _deaf = process::Deaf::to_all(&[signal]);
    let _arena = arena::enter();
    let agent = move || {
        let _arena = arena::enter();
        quit::this_thread_is_the_agent();
        let mut gaps = Vec::new();
        if let Err(error) = streams::own_descriptors() {
            gaps.push(Gap::new(
                "connections closed during a look are seen closed only after it",
                error.to_string(),
            ));
        }
        serve(Looks {
            clock: Clock::new(room),
            number: 0,
            kept,
            names,
            settings: Settings::default(),
            before: None,
            history,
            gaps,
            errands,
            blocked: None,
            replaced: false,
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
    /// The program has more rights than its user, whom the prompt would lend them.
    Privileged,
    NoSignal,
    /// The signal is ignored.
    Ignored(i32),
    /// The signal has a handler.
    Handled(i32),
    NoRoom,
    System(&'static str, io::Error),
}

impl Refusal {
    /// Whether nothing will ever look at what is recorded: then the program must not go on paying for it. Where somebody
    /// else had the signal ignored, the program may yet be looked at in another way, and recording cannot begin late.
    fn ends_tracking(&self) -> bool {
        !matches!(self, Refusal::Ignored(_))
    }

    fn tell(&self) {
        let tracking = match self.ends_tracking() {
            true => "nothing is recorded any more",
            false => "allocations are recorded all the same; SIGHEAP=off spares that",
        };
        match self {
            Refusal::Off => {}
            Refusal::NoSignal | Refusal::Ignored(_) => {
                tracing::info!(target: "sigheap", "not installed: {self}; {tracking}");
            }
            _ => tracing::warn!(target: "sigheap", "not installed: {self}; {tracking}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Off => f.write_str("it is off"),
            Refusal::Privileged => f.write_str(
                "the program has more rights than whoever started it (setuid, setgid, file capabilities), and at the \
                 prompt they would be that user's",
            ),
            Refusal::NoSignal => f.write_str("it was given no signal, so nothing opens the prompt"),
            Refusal::Ignored(signal) => write!(
                f,
                "{} is ignored by whoever started this program (a script's `&`, nohup), and left so",
                signals::name(*signal)
            ),
            Refusal::Handled(signal) => write!(
                f,
                "the program has a handler for {} already, which is left alone; `.chain()` or SIGHEAP=chain opens the \
                 prompt and calls it as well, `.signal(…)` or SIGHEAP=signal=USR2 takes another signal",
                signals::name(*signal)
            ),
            Refusal::NoRoom => f.write_str("no addresses are left for its memory (ulimit -v)"),
            Refusal::System(what, error) => write!(f, "{what}: {error}"),
        }
    }
}
