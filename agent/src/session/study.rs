//! The look itself, in the clone: capture, resolve, talk. Never returns: the clone ends here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::place::Place;
use super::{Looks, watch};
use crate::capture::{self, Frozen};
use crate::heap::{Before, Gap, Host, Request, Untold};
use crate::os::look::{self, Channel};
use crate::os::shared::Shared;
use crate::os::{files::Mapped, process};
use crate::query::View;
use crate::resolve::Resolver;
use crate::talk::{self, Prompt, Tty};
use crate::track::arena;
use crate::trend::{Damaged, Ledger};

/// Exit status of a look that panicked outside every command's own guard.
const PANICKED: u8 = 70;

/// The clone's whole life.
pub(super) fn run(
    frozen: Frozen,
    place: &Place,
    prompt: Option<Prompt>,
    channel: &Channel,
    looks: &Looks,
) -> ! {
    arena::set_in_clone();
    arena::limit(process::available_memory() / 2);
    log::set_max_level(log::LevelFilter::Off);
    let terminal = match place {
        Place::Terminal(terminal, settings) => Some((terminal, settings)),
        Place::Nowhere(_) => None,
    };
    look::settle(frozen.pid, terminal);
    let done = catch_unwind(AssertUnwindSafe(|| {
        study(frozen, place, prompt, channel, looks)
    }));
    look::leave(if done.is_ok() { 0 } else { PANICKED })
}

fn study(frozen: Frozen, place: &Place, prompt: Option<Prompt>, channel: &Channel, looks: &Looks) {
    let kept = &looks.kept;
    let (ledger, damage) = read(kept);
    let mut snapshot = capture::heap(frozen, ledger.sites(), &Mapped);
    snapshot.gaps.extend(damage);
    watch::tell_memory(
        channel,
        &Before {
            memory: snapshot.memory,
            taken_ns: snapshot.taken_ns,
        },
    );
    let mut resolver = Resolver::new(snapshot.modules.clone(), &Mapped);
    let mut view = View::open(&snapshot, &mut resolver, ledger, kept.room());
    view.settings = looks.settings;
    let mut host = Asks { channel, kept };
    // Before anything that may fail. Without it the next look says that it is the first.
    let _kept = view.hand_on(&mut host);
    match (place, prompt) {
        (Place::Terminal(terminal, _), Some(prompt)) => {
            watch::announce(channel);
            // The key's own echo stands in the line.
            process::write(1, b"\r\n");
            prompt.run(&mut view, &mut Tty(terminal), &mut host);
        }
        (Place::Nowhere(why), _) => {
            view.frozen = false;
            process::write(
                2,
                format!("sigheap: SIGQUIT; {why}, so in short:\n").as_bytes(),
            );
            process::write(2, talk::report_short(&mut view, &mut host).as_bytes());
        }
        // The terminal went away between the two looks at it.
        (Place::Terminal(..), None) => {}
    }
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
}

impl Host for Asks<'_> {
    fn request(&mut self, request: Request) -> Result<(), Untold> {
        watch::ask(self.channel, request)
            .then_some(())
            .ok_or(Untold)
    }

    fn keep(&mut self, content: &[u8]) -> Result<(), Untold> {
        self.kept.publish(content).then_some(()).ok_or(Untold)
    }
}
