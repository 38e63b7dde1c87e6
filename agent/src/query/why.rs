//! `why`: all about one block at once: what it is, why it is still there, how it came to be.

use super::holders::chain::{Chain, arrows};
use super::holders::held_text;
use super::path;
use super::refs::{ADDR, POINTERS};
use super::stack::{OWN, frames, id_value, lines, value};
use super::types::type_value;
use super::view::age;
use super::{Command, Error, Example, Need, Typed, View};
use crate::heap::Host;
use crate::report::{Column, Line, Object, Report, Row, Value};

pub(crate) static COMMAND: Command = Command {
    name: "why",
    aliases: &[],
    summary: "why a block is there: type, age, holders, birth",
    help: "Of one block: its type, size and age; its value in a line; of what `Rc` and `Arc` point at, its strong count and the \
           pointers that are found; how much it retains, which is what would be freed with it; who points at it; \
           the shortest chain from a root to it, as `path` has it; and the call stack that allocated it, as `where` has it.",
    more: &[POINTERS],
    arguments: &[ADDR],
    examples: &[
        Example {
            line: "why 0x1010",
            says: "of the block in which that address lies",
        },
        Example {
            line: "why #1",
            says: "of the first row's block",
        },
    ],
    from: "objgraph users' why_alive",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let block = typed.one_block(view)?;
    let (types, holders) = (view.types(), view.holders());
    let number = view.number_of(block);
    let name = types.name_of(block);
    let (held, retained) = (holders.graph.held(number), holders.graph.retained(number));
    let referrers = holders.graph.holds(number).len() + holders.graph.back(number).len();
    let chain = Chain::to(&holders, number, 1).into_iter().next();
    let chain_row = chain
        .as_ref()
        .map(|chain| path::chain_row(view, &holders, &types, chain, typed.full()));
    let stack = frames(view, block.site);
    let in_a_line = holders.line(view, &types, block);
    let counts = super::forgotten::explained(view, &types, &holders, block);
    let said = [
        (!in_a_line.is_empty()).then(|| in_a_line.clone()),
        counts.clone(),
    ];
    let mut below: Vec<Line> = said.into_iter().flatten().map(strong).collect();
    below.push(strong(match &chain {
        Some(chain) => format!("Held by {}:", chain.origin(view, &holders)),
        None => format!("Held by {}.", held_text(held)),
    }));
    let (chain_value, chain_lines) = chain_row.map_or((Value::None, Vec::new()), |mut row| {
        (row.cells.swap_remove(path::CHAIN), row.below)
    });
    below.extend(chain_lines.into_iter().map(|line| Line {
        text: format!("  {}", line.text),
        ..line
    }));
    below.push(strong("Allocated in:".to_owned()));
    below.extend(
        lines(&stack, view.site(block.site), OWN, typed.full())
            .into_iter()
            .map(|line| Line {
                text: format!("  {}", line.text),
                ..line
            }),
    );
    let cells = [
        (
            Column::new("address", "address"),
            Value::Address(block.address),
        ),
        (
            Column::flexible("type", "type"),
            type_value(&name, typed.full()),
        ),
        (
            Column::new("confidence", "~"),
            Value::Confidence(name.confidence),
        ),
        (Column::new("size", "size"), Value::Bytes(block.size)),
        (Column::new("retained", "retains"), Value::Bytes(retained)),
        (Column::new("age_s", "age"), age(view.snapshot, block)),
        (
            Column::new("referrers", "holders"),
            Value::Count(referrers as u64),
        ),
        (Column::new("held", ""), Value::text(held.to_string())),
        (Column::new("value", ""), text(in_a_line)),
        (Column::new("counts", ""), text(counts.unwrap_or_default())),
        (Column::new("chain", ""), chain_value),
        (Column::new("site_id", ""), id_value(block.site)),
        (Column::new("stack", ""), value(&stack)),
    ];
    let (columns, cells): (Vec<_>, Vec<_>) = cells.into_iter().unzip();
    let rows = vec![Row {
        below,
        ..Row::new(cells)
    }];
    Ok(Report {
        command: COMMAND.name,
        columns,
        objects: vec![Object::Block(block.address)],
        notes: above(view, &holders, number, typed.full())
            .into_iter()
            .chain(arrows(&rows))
            .collect(),
        rows,
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

/// The block without which this one would not be held, if there is one.
fn above(
    view: &mut View<'_>,
    holders: &super::holders::Holders,
    number: u32,
    full: bool,
) -> Option<String> {
    let above = *view.numbered(holders.graph.above(number)?);
    let name = view.types().name_of(&above);
    Some(format!(
        "it would go with {} {}, which retains {}",
        above.address,
        type_value(&name, full),
        Value::Bytes(holders.graph.retained(view.number_of(&above)))
    ))
}

/// Nothing for no words.
fn text(words: String) -> Value {
    match words.is_empty() {
        true => Value::None,
        false => Value::Text(words),
    }
}

fn strong(text: String) -> Line {
    Line { text, dim: false }
}
