//! `show`: a value as it stands in memory, field by field.

use std::rc::Rc;

use super::near::nearest;
use super::types::type_value;
use super::view::{View, read_address};
use super::{Argument, Command, Error, Example, Flag, Kind, Typed};
use crate::heap::{Address, Block, Confidence, Gap, Host, Place, Static};
use crate::report::{Column, Object, Report, Row, Value, count};
use crate::walk::{self, Limits, Lost, Spot, Whole};

pub(crate) static COMMAND: Command = Command {
    name: "show",
    aliases: &["p", "print"],
    summary: "a value field by field: a static, a block, or a part",
    help: "PATH begins with a static (`demo_server::CACHE`, or as much of the end of its path as is unambiguous), an address \
           (also one inside a block) or the number of a row, and goes on with fields (`.entries`), places of a list (`[3]`) \
           and keys of a map (`[\"name\"]`, `[42]`). Boxes, references, counted pointers, cells and locks on the way are passed \
           through; a `*` in front follows a raw pointer. What wrappers have to say stands in brackets behind the value: \
           counts, the state of a lock, what a vector has room for.",
    more: &[
        "A thread may have been stopped in the middle of a change. What does not hold together is said, and the plain fields \
         are shown. Pages that are not in memory are not brought in.",
    ],
    arguments: &[Argument {
        name: "PATH",
        kind: Kind::Static,
        optional: false,
        help: "a static, an address (0x...) or a numbered row (#3), and steps from there",
    }],
    flags: &[
        Flag {
            name: "--depth",
            values: &["N"],
            help: "levels below the value itself, up to 50; 3 unless given",
        },
        Flag {
            name: "--max",
            values: &["N"],
            help: "elements of each collection; 10 unless given",
        },
    ],
    examples: &[
        Example {
            line: "show 0x1000",
            says: "the block in which that address lies",
        },
        Example {
            line: "show demo_server::CACHE --depth 1",
            says: "a static and its fields, nothing below them",
        },
        Example {
            line: "show CACHE.entries[1].requests",
            says: "a part of it, by field and place",
        },
    ],
    from: "gdb's and pdb's print",
    run,
    ..Command::PLAIN
};

const DEPTH: usize = 3;
/// A list of nodes is as deep as it is long: each level takes stack of the look's, and two of the 128 levels of JSON that common
/// readers bear.
const DEEPEST: usize = 50;
const ELEMENTS: u64 = 10;

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let path = typed.words.join(" ");
    let limits = Limits {
        depth: depth(typed)?,
        elements: number(typed, "--max")?.unwrap_or(ELEMENTS),
        inline: !typed.has("--json"),
    };
    let (root, rest, stars) = walk::split(&path);
    let steps = walk::steps(rest, stars)
        .ok_or_else(|| typed.wrong(format!("`{rest}` is no path: `.field`, `[3]`, `[\"key\"]`")))?;
    let found = find_root(view, typed, root)?;
    view.knows_statics = !view.waiting.has_stopped();
    let walker = view.walker();
    let mut whole = found.whole;
    for step in &steps {
        let next = walker.step(&whole, step);
        whole = next.map_err(|lost| no_step(&path, lost))?;
    }
    let label = match steps.is_empty() {
        true => found.name.clone(),
        false => path.clone(),
    };
    let value = walker.value(&label, &whole, limits);
    Ok(report(
        view,
        &found.head,
        &value,
        found.confidence,
        typed.full(),
    ))
}

fn depth(typed: &Typed) -> Result<usize, Error> {
    let depth = number(typed, "--depth")?.map_or(Ok(DEPTH), usize::try_from);
    let depth = depth.ok().filter(|depth| *depth <= DEEPEST);
    depth.ok_or_else(|| typed.wrong(format!("--depth takes a number up to {DEEPEST}")))
}

fn number(typed: &Typed, flag: &str) -> Result<Option<u64>, Error> {
    let Some(text) = typed.value(flag) else {
        return Ok(None);
    };
    let number = text.parse().map(Some);
    number.map_err(|_| typed.wrong(format!("{flag} takes a number")))
}

fn no_step(path: &str, lost: Lost) -> Error {
    Error::NoPath {
        path: path.to_owned(),
        what: lost.what,
        near: lost.known.into_iter().take(8).collect(),
    }
}

/// What a path begins with.
struct Root {
    name: String,
    /// What stands above the value.
    head: Vec<String>,
    whole: Whole,
    confidence: Confidence,
}

fn find_root(view: &mut View<'_>, typed: &Typed, root: &str) -> Result<Root, Error> {
    let address = match view.row(root)? {
        Some(Object::Block(address)) => Some(address),
        Some(other) => {
            return Err(Error::WrongRow {
                word: root.to_owned(),
                is: other.kind(),
                wanted: "the row of a block: `list PATTERN` first",
            });
        }
        None => read_address(root),
    };
    match address {
        Some(address) => match (view.block_at(address), variable_at(view, address)) {
            (Some(block), _) => Ok(of_block(view, block, address)),
            (None, Some(root)) => Ok(root),
            (None, None) => Err(view.no_block(address)),
        },
        None if root.is_empty() => Err(typed.wrong("which value?")),
        None => {
            // Also where it is none: Tab then has the names.
            view.knows_statics = !view.waiting.has_stopped();
            of_static(view, root)
        }
    }
}

fn of_block(view: &mut View<'_>, block: &Block, address: Address) -> Root {
    let types = view.types();
    let name = types.name_of(block);
    let walker = view.walker();
    let content = view.site(block.site).map(|site| {
        let layouts = view.names.layouts();
        layouts.content(site, block.size, block.align())
    });
    let content = content.unwrap_or_default();
    let mut whole = walker.block(content, block.address, block.size);
    let inside = address.0 - block.address.0;
    if inside > 0 {
        whole = walker.part_at(whole, address);
    }
    let mut head = format!(
        "{} {} ({}), {}",
        block.address,
        type_value(&name, false),
        name.confidence,
        Value::Bytes(block.size)
    );
    if matches!(content, crate::heap::Content::Counted(_)) {
        let counts = walker.counts(block.address);
        head += &counts
            .map(|counts| format!(", {counts}"))
            .unwrap_or_default();
    }
    if inside > 0 {
        let place = walker.place_in(content, block.address, block.size, inside);
        let place = place
            .map(|place| format!(": `{place}`"))
            .unwrap_or_default();
        head += &format!("; the address is {inside} bytes into it{place}");
    }
    if block.moving {
        head += "; realloc was moving it";
    }
    Root {
        name: address.to_string(),
        head: vec![head + "."],
        whole,
        confidence: name.confidence,
    }
}

/// The variable that an address lies in.
fn variable_at(view: &View<'_>, address: Address) -> Option<Root> {
    let layouts = view.names.layouts();
    let statics = layouts.statics();
    let mut around = statics.iter().filter_map(|one| {
        let Place::At(at) = one.place else {
            return None;
        };
        let size = layouts.layout(one.of)?.size;
        (at.0..at.0.saturating_add(size))
            .contains(&address.0)
            .then_some((one, at))
    });
    let (one, at) = around.next()?;
    let mut root = of_variable(one, at);
    root.whole = view.walker().part_at(root.whole, address);
    Some(root)
}

fn of_static(view: &View<'_>, name: &str) -> Result<Root, Error> {
    let statics = view.names.layouts().statics();
    let mut found: Vec<(&Static, Address)> = named(&statics, name, &view.snapshot.program);
    found.dedup_by_key(|(_, at)| *at);
    let error = |what: String, near: Vec<String>| Error::NoPath {
        path: name.to_owned(),
        what,
        near,
    };
    match found[..] {
        [(one, at)] => Ok(of_variable(one, at)),
        [] if statics.is_empty() => Err(error(
            "no debug information says where variables are".to_owned(),
            Vec::new(),
        )),
        [] => Err(error(
            "no static is called so".to_owned(),
            near(&statics, name),
        )),
        ref several => Err(error(
            format!("{} are called so", count(several.len() as u64, "static")),
            several
                .iter()
                .take(8)
                .map(|(one, at)| several_name(one, *at))
                .collect(),
        )),
    }
}

fn several_name(one: &Static, at: Address) -> String {
    format!("{} at {at}", one.name)
}

/// The statics of this name: whole, or else at the end of their paths; those of the program's own crate before others.
fn named<'s>(statics: &'s [Static], name: &str, program: &str) -> Vec<(&'s Static, Address)> {
    let own = format!("{}::", program.replace('-', "_"));
    let placed = || {
        let at = |one: &'s Static| match one.place {
            Place::At(at) => Some((one, at)),
            Place::OfThread { .. } => None,
        };
        statics.iter().filter_map(at)
    };
    let whole: Vec<_> = placed().filter(|(one, _)| &*one.name == name).collect();
    if !whole.is_empty() {
        return whole;
    }
    let ends = |one: &Static| {
        let before = one.name.strip_suffix(name);
        before.is_some_and(|before| before.ends_with("::"))
    };
    let mut found: Vec<_> = placed().filter(|(one, _)| ends(one)).collect();
    if found.iter().any(|(one, _)| one.name.starts_with(&own)) {
        found.retain(|(one, _)| one.name.starts_with(&own));
    }
    found
}

fn near(statics: &[Static], name: &str) -> Vec<String> {
    let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
    let names: Vec<String> = statics.iter().map(|one| last(&one.name)).collect();
    let near = nearest(&last(name), names.iter().map(String::as_str));
    let whole = |short: &String| {
        let mut statics = statics.iter();
        statics
            .find(|one| last(&one.name) == *short)
            .map(|one| one.name.to_string())
    };
    near.iter().filter_map(whole).collect()
}

fn of_variable(one: &Static, at: Address) -> Root {
    Root {
        name: one.name.to_string(),
        head: vec![format!("{} at {at}, a static.", one.name)],
        whole: Whole::Value(Spot { at, of: one.of }),
        confidence: Confidence::Exact,
    }
}

fn report(
    view: &View<'_>,
    head: &[String],
    value: &walk::Value,
    confidence: Confidence,
    full: bool,
) -> Report {
    let mut gaps = Vec::new();
    let mut row = rows(view, value, full, &mut gaps);
    if let Some(cell) = row.cells.last_mut() {
        *cell = Value::Confidence(confidence);
    }
    Report {
        command: COMMAND.name,
        head: head.to_vec(),
        columns: vec![
            Column::flexible("field", "field"),
            Column::flexible("value", "value"),
            Column::flexible("type", "type"),
            Column::new("address", ""),
            Column::new("confidence", ""),
        ],
        rows: vec![row],
        gaps,
        ..Report::default()
    }
}

fn rows(view: &View<'_>, value: &walk::Value, full: bool, gaps: &mut Vec<Gap>) -> Row {
    let text = match &value.gap {
        Some(why) => {
            gaps.push(Gap::new(format!("{} as a value", value.label), why.clone()));
            match value.text.is_empty() {
                true => format!("? {why}"),
                false => format!("? {why}: {}", value.text),
            }
        }
        None => value.text.clone(),
    };
    let written = value.of.map(|of| view.names.layouts().written(of));
    let written = written.map_or(Value::None, |name| Value::Name {
        short: match full {
            true => Rc::clone(&name.full),
            false => name.short,
        },
        full: name.full,
    });
    let mut row = Row::new([
        Value::text(value.label.clone()),
        Value::text(text),
        written,
        Value::Address(value.at),
        Value::None,
    ]);
    let children = value.children.iter();
    row.children = children
        .map(|child| rows(view, child, full, gaps))
        .collect();
    if value.more > 0 {
        let more = format!("{} more: `--max N`", Value::Count(value.more));
        row.children.push(Row::new([
            Value::text("…"),
            Value::text(more),
            Value::None,
            Value::None,
            Value::None,
        ]));
    }
    row
}
