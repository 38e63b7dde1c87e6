//! Compressed debug sections.

use std::ffi::OsStr;

use crate::answers::{Answers, Disk, same};
use crate::make::{compile, copy, folder, objcopy};

#[test]
fn compressed_sections_are_read_as_plain_ones() {
    for options in [&["-Copt-level=0"], &["-Copt-level=2"]] {
        let folder = folder(&format!("compressed{}", options[0]));
        let plain = compile(&folder, options);
        let expected = Answers::of(&plain, &plain, &Disk);
        for way in ["zlib-gabi", "zlib-gnu", "zstd"] {
            let packed = copy(&plain, way);
            let option = format!("--compress-debug-sections={way}");
            objcopy([OsStr::new(&option), packed.as_os_str()]);
            let sizes = [&plain, &packed].map(|file| file.metadata().unwrap().len());
            assert!(sizes[1] < sizes[0] * 3 / 4, "{way} compresses: {sizes:?}");
            let found = Answers::of(&packed, &plain, &Disk);
            same(&expected, &found);
            assert_eq!(expected.gaps, rename(found.gaps, way));
        }
    }
}

/// Gaps name the file.
fn rename(mut gaps: Vec<sigheap::internals::Gap>, way: &str) -> Vec<sigheap::internals::Gap> {
    for gap in &mut gaps {
        gap.what = gap.what.replace(way, "sample");
    }
    gaps
}
