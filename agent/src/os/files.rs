//! The bytes of object files: mapped, read only, shared with everybody who has them mapped.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use crate::heap::{DebugPlaces, Files};

/// Opens files by mapping them, for as long as the process lives: a look is short, and its process ends with it.
///
/// One that was opened before is not mapped again: several ask for the program's own file, and where addresses are few
/// (`ulimit -v`) there may be none for a second time.
///
/// A file that somebody truncates meanwhile makes a later read fault, which costs the look, not the program.
#[derive(Debug, Default)]
pub(crate) struct Mapped(RefCell<HashMap<Identity, &'static [u8]>>);

/// Device, number, and what changes when the file does: its length, and when it was last written to, in nanoseconds.
type Identity = (u64, u64, u64, i128);

fn identity(file: &Metadata) -> Identity {
    let written = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
    (file.dev(), file.ino(), file.len(), written)
}

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
        if metadata.len() == 0 {
            return Ok(&[]);
        }
        if let Some(known) = self.0.borrow().get(&identity(&metadata)) {
            return Ok(known);
        }
        let bytes = map(&file, metadata.len())?;
        self.0.borrow_mut().insert(identity(&metadata), bytes);
        Ok(bytes)
    }
}

/// Whether lines typed can be kept in a file of this name, or could be if there were one: no pipe, on whose other end
/// whoever opens it would wait, no device, nothing huge, nothing locked by another. Where a file system hangs, so does this.
pub(crate) fn is_fit_for_a_history(path: &Path) -> bool {
    const MOST: u64 = 4 << 20;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let Ok(file) = file else {
        return file.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    };
    let fits = |file: Metadata| file.is_file() && file.len() <= MOST;
    file.metadata().is_ok_and(fits) && file.try_lock_shared().is_ok()
}

fn map(file: &File, length: u64) -> io::Result<&'static [u8]> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let pipe = std::env::temp_dir().join(format!("sigheap-pipe-{}", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let files = Mapped::default();
        assert!(files.open(&pipe).is_err());
        std::fs::remove_file(pipe).unwrap();
        assert!(files.open(Path::new("/dev/zero")).is_err());
        assert!(files.open(Path::new("/")).is_err());
    }

    /// The prompt waited for somebody to write into a pipe.
    #[test]
    fn a_history_is_a_file_that_can_be_had_at_once() {
        let folder = std::env::temp_dir().join(format!("sigheap-history-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (pipe, file) = (folder.join("pipe"), folder.join("file"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(!is_fit_for_a_history(&pipe));
        assert!(!is_fit_for_a_history(&folder));
        assert!(!is_fit_for_a_history(Path::new("/dev/zero")));
        assert!(is_fit_for_a_history(&file), "there may be one");
        std::fs::write(&file, "top\n").unwrap();
        assert!(is_fit_for_a_history(&file));
        let locked = File::open(&file).unwrap();
        locked.lock().unwrap();
        assert!(!is_fit_for_a_history(&file));
        locked.unlock().unwrap();
        assert!(is_fit_for_a_history(&file));
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// The program's file took its addresses twice, and under `ulimit -v` its types had no names.
    #[test]
    fn a_file_is_mapped_once_by_whatever_name() {
        let path = std::env::temp_dir().join(format!("sigheap-mapped-{}", std::process::id()));
        std::fs::write(&path, "before").unwrap();
        let files = Mapped::default();
        let first = files.open(&path).unwrap();
        let folder = path.parent().unwrap();
        let other = folder.join(".").join(path.file_name().unwrap());
        assert_eq!(files.open(&other).unwrap().as_ptr(), first.as_ptr());
        std::fs::write(&path, "afterwards").unwrap();
        assert_eq!(files.open(&path).unwrap(), b"afterwards", "another content");
        std::fs::remove_file(path).unwrap();
    }
}
