//! What a program demands of the C library: nothing that glibc 2.31 does not have.
//!
//! A program is linked to the newest version of each symbol that the machine's own library has, so one linked here may not
//! start there. But one linked there has all it needs, if each symbol has an older version, too. What is newer, as
//! `_dl_find_object`, the agent looks up by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The glibc of Debian 11.
const OLDEST: Version = (2, 31);

/// What programs linked on glibc before 2.33 had in them: until then these were no symbols of the library's.
const LINKED_IN: [&str; 8] = [
    "stat",
    "fstat",
    "lstat",
    "fstatat",
    "stat64",
    "fstat64",
    "lstat64",
    "fstatat64",
];

type Version = (u32, u32);

/// A symbol of the C library's, or one demanded of it.
struct Symbol {
    name: String,
    version: Version,
    is_demanded: bool,
}

#[test]
fn no_program_demands_what_an_old_c_library_lacks() {
    let library = symbols(&c_library());
    for program in [
        env!("CARGO_BIN_EXE_demo-server"),
        env!("CARGO_BIN_EXE_programs"),
    ] {
        let demanded = symbols(Path::new(program));
        let demanded: Vec<&Symbol> = demanded.iter().filter(|one| one.is_demanded).collect();
        assert!(demanded.len() > 100, "{program}: {}", demanded.len());
        let missing: BTreeSet<&str> = demanded
            .iter()
            .filter(|one| one.version > OLDEST && !is_old(&one.name, &library))
            .map(|one| one.name.as_str())
            .collect();
        assert!(missing.is_empty(), "{program} needs {missing:?}");
    }
    // The negative control: functions that are newer, and one that is not.
    assert!(is_old("pthread_create", &library));
    for newer in ["mallinfo2", "_dl_find_object", "close_range"] {
        assert!(!is_old(newer, &library), "{newer}");
    }
}

fn is_old(name: &str, library: &[Symbol]) -> bool {
    let has = |one: &Symbol| one.name == name && !one.is_demanded && one.version <= OLDEST;
    LINKED_IN.contains(&name) || library.iter().any(has)
}

/// The C library that this test runs with.
fn c_library() -> std::path::PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").expect("what is mapped");
    let mut files = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5));
    let library = files.find(|file| file.ends_with("/libc.so.6"));
    library.expect("the tests are linked to it").into()
}

/// Its dynamic symbols that have a version of glibc's.
fn symbols(file: &Path) -> Vec<Symbol> {
    let output = Command::new("objdump").arg("-T").arg(file).output();
    let output = output.expect("objdump, which comes with the linker");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(symbol).collect()
}

/// `0000000000027280 g    DF .text  0000000000000141 (GLIBC_2.2.5) __libc_start_main`
fn symbol(line: &str) -> Option<Symbol> {
    let mut words = line.split_whitespace().rev();
    let (name, version) = (words.next()?, words.next()?);
    let version = version.trim_matches(['(', ')']).strip_prefix("GLIBC_")?;
    let mut numbers = version.split('.').map(str::parse);
    Some(Symbol {
        name: name.to_owned(),
        version: (numbers.next()?.ok()?, numbers.next()?.ok()?),
        is_demanded: line.contains("*UND*"),
    })
}
