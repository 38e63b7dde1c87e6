//! Tables: which columns are shown, how wide each is, and the lines.

use std::ops::Range;

use super::fit::{cut, pad, tame, width, wrap_frame, wrap_name};
use super::{Ink, Style};
use crate::report::{Column, Report, Row, Value};

/// Spaces between columns.
const BETWEEN: usize = 2;
/// What a line below a row is indented by.
const UNDER: usize = 3;
/// The narrowest a flexible column gets before spare columns go, and that they get at all.
const WANTED: usize = 20;
const NARROWEST: usize = 6;

/// The lines of a report's table; none if it has no column with a title, or no rows.
pub(super) fn table(report: &Report, style: Style) -> Vec<String> {
    let mut table = Table::new(report);
    table.drop_empty();
    if !style.whole {
        table.drop_spare(style.width);
    }
    // A name that goes on and on in a narrow column is worse than one below its row.
    let narrowest = if style.whole { WANTED } else { NARROWEST };
    table.shrink(style.width, narrowest);
    table.break_into_bands(style.width);
    table.lines(style)
}

struct Table {
    columns: Vec<Shown>,
    /// The columns that stand side by side: all, or where they do not fit, some, and the others below them.
    bands: Vec<Range<usize>>,
    rows: Vec<TextRow>,
    /// Whether the last row is the total.
    total: bool,
}

struct Shown {
    column: Column,
    /// Place among the report's columns; none for the row numbers.
    place: Option<usize>,
    /// Columns of the terminal that it needs, and that it gets.
    natural: usize,
    width: usize,
    figure: bool,
}

struct TextRow {
    cells: Vec<String>,
    below: Vec<(String, bool)>,
}

impl Table {
    fn new(report: &Report) -> Self {
        let mut columns = Vec::new();
        if !report.objects.is_empty() {
            columns.push(Shown::new(Column::new("#", "#"), None));
        }
        let titled = report.columns.iter().enumerate();
        let titled = titled.filter(|(_, column)| !column.title.is_empty());
        columns.extend(titled.map(|(place, column)| Shown::new(*column, Some(place))));
        let mut table = Table {
            columns,
            bands: Vec::new(),
            rows: Vec::new(),
            total: false,
        };
        for (i, row) in report.rows.iter().enumerate() {
            table.add(row, 0, Some(i + 1));
        }
        table.add_total(report);
        table.measure();
        table
    }

    fn add(&mut self, row: &Row, depth: usize, number: Option<usize>) {
        let mut cells = Vec::new();
        let mut indent = "  ".repeat(depth);
        for column in &mut self.columns {
            let cell = column.place.map(|place| row.cells.get(place));
            let Some(value) = cell else {
                column.figure = true;
                cells.push(number.map(|n| n.to_string()).unwrap_or_default());
                continue;
            };
            let value = value.unwrap_or(&Value::None);
            column.figure |= value.is_figure() && !matches!(value, Value::List(_));
            let indent = std::mem::take(&mut indent);
            cells.push(format!("{indent}{}", tame(&value.to_string())));
        }
        let below = row.below.iter().map(|line| (tame(&line.text), line.dim));
        self.rows.push(TextRow {
            cells,
            below: below.collect(),
        });
        for child in &row.children {
            self.add(child, depth + 1, None);
        }
    }

    /// The sums whose key is a column's; the first column that is free says what they are.
    fn add_total(&mut self, report: &Report) {
        let sum = |column: &Shown| {
            let mut sums = report.total.iter();
            let sum = sums.find(|(key, _)| *key == column.column.key);
            sum.map(|(_, value)| tame(&value.to_string()))
        };
        let sums: Vec<Option<String>> = self.columns.iter().map(sum).collect();
        if sums.iter().all(Option::is_none) || self.rows.is_empty() {
            return;
        }
        let free = |(column, sum): (&Shown, &Option<String>)| sum.is_none() && !column.figure;
        let label = self.columns.iter().zip(&sums).position(free);
        let mut cells: Vec<String> = sums.into_iter().map(Option::unwrap_or_default).collect();
        if let Some(label) = label {
            cells[label] = "total".to_owned();
        }
        self.rows.push(TextRow {
            cells,
            below: Vec::new(),
        });
        self.total = true;
    }

    fn measure(&mut self) {
        for (i, column) in self.columns.iter_mut().enumerate() {
            let cells = self.rows.iter().map(|row| width(&row.cells[i]));
            let widest = cells.max().unwrap_or(0);
            column.natural = widest.max(width(column.column.title));
            column.width = column.natural;
        }
    }

    /// A column that says nothing in any row only takes room.
    fn drop_empty(&mut self) {
        let empty = |i: usize| self.rows.iter().all(|row| row.cells[i].is_empty());
        let empty: Vec<usize> = (0..self.columns.len()).filter(|i| empty(*i)).collect();
        empty.into_iter().rev().for_each(|i| self.drop(i));
    }

    fn drop_spare(&mut self, room: usize) {
        while self.needed() > room {
            let Some(spare) = self.columns.iter().rposition(|column| column.column.spare) else {
                return;
            };
            self.drop(spare);
        }
    }

    fn drop(&mut self, i: usize) {
        self.columns.remove(i);
        self.rows.iter_mut().for_each(|row| _ = row.cells.remove(i));
    }

    /// Takes columns from the widest flexible column until the line fits, or nothing is left to take.
    fn shrink(&mut self, room: usize, narrowest: usize) {
        while self.taken() > room {
            let flexible = self.columns.iter_mut().filter(|c| c.column.flexible);
            match flexible.max_by_key(|column| column.width) {
                Some(widest) if widest.width > narrowest => widest.width -= 1,
                _ => return,
            }
        }
    }

    /// Where even the narrowest columns do not fit, as many as do stand in a line, and the next below them: a figure is
    /// never cut.
    fn break_into_bands(&mut self, room: usize) {
        if self.taken() <= room {
            self.bands.push(0..self.columns.len());
            return;
        }
        let room = room - UNDER;
        let (mut start, mut taken) = (0, 0);
        for i in 0..self.columns.len() {
            let more = if i == start { 0 } else { BETWEEN };
            let width = self.width_beside(i, room.saturating_sub(taken + more));
            match width {
                Some(width) => taken += more + width,
                None => {
                    self.bands.push(start..i);
                    start = i;
                    taken = self.width_beside(i, room).unwrap_or(room);
                }
            }
            self.columns[i].width = width.unwrap_or(taken);
        }
        self.bands.push(start..self.columns.len());
    }

    /// How wide a column is where there is so much room, if it fits. One with names takes less than it would, so that the
    /// figures after it fit beside it.
    fn width_beside(&self, i: usize, room: usize) -> Option<usize> {
        let column = &self.columns[i];
        if !column.column.flexible {
            return (column.natural <= room).then_some(column.natural);
        }
        let after = self.columns[i + 1..].iter();
        let figures = after.take_while(|after| !after.column.flexible);
        let figures: usize = figures.map(|figure| BETWEEN + figure.natural).sum();
        let left = room.checked_sub(figures).filter(|left| *left >= WANTED);
        let width = column.natural.min(left.unwrap_or(room));
        (width == column.natural || width >= WANTED).then_some(width)
    }

    fn needed(&self) -> usize {
        let wanted = |column: &Shown| match column.column.flexible {
            true => column.width.min(WANTED),
            false => column.width,
        };
        self.columns.iter().map(wanted).sum::<usize>() + self.gaps()
    }

    fn taken(&self) -> usize {
        self.columns
            .iter()
            .map(|column| column.width)
            .sum::<usize>()
            + self.gaps()
    }

    fn gaps(&self) -> usize {
        BETWEEN * self.columns.len().saturating_sub(1)
    }

    fn lines(&self, style: Style) -> Vec<String> {
        let mut lines = Vec::new();
        if self.rows.is_empty() {
            return lines;
        }
        if !self.columns.is_empty() {
            let titles = self.columns.iter().map(|c| c.column.title.to_owned());
            let titles = self.row(&titles.collect::<Vec<_>>(), false);
            lines.extend(titles.iter().map(|line| style.paint(Ink::Bold, line)));
        }
        for (i, row) in self.rows.iter().enumerate() {
            let is_total = self.total && i + 1 == self.rows.len();
            for line in self.row(&row.cells, style.whole) {
                lines.push(match is_total {
                    true => style.paint(Ink::Bold, &line),
                    false => line,
                });
            }
            let below = row.below.iter();
            lines.extend(below.flat_map(|below| self.below(below, style)));
        }
        lines
    }

    /// The lines of a row: one, unless there are several bands, or a name goes on.
    fn row(&self, cells: &[String], whole: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for (i, band) in self.bands.iter().enumerate() {
            let indent = if i == 0 { 0 } else { UNDER };
            let columns = &self.columns[band.clone()];
            let cells = cells[band.clone()].iter().zip(columns);
            let cells: Vec<_> = cells
                .map(|(cell, column)| column.fit(cell, whole))
                .collect();
            let tall = cells.iter().map(Vec::len).max().unwrap_or(0);
            let line = |n: usize| line(n, columns, &cells, indent);
            let filled = (0..tall).map(line).filter(|line| !line.is_empty());
            lines.extend(filled);
        }
        lines
    }

    fn below(&self, (text, dim): &(String, bool), style: Style) -> Vec<String> {
        let indent = if self.columns.is_empty() { 2 } else { 6 };
        let room = style.width.saturating_sub(indent);
        let lines = wrap_frame(text, room);
        let painted = lines.iter().map(|line| match dim {
            true => style.paint(Ink::Dim, line),
            false => line.clone(),
        });
        painted
            .map(|line| format!("{}{line}", " ".repeat(indent)))
            .collect()
    }
}

/// The `n`th line of cells that may have several.
fn line(n: usize, columns: &[Shown], cells: &[Vec<String>], indent: usize) -> String {
    let mut line = " ".repeat(indent);
    for (i, (column, cell)) in columns.iter().zip(cells).enumerate() {
        if i > 0 {
            line += &" ".repeat(BETWEEN);
        }
        let words = cell.get(n).map_or("", String::as_str);
        line += &pad(words, column.width, column.figure);
    }
    line.trim_end().to_owned()
}

impl Shown {
    /// A cell in lines no wider than the column.
    fn fit(&self, cell: &str, whole: bool) -> Vec<String> {
        match (whole && self.column.flexible) || self.column.wraps {
            true => wrap_name(cell, self.width),
            false => vec![cut(cell, self.width)],
        }
    }

    fn new(column: Column, place: Option<usize>) -> Self {
        Shown {
            column,
            place,
            natural: 0,
            width: 0,
            figure: false,
        }
    }
}
