//! Pictures for Graphviz.

use std::fmt::Write;

use super::tame;
use crate::heap::Hold;
use crate::report::{Arrow, Graph, Node, NodeKind, count};

/// A picture in Graphviz's language: `dot -Tsvg FILE`.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph heap {\n");
    _ = writeln!(
        text,
        "  label={}; labelloc=t; rankdir=LR;",
        quoted(&graph.title)
    );
    text +=
        "  node [shape=box, fontname=\"monospace\", fontsize=10, style=filled, fillcolor=white];\n";
    text += "  edge [fontname=\"monospace\", fontsize=9];\n";
    for (number, node) in graph.nodes.iter().enumerate() {
        _ = writeln!(text, "  n{number} [{}];", of_node(node, graph.down));
    }
    for arrow in &graph.edges {
        _ = writeln!(
            text,
            "  n{} -> n{} [{}];",
            arrow.from,
            arrow.to,
            of_arrow(arrow)
        );
    }
    text + "}\n"
}

fn of_node(node: &Node, down: bool) -> String {
    let what = if down { "more block" } else { "more holder" };
    let cut = match node.cut {
        0 => String::new(),
        cut => format!("... {}", count(cut, what)),
    };
    let lines = [&node.label, &node.detail, &node.value, &cut];
    let lines = lines.into_iter().filter(|line| !line.is_empty());
    let label: Vec<&str> = lines.map(String::as_str).collect();
    let look = match node.kind {
        NodeKind::Block => "",
        NodeKind::Asked => ", penwidth=3",
        NodeKind::Root => ", shape=ellipse, fillcolor=\"#dbe9ff\"",
        NodeKind::Lost => ", fillcolor=\"#ffdede\"",
        NodeKind::LeftOut => ", shape=plain, style=\"\"",
    };
    format!(
        "label={}, tooltip={}{look}",
        quoted(&label.join("\n")),
        quoted(&node.more.join("\n"))
    )
}

fn of_arrow(arrow: &Arrow) -> String {
    let look = match arrow.hold {
        None => ", color=\"#3465a4\"",
        Some(Hold::Owning) => ", penwidth=1.6",
        Some(Hold::Shared) => ", arrowhead=normalnormal",
        Some(Hold::Weak) => ", style=dotted",
        Some(Hold::Borrowed) => ", arrowhead=vee",
        Some(_) => ", style=dashed",
    };
    format!("label={}{look}", quoted(&arrow.label))
}

/// Between quotation marks; a backslash stands for itself, a line feed begins a line.
fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(tame).collect();
    let escaped = lines
        .iter()
        .map(|line| line.replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}
