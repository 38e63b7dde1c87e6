//! Reports as text and as JSON, one format a file. This room may import `heap` and `report`; it knows no process,
//! terminal or clock.

mod fit;
mod json;
mod table;
mod text;

pub(crate) use fit::{cut, tame, width};
pub(crate) use json::{json, json_error};
pub(crate) use text::{error_text, lines_of_gaps, text};

/// How text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Columns that a line may take; fewer than 40 count as 40.
    pub(crate) width: usize,
    /// Whether escape sequences for colours are understood and wanted.
    pub(crate) colour: bool,
    /// Whether what is too long goes on in the next line instead of being cut.
    pub(crate) whole: bool,
}

impl Style {
    /// For files: whole names wherever they are not absurdly long, no colours.
    pub(crate) const FILE: Style = Style {
        width: 200,
        colour: false,
        whole: false,
    };

    /// Words in a colour.
    fn paint(self, ink: Ink, words: &str) -> String {
        if self.colour && !words.is_empty() {
            format!("\x1b[{}m{words}\x1b[0m", ink as u8)
        } else {
            words.to_owned()
        }
    }
}

/// The colours used, by their SGR number: those of the terminal's own palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Yellow = 33,
}
