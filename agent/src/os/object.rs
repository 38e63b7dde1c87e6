//! THE ONLY DOOR TO THE KERNEL: which object file the code at an address belongs to, and where its unwind tables are.
//!
//! Asked from inside the program's allocator. `_dl_find_object` takes no lock and is what a C++ unwinder asks since
//! glibc 2.35. It is looked up by name, because even a weak reference makes a binary refuse to start on an older glibc.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The unwind tables of one object file, in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnwindTables {
    /// Where `.eh_frame_hdr` begins, the sorted index into `.eh_frame`.
    pub(crate) header: u64,
    /// Where the object's last mapped byte ends. All of the tables lie before it.
    pub(crate) end: u64,
}

/// Finds the unwind tables of the code at an address. Nothing for code without (JIT) and for no code at all.
pub(crate) fn unwind_tables(pc: u64) -> Option<UnwindTables> {
    match find_object() {
        Some(find) => by_find_object(find, pc),
        None => by_iteration(pc),
    }
}

/// Whether that takes no lock. Asked once before threads are stopped, it takes none itself while they are.
pub(crate) fn finds_without_lock() -> bool {
    find_object().is_some()
}

/// glibc's `struct dl_find_object` on x86-64.
#[repr(C)]
struct Found {
    flags: u64,
    map_start: u64,
    map_end: u64,
    link_map: *const c_void,
    eh_frame_hdr: *const c_void,
    reserved: [u64; 7],
}

type FindObject = unsafe extern "C" fn(*const c_void, *mut Found) -> libc::c_int;

/// Looks `_dl_find_object` up, the first time only.
fn find_object() -> Option<FindObject> {
    const UNKNOWN: usize = 0;
    const ABSENT: usize = 1;
    static FIND: AtomicUsize = AtomicUsize::new(UNKNOWN);
    let mut address = FIND.load(Ordering::Relaxed);
    if address == UNKNOWN {
        // SAFETY: the name is a C string, and a lookup in the default scope has no other condition.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        address = (symbol as usize).max(ABSENT);
        FIND.store(address, Ordering::Relaxed);
    }
    // SAFETY: glibc defines the symbol of this name with this signature.
    (address != ABSENT).then(|| unsafe { std::mem::transmute::<usize, FindObject>(address) })
}

fn by_find_object(find: FindObject, pc: u64) -> Option<UnwindTables> {
    // SAFETY: zeros are a valid value of every field.
    let mut found: Found = unsafe { std::mem::zeroed() };
    // SAFETY: the function accepts any address and fills the structure when it returns zero.
    let code = unsafe { find(pc as *const c_void, &mut found) };
    (code == 0 && !found.eh_frame_hdr.is_null()).then_some(UnwindTables {
        header: found.eh_frame_hdr as u64,
        end: found.map_end,
    })
}

/// What `dl_iterate_phdr`'s callback is given: the address asked about, and room for the answer.
struct Search {
    pc: u64,
    answer: Option<UnwindTables>,
}

/// The way of a glibc before 2.35. It takes the loader's lock, which the loader lets its own thread take again.
fn by_iteration(pc: u64) -> Option<UnwindTables> {
    let mut search = Search { pc, answer: None };
    // SAFETY: the callback has the demanded signature and gets a pointer to `search`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut search).cast()) };
    search.answer
}

/// Looks at one object file; a return value other than zero ends the iteration.
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes its own valid description and our pointer to `Search`.
    let (info, search) = unsafe { (&*info, &mut *data.cast::<Search>()) };
    // SAFETY: the loader's description gives the address and number of the program headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let range = |header: &libc::Elf64_Phdr| {
        let start = info.dlpi_addr.wrapping_add(header.p_vaddr);
        start..start.wrapping_add(header.p_memsz)
    };
    let loads = || headers.iter().filter(|h| h.p_type == libc::PT_LOAD);
    if !loads().any(|header| range(header).contains(&search.pc)) {
        return 0;
    }
    let index = headers.iter().find(|h| h.p_type == libc::PT_GNU_EH_FRAME);
    search.answer = index.map(|index| UnwindTables {
        header: range(index).start,
        end: loads().map(|header| range(header).end).max().unwrap_or(0),
    });
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_tables() {
        let own = both_ways_find_the_same_tables as *const () as u64;
        let libc_code = libc::qsort as *const () as u64;
        for pc in [own, libc_code] {
            let old = by_iteration(pc).unwrap();
            let new = unwind_tables(pc).unwrap();
            assert_eq!(old.header, new.header);
            assert!(new.header < new.end && old.header < old.end);
        }
    }

    #[test]
    fn data_and_nonsense_have_no_tables() {
        let heap = Box::new(0u64);
        assert_eq!(unwind_tables(&raw const *heap as u64), None);
        assert_eq!(unwind_tables(8), None);
        assert_eq!(by_iteration(8), None);
    }
}
