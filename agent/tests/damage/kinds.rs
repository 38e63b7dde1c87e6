//! The kinds of files that are damaged, small, made from the same sample.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol, SymbolKind};
use sigheap::internals::{Address, Files, Module, Names, Resolver, Site, SiteId};

use crate::make::{compile, copy, folder, objcopy, run};
use crate::mutate::Parts;

/// A kind of file, whole.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) parts: Parts,
    /// What is answered about it.
    pub(crate) whole: Found,
    /// Where it lies.
    path: PathBuf,
    /// The program that it is of, or itself.
    program: PathBuf,
    /// Files that are left whole.
    others: Vec<(PathBuf, &'static [u8])>,
    addresses: Vec<u64>,
}

/// What was answered, in short.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    /// Of all answers.
    pub(crate) hash: u64,
    /// Places of which a file and a line are known.
    pub(crate) described: usize,
    pub(crate) gaps: usize,
}

/// Every kind.
pub(crate) fn kinds() -> Vec<Kind> {
    let folder = folder("damage");
    let plain = library(&folder);
    let mut kinds = vec![Kind::new("plain", &plain, &plain, &plain)];
    for (name, way) in [
        ("zlib", "zlib-gabi"),
        ("old zlib", "zlib-gnu"),
        ("zstd", "zstd"),
    ] {
        let packed = copy(&plain, name);
        let option = format!("--compress-debug-sections={way}");
        objcopy([OsStr::new(&option), packed.as_os_str()]);
        kinds.push(Kind::new(name, &packed, &packed, &plain));
    }
    let (stripped, debug) = apart(&plain);
    kinds.push(Kind::new("debug file", &debug, &stripped, &plain));
    for (way, version, end) in [("packed", "4", ".dwp"), ("unpacked", "5", ".dwo")] {
        let folder = folder.join(way);
        fs::create_dir(&folder).unwrap();
        let split = format!("-Csplit-debuginfo={way}");
        let version = format!("-Cdwarf-version={version}");
        let program = compile(&folder, &[&split, &version, "-Ccodegen-units=1"]);
        let entries = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let largest = entries
            .filter(|path| path.to_string_lossy().ends_with(end))
            .max_by_key(|path| path.metadata().unwrap().len());
        kinds.push(Kind::new(end, &largest.unwrap(), &program, &program));
    }
    kinds
}

/// The sample without the standard library, which has megabytes of debug information of its own.
fn library(folder: &Path) -> PathBuf {
    let object = compile(folder, &["-Ccodegen-units=1", "--emit=obj"]);
    let library = folder.join("sample.so");
    let mut link = Command::new("cc");
    link.args(["-shared", "-nostdlib", "-Wl,--build-id", "-o"]);
    run(link.arg(&library).arg(object));
    library
}

/// A program without its debug information, and the file that has it.
fn apart(program: &Path) -> (PathBuf, PathBuf) {
    let (stripped, debug) = (copy(program, "stripped"), copy(program, "debug"));
    objcopy([OsStr::new("--only-keep-debug"), debug.as_os_str()]);
    objcopy([OsStr::new("--strip-all"), stripped.as_os_str()]);
    let mut link = OsString::from("--add-gnu-debuglink=");
    link.push(&debug);
    objcopy([&link, stripped.as_os_str()]);
    (stripped, debug)
}

impl Kind {
    fn new(name: &'static str, path: &Path, program: &Path, symbols: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let mut others: Vec<(PathBuf, &'static [u8])> = Vec::new();
        if program != path {
            others.push((program.into(), fs::read(program).unwrap().leak()));
        }
        let mut kind = Kind {
            name,
            parts: Parts::of(&bytes),
            whole: Found::default(),
            path: path.into(),
            program: program.into(),
            others,
            addresses: addresses(symbols),
            bytes,
        };
        kind.whole = kind.answers(kind.bytes.clone().leak());
        assert!(kind.whole.described > 20, "{name}: {:?}", kind.whole);
        kind
    }

    /// Asks everything there is to ask, with the file's bytes replaced by these.
    pub(crate) fn answers(&self, bytes: &'static [u8]) -> Found {
        let files = Replaced { kind: self, bytes };
        let module = Module {
            path: self.program.clone(),
            name: self.program.display().to_string(),
            start: 0,
            end: 1 << 40,
            bias: 0,
        };
        let mut resolver = Resolver::new(vec![module], &files);
        let (mut hash, mut found) = (DefaultHasher::new(), Found::default());
        for (number, stack) in self.addresses.chunks(3).enumerate() {
            let site = Site {
                id: SiteId(number as u32 + 1),
                frames: stack.iter().map(|address| Address(address + 1)).collect(),
                ..Site::default()
            };
            for (size, align) in [(8, 1), (24, 8), (48, 8), (148, 16)] {
                resolver.type_of(&site, size, align).hash(&mut hash);
            }
            for address in &site.frames {
                for frame in resolver.frames(*address).iter() {
                    found.described += usize::from(frame.line > 0);
                    (&frame.function, &frame.file, frame.line).hash(&mut hash);
                }
            }
        }
        found.hash = hash.finish();
        found.gaps = resolver.gaps().len();
        found
    }
}

/// The files of a kind, one of them replaced.
struct Replaced<'a> {
    kind: &'a Kind,
    bytes: &'static [u8],
}

impl Files for Replaced<'_> {
    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        if path == self.kind.path {
            return Ok(self.bytes);
        }
        let mut others = self.kind.others.iter();
        let other = others.find(|(other, _)| other == path);
        other
            .map(|(_, bytes)| *bytes)
            .ok_or(io::ErrorKind::NotFound.into())
    }
}

/// Some sixty places of the sample's own functions.
fn addresses(symbols: &Path) -> Vec<u64> {
    let bytes = fs::read(symbols).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    let functions = object.symbols().filter(|symbol| {
        let own = symbol.name().is_ok_and(|name| name.contains("sample"));
        own && symbol.kind() == SymbolKind::Text && symbol.size() > 0
    });
    let mut places: Vec<u64> = functions
        .flat_map(|symbol| (symbol.address()..symbol.address() + symbol.size()).step_by(16))
        .collect();
    places.sort_unstable();
    let step = (places.len() / 60).max(1);
    places.into_iter().step_by(step).collect()
}
