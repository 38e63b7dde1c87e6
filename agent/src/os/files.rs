//! The bytes of object files: mapped, read only, shared with everybody who has them mapped.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

use crate::heap::Files;

/// Opens files by mapping them, for as long as the process lives: a look is short, and its process ends with it.
///
/// A file that somebody truncates meanwhile makes a later read fault, which costs the look, not the program.
#[derive(Debug)]
pub(crate) struct Mapped;

impl Files for Mapped {
    fn open(&self, path: &Path) -> io::Result<&'static [u8]> {
        let file = File::open(path)?;
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
