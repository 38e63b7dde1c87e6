//! The place of a root's word, by name: which static, which thread's stack in which function.

use std::rc::Rc;

use crate::heap::{Address, Content, Datum, RootHold, RootKind, Thread, Variable, Words};
use crate::query::View;

use super::Holders;

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
                Place::new("stack", on_stack(view, tid, hold.at), None, address)
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

    /// The same; where several words of one stack hold the block, of one that has a name: others may be old copies.
    pub(crate) fn best(view: &mut View<'_>, holders: &Holders, hold: RootHold) -> Self {
        /// Words that are looked at.
        const FEW: usize = 16;
        let same = |other: &&RootHold| other.root == hold.root;
        let holds = holders.graph.holds(hold.to).iter();
        let others: Vec<RootHold> = holds.filter(same).take(FEW).copied().collect();
        let first = Place::of(view, hold);
        if first.kind != "stack" {
            return first;
        }
        let mut others = others.into_iter().map(|other| Place::of(view, other));
        let named = others.find(|place| place.text.starts_with(LOCAL));
        named.unwrap_or(first)
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
        Some(variable) => named(view, at, format!("static {}", variable.name), &variable),
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
        Some(variable) => {
            let name = format!("thread-local {}", variable.name);
            let (text, offset) = named(view, at, name, &variable);
            (format!("{text} of {of}"), Some(offset))
        }
        None => (format!("thread-local data of {of}"), None),
    };
    Place::new("thread-local", text, offset, Some(Address(at)))
}

/// A variable with the fields that lead to an address in it; where those are not known, how far into it that is.
fn named(view: &mut View<'_>, at: u64, name: String, variable: &Variable) -> (String, u64) {
    let contents = view.contents();
    let walker = view.walker();
    let spot = contents.variables(view).around(&walker, at);
    let spot = spot.filter(|spot| at - spot.at.0 == variable.offset);
    let fields = spot.and_then(|spot| {
        let size = variable.offset.saturating_add(1);
        walker.place_in(Content::One(spot.of), spot.at, size, variable.offset)
    });
    match fields {
        Some(fields) if fields.is_empty() => (name, 0),
        // Numbers differ from place to place.
        Some(fields) => (format!("{name}.{}", without_numbers(&fields)), 0),
        None => (name, variable.offset),
    }
}

/// `index[17].1` as `index[..].1`.
pub(crate) fn without_numbers(field: &str) -> String {
    let mut parts = field.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.split_once(']').map_or("", |(_, rest)| rest);
        text + "[..]" + rest
    })
}

/// How the place of a local variable begins.
const LOCAL: &str = "local ";

/// The place of a word on a thread's stack: in which local variable of which function, as far as that is known.
fn on_stack(view: &mut View<'_>, tid: u32, at: u64) -> String {
    let of = thread(view, tid);
    let Some((address, at, end)) = frame_at(view, tid, at) else {
        return format!("stack of {of}");
    };
    let local = view.names.local(address, at, end);
    let frames = view.names.frames(address);
    let Some(frame) = frames.last() else {
        return format!("stack of {of}");
    };
    match local {
        Some(name) => {
            let place = match (last_part(&frame.file), frame.line) {
                ("", _) | (_, 0) => String::new(),
                (file, line) => format!(" ({file}:{line})"),
            };
            format!("{LOCAL}{name} in {}{place} of {of}", frame.function)
        }
        None => format!("stack of {of}, in {}", frame.function),
    }
}

/// The return address of the frame that an address on a thread's stack is in, and how far from that frame's stack pointer it
/// and the frame's end are, in bytes.
fn frame_at(view: &View<'_>, tid: u32, at: u64) -> Option<(Address, i64, Option<i64>)> {
    let thread = find(view, tid)?;
    let stacks = &thread.stack_at;
    let frame = stacks.partition_point(|sp| *sp <= at).checked_sub(1)?;
    let (sp, end) = (stacks[frame], stacks.get(frame + 1));
    let from_sp = |to: u64| to.wrapping_sub(sp).cast_signed();
    let address = *thread.stack.frames.get(frame)?;
    Some((address, from_sp(at), end.map(|end| from_sp(*end))))
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
