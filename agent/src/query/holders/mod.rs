//! Who holds whom, as the commands ask for it: the graph of the look with the names of its roots. Made once a look, when first
//! asked for.

pub(super) mod chain;
pub(crate) mod contents;
mod place;
pub(super) mod shape;

use std::rc::Rc;

use crate::heap::graph::Graph;
use crate::heap::{
    Block, Confidence, Content, Edge, Gap, Held, Hold, Root, RootHold, RootKind, Watched, Words,
};
use crate::report::count;
use crate::walk::{self, Edges, Typed, scan};

use super::types::Types;
use super::{Error, View};

use contents::Contents;
pub(super) use place::{Place, root_text, without_numbers};

/// Who holds whom.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    pub(super) graph: Graph,
    /// What the blocks hold.
    contents: Rc<Contents>,
    /// Whether there was no room for all links.
    is_cut: bool,
}

impl Holders {
    /// Reads the frozen heap from end to end.
    fn of(view: &mut View<'_>, types: &Types) -> Self {
        let contents = view.contents();
        let view = &*view;
        let snapshot = view.snapshot;
        // Known of glibc's allocator alone, which then has headers before its chunks.
        let has_chunks = snapshot.memory.rounding.is_some();
        let (blocks, roots) = (&snapshot.blocks, &snapshot.roots);
        contents.extents(view, types);
        let memory = Watched::new(
            view.memory,
            view.waiting,
            "reading pointers",
            bytes_of(blocks, roots),
        );
        let scan = contents.typed(view, types, |typed| {
            let mut words = walk::Words::new(typed, contents.variables(view));
            scan(
                blocks,
                &contents.index,
                roots,
                &memory,
                has_chunks,
                &mut words,
            )
        });
        let kinds = roots.iter().map(|root| root.kind).collect();
        Holders {
            graph: Graph::new(blocks, scan.links, scan.holds, kinds),
            is_cut: scan.is_cut,
            contents,
        }
    }

    /// Asks what types say of pointers.
    fn typed<R>(&self, view: &View<'_>, types: &Types, ask: impl FnOnce(&Typed<'_>) -> R) -> R {
        self.contents.typed(view, types, ask)
    }

    /// What a block holds, and how sure that is.
    pub(super) fn content(
        &self,
        view: &View<'_>,
        types: &Types,
        block: &Block,
    ) -> (Content, Confidence) {
        self.contents.of(view, types, block)
    }

    /// What a block holds as a value in a line; empty where that says nothing. Of a buffer its owner says how much is in use.
    pub(super) fn line(&self, view: &View<'_>, types: &Types, block: &Block) -> String {
        let number = view.number_of(block);
        if let Some(extent) = self.contents.extents(view, types).of(number) {
            let room = match extent.capacity > extent.length {
                true => format!(", room for {}", extent.capacity),
                false => String::new(),
            };
            return format!("{}{room}", count(extent.length, "value"));
        }
        let (content, _) = self.content(view, types, block);
        let walker = view.walker();
        walker.line(&walker.block(content, block.address, block.size))
    }

    /// Whether types may say of a root what its words are: of a stack none do.
    pub(super) fn is_typed_root(&self, hold: &RootHold) -> bool {
        let kind = self.graph.kind(hold.root);
        matches!(
            kind,
            Some(RootKind::Static { .. } | RootKind::ThreadLocal { .. })
        )
    }

    /// How the pointer to a block on its chain holds; where that is a word of a stack's, nothing is to be said of it.
    pub(super) fn hold_on_chain(&self, block: u32) -> Hold {
        let root = match self.graph.via(block) {
            None => self.graph.root_of(block),
            Some(_) => return self.graph.by(block),
        };
        let typed = root.filter(|root| self.is_typed_root(root));
        typed.map_or(Hold::Owning, |root| root.hold)
    }

    /// By which fields a pointer is reached; where that is not known, how far into its block: `+0x18`.
    pub(super) fn field(&self, view: &View<'_>, types: &Types, edge: &Edge) -> String {
        let named = self.named_field(view, types, edge);
        named.unwrap_or_else(|| offset_text(edge.offset))
    }

    /// The same; nothing where it is not known.
    pub(super) fn named_field(
        &self,
        view: &View<'_>,
        types: &Types,
        edge: &Edge,
    ) -> Option<String> {
        let block = view.numbered(edge.from);
        self.typed(view, types, |typed| {
            typed.place(edge.from, block, edge.offset)
        })
    }

    /// The pointers in a block.
    pub(super) fn edges(&self, view: &View<'_>, types: &Types, from: u32) -> Vec<Edge> {
        let edges = Edges {
            blocks: &view.snapshot.blocks,
            index: &self.contents.index,
            memory: view.memory,
        };
        let mut edges = edges.of(from);
        self.typed(view, types, |typed| {
            typed.mark(from, view.numbered(from), &mut edges);
        });
        edges
    }

    /// The strongest pointer in a block to another, of equal ones the first.
    pub(super) fn edge(&self, view: &View<'_>, types: &Types, from: u32, to: u32) -> Option<Edge> {
        let edges = self.edges(view, types, from).into_iter();
        edges
            .filter(|edge| edge.to == to)
            .min_by_key(|edge| (edge.hold.rank(), edge.hold))
    }

    /// What every answer that rests on pointers does not know.
    pub(super) fn gaps(&self, view: &View<'_>) -> Vec<Gap> {
        let mut gaps = view.gaps();
        gaps.extend(view.memory.gaps());
        let threads = view.snapshot.threads.iter();
        let running = threads.filter(|thread| thread.stopped.is_err());
        gaps.extend(running.map(|thread| {
            Gap::new(
                format!("what thread {} ({}) holds", thread.name, thread.tid),
                "it did not stop: its registers are not known, nor what of its stack is in use",
            )
        }));
        let moving = view
            .snapshot
            .blocks
            .iter()
            .filter(|block| block.moving)
            .count();
        if moving > 0 {
            gaps.push(Gap::new(
                format!("what {moving} blocks hold that realloc was moving"),
                "their bytes are at neither place for sure",
            ));
        }
        if self.is_cut {
            gaps.push(Gap::new("some pointers", "there are more than are kept"));
        }
        gaps
    }
}

impl View<'_> {
    /// Who holds whom, read once a look.
    pub(super) fn holders(&mut self) -> Rc<Holders> {
        if let Some(holders) = &self.holders {
            return Rc::clone(holders);
        }
        let types = self.types();
        let holders = Rc::new(Holders::of(self, &types));
        if !self.waiting.has_stopped() {
            self.holders = Some(Rc::clone(&holders));
        }
        holders
    }

    /// The number of a live block.
    pub(super) fn number_of(&self, block: &Block) -> u32 {
        let blocks = &self.snapshot.blocks;
        blocks.partition_point(|other| other.address < block.address) as u32
    }

    /// The block with a number.
    pub(super) fn numbered(&self, number: u32) -> &Block {
        &self.snapshot.blocks[number as usize]
    }
}

/// How much there is to be read.
fn bytes_of(blocks: &[Block], roots: &[Root]) -> u64 {
    let blocks = blocks.iter().map(|block| block.size);
    let roots = roots.iter().map(|root| match &root.words {
        Words::At(range) => range.end.saturating_sub(range.start),
        Words::Values(_) => 0,
    });
    blocks.chain(roots).fold(0, u64::saturating_add)
}

/// What a way of being held is called.
pub(super) fn held_text(held: Held) -> &'static str {
    match held {
        Held::Static => "a static",
        Held::ThreadLocal => "a thread-local",
        Held::Stack => "a stack or register",
        Held::Weakly => "weak pointers alone",
        Held::Untracked => "memory that is not tracked alone",
        Held::Doubtful => "words that are no pointers by their types alone",
        Held::Leftover => "what calls left on a stack alone",
        Held::Nothing => "nothing",
    }
}

/// Where in a block a pointer stands: `+0x18`.
pub(super) fn offset_text(offset: u64) -> String {
    format!("+{offset:#x}")
}

impl super::Typed {
    /// The one block that a command is asked about.
    ///
    /// # Errors
    /// [`Error::Usage`] where it is none, and those of [`View::block`].
    pub(super) fn one_block<'a>(&self, view: &View<'a>) -> Result<&'a Block, Error> {
        let [word] = &self.words[..] else {
            return Err(self.wrong("which block?"));
        };
        let block = view.block(word)?;
        block.ok_or_else(|| {
            self.wrong(format!(
                "`{word}` is no address; of a type, `list {word}` shows them"
            ))
        })
    }
}
