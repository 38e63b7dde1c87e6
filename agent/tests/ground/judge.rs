//! Compares the names that `resolve` gives with the truth, and demands what the documentation promises.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use sigheap::internals::{Address, Confidence, Names, Resolver, Site, SiteId};

use super::modules::{Disk, modules};
use super::{Block, Case};

/// How often each confidence was right, wrong or silent.
type Score = BTreeMap<Confidence, [usize; 3]>;

pub(crate) fn judge(cases: &[Case]) {
    let disk = Disk;
    let mut resolver = Resolver::new(modules(), &disk);
    let mut sites = Sites::default();
    let mut score = Score::new();
    let mut seen = HashSet::new();
    let begun = Instant::now();
    for case in cases {
        assert!(!case.blocks.is_empty(), "{} left nothing alive", case.label);
        for block in &case.blocks {
            let truth = truth(case, block);
            if seen.insert((block.stack.clone(), truth.clone())) {
                mark(
                    &mut resolver,
                    sites.of(block),
                    case,
                    block,
                    &truth,
                    &mut score,
                );
            }
        }
    }
    println!(
        "{} distinct (stack, type) pairs in {:?}",
        seen.len(),
        begun.elapsed()
    );
    println!("gaps: {:#?}", resolver.gaps());
    demand(&score);
}

fn mark(
    resolver: &mut Resolver<'_>,
    site: Site,
    case: &Case,
    block: &Block,
    truth: &str,
    score: &mut Score,
) {
    let (size, align) = (block.layout.size() as u64, block.layout.align() as u64);
    let named = resolver.type_of(&site, size, align);
    let row = score.entry(named.confidence).or_default();
    if *named.full == *truth {
        row[0] += 1;
        return;
    }
    row[if named.confidence == Confidence::Unknown {
        2
    } else {
        1
    }] += 1;
    println!(
        "[{}] is {truth}, was named {} ({}; {size} bytes)",
        case.label, named.full, named.confidence
    );
    if std::env::var_os("STACKS").is_some() {
        for address in site.frames.iter().take(14) {
            for frame in resolver.frames(*address).iter() {
                println!(
                    "      {}{} {}:{}",
                    if frame.inlined { "  " } else { "* " },
                    frame.function,
                    frame.file,
                    frame.line
                );
            }
        }
    }
}

/// At least 99 % right in a debug build and 97.5 % in release; `exact` wrong at most once in 200.
fn demand(score: &Score) {
    let [mut right, mut all] = [0, 0];
    println!("{:>10} {:>6} {:>6} {:>8}", "", "right", "wrong", "unknown");
    for (confidence, row) in score {
        println!("{confidence:>10} {:>6} {:>6} {:>8}", row[0], row[1], row[2]);
        right += row[0];
        all += row.iter().sum::<usize>();
    }
    let share = right as f64 / all as f64;
    println!("right: {:.2} %", share * 100.0);
    let least = if cfg!(debug_assertions) { 0.99 } else { 0.975 };
    assert!(share >= least, "only {share:.4} right");
    let exact = score.get(&Confidence::Exact).copied().unwrap_or_default();
    assert!(exact[1] * 200 <= exact[0], "`exact` is wrong too often");
}

fn truth(case: &Case, block: &Block) -> String {
    let known = |address| case.truth.iter().find(|(at, _)| *at == address);
    let (_, owner) = known(block.address)
        .or_else(|| known(0))
        .unwrap_or_else(|| panic!("{}", case.label));
    bare(owner)
}

/// Owners of the standard library are written without their paths.
fn bare(name: &str) -> String {
    let owners = [
        (
            "alloc::",
            "boxed::Box rc::Rc sync::Arc vec::Vec string::String",
        ),
        ("core::", "option::Option cell::RefCell"),
        ("std::", "sync::poison::mutex::Mutex"),
    ];
    let mut name = name.to_string();
    for (root, paths) in owners {
        for path in paths.split(' ') {
            let last = path.rsplit("::").next().unwrap();
            name = name.replace(&format!("{root}{path}"), last);
        }
    }
    name
}

/// Numbers equal stacks alike, as the tracker does.
#[derive(Default)]
struct Sites(HashMap<Vec<u64>, u32>);

impl Sites {
    fn of(&mut self, block: &Block) -> Site {
        let next = self.0.len() as u32 + 1;
        let id = *self.0.entry(block.stack.clone()).or_insert(next);
        Site {
            id: SiteId(id),
            frames: block
                .stack
                .iter()
                .map(|address| Address(*address))
                .collect(),
            ..Site::default()
        }
    }
}
