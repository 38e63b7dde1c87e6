//! What the conversation asks of a terminal, and the real one.

use std::io::{self, Read, Write};

use super::meanwhile::Line;
use crate::os::{look, terminal};

/// A terminal: in its ordinary mode reading gives whole lines. Tests have one of text.
pub(crate) trait Terminal: Read + Write {
    /// Columns and rows, as they are now; zeros where they cannot be told.
    fn size(&self) -> (u16, u16);

    /// Whether something was typed that nobody has read yet.
    fn has_input(&self) -> bool;

    /// From now on what is typed while nobody reads waits unseen. A terminal that cannot be set stays as it is.
    fn hide_typing(&mut self);

    /// Asks, and gives one key, without Enter and without echo. The mode is as before when it returns.
    ///
    /// # Errors
    /// Those of the terminal; the end of its input is [`io::ErrorKind::UnexpectedEof`].
    fn key(&mut self, ask: &str) -> io::Result<u8>;
}

/// The process's controlling terminal. It writes at once: a prompt that stands in a buffer is none.
#[derive(Debug)]
pub(crate) struct Tty<'a>(pub(crate) &'a terminal::Terminal);

impl Terminal for Tty<'_> {
    fn size(&self) -> (u16, u16) {
        self.0.size()
    }

    fn has_input(&self) -> bool {
        self.0.has_input()
    }

    fn hide_typing(&mut self) {
        if let Ok(settings) = self.0.settings() {
            self.0.set(&settings.for_work());
        }
    }

    fn key(&mut self, ask: &str) -> io::Result<u8> {
        let before = self.0.settings()?;
        self.0.set(&before.for_keys());
        let mut key = [0];
        // Asked only now: a key that came sooner would be echoed.
        let read = self
            .write_all(ask.as_bytes())
            .and_then(|()| self.read_exact(&mut key));
        self.0.set(&before);
        read.map(|()| key[0])
    }
}

impl Line for Tty<'_> {
    fn put(&self, text: &str) {
        // A terminal that is gone tells whoever reads the next line.
        let _ = self.0.file().write_all(text.as_bytes());
    }

    fn was_interrupted(&self) -> bool {
        look::take_interrupt()
    }
}

impl Read for Tty<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.file().read(into)
    }
}

impl Write for Tty<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
