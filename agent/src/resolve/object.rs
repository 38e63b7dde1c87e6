//! `resolve`: an object file: its sections, its symbols, its instructions. Reads bytes, nothing else.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use object::{Object as _, ObjectSection, ObjectSymbol, SymbolKind};

/// An ELF file in memory. Nothing of it is copied.
pub(super) struct Object {
    file: object::File<'static>,
    functions: OnceCell<Vec<Symbol>>,
}

/// A function in the symbol table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Symbol {
    pub(super) address: u64,
    size: u64,
    pub(super) name: &'static str,
}

impl Object {
    pub(super) fn parse(bytes: &'static [u8]) -> Result<Self, ObjectError> {
        let file = object::File::parse(bytes).map_err(ObjectError::Damaged)?;
        if !file.is_64() || !file.is_little_endian() {
            return Err(ObjectError::Foreign);
        }
        Ok(Object {
            file,
            functions: OnceCell::new(),
        })
    }

    /// The bytes of a section. Absent ones are empty.
    pub(super) fn section(&self, name: &str) -> Result<&'static [u8], ObjectError> {
        let Some(section) = self.file.section_by_name(name) else {
            return Ok(&[]);
        };
        match section.uncompressed_data() {
            Ok(Cow::Borrowed(bytes)) => Ok(bytes),
            Ok(Cow::Owned(_)) | Err(_) => Err(ObjectError::Compressed),
        }
    }

    /// The function that covers an address, and whether others begin at the same place: equal functions that were merged.
    pub(super) fn function_at(&self, address: u64) -> Option<(Symbol, bool)> {
        let all = self.functions();
        let after = all.partition_point(|symbol| symbol.address <= address);
        let last = all.get(after.checked_sub(1)?)?;
        let first = all.partition_point(|symbol| symbol.address < last.address);
        let here = all.get(first..after)?;
        let symbol = here.iter().find(|symbol| symbol.covers(address))?;
        Some((*symbol, here.iter().any(|other| other.name != symbol.name)))
    }

    fn functions(&self) -> &[Symbol] {
        self.functions.get_or_init(|| {
            let tables = self.file.symbols().chain(self.file.dynamic_symbols());
            let mut all: Vec<Symbol> = tables.filter_map(Symbol::of_function).collect();
            all.sort_unstable();
            all.dedup();
            all
        })
    }

    /// Whether the file has a symbol table beyond what the dynamic linker needs.
    pub(super) fn is_stripped(&self) -> bool {
        self.file.symbols().next().is_none()
    }

    /// Where the `call rel32` that returns to this address leads, if one stands there.
    pub(super) fn call_target(&self, return_address: u64) -> Option<u64> {
        const LENGTH: u64 = 5;
        let at = return_address.checked_sub(LENGTH)?;
        let mut sections = self.file.sections();
        let code = sections.find_map(|section| section.data_range(at, LENGTH).ok().flatten())?;
        let [0xe8, distance @ ..] = *<&[u8; 5]>::try_from(code).ok()? else {
            return None;
        };
        Some(return_address.wrapping_add_signed(i32::from_le_bytes(distance).into()))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").finish_non_exhaustive()
    }
}

impl Symbol {
    fn of_function(symbol: object::Symbol<'static, '_>) -> Option<Self> {
        let is_code = symbol.kind() == SymbolKind::Text && symbol.is_definition();
        is_code.then(|| Symbol {
            address: symbol.address(),
            size: symbol.size(),
            name: symbol.name().unwrap_or_default(),
        })
    }

    /// Hand-written assembly often states no size: it then covers what follows.
    fn covers(&self, address: u64) -> bool {
        let offset = address.wrapping_sub(self.address);
        self.size == 0 || offset < self.size
    }
}

/// Why an object file cannot be read.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// It is no ELF file, or cut off.
    Damaged(object::Error),
    /// It is for another kind of machine.
    Foreign,
    /// A section is compressed.
    Compressed,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectError::Damaged(_) => "it is not an ELF file that can be read",
            ObjectError::Foreign => "it is not for a 64-bit little-endian machine",
            ObjectError::Compressed => "its debug information is compressed",
        })
    }
}

impl std::error::Error for ObjectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ObjectError::Damaged(error) => Some(error),
            ObjectError::Foreign | ObjectError::Compressed => None,
        }
    }
}
