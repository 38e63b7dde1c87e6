//! Pictures that a browser shows: SVG that needs nothing else, light or dark as the reader has it.

mod draw;

use std::fmt::Write;

use self::draw::Drawing;
use super::tame;
use crate::heap::Hold;
use crate::report::{Graph, NodeKind, Value, count};

/// A picture as SVG.
pub(crate) fn svg(graph: &Graph) -> String {
    let drawing = Drawing::of(graph);
    let legend = legend(graph);
    let (width, height) = drawing.size();
    let width = width
        .max(TEXT * graph.title.chars().count() as f64 + 40.0)
        .max(legend.1);
    let mut text = String::new();
    _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{:.0}\" viewBox=\"0 0 {width:.0} {:.0}\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n{MARKERS}\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"20\" y=\"26\">{}</text>\n<text class=\"dim\" x=\"20\" y=\"44\">{}</text>\n",
        height + HEAD + FOOT,
        height + HEAD + FOOT,
        escaped(&graph.title),
        escaped(&graph.title),
        escaped(&summary(graph)),
    );
    _ = writeln!(
        text,
        "<g transform=\"translate(0 {HEAD})\">\n{}</g>",
        drawing.drawn(graph)
    );
    _ = write!(
        text,
        "<g transform=\"translate(20 {:.0})\">{}</g>\n</svg>\n",
        height + HEAD + FOOT / 2.0,
        legend.0
    );
    text
}

/// Pixels that a letter of the title takes, the space above the picture, and that below it.
const TEXT: f64 = 9.0;
const HEAD: f64 = 64.0;
const FOOT: f64 = 44.0;

/// What everything looks like. The properties stand in full, since not every viewer knows variables.
const STYLE: &str = "
text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1f24}
.title{font-size:15px;font-weight:bold} .name{font-weight:bold} .dim{fill:#59636e} .cut{fill:#9a6700}
.ground{fill:#ffffff} .halo{stroke:#ffffff;stroke-width:4px;paint-order:stroke;stroke-linejoin:round} .label{font-size:10px}
rect.block{fill:#f6f8fa;stroke:#8c959f} rect.asked{fill:#fff8c5;stroke:#9a6700;stroke-width:2.5} rect.root{fill:#ddf4ff;stroke:#0969da}
rect.lost{fill:#ffebe9;stroke:#cf222e} rect.left-out{fill:none;stroke:#8c959f;stroke-dasharray:2 3}
path.arrow{fill:none;stroke:#57606a;stroke-width:1.2} path.owning,path.shared{stroke-width:1.8} path.root{stroke:#0969da}
path.weak{stroke-dasharray:1.5 4;stroke-width:1.8;stroke-linecap:round} path.conservative{stroke-dasharray:7 4}
.head{fill:#57606a} .root-head{fill:#0969da} .hollow{fill:#ffffff;stroke:#57606a;stroke-width:1.4}
g:hover>path.arrow{stroke:#cf222e;stroke-width:3}
@media (prefers-color-scheme:dark){text{fill:#e6edf3} .dim{fill:#9198a1} .cut{fill:#d29922} .ground{fill:#0d1117} .halo{stroke:#0d1117}
rect.block{fill:#161b22;stroke:#6e7681} rect.asked{fill:#3b2e00;stroke:#d29922} rect.root{fill:#0c2d6b;stroke:#58a6ff}
rect.lost{fill:#490202;stroke:#f85149} path.arrow{stroke:#9198a1} path.root{stroke:#58a6ff} .head{fill:#9198a1}
.root-head{fill:#58a6ff} .hollow{fill:#0d1117;stroke:#9198a1} g:hover>path.arrow{stroke:#f85149}}
";

const MARKERS: &str = "<defs>\
<marker id=\"head\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto-start-reverse\"><path class=\"head\" d=\"M0 1 10 5 0 9z\"/></marker>\
<marker id=\"root-head\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto-start-reverse\"><path class=\"root-head\" d=\"M0 1 10 5 0 9z\"/></marker>\
<marker id=\"full-start\" viewBox=\"0 0 14 10\" refX=\"0\" refY=\"5\" markerWidth=\"12\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto\"><path class=\"head\" d=\"M0 5 7 1 14 5 7 9z\"/></marker>\
<marker id=\"full-end\" viewBox=\"0 0 14 10\" refX=\"14\" refY=\"5\" markerWidth=\"12\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto\"><path class=\"head\" d=\"M0 5 7 1 14 5 7 9z\"/></marker>\
<marker id=\"hollow-start\" viewBox=\"0 0 14 10\" refX=\"0\" refY=\"5\" markerWidth=\"12\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto\"><path class=\"hollow\" d=\"M1 5 7 1 13 5 7 9z\"/></marker>\
<marker id=\"hollow-end\" viewBox=\"0 0 14 10\" refX=\"14\" refY=\"5\" markerWidth=\"12\" markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" \
orient=\"auto\"><path class=\"hollow\" d=\"M1 5 7 1 13 5 7 9z\"/></marker></defs>";

fn summary(graph: &Graph) -> String {
    let left: u64 = graph.nodes.iter().map(|node| node.cut).sum();
    let what = if graph.down { "pointer" } else { "holder" };
    let left = match left {
        0 => "nothing left out".to_owned(),
        left => format!("{} left out", count(left, what)),
    };
    let direction = match graph.down {
        true => "from what was asked for, at the left, to what it holds",
        false => "from the roots to what was asked for, at the right",
    };
    let boxes = Value::Count(graph.count());
    format!("{boxes} boxes, {direction}; {left}; the mouse shows whole names")
}

/// The boxes and arrows that occur, with what they mean, and how wide that is.
fn legend(graph: &Graph) -> (String, f64) {
    let (mut text, mut x) = (String::new(), 0.0);
    let boxes = [
        (NodeKind::Asked, "asked for"),
        (NodeKind::Root, "root"),
        (NodeKind::Lost, "nothing holds it"),
    ];
    for (kind, says) in boxes {
        if graph.nodes.iter().any(|node| node.kind == kind) {
            _ = write!(
                text,
                "<rect class=\"{}\" x=\"{x}\" y=\"-10\" width=\"22\" height=\"13\" rx=\"3\"/>",
                class(kind)
            );
            x = entry(&mut text, x + 28.0, says);
        }
    }
    for (hold, says) in [
        (Some(Hold::Owning), "owning"),
        (Some(Hold::Shared), "shared (Rc, Arc)"),
        (Some(Hold::Borrowed), "borrowed"),
        (Some(Hold::Weak), "weak"),
        (
            Some(Hold::Conservative),
            "conservative: a word that reads as an address",
        ),
    ] {
        if graph.edges.iter().any(|arrow| arrow.hold == hold) {
            _ = write!(
                text,
                "<path {} d=\"M{x} -4H{}\"/>",
                look(hold, false),
                x + 34.0
            );
            x = entry(&mut text, x + 40.0, says);
        }
    }
    (text, x + 40.0)
}

fn entry(text: &mut String, x: f64, says: &str) -> f64 {
    _ = write!(text, "<text class=\"dim\" x=\"{x}\" y=\"0\">{says}</text>");
    x + says.len() as f64 * 6.7 + 22.0
}

fn class(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Block => "block",
        NodeKind::Asked => "asked",
        NodeKind::Root => "root",
        NodeKind::Lost => "lost",
        NodeKind::LeftOut => "left-out",
    }
}

/// How an arrow looks, as attributes. One that is drawn `back` has its head where its line begins.
fn look(hold: Option<Hold>, back: bool) -> String {
    let (class, head, tail) = match hold {
        None => ("root", "root-head", None),
        Some(Hold::Owning) => ("owning", "head", Some("full")),
        Some(Hold::Shared) => ("shared", "head", Some("hollow")),
        Some(Hold::Borrowed) => ("borrowed", "head", None),
        Some(Hold::Weak) => ("weak", "head", Some("hollow")),
        Some(_) => ("conservative", "head", None),
    };
    let (at_head, at_tail) = if back {
        ("start", "end")
    } else {
        ("end", "start")
    };
    let tail = tail.map(|tail| format!(" marker-{at_tail}=\"url(#{tail}-{at_tail})\""));
    let tail = tail.unwrap_or_default();
    format!("class=\"arrow {class}\" marker-{at_head}=\"url(#{head})\"{tail}")
}

/// Text that nothing in it can end: names and values come out of files and memory that anyone may have written.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in tame(text).chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            // What XML does not allow.
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Confidence;
    use crate::report::{Arrow, Node};

    fn graph(label: &str) -> Graph {
        let node = |kind| Node {
            kind,
            label: label.to_owned(),
            detail: "8 B  0x10".to_owned(),
            value: label.to_owned(),
            more: vec![label.to_owned(), "held by nothing".to_owned()],
            cut: 4990,
        };
        let arrow = |from, to, hold| Arrow {
            from,
            to,
            label: label.to_owned(),
            hold,
            confidence: Confidence::Exact,
        };
        Graph {
            title: format!("Who holds {label}"),
            nodes: vec![
                node(NodeKind::Root),
                node(NodeKind::Block),
                node(NodeKind::Asked),
            ],
            edges: vec![
                arrow(0, 1, None),
                arrow(1, 2, Some(Hold::Shared)),
                arrow(2, 1, Some(Hold::Weak)),
                arrow(2, 2, Some(Hold::Conservative)),
            ],
            down: false,
        }
    }

    #[test]
    fn nothing_in_a_name_ends_its_element() {
        let hostile = "</text><script>alert(1)</script>&\"'\u{1b}[2J\u{0}\n]]>";
        let text = svg(&graph(hostile));
        assert!(!text.contains("<script") && !text.contains('\u{1b}') && !text.contains('\0'));
        assert!(
            text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"),
            "{text}"
        );
        // What is opened is closed.
        for element in ["svg", "g", "text", "title", "defs", "marker", "style"] {
            let opened = text.matches(&format!("<{element}>")).count()
                + text.matches(&format!("<{element} ")).count();
            let closed = text.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
    }

    #[test]
    fn how_a_pointer_holds_can_be_seen_and_what_was_left_out() {
        let text = svg(&graph("a::B"));
        for class in [
            "arrow shared",
            "arrow weak",
            "arrow conservative",
            "arrow root",
        ] {
            assert!(text.contains(&format!("class=\"{class}\"")), "{class}");
        }
        assert!(text.contains("4,990 more holders") && text.contains("14,970 holders left out"));
        assert!(text.contains("prefers-color-scheme:dark"));
        assert!(
            !text.contains("href") && !text.contains("@import"),
            "it needs nothing else"
        );
    }
}
