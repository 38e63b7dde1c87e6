//! `referrers`: who points at a block.

use super::holders::{Holders, Place, root_text};
use super::refs::{ADDR, POINTERS, into_value};
use super::rows::{self, ALL, left_out};
use super::types::{Types, legend, type_value};
use super::{Command, Error, Example, Need, Typed, View};
use crate::heap::{Address, Block, Hold, Host, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "referrers",
    aliases: &["backrefs"],
    summary: "who points at a block",
    help: "One row a holder: first the roots, which are statics, thread-locals, stacks, registers and memory that is not \
           tracked, then the blocks with a pointer to this one, or into it. Of a block with several pointers the \
           strongest is shown. `referrers #2` goes one step further up, `path` all the way.",
    more: &[POINTERS],
    arguments: &[ADDR],
    flags: &[ALL],
    examples: &[
        Example {
            line: "referrers 0x1010",
            says: "of the block in which that address lies",
        },
        Example {
            line: "backrefs #1 --json",
            says: "of the first row's block, for a program",
        },
    ],
    from: "objgraph's show_backrefs, gc.get_referrers, Meliae's .p",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let block = typed.one_block(view)?;
    let (types, holders) = (view.types(), view.holders());
    let number = view.number_of(block);
    let (roots, blocks) = (holders.graph.holds(number), holders.graph.back(number));
    let all = roots.len() + blocks.len();
    let most = rows::rows(view, None, typed);
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for hold in roots.iter().take(most) {
        let place = Place::of(view, *hold);
        let typed = holders.is_typed_root(hold).then_some(hold.hold);
        rows.push(root_row(&place, typed));
        objects.push(Object::Root(root_text(&place).into()));
    }
    let mut named = Vec::new();
    for link in blocks.iter().take(most - rows.len()) {
        let holder = *view.numbered(link.to());
        let name = types.name_of(&holder);
        rows.push(block_row(
            view,
            (&holders, &types),
            link.to(),
            number,
            &name,
            typed.full(),
        ));
        objects.push(Object::Block(holder.address));
        named.push(name);
    }
    let left = all - rows.len();
    Ok(Report {
        command: COMMAND.name,
        head: vec![head(&types, block, all, typed.full())],
        columns: COLUMNS.to_vec(),
        rows,
        objects,
        total: vec![
            ("count", Value::Count(all as u64)),
            ("roots", Value::Count(roots.len() as u64)),
        ],
        notes: left_out(left as u64, "holder")
            .into_iter()
            .chain(legend(&named))
            .collect(),
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

fn head(types: &Types, block: &Block, all: usize, full: bool) -> String {
    format!(
        "{} of {} {}, {}:",
        count(all as u64, "holder"),
        block.address,
        type_value(&types.name_of(block), full),
        Value::Bytes(block.size)
    )
}

static COLUMNS: [Column; 9] = [
    Column::new("address", "holder"),
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("size", "size"),
    Column::new("field", "at"),
    Column::new("offset", ""),
    Column::new("into", "into").spare(),
    Column::new("hold", "hold").spare(),
    Column::new("root", ""),
];

fn root_row(place: &Place, hold: Option<Hold>) -> Row {
    Row::new([
        place.address.map_or(Value::None, Value::Address),
        Value::text(root_text(place)),
        Value::None,
        Value::None,
        Value::None,
        place.offset.map_or(Value::None, Value::Bytes),
        Value::None,
        hold.map_or(Value::None, |hold| Value::text(hold.to_string())),
        Value::text(place.kind),
    ])
}

fn block_row(
    view: &View<'_>,
    (holders, types): (&Holders, &Types),
    from: u32,
    to: u32,
    name: &TypeName,
    full: bool,
) -> Row {
    let edge = holders.edge(view, types, from, to);
    let holder = view.numbered(from);
    let address: Address = holder.address;
    Row::new([
        Value::Address(address),
        type_value(name, full),
        Value::Confidence(name.confidence),
        Value::Bytes(holder.size),
        edge.map_or(Value::None, |edge| {
            Value::text(holders.field(view, types, &edge))
        }),
        edge.map_or(Value::None, |edge| Value::Bytes(edge.offset)),
        edge.map_or(Value::None, |edge| into_value(&edge)),
        edge.map_or(Value::None, |edge| Value::text(edge.hold.to_string())),
        Value::None,
    ])
}
