//! `resolve`: what an object file lacks, and the line that mends it.

use std::io;

use super::object::ObjectError;
use crate::heap::Gap;

/// Why less is known of an object file than could be.
#[derive(Debug)]
pub(super) enum Missing {
    /// The file cannot be read.
    File(io::Error),
    /// It is not an object file that can be understood.
    Object(ObjectError),
    /// It has no debug information and no symbols.
    Symbols,
    /// It has no debug information.
    Debug,
    /// Its debug information leaves types out.
    Types,
    /// Its debug information is in other files.
    Split,
    /// Some of its debug information cannot be read.
    Damaged,
}

/// For all builds: this is what names types.
const FULL: &str = "add to the workspace's Cargo.toml: [profile.release] debug = 2";

impl Missing {
    /// The gap to show for a module of this name.
    pub(super) fn gap(&self, module: &str) -> Gap {
        let types = format!("types of blocks allocated in {module}");
        match self {
            Missing::File(error) => Gap::new(types, format!("the file cannot be read: {error}")),
            Missing::Object(error @ (ObjectError::Codec | ObjectError::Room(_))) => Gap::new(types, error.to_string())
                .mended_by(format!("link without compressed debug sections, or run: objcopy --decompress-debug-sections {module}")),
            Missing::Object(error) => Gap::new(types, error.to_string()),
            Missing::Symbols => Gap::new(types, "it is stripped of debug information and symbols")
                .mended_by(format!("{FULL}, and leave out strip")),
            Missing::Debug => Gap::new(types, "it has no debug information").mended_by(FULL),
            Missing::Types => Gap::new(format!("sizes and fields of the types of {module}"), "its debug information leaves types out")
                .mended_by(FULL),
            Missing::Split => Gap::new(types, "its debug information is split off into other files")
                .mended_by("add to the workspace's Cargo.toml: [profile.release] split-debuginfo = \"off\""),
            Missing::Damaged => Gap::new(format!("some types of blocks allocated in {module}"), "some of its debug information cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_that_lacks_something_is_told_the_line_that_mends_it() {
        for missing in [
            Missing::Symbols,
            Missing::Debug,
            Missing::Types,
            Missing::Split,
        ] {
            let gap = missing.gap("demo");
            assert!(gap.what.contains("demo"));
            assert!(gap.mend.unwrap().contains("[profile.release]"));
        }
    }
}
