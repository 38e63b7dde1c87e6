//! `forgotten`: strong counts that no pointer explains.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::holders::Holders;
use super::refs::POINTERS;
use super::rows::{self, ALL, left_out};
use super::stack::{frames, id_value, short_label};
use super::subject::Subject;
use super::types::{Types, legend, type_value};
use super::{Argument, Command, Error, Example, Kind, Need, Typed, View};
use crate::heap::{Address, Block, Confidence, Content, Held, Hold, Host, SiteId, TypeName};
use crate::report::{Column, Object, Report, Row, Value, count};

pub(crate) static COMMAND: Command = Command {
    name: "forgotten",
    aliases: &[],
    summary: "strong counts of Rc and Arc that no pointer explains",
    help: "An `Rc` or `Arc` whose strong count is higher than the pointers to it that are found: each is a clone that was given to \
           `mem::forget` or `into_raw` and never taken back, so that the value is never dropped. One row a type and call \
           stack; `forgotten PATTERN` has a row for each block of that type. `found` are typed `Rc`s and `Arc`s in blocks, and \
           words of statics and thread-locals that point at the counts; `words` are others that may be one: on stacks, in \
           registers, in memory that is not tracked, references, what only reads as an address. Both are taken off the \
           count before it is reported, so there are at least as many as the row says; words make it a guess.",
    more: &[
        POINTERS,
        "A count that a C library or the kernel holds, or a pointer in another form (XOR, the upper bits used), is found \
         nowhere and looks forgotten. One that an old word on a stack in use covers is not told.",
    ],
    arguments: &[Argument {
        name: "PATTERN",
        kind: Kind::Pattern,
        optional: true,
        help: "of which blocks: a type, an address (0x...) or a numbered row (#3)",
    }],
    flags: &[ALL],
    examples: &[
        Example {
            line: "forgotten",
            says: "all that are, the most clones first",
        },
        Example {
            line: "forgotten CacheEntity",
            says: "of that type, a row a block",
        },
    ],
    from: "valgrind's and LeakSanitizer's users, who count by hand",
    needs: &[Need::Every],
    run,
    ..Command::PLAIN
};

/// No count is so high: it is another word, or locked.
const MOST_COUNTED: u64 = 1 << 40;

/// A counted block, and what was found to point at it.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    strong: u64,
    /// Pointers that surely are counted ones.
    found: u64,
    /// Words that may be.
    words: u64,
}

impl Tally {
    fn unexplained(self) -> u64 {
        self.strong.saturating_sub(self.found + self.words)
    }
}

/// Blocks of one row.
struct Group {
    name: TypeName,
    site: SiteId,
    first: u32,
    count: u64,
    bytes: u64,
    tally: Tally,
    unexplained: u64,
}

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let (types, holders) = (view.types(), view.holders());
    let subject = Subject::read(view, &typed.words)?;
    let blocks = subject.blocks(view, &types, None);
    let mut tallies = counted(view, &types, &holders, &blocks);
    tally_blocks(view, &types, &holders, &mut tallies);
    tally_roots(view, &holders, &mut tallies);
    let by_block = !typed.words.is_empty();
    let mut groups = groups(view, &types, &tallies, by_block);
    let total = total(&groups);
    let (all, most) = (groups.len(), rows::rows(view, None, typed));
    groups.truncate(most);
    let full = typed.full();
    let rows: Vec<Row> = groups.iter().map(|group| row(view, group, full)).collect();
    Ok(Report {
        command: COMMAND.name,
        head: vec![head(tallies.len(), &total)],
        columns: COLUMNS.to_vec(),
        objects: groups
            .iter()
            .map(|group| Object::Block(view.numbered(group.first).address))
            .collect(),
        notes: left_out((all - rows.len()) as u64, "row")
            .into_iter()
            .chain(legend(groups.iter().map(|group| &group.name)))
            .chain((all > 0).then(|| {
                "Next: `referrers #1` what is found, `why #1` where it was born.".to_owned()
            }))
            .collect(),
        rows,
        total,
        gaps: holders.gaps(view),
        ..Report::default()
    })
}

fn head(counted: usize, total: &[(&'static str, Value)]) -> String {
    let counted = count(counted as u64, "block");
    match total {
        [("count", Value::Count(0)), ..] => {
            format!("Every strong count is explained, of {counted} that `Rc` and `Arc` point at.")
        }
        _ => format!("Of {counted} that `Rc` and `Arc` point at:"),
    }
}

static COLUMNS: [Column; 11] = [
    Column::flexible("type", "type"),
    Column::new("confidence", "~"),
    Column::new("count", "count"),
    Column::new("strong", "strong"),
    Column::new("found", "found"),
    Column::new("words", "words"),
    Column::new("unexplained", "forgotten"),
    Column::new("bytes", "bytes").spare(),
    Column::flexible("site", "allocated in"),
    Column::new("site_id", ""),
    Column::new("address", ""),
];

/// The blocks that `Rc` and `Arc` point at, with their strong counts. What is not sure to have counts is left out.
fn counted(
    view: &View<'_>,
    types: &Types,
    holders: &Holders,
    blocks: &[&Block],
) -> HashMap<u32, Tally> {
    let strong = |block: &&Block| {
        let (content, sure) = holders.content(view, types, block);
        let is_counted = matches!(content, Content::Counted(_) | Content::CountedItems(_));
        if !is_counted || sure < Confidence::Likely {
            return None;
        }
        let word = |offset| view.memory.word(Address(block.address.0 + offset));
        let (strong, weak) = (word(0)?, word(8)?);
        let counts = 1..MOST_COUNTED;
        (counts.contains(&strong) && counts.contains(&weak)).then_some(strong)
    };
    let blocks = blocks.iter();
    let counted = blocks.filter_map(|block| Some((view.number_of(block), strong(block)?)));
    let tally = |(number, strong)| {
        let tally = Tally {
            strong,
            ..Tally::default()
        };
        (number, tally)
    };
    counted.map(tally).collect()
}

/// The counts of a block that `Rc` or `Arc` points at, against what is found to point at it.
pub(super) fn explained(
    view: &View<'_>,
    types: &Types,
    holders: &Holders,
    block: &Block,
) -> Option<String> {
    let mut tallies = counted(view, types, holders, &[block]);
    tally_blocks(view, types, holders, &mut tallies);
    tally_roots(view, holders, &mut tallies);
    let tally = tallies.into_values().next()?;
    let (strong, found) = (Value::Count(tally.strong), Value::Count(tally.found));
    let words = count(tally.words, "word");
    Some(format!(
        "strong count {strong}: {found} found as `Rc` or `Arc`, {words} that may be one"
    ))
}

/// Counts the pointers in blocks. Each holder is read once: one may hold thousands.
fn tally_blocks(
    view: &View<'_>,
    types: &Types,
    holders: &Holders,
    tallies: &mut HashMap<u32, Tally>,
) {
    let back = |block: &u32| holders.graph.back(*block).iter();
    let from: BTreeSet<u32> = tallies
        .keys()
        .flat_map(back)
        .map(|link| link.to())
        .collect();
    for (done, holder) in from.iter().copied().enumerate() {
        if !view.goes_on("counting pointers", done, from.len()) {
            return;
        }
        for edge in holders.edges(view, types, holder) {
            let Some(tally) = tallies.get_mut(&edge.to) else {
                continue;
            };
            match edge.hold {
                Hold::Shared if edge.into == 0 => tally.found += 1,
                Hold::Weak => {}
                _ => tally.words += 1,
            }
        }
    }
}

/// Counts the words of roots. What returned functions left on a stack holds nothing.
fn tally_roots(view: &View<'_>, holders: &Holders, tallies: &mut HashMap<u32, Tally>) {
    for (block, tally) in tallies {
        let address = view.numbered(*block).address;
        for hold in holders.graph.holds(*block) {
            let kind = holders.graph.kind(hold.root).map(|kind| kind.held());
            let points_at_counts = || view.memory.word(Address(hold.at)) == Some(address.0);
            match kind {
                Some(Held::Leftover) => {}
                Some(Held::Static | Held::ThreadLocal) if points_at_counts() => tally.found += 1,
                _ => tally.words += 1,
            }
        }
    }
}

/// Rows of what is not explained, the most first.
fn groups(
    view: &View<'_>,
    types: &Types,
    tallies: &HashMap<u32, Tally>,
    by_block: bool,
) -> Vec<Group> {
    let mut groups: HashMap<(Option<usize>, SiteId, Option<u32>), Group> = HashMap::new();
    let mut forgotten: Vec<_> = tallies
        .iter()
        .filter(|(_, tally)| tally.unexplained() > 0)
        .collect();
    forgotten.sort_unstable_by_key(|(number, _)| **number);
    for (number, tally) in forgotten {
        let block = view.numbered(*number);
        let kind = types.index.of(block).map(|group| types.place_of(group));
        let key = (kind, block.site, by_block.then_some(*number));
        let group = groups.entry(key).or_insert_with(|| Group {
            name: types.name_of(block),
            site: block.site,
            first: *number,
            count: 0,
            bytes: 0,
            tally: Tally::default(),
            unexplained: 0,
        });
        group.count += 1;
        group.bytes += block.size;
        group.tally.strong += tally.strong;
        group.tally.found += tally.found;
        group.tally.words += tally.words;
        group.unexplained += tally.unexplained();
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| (Reverse(group.unexplained), group.first));
    groups
}

fn row(view: &mut View<'_>, group: &Group, full: bool) -> Row {
    let stack = frames(view, group.site);
    let sure = match group.tally.words {
        0 => Confidence::Likely,
        _ => Confidence::Guess,
    };
    Row::new([
        type_value(&group.name, full),
        Value::Confidence(sure.min(group.name.confidence)),
        Value::Count(group.count),
        Value::Count(group.tally.strong),
        Value::Count(group.tally.found),
        Value::Count(group.tally.words),
        Value::Count(group.unexplained),
        Value::Bytes(group.bytes),
        short_label(&stack, full),
        id_value(group.site),
        Value::Address(view.numbered(group.first).address),
    ])
}

fn total(groups: &[Group]) -> Vec<(&'static str, Value)> {
    let sum = |figure: fn(&Group) -> u64| groups.iter().map(figure).sum();
    vec![
        ("count", Value::Count(sum(|group| group.count))),
        ("unexplained", Value::Count(sum(|group| group.unexplained))),
        ("bytes", Value::Bytes(sum(|group| group.bytes))),
    ]
}
