//! `resolve`: debug information in a file apart from the program, where a debugger looks for it. Reads files through [`Files`]
//! alone. What is of another build is refused: its names would be wrong.

use std::io;
use std::path::{Path, PathBuf};

use super::dwarf::Debug;
use super::missing::Missing;
use super::object::{Identity, Object};
use super::split::Splits;
use crate::heap::{Files, Module};

/// Debug information from a file apart.
pub(super) struct Separate<'a> {
    pub(super) object: Object,
    pub(super) debug: Debug<'a>,
}

/// A file that may be the one wanted.
struct Candidate {
    path: PathBuf,
    /// The checksum it must have where there are no build ids to compare.
    checksum: Option<u32>,
}

/// Finds the debug information of a program that has none itself. `None`: it does not say where there is any, and there is none
/// under its build id. Otherwise why what is there cannot be used.
pub(super) fn find<'a>(
    program: &Object,
    module: &Module,
    files: &'a dyn Files,
) -> Result<Option<Separate<'a>>, Missing> {
    let mut refused = None;
    for candidate in candidates(program, module, files) {
        match open(program, &candidate, module, files) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    let link = program.debug_link();
    let lost = link.map(|(name, _)| Missing::Apart(beside(module).join(name)));
    refused.or(lost).map_or(Ok(None), Err)
}

/// By build id, by the link that the program has to its debug information, in what `debuginfod` has brought: as in GDB.
fn candidates(program: &Object, module: &Module, files: &dyn Files) -> Vec<Candidate> {
    let places = files.debug_places();
    let folder = beside(module);
    let mut paths = Vec::new();
    let id = program.build_id().filter(|id| id.len() > 1);
    if let Some(id) = &id {
        let roots = places.roots.iter();
        paths.extend(roots.map(|root| (root.join(by_build_id(id)), None)));
    }
    if let Some((name, checksum)) = program.debug_link() {
        let inside = folder.strip_prefix("/").unwrap_or(&folder);
        let roots = places.roots.iter().map(|root| root.join(inside));
        let folders = [folder.clone(), folder.join(".debug")];
        let folders = folders.into_iter().chain(roots);
        paths.extend(folders.map(|folder| (folder.join(name), Some(checksum))));
    }
    if let Some(id) = &id {
        let caches = places.caches.iter();
        paths.extend(caches.map(|cache| (cache.join(hex(id)).join("debuginfo"), None)));
    }
    let candidate = |(path, checksum)| Candidate { path, checksum };
    paths.into_iter().map(candidate).collect()
}

/// `.build-id/ab/cdef.debug`
pub(super) fn by_build_id(id: &[u8]) -> PathBuf {
    let name = hex(id);
    let (first, rest) = name.split_at(2.min(name.len()));
    PathBuf::from(format!(".build-id/{first}/{rest}.debug"))
}

/// The folder that the program is in.
fn beside(module: &Module) -> PathBuf {
    let folder = Path::new(&module.name).parent();
    folder.unwrap_or(Path::new("/")).into()
}

fn open<'a>(
    program: &Object,
    candidate: &Candidate,
    module: &Module,
    files: &'a dyn Files,
) -> Result<Option<Separate<'a>>, Missing> {
    let file = || candidate.path.clone();
    let unreadable = |why: String| Missing::Unreadable { file: file(), why };
    let bytes = match files.open(&candidate.path) {
        Ok(bytes) => bytes,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let object = Object::parse(bytes).map_err(|error| unreadable(error.to_string()))?;
    let wanted = wanted(program, &object, candidate);
    let found = match wanted {
        Identity::Checksum(_) => Identity::Checksum(crc32(bytes)),
        _ => object.identity(),
    };
    if wanted != found {
        let replaced = was_replaced(program, module, files);
        return Err(Missing::OtherBuild {
            file: file(),
            wanted,
            found,
            replaced,
        });
    }
    let splits = Splits::new(files, vec![PathBuf::from(&module.name), file()]);
    let debug = Debug::open(|name| object.section(name), splits);
    let debug = debug.map_err(|error| unreadable(error.to_string()))?;
    Ok(debug.map(|debug| Separate { object, debug }))
}

/// What tells that a file is of the same build: the build id, or without one on both sides the link's checksum.
fn wanted(program: &Object, found: &Object, candidate: &Candidate) -> Identity {
    match candidate.checksum {
        Some(checksum) if program.build_id().is_none() || found.build_id().is_none() => {
            Identity::Checksum(checksum)
        }
        _ => program.identity(),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether another build has taken the place of the program on disk since it started.
pub(super) fn was_replaced(program: &Object, module: &Module, files: &dyn Files) -> bool {
    let there = files.open(Path::new(&module.name)).ok();
    let there = there.and_then(|bytes| Object::parse(bytes).ok());
    there.is_some_and(|there| there.identity() != program.identity())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum that `objcopy --add-gnu-debuglink` writes: CRC-32 as in Ethernet and gzip. Of build ids, which linkers make by
/// default, none is ever needed.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |sum: u32, byte: &u8| (sum >> 8) ^ TABLE[usize::from(sum as u8 ^ byte)];
    !bytes.iter().fold(!0, step)
}

/// What each byte adds to the checksum.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            let carry = sum & 1;
            sum = (sum >> 1) ^ (0xedb8_8320 * carry);
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_world() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_build_id_is_a_path() {
        let path = by_build_id(&[0xab, 0xcd, 0x01]);
        assert_eq!(path, Path::new(".build-id/ab/cd01.debug"));
    }
}
