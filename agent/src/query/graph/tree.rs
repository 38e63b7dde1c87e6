//! The picture as rows: a tree for people, boxes and arrows for programs.

use super::super::holders::root_text;
use super::super::types::{Types, type_value};
use super::super::view::View;
use super::grow::{Grown, Means};
use crate::report::{Arrow, Column, Line, NodeKind, Object, Report, Row, Value, count};

/// One row a box, in the order of the tree that begins at what was asked for.
pub(super) fn report(view: &mut View<'_>, grown: &Grown, full: bool) -> Report {
    let types = view.types();
    let rows = Rows::of(grown);
    let table = rows.at.iter().map(|at| Row {
        below: rows.below(at),
        ..Row::new(rows.cells(view, &types, at, full))
    });
    let graph = &grown.graph;
    let left_out = graph.nodes.iter().map(|node| node.cut).sum();
    Report {
        head: vec![format!("{}:", graph.title)],
        columns: COLUMNS.to_vec(),
        rows: table.collect(),
        objects: rows.at.iter().map(|at| rows.object(view, at)).collect(),
        total: vec![
            ("nodes", Value::Count(graph.count())),
            ("edges", Value::Count(graph.edges.len() as u64)),
            ("left_out", Value::Count(left_out)),
        ],
        ..Report::default()
    }
}

static COLUMNS: [Column; 10] = [
    Column::flexible("tree", "block"),
    Column::flexible("value", "value"),
    Column::new("size", "size"),
    Column::new("address", ""),
    Column::new("id", ""),
    Column::new("kind", ""),
    Column::new("type", ""),
    Column::new("confidence", ""),
    Column::new("edges", ""),
    Column::new("left_out", ""),
];

/// A value in the table: the tree beside it needs the room.
fn short(value: &str, full: bool) -> Value {
    const LETTERS: usize = 24;
    let fits = full || value.chars().count() <= LETTERS;
    let cut = || value.chars().take(LETTERS - 1).chain(['…']).collect();
    let short: String = if fits { value.to_owned() } else { cut() };
    match value {
        "" => Value::None,
        _ => Value::Name {
            short: short.into(),
            full: value.into(),
        },
    }
}

/// A row, and how the tree came to it.
struct At {
    node: usize,
    depth: usize,
    /// The arrow that led here; none to what was asked for.
    by: Option<usize>,
}

/// The boxes in the order of the tree.
struct Rows<'g> {
    grown: &'g Grown,
    at: Vec<At>,
    /// The arrows that lead on from each box, away from what was asked for.
    on: Vec<Vec<usize>>,
    /// The row of each box, from 1 on; 0 for none.
    row: Vec<usize>,
}

/// Steps up to which the tree is indented further.
const INDENTED: usize = 10;

impl<'g> Rows<'g> {
    fn of(grown: &'g Grown) -> Self {
        let boxes = grown.means.len();
        let mut rows = Rows {
            grown,
            at: Vec::new(),
            on: vec![Vec::new(); boxes],
            row: vec![0; boxes],
        };
        for (number, arrow) in grown.graph.edges.iter().enumerate() {
            let near = rows.ends(arrow).0;
            rows.on[near].push(number);
        }
        let asked = |node: &usize| grown.graph.nodes[*node].kind == NodeKind::Asked;
        (0..boxes).filter(asked).for_each(|node| rows.grow(node));
        rows
    }

    /// Depth first, without recursion: chains are long.
    fn grow(&mut self, node: usize) {
        let mut ahead = vec![(node, 0, None)];
        while let Some((node, depth, by)) = ahead.pop() {
            if self.row[node] > 0 {
                continue;
            }
            self.at.push(At { node, depth, by });
            self.row[node] = self.at.len();
            let next = |arrow: &usize| {
                let far = self.ends(&self.grown.graph.edges[*arrow]).1;
                (far, depth + 1, Some(*arrow))
            };
            ahead.extend(self.on[node].iter().rev().map(next));
        }
    }

    /// The end of an arrow that is nearer to what was asked for, and the other.
    fn ends(&self, arrow: &Arrow) -> (usize, usize) {
        match self.grown.graph.down {
            true => (arrow.from, arrow.to),
            false => (arrow.to, arrow.from),
        }
    }

    fn line(&self, at: &At) -> String {
        let (graph, indent) = (&self.grown.graph, "  ".repeat(at.depth.min(INDENTED)));
        let label = &graph.nodes[at.node].label;
        let Some(arrow) = at.by.map(|by| &graph.edges[by]) else {
            return label.clone();
        };
        let (mark, between) = if graph.down {
            ("->", " ")
        } else {
            ("<-", " of ")
        };
        match &*arrow.label {
            "" => format!("{indent}{mark} {label}"),
            _ if matches!(self.grown.means[at.node], Means::Root(_)) => {
                format!("{indent}{mark} {label} {}", arrow.label)
            }
            field => format!("{indent}{mark} {field}{between}{label}"),
        }
    }

    fn cells(&self, view: &View<'_>, types: &Types, at: &At, full: bool) -> Vec<Value> {
        let node = &self.grown.graph.nodes[at.node];
        let (mut size, mut address, mut name) = (Value::None, Value::None, Value::None);
        let mut confidence = Value::None;
        let kind = match &self.grown.means[at.node] {
            Means::Block(number) => {
                let block = view.numbered(*number);
                let of = types.name_of(block);
                (size, address) = (Value::Bytes(block.size), Value::Address(block.address));
                (name, confidence) = (type_value(&of, full), Value::Confidence(of.confidence));
                "block"
            }
            Means::Root(place) => {
                address = place.address.map_or(Value::None, Value::Address);
                name = Value::text(node.label.clone());
                place.kind
            }
            Means::LeftOut => "left out",
        };
        vec![
            Value::text(self.line(at)),
            short(&node.value, full),
            size,
            address,
            Value::Count(at.node as u64),
            Value::text(kind),
            name,
            confidence,
            self.edges(at.node),
            Value::Count(node.cut),
        ]
    }

    /// Arrows that led to rows further up, and how many were left out.
    fn below(&self, at: &At) -> Vec<Line> {
        let graph = &self.grown.graph;
        let mark = if graph.down { "->" } else { "<-" };
        let dim = |text| Line { text, dim: true };
        let indent = "  ".repeat((at.depth + 1).min(INDENTED));
        let again = self.on[at.node].iter().filter_map(|number| {
            let arrow = &graph.edges[*number];
            let row = self.row[self.ends(arrow).1];
            let is_shown = self
                .at
                .get(row - 1)
                .is_some_and(|at| at.by == Some(*number));
            let field = match &*arrow.label {
                "" => String::new(),
                label => format!("{label} of "),
            };
            (!is_shown).then(|| dim(format!("{indent}{mark} {field}#{row}")))
        });
        let what = if graph.down {
            "more block"
        } else {
            "more holder"
        };
        let cut = graph.nodes[at.node].cut;
        let cut = (cut > 0).then(|| dim(format!("{indent}... {}", count(cut, what))));
        again.chain(cut).collect()
    }

    /// The arrows from a box, for programs.
    fn edges(&self, node: usize) -> Value {
        let arrows = self.grown.graph.edges.iter();
        let arrows = arrows.filter(|arrow| arrow.from == node).map(|arrow| {
            let hold = arrow.hold.map(|hold| Value::text(hold.to_string()));
            let field = match &*arrow.label {
                "" => Value::None,
                label => Value::text(label),
            };
            Value::Map(vec![
                ("to", Value::Count(arrow.to as u64)),
                ("field", field),
                ("hold", hold.unwrap_or(Value::None)),
                ("confidence", Value::Confidence(arrow.confidence)),
            ])
        });
        Value::List(arrows.collect())
    }

    fn object(&self, view: &View<'_>, at: &At) -> Object {
        match &self.grown.means[at.node] {
            Means::Block(number) => Object::Block(view.numbered(*number).address),
            Means::Root(place) => Object::Root(root_text(place).into()),
            Means::LeftOut => Object::Root(self.grown.graph.nodes[at.node].label.as_str().into()),
        }
    }
}
