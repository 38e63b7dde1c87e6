//! The files that answers go to.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::Error;
use super::parse::Redirection;

/// Readable and writable by the program's owner alone: a heap has secrets.
const MODE: u32 = 0o600;

/// Writes an answer. What the file had is gone, unless it is appended to.
///
/// # Errors
/// [`Error::File`].
pub(super) fn write(to: &Redirection, answer: &[u8]) -> Result<(), Error> {
    let open = OpenOptions::new()
        .write(true)
        .create(true)
        .append(to.append)
        .truncate(!to.append)
        .mode(MODE)
        .open(&to.path);
    open.and_then(|mut file| file.write_all(answer))
        .map_err(|source| Error::File {
            path: to.path.clone(),
            source,
        })
}
