//! What the conversation asks of a terminal.

use std::io::{self, Read, Write};

/// A terminal in its ordinary mode: reading gives whole lines. `os` has the real one, tests one of text.
pub(crate) trait Terminal: Read + Write {
    /// Columns and rows, as they are now; zeros where they cannot be told.
    fn size(&self) -> (u16, u16);

    /// One key, without Enter and without echo. The mode is as before when it returns.
    ///
    /// # Errors
    /// Those of the terminal; the end of its input is [`io::ErrorKind::UnexpectedEof`].
    fn key(&mut self) -> io::Result<u8>;
}
