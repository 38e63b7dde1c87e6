//! Compressed debug sections.

use std::ffi::OsStr;
use std::fs;

use object::{Object, ObjectSection};

use crate::answers::{Answers, Disk, same};
use crate::make::{compile, copy, folder, objcopy};

#[test]
fn compressed_sections_are_read_as_plain_ones() {
    for options in [&["-Copt-level=0"], &["-Copt-level=2"]] {
        let folder = folder(&format!("compressed{}", options[0]));
        let plain = compile(&folder, options);
        let expected = Answers::of(&plain, &plain, &Disk::default());
        for way in ["zlib-gabi", "zlib-gnu", "zstd"] {
            let packed = copy(&plain, way);
            let option = format!("--compress-debug-sections={way}");
            objcopy([OsStr::new(&option), packed.as_os_str()]);
            let sizes = [&plain, &packed].map(|file| file.metadata().unwrap().len());
            assert!(sizes[1] < sizes[0] * 3 / 4, "{way} compresses: {sizes:?}");
            let found = Answers::of(&packed, &plain, &Disk::default());
            same(&expected, &found);
            assert_eq!(expected.gaps, rename(found.gaps, way));
        }
    }
}

#[test]
fn a_codec_of_the_future_is_a_gap_that_names_the_remedy() {
    let folder = folder("codec");
    let plain = compile(&folder, &[]);
    let packed = copy(&plain, "packed");
    objcopy([
        OsStr::new("--compress-debug-sections=zstd"),
        packed.as_os_str(),
    ]);
    let mut bytes = fs::read(&packed).unwrap();
    let sections = object::File::parse(&*bytes).unwrap();
    let info = sections.section_by_name(".debug_info").unwrap();
    let (begin, _) = info.file_range().unwrap();
    bytes[begin as usize] = 99;
    fs::write(&packed, bytes).unwrap();
    let found = Answers::of(&packed, &plain, &Disk::default());
    assert_eq!(found.described(), 0);
    assert!(
        found
            .complaint()
            .contains("objcopy --decompress-debug-sections")
    );
}

/// Gaps name the file.
fn rename(mut gaps: Vec<sigheap::internals::Gap>, way: &str) -> Vec<sigheap::internals::Gap> {
    for gap in &mut gaps {
        gap.what = gap.what.replace(way, "sample");
    }
    gaps
}
