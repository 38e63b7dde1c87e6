//! Builds with less debug information than all: each is told what it lacks and the line that mends it.

use crate::answers::{Answers, Disk};
use crate::make::{compile, copy, folder, objcopy};

/// How a build is made, and what its gap must say.
const BUILDS: &[(&str, &str)] = &[
    (
        "-Cdebuginfo=0",
        "no debug information describes some of its code: sample::",
    ),
    ("-Cdebuginfo=1", "leaves types out (debug = 1)"),
    ("-Cdebuginfo=line-tables-only", "line tables alone"),
    (
        "-Cstrip=symbols",
        "stripped of debug information and symbols",
    ),
];

#[test]
fn what_a_build_lacks_is_named() {
    for (option, says) in BUILDS {
        let folder = folder(&format!("partial{option}"));
        let whole = copy(&compile(&folder, &["-Copt-level=2"]), "whole");
        let program = compile(&folder, &["-Copt-level=2", option]);
        let found = Answers::of(&program, &whole, &Disk::default());
        let [gap] = &found.gaps[..] else {
            panic!("one gap, {found:?}");
        };
        assert!(gap.why.contains(says), "{option}: {gap:?}");
        let mend = gap.mend.as_deref().unwrap_or_default();
        assert!(
            mend.contains("[profile.release] debug = true"),
            "{option}: {gap:?}"
        );
    }
}

#[test]
fn a_file_of_types_shared_with_other_programs_is_a_gap() {
    let folder = folder("shared");
    let program = compile(&folder, &["-Copt-level=2"]);
    let link = folder.join("link");
    std::fs::write(&link, b"/usr/lib/debug/.dwz/common\0\x12\x34").unwrap();
    let mut option = std::ffi::OsString::from("--add-section=.gnu_debugaltlink=");
    option.push(&link);
    objcopy([option.as_os_str(), program.as_os_str()]);
    let found = Answers::of(&program, &program, &Disk::default());
    assert!(
        found.complaint().contains("/usr/lib/debug/.dwz/common"),
        "{found:?}"
    );
}
