//! The program's side of a look: wait for the clone, listen to it, and end it when the program is wanted elsewhere.

use std::time::Duration;

use super::place::Place;
use super::study::{self, NO_MEMORY};
use crate::heap::{Before, Call, MemorySplit, Request, Settings};
use crate::os::clone::{Child, End};
use crate::os::look::Channel;
use crate::os::{process, quit};
use crate::track;

/// How a look ended.
#[derive(Debug)]
pub(super) struct Ending {
    /// What the user wants of the program.
    pub(super) verdict: Verdict,
    /// Where the memory was.
    pub(super) memory: Option<Before>,
    /// What the user has set at the prompt, if anything.
    pub(super) settings: Option<Settings>,
    /// What went wrong, if something did.
    pub(super) trouble: Option<String>,
}

/// What becomes of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    Quit(u8),
    Abort,
    /// Go on, run a command of its own, be looked at again. The copy stands by.
    Call(Call),
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
        memory: None,
        ready: false,
    };
    let began = process::now_ns();
    loop {
        channel.wait(child, TICK);
        let ended = child.ended();
        watch.listen(channel);
        if let Some(end) = ended {
            return Ending {
                // A copy that died has not stood by.
                verdict: match watch.verdict {
                    Verdict::Call(_) => Verdict::Continue,
                    verdict => verdict,
                },
                memory: watch.memory,
                settings: watch.settings,
                trouble: trouble(end),
            };
        }
        if matches!(watch.verdict, Verdict::Call(_)) {
            return Ending {
                verdict: watch.verdict,
                memory: watch.memory,
                settings: watch.settings,
                trouble: None,
            };
        }
        if let Some(reason) = reason_to_end(place, Duration::from_nanos(process::now_ns() - began))
        {
            child.kill();
            return Ending {
                verdict: Verdict::Continue,
                memory: watch.memory,
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
        Request::Run(call) => channel.send(b'X', &call.encode()),
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
    memory: Option<Before>,
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
                (b'M', content) => self.memory = read_memory(content).or(self.memory),
                (b'X', content) => {
                    if let Some(call) = Call::decode(content) {
                        self.verdict = Verdict::Call(call);
                    }
                }
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

/// Tells the program where the memory is, for the next look to compare with.
pub(super) fn tell_memory(channel: &Channel, now: &Before) {
    let content: Vec<u8> = figures(now)
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    // Unsaid, the next look compares with the one before.
    let _said = channel.send(b'M', &content);
}

/// Stands for what could not be told.
const UNTOLD: u64 = u64::MAX;

fn figures(before: &Before) -> [u64; 10] {
    let memory = &before.memory;
    let told = |bytes: Option<u64>| bytes.unwrap_or(UNTOLD);
    [
        before.taken_ns,
        memory.resident,
        memory.live,
        told(memory.rounding),
        told(memory.free),
        told(memory.foreign),
        memory.own,
        memory.stacks,
        memory.files,
        memory.unexplained,
    ]
}

/// Reads what [`tell_memory`] wrote. None for anything of another length, or parts that add up to nothing possible.
fn read_memory(content: &[u8]) -> Option<Before> {
    let (words, rest) = content.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let [
        taken_ns,
        resident,
        live,
        rounding,
        free,
        foreign,
        own,
        stacks,
        files,
        unexplained,
    ] = words[..]
    else {
        return None;
    };
    let told = |bytes: u64| (bytes != UNTOLD).then_some(bytes);
    let (rounding, free, foreign) = (told(rounding), told(free), told(foreign));
    let memory = MemorySplit {
        resident,
        live,
        rounding,
        free,
        foreign,
        own,
        stacks,
        files,
        unexplained,
        largest_other: None,
    };
    /// More than any machine has: sums of these stay far from overflowing.
    const TOO_MUCH: u64 = 1 << 56;
    let told = [rounding, free, foreign].into_iter().flatten();
    let mut all = told.chain([resident, live, own, stacks, files, unexplained]);
    (rest.is_empty() && all.all(|bytes| bytes < TOO_MUCH)).then_some(Before { memory, taken_ns })
}

fn read_settings(content: &[u8]) -> Option<Settings> {
    Settings::read(std::str::from_utf8(content).ok()?)
}

fn trouble(end: End) -> Option<String> {
    match end {
        End::Exited(0) => None,
        End::Exited(code) if code == i32::from(NO_MEMORY) => Some(format!(
            "it needed more memory than the {} MiB that it may have: half of what the machine and its control groups have \
             left, and at most an eighth of `ulimit -v`",
            study::room() >> 20
        )),
        End::Exited(code) => Some(format!("a fault in sigheap (status {code})")),
        End::Killed(libc_signal) => Some(format!("signal {libc_signal} killed it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_and_nonsense_is_not_heard() {
        let before = Before {
            memory: MemorySplit {
                resident: 100,
                live: 10,
                rounding: Some(0),
                free: None,
                foreign: Some(3),
                unexplained: 7,
                ..MemorySplit::default()
            },
            taken_ns: 5,
        };
        let bytes: Vec<u8> = figures(&before)
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        assert_eq!(read_memory(&bytes), Some(before));
        assert_eq!(read_memory(&bytes[1..]), None);
        assert_eq!(read_memory(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(read_memory(&[0xf0; 80]), None);
        assert_eq!(read_memory(&[]), None);
    }
}
