//! Compares the names that `resolve` gives with the truth.

use std::time::Instant;

use sigheap::internals::{Confidence, Names, Resolver, TypeName};

use super::disk::Disk;
use super::program::{Pair, Part, Program};
use super::score::{Score, Verdict};

/// A pair is right if all of its blocks are; its confidence is that of the worst.
pub(crate) fn judge(program: &Program) -> Score {
    let disk = Disk;
    let mut resolver = Resolver::new(program.modules.clone(), &disk);
    let begun = Instant::now();
    let mut score = Score::default();
    for pair in &program.pairs {
        let worst = pair
            .layouts
            .iter()
            .map(|(size, align)| {
                let named = resolver.type_of(&pair.site, *size, *align);
                (verdict(pair, &named), named)
            })
            .min_by_key(|(verdict, named)| (*verdict, named.confidence));
        let (verdict, named) = worst.expect("a block");
        score.note(pair.part(), named.confidence, verdict);
        let is_wanted = match verdict {
            Verdict::Right => asked("DOUBT") && named.confidence < Confidence::Exact,
            _ => asked("WRONG"),
        };
        if is_wanted && (!asked("UNSEEN") || pair.part() == Part::Unseen) {
            show(pair, &named, &mut resolver);
        }
    }
    score.took = begun.elapsed();
    score.unjudged = program.unjudged;
    score
}

fn verdict(pair: &Pair, named: &TypeName) -> Verdict {
    match named.confidence {
        _ if is_same(&named.full, &pair.truth) => Verdict::Right,
        Confidence::Unknown => Verdict::Silent,
        _ => Verdict::Wrong,
    }
}

/// `type_name` leaves out default parameters, petgraph's type of an index among them, which debug information has.
fn is_same(named: &str, truth: &str) -> bool {
    let is_petgraph = named.contains("<petgraph::");
    named == truth || is_petgraph && named.replace(", u32>", ">") == truth
}

fn asked(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

fn show(pair: &Pair, named: &TypeName, resolver: &mut Resolver<'_>) {
    println!(
        "[{}] is {}, was named {} ({}; {:?})",
        pair.label, pair.truth, named.full, named.confidence, pair.layouts
    );
    if asked("STACKS") {
        for address in pair.site.frames.iter().take(14) {
            for frame in resolver.frames(*address).iter() {
                let mark = if frame.inlined { "  " } else { "*" };
                let (function, file, line) = (&frame.function, &frame.file, frame.line);
                println!("      {mark} {function} {file}:{line}");
            }
        }
    }
}
