//! `where`: how one block came to be.

use super::stack::{OWN, frames, id_value, label, lines, value};
use super::types::{Types, type_value};
use super::view::age;
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::{Block, Host, SiteId};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "where",
    aliases: &["w"],
    summary: "how one block came to be: its call stack, type and age",
    help: "The call stack that allocated a block, or last reallocated it, innermost frame first; the frames of the allocator, \
           the runtime and libraries are folded unless --full is given. ADDR is an address, also one inside the block, or the number \
           of a row: of a block after `list`, of a call stack after `sites`.",
    arguments: &[Argument {
        name: "ADDR",
        kind: Kind::Address,
        optional: false,
        help: "an address (0x...) or a numbered row (#3)",
    }],
    examples: &[
        Example {
            line: "where 0x1010",
            says: "of the block in which that address lies",
        },
        Example {
            line: "where #1",
            says: "of the first row of the last table",
        },
        Example {
            line: "where #1 --full",
            says: "with every frame",
        },
    ],
    from: "gdb's backtrace, tracemalloc's get_object_traceback",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let [word] = &typed.words[..] else {
        return Err(typed.wrong("which block?"));
    };
    if let Some(Object::Site(site)) = view.row(word)? {
        return Ok(of_site(view, site, typed.full()));
    }
    let block = view.block(word)?;
    let block = block.ok_or_else(|| typed.wrong(format!("`{word}` is no address")))?;
    Ok(of_block(view, block, typed.full()))
}

fn of_block(view: &mut View<'_>, block: &Block, full: bool) -> Report {
    let types = view.types();
    let name = types.name_of(block);
    let mut report = of_site(view, block.site, full);
    report.head.insert(0, describe(view, &types, block, full));
    let facts = [
        (Column::new("address", ""), Value::Address(block.address)),
        (Column::new("size", ""), Value::Bytes(block.size)),
        (Column::new("align", ""), Value::Bytes(block.align())),
        (Column::new("age_s", ""), age(view.snapshot, block)),
        (Column::new("type", ""), type_value(&name, full)),
        (
            Column::new("confidence", ""),
            Value::Confidence(name.confidence),
        ),
        (Column::new("moving", ""), Value::Flag(block.moving)),
    ];
    let row = &mut report.rows[0];
    for (column, fact) in facts {
        report.columns.push(column);
        row.cells.push(fact);
    }
    report
}

fn of_site(view: &mut View<'_>, site: SiteId, full: bool) -> Report {
    let stack = frames(view, site);
    let row = Row {
        below: lines(&stack, view.site(site), OWN, full),
        ..Row::new([
            Value::Text(label(&stack, full)),
            id_value(site),
            value(&stack),
        ])
    };
    Report {
        command: COMMAND.name,
        head: vec![describe_site(view, site)],
        columns: vec![
            Column::new("site", ""),
            Column::new("site_id", ""),
            Column::new("stack", ""),
        ],
        rows: vec![row],
        gaps: view.gaps(),
        ..Report::default()
    }
}

fn describe(view: &View<'_>, types: &Types, block: &Block, full: bool) -> String {
    let name = types.name_of(block);
    let born = match age(view.snapshot, block) {
        Value::None => "of unknown age".to_owned(),
        age => format!("born {age} before the stop"),
    };
    let moving = if block.moving {
        "; realloc was moving it"
    } else {
        ""
    };
    format!(
        "{} {} ({}): {}, aligned to {}, {born}{moving}.",
        block.address,
        type_value(&name, full),
        name.confidence,
        Value::Bytes(block.size),
        Value::Bytes(block.align()),
    )
}

fn describe_site(view: &mut View<'_>, site: SiteId) -> String {
    if site == SiteId::default() {
        return "No stack was taken for it.".to_owned();
    }
    let counts = view.counts();
    let groups = || counts.groups.iter().filter(|group| group.site == site);
    let blocks = count(groups().map(|group| group.count).sum(), "live block");
    let bytes = Value::Bytes(groups().map(|group| group.bytes).sum());
    format!("Call stack {}, of {blocks} with {bytes}:", site.0)
}
