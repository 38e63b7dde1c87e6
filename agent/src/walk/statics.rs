//! `walk`: the variables that live as long as the program or a thread, by address, and which of them hold blocks.

use super::edges::{Judge, Judged, Reader};
use super::{Spot, Typed, Walker};
use crate::heap::graph::Index;
use crate::heap::{Address, Block, Hold, Root, RootKind, TypeId, Words as RootWords};

/// Variables in order of address. A thread-local is there once for each thread.
#[derive(Debug, Default)]
pub(crate) struct Variables(Vec<(u64, TypeId)>);

impl Variables {
    /// Of these, in any order.
    pub(crate) fn new(mut all: Vec<(u64, TypeId)>) -> Self {
        all.sort_unstable();
        // Of several at one address that are said to be there, any is as good.
        all.dedup_by_key(|(at, _)| *at);
        Variables(all)
    }

    /// The variable in which an address lies.
    pub(crate) fn around(&self, walker: &Walker<'_>, address: u64) -> Option<Spot> {
        let after = self.0.partition_point(|(at, _)| *at <= address);
        let (at, of) = *self.0.get(after.checked_sub(1)?)?;
        (address - at < walker.size(of)).then_some(Spot {
            at: Address(at),
            of,
        })
    }

    /// Those of the roots in which a word reads as an address near blocks, in order of address within each root.
    pub(crate) fn holding(&self, walker: &Walker<'_>, roots: &[Root], index: &Index) -> Vec<Spot> {
        let mut found: Vec<Spot> = Vec::new();
        let mut reader = Reader::new(walker.memory);
        for root in roots {
            let (RootKind::Static { .. } | RootKind::ThreadLocal { .. }, RootWords::At(range)) =
                (root.kind, &root.words)
            else {
                continue;
            };
            let mut end = 0;
            reader.words(range.clone(), &mut |at, word| {
                if at >= end
                    && index.is_near(word)
                    && let Some(spot) = self.around(walker, at)
                {
                    end = spot.at.0.saturating_add(walker.size(spot.of));
                    found.push(spot);
                }
            });
        }
        found
    }
}

/// Judges words by the types of blocks and variables.
pub(crate) struct Words<'a> {
    typed: &'a Typed<'a>,
    variables: &'a Variables,
    /// The variable looked at last, and what its type says.
    last: Option<(Spot, Judged)>,
}

impl<'a> Words<'a> {
    /// By these.
    pub(crate) fn new(typed: &'a Typed<'a>, variables: &'a Variables) -> Self {
        Words {
            typed,
            variables,
            last: None,
        }
    }
}

impl Judge for Words<'_> {
    fn block(&mut self, number: u32, block: &Block, bytes: Option<&[u8]>, into: &mut Judged) {
        self.typed.judge(number, block, bytes, into);
    }

    fn root(&mut self, at: u64) -> Hold {
        let Some(spot) = self.variables.around(&self.typed.walker, at) else {
            return Hold::Conservative;
        };
        if self.last.as_ref().is_none_or(|(last, _)| *last != spot) {
            let mut judged = Judged::default();
            self.typed.judge_value(spot, &mut judged);
            self.last = Some((spot, judged));
        }
        let judged = self.last.as_mut().map(|(_, judged)| judged);
        judged.map_or(Hold::Conservative, |judged| judged.hold(at - spot.at.0))
    }
}
