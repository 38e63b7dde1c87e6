//! A module: an object file mapped into the program.

use std::path::PathBuf;

/// The program itself, or a shared library of its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where the file can be opened. For the program itself `/proc/self/exe`, which survives its replacement on disk.
    pub path: PathBuf,
    /// What to call it: the file's own path.
    pub name: String,
    /// The executable address range `[start, end)` it covers.
    pub start: u64,
    /// See `start`.
    pub end: u64,
    /// Address in the process minus address in the file's own numbering; wraps.
    pub bias: u64,
}

impl Module {
    /// The file's own number for an address of the process.
    pub fn to_file(&self, address: u64) -> u64 {
        address.wrapping_sub(self.bias)
    }

    /// Whether code at this address is of this module.
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}
