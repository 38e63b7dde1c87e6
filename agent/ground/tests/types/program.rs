//! The ground-truth program, run, and what it says of itself.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;

use sigheap::internals::{Address, Module, Site, SiteId};

/// What a run of the program printed.
pub(crate) struct Program {
    pub(crate) modules: Vec<Module>,
    pub(crate) pairs: Vec<Pair>,
    /// Blocks whose type the program does not know: insides of other crates.
    pub(crate) unjudged: usize,
}

/// Blocks of one type that one stack allocated.
pub(crate) struct Pair {
    /// The idiom: `idioms::plain::word/Vec::clone`.
    pub(crate) label: String,
    pub(crate) truth: String,
    pub(crate) site: Site,
    /// Sizes and alignments, in bytes.
    pub(crate) layouts: Vec<(u64, u64)>,
}

impl Program {
    pub(crate) fn run(path: &str) -> Program {
        // Errors otherwise have backtraces, whose blocks the program does not tell from the errors' own.
        let mut command = Command::new(path);
        command
            .env("RUST_BACKTRACE", "0")
            .env_remove("RUST_LIB_BACKTRACE");
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "{output:?}");
        Program::read(&String::from_utf8(output.stdout).expect("text"))
    }

    fn read(text: &str) -> Program {
        let mut modules = Vec::new();
        let mut unjudged = 0;
        let (mut label, mut is_empty) = ("", false);
        let mut pairs = BTreeMap::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["module", start, end, bias, path] => {
                    modules.push(module(start, end, bias, path));
                }
                ["case", name] => {
                    assert!(!is_empty, "{label} left nothing alive");
                    (label, is_empty) = (name, true);
                    continue;
                }
                ["block", _, _, "", _] => unjudged += 1,
                ["block", size, align, truth, stack] => {
                    let layout = (number(size, 10), number(align, 10));
                    let pair: &mut (&str, Vec<_>) = pairs
                        .entry((stack, bare(truth)))
                        .or_insert((label, Vec::new()));
                    pair.1.push(layout);
                }
                _ => panic!("{line}"),
            }
            is_empty = false;
        }
        let mut sites = HashMap::new();
        let pairs = pairs
            .into_iter()
            .map(|((stack, truth), (label, mut layouts))| {
                layouts.sort_unstable();
                layouts.dedup();
                let next = sites.len() as u32 + 1;
                let id = SiteId(*sites.entry(stack).or_insert(next));
                let frames = stack.split(' ').map(|one| Address(number(one, 16)));
                Pair {
                    label: label.to_string(),
                    truth,
                    layouts,
                    site: Site {
                        id,
                        frames: frames.collect(),
                        ..Site::default()
                    },
                }
            })
            .collect();
        Program {
            modules,
            pairs,
            unjudged,
        }
    }

    /// Gives each pair the truth of another.
    pub(crate) fn shuffle(&mut self) {
        let mut truths: Vec<_> = self.pairs.iter().map(|pair| pair.truth.clone()).collect();
        let half = truths.len() / 2;
        truths.rotate_left(half);
        for (pair, truth) in self.pairs.iter_mut().zip(truths) {
            pair.truth = truth;
        }
    }
}

/// Which of the program's parts a pair is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What the inference was made with.
    Seen,
    /// The half that nobody looked at while the inference was made: of the idioms that came after its first version those whose
    /// name says so by chance.
    HeldOut,
    /// What was written when the inference was done.
    Unseen,
}

impl Pair {
    pub(crate) fn part(&self) -> Part {
        let first = ["idioms::plain", "idioms::text", "idioms::code"];
        let (place, name) = self.label.split_once('/').expect("`place/name`");
        let known = first.into_iter().any(|module| place.starts_with(module));
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        match place.starts_with("unseen") {
            true => Part::Unseen,
            false if !known && (hash >> 32) % 10 < 7 => Part::HeldOut,
            false => Part::Seen,
        }
    }
}

fn module(start: &str, end: &str, bias: &str, path: &str) -> Module {
    Module {
        path: path.into(),
        name: path.to_string(),
        start: number(start, 16),
        end: number(end, 16),
        bias: number(bias, 16),
    }
}

fn number(text: &str, radix: u32) -> u64 {
    u64::from_str_radix(text, radix).expect("a number")
}

/// As a programmer writes it: what everybody knows by its last name goes without its path, default parameters are left out.
fn bare(name: &str) -> String {
    let owners = [
        "alloc::borrow::Cow",
        "alloc::boxed::Box",
        "alloc::collections::binary_heap::BinaryHeap",
        "alloc::collections::btree::map::BTreeMap",
        "alloc::collections::btree::set::BTreeSet",
        "alloc::collections::linked_list::LinkedList",
        "alloc::collections::vec_deque::VecDeque",
        "alloc::ffi::c_str::CString",
        "alloc::rc::Rc",
        "alloc::rc::Weak",
        "alloc::string::String",
        "alloc::sync::Arc",
        "alloc::sync::Weak",
        "alloc::vec::Vec",
        "core::cell::Cell",
        "core::cell::RefCell",
        "core::option::Option",
        "core::pin::Pin",
        "core::result::Result",
        "core::time::Duration",
        "std::collections::hash::map::HashMap",
        "std::collections::hash::set::HashSet",
        "std::ffi::os_str::OsString",
        "std::path::PathBuf",
        "std::sync::poison::mutex::Mutex",
        "std::sync::poison::rwlock::RwLock",
        "std::time::Instant",
        "std::time::SystemTime",
    ];
    let mut name = name.to_string();
    for path in owners {
        let last = path.rsplit("::").next().unwrap_or(path);
        name = name.replace(path, last);
    }
    // Lifetimes are no part of a type at run time.
    name = name.replace("<'_>", "").replace(" = ", "=");
    for default in ["std::hash::random::RandomState", "alloc::alloc::Global"] {
        name = name.replace(&format!(", {default}"), "");
    }
    name
}
