//! How long naming types takes, as the first screen does it: opening the program and naming the blocks of a hundred call stacks,
//! then those of a thousand more, and the rest; and what the first `show` reads: which variables there are, and how the values in those blocks
//! lie in memory. Against one plain pass of gimli over the same debug information. Runs interleave, and the quietest of each counts.
//!
//! The program is the one that knows its types: `cargo build --release -p ground` makes it; another path may be given.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

#[path = "../ground/tests/types/program.rs"]
#[expect(dead_code, reason = "shared with the test")]
mod program;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io};

use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use object::{Object, ObjectSection};
use program::{Pair, Program};
use sigheap::internals::{Content, Files, Names, Resolver, Shape, TypeId};

const FIRST: usize = 100;
const NEXT: usize = 1000;
const RUNS: usize = 7;

fn main() {
    let given = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let path = given
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/ground").into());
    let program = Program::run(&path);
    let pairs = spread(&program.pairs);
    let files = Cached::default();
    let bytes = files.open(Path::new(&path)).expect("the program");
    let (mut first, mut next, mut whole) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let (mut variables, mut laid, mut rest) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let (mut entries, mut statics, mut layouts) = (0, 0, 0);
    for _ in 0..RUNS {
        let begun = Instant::now();
        entries = read_all(bytes).expect("debug information");
        whole = whole.min(begun.elapsed());
        let begun = Instant::now();
        let mut resolver = Resolver::new(program.modules.clone(), &files);
        name(&mut resolver, &pairs[..FIRST]);
        first = first.min(begun.elapsed());
        let begun = Instant::now();
        name(&mut resolver, &pairs[FIRST..FIRST + NEXT]);
        next = next.min(begun.elapsed());
        let begun = Instant::now();
        statics = resolver.layouts().statics().len();
        variables = variables.min(begun.elapsed());
        let begun = Instant::now();
        layouts = lay(&resolver, &pairs[..FIRST + NEXT]);
        laid = laid.min(begun.elapsed());
        let begun = Instant::now();
        name(&mut resolver, &pairs[FIRST + NEXT..]);
        rest = rest.min(begun.elapsed());
    }
    let ratio = |time: Duration| time.as_secs_f64() / whole.as_secs_f64();
    println!("a pass of gimli over {entries} entries    {whole:>10.1?}");
    println!(
        "open, and the first {FIRST} stacks  {first:>10.1?}, ratio {:.2}",
        ratio(first)
    );
    println!(
        "the next {NEXT} stacks            {next:>10.1?}, ratio {:.2}",
        ratio(next)
    );
    println!(
        "{statics} variables             {variables:>10.1?}, ratio {:.2}",
        ratio(variables)
    );
    println!(
        "the other {} stacks           {rest:>10.1?}, ratio {:.2}",
        pairs.len() - FIRST - NEXT,
        ratio(rest)
    );
    println!(
        "{layouts} layouts of their values {laid:>10.1?}, ratio {:.2}",
        ratio(laid)
    );
}

/// Neighbouring stacks are alike: takes them from everywhere.
fn spread(pairs: &[Pair]) -> Vec<&Pair> {
    const STRIDE: usize = 613;
    assert!(!pairs.len().is_multiple_of(STRIDE));
    (0..pairs.len())
        .map(|at| &pairs[at * STRIDE % pairs.len()])
        .collect()
}

fn name(resolver: &mut Resolver<'_>, pairs: &[&Pair]) {
    for pair in pairs {
        for (size, align) in &pair.layouts {
            resolver.type_of(&pair.site, *size, *align);
        }
    }
}

/// Reads how the values lie in memory that these blocks hold, and all that is in them, and says how many types that is.
fn lay(resolver: &Resolver<'_>, pairs: &[&Pair]) -> usize {
    let layouts = resolver.layouts();
    let mut known = HashSet::new();
    let mut next: Vec<TypeId> = Vec::new();
    for pair in pairs {
        for (size, align) in &pair.layouts {
            next.extend(match layouts.content(&pair.site, *size, *align) {
                Content::Unknown | Content::Bytes => None,
                Content::One(of)
                | Content::Items(of)
                | Content::Counted(of)
                | Content::CountedItems(of)
                | Content::Table(of) => Some(of),
            });
        }
    }
    while let Some(of) = next.pop() {
        if let (true, Some(layout)) = (known.insert(of), layouts.layout(of)) {
            let variants = match &layout.shape {
                Shape::Enum(choice) => &choice.variants[..],
                _ => &[],
            };
            next.extend(layout.fields().iter().map(|field| field.of));
            next.extend(variants.iter().map(|variant| variant.of));
        }
    }
    known.len()
}

/// Reads every entry with its attributes, and says how many there are.
fn read_all(bytes: &'static [u8]) -> gimli::Result<usize> {
    let file = object::File::parse(bytes).expect("an object file");
    let load = |id: SectionId| -> gimli::Result<_> {
        let section = file.section_by_name(id.name());
        let bytes = section
            .and_then(|section| section.data().ok())
            .unwrap_or_default();
        Ok(EndianSlice::new(bytes, LittleEndian))
    };
    let dwarf = Dwarf::load(load)?;
    let mut units = dwarf.units();
    let mut entries = 0;
    while let Some(header) = units.next()? {
        let unit = dwarf.unit(header)?;
        let mut raw = unit.entries_raw(None)?;
        while !raw.is_empty() {
            let Some(abbreviation) = raw.read_abbreviation()? else {
                continue;
            };
            for attribute in abbreviation.attributes() {
                std::hint::black_box(raw.read_attribute(*attribute)?);
            }
            entries += 1;
        }
    }
    Ok(entries)
}

/// Files that are read once, as the kernel's cache has those that are mapped.
#[derive(Default)]
struct Cached(RefCell<HashMap<PathBuf, &'static [u8]>>);

impl Files for Cached {
    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        if let Some(known) = self.0.borrow().get(path) {
            return Ok(known);
        }
        let bytes: &'static [u8] = fs::read(path)?.leak();
        self.0.borrow_mut().insert(path.to_path_buf(), bytes);
        Ok(bytes)
    }
}
