//! Reports as text, as JSON and as pictures, one format a file. This room may import `heap` and `report`; it knows no process,
//! terminal or clock.

mod dot;
mod fit;
mod json;
mod layout;
mod progress;
mod svg;
mod table;
mod text;

use std::path::Path;

use crate::report::{Report, count, is_picture};

pub(crate) use fit::{cut, tame, width};
pub(crate) use json::{json, json_error};
pub(crate) use progress::progress;
pub(crate) use text::{error_text, lines_of_gaps, text};

/// A report's picture, where it has one and the file is by its name one for pictures; and how many boxes it has, in words.
pub(crate) fn picture(report: &Report, file: &Path) -> Option<(String, String)> {
    let graph = &report.picture.as_ref()?.graph;
    let drawn = match file.extension()?.to_str()? {
        "svg" => svg::svg(graph),
        _ if is_picture(file) => dot::dot(graph),
        _ => return None,
    };
    Some((drawn, count(graph.count(), "node")))
}

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
