//! Who holds whom, as the commands ask for it: the graph of the look with the names of its roots. Made once a look, when first
//! asked for.

pub(super) mod chain;
mod place;
pub(super) mod shape;

use crate::heap::graph::{Graph, Index};
use crate::heap::{Block, Edge, Gap, Held, Memory, Snapshot};
use crate::walk::{Edges, scan};

use super::{Error, Typed, View};

pub(super) use place::{Place, root_text};

/// Who holds whom.
#[derive(Debug)]
pub(crate) struct Holders {
    pub(super) graph: Graph,
    index: Index,
    /// Whether there was no room for all links.
    is_cut: bool,
}

impl Holders {
    /// Reads the frozen heap from end to end.
    pub(crate) fn of(snapshot: &Snapshot, memory: &dyn Memory) -> Self {
        // Known of glibc's allocator alone, which then has headers before its chunks.
        let has_chunks = snapshot.memory.rounding.is_some();
        let scan = scan(&snapshot.blocks, &snapshot.roots, memory, has_chunks);
        let kinds = snapshot.roots.iter().map(|root| root.kind).collect();
        Holders {
            graph: Graph::new(&snapshot.blocks, scan.links, scan.holds, kinds),
            index: scan.index,
            is_cut: scan.is_cut,
        }
    }

    /// The pointers in a block.
    pub(super) fn edges(&self, view: &View<'_>, from: u32) -> Vec<Edge> {
        let edges = Edges {
            blocks: &view.snapshot.blocks,
            index: &self.index,
            memory: view.memory,
        };
        edges.of(from)
    }

    /// The first pointer in a block to another.
    pub(super) fn edge(&self, view: &View<'_>, from: u32, to: u32) -> Option<Edge> {
        self.edges(view, from)
            .into_iter()
            .find(|edge| edge.to == to)
    }

    /// What every answer that rests on pointers does not know.
    pub(super) fn gaps(&self, view: &View<'_>) -> Vec<Gap> {
        let mut gaps = view.gaps();
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
    pub(super) fn holders(&mut self) -> std::rc::Rc<Holders> {
        let (snapshot, memory) = (self.snapshot, self.memory);
        let holders = self
            .holders
            .get_or_insert_with(|| std::rc::Rc::new(Holders::of(snapshot, memory)));
        std::rc::Rc::clone(holders)
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

/// What a way of being held is called.
pub(super) fn held_text(held: Held) -> &'static str {
    match held {
        Held::Static => "a static",
        Held::ThreadLocal => "a thread-local",
        Held::Stack => "a stack or register",
        Held::Weakly => "weak pointers alone",
        Held::Untracked => "memory that is not tracked alone",
        Held::Leftover => "what calls left on a stack alone",
        Held::Nothing => "nothing",
    }
}

/// Where in a block a pointer stands: `+0x18`.
pub(super) fn offset_text(offset: u64) -> String {
    format!("+{offset:#x}")
}

impl Typed {
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
