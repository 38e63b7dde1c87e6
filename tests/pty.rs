//! A program under a real terminal: in a session of its own, with the pty as its controlling terminal.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::{env, fs, io, thread};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, tcgetpgrp};

use crate::screen::{COLUMNS, ROWS, Seen, Watch, eventually};

/// Gives the program the terminal `$1` and the limit of cores `$2`. The shell leads a session without a terminal, so
/// the first terminal it opens becomes its controlling one, and `exec` leaves the program in its place.
const UNDER_TERMINAL: &str =
    r#"tty=$1; cores=$2; shift 2; ulimit -c "$cores"; exec "$@" <"$tty" >"$tty" 2>&1"#;

/// The same, with standard input left as it is. A terminal opened for writing alone would not become the controlling one.
const UNDER_TERMINAL_WITH_STREAM: &str =
    r#"tty=$1; cores=$2; shift 2; ulimit -c "$cores"; exec "$@" 1<>"$tty" 2>&1"#;

/// A session without any terminal.
const WITHOUT_TERMINAL: &str = r#"shift; ulimit -c "$1"; shift; exec "$@""#;

/// Where the program's standard input comes from and whether it has a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The terminal is all it has.
    Terminal,
    /// A pipe is its standard input, the terminal the rest.
    TerminalAndStream,
    /// Pipes and no terminal at all.
    NoTerminal,
}

/// A program to be started.
pub(crate) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    setting: Setting,
    cores: &'static str,
    is_pipe_full: bool,
    variables: Vec<(&'static str, &'static str)>,
}

impl Launch {
    /// The demo server, committing every second so that a test sees at once that it is alive.
    pub(crate) fn demo() -> Self {
        Launch::of(built(option_env!("CARGO_BIN_EXE_demo-server"))).with(["--commit-every", "1s"])
    }

    /// Any program.
    pub(crate) fn of(program: &Path) -> Self {
        Launch {
            program: program.into(),
            arguments: Vec::new(),
            setting: Setting::Terminal,
            cores: "0",
            is_pipe_full: false,
            variables: Vec::new(),
        }
    }

    /// One of the programs in `tests/programs`.
    pub(crate) fn program<const N: usize>(arguments: [&str; N]) -> Self {
        Launch::of(built(option_env!("CARGO_BIN_EXE_programs"))).with(arguments)
    }

    /// With a variable in its environment.
    pub(crate) fn set(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// More arguments.
    pub(crate) fn with<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(OsString::from));
        self
    }

    /// Other standard streams.
    pub(crate) fn in_setting(self, setting: Setting) -> Self {
        Launch { setting, ..self }
    }

    /// With a core file allowed.
    pub(crate) fn with_cores(self) -> Self {
        Launch {
            cores: "unlimited",
            ..self
        }
    }

    /// Without a terminal: into a pipe that holds no more than a page, and is full until [`Program::read_on`].
    pub(crate) fn into_a_full_pipe(self) -> Self {
        Launch {
            is_pipe_full: true,
            ..self
        }
    }

    /// Starts it.
    pub(crate) fn start(self) -> Program {
        let turn = Turn::take();
        let folder = Folder::new();
        let terminal = (self.setting != Setting::NoTerminal).then(|| Pair::open().expect("a pty"));
        let name = terminal.as_ref().map_or("", |pair| &pair.name);
        let mut command = self.command(name, &folder);
        let (master, output, held) = match terminal {
            Some(pair) => {
                let output = pair.master.try_clone().expect("a second handle");
                (Some(pair.master), output, Some(pair.slave))
            }
            None => {
                let output = piped(&mut command, self.is_pipe_full).expect("a pipe");
                (None, output, None)
            }
        };
        let (read_on, reads) = mpsc::channel();
        let read_on = self.is_pipe_full.then_some(read_on);
        let output = Later {
            output,
            reads: Some(reads),
        };
        let mut child = command.spawn().expect("the program");
        Program {
            pid: Pid::from_raw(child.id().cast_signed()),
            input: child.stdin.take(),
            terminal: master,
            watch: reap(child, Watch::of(output, held)),
            folder,
            read_on,
            _turn: turn,
        }
    }

    fn command(&self, terminal: &str, folder: &Folder) -> Command {
        let script = match self.setting {
            Setting::Terminal => UNDER_TERMINAL,
            Setting::TerminalAndStream => UNDER_TERMINAL_WITH_STREAM,
            Setting::NoTerminal => WITHOUT_TERMINAL,
        };
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", script, "sh", terminal, self.cores]);
        // A test started by a script's `&` has both ignored, and would pass that on.
        command
            .args(["env", "--default-signal=INT,QUIT"])
            .arg(&self.program)
            .args(&self.arguments);
        command
            .current_dir(&folder.0)
            .env_clear()
            .env("TERM", "xterm")
            .env("HOME", &folder.0);
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().copied());
        command.stdin(if self.setting == Setting::Terminal {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        command
    }
}

/// A program of the package whose tests these are.
fn built(program: Option<&'static str>) -> &'static Path {
    Path::new(program.expect("this package builds it"))
}

/// A running program; killed when dropped.
pub(crate) struct Program {
    /// Its process id, which is its session and process group too.
    pub(crate) pid: Pid,
    /// The writing end of its standard input, where that is a pipe.
    pub(crate) input: Option<ChildStdin>,
    /// What it has written.
    pub(crate) watch: Watch,
    terminal: Option<File>,
    folder: Folder,
    /// While it is there, nobody reads what the program writes.
    read_on: Option<mpsc::Sender<()>>,
    _turn: Turn,
}

impl Program {
    /// Reads what it writes, from now on.
    pub(crate) fn read_on(&mut self) {
        self.read_on = None;
    }

    /// Types at its terminal.
    #[track_caller]
    pub(crate) fn send(&self, keys: &str) {
        self.terminal()
            .write_all(keys.as_bytes())
            .expect("a terminal takes keys");
    }

    /// Sends it a signal, to the process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("the program is there");
    }

    /// Waits for a text that comes after `from` (an offset in what it has written), and returns the offset behind it.
    #[track_caller]
    pub(crate) fn expect_after(&self, from: usize, text: &str) -> usize {
        let look = |seen: &Seen| Some(from + seen.text[from..].find(text)? + text.len());
        self.watch.wait(&format!("{text:?}"), look)
    }

    /// How many bytes of text it has written so far.
    pub(crate) fn written(&self) -> usize {
        self.watch.seen().text.len()
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn ended(&self) -> ExitStatus {
        self.watch.wait("the program's end", |seen| seen.status)
    }

    /// The folder it runs in, its home as well.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// The terminal's settings as they are.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(self.terminal().as_fd()).expect("a terminal has settings")
    }

    /// The process group in the terminal's foreground.
    pub(crate) fn foreground(&self) -> Pid {
        tcgetpgrp(self.terminal().as_fd()).expect("a terminal has a foreground")
    }

    #[track_caller]
    fn terminal(&self) -> &File {
        self.terminal.as_ref().expect("this program has a terminal")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let running = self.watch.seen().status.is_none();
        if running && kill(self.pid, Signal::SIGKILL).is_ok() && !thread::panicking() {
            self.ended();
        }
    }
}

/// A terminal of the tests' size.
struct Pair {
    /// Our side.
    master: File,
    /// The program's, which we hold until it has opened it: a master whose slave was opened and closed is at its end.
    slave: File,
    /// The name of the program's.
    name: String,
}

impl Pair {
    fn open() -> io::Result<Self> {
        let ours = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master: PtyMaster = posix_openpt(ours)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname_r(&master)?;
        let mut options = OpenOptions::new();
        let slave = options
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(&name)?;
        let size = [
            "rows".to_owned(),
            ROWS.to_string(),
            "cols".to_owned(),
            COLUMNS.to_string(),
        ];
        let set = Command::new("stty")
            .args(size)
            .stdin(slave.try_clone()?)
            .status()?;
        assert!(set.success(), "stty sets the size of {name}");
        let master = File::from(OwnedFd::from(master));
        Ok(Pair {
            master,
            slave,
            name,
        })
    }
}

/// What is read once somebody has dropped the sender.
struct Later {
    output: File,
    reads: Option<mpsc::Receiver<()>>,
}

impl Read for Later {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Some(reads) = self.reads.take() {
            // Nothing is ever sent.
            let _ = reads.recv();
        }
        self.output.read(into)
    }
}

/// Makes one pipe of standard output and error; its reading end.
fn piped(command: &mut Command, is_full: bool) -> io::Result<File> {
    const PAGE: usize = 4096;
    let (output, mut input) = io::pipe()?;
    if is_full {
        fcntl(&input, FcntlArg::F_SETPIPE_SZ(PAGE as i32))?;
        input.write_all(&[b'.'; PAGE])?;
    }
    command.stdout(input.try_clone()?).stderr(input);
    Ok(File::from(OwnedFd::from(output)))
}

/// Has a thread wait for the end of the program. Until it is noted the process stays a zombie, so that `pid` is its own.
fn reap(mut child: Child, watch: Watch) -> Watch {
    let noting = watch.clone();
    thread::spawn(move || {
        let pid = Pid::from_raw(child.id().cast_signed());
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
            .is_err_and(|error| error == nix::Error::EINTR)
        {}
        noting.change(|seen| seen.status = child.wait().ok());
    });
    watch
}

/// Whether it died of this signal.
pub(crate) fn died_of(status: ExitStatus, signal: Signal) -> bool {
    status.signal() == Some(signal as i32)
}

/// A folder that goes when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "sigheap-e2e-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder of its own");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: what is left lies in the system's temporary folder.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Leave to run a program: each takes a core and more, and deadlines should mean something.
struct Turn;

impl Turn {
    fn take() -> Self {
        let mut free = FREE.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = FREE.1.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREE.1.notify_one();
    }
}

static FREE: (Mutex<u32>, Condvar) = (Mutex::new(2), Condvar::new());

#[test]
fn a_program_has_the_terminal_its_keys_and_its_end() {
    let script = "stty size; read line; echo got $line; kill -TERM $$";
    let shell = Launch::of(Path::new("sh")).with(["-c", script]).start();
    let from = shell.expect_after(0, "24 80");
    shell.send("keys\r");
    shell.expect_after(from, "got keys");
    assert!(died_of(shell.ended(), Signal::SIGTERM));
}

#[test]
fn a_program_with_a_stream_has_the_terminal_too() {
    let script = "cat; read line </dev/tty; echo got $line; exit 3";
    let launch = Launch::of(Path::new("sh")).with(["-c", script]);
    let mut shell = launch.in_setting(Setting::TerminalAndStream).start();
    let mut input = shell.input.take().expect("a pipe");
    input.write_all(b"data\n").expect("cat reads");
    let from = shell.expect_after(0, "data");
    drop(input);
    eventually("the foreground", || shell.foreground() == shell.pid);
    shell.send("keys\r");
    shell.expect_after(from, "got keys");
    assert_eq!(shell.ended().code(), Some(3));
}

#[test]
fn a_program_without_a_terminal_has_none() {
    let script = "cat; { true </dev/tty; } 2>/dev/null || echo none";
    let launch = Launch::of(Path::new("sh")).with(["-c", script]);
    let mut shell = launch.in_setting(Setting::NoTerminal).start();
    drop(shell.input.take());
    shell.expect_after(0, "none");
    assert_eq!(shell.ended().code(), Some(0));
}
