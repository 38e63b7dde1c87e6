//! A program under a terminal, and the times at which things stand on that.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

const PROMPT: &str = "(sigheap) ";
/// Ctrl-\.
const QUIT: &[u8] = b"\x1c";
/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long a program runs between two looks: the last one is over by then, and its copy gone.
const BETWEEN: Duration = Duration::from_millis(300);

/// A running program, killed when dropped.
pub(crate) struct Program {
    child: Child,
    keys: File,
    output: Receiver<(Instant, Vec<u8>)>,
}

impl Program {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(path: &Path, arguments: &[&str], ready: &str) -> Program {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pair = openpty(Some(&size), None).expect("a terminal");
        let slave = File::from(pair.slave);
        let stream = || Stdio::from(slave.try_clone().unwrap());
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(path)
            .args(arguments)
            .env("TERM", "xterm")
            .env_remove("SIGHEAP")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("setsid of util-linux");
        let keys = File::from(pair.master);
        let program = Program {
            child,
            output: read(keys.try_clone().unwrap()),
            keys,
        };
        program.wait(&[ready]);
        thread::sleep(BETWEEN);
        program
    }

    /// Presses Ctrl-\; how long it took until the prompt stood there.
    pub(crate) fn press(&self) -> Duration {
        self.type_and_wait(QUIT, &[PROMPT]).0
    }

    /// Types a command; how long its answer took, and the answer.
    pub(crate) fn command(&self, line: &str) -> (Duration, String) {
        // What is typed stands behind a prompt, too, until Enter ends the line.
        self.type_and_wait(format!("{line}\r").as_bytes(), &["\n", PROMPT])
    }

    /// Leaves the prompt.
    pub(crate) fn resume(&self) {
        self.type_and_wait(b"continue\r", &["\n"]);
        thread::sleep(BETWEEN);
    }

    fn type_and_wait(&self, keys: &[u8], texts: &[&str]) -> (Duration, String) {
        // What came since, such as a line of the program's.
        self.output.try_iter().for_each(drop);
        let began = Instant::now();
        (&self.keys).write_all(keys).expect("a terminal takes keys");
        let (at, text) = self.wait(texts);
        (at - began, text)
    }

    /// Waits for these texts in this order: when the last one had come, and all that came.
    fn wait(&self, texts: &[&str]) -> (Instant, String) {
        let (mut seen, mut from, mut left) = (String::new(), 0, texts);
        loop {
            let (at, bytes) = self
                .output
                .recv_timeout(DEADLINE)
                .unwrap_or_else(|error| panic!("{error} for {left:?} in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes));
            while let Some((text, rest)) = left.split_first() {
                let Some(found) = seen[from..].find(text) else {
                    break;
                };
                from += found + text.len();
                left = rest;
            }
            if left.is_empty() {
                return (at, seen);
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

/// What comes, with the time at which it came.
fn read(mut terminal: File) -> Receiver<(Instant, Vec<u8>)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 1 << 14];
        // A terminal whose last writer is gone fails with EIO.
        while let Ok(length @ 1..) = terminal.read(&mut bytes) {
            if sender
                .send((Instant::now(), bytes[..length].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}
