//! `resolve`: the line table of one unit: address -> file and line.

use std::collections::HashMap;
use std::rc::Rc;

use gimli::{Dwarf, Unit};

use super::dwarf::Slice;

/// The line table of one unit.
#[derive(Default)]
pub(super) struct Lines {
    /// In order of addresses; the last row of a sequence has line 0.
    rows: Vec<Row>,
    files: HashMap<u64, Rc<str>>,
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
            self.files.insert(number, join(&directory, &name).into());
        }
    }

    /// The file and line of an address.
    pub(super) fn at(&self, address: u64) -> Option<(Rc<str>, u32)> {
        let after = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows.get(after.checked_sub(1)?)?;
        let file = self.files.get(&u64::from(row.file))?;
        (row.line != 0).then(|| (file.clone(), row.line))
    }

    /// A file by its number.
    pub(super) fn file(&self, number: u64) -> Option<Rc<str>> {
        self.files.get(&number).cloned()
    }
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
            files: HashMap::from([(1, "src/main.rs".into())]),
        };
        let line = |address| lines.at(address).map(|(_, line)| line);
        assert_eq!(line(9), None);
        assert_eq!(line(13), Some(3));
        assert_eq!(line(19), Some(5));
        assert_eq!(line(20), None);
        assert_eq!(line(31), Some(9));
    }

    #[test]
    fn relative_directories_stay_relative() {
        assert_eq!(join("src/deep", "a.rs"), "src/deep/a.rs");
        assert_eq!(join("", "a.rs"), "a.rs");
        assert_eq!(join("x", "/abs/a.rs"), "/abs/a.rs");
    }
}
