//! The controlling terminal: who has it, how it is set, giving it away and taking it back.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use super::process;

/// The process's controlling terminal, open for reading and writing.
#[derive(Debug)]
pub(crate) struct Terminal {
    file: File,
}

/// How a terminal is set (echo, line editing, signals from keys), to be put back later.
#[derive(Clone, Copy)]
pub(crate) struct Settings(pub(super) libc::termios);

impl Terminal {
    /// Opens it. Fails for a process without one: a daemon, a service.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Terminal {
            file: OpenOptions::new().read(true).write(true).open("/dev/tty")?,
        })
    }

    /// Whether this process's group is in its foreground. A background process that touches the terminal's settings
    /// corrupts the shell's.
    pub(crate) fn is_ours(&self) -> bool {
        self.foreground() == Some(group())
    }

    /// The process group in its foreground; none when the terminal has gone.
    pub(crate) fn foreground(&self) -> Option<i32> {
        // SAFETY: plain call on an open descriptor.
        let group = unsafe { libc::tcgetpgrp(self.fd()) };
        (group >= 0).then_some(group)
    }

    /// Puts a process group in its foreground. SIGTTOU must be blocked or ignored.
    pub(crate) fn give_to(&self, group: i32) {
        // SAFETY: plain call on an open descriptor; a failure means the terminal has gone, which `foreground` tells.
        unsafe { libc::tcsetpgrp(self.fd(), group) };
    }

    /// How it is set now.
    pub(crate) fn settings(&self) -> io::Result<Settings> {
        let mut settings = MaybeUninit::zeroed();
        // SAFETY: the call fills the plain record, which is valid when zeroed.
        if unsafe { libc::tcgetattr(self.fd(), settings.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above.
        Ok(Settings(unsafe { settings.assume_init() }))
    }

    /// Sets it at once, without waiting for output to drain (a stuck terminal must not hold the program).
    pub(crate) fn set(&self, settings: &Settings) {
        // SAFETY: the record came from `tcgetattr`. A failure means that the terminal has gone.
        unsafe { libc::tcsetattr(self.fd(), libc::TCSANOW, &raw const settings.0) };
    }

    /// Columns and rows. 80 by 24 where it does not say.
    pub(crate) fn size(&self) -> (u16, u16) {
        let mut size = MaybeUninit::<libc::winsize>::zeroed();
        // SAFETY: the kernel fills the plain record, which is valid when zeroed.
        let size = unsafe {
            libc::ioctl(self.fd(), libc::TIOCGWINSZ, size.as_mut_ptr());
            size.assume_init()
        };
        (
            if size.ws_col == 0 { 80 } else { size.ws_col },
            if size.ws_row == 0 { 24 } else { size.ws_row },
        )
    }

    /// Whether keys wait to be read.
    pub(crate) fn has_input(&self) -> bool {
        let mut waiting = libc::pollfd {
            fd: self.fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one record that lives through the call, which does not wait.
        unsafe { libc::poll(&raw mut waiting, 1, 0) == 1 && waiting.revents & libc::POLLIN != 0 }
    }

    /// The keys that were typed by now; nothing where the terminal is not this process's to read.
    pub(crate) fn keys(&self) -> Vec<u8> {
        match self.is_ours() {
            true => self.read_now().unwrap_or_default(),
            false => Vec::new(),
        }
    }

    /// Reads what is there and waits for nothing: another reader, the program itself, may take a key at any moment. By a
    /// description of its own, since not to wait is a property of that: the program's reads must go on waiting.
    fn read_now(&self) -> io::Result<Vec<u8>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let mut anew = options.open(format!("/proc/thread-self/fd/{}", self.fd()))?;
        let mut keys = vec![0u8; 64];
        let read = anew.read(&mut keys)?;
        keys.truncate(read);
        Ok(keys)
    }

    /// The open file, for reading keys and writing text.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes standard input, output and error of this process the terminal, for the clone alone.
    pub(crate) fn become_standard(&self) {
        for descriptor in 0..=2 {
            // SAFETY: both descriptors are open or will be; the clone owns its table.
            unsafe { libc::dup2(self.fd(), descriptor) };
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Settings {
    /// The same for a prompt, whatever the program had made of its terminal: lines, echo, keys that signal; output from
    /// others allowed meanwhile.
    pub(crate) fn for_prompt(&self) -> Settings {
        let mut settings = *self;
        settings.0.c_lflag |= libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN;
        settings.0.c_lflag &= !libc::TOSTOP;
        settings.0.c_oflag |= libc::OPOST | libc::ONLCR;
        settings.0.c_iflag |= libc::ICRNL;
        settings
    }

    /// The same while nobody reads: what is typed ahead waits unseen for the next line. Keys that signal still do.
    pub(crate) fn for_work(&self) -> Settings {
        let mut settings = *self;
        settings.0.c_lflag &= !(libc::ICANON | libc::ECHO);
        settings.0.c_cc[libc::VMIN] = 1;
        settings.0.c_cc[libc::VTIME] = 0;
        settings
    }

    /// The same for a single key: it comes at once, unseen, and means nothing to the terminal itself.
    pub(crate) fn for_keys(&self) -> Settings {
        let mut settings = *self;
        settings.0.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
        settings.0.c_cc[libc::VMIN] = 1;
        settings.0.c_cc[libc::VTIME] = 0;
        settings
    }
}

/// This process's group.
pub(crate) fn group() -> i32 {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::getpgrp() }
}

/// Whether the leader of this process's group has ended and took with it the way to the terminal: a script's shell that
/// died of the same key, whose own parent is about to take the terminal back.
///
/// In a pipeline the leader is a neighbour. Its end means nothing as long as the parent, the shell that waits for the
/// whole pipeline, lives in this session.
pub(crate) fn leader_is_gone() -> bool {
    let leader = group();
    if leader as u32 == process::pid() {
        return false;
    }
    std::thread::sleep(A_SHELLS_DEATH);
    if parent_is_of_this_session() {
        return false;
    }
    has_ended(leader)
}

/// The hangup that this process's group missed while the copy had the terminal. When a session's leader ends, the kernel
/// sends it to the group that was in the foreground as the terminal went, which was the copy's. A leader that outlives its
/// terminal passes nothing on, nor does this.
pub(crate) fn pass_on_hangup() {
    // SAFETY: asks about this process; signals its own group, which the kernel does in this order.
    unsafe {
        let leader = libc::getsid(0);
        if leader > 0 && leader != libc::getpid() && ends_soon(leader) {
            libc::kill(0, libc::SIGHUP);
            libc::kill(0, libc::SIGCONT);
        }
    }
}

/// Whether a process ends within a second.
fn ends_soon(pid: i32) -> bool {
    const LOOKS: u32 = 20;
    (0..LOOKS).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        has_ended(pid)
    })
}

fn has_ended(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    // The name in parentheses may hold anything; the state follows the last one.
    stat.rsplit_once(") ")
        .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// How long a shell may take to die of a key that this process saw at the same moment.
const A_SHELLS_DEATH: Duration = Duration::from_millis(5);

/// A process whose parent has ended is adopted by one of another session.
fn parent_is_of_this_session() -> bool {
    // SAFETY: asks by number; a failure (the parent is in another namespace) is no session of ours.
    unsafe { libc::getsid(libc::getppid()) == libc::getsid(0) }
}

/// What stands at one of the standard descriptors.
pub(crate) fn is_pipe(descriptor: RawFd) -> bool {
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel fills the plain record, which is valid when zeroed.
    unsafe {
        libc::fstat(descriptor, stat.as_mut_ptr()) == 0
            && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFIFO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::FromRawFd;

    /// A terminal of the test's own, with the side at which its keys are typed.
    fn terminal() -> (File, Terminal) {
        // SAFETY: makes a descriptor that is this test's own, and asks for the name of its other side.
        unsafe {
            let keys = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
            assert!(keys >= 0 && libc::grantpt(keys) == 0 && libc::unlockpt(keys) == 0);
            let mut name = [0; 64];
            assert_eq!(libc::ptsname_r(keys, name.as_mut_ptr(), name.len()), 0);
            let file = libc::open(name.as_ptr(), libc::O_RDWR | libc::O_NOCTTY);
            assert!(file >= 0);
            let file = File::from_raw_fd(file);
            (File::from_raw_fd(keys), Terminal { file })
        }
    }

    /// The agent waited for ever for a key that the program had read before it.
    #[test]
    fn reading_what_was_typed_waits_for_nothing() {
        use std::io::Write;
        let (mut keys, terminal) = terminal();
        let settings = terminal.settings().unwrap();
        terminal.set(&settings.for_keys());
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let nothing = terminal.read_now().map_err(|error| error.kind());
            tell.send(nothing).unwrap();
            keys.write_all(b"\x03").unwrap();
            let read = std::iter::repeat_with(|| terminal.read_now());
            let key = read.flatten().find(|read| !read.is_empty());
            tell.send(Ok(key.unwrap())).unwrap();
        });
        let answer = || told.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(answer(), Err(io::ErrorKind::WouldBlock));
        assert_eq!(answer(), Ok(vec![3]));
    }
}
