//! Long answers, a screenful at a time.

use std::io;

use super::Terminal;
use crate::render::width;

/// What stands below a screenful; where it is too wide, the next. It must not reach the last column: the terminal would
/// begin a line that nobody clears.
const ASK: [&str; 3] = [
    "-- more: space, Enter for a line, q to stop --",
    "-- space, Enter, q --",
    "--more--",
];
/// Returns to the first column and clears the line.
const CLEAR: &[u8] = b"\r\x1b[K";
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const ESCAPE: u8 = 27;
const CTRL_BACKSLASH: u8 = 28;

/// Shows text; what is longer than the screen waits for a key after each screenful: space for the next, Enter for a
/// line more, `q` to leave out the rest. Who has typed on already wants no leafing: then all is shown, and what was typed
/// is the next line's.
///
/// # Errors
/// Those of the terminal.
pub(super) fn page(text: &str, terminal: &mut dyn Terminal) -> io::Result<()> {
    let (columns, rows) = terminal.size();
    let screen = usize::from(rows).saturating_sub(1);
    let columns = usize::from(columns).max(1);
    let tall = |line: &str| width(line).div_ceil(columns).max(1);
    let fits = text.lines().map(tall).sum::<usize>() <= screen;
    if screen == 0 || fits || terminal.has_input() {
        terminal.write_all(text.as_bytes())?;
        return terminal.flush();
    }
    let mut room = screen;
    for line in text.lines() {
        // A line taller than the screen goes by as a whole.
        if room < tall(line).min(screen) {
            match ask(columns, terminal)? {
                More::Screen => room = screen,
                More::Line => room = tall(line).min(screen),
                More::Nothing => return Ok(()),
            }
        }
        room = room.saturating_sub(tall(line));
        terminal.write_all(line.as_bytes())?;
        terminal.write_all(b"\n")?;
    }
    terminal.flush()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Screen,
    Line,
    Nothing,
}

fn ask(columns: usize, terminal: &mut dyn Terminal) -> io::Result<More> {
    let fits = |ask: &&&str| width(ask) < columns;
    let ask = ASK.iter().find(fits).unwrap_or(&"");
    let more = loop {
        match terminal.key(ask) {
            Ok(b' ' | b'f') => break More::Screen,
            Ok(b'\r' | b'\n' | b'j') => break More::Line,
            Ok(b'q' | b'Q' | CTRL_C | CTRL_D | ESCAPE | CTRL_BACKSLASH) => break More::Nothing,
            Ok(_) => terminal.write_all(CLEAR)?,
            // Without keys to wait for, all of it is better than none.
            Err(_) => break More::Screen,
        }
    };
    terminal.write_all(CLEAR)?;
    Ok(more)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::io::{Read, Write};

    /// A terminal of text: what is typed, and what was shown.
    #[derive(Debug, Default)]
    pub(in crate::talk) struct Text {
        pub(in crate::talk) size: (u16, u16),
        pub(in crate::talk) typed: VecDeque<u8>,
        pub(in crate::talk) shown: Vec<u8>,
        /// Whether more was typed before anything was shown.
        pub(in crate::talk) typed_ahead: bool,
    }

    impl Read for Text {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.typed.read(into)
        }
    }

    impl Write for Text {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.shown.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Terminal for Text {
        fn size(&self) -> (u16, u16) {
            self.size
        }

        fn has_input(&self) -> bool {
            self.typed_ahead
        }

        fn hide_typing(&mut self) {}

        fn key(&mut self, ask: &str) -> io::Result<u8> {
            self.write_all(ask.as_bytes())?;
            self.typed
                .pop_front()
                .ok_or(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn shown(text: &str, keys: &str) -> String {
        let mut terminal = Text {
            size: (60, 4),
            typed: keys.bytes().collect(),
            ..Text::default()
        };
        page(text, &mut terminal).unwrap();
        let shown = String::from_utf8(terminal.shown).unwrap();
        shown.replace(ASK[0], "[more]").replace("\r\x1b[K", "|")
    }

    #[test]
    fn short_text_is_shown_at_once() {
        assert_eq!(shown("a\nb\nc\n", ""), "a\nb\nc\n");
    }

    #[test]
    fn keys_turn_the_pages() {
        let text = "a\nb\nc\nd\ne\nf\ng\nh\n";
        assert_eq!(
            shown(text, "x q"),
            "a\nb\nc\n[more]|[more]|d\ne\nf\n[more]|"
        );
        assert_eq!(shown(text, "\rq"), "a\nb\nc\n[more]|d\n[more]|");
        assert_eq!(shown(text, "").matches('\n').count(), 8);
    }

    #[test]
    fn the_question_fits_the_terminal() {
        for (columns, ask) in [
            (80, ASK[0]),
            (47, ASK[0]),
            (46, ASK[1]),
            (40, ASK[1]),
            (20, ASK[2]),
        ] {
            let mut terminal = Text {
                size: (columns, 3),
                typed: b"q".iter().copied().collect(),
                ..Text::default()
            };
            page("a\nb\nc\nd\n", &mut terminal).unwrap();
            let shown = String::from_utf8(terminal.shown).unwrap();
            assert_eq!(shown, format!("a\nb\n{ask}\r\x1b[K"), "at {columns}");
            assert!(width(ask) < columns.into());
        }
    }

    #[test]
    fn what_was_typed_ahead_is_not_taken_for_leafing() {
        let mut terminal = Text {
            size: (60, 4),
            typed: b"quit".iter().copied().collect(),
            typed_ahead: true,
            ..Text::default()
        };
        page("a\nb\nc\nd\ne\n", &mut terminal).unwrap();
        assert_eq!(terminal.shown, b"a\nb\nc\nd\ne\n");
        assert_eq!(terminal.typed.len(), 4);
    }

    #[test]
    fn wrapped_lines_count_as_they_are_shown() {
        let long = "x".repeat(130);
        assert_eq!(
            shown(&format!("{long}\nb\n"), "q"),
            format!("{long}\n[more]|")
        );
    }
}
