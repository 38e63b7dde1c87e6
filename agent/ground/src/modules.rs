//! The modules of this very process, from `/proc/self/maps`.

use std::fs;

/// A line for every executable mapping of a file: its first address, the one after its last, the address of the file's first
/// mapping (position independent objects begin at 0), and the file.
pub(crate) fn modules() -> Vec<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mut first: Vec<(&str, &str)> = Vec::new();
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
        if first.iter().all(|(known, _)| *known != path) {
            first.push((path, start));
        }
        if mode.contains('x') {
            let bias = first.iter().find(|(known, _)| *known == path).unwrap().1;
            modules.push(format!("module\t{start}\t{end}\t{bias}\t{path}"));
        }
    }
    modules
}
