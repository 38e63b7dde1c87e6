//! Chunks of bytes into lines, in bounded memory. Pure: touches nothing.

/// Longest line taken, in bytes without its line feed. Servers cut the fields they log long before.
pub(crate) const MAX_LINE: usize = 16 * 1024;

/// What a stream of bytes is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line without its line feed, or what stood after the last one when the stream ended.
    Text(Vec<u8>),
    /// A line over [`MAX_LINE`], thrown away as it came.
    TooLong,
}

/// Puts the lines of one stream together.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// The line under way, at most [`MAX_LINE`] bytes; empty while one is skipped.
    partial: Vec<u8>,
    /// The line under way is too long, and is dropped up to its line feed.
    skipping: bool,
}

impl Assembler {
    /// Takes the stream's next bytes and gives each line that they complete.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], mut give: impl FnMut(Line)) {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            self.extend(&chunk[..end]);
            give(self.take());
            chunk = &chunk[end + 1..];
        }
        self.extend(chunk);
    }

    /// What stands after the last line feed when the stream ends: whole or cut off, the parser tells.
    pub(crate) fn finish(mut self) -> Option<Line> {
        (self.skipping || !self.partial.is_empty()).then(|| self.take())
    }

    fn extend(&mut self, bytes: &[u8]) {
        if self.skipping || self.partial.len() + bytes.len() > MAX_LINE {
            self.skipping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn take(&mut self) -> Line {
        if std::mem::take(&mut self.skipping) {
            Line::TooLong
        } else {
            Line::Text(std::mem::take(&mut self.partial))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(stream: &[u8], chunk: usize) -> Vec<Line> {
        let mut assembler = Assembler::default();
        let mut lines = Vec::new();
        for bytes in stream.chunks(chunk) {
            assembler.feed(bytes, |line| lines.push(line));
            assert!(assembler.partial.len() <= MAX_LINE);
        }
        lines.extend(assembler.finish());
        lines
    }

    fn text(line: &str) -> Line {
        Line::Text(line.as_bytes().to_vec())
    }

    #[test]
    fn lines_are_the_same_whatever_the_chunks() {
        let stream = "first\nsecond, with ä and €\n\nfourth\r\nlast".as_bytes();
        let whole = [
            text("first"),
            text("second, with ä and €"),
            text(""),
            text("fourth\r"),
            text("last"),
        ];
        for chunk in 1..=stream.len() {
            assert_eq!(lines_of(stream, chunk), whole, "chunks of {chunk}");
        }
    }

    #[test]
    fn nothing_stands_after_a_last_line_feed() {
        assert_eq!(lines_of(b"only\n", 2), [text("only")]);
        assert_eq!(lines_of(b"", 1), []);
    }

    #[test]
    fn a_megabyte_is_one_bad_line_and_the_next_is_good() {
        let mut stream = vec![b'x'; 1 << 20];
        stream.extend_from_slice(b"\ngood\n");
        for chunk in [1, 1000, 4096, MAX_LINE + 1, stream.len()] {
            assert_eq!(lines_of(&stream, chunk), [Line::TooLong, text("good")]);
        }
    }

    #[test]
    fn the_bound_itself_is_taken() {
        let line = "x".repeat(MAX_LINE);
        assert_eq!(lines_of(format!("{line}\n").as_bytes(), 100), [text(&line)]);
        let over = format!("{line}x\n");
        assert_eq!(lines_of(over.as_bytes(), 100), [Line::TooLong]);
    }

    #[test]
    fn a_long_line_cut_off_is_one_bad_line() {
        assert_eq!(lines_of(&vec![b'x'; 1 << 20], 4096), [Line::TooLong]);
    }

    #[test]
    fn a_skipped_line_holds_no_memory() {
        let mut assembler = Assembler::default();
        for _ in 0..1000 {
            assembler.feed(&[b'x'; 8192], |line| panic!("{line:?}"));
        }
        assert_eq!(assembler.partial.capacity(), 0);
    }
}
