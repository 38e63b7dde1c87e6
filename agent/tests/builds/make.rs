//! Makes object files: compiles the sample with the options of a test, and takes the result apart as packagers do.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of a test's own, empty.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("builds")
        .join(test);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Compiles the sample in this folder and returns the program.
pub(crate) fn compile(folder: &Path, options: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/builds/sample.rs");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    // DWARF 5 is an option of newer compilers, and one to be unlocked in the oldest that the project is for.
    rustc.env("RUSTC_BOOTSTRAP", "1").current_dir(folder);
    rustc.args(["--edition=2024", "-Cdebuginfo=2", "-o", "sample"]);
    run(rustc.args(options).arg(source));
    folder.join("sample")
}

/// Runs binutils' `objcopy`.
pub(crate) fn objcopy<const N: usize>(arguments: [&OsStr; N]) {
    run(Command::new("objcopy").args(arguments));
}

/// A copy of a program beside it.
pub(crate) fn copy(program: &Path, name: &str) -> PathBuf {
    let copy = program.with_file_name(name);
    fs::copy(program, &copy).unwrap();
    copy
}

/// Runs a command that must succeed.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
}
