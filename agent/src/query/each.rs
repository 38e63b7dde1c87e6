//! `list --instances`: the values of a type one by one, wherever they live.

use super::instances::{matches, name_value};
use super::pattern::Pattern;
use super::rows::{self, left_out};
use super::values;
use super::view::age;
use super::{Error, Typed, View};
use crate::heap::{Address, Block, Place};
use crate::report::{Column, Object, Report, Row, Value, count};
use crate::walk::Spot;

/// The values that a pattern means, in order of address.
pub(super) fn list(view: &mut View<'_>, typed: &Typed) -> Result<Report, Error> {
    let (rows, words) = typed.split_number();
    if words.is_empty() {
        return Err(typed.wrong("--instances wants a type: `instances` shows which there are"));
    }
    if typed.has("--by") || typed.has("--where") {
        return Err(typed.wrong("--instances lists in order of address, all that there are"));
    }
    let rows = rows::rows(view, rows, typed);
    let pattern = Pattern::read(&words.join(" "));
    let (mut spots, census) = view.values_of(&|name| matches(&pattern, name));
    spots.sort_unstable_by_key(|spot| (spot.at, spot.of));
    spots.dedup();
    let all = spots.len() as u64;
    spots.truncate(rows);
    let none = (all == 0).then(|| format!("No value of type `{}` is there.", words.join(" ")));
    Ok(Report {
        command: "list",
        columns: COLUMNS.to_vec(),
        objects: spots.iter().map(|spot| Object::Block(spot.at)).collect(),
        total: vec![("count", Value::Count(all))],
        notes: none
            .into_iter()
            .chain((all > 0).then(|| count(all, "value")))
            .chain(left_out(all - spots.len() as u64, "value"))
            .collect(),
        rows: spots
            .iter()
            .map(|spot| row(view, spot, typed.full()))
            .collect(),
        gaps: values::gaps(view, &census.unread),
        ..Report::default()
    })
}

static COLUMNS: [Column; 8] = [
    Column::new("block", "block"),
    Column::new("offset", "offset"),
    Column::new("size", "size"),
    Column::new("age_s", "age"),
    Column::flexible("type", "type"),
    Column::flexible("field", "field"),
    Column::new("address", ""),
    Column::new("inline", ""),
];

fn row(view: &View<'_>, spot: &Spot, full: bool) -> Row {
    let layouts = view.names.layouts();
    let size = layouts.layout(spot.of).map_or(0, |layout| layout.size);
    let block = view.block_at(spot.at);
    let (begin, field) = match block {
        Some(block) => (block.address, field(view, block, spot.at)),
        None => variable(view, spot.at).unwrap_or((spot.at, Value::None)),
    };
    let offset = spot.at.0 - begin.0;
    Row::new([
        Value::Address(begin),
        Value::text(format!("+{offset}")),
        Value::Bytes(size),
        block.map_or(Value::None, |block| age(view.snapshot, block)),
        name_value(&layouts.written(spot.of), full),
        field,
        Value::Address(spot.at),
        Value::Flag(size != block.map_or(0, |block| block.size)),
    ])
}

/// By which fields a value in a block is reached.
fn field(view: &View<'_>, block: &Block, at: Address) -> Value {
    let content = view.site(block.site).map(|site| {
        let layouts = view.names.layouts();
        layouts.content(site, block.size, block.align())
    });
    let inside = at.0 - block.address.0;
    let walker = view.walker();
    let place = walker.place_in(
        content.unwrap_or_default(),
        block.address,
        block.size,
        inside,
    );
    place
        .filter(|place| !place.is_empty())
        .map_or(Value::None, Value::text)
}

/// The static around an address: where it begins, and its name.
fn variable(view: &View<'_>, at: Address) -> Option<(Address, Value)> {
    let layouts = view.names.layouts();
    let statics = layouts.statics();
    let around = |one: &crate::heap::Static| match one.place {
        Place::At(begin) => {
            let size = layouts.layout(one.of)?.size;
            let is_around = (begin.0..begin.0.saturating_add(size)).contains(&at.0);
            is_around.then(|| (begin, Value::text(&*one.name)))
        }
        Place::OfThread { .. } => None,
    };
    statics.iter().find_map(around)
}
