//! The boxes and arrows of a picture, drawn where the layout has them.

use std::fmt::Write;

use super::{class, escaped, look};
use crate::render::cut;
use crate::render::layout::{Layout, Plan};
use crate::report::{Arrow, Graph, Node, NodeKind, count};

/// A picture's measures, in pixels.
pub(super) struct Drawing {
    layout: Layout,
    texts: Vec<Vec<Line>>,
    /// Of each box.
    heights: Vec<f64>,
    /// Where each column begins, and how wide it is.
    columns: Vec<(f64, f64)>,
    arrows: Vec<Ends>,
}

/// A line in a box, and what it is.
struct Line {
    class: &'static str,
    text: String,
}

/// Where an arrow begins and ends, from left to right, and which of the ends its label is at.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    left: f64,
    right: f64,
    label_left: bool,
}

/// A letter's width, in boxes and of labels; a line's height, and a label's; the space around the lines of a box.
const LETTER: f64 = 6.65;
const SMALL: f64 = 6.05;
const LINE: f64 = 14.0;
const LABEL: f64 = 11.0;
const PADDING: f64 = 8.0;
/// Letters of a line in a box, and of a label.
const LONGEST: usize = 40;
const LONGEST_LABEL: usize = 30;
/// The space at the sides of the picture, and between columns besides the labels.
const MARGIN: f64 = 20.0;
const BETWEEN: f64 = 56.0;

impl Drawing {
    pub(super) fn of(graph: &Graph) -> Self {
        let texts: Vec<Vec<Line>> = graph
            .nodes
            .iter()
            .map(|node| lines(node, graph.down))
            .collect();
        let (at_tail, labels) = labels(graph);
        let heights = texts.iter().zip(labels).map(|(lines, labels)| {
            let text = lines.len() as f64 * LINE + 2.0 * PADDING - 4.0;
            text.max(labels as f64 * LABEL + PADDING)
        });
        let arrows = graph.edges.iter().map(|arrow| (arrow.from, arrow.to));
        let plan = Plan {
            heights: heights.collect(),
            arrows: arrows.collect(),
            leftward: graph.down,
        };
        let layout = plan.lay_out();
        let mut drawing = Drawing {
            columns: vec![(0.0, 0.0); layout.columns],
            arrows: vec![Ends::default(); graph.edges.len()],
            layout,
            texts,
            heights: plan.heights,
        };
        for (number, at_tail) in at_tail.into_iter().enumerate() {
            drawing.arrows[number].label_left = at_tail != drawing.layout.back[number];
        }
        drawing.set_columns(graph);
        drawing.set_ends(graph);
        drawing
    }

    /// Width and height.
    pub(super) fn size(&self) -> (f64, f64) {
        let right = self.columns.last().map_or(0.0, |(at, width)| at + width);
        (right + MARGIN, self.layout.height)
    }

    pub(super) fn drawn(&self, graph: &Graph) -> String {
        let mut text = String::new();
        for number in 0..graph.edges.len() {
            self.draw_arrow(&mut text, graph, number);
        }
        for (place, node) in graph.nodes.iter().enumerate() {
            self.draw_box(&mut text, place, node);
        }
        text
    }

    fn set_columns(&mut self, graph: &Graph) {
        for (lines, (column, _)) in self.texts.iter().zip(&self.layout.boxes) {
            let letters = lines.iter().map(|line| line.text.chars().count()).max();
            let width = letters.unwrap_or(0) as f64 * LETTER + 2.0 * PADDING;
            self.columns[*column].1 = self.columns[*column].1.max(width);
        }
        // The room right of each column.
        let mut room = vec![BETWEEN; self.columns.len()];
        for (number, arrow) in graph.edges.iter().enumerate() {
            let (left, right) = self.sides(graph, number);
            let right = self.layout.boxes[right].0.saturating_sub(1);
            let at = if self.arrows[number].label_left {
                self.layout.boxes[left].0
            } else {
                right
            };
            room[at] = room[at].max(BETWEEN + label_width(arrow));
        }
        let mut x = MARGIN;
        for ((at, width), room) in self.columns.iter_mut().zip(room) {
            *at = x;
            x += *width + room;
        }
    }

    /// The arrows at a side of a box, spread over its height in the order in which they come.
    fn set_ends(&mut self, graph: &Graph) {
        let mut sides: Vec<[Vec<(f64, usize)>; 2]> = vec![Default::default(); self.heights.len()];
        for number in 0..graph.edges.len() {
            let (left, right) = self.sides(graph, number);
            let bends = &self.layout.bends[number];
            let next = bends
                .first()
                .map_or(self.layout.boxes[right].1, |bend| bend.1);
            let last = bends
                .last()
                .map_or(self.layout.boxes[left].1, |bend| bend.1);
            sides[left][0].push((next, number));
            sides[right][1].push((last, number));
        }
        for (place, sides) in sides.into_iter().enumerate() {
            for (is_right, mut side) in sides.into_iter().enumerate() {
                side.sort_by(|one, other| one.0.total_cmp(&other.0));
                let step = self.heights[place] / (side.len() + 1) as f64;
                let top = self.layout.boxes[place].1 - self.heights[place] / 2.0;
                for (i, (_, number)) in side.iter().enumerate() {
                    let y = top + step * (i + 1) as f64;
                    let ends = &mut self.arrows[*number];
                    *(if is_right == 0 {
                        &mut ends.left
                    } else {
                        &mut ends.right
                    }) = y;
                }
            }
        }
    }

    /// The boxes at an arrow's left end and at its right one.
    fn sides(&self, graph: &Graph, number: usize) -> (usize, usize) {
        let arrow = &graph.edges[number];
        match self.layout.back[number] {
            true => (arrow.to, arrow.from),
            false => (arrow.from, arrow.to),
        }
    }

    fn draw_box(&self, text: &mut String, place: usize, node: &Node) {
        let (column, middle) = self.layout.boxes[place];
        let ((x, width), lines) = (self.columns[column], &self.texts[place]);
        let height = self.heights[place];
        let y = middle - height / 2.0;
        let round = if node.kind == NodeKind::Root { 12 } else { 4 };
        _ = write!(
            text,
            "<g><title>{}</title><rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{round}\"/>",
            titled(&node.more),
            class(node.kind)
        );
        for (i, line) in lines.iter().enumerate() {
            _ = write!(
                text,
                "<text class=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                line.class,
                x + PADDING,
                y + PADDING + 8.0 + i as f64 * LINE,
                escaped(&line.text)
            );
        }
        *text += "</g>\n";
    }

    fn draw_arrow(&self, text: &mut String, graph: &Graph, number: usize) {
        let (arrow, ends) = (&graph.edges[number], self.arrows[number]);
        let (left, right) = self.sides(graph, number);
        let edge = |column: usize| {
            (
                self.columns[column].0,
                self.columns[column].0 + self.columns[column].1,
            )
        };
        let (first, last) = (
            edge(self.layout.boxes[left].0).1,
            edge(self.layout.boxes[right].0).0,
        );
        let label = label_width(arrow);
        let mut line = format!("M{first:.1} {:.1}", ends.left);
        let mut at = (first, ends.left);
        if left == right {
            // A loop beside its box.
            _ = write!(
                line,
                "c40 0 40 {0:.1} 0 {0:.1}",
                ends.right - ends.left + 14.0
            );
        } else {
            if ends.label_left {
                at.0 += label;
                _ = write!(line, "H{:.1}", at.0);
            }
            for (column, y) in &self.layout.bends[number] {
                let (start, end) = edge(*column);
                curve(&mut line, at, (start, *y));
                _ = write!(line, "H{end:.1}");
                at = (end, *y);
            }
            let before = if ends.label_left { last } else { last - label };
            curve(&mut line, at, (before, ends.right));
            _ = write!(line, "H{last:.1}");
        }
        let hold = arrow
            .hold
            .map_or_else(String::new, |hold| format!(", {hold}"));
        _ = write!(
            text,
            "<g><title>{}{hold}</title><path {} d=\"{line}\"/>",
            escaped(&arrow.label),
            look(arrow.hold, self.layout.back[number])
        );
        let (x, y) = match ends.label_left {
            true => (first + 14.0, ends.left),
            false => (last - label + 4.0, ends.right),
        };
        _ = writeln!(
            text,
            "<text class=\"label halo\" x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
            y - 3.0,
            escaped(&cut(&arrow.label, LONGEST_LABEL))
        );
    }
}

/// Which arrows have their label at the holder, since fewer of them meet there; and how many labels are at each box.
fn labels(graph: &Graph) -> (Vec<bool>, Vec<usize>) {
    let (mut out, mut into) = (vec![0; graph.nodes.len()], vec![0; graph.nodes.len()]);
    for arrow in &graph.edges {
        out[arrow.from] += 1;
        into[arrow.to] += 1;
    }
    let at_tail = |arrow: &Arrow| out[arrow.from] <= into[arrow.to];
    let at_tail: Vec<bool> = graph.edges.iter().map(at_tail).collect();
    let mut labels = vec![0; graph.nodes.len()];
    let labelled = graph.edges.iter().zip(&at_tail);
    for (arrow, at_tail) in labelled.filter(|(arrow, _)| !arrow.label.is_empty()) {
        labels[if *at_tail { arrow.from } else { arrow.to }] += 1;
    }
    (at_tail, labels)
}

/// From one place to another further right, level at both.
fn curve(line: &mut String, from: (f64, f64), to: (f64, f64)) {
    let middle = (from.0 + to.0) / 2.0;
    _ = write!(
        line,
        "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}",
        from.1, to.1, to.0, to.1
    );
}

fn label_width(arrow: &Arrow) -> f64 {
    match arrow.label.chars().count().min(LONGEST_LABEL) {
        0 => 0.0,
        letters => letters as f64 * SMALL + 20.0,
    }
}

fn lines(node: &Node, down: bool) -> Vec<Line> {
    let what = if down { "more block" } else { "more holder" };
    let left_out = match node.cut {
        0 => String::new(),
        cut => format!("… {}", count(cut, what)),
    };
    let lines = [
        ("name", &node.label),
        ("dim", &node.detail),
        ("", &node.value),
        ("cut", &left_out),
    ];
    let lines = lines.into_iter().filter(|(_, text)| !text.is_empty());
    lines
        .map(|(class, text)| Line {
            class,
            text: cut(text, LONGEST),
        })
        .collect()
}

fn titled(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    lines.join("\n")
}
