//! The program's side of a look: wait for the clone, listen to it, and end it when the program is wanted elsewhere.

use std::time::Duration;

use super::place::Place;
use crate::heap::{Request, Settings};
use crate::os::clone::{Child, End};
use crate::os::look::Channel;
use crate::os::{process, quit};
use crate::track;

/// How a look ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// What the user wants of the program.
    pub(super) verdict: Verdict,
    /// What the user has set at the prompt, if anything.
    pub(super) settings: Option<Settings>,
    /// What went wrong, if something did.
    pub(super) trouble: Option<String>,
}

/// What becomes of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    Quit(u8),
    Abort,
}

/// How often the program's side looks up: after a child stopped, a terminal taken, a signal to end.
const TICK: Duration = Duration::from_millis(100);
/// How long a look that nobody attends may take: a report into a pipe that nobody reads must not stay for ever.
const UNATTENDED: Duration = Duration::from_secs(30);

/// Waits until the look is over.
pub(super) fn until_over(child: &Child, channel: &Channel, place: &Place) -> Ending {
    let mut watch = Watch {
        verdict: Verdict::Continue,
        settings: None,
        ready: false,
    };
    let began = process::now_ns();
    loop {
        channel.wait(child, TICK);
        let ended = child.ended();
        watch.listen(channel);
        if let Some(end) = ended {
            return Ending {
                verdict: watch.verdict,
                settings: watch.settings,
                trouble: trouble(end),
            };
        }
        if let Some(reason) = reason_to_end(place, Duration::from_nanos(process::now_ns() - began))
        {
            child.kill();
            return Ending {
                verdict: Verdict::Continue,
                settings: watch.settings,
                trouble: Some(reason),
            };
        }
        place.watch_over(child);
        // Without a terminal nobody waits for a prompt, and the press has its answer.
        if watch.ready || !place.has_terminal() {
            quit::acknowledge();
        }
    }
}

/// Why a look that still runs must end now.
fn reason_to_end(place: &Place, taken: Duration) -> Option<String> {
    match place {
        Place::Terminal(..) => {
            process::pending_end().map(|signal| format!("{signal} waits for the program"))
        }
        Place::Nowhere(_) => (taken > UNATTENDED).then(|| "it took too long".to_string()),
    }
}

/// Tells the program what the look wants. False where it could not be said.
pub(super) fn ask(channel: &Channel, request: Request) -> bool {
    match request {
        Request::Continue => channel.send(b'C', &[]),
        Request::Quit(code) => channel.send(b'Q', &[code]),
        Request::Abort => channel.send(b'A', &[]),
        Request::Track(mode) => channel.send(b'T', mode.to_string().as_bytes()),
        Request::Remember(settings) => channel.send(b'S', settings.to_string().as_bytes()),
    }
}

/// Tells the program that the prompt is open: the press of the key has been answered.
pub(super) fn announce(channel: &Channel) {
    // Unsaid, the presses of a user who sees the prompt count as unanswered: the third ends the program.
    let _said = channel.send(b'R', &[]);
}

struct Watch {
    verdict: Verdict,
    settings: Option<Settings>,
    ready: bool,
}

impl Watch {
    fn listen(&mut self, channel: &Channel) {
        while let Some((kind, content)) = channel.receive() {
            match (kind, &content[..]) {
                (b'R', _) => self.ready = true,
                (b'C', _) => self.verdict = Verdict::Continue,
                (b'Q', &[code]) => self.verdict = Verdict::Quit(code),
                (b'A', _) => self.verdict = Verdict::Abort,
                (b'S', content) => self.settings = read_settings(content).or(self.settings),
                (b'T', content) => switch(content),
                // From a copy that has gone wrong.
                _ => {}
            }
        }
    }
}

/// Changes how much is recorded, at once.
fn switch(content: &[u8]) {
    let mode = std::str::from_utf8(content)
        .ok()
        .and_then(|mode| mode.parse().ok());
    if let Some(mode) = mode {
        track::set_mode(mode);
    }
}

fn read_settings(content: &[u8]) -> Option<Settings> {
    Settings::read(std::str::from_utf8(content).ok()?)
}

fn trouble(end: End) -> Option<String> {
    match end {
        End::Exited(0) => None,
        End::Exited(code) => Some(format!("a fault in sigheap (status {code})")),
        End::Killed(libc_signal) => Some(format!("signal {libc_signal} killed it")),
    }
}
