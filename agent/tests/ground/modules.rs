//! The modules of this very process, from `/proc/self/maps`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sigheap::internals::{Files, Module};

/// Object files read whole.
pub(crate) struct Disk;

impl Files for Disk {
    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        Ok(fs::read(path)?.leak())
    }
}

/// Every executable mapping of a file. The bias is the first mapping's address: position independent objects begin at 0.
pub(crate) fn modules() -> Vec<Module> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut first: Vec<(&str, u64)> = Vec::new();
    let mut modules = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, mode, path) = (
            fields.next().unwrap(),
            fields.next().unwrap(),
            fields.nth(3),
        );
        let Some(path) = path.filter(|path| path.starts_with('/')) else {
            continue;
        };
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        if first.iter().all(|(known, _)| *known != path) {
            first.push((path, start));
        }
        if mode.contains('x') {
            let bias = first.iter().find(|(known, _)| *known == path).unwrap().1;
            let (name, path) = (path.to_string(), PathBuf::from(path));
            modules.push(Module {
                path,
                name,
                start,
                end,
                bias,
            });
        }
    }
    modules
}
