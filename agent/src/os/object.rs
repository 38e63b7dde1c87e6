//! THE ONLY DOOR TO THE KERNEL: which object file the code at an address belongs to, and where its unwind tables are.
//!
//! Asked from inside the program's allocator, so the loader's lock is taken once only: at the first allocation of the
//! process, which lists the objects that are there before `main`. They stay. What is loaded later may be unloaded, and
//! another object loaded in its place: `_dl_find_object` is asked of it each time, which takes no lock and is what a C++
//! unwinder asks since glibc 2.35. Before, such code is not known. The function is looked up by name, because even a weak
//! reference makes a binary refuse to start on an older glibc.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// The unwind tables of one object file, in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnwindTables {
    /// Where `.eh_frame_hdr` begins, the sorted index into `.eh_frame`.
    pub(crate) header: u64,
    /// Where the object's last mapped byte ends. All of the tables lie before it.
    pub(crate) end: u64,
}

/// Finds the unwind tables of the code at an address, without a lock. Nothing for code without (JIT) and for no code at all.
pub(crate) fn unwind_tables(pc: u64) -> Option<UnwindTables> {
    match LASTING.find(pc) {
        Some(object) => object.tables(),
        None => by_find_object(LASTING.find_object()?, pc),
    }
}

/// Whether the object file at an address stays for the life of the process.
pub(crate) fn stays(pc: u64) -> bool {
    LASTING.find(pc).is_some()
}

/// Lists the object files that stay; the first call counts. It takes the loader's lock.
pub(crate) fn list_lasting() {
    LASTING.list();
}

static LASTING: Lasting = Lasting {
    state: AtomicU8::new(Lasting::NOT_YET),
    count: AtomicUsize::new(0),
    objects: [const { Object::none() }; 256],
    find_object: AtomicUsize::new(0),
};

/// The objects that were there before `main`. Those past the last place are not among them, which costs time.
struct Lasting {
    state: AtomicU8,
    count: AtomicUsize,
    objects: [Object; 256],
    /// The function of this name; zero if there is none.
    find_object: AtomicUsize,
}

/// An object file in memory.
struct Object {
    start: AtomicU64,
    end: AtomicU64,
    /// Where `.eh_frame_hdr` begins; zero without.
    header: AtomicU64,
}

impl Lasting {
    const NOT_YET: u8 = 0;
    const BUSY: u8 = 1;
    const LISTED: u8 = 2;

    fn find(&self, pc: u64) -> Option<&Object> {
        self.listed().iter().find(|object| object.holds(pc))
    }

    fn listed(&self) -> &[Object] {
        match self.state.load(Ordering::Acquire) {
            Lasting::LISTED => &self.objects[..self.count.load(Ordering::Relaxed)],
            // Another thread, or this one further out, is at it.
            _ => &[],
        }
    }

    fn list(&self) {
        let first = self.state.compare_exchange(
            Lasting::NOT_YET,
            Lasting::BUSY,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if first.is_err() {
            return;
        }
        // SAFETY: the name is a C string, and a lookup in the default scope has no other condition.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_dl_find_object".as_ptr()) };
        self.find_object.store(symbol as usize, Ordering::Relaxed);
        // SAFETY: the callback has the demanded signature and gets a pointer to `self`, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(note), ptr::from_ref(self).cast_mut().cast()) };
        self.state.store(Lasting::LISTED, Ordering::Release);
    }

    fn find_object(&self) -> Option<FindObject> {
        let address = self.find_object.load(Ordering::Relaxed);
        // SAFETY: glibc defines the symbol of this name with this signature.
        (address != 0).then(|| unsafe { std::mem::transmute::<usize, FindObject>(address) })
    }
}

impl Object {
    const fn none() -> Object {
        Object {
            start: AtomicU64::new(0),
            end: AtomicU64::new(0),
            header: AtomicU64::new(0),
        }
    }

    fn holds(&self, pc: u64) -> bool {
        (self.start.load(Ordering::Relaxed)..self.end.load(Ordering::Relaxed)).contains(&pc)
    }

    fn tables(&self) -> Option<UnwindTables> {
        let header = self.header.load(Ordering::Relaxed);
        (header != 0).then(|| UnwindTables {
            header,
            end: self.end.load(Ordering::Relaxed),
        })
    }
}

/// Notes one object file; a return value other than zero ends the iteration.
unsafe extern "C" fn note(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes its own valid description and our pointer, under which nothing is changed but atomics.
    let (info, lasting) = unsafe { (&*info, &*data.cast_const().cast::<Lasting>()) };
    let Some(room) = lasting.objects.get(lasting.count.load(Ordering::Relaxed)) else {
        return 1;
    };
    // SAFETY: the loader's description gives the address and number of the program headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let address = |header: &libc::Elf64_Phdr| info.dlpi_addr.wrapping_add(header.p_vaddr);
    let end = |header: &libc::Elf64_Phdr| address(header).wrapping_add(header.p_memsz);
    let loads = || headers.iter().filter(|h| h.p_type == libc::PT_LOAD);
    let index = headers.iter().find(|h| h.p_type == libc::PT_GNU_EH_FRAME);
    if let (Some(start), Some(end)) = (loads().map(address).min(), loads().map(end).max()) {
        room.start.store(start, Ordering::Relaxed);
        room.end.store(end, Ordering::Relaxed);
        room.header
            .store(index.map_or(0, address), Ordering::Relaxed);
        lasting.count.fetch_add(1, Ordering::Relaxed);
    }
    0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_find_the_same_tables() {
        list_lasting();
        let own = both_ways_find_the_same_tables as *const () as u64;
        let libc_code = libc::qsort as *const () as u64;
        for pc in [own, libc_code] {
            let listed = unwind_tables(pc).unwrap();
            let found = by_find_object(LASTING.find_object().unwrap(), pc).unwrap();
            assert!(stays(pc));
            assert_eq!(listed.header, found.header);
            assert!(listed.header < listed.end && found.header < found.end);
        }
    }

    #[test]
    fn data_and_nonsense_have_no_tables() {
        list_lasting();
        let heap = Box::new(0u64);
        assert_eq!(unwind_tables(&raw const *heap as u64), None);
        assert_eq!(unwind_tables(8), None);
        assert!(!stays(8) && !stays(&raw const *heap as u64));
    }
}
