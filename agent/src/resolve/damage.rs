//! `resolve`: a test that damaged debug information makes nothing panic or hang.

use std::fs;

use super::chain::chain;
use super::dwarf::Debug;
use super::function::Functions;
use super::object::{Object, ObjectError};
use super::split::Splits;
use super::types::Types;

/// How much of each section to keep, in bytes: the first that holds some whole units, for those that the linker put first
/// may be large. Little enough to damage often.
const KEPT: [usize; 5] = [96 << 10, 192 << 10, 384 << 10, 768 << 10, 1536 << 10];

#[test]
fn damaged_debug_information_neither_panics_nor_hangs() {
    let bytes: &'static [u8] = fs::read(std::env::current_exe().unwrap()).unwrap().leak();
    let object = Object::parse(bytes).unwrap();
    let whole = |name: &str| object.section(name);
    let with = |kept: usize| {
        let debug = Debug::open(cut(whole, kept), Splits::default()).unwrap()?;
        let addresses = addresses(&debug);
        (!addresses.is_empty()).then_some((kept, addresses))
    };
    let (kept, addresses) = KEPT.into_iter().find_map(with).unwrap();
    let mut damaged = 0;
    for seed in 1..120 {
        let Ok(Some(debug)) = Debug::open(spoilt(cut(whole, kept), seed), Splits::default()) else {
            continue;
        };
        use_all(&debug, &addresses);
        damaged += u32::from(debug.is_damaged());
    }
    assert!(damaged > 60, "only {damaged} of the files were damaged");
}

/// Addresses of functions that the first units describe.
fn addresses(debug: &Debug) -> Vec<u64> {
    debug.covered().step_by(7).take(60).collect()
}

/// Asks for everything that can be asked.
fn use_all(debug: &Debug, addresses: &[u64]) {
    let (functions, types) = (Functions::default(), Types::default());
    for address in addresses {
        for link in chain(debug, *address) {
            functions.read(debug, &types, link.die);
            let lines = debug.lines(link.die.unit);
            lines.and_then(|lines| lines.at(*address));
        }
    }
}

fn cut(
    section: impl Fn(&str) -> Result<&'static [u8], ObjectError>,
    kept: usize,
) -> impl Fn(&str) -> Result<&'static [u8], ObjectError> {
    move |name| {
        let bytes = section(name)?;
        let shorter = matches!(
            name,
            ".debug_info" | ".debug_abbrev" | ".debug_line" | ".debug_aranges" | ".debug_ranges"
        );
        Ok(if shorter {
            &bytes[..bytes.len().min(kept)]
        } else {
            bytes
        })
    }
}

/// Overwrites one byte in some hundreds, in the sections that structure the rest.
fn spoilt(
    section: impl Fn(&str) -> Result<&'static [u8], ObjectError>,
    seed: u64,
) -> impl Fn(&str) -> Result<&'static [u8], ObjectError> {
    move |name| {
        let bytes = section(name)?;
        if !matches!(
            name,
            ".debug_info" | ".debug_abbrev" | ".debug_line" | ".debug_aranges"
        ) {
            return Ok(bytes);
        }
        let mut bytes = bytes.to_vec();
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut at = 0;
        loop {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            at += (random % (40 * seed)) as usize + 1;
            let Some(byte) = bytes.get_mut(at) else {
                return Ok(bytes.leak());
            };
            *byte = (random >> 32) as u8;
        }
    }
}
