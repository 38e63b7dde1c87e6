//! Blocks by type: the groups of a look named once, heaviest first, and put together by whole name.

use std::collections::HashMap;
use std::rc::Rc;

use crate::heap::{Block, Confidence, Names, Site, Snapshot, TypeName};
use crate::report::{Column, Value};
use crate::trend::{Counts, Group, GroupIndex};

/// The live blocks by type.
#[derive(Debug)]
pub(crate) struct Types {
    /// The types, the one with most bytes first.
    pub(crate) kinds: Vec<Kind>,
    /// Where the type with a whole name is.
    places: HashMap<Rc<str>, usize>,
    /// For each of the look's groups its type's place in `kinds`.
    of_group: Vec<usize>,
    /// For each of the look's groups how sure its own type is.
    sure: Vec<Confidence>,
    /// The groups.
    pub(crate) counts: Rc<Counts>,
    /// Finds the group of a block.
    pub(crate) index: GroupIndex,
    /// What there was no time to name.
    pub(crate) unread: Unread,
}

/// Groups that have no name yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// How many.
    pub(crate) groups: u64,
    /// Bytes of their blocks.
    pub(crate) bytes: u64,
}

impl Unread {
    fn add(&mut self, group: &Group) {
        self.groups += 1;
        self.bytes += group.bytes;
    }
}

/// The blocks of one type.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// Its name; `confidence` is the least of all its blocks. The whole name is empty for blocks without a type.
    pub(crate) name: TypeName,
    /// How many there are.
    pub(crate) count: u64,
    /// Bytes of all.
    pub(crate) bytes: u64,
    /// Bytes of the largest.
    pub(crate) largest: u64,
    /// How many recorded blocks the figures rest on where they are estimates; zero where they are counts.
    pub(crate) sample: u64,
}

impl Types {
    /// Names the groups of a look, heaviest first, until it is `late`: the rest then counts as without a type.
    pub(crate) fn of(
        counts: Rc<Counts>,
        snapshot: &Snapshot,
        names: &mut dyn Names,
        late: &dyn Fn() -> bool,
    ) -> Self {
        let mut types = Types {
            kinds: Vec::new(),
            places: HashMap::new(),
            of_group: Vec::with_capacity(counts.groups.len()),
            sure: Vec::with_capacity(counts.groups.len()),
            index: counts.index(),
            counts: Rc::clone(&counts),
            unread: Unread::default(),
        };
        for group in &counts.groups {
            let is_late = types.unread.groups > 0 || late();
            let name = match is_late {
                true => TypeName::default(),
                false => name_of(group, snapshot, names),
            };
            types.sure.push(name.confidence);
            let place = types.place(&name);
            // What has no name yet is not of the kind that will never have one.
            match is_late {
                true => types.unread.add(group),
                false => types.kinds[place].add(group, name.confidence),
            }
            types.of_group.push(place);
        }
        types.sort();
        types
    }

    /// Where in `kinds` the type of a group is.
    pub(crate) fn place_of(&self, group: usize) -> usize {
        self.of_group[group]
    }

    /// The type of a group.
    pub(crate) fn kind_of(&self, group: usize) -> &Kind {
        &self.kinds[self.of_group[group]]
    }

    /// The name of a block's type, as sure as it is for that block alone.
    pub(crate) fn name_of(&self, block: &Block) -> TypeName {
        let Some(group) = self.index.of(block) else {
            return TypeName::default();
        };
        TypeName {
            confidence: self.sure[group],
            ..self.kind_of(group).name.clone()
        }
    }

    /// Share of the live bytes whose type is at least so sure.
    pub(crate) fn share(&self, at_least: Confidence) -> f64 {
        let groups = self.counts.groups.iter().zip(&self.sure);
        let sure = groups.filter(|(_, sure)| **sure >= at_least);
        share(
            sure.map(|(group, _)| group.bytes).sum(),
            self.counts.bytes(),
        )
    }

    fn place(&mut self, name: &TypeName) -> usize {
        *self.places.entry(Rc::clone(&name.full)).or_insert_with(|| {
            self.kinds.push(Kind::new(name.clone()));
            self.kinds.len() - 1
        })
    }

    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.kinds.len()).collect();
        order.sort_by_key(|place| {
            let kind = &self.kinds[*place];
            (std::cmp::Reverse(kind.bytes), Rc::clone(&kind.name.full))
        });
        let mut now_at = vec![0; order.len()];
        for (now, before) in order.iter().enumerate() {
            now_at[*before] = now;
        }
        self.kinds = order
            .iter()
            .map(|place| self.kinds[*place].clone())
            .collect();
        let places = self.of_group.iter_mut().chain(self.places.values_mut());
        places.for_each(|place| *place = now_at[*place]);
    }
}

impl Kind {
    /// A type without any blocks.
    pub(crate) fn new(name: TypeName) -> Self {
        Kind {
            name,
            count: 0,
            bytes: 0,
            largest: 0,
            sample: 0,
        }
    }

    /// Whether its blocks have a type at all.
    pub(crate) fn is_known(&self) -> bool {
        !self.name.full.is_empty()
    }

    fn add(&mut self, group: &Group, sure: Confidence) {
        self.count += group.count;
        self.bytes += group.bytes;
        self.sample += group.sample;
        self.largest = self.largest.max(group.size);
        self.name.confidence = self.name.confidence.min(sure);
    }
}

/// What the look before counted, or a mark, by type.
#[derive(Debug)]
pub(crate) struct Past {
    /// Which look it was.
    pub(crate) look: u32,
    /// How long before this one, in nanoseconds.
    pub(crate) ago_ns: u64,
    /// Its types, in no order.
    pub(crate) kinds: HashMap<Rc<str>, Kind>,
    /// Bytes it counted at call stacks that cannot be told any more.
    pub(crate) lost: u64,
    /// Whether the types of single blocks were left out for want of room.
    pub(crate) folded: bool,
    /// How many recorded blocks its estimates rest on; zero where it counted.
    pub(crate) sample: u64,
    /// Bytes of the blocks that it knew nothing of.
    pub(crate) unknown: u64,
}

impl Past {
    /// Names the groups of the look before; those that still exist have a name already.
    pub(crate) fn of(
        counts: &Counts,
        types: &Types,
        snapshot: &Snapshot,
        names: &mut dyn Names,
    ) -> Self {
        let mut past = Past {
            look: counts.look,
            ago_ns: snapshot.taken_ns.saturating_sub(counts.taken_ns),
            kinds: HashMap::new(),
            lost: 0,
            folded: counts.folded,
            sample: counts.sample(),
            unknown: counts.unknown,
        };
        for group in &counts.groups {
            if group.site.0 != 0 && !snapshot.sites.contains_key(&group.site) {
                past.lost += group.bytes;
            }
            let name = name_of(group, snapshot, names);
            let kind = past.kinds.entry(Rc::clone(&name.full));
            let sure = name.confidence;
            kind.or_insert_with(|| Kind::new(name)).add(group, sure);
        }
        // Short names that are unambiguous now are the ones to show.
        for kind in &types.kinds {
            if let Some(before) = past.kinds.get_mut(&kind.name.full) {
                before.name.short = Rc::clone(&kind.name.short);
            }
        }
        past
    }
}

/// A type's name as a value.
pub(crate) fn type_value(name: &TypeName, full: bool) -> Value {
    if name.full.is_empty() {
        return Value::text("unknown");
    }
    let short = if full { &name.full } else { &name.short };
    Value::Name {
        short: Rc::clone(short),
        full: Rc::clone(&name.full),
    }
}

/// A part of a whole, from 0 to 1.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The column that says from how many recorded blocks a row is estimated. People see it where any is.
pub(crate) const fn sample_column(sample: u64) -> Column {
    Column::new("sample", if sample == 0 { "" } else { "sample" })
}

/// The value in it: nothing for what was counted.
pub(crate) fn sample_value(sample: u64) -> Value {
    match sample {
        0 => Value::None,
        n => Value::Count(n),
    }
}

/// What the marks in the column of [`Confidence`] mean, where one is shown.
pub(crate) fn legend<'k>(names: impl IntoIterator<Item = &'k TypeName>) -> Option<String> {
    let marked =
        |name: &TypeName| matches!(name.confidence, Confidence::Likely | Confidence::Guess);
    names
        .into_iter()
        .any(marked)
        .then(|| "~ the type is likely, not sure; ? it is a guess".to_owned())
}

fn name_of(group: &Group, snapshot: &Snapshot, names: &mut dyn Names) -> TypeName {
    let align = 1u64.checked_shl(u32::from(group.align_log2)).unwrap_or(0);
    let none = Site::default();
    let site = snapshot.sites.get(&group.site).unwrap_or(&none);
    names.type_of(site, group.size, align)
}
