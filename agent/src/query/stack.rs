//! How a call stack reads: the program's own frames first, the machinery in between folded.

use std::rc::Rc;

use crate::heap::{Frame, Names, Site, SiteId};
use crate::report::{Line, Value};

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

/// A stack for people: one line a frame of the program's own, the allocation machinery and the runtime folded into a
/// dim line. `most` own frames at the most; `full` shows every frame.
pub(crate) fn lines(frames: &[Frame], site: Option<&Site>, most: usize, full: bool) -> Vec<Line> {
    // A stack of the runtime alone has nothing to fold it between.
    let (all, full) = (full, full || frames.iter().all(|frame| frame.machinery));
    let mut lines = Vec::new();
    let mut folded = 0;
    let mut own = 0;
    for (i, frame) in frames.iter().enumerate() {
        if frame.machinery && !full {
            folded += 1;
            continue;
        }
        if own == most {
            lines.push(dim(format!(
                "... {} more frames",
                frames.len() - i + folded
            )));
            return lines;
        }
        if own == 0 && most != ALL {
            // Where few lines are wanted, this one says least.
            folded = 0;
        }
        push_folded(&mut lines, &mut folded);
        own += 1;
        lines.push(Line {
            text: if all {
                describe(frame, all)
            } else {
                describe_short(frame)
            },
            dim: frame.machinery,
        });
    }
    push_folded(&mut lines, &mut folded);
    if let Some(missing) = site.and_then(missing) {
        lines.push(dim(missing.to_owned()));
    }
    lines
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
        ])
    };
    Value::List(frames.iter().map(frame).collect())
}

/// A site in a line: the innermost frame of the program's own; `full` with the whole path of its file.
pub(crate) fn label(frames: &[Frame], full: bool) -> Value {
    let own = frames.iter().find(|frame| !frame.machinery);
    match own.or(frames.first()) {
        Some(frame) => Value::Text(describe(frame, full)),
        None => Value::text("no stack was taken"),
    }
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

fn push_folded(lines: &mut Vec<Line>, folded: &mut usize) {
    match std::mem::take(folded) {
        0 => {}
        1 => lines.push(dim("... 1 frame of the allocator or the runtime".to_owned())),
        n => lines.push(dim(format!(
            "... {n} frames of the allocator or the runtime"
        ))),
    }
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
        assert_eq!(
            label(&stack, false).to_string(),
            "serve at tokio-1.48.0/src/task.rs:7"
        );
    }
}
