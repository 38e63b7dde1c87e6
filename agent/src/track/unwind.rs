//! ON THE PROGRAM'S HOT PATH: what `.eh_frame` says about an address, compiled to 17 bits and remembered.
//!
//! A rule says where a frame begins (the canonical frame address, CFA: the return address lies just below it) and where
//! the caller's rbp was saved; nothing else is needed to walk. It is found once, without allocating, and kept in a
//! direct-mapped table: two addresses that share an entry cost time, never truth, since the entry holds the address.
//!
//! Only the rules of object files that stay are remembered. Those of one that can be unloaded are found anew each time:
//! another may be loaded at the same addresses.

use std::sync::atomic::{AtomicU64, Ordering};

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Pointer, Register,
    RegisterRule, UnwindContext, UnwindContextStorage, UnwindSection, UnwindTableRow, X86_64,
};

use super::stack::Registers;
use crate::os::object::{self, UnwindTables};

/// How to find the caller's frame: 17 bits.
///
/// ```text
/// bit 0      the CFA is counted from rbp, not from rsp
/// bits 1..4  rbp was saved this many words below the CFA (2 to 7), or not at all (0); 1 marks the special rules
/// bits 4..17 the CFA's distance from the base, in words
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule(u64);

impl Rule {
    /// The outermost frame: it has no caller.
    pub(super) const END: Rule = Rule::special(0);
    /// A rule that does not fit: see [`wide_frame`].
    pub(super) const WIDE: Rule = Rule::special(1);
    /// Code that a signal handler returns to.
    pub(super) const SIGNAL: Rule = Rule::special(2);
    /// Code without unwind tables.
    pub(super) const NONE: Rule = Rule::special(3);

    const BITS: u32 = 17;
    const MASK: u64 = (1 << Rule::BITS) - 1;

    const fn special(number: u64) -> Rule {
        Rule(1 << 1 | number << 4)
    }

    /// A rule of the common kind, distances in bytes; `saved_bp` is zero if rbp still holds the caller's.
    pub(super) fn plain(from_bp: bool, saved_bp: u64, offset: u64) -> Option<Rule> {
        let fits = matches!(saved_bp, 0 | 16 | 24 | 32 | 40 | 48 | 56)
            && offset.is_multiple_of(8)
            && (8..8 << 13).contains(&offset);
        fits.then_some(Rule(
            u64::from(from_bp) | (saved_bp / 8) << 1 | (offset / 8) << 4,
        ))
    }

    #[inline(always)]
    pub(super) fn is_plain(self) -> bool {
        self.0 & 0b1110 != 0b10
    }

    #[inline(always)]
    pub(super) fn is_from_bp(self) -> bool {
        self.0 & 1 != 0
    }

    /// How far below the CFA rbp was saved, in bytes; zero if it was not.
    #[inline(always)]
    pub(super) fn saved_bp(self) -> u64 {
        (self.0 >> 1 & 7) * 8
    }

    /// How far the CFA is from its base, in bytes.
    #[inline(always)]
    pub(super) fn offset(self) -> u64 {
        self.0 >> 4 << 3
    }
}

/// Base-two logarithm of the rules remembered: 256 KiB of addresses.
const REMEMBERED_LOG2: u32 = 15;

/// An address (47 bits) and its rule; zero is free.
static REMEMBERED: [AtomicU64; 1 << REMEMBERED_LOG2] =
    [const { AtomicU64::new(0) }; 1 << REMEMBERED_LOG2];

/// The rule of the code at an address. It takes no lock, but for the first time in a process.
#[inline(always)]
pub(super) fn rule(pc: u64) -> Rule {
    match remembered(pc) {
        Some(rule) => rule,
        None => compile(pc),
    }
}

/// The rule of the code at an address, if it was asked for before.
#[inline(always)]
pub(super) fn remembered(pc: u64) -> Option<Rule> {
    let entry = entry_for(pc).load(Ordering::Relaxed);
    (entry >> Rule::BITS == pc && entry != 0).then_some(Rule(entry & Rule::MASK))
}

#[inline(always)]
fn entry_for(pc: u64) -> &'static AtomicU64 {
    &REMEMBERED[(pc ^ pc >> REMEMBERED_LOG2) as usize % REMEMBERED.len()]
}

/// The addresses of what is remembered.
pub(super) fn range() -> std::ops::Range<u64> {
    let start = REMEMBERED.as_ptr() as u64;
    start..start + size_of_val(&REMEMBERED) as u64
}

#[cold]
#[inline(never)]
fn compile(pc: u64) -> Rule {
    object::list_lasting();
    let rule = evaluate(pc, pack).unwrap_or(Rule::NONE);
    if pc >> 47 == 0 && object::stays(pc) {
        entry_for(pc).store(pc << Rule::BITS | rule.0, Ordering::Relaxed);
    }
    rule
}

/// The CFA and the caller's rbp where the rule does not fit 17 bits: a frame of 64 KiB or more, a stack that the code
/// realigned. Evaluated anew each time, about half a microsecond. Nothing if it is of a kind not known here.
pub(super) fn wide_frame(at: Registers, load: &dyn Fn(u64) -> Option<u64>) -> Option<(u64, u64)> {
    evaluate(at.pc, |found| {
        let cfa = match found.row.cfa() {
            CfaRule::RegisterAndOffset { register, offset } => {
                based(*register, at)?.wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => {
                let (address, is_pointer) = simple_expression(found.bytes(expression)?, at)?;
                if is_pointer { load(address)? } else { address }
            }
        };
        let return_address = found.row.register(X86_64::RA);
        matches!(return_address, Some(RegisterRule::Offset(-8))).then_some(())?;
        Some((cfa, caller_bp(&found, cfa, at, load)?))
    })?
}

fn caller_bp(
    found: &Found<'_>,
    cfa: u64,
    at: Registers,
    load: &dyn Fn(u64) -> Option<u64>,
) -> Option<u64> {
    match found.row.register(X86_64::RBP) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => Some(at.bp),
        Some(RegisterRule::Offset(offset)) => load(cfa.wrapping_add_signed(offset)),
        Some(RegisterRule::Expression(expression)) => {
            match simple_expression(found.bytes(&expression)?, at)? {
                (address, false) => load(address),
                _ => None,
            }
        }
        _ => None,
    }
}

fn based(register: Register, at: Registers) -> Option<u64> {
    match register {
        X86_64::RSP => Some(at.sp),
        X86_64::RBP => Some(at.bp),
        _ => None,
    }
}

/// Evaluates `DW_OP_breg6` or `DW_OP_breg7` with an offset of one byte: gcc's, for a realigned stack. Says whether
/// `DW_OP_deref` follows.
fn simple_expression(bytes: &[u8], at: Registers) -> Option<(u64, bool)> {
    let base = match gimli::DwOp(*bytes.first()?) {
        gimli::DW_OP_breg6 => at.bp,
        gimli::DW_OP_breg7 => at.sp,
        _ => return None,
    };
    // Seven bits and a sign, as in signed LEB128.
    let offset = match *bytes.get(1)? {
        byte if byte < 0x80 => i64::from((byte << 1).cast_signed() >> 1),
        _ => return None,
    };
    let address = base.wrapping_add_signed(offset);
    match &bytes[2..] {
        [] => Some((address, false)),
        [op] if gimli::DwOp(*op) == gimli::DW_OP_deref => Some((address, true)),
        _ => None,
    }
}

type Reader = EndianSlice<'static, LittleEndian>;
type Row = UnwindTableRow<usize, OnStack>;

/// Room for gimli's work on the stack: 2.5 KiB. More registers or remembered states than these are reported as errors.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 3];
}

/// What `.eh_frame` says about an address.
struct Found<'a> {
    pc: u64,
    row: &'a Row,
    is_signal: bool,
    section: &'a EhFrame<Reader>,
}

impl Found<'_> {
    fn bytes(&self, expression: &gimli::UnwindExpression<usize>) -> Option<&'static [u8]> {
        let expression = expression.get(self.section).ok()?;
        Some(expression.0.slice())
    }
}

/// Gives `use_it` what `.eh_frame` says about an address; nothing if it says nothing.
fn evaluate<T>(pc: u64, use_it: impl FnOnce(Found<'_>) -> T) -> Option<T> {
    let (section, bases, offset) = entry_of(pc)?;
    let entry = section
        .fde_from_offset(&bases, offset, EhFrame::cie_from_offset)
        .ok()?;
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    let row = entry
        .unwind_info_for_address(&section, &bases, &mut context, pc)
        .ok()?;
    Some(use_it(Found {
        pc,
        row,
        is_signal: entry.is_signal_trampoline(),
        section: &section,
    }))
}

/// The entry of the function at an address, by binary search in the sorted index.
fn entry_of(pc: u64) -> Option<(EhFrame<Reader>, BaseAddresses, gimli::EhFrameOffset)> {
    let tables = object::unwind_tables(pc)?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(tables.header);
    let header = EhFrameHdr::new(until_end(tables.header, tables)?, LittleEndian)
        .parse(&bases, 8)
        .ok()?;
    let Pointer::Direct(start) = header.eh_frame_ptr() else {
        return None;
    };
    let bases = bases.set_eh_frame(start);
    let index = header.table()?;
    let offset = index
        .pointer_to_offset(index.lookup(pc, &bases).ok()?)
        .ok()?;
    let mut section = EhFrame::new(until_end(start, tables)?, LittleEndian);
    section.set_address_size(8);
    Some((section, bases, offset))
}

/// The bytes from an address of the tables to the end of their object.
fn until_end(start: u64, tables: UnwindTables) -> Option<&'static [u8]> {
    let bytes = tables.end.checked_sub(start)?;
    // SAFETY: the loader says where the object is mapped, and the object is loaded while its code runs. Its last byte
    // bounds the tables loosely; only entries that its index names are read, and those are mapped.
    Some(unsafe { std::slice::from_raw_parts(start as *const u8, bytes as usize) })
}

/// Packs what `.eh_frame` says into 17 bits.
fn pack(found: Found<'_>) -> Rule {
    if found.is_signal {
        return Rule::SIGNAL;
    }
    match found.row.register(X86_64::RA) {
        Some(RegisterRule::Offset(-8)) => packed(&found).unwrap_or(Rule::WIDE),
        Some(RegisterRule::Undefined) => Rule::END,
        _ => Rule::NONE,
    }
}

fn packed(found: &Found<'_>) -> Option<Rule> {
    let saved = match found.row.register(X86_64::RBP) {
        None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => 0,
        Some(RegisterRule::Offset(offset)) => offset.checked_neg()?.try_into().ok()?,
        _ => return None,
    };
    match found.row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            let from_bp = match *register {
                X86_64::RSP => false,
                X86_64::RBP => true,
                _ => return None,
            };
            Rule::plain(from_bp, saved, (*offset).try_into().ok()?)
        }
        CfaRule::Expression(expression) => {
            let bytes = found.bytes(expression)?;
            Rule::plain(false, saved, linkage_offset(bytes, found.pc)?)
        }
    }
}

/// The CFA's distance from rsp in an entry of the procedure linkage table, whose expression every linker writes:
/// `rsp + 8 + ((rip & 15) >= N) * 8`.
fn linkage_offset(expression: &[u8], pc: u64) -> Option<u64> {
    let [
        0x77,
        8,
        0x80,
        0,
        0x3f,
        0x1a,
        push @ 0x30..=0x3f,
        0x2a,
        0x33,
        0x24,
        0x22,
    ] = expression
    else {
        return None;
    };
    let pushed = pc & 15 >= u64::from(push - 0x30);
    Some(8 + 8 * u64::from(pushed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_rule_comes_back() {
        for from_bp in [false, true] {
            for saved in [0, 16, 24, 32, 40, 48, 56] {
                for offset in [8, 16, 4096, (8 << 13) - 8] {
                    let rule = Rule::plain(from_bp, saved, offset).unwrap();
                    assert!(rule.is_plain() && rule.0 <= Rule::MASK);
                    assert_eq!(rule.is_from_bp(), from_bp);
                    assert_eq!((rule.saved_bp(), rule.offset()), (saved, offset));
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_not_packed() {
        assert_eq!(Rule::plain(false, 8, 16), None);
        assert_eq!(Rule::plain(false, 64, 16), None);
        assert_eq!(Rule::plain(false, 0, 12), None);
        assert_eq!(Rule::plain(false, 0, 8 << 13), None);
        for special in [Rule::END, Rule::WIDE, Rule::SIGNAL, Rule::NONE] {
            assert!(!special.is_plain());
        }
    }

    /// The packed rule against gimli's row, over the code of this program and of the C library.
    #[test]
    #[cfg_attr(miri, ignore = "it has no unwind tables")]
    fn packed_rules_say_what_the_tables_say() {
        let mut packed = 0;
        for function in [
            packed_rules_say_what_the_tables_say as *const (),
            libc::qsort as *const (),
        ] {
            for pc in (function as u64..).take(20_000) {
                packed += usize::from(agrees(pc));
            }
        }
        assert!(
            packed > 30_000,
            "only {packed} of 40000 addresses have a packed rule"
        );
    }

    fn agrees(pc: u64) -> bool {
        let rule = rule(pc);
        assert_eq!(
            rule,
            super::rule(pc),
            "the second answer comes from the table"
        );
        if !rule.is_plain() {
            return false;
        }
        let at = Registers {
            pc,
            sp: 1 << 20,
            bp: 1 << 30,
        };
        // Memory in which every word holds its own address, so that a load shows where it was.
        let wide = wide_frame(at, &Some);
        let base = if rule.is_from_bp() { at.bp } else { at.sp };
        let cfa = base + rule.offset();
        let bp = if rule.saved_bp() == 0 {
            at.bp
        } else {
            cfa - rule.saved_bp()
        };
        if let Some(wide) = wide {
            assert_eq!(wide, (cfa, bp), "at {pc:#x}");
        }
        true
    }

    #[test]
    #[cfg_attr(miri, ignore = "it has no unwind tables")]
    fn no_code_has_no_rule() {
        for pc in [0, 1, 4096, u64::MAX, 1 << 47] {
            assert_eq!(rule(pc), Rule::NONE);
        }
    }

    #[test]
    fn a_linkage_entry_knows_whether_it_pushed() {
        let expression = [0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
        assert_eq!(linkage_offset(&expression, 0x1000a), Some(8));
        assert_eq!(linkage_offset(&expression, 0x1000b), Some(16));
        assert_eq!(linkage_offset(&expression[1..], 0x1000b), None);
    }

    #[test]
    fn a_realigned_stack_is_evaluated() {
        let at = Registers {
            pc: 0,
            sp: 1000,
            bp: 2000,
        };
        assert_eq!(
            simple_expression(&[0x76, 0x78, 0x06], at),
            Some((1992, true))
        );
        assert_eq!(simple_expression(&[0x77, 0x10], at), Some((1016, false)));
        assert_eq!(simple_expression(&[0x76, 0x80, 0x01], at), None);
    }
}
