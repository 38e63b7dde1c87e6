//! THE ONLY DOOR TO THE KERNEL: which object file the code at an address belongs to, and where its unwind tables are.
//!
//! Asked from inside the program's allocator, so the loader's lock is taken once only: before `main`, to list the objects
//! that are there by then. They stay. What is loaded later may be unloaded, and another object loaded in its place:
//! `_dl_find_object` is asked of it each time, which takes no lock and is what a C++ unwinder asks since glibc 2.35.
//! Before, such code is not known. The function is looked up by name, because even a weak reference makes a binary refuse
//! to start on an older glibc.

use std::ffi::c_void;
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
    LASTING.unwind_tables(pc)
}

/// Whether the object file at an address stays for the life of the process.
pub(crate) fn stays(pc: u64) -> bool {
    LASTING.find(pc).is_some()
}

/// Lists the object files that stay; the first call counts. It takes the loader's lock.
pub(crate) fn list_lasting() {
    LASTING.list(false);
}

/// For a test alone: from now on as with a C library before 2.35, which has no `_dl_find_object`.
pub fn hide_find_object() {
    LASTING.find_object.store(0, Ordering::Relaxed);
}

/// Run by the loader: in a program before its `main`, in a library whenever that is loaded.
#[cfg(not(miri))]
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = list_at_load;

extern "C" fn list_at_load() {
    LASTING.list(true);
}

static LASTING: Lasting = Lasting::new();

/// The objects that were there before `main`. Those past the last place are not among them, which costs time.
///
/// A library may be loaded late, and a program not of Rust may first allocate late. Then all that is known to have been
/// there are the objects up to the loader itself: what is loaded later stands behind it.
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

    const fn new() -> Lasting {
        Lasting {
            state: AtomicU8::new(Lasting::NOT_YET),
            count: AtomicUsize::new(0),
            objects: [const { Object::none() }; 256],
            find_object: AtomicUsize::new(0),
        }
    }

    fn unwind_tables(&self, pc: u64) -> Option<UnwindTables> {
        match self.find(pc) {
            Some(object) => object.tables(),
            None => by_find_object(self.find_object()?, pc),
        }
    }

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

    /// `at_load` is whether the loader calls.
    fn list(&self, at_load: bool) {
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
        // SAFETY: a constant that the kernel left for this process.
        let loader = unsafe { libc::getauxval(libc::AT_BASE) };
        let mut listing = Listing {
            lasting: self,
            is_before_main: at_load,
            loader,
        };
        // SAFETY: the callback has the demanded signature and gets a pointer to what it expects, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut listing).cast()) };
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

/// What [`note`] is given.
struct Listing<'a> {
    lasting: &'a Lasting,
    /// Whether nothing was loaded yet but what the program needs: the loader calls, and this code is the program's own.
    is_before_main: bool,
    /// Where the loader begins; zero in a program without.
    loader: u64,
}

impl Listing<'_> {
    /// Whether the object just listed is the last that is known to stay. The first is the program.
    fn ends_with(&mut self, object: &Object, is_first: bool) -> bool {
        if is_first {
            self.is_before_main &= object.holds(list_at_load as *const () as u64);
        }
        !self.is_before_main && (self.loader == 0 || object.holds(self.loader))
    }
}

/// Notes one object file; a return value other than zero ends the iteration.
unsafe extern "C" fn note(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    data: *mut c_void,
) -> libc::c_int {
    // SAFETY: the loader passes its own valid description and our pointer, which nobody else has.
    let (info, listing) = unsafe { (&*info, &mut *data.cast::<Listing<'_>>()) };
    let count = listing.lasting.count.load(Ordering::Relaxed);
    let Some(room) = listing.lasting.objects.get(count) else {
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
        listing.lasting.count.store(count + 1, Ordering::Relaxed);
        return listing.ends_with(room, count == 0).into();
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
    use std::ptr;

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
    fn what_was_loaded_since_the_start_does_not_stay() {
        // SAFETY: the C library's own, which nothing here has loaded; loading it runs no code of note.
        let handle = unsafe { libc::dlopen(c"libanl.so.1".as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        let mut map: *const u64 = ptr::null();
        // SAFETY: a link map begins with the address of its object.
        let loaded = unsafe {
            libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast());
            *map
        };
        for at_load in [false, true] {
            let lasting = Box::leak(Box::new(Lasting::new()));
            lasting.list(at_load);
            let stays = |pc| lasting.find(pc).is_some();
            assert!(stays(libc::qsort as *const () as u64));
            assert!(stays(list_lasting as *const () as u64));
            assert_eq!(stays(loaded), at_load);
            // An old C library does not tell where the tables of others are: they are taken for none.
            lasting.find_object.store(0, Ordering::Relaxed);
            let known = |pc| lasting.unwind_tables(pc).is_some();
            assert!(known(libc::qsort as *const () as u64));
            assert_eq!(known(loaded), at_load);
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
