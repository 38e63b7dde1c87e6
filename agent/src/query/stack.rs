//! How a call stack reads: the program's own frames first, libraries and machinery in between folded.

use std::rc::Rc;

use crate::heap::{Frame, Names, Site, SiteId};
use crate::report::{Line, Value, count};

use super::View;

/// The logical frames of a site, innermost first; none if no stack was taken.
pub(crate) fn frames(view: &mut View<'_>, id: SiteId) -> Vec<Frame> {
    match view.site(id) {
        Some(site) => expand(site, view.names),
        None => Vec::new(),
    }
}

/// As many own frames as there are.
pub(crate) const ALL: usize = usize::MAX;
/// All of the program's own, and its libraries folded.
pub(crate) const OWN: usize = usize::MAX - 1;

/// A stack for people: one line a frame, the allocation machinery and the runtime folded into a dim line. Where `most`
/// frames are wanted at the most, they are the program's own, and its libraries are folded as well; `full` shows every
/// frame.
pub(crate) fn lines(frames: &[Frame], site: Option<&Site>, most: usize, full: bool) -> Vec<Line> {
    let shows = telling(frames, most != ALL);
    let mut lines = Vec::new();
    let mut folded: Vec<&Frame> = Vec::new();
    let mut shown = 0;
    for (i, frame) in frames.iter().enumerate() {
        if !full && !shows(frame) {
            folded.push(frame);
            continue;
        }
        if shown == most {
            let left = frames.len() - i + folded.len();
            lines.push(dim(format!("... {left} more frames")));
            return lines;
        }
        if shown == 0 && most != ALL && folded.iter().all(|frame| frame.machinery) {
            // Where few lines are wanted, this one says least.
            folded.clear();
        }
        lines.extend(fold(std::mem::take(&mut folded)));
        shown += 1;
        lines.push(Line {
            text: if full {
                describe(frame, full)
            } else {
                describe_short(frame)
            },
            dim: frame.machinery,
        });
    }
    lines.extend(fold(folded));
    if let Some(missing) = site.and_then(missing) {
        lines.push(dim(missing.to_owned()));
    }
    lines
}

/// Which frames say why a stack came about: not those of the allocator and the runtime, and `own_alone` not those of
/// libraries either. Where that leaves none, the next best do.
pub(crate) fn telling(frames: &[Frame], own_alone: bool) -> fn(&Frame) -> bool {
    let own: fn(&Frame) -> bool = |frame| !frame.machinery && !frame.library;
    let not_machinery: fn(&Frame) -> bool = |frame| !frame.machinery;
    let choices = [own, not_machinery]
        .into_iter()
        .skip(usize::from(!own_alone));
    let mut choices = choices.filter(|shows| frames.iter().any(shows));
    choices.next().unwrap_or(|_| true)
}

/// A stack for programs: every frame with its parts.
pub(crate) fn value(frames: &[Frame]) -> Value {
    let frame = |frame: &Frame| {
        Value::Map(vec![
            ("function", Value::text(&*frame.function)),
            ("file", text_or_none(&frame.file)),
            ("line", line_or_none(frame.line)),
            ("inlined", Value::Flag(frame.inlined)),
            ("machinery", Value::Flag(frame.machinery)),
            ("library", Value::Flag(frame.library)),
        ])
    };
    Value::List(frames.iter().map(frame).collect())
}

/// A site in a line: the innermost frame of the program's own; `full` with the whole path of its file.
pub(crate) fn label(frames: &[Frame], full: bool) -> String {
    match frames.iter().find(|frame| telling(frames, true)(frame)) {
        Some(frame) => describe(frame, full),
        None => "no stack was taken".to_owned(),
    }
}

/// The same for a narrow column: the function's last two names and the line, `Cache::open:32`; for programs, and with
/// `full`, as [`label`] has it.
pub(crate) fn short_label(frames: &[Frame], full: bool) -> Value {
    let whole = label(frames, full);
    let frame = frames.iter().find(|frame| telling(frames, true)(frame));
    let short = frame.filter(|_| !full).map(|frame| match frame.line {
        0 => ends(&frame.function),
        line => format!("{}:{line}", ends(&frame.function)),
    });
    Value::Name {
        short: short.unwrap_or_else(|| whole.clone()).into(),
        full: whole.into(),
    }
}

/// The last two parts of a function's path, and the closures in it.
fn ends(path: &str) -> String {
    let parts = parts(path);
    let closures = parts.iter().rev().take_while(|part| part.starts_with('{'));
    let kept = 2 + closures.count();
    parts[parts.len().saturating_sub(kept)..].join("::")
}

/// The number of a site as a value.
pub(crate) fn id_value(id: SiteId) -> Value {
    Value::Count(u64::from(id.0))
}

/// The logical frames of a call stack, innermost first.
pub(crate) fn expand(site: &Site, names: &mut dyn Names) -> Vec<Frame> {
    let logical = |address: &_| -> Rc<[Frame]> { names.frames(*address) };
    let physical: Vec<_> = site.frames.iter().map(logical).collect();
    physical
        .iter()
        .flat_map(|one| one.iter().cloned())
        .collect()
}

fn describe(frame: &Frame, full: bool) -> String {
    let function = &frame.function;
    let file = match full {
        true => &*frame.file,
        false => short_file(&frame.file),
    };
    match (file, frame.line) {
        ("", _) => function.to_string(),
        (file, 0) => format!("{function} at {file}"),
        (file, line) => format!("{function} at {file}:{line}"),
    }
}

/// Columns that a frame's line has in a terminal of 80, indented.
const COLUMNS: usize = 74;

/// The same, without the modules in the middle of its path where it would not fit: they are what says least.
fn describe_short(frame: &Frame) -> String {
    let whole = describe(frame, false);
    let over = whole.chars().count().saturating_sub(COLUMNS);
    let room = frame.function.chars().count().saturating_sub(over);
    let short = Frame {
        function: without_middle(&frame.function, room).into(),
        ..frame.clone()
    };
    if over == 0 {
        whole
    } else {
        describe(&short, false)
    }
}

/// A path of at most so many characters, if its crate and its last two parts leave room: `tokio::…::Inner::park`.
fn without_middle(path: &str, room: usize) -> String {
    let parts = parts(path);
    let shorter = (2..parts.len().saturating_sub(1))
        .map(|from| format!("{}::…::{}", parts[0], parts[from..].join("::")));
    let mut last = None;
    for path in shorter {
        let fits = path.chars().count() <= room;
        last = Some(path);
        if fits {
            break;
        }
    }
    last.unwrap_or_else(|| path.to_owned())
}

/// The parts of a path, generics and all.
fn parts(path: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0i32);
    for (at, character) in path.char_indices() {
        match character {
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if path[..at].ends_with('-') => {}
            '>' | ')' | ']' | '}' => depth -= 1,
            ':' if depth == 0 && at >= begin && path[at..].starts_with("::") => {
                parts.push(&path[begin..at]);
                begin = at + 2;
            }
            _ => {}
        }
    }
    parts.push(&path[begin..]);
    parts
}

/// A file from its crate's folder on: `tokio-1.48.0/src/task.rs` for a path into Cargo's registry. A relative path is
/// the program's own and stays.
fn short_file(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    let Some(src) = file.rfind("/src/") else {
        return file;
    };
    file[..src]
        .rfind('/')
        .map_or(file, |slash| &file[slash + 1..])
}

/// A line for frames that are left out: how many, and of which libraries.
fn fold(frames: Vec<&Frame>) -> Option<Line> {
    /// Libraries named.
    const NAMED: usize = 3;
    let libraries = frames.iter().filter(|frame| !frame.machinery);
    let mut names: Vec<&str> = Vec::new();
    for name in libraries.map(|frame| library(frame)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let more = if names.len() > NAMED { ", ..." } else { "" };
    names.truncate(NAMED);
    let of = match (&names[..], frames.iter().any(|frame| frame.machinery)) {
        ([], _) | (["C"], true) => "the allocator or the runtime".to_owned(),
        (names, true) => format!("{}{more} and the runtime", names.join(", ")),
        (names, false) => names.join(", ") + more,
    };
    let number = count(frames.len() as u64, "frame");
    (!frames.is_empty()).then(|| dim(format!("... {number} of {of}")))
}

/// Whose function it is: the crate, or C.
fn library(frame: &Frame) -> &str {
    let path = frame.function.trim_start_matches(['<', '&', '[', '(']);
    let path = path.strip_prefix("dyn ").unwrap_or(path);
    path.split_once("::").map_or("C", |(name, _)| name)
}

fn dim(text: String) -> Line {
    Line { text, dim: true }
}

fn missing(site: &Site) -> Option<&'static str> {
    match site.marks {
        marks if marks.broken => Some("... the outer frames could not be told"),
        marks if marks.deep => Some("... the outer frames were too many to keep"),
        marks if marks.short => {
            Some("... the outer frames were left out: the room for stacks is nearly full")
        }
        _ => None,
    }
}

fn text_or_none(text: &str) -> Value {
    if text.is_empty() {
        Value::None
    } else {
        Value::text(text)
    }
}

fn line_or_none(line: u32) -> Value {
    if line == 0 {
        Value::None
    } else {
        Value::Count(u64::from(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, machinery: bool) -> Frame {
        Frame {
            function: function.into(),
            file: "/home/x/.cargo/registry/src/index/tokio-1.48.0/src/task.rs".into(),
            line: 7,
            inlined: false,
            machinery,
            library: false,
        }
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn the_middle_of_a_path_gives_way_to_its_ends() {
        let path = "tokio::runtime::scheduler::multi_thread::park::Inner::park_condvar";
        let short = |room| without_middle(path, room);
        assert_eq!(
            short(50),
            "tokio::…::multi_thread::park::Inner::park_condvar"
        );
        assert_eq!(short(40), "tokio::…::park::Inner::park_condvar");
        assert_eq!(short(5), "tokio::…::Inner::park_condvar");
        for whole in [
            "main",
            "a::b",
            "a::b::c",
            "<a::b::C as d::e::F>::poll",
            "",
            "::",
            "a::<b",
        ] {
            assert_eq!(without_middle(whole, 1), whole);
        }
        let generic = "a::b::c::D<e::f::G, fn() -> h::I>::run";
        assert_eq!(
            without_middle(generic, 40),
            "a::…::c::D<e::f::G, fn() -> h::I>::run"
        );
        let long = frame(path, false);
        assert_eq!(
            texts(&lines(std::slice::from_ref(&long), None, ALL, false)),
            ["tokio::…::park::Inner::park_condvar at tokio-1.48.0/src/task.rs:7"]
        );
        assert!(texts(&lines(&[long], None, ALL, true))[0].starts_with(path));
    }

    #[test]
    fn machinery_is_folded_and_own_frames_are_seen() {
        let stack = [
            frame("alloc::alloc", true),
            frame("Vec::push", true),
            frame("serve", false),
            frame("poll", true),
            frame("main", false),
        ];
        assert_eq!(
            texts(&lines(&stack, None, ALL, false)),
            [
                "... 2 frames of the allocator or the runtime",
                "serve at tokio-1.48.0/src/task.rs:7",
                "... 1 frame of the allocator or the runtime",
                "main at tokio-1.48.0/src/task.rs:7",
            ]
        );
        assert_eq!(
            texts(&lines(&stack, None, 1, false))[1..],
            ["... 2 more frames"]
        );
        assert_eq!(lines(&stack, None, 9, true).len(), 5);
        assert_eq!(label(&stack, false), "serve at tokio-1.48.0/src/task.rs:7");
    }

    fn of_library(function: &str) -> Frame {
        Frame {
            library: true,
            ..frame(function, false)
        }
    }

    /// A spawned task's own frame was the fifteenth.
    #[test]
    fn where_few_frames_are_shown_they_are_the_programs() {
        let stack = [
            frame("alloc::alloc", true),
            of_library("tokio::task::Cell::new"),
            frame("shop::cart::Cart::serve::{closure}", false),
            of_library("<hyper::Server as tower::Service>::call"),
            frame("std::panicking::try", true),
            of_library("sqlite3_step"),
            frame("shop::main", false),
        ];
        assert_eq!(
            texts(&lines(&stack, None, 4, false)),
            [
                "... 2 frames of tokio and the runtime",
                "shop::cart::Cart::serve::{closure} at tokio-1.48.0/src/task.rs:7",
                "... 3 frames of hyper, C and the runtime",
                "shop::main at tokio-1.48.0/src/task.rs:7",
            ]
        );
        assert_eq!(lines(&stack, None, ALL, false).len(), 7, "one is folded");
        assert!(label(&stack, false).starts_with("shop::cart::Cart::serve"));
        assert_eq!(
            short_label(&stack, false).to_string(),
            "Cart::serve::{closure}:7"
        );
        // Where none is the program's, as in an idle thread of a runtime.
        let idle = [stack[0].clone(), stack[1].clone(), stack[5].clone()];
        assert_eq!(
            texts(&lines(&idle, None, 4, false))[0],
            "tokio::task::Cell::new at tokio-1.48.0/src/task.rs:7"
        );
        assert!(label(&idle, false).starts_with("tokio::task"));
        assert_eq!(lines(&idle[..1], None, 4, false).len(), 1);
        assert_eq!(label(&[], false), "no stack was taken");
    }
}
