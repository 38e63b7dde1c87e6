//! A picture of who holds whom, as plain data: boxes and arrows, the holder at an arrow's tail.

use std::path::{Path, PathBuf};

use crate::heap::{Confidence, Hold};

/// A picture, and the file it goes to, if it was asked for one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    /// What is drawn.
    pub(crate) graph: Graph,
    /// Its name says how: [`is_picture`].
    pub(crate) file: Option<PathBuf>,
}

/// Whether a file is by its name one for a picture.
pub(crate) fn is_picture(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("svg" | "dot" | "gv"))
}

/// Boxes and arrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Graph {
    /// What it is a picture of, in a line.
    pub(crate) title: String,
    /// The boxes; arrows know them by their places.
    pub(crate) nodes: Vec<Node>,
    /// The arrows.
    pub(crate) edges: Vec<Arrow>,
    /// Whether it goes from what was asked for down to what that holds, instead of up to the roots.
    pub(crate) down: bool,
}

/// A box.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Node {
    /// What it stands for.
    pub(crate) kind: NodeKind,
    /// Its first line: a type's short name, or a root's.
    pub(crate) label: String,
    /// The second: size and address.
    pub(crate) detail: String,
    /// The third: its value.
    pub(crate) value: String,
    /// What else there is to say, a line each: whole names.
    pub(crate) more: Vec<String>,
    /// How many of its holders have no arrow, or of what it holds.
    pub(crate) cut: u64,
}

/// What a box stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A block.
    #[default]
    Block,
    /// A block that was asked for.
    Asked,
    /// A static, a thread-local, a stack, a register.
    Root,
    /// A block that nothing holds.
    Lost,
    /// What was left out.
    LeftOut,
}

/// An arrow from what holds to what is held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrow {
    /// The place of the holder among the nodes.
    pub(crate) from: usize,
    /// The place of what it holds.
    pub(crate) to: usize,
    /// By which fields.
    pub(crate) label: String,
    /// How a pointer in a block holds; none for what a root does, and for what was left out.
    pub(crate) hold: Option<Hold>,
    /// How sure it is that it is a pointer.
    pub(crate) confidence: Confidence,
}

impl Graph {
    /// How many boxes stand for something.
    pub(crate) fn count(&self) -> u64 {
        let nodes = self.nodes.iter();
        nodes.filter(|node| node.kind != NodeKind::LeftOut).count() as u64
    }
}
