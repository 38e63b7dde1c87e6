//! `resolve`: an object file: its sections, its symbols, its instructions. Reads bytes, nothing else.

use std::cell::OnceCell;
use std::fmt;

use object::{
    CompressionFormat, Object as _, ObjectSection, ObjectSymbol, ObjectSymbolTable, SectionFlags,
    SymbolIndex, SymbolKind, elf,
};

use super::inflate::inflate;

/// An ELF file in memory. Nothing of it is copied.
pub(super) struct Object {
    file: object::File<'static>,
    functions: OnceCell<Vec<Symbol>>,
    /// Statics, and thread-locals by how far from the first they are.
    variables: [OnceCell<Vec<Symbol>>; 2],
}

/// A function or a variable in the symbol table. Its name is looked up when it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Symbol {
    address: u64,
    size: u64,
    number: SymbolIndex,
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
            variables: Default::default(),
        })
    }

    /// The bytes of a section, decompressed. Absent ones, and those whose bytes are in another file, are empty.
    pub(super) fn section(&self, name: &str) -> Result<&'static [u8], ObjectError> {
        let old = || {
            name.strip_prefix(".debug_")
                .map(|rest| format!(".zdebug_{rest}"))
        };
        let section = self.file.section_by_name(name);
        let Some(section) = section.or_else(|| self.file.section_by_name(&old()?)) else {
            return Ok(&[]);
        };
        let bytes = section.data().map_err(ObjectError::Damaged)?;
        let stored = section.compressed_file_range().map_err(|error| {
            match has_unknown_codec(&section, bytes) {
                true => ObjectError::Codec,
                false => ObjectError::Damaged(error),
            }
        })?;
        if stored.format == CompressionFormat::None {
            return Ok(bytes);
        }
        let header = bytes.len() as u64 - stored.compressed_size.min(bytes.len() as u64);
        let packed = bytes.get(header as usize..).unwrap_or_default();
        inflate(packed, stored.format, stored.uncompressed_size)
    }

    /// The name of the function that covers an address.
    pub(super) fn function_at(&self, address: u64) -> Option<&'static str> {
        let symbol = self
            .symbols_at(address)
            .iter()
            .find(|symbol| symbol.covers(address))?;
        self.name(symbol)
    }

    /// The name of the static that covers an address, or of the thread-local, and how far into it that is.
    pub(super) fn variable_at(
        &self,
        address: u64,
        thread_local: bool,
    ) -> Option<(&'static str, u64)> {
        let kind = match thread_local {
            true => SymbolKind::Tls,
            false => SymbolKind::Data,
        };
        let all = self.variables[usize::from(thread_local)]
            .get_or_init(|| self.table(|symbol| Symbol::of_variable(symbol, kind)));
        let after = all.partition_point(|symbol| symbol.address <= address);
        let last = all[..after]
            .last()
            .filter(|last| address - last.address < last.size)?;
        Some((self.name(last)?, address - last.address))
    }

    /// Whether functions of several names begin where the one begins that covers an address.
    pub(super) fn is_shared(&self, address: u64) -> bool {
        let mut names = self
            .symbols_at(address)
            .iter()
            .map(|symbol| self.name(symbol));
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    /// The symbols that begin at the last place before an address where any does.
    fn symbols_at(&self, address: u64) -> &[Symbol] {
        let all = self.functions.get_or_init(|| self.functions());
        let after = all.partition_point(|symbol| symbol.address <= address);
        let last = after.checked_sub(1).and_then(|last| all.get(last));
        let first = last.map(|last| all.partition_point(|symbol| symbol.address < last.address));
        first
            .and_then(|first| all.get(first..after))
            .unwrap_or_default()
    }

    fn functions(&self) -> Vec<Symbol> {
        self.table(Symbol::of_function)
    }

    /// Those of the symbols that are wanted, by address. The table that the dynamic linker needs is all that a stripped file
    /// has.
    fn table(&self, wanted: impl Fn(object::Symbol<'static, '_>) -> Option<Symbol>) -> Vec<Symbol> {
        let mut all: Vec<Symbol> = match self.is_stripped() {
            true => self.file.dynamic_symbols().filter_map(wanted).collect(),
            false => self.file.symbols().filter_map(wanted).collect(),
        };
        // Stable: of several names at one place the first in the file is shown.
        all.sort_by_key(|symbol| symbol.address);
        all
    }

    fn name(&self, symbol: &Symbol) -> Option<&'static str> {
        let table = match self.is_stripped() {
            true => self.file.dynamic_symbol_table(),
            false => self.file.symbol_table(),
        };
        table?.symbol_by_index(symbol.number).ok()?.name().ok()
    }

    /// Whether the file has a symbol table beyond what the dynamic linker needs.
    pub(super) fn is_stripped(&self) -> bool {
        self.file.symbols().next().is_none()
    }

    /// What the linker called this build.
    pub(super) fn build_id(&self) -> Option<&'static [u8]> {
        self.file.build_id().ok().flatten()
    }

    /// What tells this build from others.
    pub(super) fn identity(&self) -> Identity {
        let id = self.build_id();
        id.map_or(Identity::None, |id| Identity::Build(id.to_vec()))
    }

    /// The name of the file that has the debug information, and that file's checksum.
    pub(super) fn debug_link(&self) -> Option<(&'static str, u32)> {
        let (name, checksum) = self.file.gnu_debuglink().ok().flatten()?;
        Some((std::str::from_utf8(name).ok()?, checksum))
    }

    /// The name of the file that has what the debug information of several programs has in common.
    pub(super) fn shared(&self) -> Option<String> {
        let (name, _) = self.file.gnu_debugaltlink().ok().flatten()?;
        Some(String::from_utf8_lossy(name).into_owned())
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

/// What tells one build from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The build id that the linker made.
    Build(Vec<u8>),
    /// The checksum of the whole file.
    Checksum(u32),
    /// Nothing does.
    None,
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
            number: symbol.index(),
        })
    }

    fn of_variable(symbol: object::Symbol<'static, '_>, kind: SymbolKind) -> Option<Self> {
        let is_one = symbol.kind() == kind && !symbol.is_undefined() && symbol.size() > 0;
        is_one.then(|| Symbol {
            address: symbol.address(),
            size: symbol.size(),
            number: symbol.index(),
        })
    }

    /// Hand-written assembly often states no size: it then covers what follows.
    fn covers(&self, address: u64) -> bool {
        let offset = address.wrapping_sub(self.address);
        self.size == 0 || offset < self.size
    }
}

/// Whether a section's own header says that it is compressed in a way of the future.
fn has_unknown_codec(section: &object::Section<'static, '_>, bytes: &[u8]) -> bool {
    let compressed = matches!(section.flags(), SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_COMPRESSED));
    let codec = bytes.first_chunk().map(|codec| u32::from_le_bytes(*codec));
    let known = [elf::ELFCOMPRESS_ZLIB.0, elf::ELFCOMPRESS_ZSTD.0];
    compressed && codec.is_some_and(|codec| !known.contains(&codec))
}

/// Why an object file cannot be read.
#[derive(Debug)]
pub(super) enum ObjectError {
    /// It is no ELF file, or cut off.
    Damaged(object::Error),
    /// It is for another kind of machine.
    Foreign,
    /// A section is compressed in a way that nobody here knows.
    Codec,
    /// A compressed section claims to be of this size, in bytes.
    Inflated(u64),
    /// There is no room for a compressed section of this size, in bytes.
    Room(u64),
    /// A compressed section cannot be decompressed.
    Garbled,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObjectError::Damaged(_) => f.write_str("it is not an ELF file that can be read"),
            ObjectError::Foreign => f.write_str("it is not for a 64-bit little-endian machine"),
            ObjectError::Codec => {
                f.write_str("its debug information is compressed, neither with zlib nor with zstd")
            }
            ObjectError::Inflated(size) => {
                write!(
                    f,
                    "a compressed section of it claims to be {size} bytes long"
                )
            }
            ObjectError::Room(size) => {
                write!(
                    f,
                    "there is no memory for the {size} bytes of a compressed section of it"
                )
            }
            ObjectError::Garbled => f.write_str("a compressed section of it is damaged"),
        }
    }
}

impl std::error::Error for ObjectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ObjectError::Damaged(error) => Some(error),
            _ => None,
        }
    }
}
