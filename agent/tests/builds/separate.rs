//! Debug information in a file apart, as packagers put it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use object::Object;
use sigheap::internals::DebugPlaces;

use crate::answers::{Answers, Disk, same};
use crate::make::{compile, copy, folder, objcopy};

/// A program, what is known of it, and the same program stripped with its debug information in a file apart.
struct Packaged {
    expected: Answers,
    /// As it was linked; moved out of the way.
    whole: PathBuf,
    stripped: PathBuf,
    debug: PathBuf,
}

fn packaged(test: &str, options: &[&str]) -> Packaged {
    let folder = folder(test);
    let program = compile(&folder, options);
    let expected = Answers::of(&program, &program, &Disk::default());
    let debug = folder.join("sample.debug");
    objcopy([
        OsStr::new("--only-keep-debug"),
        program.as_os_str(),
        debug.as_os_str(),
    ]);
    let whole = copy(&program, "whole");
    objcopy([OsStr::new("--strip-all"), program.as_os_str()]);
    let mut link = OsStr::new("--add-gnu-debuglink=").to_os_string();
    link.push(&debug);
    objcopy([&link, program.as_os_str()]);
    Packaged {
        expected,
        whole,
        stripped: program,
        debug,
    }
}

impl Packaged {
    fn answers(&self, places: &DebugPlaces) -> Answers {
        Answers::of(&self.stripped, &self.whole, &Disk(places.clone()))
    }

    fn put(&self, place: &Path) {
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&self.debug, place).unwrap();
    }

    fn build_id(&self) -> String {
        let bytes = fs::read(&self.whole).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let id = object
            .build_id()
            .unwrap()
            .expect("linkers make one by default");
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const RELEASE: &[&str] = &["-Copt-level=2"];
/// A build without an id is told by its debug file's checksum.
const NAMELESS: &[&str] = &["-Copt-level=2", "-Clink-arg=-Wl,--build-id=none"];

#[test]
fn a_linked_debug_file_is_read_as_if_it_were_the_program() {
    for options in [RELEASE, NAMELESS] {
        let packaged = packaged("linked", options);
        let found = packaged.answers(&DebugPlaces::default());
        same(&packaged.expected, &found);
        assert!(found.gaps.is_empty(), "{found:?}");
    }
}

#[test]
fn it_is_found_wherever_a_debugger_would() {
    let packaged = packaged("places", RELEASE);
    let folder = packaged.debug.with_file_name("elsewhere");
    let places = DebugPlaces {
        roots: vec![folder.join("debug")],
        caches: vec![folder.join("cache")],
    };
    let id = packaged.build_id();
    let program = packaged
        .stripped
        .parent()
        .unwrap()
        .strip_prefix("/")
        .unwrap();
    let spots = [
        packaged
            .stripped
            .with_file_name(".debug")
            .join("sample.debug"),
        folder.join("debug").join(program).join("sample.debug"),
        folder.join(format!("debug/.build-id/{}/{}.debug", &id[..2], &id[2..])),
        folder.join(format!("cache/{id}/debuginfo")),
    ];
    let away = packaged.debug.with_file_name("away");
    fs::rename(&packaged.debug, &away).unwrap();
    for spot in spots {
        assert!(
            packaged.answers(&places).described() == 0,
            "nothing is there yet"
        );
        fs::create_dir_all(spot.parent().unwrap()).unwrap();
        fs::rename(&away, &spot).unwrap();
        same(&packaged.expected, &packaged.answers(&places));
        fs::rename(&spot, &away).unwrap();
    }
}

#[test]
fn a_missing_one_is_a_gap_that_names_it() {
    let packaged = packaged("missing", RELEASE);
    fs::remove_file(&packaged.debug).unwrap();
    let found = packaged.answers(&DebugPlaces::default());
    let wanted = format!(
        "copy the debug file of this build to {}",
        packaged.debug.display()
    );
    assert!(found.complaint().contains(&wanted), "{found:?}");
}

#[test]
fn that_of_another_build_is_refused_with_both_ids() {
    let ours = packaged("ours", RELEASE);
    let other = packaged("other", &["-Copt-level=1"]);
    other.put(&ours.debug);
    let found = ours.answers(&DebugPlaces::default());
    assert_eq!(found.described(), 0, "{found:?}");
    for id in [ours.build_id(), other.build_id()] {
        assert!(found.complaint().contains(&id), "{id} in {found:?}");
    }
    let (ours, other) = (packaged("ours", NAMELESS), packaged("other", RELEASE));
    other.put(&ours.debug);
    let found = ours.answers(&DebugPlaces::default());
    assert_eq!(found.described(), 0, "{found:?}");
    assert!(found.complaint().contains("checksum"), "{found:?}");
}

/// A cheap trick: the wrong file under the right build id.
#[test]
fn a_place_alone_proves_nothing() {
    let (ours, other) = (
        packaged("id-ours", RELEASE),
        packaged("id-other", &["-Copt-level=1"]),
    );
    fs::remove_file(&ours.debug).unwrap();
    let folder = ours.debug.with_file_name("root");
    let id = ours.build_id();
    other.put(&folder.join(format!(".build-id/{}/{}.debug", &id[..2], &id[2..])));
    let places = DebugPlaces {
        roots: vec![folder],
        caches: Vec::new(),
    };
    let found = ours.answers(&places);
    assert_eq!(found.described(), 0, "{found:?}");
    assert!(found.complaint().contains(&other.build_id()), "{found:?}");
}

/// A split build whose skeletons are in a file apart, both compressed.
#[test]
fn all_at_once() {
    let packaged = packaged("all", &["-Copt-level=2", "-Csplit-debuginfo=packed"]);
    for (file, way) in [
        (&packaged.debug, "zstd"),
        (&packaged.debug.with_file_name("sample.dwp"), "zlib"),
    ] {
        let option = format!("--compress-debug-sections={way}");
        objcopy([OsStr::new(&option), file.as_os_str()]);
    }
    let found = packaged.answers(&DebugPlaces::default());
    same(&packaged.expected, &found);
    assert!(found.gaps.is_empty(), "{found:?}");
}
