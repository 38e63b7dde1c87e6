//! What the repository holds at its top, and that its documents name what exists.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::source::top;

/// What stands at the top, besides dot files.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "agent",
    "demo-server",
    "docs",
    "tests",
];

/// The commands that the README promises and `.ci/run` runs.
const TEST: &str = "cargo test --workspace";
const DEMO: &str = "cargo run --release -p demo-server";

#[test]
fn the_top_level_has_the_promised_entries_alone() {
    // From git's index, since a working directory also holds what its user wrote there.
    let listed = Command::new("git")
        .args(["ls-files", "--full-name", ":/"])
        .current_dir(top())
        .output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        return;
    };
    let files = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let mut entries: Vec<&str> = files
        .lines()
        .filter_map(|file| file.split('/').next())
        .collect();
    entries.retain(|entry| !entry.starts_with('.'));
    entries.dedup();
    assert_eq!(entries, TOP);
}

#[test]
fn the_readme_and_ci_run_the_same_commands() {
    let (readme, ci) = (read("README.md"), read(".ci/run"));
    for command in [TEST, DEMO] {
        assert!(
            readme.lines().any(|line| line.trim() == command),
            "README.md lacks a line `{command}`"
        );
    }
    assert!(
        ci.lines().any(|line| line.trim() == TEST),
        ".ci/run lacks a line `{TEST}`"
    );
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in fs::read_dir(top().join("docs")).expect("docs/") {
        documents.push(format!(
            "docs/{}",
            entry.expect("its entry").file_name().to_string_lossy()
        ));
    }
    for document in documents {
        for link in links(&read(&document)) {
            let folder = Path::new(&document)
                .parent()
                .expect("a file lies somewhere");
            let target = top().join(folder).join(&link);
            assert!(
                target.exists(),
                "{document} links to {link}, which is not there"
            );
        }
    }
}

/// A second agent in a program would fight over the signal and the tables: `links` has Cargo refuse it.
#[test]
fn two_versions_in_one_program_are_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two-versions");
    let second = r#"old = { package = "sigheap", path = "old" }"#;
    let (one, _) = resolve(&folder, "");
    assert!(one, "one version is fine");
    let (two, said) = resolve(&folder, second);
    assert!(
        !two && said.contains("links to the native library `sigheap`"),
        "{said}"
    );
}

/// Whether Cargo accepts a program that depends on this agent and, by this line, on another; and what it says.
fn resolve(folder: &Path, second: &str) -> (bool, String) {
    let agent = top().join("agent");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\nsigheap = {{ path = {agent:?} }}\n{second}\n"
    );
    let old = "[package]\nname = \"sigheap\"\nversion = \"0.0.1\"\nedition = \"2024\"\nlinks = \"sigheap\"\n";
    for (file, text) in [
        ("Cargo.toml", manifest.as_str()),
        ("src/main.rs", "fn main() {}\n"),
        ("old/Cargo.toml", old),
        ("old/src/lib.rs", ""),
        ("old/build.rs", "fn main() {}\n"),
    ] {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for it");
        fs::write(path, text).expect("a file");
    }
    // The versions that this repository was built with are on this machine.
    fs::copy(top().join("Cargo.lock"), folder.join("Cargo.lock")).expect("a copy");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(folder.join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The targets of relative links, without their anchors.
fn links(text: &str) -> Vec<String> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    let paths = targets
        .filter(|target| !target.contains("://"))
        .filter_map(|target| target.split('#').next());
    paths
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
