//! `walk`: what types say of pointers that a scan found: how each holds, and by which fields it is reached. It only ever adds
//! to the scan. A word that a type does not speak of stays what the scan says it is, so that a type that was told wrongly
//! cannot let a block look lost.

use super::{Extent, Extents, Found, Live, Plans, Spot, TypedPointer, Walker};
use crate::heap::{Address, Block, Confidence, Content, Edge, Hold};

/// Blocks by their types.
pub(crate) struct Typed<'a> {
    /// Reads values.
    pub(crate) walker: Walker<'a>,
    /// Where the pointers of types are.
    pub(crate) plans: &'a Plans,
    /// What a block holds and how sure that is. What is only guessed is not believed.
    pub(crate) content: &'a dyn Fn(&Block) -> (Content, Confidence),
    /// How much of buffers is in use, where that was found out.
    pub(crate) extents: Option<&'a Extents>,
}

/// Bytes of a block up to which its type is followed: it is read as a whole, and the copy's memory is bounded.
const LARGEST: u64 = 64 << 20;

impl Typed<'_> {
    /// Where in a block pointers stand that hold weakly, in bytes, ascending.
    pub(crate) fn weak(&self, number: u32, block: &Block) -> Vec<u64> {
        let (content, _) = self.content(block);
        if !self.plans.may_be_weak(&self.walker, content) {
            return Vec::new();
        }
        let pointers = self.pointers(number, block).into_iter();
        let mut weak: Vec<u64> = pointers
            .filter(|pointer| pointer.hold == Hold::Weak)
            .map(|pointer| pointer.offset)
            .collect();
        weak.sort_unstable();
        weak
    }

    /// Says of the edges of a block how they hold, where its type does.
    pub(crate) fn mark(&self, number: u32, block: &Block, edges: &mut [Edge]) {
        let (content, sure) = self.content(block);
        // What stands in a buffer's spare room is old: only its owner knows how much of it is in use.
        let confidence = match content {
            Content::Items(_) if self.live(number, block).is_none() => sure.min(Confidence::Likely),
            _ => sure,
        };
        for pointer in self.pointers(number, block) {
            let found = edges.binary_search_by_key(&pointer.offset, |edge| edge.offset);
            if let Some(edge) = found.ok().and_then(|place| edges.get_mut(place)) {
                (edge.hold, edge.confidence) = (pointer.hold, confidence);
            }
        }
    }

    /// What a block holds that may own buffers; none where it owns none.
    pub(super) fn owners(&self, block: &Block) -> Option<Content> {
        let (content, _) = self.content(block);
        let may_own = self.plans.may_own(&self.walker, content);
        may_own.then_some(content)
    }

    /// Visits what is found in a block, of which the bytes may be at hand; of a buffer in the elements in use, all unless it is
    /// said. Says whether all pointers are found that can be there.
    pub(super) fn each(
        &self,
        block: &Block,
        bytes: Option<&[u8]>,
        live: Option<&Live>,
        visit: &mut dyn FnMut(Found),
    ) -> bool {
        let (content, _) = self.content(block);
        match (content, bytes) {
            (Content::Unknown, _) => false,
            (Content::Bytes, _) => true,
            (_, Some(bytes)) => self.plans.each(&self.walker, content, bytes, live, visit),
            (_, None) => self
                .bytes(block.address, block.size)
                .is_some_and(|bytes| self.plans.each(&self.walker, content, &bytes, live, visit)),
        }
    }

    /// Visits what is found in a value.
    pub(super) fn of_value(&self, value: Spot, visit: &mut dyn FnMut(Found)) -> bool {
        let bytes = self.bytes(value.at, self.walker.size(value.of));
        bytes.is_some_and(|bytes| self.plans.of_value(&self.walker, value.of, &bytes, visit))
    }

    /// Bytes from an address on; zeros where they are not in memory, as where nothing was ever written.
    fn bytes(&self, at: Address, size: u64) -> Option<Vec<u8>> {
        let size = usize::try_from(size).ok().filter(|_| size <= LARGEST)?;
        let mut bytes = vec![0; size];
        let memory = self.walker.memory;
        if memory.read(at, &mut bytes).is_some() {
            return Some(bytes);
        }
        for piece in memory.readable(at.0..at.0.checked_add(size as u64)?) {
            let part = (piece.start - at.0) as usize..(piece.end - at.0) as usize;
            memory.read(Address(piece.start), bytes.get_mut(part)?);
        }
        Some(bytes)
    }

    /// The fields by which a place in a block is reached, given in bytes from its beginning.
    pub(crate) fn place(&self, block: &Block, offset: u64) -> Option<String> {
        let (content, _) = self.content(block);
        let place = self
            .walker
            .place_in(content, block.address, block.size, offset)?;
        (!place.is_empty()).then_some(place)
    }

    fn content(&self, block: &Block) -> (Content, Confidence) {
        match (self.content)(block) {
            (content, sure) if sure >= Confidence::Likely => (content, sure),
            (_, sure) => (Content::Unknown, sure),
        }
    }

    /// The pointers that its type says are in a block, weak ones only where what they point at bears it out.
    fn pointers(&self, number: u32, block: &Block) -> Vec<TypedPointer> {
        let (mut pointers, live) = (Vec::new(), self.live(number, block));
        self.each(block, None, live.as_ref(), &mut |found| match found {
            Found::Pointer(pointer)
                if pointer.hold != Hold::Weak || self.counts_weak(pointer.to) =>
            {
                pointers.push(pointer);
            }
            _ => {}
        });
        pointers
    }

    /// The elements of a buffer that are in use.
    fn live(&self, number: u32, block: &Block) -> Option<Live> {
        self.live_of(block, &self.extents?.of(number)?)
    }

    /// The same, provided that its owner speaks of values as large as those that are there.
    pub(super) fn live_of(&self, block: &Block, extent: &Extent) -> Option<Live> {
        let (content, _) = self.content(block);
        let Content::Items(of) = content else {
            return None;
        };
        let size = self.walker.size(of);
        (size == self.walker.size(extent.of)).then(|| extent.live())
    }

    /// Whether the counts at an address say that a `Weak` points there. All strong pointers together are one weak one.
    fn counts_weak(&self, at: u64) -> bool {
        let word = |offset| self.walker.memory.word(Address(at.checked_add(offset)?));
        match (word(0), word(8)) {
            (Some(strong), Some(weak)) => {
                let counts = 0..MOST_COUNTED;
                counts.contains(&strong) && counts.contains(&weak) && weak > u64::from(strong > 0)
            }
            _ => false,
        }
    }
}

/// No count is so high: it is another word.
const MOST_COUNTED: u64 = 1 << 40;

impl std::fmt::Debug for Typed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::described::Described;
    use crate::heap::{Beside, Birth, Field, Layout, Pieces, Rate, Shape, SiteId, TypeId};

    /// A struct of a weak pointer and a number, in a block at 0x1000; the counts of what it points at.
    fn weak(counts: [u64; 2], confidence: Confidence) -> (Vec<u64>, Hold, Option<String>) {
        let field = |name: &str, offset, of| Field {
            name: name.into(),
            offset,
            of: TypeId(of),
        };
        let layout = |name: &str, size, shape| {
            std::rc::Rc::new(Layout {
                name: name.into(),
                size,
                align: 8,
                shape,
                over: Vec::new(),
            })
        };
        let layouts = Described {
            types: vec![
                layout("u64", 8, Shape::Unsigned),
                layout("*mut u8", 8, Shape::Pointer(None, Beside::Nothing)),
                layout(
                    "alloc::sync::Weak<u64>",
                    8,
                    Shape::Struct(vec![field("ptr", 0, 1)]),
                ),
                layout(
                    "a::Child",
                    16,
                    Shape::Struct(vec![field("id", 0, 0), field("parent", 8, 2)]),
                ),
            ],
            ..Described::default()
        };
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let memory = Pieces(vec![
            (0x1000, words(&[0x2000, 0x2000])),
            (0x2000, words(&counts)),
        ]);
        let typed = Typed {
            walker: Walker {
                memory: &memory,
                layouts: &layouts,
            },
            plans: &Plans::default(),
            content: &|_| (Content::One(TypeId(3)), confidence),
            extents: None,
        };
        let block = Block {
            address: Address(0x1000),
            size: 16,
            align_log2: 3,
            birth: Birth(1),
            site: SiteId(1),
            moving: false,
            rate: Rate::WHOLE,
        };
        let mut edges = [0, 8].map(|offset| Edge {
            from: 0,
            offset,
            to: 1,
            into: 0,
            hold: Hold::Conservative,
            confidence: Confidence::Guess,
        });
        typed.mark(0, &block, &mut edges);
        assert_eq!(
            edges[0].hold,
            Hold::Conservative,
            "a number stays what the scan says"
        );
        (typed.weak(0, &block), edges[1].hold, typed.place(&block, 8))
    }

    #[test]
    fn a_weak_pointer_is_believed_where_the_counts_bear_it_out() {
        use Confidence::{Exact, Guess, Likely};
        let place = Some("parent".to_owned());
        let is_weak = (vec![8], Hold::Weak, place.clone());
        assert_eq!(weak([1, 2], Exact), is_weak);
        assert_eq!(weak([0, 1], Likely), is_weak, "the value is gone");
        let is_not = (vec![], Hold::Conservative, place);
        assert_eq!(weak([1, 1], Exact), is_not, "no weak pointer is counted");
        assert_eq!(weak([1, u64::MAX], Exact), is_not, "it is locked");
        assert_eq!(weak([0x7f00_0000_0000_0000, 9], Exact), is_not, "no counts");
        assert_eq!(weak([1, 2], Guess), (vec![], Hold::Conservative, None));
    }
}
