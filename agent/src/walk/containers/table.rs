//! `walk`: hashbrown's tables, which the standard library's maps and sets are made of. The entries lie below the control
//! bytes, the first one nearest; one whose control byte has its highest bit clear is in use.

use super::{Map, Seen, Torn};
use crate::heap::{Address, TypeId};
use crate::walk::{Spot, Walker};

/// Entries read at most.
const MOST: usize = 1 << 20;
/// Control bytes read together.
const BATCH: usize = 4096;

pub(super) fn map(walker: &Walker<'_>, spot: Spot) -> Option<Result<Seen, Torn>> {
    let raw = walker.find(spot, "hashbrown::raw::RawTable")?;
    let of = walker.layout(raw.of)?.parameter("T")?;
    Some(Table::read(walker, raw)?.seen(walker, of))
}

/// The table in a block of this size, in bytes: buckets of this type below, control bytes above.
pub(in crate::walk) fn in_block(
    walker: &Walker<'_>,
    of: TypeId,
    at: Address,
    size: u64,
) -> Option<Result<Seen, Torn>> {
    let stride = walker.size(of);
    let sizes = (2..48).map(|log| 1u64 << log);
    let below = |buckets: u64| stride.checked_mul(buckets)?.checked_next_multiple_of(GROUP);
    let buckets = sizes
        .take_while(|buckets| *buckets <= size)
        .find(|buckets| below(*buckets).is_some_and(|below| below + buckets + GROUP == size))?;
    let control = Address(at.0.checked_add(below(buckets)?)?);
    let used = used(walker, control, buckets)?;
    let table = Table {
        control,
        buckets,
        items: used.len() as u64,
    };
    Some(table.seen(walker, of))
}

/// Control bytes looked at together by hashbrown: as many follow the last bucket's.
const GROUP: u64 = 16;

/// Key and value of an entry. A set's values are nothing; a `HashTable`'s entries are no pairs.
fn pair(walker: &Walker<'_>, entry: Spot) -> (Spot, Option<Spot>) {
    let is_pair = walker
        .layout(entry.of)
        .is_some_and(|layout| layout.name.starts_with('(') && layout.fields().len() == 2);
    let halves = || Some((walker.field(entry, "__0")?, walker.field(entry, "__1")?));
    match halves().filter(|_| is_pair) {
        Some((key, value)) if walker.size(value.of) > 0 => (key, Some(value)),
        Some((key, _)) => (key, None),
        None => (entry, None),
    }
}

struct Table {
    control: Address,
    buckets: u64,
    items: u64,
}

impl Table {
    fn read(walker: &Walker<'_>, raw: Spot) -> Option<Self> {
        let mask = walker.number(walker.seek(raw, "bucket_mask")?)?;
        Some(Table {
            control: walker.pointer(walker.seek(raw, "ctrl")?)?.at,
            buckets: mask.checked_add(1)?,
            items: walker.number(walker.seek(raw, "items")?)?,
        })
    }

    fn seen(&self, walker: &Walker<'_>, of: TypeId) -> Result<Seen, Torn> {
        let entries = self.entries(walker, of)?.into_iter();
        Ok(Seen::Map(Map {
            entries: entries.map(|entry| pair(walker, entry)).collect(),
            length: self.items,
        }))
    }

    fn entries(&self, walker: &Walker<'_>, of: TypeId) -> Result<Vec<Spot>, Torn> {
        if !self.buckets.is_power_of_two() || self.items > self.buckets {
            let (items, buckets) = (self.items, self.buckets);
            return Err(Torn::new(format!("{items} entries in {buckets} buckets")));
        }
        let used = used(walker, self.control, self.buckets).ok_or_else(|| {
            Torn::new(format!(
                "its control bytes at {} are not in memory",
                self.control
            ))
        })?;
        if used.len() < MOST && used.len() as u64 != self.items {
            return Err(Torn::new(format!(
                "{} of its buckets are in use, and it says {}",
                used.len(),
                self.items
            )));
        }
        let stride = walker.size(of);
        let spot = |bucket: &u64| {
            let below = stride.checked_mul(bucket + 1)?;
            Some(Spot {
                at: Address(self.control.0.checked_sub(below)?),
                of,
            })
        };
        let spots: Option<Vec<Spot>> = used.iter().map(spot).collect();
        spots.ok_or_else(|| Torn::new("its buckets lie below all addresses"))
    }
}

/// The buckets in use, in order, as many as are wanted.
fn used(walker: &Walker<'_>, control: Address, buckets: u64) -> Option<Vec<u64>> {
    let mut used = Vec::new();
    let mut bytes = [0; BATCH];
    let mut bucket = 0;
    while bucket < buckets && used.len() < MOST {
        let batch = &mut bytes[..(buckets - bucket).min(BATCH as u64) as usize];
        walker
            .memory
            .read(Address(control.0.checked_add(bucket)?), batch)?;
        let full = (bucket..).zip(&*batch).filter(|(_, byte)| **byte < 0x80);
        used.extend(full.map(|(bucket, _)| bucket));
        bucket += batch.len() as u64;
    }
    Some(used)
}
