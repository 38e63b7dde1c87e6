//! `resolve`: the line table of one unit: address -> file and line, and whose file it is.

use std::collections::HashMap;
use std::rc::Rc;

use gimli::{Dwarf, Unit};

use super::dwarf::Slice;

/// The line table of one unit.
#[derive(Default)]
pub(super) struct Lines {
    /// In order of addresses; the last row of a sequence has line 0.
    rows: Vec<Row>,
    files: HashMap<u64, File>,
    /// Whether the crate that was compiled is a library's.
    library: bool,
}

/// A source file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// Its path as a person reads it: relative to where the compiler ran, if it is below that.
    pub(super) path: Rc<str>,
    /// Whether it is of a crate that the program's authors did not write.
    pub(super) library: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    address: u64,
    /// Ends of sequences sort before what begins at the same address.
    line: u32,
    file: u32,
}

impl Lines {
    pub(super) fn read(dwarf: &Dwarf<Slice>, unit: &Unit<Slice>) -> gimli::Result<Self> {
        let mut lines = Lines::default();
        let Some(program) = unit.line_program.clone() else {
            return Ok(lines);
        };
        lines.read_files(dwarf, unit);
        let mut rows = program.rows();
        while let Some((_, row)) = rows.next_row()? {
            let line = row
                .line()
                .filter(|_| !row.end_sequence())
                .map_or(0, |line| line.get());
            lines.rows.push(Row {
                address: row.address(),
                line: u32::try_from(line).unwrap_or(0),
                file: u32::try_from(row.file_index()).unwrap_or(0),
            });
        }
        // Stable: of the rows at one address the last written counts.
        lines.rows.sort_by_key(|row| (row.address, row.line != 0));
        Ok(lines)
    }

    fn read_files(&mut self, dwarf: &Dwarf<Slice>, unit: &Unit<Slice>) {
        let Some(program) = &unit.line_program else {
            return;
        };
        let header = program.header();
        let root = unit.comp_dir.map(|root| root.to_string_lossy());
        self.library = is_of_library(&format!("{}/", root.as_deref().unwrap_or_default()));
        // One more than there are: before DWARF 5 the numbers begin at 1.
        for number in 0..=header.file_names().len() as u64 {
            let Some(file) = header.file(number) else {
                continue;
            };
            let text = |value| {
                dwarf
                    .attr_string(unit, value)
                    .map(|text| text.to_string_lossy().into_owned())
            };
            let Ok(name) = text(file.path_name()) else {
                continue;
            };
            // Directory 0 is the one the compiler ran in: a path relative to it reads better.
            let directory = file
                .directory(header)
                .filter(|_| file.directory_index() != 0);
            let directory = directory
                .and_then(|value| text(value).ok())
                .unwrap_or_default();
            let path = join(&directory, &name);
            let file = File {
                library: is_of_library(&join(root.as_deref().unwrap_or_default(), &path)),
                path: path.into(),
            };
            self.files.insert(number, file);
        }
    }

    /// The file and line of an address.
    pub(super) fn at(&self, address: u64) -> Option<(File, u32)> {
        let after = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows.get(after.checked_sub(1)?)?;
        let file = self.files.get(&u64::from(row.file))?;
        (row.line != 0).then(|| (file.clone(), row.line))
    }

    /// What stands for the file of code that has none: only whose it is.
    pub(super) fn unknown(&self) -> (File, u32) {
        let file = File {
            library: self.library,
            ..File::default()
        };
        (file, 0)
    }

    /// A file by its number.
    pub(super) fn file(&self, number: u64) -> Option<File> {
        self.files.get(&number).cloned()
    }
}

/// Whether a source lies where other people's crates are kept: in a folder with a version in its name, as in Cargo's
/// registry and in what distributions make of it, in a checkout of Cargo's or a `vendor` folder, or in the standard
/// library. Builds that write other paths (`--remap-path-prefix`, `trim-paths`) leave the folder of the crate.
fn is_of_library(path: &str) -> bool {
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    let inside_src = folders.iter().rposition(|folder| *folder == "src");
    let outside = &folders[..inside_src.unwrap_or(folders.len())];
    outside.iter().any(|folder| is_versioned(folder))
        || outside.contains(&"vendor")
        || path.contains("/git/checkouts/")
        || path.contains("/registry/src/")
        || path.contains("/rustlib/")
        || path.starts_with("/rustc/")
}

/// `tokio-1.48.0`, `wasi-0.11.0+wasi-snapshot-preview1`.
fn is_versioned(folder: &str) -> bool {
    let versions = folder.match_indices('-').map(|(at, _)| &folder[at + 1..]);
    let is_version = |version: &str| {
        let mut numbers = version.splitn(3, '.');
        let mut whole = || {
            let number = numbers.next().unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        let two = whole() && whole();
        two && numbers
            .next()
            .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()))
    };
    versions.into_iter().any(is_version)
}

fn join(directory: &str, name: &str) -> String {
    match directory.is_empty() || name.starts_with('/') {
        true => name.to_string(),
        false => format!("{directory}/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_until_the_next_and_not_beyond_its_sequence() {
        let row = |address, line| Row {
            address,
            line,
            file: 1,
        };
        let lines = Lines {
            rows: vec![row(10, 3), row(14, 5), row(20, 0), row(30, 9)],
            files: HashMap::from([(1, File::default())]),
            library: false,
        };
        let line = |address| lines.at(address).map(|(_, line)| line);
        assert_eq!(line(9), None);
        assert_eq!(line(13), Some(3));
        assert_eq!(line(19), Some(5));
        assert_eq!(line(20), None);
        assert_eq!(line(31), Some(9));
    }

    #[test]
    fn crates_of_others_are_told_from_the_workspace() {
        for path in [
            "/home/x/.cargo/registry/src/index.crates.io-6f17d22bba15001f/tokio-1.48.0/src/task.rs",
            "/opt/crates/registry/src/mine/odd/src/lib.rs",
            "/home/x/.cargo/git/checkouts/axum-0a1b/9c2/axum/src/lib.rs",
            "/rustc/0123abc/library/alloc/src/vec/mod.rs",
            "/usr/lib/rustlib/src/rust/library/std/src/rt.rs",
            "/ws/vendor/tokio/src/task.rs",
            "vendor/tokio/src/task.rs",
            // As `trim-paths` and remapping leave them.
            "tokio-1.48.0/src/task.rs",
            "/deps/wasi-0.11.0+wasi-snapshot-preview1/src/lib.rs",
            "/x/a-1.0.0-rc.1/b.c",
            "/home/x/src/deps/tokio-1.48.0/src/task.rs",
        ] {
            assert!(is_of_library(path), "{path}");
        }
        for path in [
            "/home/x/src/shop/src/main.rs",
            "/home/x/shop/src/vendor/price.rs",
            "/home/x/shop-2/crates/core/src/lib.rs",
            "/home/x/shop/src/v-1.2.3/lib.rs",
            "/home/x/ip-10.0/src/main.rs",
            "src/main.rs",
            "",
        ] {
            assert!(!is_of_library(path), "{path}");
        }
    }

    #[test]
    fn relative_directories_stay_relative() {
        assert_eq!(join("src/deep", "a.rs"), "src/deep/a.rs");
        assert_eq!(join("", "a.rs"), "a.rs");
        assert_eq!(join("x", "/abs/a.rs"), "/abs/a.rs");
    }
}
