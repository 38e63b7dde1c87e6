//! The types told by one look, handed to the next as bytes: reading debug information is most of what a look takes.
//!
//! `shn1`, the hash of the modules, eight bytes; then in LEB128 the number of names, and for each how sure it is, its text
//! and its payload; the number of kinds of blocks, and for each site, size, alignment and the number of its name. Then the FNV-1a
//! hash of all before it, eight bytes, the lowest first. Texts are a length and bytes.

use std::collections::HashMap;
use std::rc::Rc;

use super::wire::{Reader, fnv64, number};
use crate::heap::{Confidence, Module, SiteId, Told, TypeName};

const MAGIC: &[u8] = b"shn1";
/// Bytes of each of the two hashes.
const HASH: usize = 8;
const SURE: [Confidence; 4] = [
    Confidence::Unknown,
    Confidence::Guess,
    Confidence::Likely,
    Confidence::Exact,
];

/// As bytes, `room` at the most: of what does not fit, the last told is left out. They are good for these modules alone: another
/// object file at the same addresses has other types.
pub(crate) fn encode(told: &[Told], modules: &[Module], room: usize) -> Vec<u8> {
    let mut kept = told.len();
    loop {
        let bytes = write(&told[..kept], modules);
        if bytes.len() <= room || kept == 0 {
            return bytes;
        }
        kept /= 2;
    }
}

/// Reads what [`encode`] wrote of the same modules; nothing if it was of others, or is damaged in any way.
pub(crate) fn decode(bytes: &[u8], modules: &[Module]) -> Option<Vec<Told>> {
    let body = bytes.get(..bytes.len().checked_sub(HASH)?)?;
    (bytes[body.len()..] == fnv64(body).to_le_bytes()).then_some(())?;
    let mut reader = Reader {
        rest: body.strip_prefix(MAGIC)?,
    };
    (reader.bytes(HASH)? == identity(modules).to_le_bytes()).then_some(())?;
    let names = many(&mut reader, name)?;
    let told = many(&mut reader, |reader| {
        Some(Told {
            site: SiteId(u32::try_from(reader.number()?).ok()?),
            size: reader.number()?,
            align: reader.number()?,
            name: names.get(usize::try_from(reader.number()?).ok()?)?.clone(),
        })
    })?;
    reader.rest.is_empty().then_some(told)
}

/// What is handed on of a name.
type Texts<'t> = (&'t Rc<str>, &'t Rc<[Rc<str>]>, Confidence);

fn write(told: &[Told], modules: &[Module]) -> Vec<u8> {
    let mut places: HashMap<Texts<'_>, u64> = HashMap::new();
    let (mut names, mut kinds) = (Vec::new(), Vec::new());
    number(&mut kinds, told.len() as u64);
    for one in told {
        let next = places.len() as u64;
        let of = (&one.name.full, &one.name.payload, one.name.confidence);
        let place = *places.entry(of).or_insert_with(|| {
            write_name(&mut names, &one.name);
            next
        });
        for n in [u64::from(one.site.0), one.size, one.align, place] {
            number(&mut kinds, n);
        }
    }
    let mut out = MAGIC.to_vec();
    out.extend(identity(modules).to_le_bytes());
    number(&mut out, places.len() as u64);
    out.extend(names);
    out.extend(kinds);
    let hash = fnv64(&out);
    out.extend(hash.to_le_bytes());
    out
}

/// What tells these modules from others.
fn identity(modules: &[Module]) -> u64 {
    let mut all = Vec::new();
    for module in modules {
        text(&mut all, &module.name);
        for address in [module.start, module.end, module.bias] {
            all.extend(address.to_le_bytes());
        }
    }
    fnv64(&all)
}

fn write_name(out: &mut Vec<u8>, name: &TypeName) {
    number(out, name.confidence as u64);
    text(out, &name.full);
    number(out, name.payload.len() as u64);
    name.payload.iter().for_each(|one| text(out, one));
}

/// Its short form is not handed on: it depends on what else there is.
fn name(reader: &mut Reader<'_>) -> Option<TypeName> {
    let confidence = *SURE.get(usize::try_from(reader.number()?).ok()?)?;
    let full: Rc<str> = read_text(reader)?.into();
    let payload = many(reader, |reader| Some(read_text(reader)?.into()))?;
    Some(TypeName {
        short: Rc::clone(&full),
        full,
        payload: payload.into(),
        confidence,
    })
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend(text.as_bytes());
}

fn read_text<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    let length = usize::try_from(reader.number()?).ok()?;
    std::str::from_utf8(reader.bytes(length)?).ok()
}

/// A number and as many things; each takes a byte at the least, so that nothing is reserved for more than could be there.
fn many<'a, T>(
    reader: &mut Reader<'a>,
    mut one: impl FnMut(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = usize::try_from(reader.number()?).ok()?;
    (count <= reader.rest.len()).then_some(())?;
    (0..count).map(|_| one(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn modules(start: u64) -> Vec<Module> {
        vec![Module {
            path: "/proc/self/exe".into(),
            name: "/srv/demo".into(),
            start,
            end: start + 0x1000,
            bias: start,
        }]
    }

    fn told(kinds: u32) -> Vec<Told> {
        let name = |i: u32| TypeName {
            full: format!("Vec<demo::T{}>", i % 7).into(),
            short: format!("Vec<demo::T{}>", i % 7).into(),
            payload: [format!("demo::T{}", i % 7).into()].into(),
            confidence: SURE[i as usize % 4],
        };
        let told = |i| Told {
            site: SiteId(i / 2),
            size: u64::from(i) * 8,
            align: 8,
            name: name(i),
        };
        (0..kinds).map(told).collect()
    }

    #[test]
    fn what_was_told_is_known_again() {
        let bytes = encode(&told(300), &modules(0x1000), 1 << 20);
        let read = decode(&bytes, &modules(0x1000));
        assert_eq!(read, Some(told(300)));
        assert_eq!(decode(&[], &modules(0x1000)), None);
    }

    /// A library loaded in another's place.
    #[test]
    fn it_is_not_believed_of_other_modules() {
        let bytes = encode(&told(3), &modules(0x1000), 1 << 20);
        assert_eq!(decode(&bytes, &modules(0x2000)), None);
        assert_eq!(decode(&bytes, &[]), None);
    }

    #[test]
    fn short_room_leaves_out_the_last() {
        let bytes = encode(&told(300), &modules(0x1000), 1000);
        assert!(bytes.len() <= 1000);
        let read = decode(&bytes, &modules(0x1000)).expect("it was not damaged");
        assert!(!read.is_empty());
        assert_eq!(read, told(300)[..read.len()]);
    }

    #[test]
    fn every_damage_is_noticed() {
        let whole = encode(&told(20), &modules(0x1000), 1 << 20);
        for place in 0..whole.len() {
            assert_eq!(decode(&whole[..place], &modules(0x1000)), None);
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            assert_eq!(decode(&damaged, &modules(0x1000)), None, "at {place}");
        }
    }

    proptest! {
        /// Also those that a stranger gave the right hashes.
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let identity = identity(&modules(0x1000)).to_le_bytes();
            let mut all = [MAGIC, &identity, &bytes].concat();
            all.extend(fnv64(&all).to_le_bytes());
            decode(&all, &modules(0x1000));
            decode(&bytes, &modules(0x1000));
        }
    }
}
