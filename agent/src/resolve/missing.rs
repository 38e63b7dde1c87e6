//! `resolve`: what an object file lacks, and the line that mends it.

use std::io;
use std::path::{Path, PathBuf};

use super::object::{Identity, ObjectError};
use super::separate::{by_build_id, hex};
use super::split::Lost;
use crate::heap::Gap;

/// Why less is known of an object file than could be.
#[derive(Debug)]
pub(super) enum Missing {
    /// The file cannot be read.
    File(io::Error),
    /// It is not an object file that can be understood.
    Object(ObjectError),
    /// It has no debug information and no symbols. With the build id, where it has one.
    Symbols(Option<Vec<u8>>),
    /// It has no debug information.
    Debug,
    /// Some of its code, this function for one, is not described by its debug information.
    Description(String),
    /// Its debug information is line tables alone.
    Lines,
    /// Its debug information leaves types out.
    Types,
    /// Its debug information is in a file apart, which is not there.
    Apart(PathBuf),
    /// Its debug information is in a file apart, which cannot be read.
    Unreadable { file: PathBuf, why: String },
    /// The file with its debug information is of another build.
    OtherBuild {
        file: PathBuf,
        wanted: Identity,
        found: Identity,
        /// Whether the program itself was replaced on disk since it started.
        replaced: bool,
    },
    /// Some of its debug information is in a file that it shares with others.
    Shared(String),
    /// Some of its debug information cannot be read.
    Damaged,
}

/// For all builds: this is what names types.
const FULL: &str = "add to the workspace's Cargo.toml: [profile.release] debug = true";

impl Missing {
    /// The gap to show for a module of this name.
    pub(super) fn gap(&self, module: &str) -> Gap {
        let types = format!("types of blocks allocated in {module}");
        match self {
            Missing::File(error) => Gap::new(types, format!("the file cannot be read: {error}")),
            Missing::Object(error @ (ObjectError::Codec | ObjectError::Room(_))) => {
                Gap::new(types, error.to_string())
                    .mended_by(format!("objcopy --decompress-debug-sections {module}"))
            }
            Missing::Object(error) => Gap::new(types, error.to_string()),
            Missing::Symbols(id) => Gap::new(types, "it is stripped of debug information and symbols")
                .mended_by(unstripped(id.as_deref())),
            Missing::Debug => Gap::new(types, "it has no debug information").mended_by(FULL),
            Missing::Description(path) => Gap::new(
                types,
                format!("no debug information describes some of its code: {path}, for one"),
            )
            .mended_by(FULL),
            Missing::Lines => Gap::new(types, "its debug information is line tables alone").mended_by(FULL),
            Missing::Types => Gap::new(
                format!("sizes and fields of the types of {module}"),
                "its debug information leaves types out (debug = 1)",
            )
            .mended_by(FULL),
            Missing::Apart(file) => Gap::new(
                types,
                format!("its debug information is apart, and {} is not there", file.display()),
            )
            .mended_by(format!("copy the debug file of this build to {}", file.display())),
            Missing::Unreadable { file, why } => Gap::new(
                types,
                format!("its debug information is in {}, which cannot be read: {why}", file.display()),
            ),
            Missing::OtherBuild { file, wanted, found, replaced } => {
                Gap::new(types, other_build(file, wanted, found, *replaced))
                    .mended_by(of_this_build(module, file, *replaced))
            }
            Missing::Shared(name) => Gap::new(
                format!("some types of blocks allocated in {module}"),
                format!("some of its debug information is in {name}, which it shares with other programs (dwz)"),
            )
            .mended_by(format!("build {module} without dwz")),
            Missing::Damaged => Gap::new(
                format!("some types of blocks allocated in {module}"),
                "some of its debug information cannot be read",
            ),
        }
    }
}

fn unstripped(id: Option<&[u8]>) -> String {
    let apart = id.map(|id| {
        let place = Path::new("/usr/lib/debug").join(by_build_id(id));
        format!(
            "; or put the debug file of this build at {}",
            place.display()
        )
    });
    format!("{FULL}, and leave out strip{}", apart.unwrap_or_default())
}

fn other_build(file: &Path, wanted: &Identity, found: &Identity, replaced: bool) -> String {
    let since = match replaced {
        true => "; the program on disk is not the one that runs, either",
        false => "",
    };
    let (file, is) = (file.display(), of(found));
    format!(
        "{file} is of another build: it has {is}, the program asks for {}{since}",
        of(wanted)
    )
}

fn of(identity: &Identity) -> String {
    match identity {
        Identity::Build(id) => format!("build id {}", hex(id)),
        Identity::Checksum(sum) => format!("checksum {sum:08x}"),
        Identity::None => "no build id".into(),
    }
}

fn of_this_build(module: &str, file: &Path, replaced: bool) -> String {
    match replaced {
        true => "start the program again".into(),
        false => format!(
            "objcopy --only-keep-debug {module} {}, with {module} as it was before strip",
            file.display()
        ),
    }
}

/// The gap to show for a module of this name whose units are in files of their own.
pub(super) fn of_split(lost: &Lost, module: &str) -> Gap {
    let types = format!("types of blocks allocated in {module}");
    let split = "its debug information is split off";
    let kept = "[profile.release] split-debuginfo = \"off\"";
    match lost {
        Lost::Absent { package, named } => Gap::new(
            types,
            format!(
                "{split}, and neither {} nor {} is there",
                package.display(),
                named.display()
            ),
        )
        .mended_by(format!(
            "copy this build's .dwp to {}, or add to the workspace's Cargo.toml: {kept}",
            package.display()
        )),
        Lost::Unreadable { file, why } => {
            let file = file.display();
            Gap::new(types, format!("{split}, and {file} cannot be read: {why}"))
                .mended_by(format!("copy this build's file to {file}"))
        }
        Lost::Other { file } => {
            let file = file.display();
            Gap::new(
                types,
                format!("{split}, and what {file} holds is of another build"),
            )
            .mended_by(format!(
                "copy this build's file to {file}, or start the program again if it was built anew"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_that_lacks_something_is_told_the_line_that_mends_it() {
        for missing in [
            Missing::Symbols(None),
            Missing::Debug,
            Missing::Lines,
            Missing::Types,
        ] {
            let gap = missing.gap("demo");
            assert!(gap.what.contains("demo"));
            assert!(gap.mend.unwrap().contains("[profile.release] debug = true"));
        }
        let lost = Lost::Absent {
            package: "/srv/demo.dwp".into(),
            named: "/build/demo.dwo".into(),
        };
        let gap = of_split(&lost, "demo");
        assert!(gap.why.contains("/build/demo.dwo"));
        assert!(gap.mend.unwrap().contains("/srv/demo.dwp"));
        let gap = Missing::Object(ObjectError::Codec).gap("demo");
        assert_eq!(
            gap.mend.unwrap(),
            "objcopy --decompress-debug-sections demo"
        );
        let gap = Missing::Apart("/srv/demo.debug".into()).gap("/srv/demo");
        assert!(gap.mend.unwrap().contains("/srv/demo.debug"));
    }

    #[test]
    fn a_stripped_build_is_told_where_its_debug_file_goes() {
        let gap = Missing::Symbols(Some(vec![0xab, 0xcd])).gap("demo");
        assert!(
            gap.mend
                .unwrap()
                .contains("/usr/lib/debug/.build-id/ab/cd.debug")
        );
    }

    #[test]
    fn of_two_builds_both_identities_are_said() {
        let other = |replaced| Missing::OtherBuild {
            file: "/srv/demo.debug".into(),
            wanted: Identity::Build(vec![0xab, 1]),
            found: Identity::Build(vec![0xcd, 2]),
            replaced,
        };
        let gap = other(false).gap("/srv/demo");
        assert!(gap.why.contains("ab01") && gap.why.contains("cd02"));
        assert!(
            gap.mend
                .unwrap()
                .starts_with("objcopy --only-keep-debug /srv/demo")
        );
        assert_eq!(
            other(true).gap("/srv/demo").mend.unwrap(),
            "start the program again"
        );
    }
}
