//! Debug information that the linker left in files of its own, as rustc makes them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::answers::{Answers, Disk, same};
use crate::make::{compile, folder};

/// Levels of optimisation and versions of DWARF.
const BUILDS: &[[&str; 2]] = &[
    ["-Copt-level=0", "-Cdwarf-version=4"],
    ["-Copt-level=2", "-Cdwarf-version=5"],
];

/// All ways of splitting, and the files that each leaves beside the program.
const WAYS: &[(&str, &str)] = &[("packed", ".dwp"), ("unpacked", ".dwo")];

fn split(folder: &Path, options: &[&str], way: &str) -> PathBuf {
    let way = format!("-Csplit-debuginfo={way}");
    compile(folder, &[options, &[way.as_str()]].concat())
}

/// The files of a folder whose names end so.
fn ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_string_lossy().ends_with(end))
        .collect()
}

#[test]
fn split_builds_are_read_as_whole_ones() {
    for options in BUILDS {
        let plain = compile(&folder(&options.concat()), options);
        let expected = Answers::of(&plain, &plain, &Disk::default());
        for (way, end) in WAYS {
            let folder = folder(&format!("{}{way}", options.concat()));
            let program = split(&folder, options, way);
            assert!(!ending(&folder, end).is_empty(), "rustc leaves {end} files");
            let found = Answers::of(&program, &program, &Disk::default());
            assert!(found.gaps.is_empty(), "{found:?}");
            same(&expected, &found);
        }
    }
}

/// `.dwo` files that were moved beside the program, whose sources were compiled elsewhere.
#[test]
fn dwo_files_are_found_beside_the_program() {
    let folder = folder("dwo-moved");
    let program = split(&folder, BUILDS[1].as_slice(), "unpacked");
    let expected = Answers::of(&program, &program, &Disk::default());
    let moved = folder.join("moved");
    fs::create_dir(&moved).unwrap();
    for file in ending(&folder, ".dwo").into_iter().chain([program]) {
        fs::rename(&file, moved.join(file.file_name().unwrap())).unwrap();
    }
    let program = moved.join("sample");
    same(
        &expected,
        &Answers::of(&program, &program, &Disk::default()),
    );
}

#[test]
fn what_is_not_there_is_a_gap_that_names_it() {
    for (way, end) in WAYS {
        let folder = folder(&format!("split-lost-{way}"));
        let program = split(&folder, BUILDS[0].as_slice(), way);
        for file in ending(&folder, end) {
            fs::remove_file(file).unwrap();
        }
        let found = Answers::of(&program, &program, &Disk::default());
        let wanted = format!("{}.dwp", program.display());
        assert!(found.complaint().contains(&wanted), "{found:?}");
        assert!(found.complaint().contains(".dwo is there"), "{found:?}");
        assert!(!found.complaint().contains("cannot be read"), "{found:?}");
    }
}

/// The package of another build has the same name and other units.
#[test]
fn what_is_of_another_build_is_refused() {
    for (way, end) in WAYS {
        let (ours, other) = (
            folder(&format!("ours-{way}")),
            folder(&format!("other-{way}")),
        );
        let program = split(&ours, BUILDS[0].as_slice(), way);
        split(&other, BUILDS[1].as_slice(), way);
        let mut others = ending(&other, end);
        others.sort();
        for (file, other) in ending(&ours, end).into_iter().zip(others.iter().cycle()) {
            fs::copy(other, file).unwrap();
        }
        let found = Answers::of(&program, &program, &Disk::default());
        assert!(found.complaint().contains("of another build"), "{found:?}");
        assert_eq!(found.described(), 0, "{found:?}");
    }
}
