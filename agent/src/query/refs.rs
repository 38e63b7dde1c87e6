//! `refs`: what a block points at.

use super::rows::{self, ALL, left_out};
use super::types::{legend, type_value};
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::{Edge, Host, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};

/// What `refs`, `referrers` and `why` take.
pub(super) const ADDR: Argument = Argument {
    name: "ADDR",
    kind: Kind::Address,
    optional: false,
    help: "an address (0x...) or a numbered row (#3)",
};

/// What counts as a pointer, for the help of every command that follows some.
pub(super) const POINTERS: &str = "What reads as an address in a live block, or one past its end, counts as a pointer \
     (`conservative`): low bits used as tags do no harm, but a number may pass for a pointer, and pointers that are \
     stored in another form (XOR, the upper bits used) are not seen. Where a type is known, it says by which fields a \
     pointer is reached and how it holds: `owning` (`Box`, `Vec`), `shared` (`Rc`, `Arc`), `weak`, or `borrowed` (references, \
     raw pointers). Where it is known for sure, a word that is no pointer by it (a number, padding, what stands in the \
     spare room of a collection) is `doubtful`, and still not left out. What a `Weak` points at is not held by it, provided \
     its counts agree; one on a stack still counts as a pointer like any other.";

pub(crate) static COMMAND: Command = Command {
    name: "refs",
    aliases: &[],
    summary: "what a block points at",
    help: "One row a pointer, in the order in which they stand in the block: where in it, and the block that it points at or \
           into. Rows are numbered: `refs #1` goes one step further down.",
    more: &[POINTERS],
    arguments: &[ADDR],
    flags: &[ALL],
    examples: &[
        Example {
            line: "refs 0x1010",
            says: "of the block in which that address lies",
        },
        Example {
            line: "refs #1 --all",
            says: "every pointer in the first row's block",
        },
    ],
    from: "objgraph's get_referents, Meliae's .c",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let block = typed.one_block(view)?;
    let (types, holders) = (view.types(), view.holders());
    let mut edges = holders.edges(view, &types, view.number_of(block));
    let all = edges.len();
    edges.truncate(rows::rows(view, None, typed));
    let to = |edge: &Edge| view.numbered(edge.to);
    let named: Vec<TypeName> = edges.iter().map(|edge| types.name_of(to(edge))).collect();
    let row = |(edge, name): (&Edge, &TypeName)| {
        let to = to(edge);
        Row::new([
            Value::text(holders.field(view, &types, edge)),
            Value::Bytes(edge.offset),
            Value::Address(to.address),
            type_value(name, typed.full()),
            Value::Confidence(name.confidence),
            Value::Bytes(to.size),
            into_value(edge),
            Value::text(edge.hold.to_string()),
        ])
    };
    let left = all - edges.len();
    let rows = edges.iter().zip(&named).map(row).collect();
    let head = format!(
        "{} in {} {}, {}:",
        count(all as u64, "pointer"),
        block.address,
        type_value(&types.name_of(block), typed.full()),
        Value::Bytes(block.size)
    );
    Ok(Report {
        command: COMMAND.name,
        head: vec![head],
        columns: COLUMNS.to_vec(),
        rows,
        objects: edges
            .iter()
            .map(|edge| Object::Block(to(edge).address))
            .collect(),
        total: vec![("count", Value::Count(all as u64))],
        notes: left_out(left as u64, "pointer")
            .into_iter()
            .chain(legend(&named))
            .collect(),
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

static COLUMNS: [Column; 8] = [
    Column::new("field", "at"),
    Column::new("offset", ""),
    Column::new("address", "points at"),
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("size", "size"),
    Column::new("into", "into").spare(),
    Column::new("hold", "hold").spare(),
];

/// How far into its target a pointer points; nothing for its beginning.
pub(super) fn into_value(edge: &Edge) -> Value {
    match edge.into {
        0 => Value::None,
        into => Value::Bytes(into),
    }
}
