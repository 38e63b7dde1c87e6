//! What blocks hold, by their types: asked once for all blocks that are alike, and kept for the whole look.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use crate::heap::graph::Index;
use crate::heap::{Block, Confidence, Content, Place, RootKind, TypeId, Watched, Words};
use crate::query::View;
use crate::query::types::Types;
use crate::walk::{Extents, Plans, Typed, Variables, Walker};

/// What the blocks of a look hold.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Finds blocks by addresses.
    pub(crate) index: Index,
    /// Where the pointers of types are.
    plans: Plans,
    /// Of each of the look's groups, of those that were asked for.
    groups: RefCell<Vec<Option<(Content, Confidence)>>>,
    variables: OnceCell<Variables>,
    extents: OnceCell<Extents>,
}

impl Contents {
    /// What a block holds, and how sure that is.
    pub(crate) fn of(
        &self,
        view: &View<'_>,
        types: &Types,
        block: &Block,
    ) -> (Content, Confidence) {
        let nothing = (Content::Unknown, Confidence::Unknown);
        let Some(group) = types.index.of(block) else {
            return nothing;
        };
        let mut groups = self.groups.borrow_mut();
        if groups.len() <= group {
            groups.resize(group + 1, None);
        }
        *groups[group].get_or_insert_with(|| {
            let content = view.site(block.site).map(|site| {
                let layouts = view.names.layouts();
                layouts.content(site, block.size, block.align())
            });
            content.map_or(nothing, |content| {
                (content, types.name_of(block).confidence)
            })
        })
    }

    /// Asks what types say of blocks.
    pub(crate) fn typed<R>(
        &self,
        view: &View<'_>,
        types: &Types,
        ask: impl FnOnce(&Typed<'_>) -> R,
    ) -> R {
        self.typed_by(view.walker(), view, types, ask)
    }

    fn typed_by<R>(
        &self,
        walker: Walker<'_>,
        view: &View<'_>,
        types: &Types,
        ask: impl FnOnce(&Typed<'_>) -> R,
    ) -> R {
        ask(&Typed {
            walker,
            plans: &self.plans,
            content: &|block| self.of(view, types, block),
            extents: self.extents.get(),
        })
    }

    /// How much of each buffer is in use, as far as owners say. Found when first asked for.
    pub(crate) fn extents(&self, view: &View<'_>, types: &Types) -> &Extents {
        self.extents.get_or_init(|| {
            let (walker, snapshot) = (view.walker(), view.snapshot);
            let holding = self
                .variables(view)
                .holding(&walker, &snapshot.roots, &self.index);
            let total = snapshot.blocks.iter().map(|block| block.size).sum();
            let what = "asking the owners of buffers";
            let memory = Watched::new(view.memory, view.waiting, what, total);
            let walker = Walker {
                memory: &memory,
                ..walker
            };
            self.typed_by(walker, view, types, |typed| {
                Extents::find(&snapshot.blocks, &self.index, typed, &holding)
            })
        })
    }

    /// The variables of known types that live as long as the program or a thread.
    pub(crate) fn variables(&self, view: &View<'_>) -> &Variables {
        self.variables
            .get_or_init(|| Variables::new(variables(view)))
    }
}

fn variables(view: &View<'_>) -> Vec<(u64, TypeId)> {
    let mut all = Vec::new();
    for variable in view.names.layouts().statics().iter() {
        match variable.place {
            Place::At(address) => all.push((address.0, variable.of)),
            Place::OfThread { module, offset } => {
                let starts = thread_locals(view, module);
                all.extend(starts.map(|start| (start.saturating_add(offset), variable.of)));
            }
        }
    }
    all
}

/// Where the thread-locals of a module begin in each thread.
fn thread_locals(view: &View<'_>, of: usize) -> impl Iterator<Item = u64> {
    view.snapshot
        .roots
        .iter()
        .filter_map(move |root| match (root.kind, &root.words) {
            (RootKind::ThreadLocal { module, .. }, Words::At(range)) => {
                (module == Some(of as u32)).then_some(range.start)
            }
            _ => None,
        })
}

impl View<'_> {
    /// What the blocks hold, by their types.
    pub(crate) fn contents(&mut self) -> Rc<Contents> {
        let snapshot = self.snapshot;
        let contents = self.contents.get_or_insert_with(|| {
            Rc::new(Contents {
                index: Index::new(&snapshot.blocks),
                ..Contents::default()
            })
        });
        Rc::clone(contents)
    }
}
