//! C's allocator, and what it says of itself.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::heap::Malloc;

/// What glibc's allocator says of itself, if this is glibc 2.33 or later and `malloc` is its own: a program may be linked or
/// preloaded with another. Takes locks of the allocator and the loader: never while threads are frozen.
pub(crate) fn allocator() -> Option<Malloc> {
    let found = symbol(c"mallinfo2")?;
    if module_of(found)? != module_of(symbol(c"malloc")?)? {
        return None;
    }
    // SAFETY: it is the function of that name, whose signature glibc documents; it fills plain data.
    unsafe {
        let mallinfo2: extern "C" fn() -> libc::mallinfo2 = std::mem::transmute(found.as_ptr());
        let info = mallinfo2();
        Some(Malloc {
            free: info.fordblks as u64,
            used: info.uordblks as u64,
            mapped: info.hblkhd as u64,
        })
    }
}

fn symbol(name: &CStr) -> Option<NonNull<libc::c_void>> {
    // SAFETY: the name ends with a zero; `dlsym` gives null or an address.
    NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })
}

/// Where the object that holds this address is mapped.
fn module_of(address: NonNull<libc::c_void>) -> Option<u64> {
    let mut module = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `dladdr` takes any address, and fills plain data that is valid when zeroed.
    let module = unsafe {
        let found = libc::dladdr(address.as_ptr(), module.as_mut_ptr());
        (found != 0).then(|| module.assume_init())
    };
    module.map(|module| module.dli_fbase as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Bytes of a block that glibc takes from an arena, and so many.
    const SMALL: usize = 16 << 10;
    const MANY: usize = 2000;

    /// Frees every other of many blocks, so that none can be given back, and keeps the rest for ever.
    fn fragment() {
        // SAFETY: each block is written at its beginning and freed at most once.
        let blocks: Vec<*mut u8> = (0..MANY)
            .map(|_| unsafe { libc::malloc(SMALL) }.cast())
            .collect();
        for pair in blocks.chunks(2) {
            // SAFETY: as above.
            unsafe {
                pair[1].write(1);
                libc::free(pair[0].cast());
            }
        }
    }

    /// The margins are for the other tests of this process, which allocate meanwhile.
    #[test]
    fn the_allocator_tells_of_all_its_arenas_and_of_large_blocks_apart() {
        const HALF: u64 = (SMALL * MANY / 2) as u64;
        const LARGE: u64 = 256 << 20;
        let before = allocator().expect("glibc says so");
        // Threads of their own have arenas of their own.
        for _ in 0..3 {
            thread::spawn(fragment).join().expect("it does not panic");
        }
        let after = allocator().expect("glibc says so");
        // They used the same one after the other: what one freed, the next has taken, but for the last.
        assert!(after.free >= before.free + HALF / 2, "{before:?} {after:?}");
        assert!(after.used >= before.used + 2 * HALF, "{before:?} {after:?}");
        // SAFETY: freed below, never read.
        let large = unsafe { libc::malloc(LARGE as usize) };
        let mapped = allocator().expect("glibc says so");
        // SAFETY: it came from `malloc` just now.
        unsafe { libc::free(large) };
        assert!(
            mapped.mapped >= LARGE && mapped.free < after.free + LARGE / 2,
            "{mapped:?}"
        );
        let freed = allocator().expect("glibc says so");
        assert!(
            freed.mapped < mapped.mapped && freed.free < after.free + LARGE / 2,
            "{freed:?}"
        );
    }
}
