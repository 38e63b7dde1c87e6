//! A program not of Rust, which has loaded a library by the time that it first allocates here: as a host of plug-ins does.
//!
//! Its `main` is C's, so that nothing is allocated before it.
#![cfg_attr(sigheap_supported, no_main)]
#![cfg_attr(
    sigheap_supported,
    expect(unsafe_code, reason = "a program as in C is what is tested")
)]

#[cfg(not(sigheap_supported))]
fn main() {}

#[cfg(sigheap_supported)]
mod host {
    use std::ffi::{CStr, c_int};
    use std::hint::black_box;
    use std::sync::atomic::{AtomicU64, Ordering};

    use sigheap::Heap;
    use sigheap::internals::{self, Address};

    #[global_allocator]
    static HEAP: Heap = Heap::system();

    macro_rules! in_directory {
        ($($text:expr),*) => {
            match CStr::from_bytes_with_nul(concat!($($text),*, "\0").as_bytes()) {
                Ok(text) => text,
                Err(_) => panic!("has a zero within"),
            }
        };
    }

    /// C code that calls back, with a frame of the size given.
    macro_rules! library {
        ($size:literal) => {
            (
                in_directory!(
                    "printf 'void call(void (*back)(void)) { volatile char room[",
                    $size,
                    "]; room[0] = 1; back(); room[1] = 2; }' | cc -x c -shared -fPIC -O1 ",
                    "-fomit-frame-pointer -fasynchronous-unwind-tables -o ",
                    env!("CARGO_TARGET_TMPDIR"),
                    "/late-",
                    $size,
                    ".so -"
                ),
                in_directory!(env!("CARGO_TARGET_TMPDIR"), "/late-", $size, ".so"),
            )
        };
    }

    #[unsafe(no_mangle)]
    extern "C" fn main() -> c_int {
        let (small, large) = (library!(300), library!(900));
        for (command, _) in [small, large] {
            // SAFETY: the command is a C string.
            assert_eq!(unsafe { libc::system(command.as_ptr()) }, 0, "cc is needed");
        }
        let mut addresses = [0; 7];
        for (turn, address) in addresses.iter_mut().enumerate() {
            *address = call_back_from(if turn % 2 == 0 { small.1 } else { large.1 });
        }
        let in_place = addresses.windows(2).any(|pair| pair[0] == pair[1]);
        assert!(in_place, "none was loaded where the other had been");
        0
    }

    #[inline(never)]
    fn call_back_from(object: &CStr) -> u64 {
        // SAFETY: the object is one of those made above, whose function has this signature; it is unloaded after its code
        // ran.
        unsafe {
            let handle = libc::dlopen(object.as_ptr(), libc::RTLD_NOW);
            let call = libc::dlsym(handle, c"call".as_ptr());
            assert!(!call.is_null());
            CALL.store(call as u64, Ordering::Relaxed);
            let function: extern "C" fn(extern "C" fn()) = std::mem::transmute(call);
            function(allocate_some);
            assert_eq!(libc::dlclose(handle), 0);
            call as u64
        }
    }

    /// The address of the code loaded.
    static CALL: AtomicU64 = AtomicU64::new(0);

    extern "C" fn allocate_some() {
        for _ in 0..5 {
            let block = black_box(Box::new(5u64));
            let address = Address(&raw const *block as u64);
            let site = internals::block_at(address).and_then(|block| internals::site(block.site));
            let site = site.expect("is recorded");
            let depth_of = |code: u64, bytes: u64| {
                let within = |frame: &Address| frame.0.wrapping_sub(code) < bytes;
                site.frames.iter().position(within)
            };
            let call = depth_of(CALL.load(Ordering::Relaxed), 200);
            let call = call.expect("the library's code is on the stack");
            let caller = depth_of(call_back_from as *const () as u64, 2000);
            assert_eq!(caller, Some(call + 1), "{site:x?}");
            assert!(
                !site.marks.broken && site.frames.len() > call + 3,
                "{site:x?}"
            );
        }
    }
}
