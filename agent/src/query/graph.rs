//! `graph`: a picture of who holds some blocks, or of what they hold.

mod columns;
mod grow;
mod tree;

use std::cmp::Reverse;
use std::path::PathBuf;

use self::grow::{Grow, Size};
use super::refs::POINTERS;
use super::subject::Subject;
use super::{Argument, Command, Error, Example, Flag, Kind, Need, Typed, View};
use crate::heap::{Block, Host};
use crate::report::{Picture, Report, Value, count, is_picture};

pub(crate) static COMMAND: Command = Command {
    name: "graph",
    aliases: &[],
    summary: "a picture of who holds a block, or of what it holds",
    help: "Who holds a block, step by step up to the roots: its shortest chain from one in full, and beside it all holders within \
           some steps. With --refs what it holds instead. At the prompt it is a tree, in which each row's number stands for its \
           block. `graph 0x1010 -o FILE.svg` draws it: boxes with type, size, address and value, arrows with the fields they \
           stand for, whole names where the mouse rests. A browser shows it; `-o FILE.dot` is for Graphviz. What is left out is \
           counted where it is.\n\
           PATTERN is as in `list`, and the largest ten blocks stand for a type, or those that are asked for as Python does: \
           `graph CacheEntity[0:50] -o FILE.svg`.",
    more: &[POINTERS],
    arguments: &[Argument {
        name: "PATTERN",
        kind: Kind::Pattern,
        optional: false,
        help: "of which blocks: an address (0x...), a numbered row (#3), or a type, also with `[FROM:TO]` behind it",
    }],
    flags: &[
        Flag {
            name: "--referrers",
            values: &[],
            help: "who holds it, which is what is shown unless --refs is given",
        },
        Flag {
            name: "--refs",
            values: &[],
            help: "what it holds",
        },
        Flag {
            name: "--depth",
            values: &["N"],
            help: "steps from what is asked for; 3 unless given",
        },
        Flag {
            name: "--max",
            values: &["N"],
            help: "holders of each block, or blocks it holds; 10 unless given",
        },
        Flag {
            name: "-o",
            values: &["FILE"],
            help: "the picture's file, which ends in .svg or .dot",
        },
    ],
    examples: &[
        Example {
            line: "graph 0x1a00",
            says: "who holds the block in which that address lies",
        },
        Example {
            line: "graph CacheEntity[0:1] --depth 2",
            says: "who holds the largest of that type, within two steps",
        },
        Example {
            line: "graph #1 --refs",
            says: "what the first row's block holds",
        },
    ],
    from: "objgraph's show_backrefs and show_refs",
    needs: &[Need::Records],
    run,
    ..Command::PLAIN
};

/// Blocks that stand for a type unless it is said which.
const FIRST: usize = 10;
/// Steps from what is asked for, and neighbours of each block: what objgraph has.
const DEPTH: usize = 3;
const FAN: usize = 10;
/// Boxes in all; a larger picture is not read by anybody.
const MOST: usize = 400;

fn run(view: &mut View<'_>, typed: &Typed, _: &mut dyn Host) -> Result<Report, Error> {
    let down = typed.has("--refs");
    if down && typed.has("--referrers") {
        return Err(typed.wrong("either --refs or --referrers"));
    }
    let size = Size {
        depth: number(typed, "--depth")?.unwrap_or(DEPTH),
        fan: number(typed, "--max")?.unwrap_or(FAN),
        most: MOST,
    };
    let file = typed.value("-o").map(PathBuf::from);
    if let Some(file) = file.as_ref().filter(|file| !is_picture(file)) {
        let what = format!("`{}` should end in .svg or .dot", file.display());
        return Err(typed.wrong(what));
    }
    let (blocks, all) = asked(view, typed)?;
    let mut grow = Grow::new(view, size, down);
    grow.from(&blocks);
    let grown = grow.grown(title(typed, blocks.len(), all, down));
    let mut report = tree::report(view, &grown, typed.full());
    report.command = COMMAND.name;
    report.notes.extend(notes(typed, &blocks, all));
    report.gaps = view.holders().gaps(view);
    report.picture = Some(Picture {
        graph: grown.graph,
        file,
    });
    Ok(report)
}

fn number(typed: &Typed, flag: &str) -> Result<Option<usize>, Error> {
    let Some(text) = typed.value(flag) else {
        return Ok(None);
    };
    let number = text.parse().ok().filter(|number| *number > 0);
    let wrong = || typed.wrong(format!("{flag} takes a number from 1 on"));
    number.map(Some).ok_or_else(wrong)
}

/// The blocks that are asked for, the largest first, and how many there are in all.
fn asked<'a>(view: &mut View<'a>, typed: &Typed) -> Result<(Vec<&'a Block>, usize), Error> {
    let (words, slice) = sliced(&typed.words);
    if words.is_empty() {
        return Err(typed.wrong("of which blocks?"));
    }
    let subject = Subject::read(view, &words)?;
    let types = view.types();
    let mut blocks = subject.blocks(view, &types, None);
    let all = blocks.len();
    blocks.sort_by_key(|block| (Reverse(block.size), block.address));
    let (from, to) = slice.unwrap_or((0, FIRST));
    blocks.truncate(to.min(from.saturating_add(MOST)));
    let blocks = blocks.split_off(from.min(blocks.len()));
    if blocks.is_empty() {
        let what = match all {
            0 => "no live block is there".to_owned(),
            _ => format!("there are {} of them", Value::Count(all as u64)),
        };
        return Err(typed.wrong(what));
    }
    Ok((blocks, all))
}

/// The words without the `[FROM:TO]` at their end, and that.
fn sliced(words: &[String]) -> (Vec<String>, Option<(usize, usize)>) {
    let mut words = words.to_vec();
    let Some(last) = words.last_mut() else {
        return (words, None);
    };
    let slice = last.rfind('[').and_then(|at| {
        let (from, to) = last[at..]
            .strip_prefix('[')?
            .strip_suffix(']')?
            .split_once(':')?;
        let number = |text: &str, other| match text.trim() {
            "" => Some(other),
            text => text.parse().ok(),
        };
        Some((at, (number(from, 0)?, number(to, usize::MAX)?)))
    });
    if let Some((at, _)) = slice {
        last.truncate(at);
        words.retain(|word| !word.is_empty());
    }
    (words, slice.map(|(_, slice)| slice))
}

fn title(typed: &Typed, shown: usize, all: usize, down: bool) -> String {
    let words = typed.words.join(" ");
    let of = match all {
        1 => words,
        all if all == shown => format!("the {} of {words}", count(all as u64, "block")),
        all => format!("{shown} of the {} of {words}", count(all as u64, "block")),
    };
    match down {
        true => format!("What {of} hold{}", if all == 1 { "s" } else { "" }),
        false => format!("Who holds {of}"),
    }
}

fn notes(typed: &Typed, blocks: &[&Block], all: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let words = sliced(&typed.words).0.join(" ");
    if all > blocks.len() {
        let shown = blocks.len();
        let all = Value::Count(all as u64);
        notes.push(format!(
            "{shown} of {all} blocks: `graph {words}[0:50]` takes the first 50"
        ));
    }
    if !typed.has("-o") {
        notes.push(format!(
            "Next: `graph {} -o FILE.svg` draws it.",
            typed.words.join(" ")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_stands_behind_the_pattern() {
        let sliced = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let (words, slice) = sliced(&words);
            (words.join(" "), slice)
        };
        let all = usize::MAX;
        assert_eq!(sliced(&["T[0:50]"]), ("T".to_owned(), Some((0, 50))));
        assert_eq!(sliced(&["a b", "[5:]"]), ("a b".to_owned(), Some((5, all))));
        assert_eq!(sliced(&["T[:3]"]), ("T".to_owned(), Some((0, 3))));
        for whole in ["Vec<[u8; 3]>", "[u8; 3]", "T[x:3]", "0x10", "[a::b]"] {
            assert_eq!(sliced(&[whole]), (whole.to_owned(), None));
        }
        assert_eq!(sliced(&[]), (String::new(), None));
    }
}
