//! `threads`: what the frozen threads were doing, as a debugger shows it, those that do the same put together.

use std::collections::HashMap;
use std::rc::Rc;

use super::calls::call_name;
use super::near::nearest;
use super::pattern::glob_matches;
use super::stack::{ALL, expand, label, lines, telling, value};
use super::{Argument, Command, Error, Example, Kind, Typed, View};
use crate::heap::{Doing, Frame, Host, Thread};
use crate::report::{Column, Line, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "threads",
    aliases: &["bt"],
    summary: "the call stacks of the frozen threads",
    help: "Every thread with its id, its name, what it was doing when it stopped (running, or the system call it was in) and \
           its call stack, innermost frame first, inlined functions included: the program's own frames, with those of \
           libraries and the runtime folded. Threads with equal stacks are put together. With a thread's id, a name (also a \
           glob) or the number of a row, those alone, with the libraries' frames; with --full every frame. What could not be stopped is named with why.",
    arguments: &[Argument {
        name: "THREAD",
        kind: Kind::Thread,
        optional: true,
        help: "an id, a name, or a numbered row (#3); all unless given",
    }],
    examples: &[
        Example {
            line: "threads",
            says: "all, idle workers in a line",
        },
        Example {
            line: "threads worker",
            says: "the threads called so, every frame",
        },
        Example {
            line: "bt --full",
            says: "with the runtime's frames",
        },
    ],
    from: "gdb's thread apply all backtrace, pyrasite's dump_stacks",
    run,
    ..Command::PLAIN
};

/// Threads that did the same at the same place.
struct Group<'v> {
    threads: Vec<&'v Thread>,
    frames: Vec<Frame>,
}

/// What threads of one group have in common.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    doing: Doing,
    places: Vec<(Rc<str>, Rc<str>, u32)>,
    /// Of a thread that did not stop, who it is: it has no stack to have in common.
    tid: Option<u32>,
    broken: bool,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let word = typed.words.first();
    let chosen = match word {
        None => view.snapshot.programs_threads().collect(),
        Some(word) => chosen(view, word)?,
    };
    let groups = groups(view, &chosen);
    let most = match word {
        None => view.settings.frames as usize,
        Some(_) => ALL,
    };
    let full = typed.full();
    let row = |group: &Group<'_>| row(group, most, full);
    Ok(Report {
        command: COMMAND.name,
        head: head(view, &chosen, groups.len()),
        columns: COLUMNS.to_vec(),
        rows: groups.iter().map(row).collect(),
        objects: groups.iter().map(object).collect(),
        total: vec![("threads", Value::Count(chosen.len() as u64))],
        notes: match word {
            None => notes(view, groups.len()),
            Some(_) => Vec::new(),
        },
        gaps: view.names.gaps(),
        ..Report::default()
    })
}

fn notes(view: &View<'_>, groups: usize) -> Vec<String> {
    let shown = (groups > 0).then(|| "`threads #1` shows more frames of a row".to_owned());
    let all = view.snapshot.threads.iter();
    let own: Vec<&str> = all
        .filter(|thread| thread.is_agents())
        .map(|thread| thread.name.as_str())
        .collect();
    let own = own
        .first()
        .map(|name| format!("Without sigheap's own: `threads {name}`"));
    shown.into_iter().chain(own).collect()
}

static COLUMNS: [Column; 7] = [
    Column::new("count", "threads"),
    Column::new("tid", "tid"),
    Column::flexible("name", "name"),
    Column::new("state", "state"),
    Column::new("members", ""),
    Column::new("stopped", ""),
    Column::new("stack", ""),
];

/// The threads that a word means.
fn chosen<'v>(view: &View<'v>, word: &str) -> Result<Vec<&'v Thread>, Error> {
    let threads = &view.snapshot.threads;
    let meant: Vec<&Thread> = match view.row(word)? {
        Some(Object::Threads(tids)) => threads
            .iter()
            .filter(|thread| tids.contains(&thread.tid))
            .collect(),
        Some(other) => {
            return Err(Error::WrongRow {
                word: word.to_owned(),
                is: other.kind(),
                wanted: "the row of a thread: `threads` first",
            });
        }
        None => {
            let is_meant = |thread: &&Thread| {
                thread.tid.to_string() == word || glob_matches(word, &thread.name)
            };
            threads.iter().filter(is_meant).collect()
        }
    };
    if meant.is_empty() {
        let names = threads.iter().map(|thread| thread.name.as_str());
        return Err(Error::NoThread {
            word: word.to_owned(),
            near: nearest(word, names),
        });
    }
    Ok(meant)
}

/// In the order of their first threads.
fn groups<'v>(view: &mut View<'_>, threads: &[&'v Thread]) -> Vec<Group<'v>> {
    let mut places: HashMap<Key, usize> = HashMap::new();
    let mut groups: Vec<Group<'v>> = Vec::new();
    for thread in threads {
        let frames = expand(&thread.stack, view.names);
        let place = *places.entry(key(thread, &frames)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.threads.push(thread),
            None => groups.push(Group {
                threads: vec![thread],
                frames,
            }),
        }
    }
    groups
}

fn key(thread: &Thread, frames: &[Frame]) -> Key {
    let place = |frame: &Frame| {
        (
            Rc::clone(&frame.function),
            Rc::clone(&frame.file),
            frame.line,
        )
    };
    Key {
        doing: thread.doing,
        places: frames.iter().map(place).collect(),
        tid: thread.stopped.is_err().then_some(thread.tid),
        broken: thread.stack.marks.truncated(),
    }
}

fn head(view: &View<'_>, threads: &[&Thread], groups: usize) -> Vec<String> {
    let stopped = threads
        .iter()
        .filter(|thread| thread.stopped.is_ok())
        .count();
    let mut head = format!("{} stopped", count(stopped as u64, "thread"));
    match threads.len() - stopped {
        0 => {}
        1 => head += ", and 1 that runs on",
        more => head += &format!(", and {more} that run on"),
    }
    if stopped > groups {
        head += &format!(", with {} between them", count(groups as u64, "call stack"));
    }
    match view.frozen {
        true => vec![head + "."],
        false => vec![head + "; they run on by now."],
    }
}

fn row(group: &Group<'_>, most: usize, full: bool) -> Row {
    let first = group.threads[0];
    let member = |thread: &&Thread| {
        Value::Map(vec![
            ("tid", Value::Count(thread.tid.into())),
            ("name", Value::text(&thread.name)),
        ])
    };
    Row {
        below: below(first, &group.frames, most, full),
        ..Row::new([
            Value::Count(group.threads.len() as u64),
            // Without thousands.
            Value::Text(first.tid.to_string()),
            Value::Text(names(&group.threads)),
            Value::Text(state(first)),
            Value::List(group.threads.iter().map(member).collect()),
            Value::Flag(first.stopped.is_ok()),
            value(&group.frames),
        ])
    }
}

fn below(thread: &Thread, frames: &[Frame], most: usize, full: bool) -> Vec<Line> {
    if let Err(why) = &thread.stopped {
        return vec![Line {
            text: format!("not stopped: {why}"),
            dim: true,
        }];
    }
    let most = if full { ALL } else { most };
    let mut below = lines(frames, Some(&thread.stack), most, full);
    below.extend(begin(frames, most));
    below
}

/// Where a thread began, if its stack is cut: the outermost Rust frame of the program's own, or else of its libraries,
/// tells one waiting thread from another. All begin in the same few functions of C.
fn begin(frames: &[Frame], most: usize) -> Option<Line> {
    let shown = frames.iter().filter(|frame| telling(frames, true)(frame));
    let rust = shown
        .skip(most)
        .filter(|frame| frame.function.contains("::"));
    rust.last().map(|frame| Line {
        text: format!("began in {}", label(std::slice::from_ref(frame), false)),
        dim: false,
    })
}

fn object(group: &Group<'_>) -> Object {
    let tids = group.threads.iter().map(|thread| thread.tid);
    Object::Threads(tids.collect())
}

fn state(thread: &Thread) -> String {
    match (&thread.stopped, thread.doing) {
        (Err(_), _) => "runs on".to_owned(),
        (_, Doing::Running) => "running".to_owned(),
        (_, Doing::Unknown) => "not known".to_owned(),
        (_, Doing::Calling(None)) => "in a system call".to_owned(),
        (_, Doing::Calling(Some(number))) => format!("in {}", call_name(number)),
    }
}

/// Names shown of a group.
const NAMES: usize = 3;

/// The names of threads, each once: `worker`, `pool-1, pool-2, ...`.
fn names(threads: &[&Thread]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for thread in threads {
        if !names.contains(&thread.name.as_str()) {
            names.push(&thread.name);
        }
        if names.len() > NAMES {
            return format!("{}, ...", names[..NAMES].join(", "));
        }
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixture::{Asked, Book, snapshot};

    #[test]
    fn the_agents_own_thread_is_left_out_and_named() {
        let (mut snapshot, mut book) = (snapshot(), Book::default());
        snapshot.threads[1].name = crate::heap::ERRANDS.to_owned();
        let mut view = View::new(&snapshot, &mut book, None);
        let mut ask = |words: &[String]| COMMAND.answer(&mut view, words, &mut Asked::default());
        let all = ask(&[]).unwrap();
        assert!(all.head[0].starts_with("1 thread stopped, and 1 that runs on"));
        let offered = all.notes.last().unwrap().split('`').nth(1).unwrap();
        assert_eq!(offered, "threads sigheap-errands");
        assert_eq!(ask(&["sigheap-errands".to_owned()]).unwrap().rows.len(), 1);
    }

    #[test]
    fn a_cut_stack_says_where_its_thread_began() {
        let frame = |function: &str, machinery| Frame {
            function: function.into(),
            machinery,
            ..Frame::default()
        };
        let stack = [
            frame("park", false),
            frame("serve", false),
            frame("server::main", false),
            frame("lang_start", true),
            frame("__libc_start_main", false),
        ];
        let text = |most| begin(&stack, most).map(|line| line.text);
        assert_eq!(text(2).as_deref(), Some("began in server::main"));
        assert_eq!(text(3), None);
        assert_eq!(text(ALL), None);
    }
}
