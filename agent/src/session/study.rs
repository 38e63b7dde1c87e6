//! The look itself, in the clone: capture, resolve, talk. Never returns: the clone ends here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::place::Place;
use super::{Looks, watch};
use crate::capture::{self, Frozen};
use crate::heap::{Answered, Before, Gap, Host, Module, Request, Told, Untold};
use crate::os::look::{self, Channel};
use crate::os::shared::Shared;
use crate::os::{files::Mapped, process, quit, signals};
use crate::query::{self, View};
use crate::resolve::Resolver;
use crate::talk::{self, Meanwhile, Prompt, Tty};
use crate::track::arena;
use crate::trend::{Damaged, Ledger, decode_names, encode_names};

/// Exit status of a look that panicked outside every command's own guard.
const PANICKED: u8 = 70;
/// Exit status of a look that had no memory left.
pub(super) const NO_MEMORY: u8 = 71;

/// What a look needs beside the frozen heap.
pub(super) struct Study<'a> {
    pub(super) place: &'a Place,
    pub(super) channel: &'a Channel,
    pub(super) looks: &'a Looks,
    /// The program's own commands, with what each says of itself.
    pub(super) commands: Vec<(String, String)>,
    /// What one of them answered just now; the look goes on with that at the same prompt.
    pub(super) answered: Option<&'a Answered>,
}

/// Bytes that a look may take, as far as they are known before: half of what is left.
pub(super) fn room() -> u64 {
    arena::size().min(process::available_memory() / 2)
}

impl Study<'_> {
    /// The clone's whole life.
    pub(super) fn run(self, frozen: Frozen, prompt: Option<Prompt>) -> ! {
        arena::set_in_clone();
        log::set_max_level(log::LevelFilter::Off);
        let terminal = match self.place {
            Place::Terminal(terminal, settings) => Some((terminal, settings)),
            Place::Nowhere(_) => None,
        };
        look::settle(frozen.pid, terminal);
        look::tell_want_of_memory(NO_MEMORY, arena::ran_out);
        // Only now: whatever may go wrong, the keys are this process's by then.
        arena::limit(room());
        match catch_unwind(AssertUnwindSafe(|| self.study(frozen, prompt))) {
            Ok(Left::Over) => look::leave(0),
            Ok(Left::Calling) => look::stand_by(),
            Err(_) => look::leave(PANICKED),
        }
    }

    fn study(&self, frozen: Frozen, prompt: Option<Prompt>) -> Left {
        let kept = &self.looks.kept;
        let (ledger, damage) = read(kept);
        let files = Mapped::default();
        let mut snapshot = capture::heap(frozen, ledger.sites(), &files);
        snapshot.gaps.extend(damage);
        let before = Before {
            memory: snapshot.memory,
            taken_ns: snapshot.taken_ns,
        };
        watch::tell_memory(self.channel, &before);
        let tty = match self.place {
            Place::Terminal(terminal, _) => Some(Tty(terminal)),
            Place::Nowhere(_) => None,
        };
        let meanwhile = Meanwhile::new(tty.as_ref().map(|tty| tty as _));
        let mut resolver = Resolver::new(snapshot.modules.clone(), &files);
        resolver.tell(&meanwhile);
        let names = &self.looks.names;
        resolver.know(decode_names(&names.latest(), &snapshot.modules).unwrap_or_default());
        let memory = capture::memory_of_the_program(snapshot.pid);
        let mut view = View::open(&snapshot, &mut resolver, &memory, ledger, kept.room());
        view.settings = self.looks.settings;
        view.waiting = &meanwhile;
        if self.answered.is_some() {
            view.renew();
        }
        for (name, summary) in &self.commands {
            query::add(name, summary);
        }
        let mut host = Asks {
            channel: self.channel,
            kept,
            names,
            modules: &snapshot.modules,
            left: Left::Over,
        };
        // Before anything that may fail. Without it the next look says that it is the first.
        let _kept = view.hand_on(&mut host);
        match (self.place, prompt) {
            (Place::Terminal(terminal, _), Some(prompt)) => {
                watch::announce(self.channel);
                if self.answered.is_none() {
                    // The key's own echo stands in the line.
                    process::write(1, b"\r\n");
                }
                let answered = self.answered;
                prompt.run(
                    &mut view,
                    &mut Tty(terminal),
                    &mut host,
                    answered,
                    &meanwhile,
                );
                return host.left;
            }
            (Place::Nowhere(why), _) => {
                view.frozen = false;
                let signal = signals::name(quit::signal());
                let head = format!("sigheap: {signal}; {why}, so in short:\n");
                process::write(2, head.as_bytes());
                process::write(2, talk::report_short(&mut view, &mut host).as_bytes());
            }
            // The terminal went away between the two looks at it.
            (Place::Terminal(..), None) => {}
        }
        Left::Over
    }
}

/// Why the conversation ended.
#[derive(Clone, Copy)]
enum Left {
    Over,
    /// The program runs a command of its own, and there will be another look.
    Calling,
}

/// What the looks before hand on.
fn read(kept: &Shared) -> (Ledger, Option<Gap>) {
    match Ledger::decode(&kept.latest()) {
        Ok(ledger) => (ledger, None),
        Err(Damaged) => {
            let what = "what the looks before counted, and the marks";
            let why = "the memory that hands them on was written over";
            (Ledger::default(), Some(Gap::new(what, why)))
        }
    }
}

/// Requests go to the program over the pipe; what is to be kept goes into the memory shared with it.
struct Asks<'a> {
    channel: &'a Channel,
    kept: &'a Shared,
    names: &'a Shared,
    modules: &'a [Module],
    left: Left,
}

impl Host for Asks<'_> {
    fn request(&mut self, request: Request) -> Result<(), Untold> {
        let calls = matches!(request, Request::Run(_));
        if !watch::ask(self.channel, request) {
            return Err(Untold);
        }
        if calls {
            self.left = Left::Calling;
        }
        Ok(())
    }

    fn keep(&mut self, content: &[u8]) -> Result<(), Untold> {
        self.kept.publish(content).then_some(()).ok_or(Untold)
    }

    fn keep_names(&mut self, told: &[Told]) {
        let bytes = encode_names(told, self.modules, self.names.room());
        // Unkept, the next look reads debug information again.
        let _kept = self.names.publish(&bytes);
    }
}
