//! `waste`: bytes that could go without anything being lost: spare room, texts that are there twice, empty collections.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use super::instances::name_value;
use super::rows::{self, ALL, N, left_out};
use super::stack::{frames, short_label};
use super::types::share;
use super::values;
use super::{Command, Error, Example, Need, Typed, View};
use crate::heap::{Gap, Host, Written};
use crate::report::{Column, Report, Row, Value, count};
use crate::walk::{Census, Owner, Room, Wanted};

pub(crate) static COMMAND: Command = Command {
    name: "waste",
    aliases: &[],
    summary: "spare room, repeated texts, empty collections",
    help: "Bytes that could go without anything being lost, the most first, in three kinds of rows. `spare room`: collections \
           of a type at one place that have room for more than is in them: of vectors and texts what lies beyond their \
           length, of tables what a smaller one would save (`shrink_to_fit` gives it back, and the next insertion takes it \
           again). `empty`: those that have room and nothing in it. `repeated text`: one text that several `String`s or \
           boxed `str`s hold, each a copy of its own; all but one could go. The place is the field that such collections \
           are reached by (`Seconds.slots`), or a static.",
    more: &[
        "Only collections are judged that are reached through typed values; spare room that was never touched takes no memory, \
         and counts all the same. Texts of more than 64 KiB are not compared.",
    ],
    arguments: &[N],
    flags: &[ALL],
    examples: &[
        Example {
            line: "waste",
            says: "what could go, the most bytes first",
        },
        Example {
            line: "waste --all --json",
            says: "all of it, for a program",
        },
    ],
    from: "Eclipse MAT's collection queries",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// Something that could go.
struct Waste {
    what: &'static str,
    bytes: u64,
    /// How many collections, or copies.
    count: u64,
    /// Bytes of all of them.
    of: u64,
    name: Option<Written>,
    place: String,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (most, rest) = typed.split_number();
    if let Some(word) = rest.first() {
        return Err(typed.wrong(format!("`{word}` is no number of rows")));
    }
    let census = view.census(Wanted {
        all: false,
        rooms: true,
    });
    let mut wastes = of_rooms(view, &census);
    wastes.extend(of_texts(view, &census));
    wastes.sort_by_key(|waste| (Reverse(waste.bytes), waste.place.clone()));
    let most = rows::rows_beside(view, 3, most, typed);
    let head = head(view, &census, &wastes);
    let total = wastes.iter().map(|waste| waste.bytes).sum();
    let left = wastes.len().saturating_sub(most);
    wastes.truncate(most);
    Ok(Report {
        command: COMMAND.name,
        head,
        columns: COLUMNS.to_vec(),
        rows: wastes
            .iter()
            .map(|waste| row(waste, typed.full()))
            .collect(),
        total: vec![("bytes", Value::Bytes(total))],
        notes: left_out(left as u64, "row").into_iter().collect(),
        gaps: gaps(view, &census),
        ..Report::default()
    })
}

static COLUMNS: [Column; 6] = [
    Column::new("bytes", "could go"),
    Column::new("what", "what"),
    Column::new("count", "count"),
    Column::new("of", "of").spare(),
    Column::flexible("type", "type"),
    Column::flexible("place", "where"),
];

fn head(view: &View<'_>, census: &Census, wastes: &[Waste]) -> Vec<String> {
    let sum = |what| {
        let of = wastes.iter().filter(|waste| waste.what == what);
        of.map(|waste| waste.bytes).sum::<u64>()
    };
    let rooms = || census.rooms.iter();
    let all: u64 = rooms().map(|room| room.count).sum();
    let live = view.snapshot.live_bytes();
    let could = sum(SPARE) + sum(EMPTY) + sum(REPEATED);
    vec![
        format!(
            "{} could go, {} % of the live bytes: {} spare room, {} in empty collections,",
            Value::Bytes(could),
            Value::Share(share(could, live)),
            Value::Bytes(sum(SPARE)),
            Value::Bytes(sum(EMPTY)),
        ),
        format!(
            "{} in repeated texts. Judged: {}, {}.",
            Value::Bytes(sum(REPEATED)),
            count(all, "collection"),
            count(census.texts.read.0, "text"),
        ),
    ]
}

const SPARE: &str = "spare room";
const EMPTY: &str = "empty";
const REPEATED: &str = "repeated text";

/// Spare room and empty collections, by type and place.
fn of_rooms(view: &mut View<'_>, census: &Census) -> Vec<Waste> {
    // A type may have several numbers.
    let mut merged: HashMap<(Rc<str>, Rc<str>), (Written, Room)> = HashMap::new();
    for room in &census.rooms {
        let name = owner_name(view, room.owner);
        let key = (Rc::clone(&name.full), Rc::clone(&room.label));
        match merged.get_mut(&key) {
            Some((_, all)) => all.add(room),
            None => _ = merged.insert(key, (name, room.clone())),
        }
    }
    let wastes = merged.into_values().flat_map(|(name, room)| {
        let place = place(view, &room);
        let waste = |what, bytes, count, of| Waste {
            what,
            bytes,
            count,
            of,
            name: Some(name.clone()),
            place: place.clone(),
        };
        let (empty, in_empty) = room.empty;
        // An empty one's room is all spare.
        let spare = room.spare.saturating_sub(in_empty);
        [
            waste(SPARE, spare, room.count - empty, room.bytes - in_empty),
            waste(EMPTY, in_empty, empty, in_empty),
        ]
    });
    wastes.filter(|waste| waste.bytes > 0).collect()
}

fn owner_name(view: &View<'_>, owner: Owner) -> Written {
    let layouts = view.names.layouts();
    let (list, of) = match owner {
        Owner::Is(of) => return layouts.written(of),
        Owner::ListOf(of) => ("Vec", layouts.written(of)),
        Owner::RingOf(of) => ("VecDeque", layouts.written(of)),
    };
    Written {
        full: format!("{list}<{}>", of.full).into(),
        short: format!("{list}<{}>", of.short).into(),
    }
}

/// The field or static, or where one was allocated.
fn place(view: &mut View<'_>, room: &Room) -> String {
    if !room.label.is_empty() {
        return room.label.to_string();
    }
    let site = view.numbered(room.block).site;
    let stack = frames(view, site);
    format!("made in {}", short_label(&stack, false))
}

fn of_texts(view: &View<'_>, census: &Census) -> Vec<Waste> {
    let walker = view.walker();
    let waste = |text: &crate::walk::Text| Waste {
        what: REPEATED,
        bytes: (text.count - 1) * text.length,
        count: text.count,
        of: text.count * text.length,
        name: None,
        place: walker
            .text_at(text.at, text.length)
            .chars()
            .take(LONGEST)
            .collect(),
    };
    let mut repeated: Vec<_> = census.texts.repeated.iter().collect();
    // Each is a row, and a heap may have a hundred thousand.
    repeated.sort_unstable_by_key(|text| (Reverse((text.count - 1) * text.length), text.at));
    let shown = repeated.iter().take(MOST_TEXTS).map(|text| waste(text));
    let mut wastes: Vec<Waste> = shown.collect();
    let rest = repeated.iter().skip(MOST_TEXTS);
    let (n, copies, bytes, of) = rest.fold((0, 0, 0, 0), |(n, copies, bytes, of), text| {
        let could = (text.count - 1) * text.length;
        (
            n + 1,
            copies + text.count,
            bytes + could,
            of + text.count * text.length,
        )
    });
    wastes.extend((n > 0).then(|| Waste {
        what: REPEATED,
        bytes,
        count: copies,
        of,
        name: None,
        place: format!("{} more", count(n, "text")),
    }));
    wastes
}

/// Characters of a text that are shown.
const LONGEST: usize = 60;
/// Repeated texts that have a row of their own.
const MOST_TEXTS: usize = 1000;

fn row(waste: &Waste, full: bool) -> Row {
    Row::new([
        Value::Bytes(waste.bytes),
        Value::text(waste.what),
        Value::Count(waste.count),
        Value::Bytes(waste.of),
        waste
            .name
            .as_ref()
            .map_or(Value::None, |name| name_value(name, full)),
        Value::text(waste.place.clone()),
    ])
}

fn gaps(view: &View<'_>, census: &Census) -> Vec<Gap> {
    let mut gaps = values::gaps(view, &census.unread);
    if census.texts.left > 0 {
        gaps.push(Gap::new(
            count(census.texts.left, "text"),
            "they are too long to be compared, not in memory, or more than are kept apart",
        ));
    }
    gaps
}
