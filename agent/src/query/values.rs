//! The values of the heap, wherever they live, as the commands ask for them: counted once a look.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::View;
use super::types::Types;
use crate::heap::{Block, Confidence, Content, Gap, TypeId, Watched, Written};
use crate::report::{Value, count};
use crate::walk::{Census, Frozen, Known, Spot, Unread, Walker, Wanted};

/// The values of one type, by its whole name.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) name: Written,
    /// Bytes of one.
    pub(super) size: u64,
    /// In blocks of their own.
    pub(super) own: u64,
    /// In other values, buffers, tables and statics.
    pub(super) inline: u64,
}

impl Kind {
    pub(super) fn count(&self) -> u64 {
        self.own.saturating_add(self.inline)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.count().saturating_mul(self.size)
    }
}

impl View<'_> {
    /// Counts the values.
    pub(super) fn census(&mut self, wanted: Wanted) -> Census {
        self.census_with(wanted, None)
    }

    /// The values of the types that are sought, one by one.
    pub(super) fn values_of(&mut self, sought: &dyn Fn(&Written) -> bool) -> (Vec<Spot>, Census) {
        let types = self.types();
        let known: RefCell<HashMap<TypeId, bool>> = RefCell::default();
        let census = {
            let layouts = self.names.layouts();
            let seek = |of: TypeId| {
                let mut known = known.borrow_mut();
                *known
                    .entry(of)
                    .or_insert_with(|| sought(&layouts.written(of)))
            };
            // As many as `instances PATTERN` counts.
            let wanted = Wanted {
                all: true,
                rooms: false,
            };
            self.taken(&types, wanted, Some(&seek))
        };
        self.knows_statics = !self.waiting.has_stopped();
        let mut census = census;
        (std::mem::take(&mut census.found), census)
    }

    fn census_with(&mut self, wanted: Wanted, sought: Option<&dyn Fn(TypeId) -> bool>) -> Census {
        let types = self.types();
        let census = self.taken(&types, wanted, sought);
        self.knows_statics = !self.waiting.has_stopped();
        census
    }

    fn taken(
        &self,
        types: &Types,
        wanted: Wanted,
        sought: Option<&dyn Fn(TypeId) -> bool>,
    ) -> Census {
        let cache = RefCell::new(vec![None; types.counts.groups.len()]);
        let content = |block: &Block| {
            let Some(group) = types.index.of(block) else {
                return Known::default();
            };
            *cache.borrow_mut()[group].get_or_insert_with(|| self.known(types, block))
        };
        let total = self.snapshot.live_bytes();
        let memory = Watched::new(self.memory, self.waiting, "counting values", total);
        let frozen = Frozen {
            walker: Walker {
                memory: &memory,
                ..self.walker()
            },
            blocks: &self.snapshot.blocks,
            roots: &self.snapshot.roots,
            content: &content,
        };
        Census::of(&frozen, wanted, sought)
    }

    fn known(&self, types: &Types, block: &Block) -> Known {
        let name = types.name_of(block);
        let site = self
            .site(block.site)
            .filter(|_| name.confidence >= Confidence::Likely);
        let content = site.map(|site| {
            let layouts = self.names.layouts();
            layouts.content(site, block.size, block.align())
        });
        Known {
            // Bytes are nothing but bytes, however sure that is.
            content: match name.confidence {
                Confidence::Guess => Content::Bytes,
                _ => content.unwrap_or_default(),
            },
            is_ring: name.full.starts_with("VecDeque<"),
        }
    }

    /// The values by whole name, the most bytes first.
    pub(super) fn kinds_of(&self, census: &Census) -> Vec<Kind> {
        let layouts = self.names.layouts();
        let mut by_name: HashMap<Rc<str>, Kind> = HashMap::new();
        for values in &census.values {
            let name = layouts.written(values.of);
            let kind = by_name.entry(Rc::clone(&name.full)).or_insert(Kind {
                name,
                size: values.size,
                own: 0,
                inline: 0,
            });
            kind.own += values.own;
            kind.inline += values.inline;
        }
        let mut kinds: Vec<Kind> = by_name.into_values().collect();
        kinds.sort_by_key(|kind| {
            let name = Rc::clone(&kind.name.full);
            (std::cmp::Reverse(kind.bytes()), name)
        });
        kinds
    }
}

/// What a census left out.
pub(super) fn gaps(view: &View<'_>, unread: &Unread) -> Vec<Gap> {
    let mut gaps = view.gaps();
    let mut add = |(blocks, bytes): (u64, u64), what: &str, why: &str| {
        if blocks > 0 {
            let (blocks, bytes) = (count(blocks, "block"), Value::Bytes(bytes));
            gaps.push(Gap::new(format!("{what} {blocks} ({bytes})"), why));
        }
    };
    add(
        unread.untyped,
        "the values in",
        "nobody knows of what type they are: `sites unknown` shows where they come from",
    );
    add(
        unread.unowned,
        "the values in",
        "they are buffers, and no owner whose type is known says how much of them is in use",
    );
    if unread.torn > 0 {
        gaps.push(Gap::new(
            count(unread.torn, "collection"),
            "they do not hold together, or their buffer is no recorded block of its own",
        ));
    }
    if unread.absent > 0 {
        gaps.push(Gap::new(
            format!("values in {}", Value::Bytes(unread.absent)),
            "those pages are not in memory",
        ));
    }
    if unread.open > 0 {
        gaps.push(Gap::new(
            format!("some parts of {}", count(unread.open, "type")),
            "they have unions or types that are not described, and nothing says what is in them",
        ));
    }
    gaps
}
