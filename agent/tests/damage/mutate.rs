//! Damages a file, in ways that a number decides.

use object::{Object, ObjectSection};

/// A stream of numbers that a seed decides (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }
}

/// Where the parts of a file are.
pub(crate) struct Parts {
    /// Sections with bytes: begin and length. Small ones count as much as large ones.
    sections: Vec<(usize, usize)>,
    /// Where the section headers begin, and how many there are.
    headers: (usize, usize),
}

impl Parts {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let object = object::File::parse(bytes).unwrap();
        let ranges = object.sections().filter_map(|section| section.file_range());
        let ranges = ranges.map(|(begin, length)| (begin as usize, length as usize));
        let at = u64::from_le_bytes(bytes[0x28..0x30].try_into().unwrap()) as usize;
        let count = u16::from_le_bytes(bytes[0x3c..0x3e].try_into().unwrap()).into();
        Parts {
            sections: ranges.filter(|(_, length)| *length > 0).collect(),
            headers: (at, count),
        }
    }
}

/// The size of an ELF64 section header.
const HEADER: usize = 64;

/// Numbers at the edges of what formats allow.
const EDGES: &[u64] = &[
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fff0,
    0xffff_ffff,
    1 << 32,
    1 << 60,
    u64::MAX >> 1,
    u64::MAX,
];

/// Damages a file in one to four ways.
pub(crate) fn damage(bytes: &mut Vec<u8>, parts: &Parts, random: &mut Random) {
    for _ in 0..=random.below(4) {
        if bytes.len() > HEADER {
            damage_once(bytes, parts, random);
        }
    }
}

fn damage_once(bytes: &mut Vec<u8>, parts: &Parts, random: &mut Random) {
    let anywhere = random.below(bytes.len());
    let (begin, length) = parts.sections[random.below(parts.sections.len())];
    let inside = (begin + random.below(length)).min(bytes.len() - 1);
    match random.below(11) {
        0 => bytes[anywhere] ^= 1 << random.below(8),
        1..=3 => bytes[inside] ^= 1 << random.below(8),
        4 => write(bytes, inside, 1 << random.below(4), edge(random)),
        5 => scatter(bytes, begin, length, random),
        6 => bytes.truncate(anywhere),
        7 => splice(bytes, inside, random),
        8 => drop(bytes.drain(inside..(inside + 1 + random.below(32)).min(bytes.len()))),
        9 => {
            let field = random.below(16) * 4;
            let header = parts.headers.0 + random.below(parts.headers.1) * HEADER;
            write(bytes, header + field, 4 << random.below(2), edge(random));
        }
        _ => write(
            bytes,
            random.below(HEADER),
            1 << random.below(4),
            edge(random),
        ),
    }
}

/// A number at an edge, or a little off the one that is there is not told from any other.
fn edge(random: &mut Random) -> u64 {
    match random.below(3) {
        0 => random.next() >> random.below(64),
        _ => EDGES[random.below(EDGES.len())],
    }
}

/// Overwrites up to so many bytes.
fn write(bytes: &mut [u8], at: usize, length: usize, number: u64) {
    let number = number.to_le_bytes();
    for (byte, new) in bytes.iter_mut().skip(at).zip(&number[..length.min(8)]) {
        *byte = *new;
    }
}

/// Overwrites one byte in a hundred of a section.
fn scatter(bytes: &mut [u8], begin: usize, length: usize, random: &mut Random) {
    for _ in 0..=length / 100 {
        let at = begin + random.below(length);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = random.next() as u8;
        }
    }
}

/// Copies a piece of the file to another place.
fn splice(bytes: &mut [u8], to: usize, random: &mut Random) {
    let length = (1 + random.below(256)).min(bytes.len() - to);
    let from = random.below(bytes.len() - length + 1);
    bytes.copy_within(from..from + length, to);
}
