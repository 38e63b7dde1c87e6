//! `leaks`: what nobody holds any more.

use std::collections::HashMap;

use super::holders::{Holders, held_text};
use super::refs::POINTERS;
use super::rows::{self, ALL, N, left_out};
use super::stack::{frames, id_value, short_label};
use super::types::{Types, legend, type_value};
use super::view::age;
use super::{Command, Error, Example, Need, Typed, View};
use crate::heap::{Held, Host, SiteId, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "leaks",
    aliases: &[],
    summary: "what nobody holds any more",
    help: "Live blocks that no chain of pointers leads to from a static, a thread-local, a stack in use or a register: the \
           program cannot free them any more. One row a type and call stack: how many there are that no other of them \
           holds, their bytes, and the bytes that hang on them (indirect) and would go with them. Members of a ring count \
           as direct, all of them: `cycles` shows it.\n\
           Five verdicts, apart. Held by nothing: lost. Held by memory that is not tracked alone: C's malloc, the \
           program's own mappings, or what a freed block still says; a C library that was given the pointer may give it \
           back. Left over: only a call that has returned left the address on a stack; lost as well, most likely just now. \
           Doubtful: only a word leads there that is no pointer by the type of its holder; lost, unless that type was told wrongly. Weak: \
           `Weak` pointers alone lead there. The value is gone and its memory waits for the last of them, or its strong \
           count is too high.",
    more: &[
        POINTERS,
        "What is held by the kernel alone (a pointer given to epoll, io_uring) counts as lost: no word of the program's \
         says that it is not.",
    ],
    arguments: &[N],
    flags: &[ALL],
    examples: &[
        Example {
            line: "leaks",
            says: "what is lost, the most bytes first",
        },
        Example {
            line: "leaks --all --json",
            says: "all of it, for a program",
        },
    ],
    from: "LeakSanitizer, valgrind",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// The verdicts, the surest first.
const VERDICTS: [Held; 5] = [
    Held::Nothing,
    Held::Leftover,
    Held::Doubtful,
    Held::Weakly,
    Held::Untracked,
];

/// What is lost, of one verdict, type and call stack.
struct Group {
    held: Held,
    name: TypeName,
    site: SiteId,
    count: u64,
    bytes: u64,
    indirect: u64,
    indirect_bytes: u64,
    /// The oldest of them.
    first: u32,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (most, rest) = typed.split_number();
    if let Some(word) = rest.first() {
        return Err(typed.wrong(format!("`{word}` is no number of rows")));
    }
    let (types, holders) = (view.types(), view.holders());
    let mut groups: Vec<Group> = VERDICTS
        .iter()
        .flat_map(|held| groups(view, &types, &holders, *held))
        .collect();
    let head = VERDICTS
        .iter()
        .filter_map(|held| sum(&groups, *held))
        .collect::<Vec<_>>();
    let total = total(&groups);
    let gaps = holders.gaps(view);
    let more = head.len().saturating_sub(1) + gaps.len();
    let most = rows::rows_beside(view, more, most, typed);
    let left = groups.len().saturating_sub(most);
    groups.truncate(most);
    let head = match head.is_empty() {
        true => vec!["Every live block is held.".to_owned()],
        false => head,
    };
    Ok(Report {
        command: COMMAND.name,
        head,
        columns: COLUMNS.to_vec(),
        rows: groups
            .iter()
            .map(|group| row(view, group, typed.full()))
            .collect(),
        objects: groups
            .iter()
            .map(|group| Object::Block(view.numbered(group.first).address))
            .collect(),
        total,
        notes: left_out(left as u64, "row")
            .into_iter()
            .chain(legend(groups.iter().map(|group| &group.name)))
            .chain(next(&groups, &holders))
            .collect(),
        gaps,
        ..Report::default()
    })
}

/// What to ask next.
fn next(groups: &[Group], holders: &Holders) -> Option<String> {
    let cycles = match holders.graph.lost_rings().is_empty() {
        true => "",
        false => ", `cycles` the rings among them",
    };
    let first = groups.first()?;
    Some(match first.count {
        1 => format!("Next: `why #1` where it was born{cycles}."),
        _ => format!("Next: `why #1` where its oldest was born{cycles}."),
    })
}

static COLUMNS: [Column; 11] = [
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("count", "count"),
    Column::new("bytes", "bytes"),
    Column::new("indirect_bytes", "indirect"),
    Column::new("indirect", ""),
    // The first to go where there is no room: where it was allocated is what leads to the mistake.
    Column::new("age_s", "oldest").spare(),
    Column::flexible("site", "allocated in"),
    Column::new("site_id", ""),
    Column::new("held", "held by"),
    Column::new("address", ""),
];

fn groups(view: &View<'_>, types: &Types, holders: &Holders, held: Held) -> Vec<Group> {
    let mut groups: HashMap<(Option<usize>, SiteId), Group> = HashMap::new();
    for lost in holders.graph.lost(held) {
        for (place, head) in lost.heads.iter().enumerate() {
            let block = view.numbered(*head);
            let kind = types.index.of(block).map(|group| types.place_of(group));
            let group = groups.entry((kind, block.site)).or_insert_with(|| Group {
                held,
                name: types.name_of(block),
                site: block.site,
                count: 0,
                bytes: 0,
                indirect: 0,
                indirect_bytes: 0,
                first: *head,
            });
            group.count += 1;
            group.bytes += block.size;
            // Of a ring, what hangs on it is counted with its first member.
            if place == 0 {
                group.indirect += lost.indirect;
                group.indirect_bytes += lost.indirect_bytes;
            }
            if block.birth < view.numbered(group.first).birth {
                group.first = *head;
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| {
        (
            std::cmp::Reverse(group.bytes + group.indirect_bytes),
            group.site,
        )
    });
    groups
}

fn row(view: &mut View<'_>, group: &Group, full: bool) -> Row {
    let stack = frames(view, group.site);
    let first = view.numbered(group.first);
    Row::new([
        type_value(&group.name, full),
        Value::Confidence(group.name.confidence),
        Value::Count(group.count),
        Value::Bytes(group.bytes),
        Value::Bytes(group.indirect_bytes),
        Value::Count(group.indirect),
        age(view.snapshot, first),
        short_label(&stack, full),
        id_value(group.site),
        Value::text(group.held.to_string()),
        Value::Address(first.address),
    ])
}

/// A line for one verdict, where anything is held so.
fn sum(groups: &[Group], held: Held) -> Option<String> {
    let of = || groups.iter().filter(|group| group.held == held);
    let direct: u64 = of().map(|group| group.count).sum();
    let bytes: u64 = of().map(|group| group.bytes).sum();
    let indirect: u64 = of().map(|group| group.indirect).sum();
    let indirect_bytes: u64 = of().map(|group| group.indirect_bytes).sum();
    (direct > 0).then(|| {
        let below = match indirect {
            0 => String::new(),
            n => format!(
                ", and {} that hang on them, {}",
                Value::Count(n),
                Value::Bytes(indirect_bytes)
            ),
        };
        format!(
            "Held by {}: {}, {}{below}.",
            held_text(held),
            count(direct, "block"),
            Value::Bytes(bytes),
        )
    })
}

fn total(groups: &[Group]) -> Vec<(&'static str, Value)> {
    let sum = |figure: fn(&Group) -> u64| groups.iter().map(figure).sum();
    vec![
        ("count", Value::Count(sum(|group| group.count))),
        ("bytes", Value::Bytes(sum(|group| group.bytes))),
        ("indirect", Value::Count(sum(|group| group.indirect))),
        (
            "indirect_bytes",
            Value::Bytes(sum(|group| group.indirect_bytes)),
        ),
    ]
}
