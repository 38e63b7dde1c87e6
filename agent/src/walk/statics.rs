//! `walk`: the variables that live as long as the program or a thread, by address, and which of them hold blocks.

use super::edges::Reader;
use super::{Spot, Walker};
use crate::heap::graph::Index;
use crate::heap::{Address, Root, RootKind, TypeId, Words};

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
            let (RootKind::Static { .. } | RootKind::ThreadLocal { .. }, Words::At(range)) =
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
