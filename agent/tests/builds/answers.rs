//! What `resolve` answers about every place of the sample's own code, to be compared with its answers about another build.

use std::fs;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use object::{Object, ObjectSymbol, SymbolKind};
use sigheap::internals::{
    Address, Confidence, DebugPlaces, Files, Gap, Module, Names, Resolver, Site, SiteId,
};

/// Object files read whole, and where debug information may lie apart.
#[derive(Default)]
pub(crate) struct Disk(pub(crate) DebugPlaces);

impl Files for Disk {
    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        Ok(fs::read(path)?.leak())
    }

    fn debug_places(&self) -> DebugPlaces {
        self.0.clone()
    }
}

/// A place: a function's symbol and the distance from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    symbol: String,
    offset: u64,
}

/// All answers about one build.
pub(crate) struct Answers {
    /// For each place the frames, and the types of blocks of some sizes allocated there.
    all: Vec<(Place, Vec<String>)>,
    pub(crate) gaps: Vec<Gap>,
}

/// Sizes and alignments of the blocks asked about, in bytes.
const LAYOUTS: &[(u64, u64)] = &[
    (8, 1),
    (16, 8),
    (24, 8),
    (48, 8),
    (64, 8),
    (96, 8),
    (148, 16),
];

impl Answers {
    /// Asks about the places that the symbols of `symbols` name, in `program`, which may be stripped of its own.
    pub(crate) fn of(program: &Path, symbols: &Path, files: &dyn Files) -> Self {
        let module = module(program);
        let mut resolver = Resolver::new(vec![module], files);
        let mut all = Vec::new();
        for (number, (place, address)) in places(symbols).into_iter().enumerate() {
            let site = Site {
                id: SiteId(number as u32 + 1),
                frames: vec![Address(address + 1)],
                ..Site::default()
            };
            let mut said: Vec<String> = resolver
                .frames(Address(address + 1))
                .iter()
                .map(|frame| {
                    format!(
                        "{} {}:{} {}",
                        frame.function, frame.file, frame.line, frame.inlined
                    )
                })
                .collect();
            for (size, align) in LAYOUTS {
                let named = resolver.type_of(&site, *size, *align);
                if named.confidence > Confidence::Guess {
                    said.push(format!("{size} bytes: {} {}", named.full, named.confidence));
                }
            }
            all.push((place, said));
        }
        let gaps = resolver.gaps();
        Answers { all, gaps }
    }

    /// What the gaps say, as one text.
    pub(crate) fn complaint(&self) -> String {
        format!("{:?}", self.gaps)
    }

    /// How many places are described by debug information, and not by a symbol alone.
    pub(crate) fn described(&self) -> usize {
        let said = self.all.iter().map(|(_, said)| &said[0]);
        said.filter(|line| line.contains(".rs:")).count()
    }

    /// How many blocks' types it named.
    pub(crate) fn named(&self) -> usize {
        let said = self.all.iter().flat_map(|(_, said)| said);
        said.filter(|line| line.contains(" bytes: ")).count()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} places of which {} are described, {} types, gaps {:#?}",
            self.all.len(),
            self.described(),
            self.named(),
            self.gaps
        )
    }
}

/// Demands that two builds are answered about alike.
#[track_caller]
pub(crate) fn same(one: &Answers, other: &Answers) {
    assert!(one.named() > 50, "too little to compare: {one:?}");
    assert_eq!(one.all.len(), other.all.len());
    for ((place, said), (_, other)) in one.all.iter().zip(&other.all) {
        assert_eq!(said, other, "at {place:?}");
    }
}

fn module(program: &Path) -> Module {
    Module {
        path: PathBuf::from(program),
        name: program.display().to_string(),
        start: 0,
        end: 1 << 40,
        bias: 0,
    }
}

/// Places throughout the functions that were compiled for the sample, with their addresses.
fn places(program: &Path) -> Vec<(Place, u64)> {
    let bytes = fs::read(program).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let mut functions: Vec<_> = object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter(|symbol| symbol.name().is_ok_and(|name| name.contains("sample")))
        .collect();
    functions.sort_by_key(|symbol| (symbol.name().unwrap(), symbol.address()));
    let all: u64 = functions.iter().map(|symbol| symbol.size()).sum();
    let step = (all / PLACES).max(1) as usize;
    let each = functions.iter().flat_map(|symbol| {
        let place = |offset| Place {
            symbol: symbol.name().unwrap().into(),
            offset,
        };
        let offsets = (0..symbol.size()).step_by(step);
        offsets.map(move |offset| (place(offset), symbol.address() + offset))
    });
    each.collect()
}

/// How many places are asked about, or so.
const PLACES: u64 = 1000;
