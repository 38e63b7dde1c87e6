//! A small heap from arrays, with names: what the tests of commands ask about.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use super::View;
use crate::heap::described::{CACHE_AT, Described, ENTITIES_AT};
use crate::heap::{
    Address, Birth, Block, Confidence, Datum, Doing, Frame, Gap, Host, Layouts, Marks, MemorySplit,
    Module, Names, Pieces, Rate, Request, Root, RootKind, Site, SiteId, Snapshot, Thread, Tracking,
    TypeName, Untold, Variable, Words,
};
use crate::trend::{Counts, Ledger};

/// Site 1 allocates `Arc<CacheEntity>`, 2 `String`, 3 `Vec<u64>` of several sizes, 4 what nobody can name.
pub(crate) fn snapshot() -> Snapshot {
    let mut blocks = Vec::new();
    let sizes = [(1, 128, 5), (2, 20, 3), (3, 64, 1), (3, 256, 1), (4, 40, 2)];
    for (site, size, count) in sizes {
        for _ in 0..count {
            blocks.push(block(blocks.len() as u64, site, size));
        }
    }
    Snapshot {
        program: "demo-server".to_owned(),
        pid: 4711,
        taken: UNIX_EPOCH + Duration::from_secs(1_795_423_542),
        taken_ns: 100_000_000_000,
        stop: Duration::from_micros(420),
        look: 2,
        blocks,
        sites: (1..=4).map(site).collect(),
        births: vec![0, 58_000_000_000, 95_000_000_000],
        modules: Vec::new(),
        roots: Vec::new(),
        threads: vec![
            thread(4711, "demo-server", Ok(())),
            thread(4712, "worker", Ok(())),
            thread(4713, "vfork", Err("it waits in vfork".to_owned())),
        ],
        memory: MemorySplit {
            resident: 12 << 20,
            live: 1100,
            rounding: Some(100),
            free: Some(1 << 20),
            foreign: Some(200 << 10),
            own: 2 << 20,
            stacks: 300 << 10,
            files: 8 << 20,
            unexplained: 500 << 10,
            largest_other: None,
        },
        before: None,
        tracking: Tracking {
            present: true,
            sites: 4,
            sites_used_permille: 1,
            records_bytes: 1 << 20,
            sites_bytes: 300 << 10,
            ..Tracking::default()
        },
        gaps: Vec::new(),
        hints: Vec::new(),
    }
}

/// The look before had two entities fewer, one string more, and a type of which nothing is left.
pub(crate) fn past() -> crate::trend::Counts {
    let mut before = snapshot();
    before.blocks.drain(..2);
    before.blocks.push(block(90, 2, 20));
    before.blocks.push(block(91, 3, 8));
    before.look = 1;
    before.taken_ns -= 42_000_000_000;
    crate::trend::Counts::of(&before)
}

fn block(place: u64, site: u32, size: u64) -> Block {
    Block {
        address: Address(0x1000 + place * 0x200),
        size,
        align_log2: 3,
        birth: Birth(1 + (place % 2) as u32),
        site: SiteId(site),
        moving: false,
        rate: Rate::WHOLE,
    }
}

fn site(id: u32) -> (SiteId, Site) {
    let site = Site {
        id: SiteId(id),
        frames: vec![Address(1), Address(u64::from(id) * 0x10), Address(2)],
        marks: Marks::default(),
    };
    (site.id, site)
}

fn thread(tid: u32, name: &str, stopped: Result<(), String>) -> Thread {
    let frames = match stopped {
        Ok(()) => [1, 0x20, 2].map(Address).to_vec(),
        Err(_) => Vec::new(),
    };
    Thread {
        tid,
        name: name.to_owned(),
        doing: match stopped {
            Ok(()) => Doing::Calling(Some(202)),
            Err(_) => Doing::Unknown,
        },
        stopped,
        stack: Site {
            frames,
            ..Site::default()
        },
        stack_at: Vec::new(),
    }
}

/// Names by site, and by size where a site allocates several types.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// How often a type was asked for.
    pub(crate) asked: usize,
    /// What it says it could not read.
    pub(crate) gaps: Vec<Gap>,
    layouts: std::cell::OnceCell<Described>,
}

/// The bytes of the cache, of its two entities, and of the first block.
static MEMORY: std::sync::LazyLock<Pieces> = std::sync::LazyLock::new(|| {
    let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Pieces(vec![
        (0x1000, words(&[2, 1, 7, 3])),
        (CACHE_AT, words(&[ENTITIES_AT, 4, 2])),
        (ENTITIES_AT, words(&[1, 12, 42, 5, 0, 0, 0, 0])),
    ])
});

impl Names for Book {
    fn type_of(&mut self, site: &Site, size: u64, _: u64) -> TypeName {
        self.asked += 1;
        match (site.id.0, size) {
            (1, _) => name(
                "Arc<demo_server::CacheEntity>",
                "Arc<CacheEntity>",
                &["demo_server::CacheEntity"],
                Confidence::Exact,
            ),
            (2, _) => name("String", "String", &[], Confidence::Exact),
            (100.., _) => {
                let full = format!("demo_server::T{}", site.id.0);
                name(
                    &full,
                    &full["demo_server::".len()..],
                    &[],
                    Confidence::Exact,
                )
            }
            (3, 8) => name("Gone", "Gone", &[], Confidence::Exact),
            (3, 64) => name("Vec<u64>", "Vec<u64>", &["u64"], Confidence::Exact),
            (3, _) => name("Vec<u64>", "Vec<u64>", &["u64"], Confidence::Likely),
            _ => TypeName::default(),
        }
    }

    fn frames(&mut self, return_address: Address) -> Rc<[Frame]> {
        let (function, file, line, machinery) = match return_address.0 {
            1 => (
                "alloc::alloc::alloc",
                "/rustc/1/library/alloc/src/alloc.rs",
                95,
                true,
            ),
            2 => ("demo_server::main", "src/main.rs", 12, false),
            0x10 => ("demo_server::cache::insert", "src/cache.rs", 42, false),
            0x20 => ("demo_server::log::parse", "src/log.rs", 7, false),
            0x30 => ("demo_server::index::grow", "src/index.rs", 99, false),
            _ => ("libfoo.so+0x12", "", 0, false),
        };
        [Frame {
            function: function.into(),
            file: file.into(),
            line,
            inlined: false,
            machinery,
            library: false,
        }]
        .into()
    }

    fn layouts(&self) -> &dyn Layouts {
        self.layouts.get_or_init(Described::cache)
    }

    fn variable(&mut self, at: Datum) -> Option<Variable> {
        let offset = at.address.checked_sub(STATIC - 0x8000)?;
        (offset < 0x20).then(|| Variable {
            name: "demo_server::CACHE".into(),
            offset,
        })
    }

    fn gaps(&self) -> Vec<Gap> {
        self.gaps.clone()
    }
}

fn name(full: &str, short: &str, payload: &[&str], confidence: Confidence) -> TypeName {
    TypeName {
        full: full.into(),
        short: short.into(),
        payload: payload.iter().map(|one| Rc::from(*one)).collect(),
        confidence,
    }
}

impl<'a> View<'a> {
    /// A look at a frozen heap; `past` is what the look before counted.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        names: &'a mut dyn Names,
        past: Option<&Counts>,
    ) -> Self {
        View::open(snapshot, names, &*MEMORY, ledger(past), 1 << 20)
    }
}

/// What a look before hands on, if there was one: what it counted, also under a name, and as the highest so far.
pub(crate) fn ledger(past: Option<&Counts>) -> Ledger {
    let mut ledger = Ledger::default();
    if let Some(past) = past {
        let past = Rc::new(past.clone());
        ledger.last = Some(Rc::clone(&past));
        ledger.add("before", past, 1 << 20).expect("there is room");
        let peaks = [("Arc<demo_server::CacheEntity>", 3, 384), ("String", 4, 80)];
        ledger.peaks.raise(1, peaks);
    }
    ledger
}

/// The small heap with roots, and its bytes. A static's word leads to the large `Vec<u64>`, which holds four entities, the
/// first of which holds a `String`; a thread's stack holds another, and memory that is not tracked the third. The fifth
/// entity and a block without a type hold each other; the small `Vec<u64>` and the other such block nobody holds.
pub(crate) fn held() -> (Snapshot, Pieces) {
    let words = [
        (STATIC + 0x18, VEC),
        (VEC, 0x1000),
        (VEC + 8, 0x1200),
        (VEC + 16, 0x1400),
        (VEC + 24, 0x1600),
        (0x1000, 2),
        (0x1008, 1),
        (0x1010, 7),
        (0x1018, 3),
        (0x1000 + 40, 0x1a00),
        (STACK + 8, 0x1c04),
        (UNTRACKED, 0x1e00),
        (0x1800 + 16, UNKNOWN),
        (UNKNOWN + 24, 0x1800),
    ];
    let mut pieces = [
        (0x1000u64, 0x1800),
        (STATIC, 0x100),
        (STACK, 0x100),
        (UNTRACKED, 0x100),
    ]
    .map(|(start, length)| (start, vec![0u8; length]));
    for (at, word) in words {
        for (start, bytes) in &mut pieces {
            if let Some(place) = at.checked_sub(*start).map(|place| place as usize)
                && let Some(room) = bytes.get_mut(place..place + 8)
            {
                room.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
    let root = |kind, start| Root {
        kind,
        words: Words::At(start..start + 0x100),
    };
    let module = Module {
        path: "/srv/demo-server".into(),
        name: "/srv/demo-server".to_owned(),
        start: 0x50_0000,
        end: 0x60_0000,
        bias: 0x8000,
    };
    let mut snapshot = Snapshot {
        modules: vec![module],
        roots: vec![
            root(RootKind::Static { module: 0 }, STATIC),
            root(RootKind::Stack { tid: 4712 }, STACK),
            root(RootKind::Untracked, UNTRACKED),
        ],
        ..snapshot()
    };
    snapshot.threads[1].stack_at = vec![STACK - 8, STACK, STACK + 0x80];
    let mut pieces = Vec::from(pieces);
    // The cache and its entities; what the first block is made up of stands above.
    pieces.extend_from_slice(&MEMORY.0[1..]);
    (snapshot, Pieces(pieces))
}

const STATIC: u64 = 0x9000;
const STACK: u64 = 0xa000;
const UNTRACKED: u64 = 0xb000;
/// The addresses of the large `Vec<u64>`, and of the first block without a type.
const VEC: u64 = 0x2200;
const UNKNOWN: u64 = 0x2400;

/// Remembers what was asked of the program, and what it was given to keep.
#[derive(Debug, Default)]
pub(crate) struct Asked(pub(crate) Vec<Request>, pub(crate) Vec<Vec<u8>>);

impl Host for Asked {
    fn request(&mut self, request: Request) -> Result<(), Untold> {
        self.0.push(request);
        Ok(())
    }

    fn keep(&mut self, content: &[u8]) -> Result<(), Untold> {
        self.1.push(content.to_vec());
        Ok(())
    }
}

/// A heap of sixty types, of one block each.
pub(crate) fn many() -> Snapshot {
    let sites = 100..160;
    Snapshot {
        blocks: sites
            .clone()
            .map(|i| block(i.into(), i, 8 * u64::from(i)))
            .collect(),
        sites: (1..=4).chain(sites).map(site).collect(),
        ..snapshot()
    }
}

/// A heap of a million blocks in 5,000 groups, to measure with.
pub(crate) fn large() -> Snapshot {
    let mut snapshot = snapshot();
    let site = |i: u64| 1 + (i % 500) as u32;
    let blocks = (0..1_000_000u64).map(|i| block(i, site(i), 16 + i / 500 % 10 * 8));
    snapshot.blocks = blocks.collect();
    snapshot.sites = HashMap::from_iter((1..=500).map(self::site));
    snapshot
}
