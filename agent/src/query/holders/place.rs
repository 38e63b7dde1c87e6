//! The place of a root's word, by name: which static, which thread's stack in which function.

use std::rc::Rc;

use crate::heap::{Address, Datum, RootHold, RootKind, Thread, Words};
use crate::query::View;

/// Where a word of a root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// What it is, the same for all words of one variable or function: `static demo_server::CACHE`.
    pub(crate) text: Rc<str>,
    /// How far into that the word is, in bytes, where that says something.
    pub(crate) offset: Option<u64>,
    /// The word's address; none for a register's.
    pub(crate) address: Option<Address>,
    /// What kind of root: `static`, `thread-local`, `stack`, `register`, `untracked`, `leftover`.
    pub(crate) kind: &'static str,
}

impl Place {
    /// Of a word that holds a block.
    pub(crate) fn of(view: &mut View<'_>, hold: RootHold) -> Self {
        let root = view.snapshot.roots.get(hold.root as usize);
        let Some(root) = root else {
            return Place::new("unknown", "a root".to_owned(), None, None);
        };
        let (start, address) = match &root.words {
            Words::At(range) => (range.start, Some(Address(hold.at))),
            Words::Values(_) => (0, None),
        };
        match root.kind {
            RootKind::Static { module } => of_static(view, module, hold.at),
            RootKind::ThreadLocal { tid, module } => {
                of_thread_local(view, tid, module, hold.at, start)
            }
            RootKind::Stack { tid } => {
                let function = function_at(view, tid, hold.at);
                let function = function
                    .map(|name| format!(", in {name}"))
                    .unwrap_or_default();
                Place::new(
                    "stack",
                    format!("stack of {}{function}", thread(view, tid)),
                    None,
                    address,
                )
            }
            RootKind::Register { tid } => {
                let name = match address {
                    Some(_) => "vector register",
                    None => "register",
                };
                Place::new(
                    "register",
                    format!("{name} of {}", thread(view, tid)),
                    None,
                    address,
                )
            }
            RootKind::Untracked => Place::new(
                "untracked",
                "memory that is not tracked".to_owned(),
                None,
                address,
            ),
            RootKind::Leftover { tid } => Place::new(
                "leftover",
                format!("left over on the stack of {}", thread(view, tid)),
                None,
                address,
            ),
        }
    }

    fn new(
        kind: &'static str,
        text: String,
        offset: Option<u64>,
        address: Option<Address>,
    ) -> Self {
        Place {
            text: text.into(),
            offset,
            address,
            kind,
        }
    }
}

/// A place with how far into it the word is: `static demo_server::CACHE +0x18`.
pub(crate) fn root_text(place: &Place) -> String {
    match place.offset {
        Some(offset) if offset > 0 => format!("{} {}", place.text, super::offset_text(offset)),
        _ => place.text.to_string(),
    }
}

fn of_static(view: &mut View<'_>, module: u32, at: u64) -> Place {
    let Some(file) = view.snapshot.modules.get(module as usize) else {
        return Place::new("static", "a static".to_owned(), None, Some(Address(at)));
    };
    let datum = Datum {
        module,
        address: file.to_file(at),
        thread_local: false,
    };
    let (text, offset) = match view.names.variable(datum) {
        Some(variable) => (format!("static {}", variable.name), variable.offset),
        None => (format!("data of {}", last_part(&file.name)), datum.address),
    };
    Place::new("static", text, Some(offset), Some(Address(at)))
}

fn of_thread_local(
    view: &mut View<'_>,
    tid: u32,
    module: Option<u32>,
    at: u64,
    start: u64,
) -> Place {
    let datum = module.map(|module| Datum {
        module,
        address: at - start,
        thread_local: true,
    });
    let variable = datum.and_then(|datum| view.names.variable(datum));
    let of = thread(view, tid);
    let (text, offset) = match variable {
        Some(variable) => (
            format!("thread-local {} of {of}", variable.name),
            Some(variable.offset),
        ),
        None => (format!("thread-local data of {of}"), None),
    };
    Place::new("thread-local", text, offset, Some(Address(at)))
}

/// The function in whose frame an address on a thread's stack is.
fn function_at(view: &mut View<'_>, tid: u32, at: u64) -> Option<Rc<str>> {
    let thread = find(view, tid)?;
    let frame = thread
        .stack_at
        .partition_point(|sp| *sp <= at)
        .checked_sub(1)?;
    let address = *thread.stack.frames.get(frame)?;
    let frames = view.names.frames(address);
    frames.last().map(|frame| Rc::clone(&frame.function))
}

/// By name alone where no other thread is called so, else with its number.
fn thread(view: &View<'_>, tid: u32) -> String {
    match find(view, tid) {
        Some(thread) => thread.name.clone(),
        None => format!("thread {tid}"),
    }
}

fn find<'a>(view: &View<'a>, tid: u32) -> Option<&'a Thread> {
    view.snapshot
        .threads
        .iter()
        .find(|thread| thread.tid == tid)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
