//! What a program has written: as plain text, and as a terminal of 80 columns would show it; and waiting for it.

use std::io::Read;
use std::num::NonZeroU16;
use std::ops::Range;
use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The height and width of the terminal in every test.
pub(crate) const ROWS: NonZeroU16 = NonZeroU16::new(24).unwrap();
/// See `ROWS`.
pub(crate) const COLUMNS: NonZeroU16 = vt100::Parser::DEFAULT_COLS;

/// How long anything may take, on a slow machine with other tests beside it, before a test gives up on it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What the program has written and whether it has ended; shared with the threads that read it and wait for it.
#[derive(Clone)]
pub(crate) struct Watch(Arc<(Mutex<Seen>, Condvar)>);

/// What was seen of the program so far.
pub(crate) struct Seen {
    /// Everything written, without escape sequences and carriage returns.
    pub(crate) text: String,
    /// What of it was wiped off its line again, as a progress line is.
    wiped: Vec<Range<usize>>,
    /// What a terminal shows.
    pub(crate) terminal: vt100::Parser,
    /// How it ended, once it has.
    pub(crate) status: Option<ExitStatus>,
    /// Whether nobody can write any more.
    pub(crate) closed: bool,
    stripper: Stripper,
}

impl Watch {
    /// Begins to read. `held` is dropped when something has come.
    pub(crate) fn of(mut output: impl Read + Send + 'static, held: impl Send + 'static) -> Self {
        let watch = Watch(Arc::new((Mutex::new(Seen::nothing()), Condvar::new())));
        let reader = watch.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut held = Some(held);
            // A pty whose last writer is gone fails with EIO; that is its end of file.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                drop(held.take());
                reader.change(|seen| seen.add(&bytes[..length]));
            }
            reader.change(|seen| seen.closed = true);
        });
        watch
    }

    /// Notes something, and wakes who waits.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Seen) -> R) -> R {
        let result = change(&mut self.seen());
        self.0.1.notify_all();
        result
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `look` finds what it looks for.
    #[track_caller]
    pub(crate) fn wait<R>(&self, what: &str, mut look: impl FnMut(&Seen) -> Option<R>) -> R {
        let until = Instant::now() + DEADLINE;
        let mut seen = self.seen();
        loop {
            if let Some(found) = look(&seen) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {DEADLINE:?} for {what}; {}",
                seen.describe()
            );
            assert!(
                !seen.is_over(),
                "no {what} came before the end; {}",
                seen.describe()
            );
            let woken = self.0.1.wait_timeout(seen, left);
            seen = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Seen {
    fn nothing() -> Self {
        Seen {
            text: String::new(),
            wiped: Vec::new(),
            terminal: vt100::Parser::new(ROWS, COLUMNS, 0),
            status: None,
            closed: false,
            stripper: Stripper::Text,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.terminal.process(bytes);
        for wiped in bytes.split_inclusive(|byte| *byte == WIPES) {
            let text: Vec<u8> = wiped
                .iter()
                .copied()
                .filter(|byte| self.stripper.keeps(*byte))
                .collect();
            self.text.push_str(&String::from_utf8_lossy(&text));
            if matches!(self.stripper, Stripper::Wiped) {
                let line = self.text.rfind('\n').map_or(0, |end| end + 1);
                self.wiped.push(line..self.text.len());
            }
        }
    }

    /// What was written from there on and stayed.
    pub(crate) fn stayed(&self, from: usize) -> String {
        let mut text = String::new();
        let mut at = from;
        for wiped in self.wiped.iter().filter(|wiped| wiped.end > from) {
            text.push_str(self.text.get(at..wiped.start).unwrap_or_default());
            at = wiped.end;
        }
        text + &self.text[at..]
    }

    /// The row with the cursor, and the column the cursor is in.
    pub(crate) fn cursor(&self) -> (String, u16) {
        let screen = self.terminal.screen();
        let (row, column) = screen.cursor_position();
        let text = screen
            .rows(0, COLUMNS.get())
            .nth(row.into())
            .unwrap_or_default();
        (text, column)
    }

    /// Whether nothing more can come.
    fn is_over(&self) -> bool {
        self.closed && self.status.is_some()
    }

    /// For messages: what the screen shows, and the last that was written.
    fn describe(&self) -> String {
        let start = self
            .text
            .char_indices()
            .rev()
            .nth(3000)
            .map_or(0, |(at, _)| at);
        let shown = self.terminal.screen().contents();
        format!(
            "status {:?}\n--- screen\n{shown}\n--- end of output\n{}\n---",
            self.status,
            &self.text[start..]
        )
    }
}

/// The last byte of the sequence that wipes a line from the cursor on.
const WIPES: u8 = b'K';

/// Takes escape sequences out of a stream of bytes.
enum Stripper {
    Text,
    /// At the beginning of a line.
    Return,
    /// In a sequence that begins there.
    ReturnEscape,
    ReturnControl,
    /// The whole line was wiped just now.
    Wiped,
    Escape,
    Control,
    Command,
}

impl Stripper {
    fn keeps(&mut self, byte: u8) -> bool {
        let (next, keeps) = match (&self, byte) {
            (Stripper::Text | Stripper::Wiped | Stripper::Return, b'\r') => {
                (Stripper::Return, false)
            }
            (Stripper::Return, 0x1b) => (Stripper::ReturnEscape, false),
            (Stripper::ReturnEscape, b'[') => (Stripper::ReturnControl, false),
            (Stripper::ReturnControl, WIPES) => (Stripper::Wiped, false),
            (Stripper::ReturnEscape, _) => return self.after(Stripper::Escape, byte),
            (Stripper::ReturnControl, _) => return self.after(Stripper::Control, byte),
            (Stripper::Wiped | Stripper::Return, _) => return self.after(Stripper::Text, byte),
            (Stripper::Text, 0x1b) => (Stripper::Escape, false),
            (Stripper::Text, 0x07) => (Stripper::Text, false),
            (Stripper::Text, _) => (Stripper::Text, true),
            (Stripper::Escape, b'[') => (Stripper::Control, false),
            (Stripper::Escape, b']') => (Stripper::Command, false),
            (Stripper::Escape, _) | (Stripper::Control, 0x40..=0x7e) => (Stripper::Text, false),
            (Stripper::Control, _) => (Stripper::Control, false),
            (Stripper::Command, 0x07 | b'\\') => (Stripper::Text, false),
            (Stripper::Command, _) => (Stripper::Command, false),
        };
        *self = next;
        keeps
    }

    /// The same, as if it had been in another state.
    fn after(&mut self, state: Stripper, byte: u8) -> bool {
        *self = state;
        self.keeps(byte)
    }
}

/// Waits until something outside the program's output is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < until, "waited {DEADLINE:?} for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
