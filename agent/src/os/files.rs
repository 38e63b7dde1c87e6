//! The bytes of object files: mapped, read only, shared with everybody who has them mapped.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use crate::heap::{DebugPlaces, Files};

/// Opens files by mapping them, for as long as the process lives: a look is short, and its process ends with it.
///
/// A file that somebody truncates meanwhile makes a later read fault, which costs the look, not the program.
#[derive(Debug)]
pub(crate) struct Mapped;

static PLACES: OnceLock<DebugPlaces> = OnceLock::new();

/// Sets where debug information may lie besides the usual places. To be called before the first look; only the first call counts.
pub(crate) fn look_in(places: DebugPlaces) {
    // Whoever comes second asks for the same: the environment does not change.
    drop(PLACES.set(places));
}

impl Files for Mapped {
    fn debug_places(&self) -> DebugPlaces {
        PLACES.get().cloned().unwrap_or_default()
    }

    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        // What a damaged file names may be a pipe, on whose writer a plain `open` waits.
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let length = usize::try_from(metadata.len()).map_err(io::Error::other)?;
        if length == 0 {
            return Ok(&[]);
        }
        // SAFETY: a fresh private read-only mapping of an open file, at an address of the kernel's choice.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the mapping is readable for `length` bytes, is never unmapped, and nobody writes to it.
        Ok(unsafe { std::slice::from_raw_parts(mapped.cast::<u8>(), length) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let pipe = std::env::temp_dir().join(format!("sigheap-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(Mapped.open(&pipe).is_err());
        std::fs::remove_file(pipe).unwrap();
        assert!(Mapped.open(Path::new("/dev/zero")).is_err());
        assert!(Mapped.open(Path::new("/")).is_err());
    }
}
