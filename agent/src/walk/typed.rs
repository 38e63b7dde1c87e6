//! `walk`: what types say of pointers that a scan found: how each holds, and by which fields it is reached. A word that a type
//! does not speak of stays what the scan says it is; one that a type says is no pointer is doubtful, and still a link, so that a
//! type that was told wrongly cannot let a block look lost.

use std::rc::Rc;

use super::{Extent, Extents, Found, Judged, Live, Plans, Spot, TypedPointer, Walker};
use crate::heap::{Address, Block, Confidence, Content, Edge, Hold, Rank, TypeId};

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
    /// What its type says of the words of a block, of which the bytes may be at hand.
    pub(crate) fn judge(
        &self,
        number: u32,
        block: &Block,
        bytes: Option<&[u8]>,
        into: &mut Judged,
    ) {
        let (content, sure) = self.content_in(number, block);
        let live = self.live(number, block);
        into.set(|pointers| {
            let mut is_torn = false;
            let mut visit = |found| match found {
                Found::Pointer(pointer) => pointers.push((pointer.offset, self.hold(&pointer))),
                Found::Torn => is_torn = true,
                Found::Buffer(_) => {}
            };
            let is_whole = self.each_in(block, content, bytes, live.as_ref(), &mut visit);
            // What realloc moves is at neither place for sure.
            let is_sure = sure == Confidence::Exact && !block.moving && !is_torn;
            match is_whole && is_sure {
                true => Hold::Doubtful,
                false => Hold::Conservative,
            }
        });
    }

    /// What the type of a variable says of its words.
    pub(super) fn judge_value(&self, value: Spot, into: &mut Judged) {
        into.set(|pointers| {
            let mut is_torn = false;
            let is_whole = self.of_value(value, &mut |found| match found {
                Found::Pointer(pointer) => pointers.push((pointer.offset, self.hold(&pointer))),
                Found::Torn => is_torn = true,
                Found::Buffer(_) => {}
            });
            match is_whole && !is_torn {
                true => Hold::Doubtful,
                false => Hold::Conservative,
            }
        });
    }

    /// How a pointer holds: weakly only where what it points at bears that out.
    fn hold(&self, pointer: &TypedPointer) -> Hold {
        match pointer.hold {
            Hold::Weak if !self.counts_weak(pointer.to) => Hold::Conservative,
            hold => hold,
        }
    }

    /// Says of the edges of a block how they hold, where its type does.
    pub(crate) fn mark(&self, number: u32, block: &Block, edges: &mut [Edge]) {
        let (content, sure) = self.content_in(number, block);
        // What stands in a buffer's spare room is old: only its owner knows how much of it is in use.
        let confidence = match content {
            Content::Items(_) if self.live(number, block).is_none() => sure.min(Confidence::Likely),
            _ => sure,
        };
        let mut judged = Judged::default();
        self.judge(number, block, None, &mut judged);
        for edge in edges {
            edge.hold = judged.hold(edge.offset);
            if edge.hold.rank() != Rank::Conservative {
                edge.confidence = match edge.hold {
                    Hold::Doubtful => Confidence::Unknown,
                    _ => confidence,
                };
            }
        }
    }

    /// What a block holds that may own buffers; none where it owns none.
    pub(super) fn owners(&self, block: &Block) -> Option<Content> {
        let (content, _) = self.content(block);
        let may_own = self.plans.may_own(&self.walker, content);
        may_own.then_some(content)
    }

    /// Visits what is found in a block: of a buffer whose owner is known, what that says is in use.
    pub(super) fn each_of_owner(
        &self,
        block: &Block,
        extent: Option<Extent>,
        visit: &mut dyn FnMut(Found),
    ) {
        let (content, _) = self.content(block);
        match (content, extent) {
            (Content::Items(_), Some(extent)) => {
                let content = Content::Items(extent.of);
                self.each_in(block, content, None, Some(&extent.live()), visit);
            }
            _ => {
                self.each_in(block, content, None, None, visit);
            }
        }
    }

    /// Visits what is found in a block, of which the bytes may be at hand; of a buffer in the elements in use, all unless it is
    /// said. Says whether all pointers are found that can be there.
    fn each_in(
        &self,
        block: &Block,
        content: Content,
        bytes: Option<&[u8]>,
        live: Option<&Live>,
        visit: &mut dyn FnMut(Found),
    ) -> bool {
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
    pub(crate) fn place(&self, number: u32, block: &Block, offset: u64) -> Option<String> {
        let (content, _) = self.content_in(number, block);
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

    /// What a block holds: of a buffer, what its owner says it is of. Where the call stack says otherwise, one of the two is
    /// wrong, as it is where a vector was collected in place of another: then it is not sure what else is there.
    fn content_in(&self, number: u32, block: &Block) -> (Content, Confidence) {
        let (content, sure) = self.content(block);
        let extent = self.extents.and_then(|extents| extents.of(number));
        match (content, extent) {
            (Content::Items(of), Some(extent)) if self.is_same(of, extent.of) => (content, sure),
            (Content::Items(_), Some(extent)) => (Content::Items(extent.of), Confidence::Likely),
            _ => (content, sure),
        }
    }

    /// A type has several numbers where several parts of a program describe it.
    fn is_same(&self, one: TypeId, other: TypeId) -> bool {
        let name = |of| self.walker.layout(of).map(|layout| Rc::clone(&layout.name));
        one == other || name(one) == name(other)
    }

    /// The elements of a buffer that are in use.
    fn live(&self, number: u32, block: &Block) -> Option<Live> {
        self.live_of(block, &self.extents?.of(number)?)
    }

    /// The same, of a block that is one.
    pub(super) fn live_of(&self, block: &Block, extent: &Extent) -> Option<Live> {
        matches!(self.content(block).0, Content::Items(_)).then(|| extent.live())
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
    fn weak(counts: [u64; 2], confidence: Confidence) -> (Hold, Option<String>) {
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
        let number = match confidence {
            Confidence::Exact => Hold::Doubtful,
            _ => Hold::Conservative,
        };
        assert_eq!(edges[0].hold, number, "a number is still a link");
        (edges[1].hold, typed.place(0, &block, 8))
    }

    #[test]
    fn a_weak_pointer_is_believed_where_the_counts_bear_it_out() {
        use Confidence::{Exact, Guess, Likely};
        let place = Some("parent".to_owned());
        let is_weak = (Hold::Weak, place.clone());
        assert_eq!(weak([1, 2], Exact), is_weak);
        assert_eq!(weak([0, 1], Likely), is_weak, "the value is gone");
        let is_not = (Hold::Conservative, place);
        assert_eq!(weak([1, 1], Exact), is_not, "no weak pointer is counted");
        assert_eq!(weak([1, u64::MAX], Exact), is_not, "it is locked");
        assert_eq!(weak([0x7f00_0000_0000_0000, 9], Exact), is_not, "no counts");
        assert_eq!(weak([1, 2], Guess), (Hold::Conservative, None));
    }
}
