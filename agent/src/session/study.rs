//! The look itself, in the clone: capture, resolve, talk. Never returns: the clone ends here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::place::Place;
use super::{Looks, watch};
use crate::capture::{self, Frozen};
use crate::heap::{Host, Request, Untold};
use crate::os::look::{self, Channel};
use crate::os::{files::Mapped, process};
use crate::query::View;
use crate::resolve::Resolver;
use crate::talk::{self, Prompt, Tty};
use crate::track::arena;
use crate::trend::Counts;

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
    let counts = &looks.counts;
    let past = Counts::decode(&counts.latest());
    let past_sites = past
        .iter()
        .flat_map(|past| &past.groups)
        .map(|group| group.site);
    let snapshot = capture::heap(frozen, past_sites, &Mapped);
    let mut resolver = Resolver::new(snapshot.modules.clone(), &Mapped);
    let mut view = View::new(&snapshot, &mut resolver, past.as_ref());
    view.settings = looks.settings;
    counts.publish(&view.counts().encode(counts.room()));
    match (place, prompt) {
        (Place::Terminal(terminal, _), Some(prompt)) => {
            watch::announce(channel);
            // The key's own echo stands in the line.
            process::write(1, b"\r\n");
            prompt.run(&mut view, &mut Tty(terminal), &mut Asks(channel));
        }
        (Place::Nowhere(why), _) => {
            view.frozen = false;
            process::write(
                2,
                format!("sigheap: SIGQUIT; {why}, so in short:\n").as_bytes(),
            );
            process::write(2, talk::report_short(&mut view).as_bytes());
        }
        // The terminal went away between the two looks at it.
        (Place::Terminal(..), None) => {}
    }
}

/// Requests go to the program over the pipe.
struct Asks<'a>(&'a Channel);

impl Host for Asks<'_> {
    fn request(&mut self, request: Request) -> Result<(), Untold> {
        watch::ask(self.0, request).then_some(()).ok_or(Untold)
    }
}
