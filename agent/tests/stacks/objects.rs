//! Object files that come and go, with code of C that calls back.

use std::ffi::{CStr, CString};
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::compare::comparing;

/// Functions that call back, with a frame of `FRAME` bytes: plain; of a size found when it runs; on a stack realigned.
const CODE: &str = r"
#include <alloca.h>
typedef void back(void);
void call(back *back) { volatile char room[FRAME]; room[0] = 1; back(); room[1] = 2; }
void grown(back *back, int size) { volatile char *room = alloca(size); room[0] = 1; back(); room[size - 1] = 2; }
void aligned(back *back, int size) {
    volatile _Alignas(128) char line[128];
    volatile char *room = alloca(size);
    line[0] = room[0] = 1; back(); line[1] = room[size - 1] = 2;
}
";

/// An object with that code. Two processes test at a time: neither may write over what the other has loaded.
fn object(name: &str, frame: usize) -> CString {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let process = if crate::is_loader_old() { "old" } else { "new" };
    let name = format!("{name}-{process}");
    let source = directory.join(&name).with_extension("c");
    let object = directory.join(&name).with_extension("so");
    std::fs::write(&source, CODE).unwrap();
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-fomit-frame-pointer"])
        .args([
            "-fasynchronous-unwind-tables",
            &format!("-DFRAME={frame}"),
            "-o",
        ])
        .args([&object, &source])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "cc is needed");
    CString::new(object.into_os_string().into_encoded_bytes()).unwrap()
}

/// Two objects that are loaded in turn, so that one comes to lie where the other has been.
pub(crate) struct Pair {
    objects: [CString; 2],
    /// Where the function of the one loaded last was.
    last: u64,
    /// How often the other's came to be there.
    pub(crate) in_place: usize,
}

impl Pair {
    pub(crate) fn new(name: &str) -> Pair {
        Pair {
            objects: [
                object(&format!("{name}-small"), 300),
                object(&format!("{name}-large"), 900),
            ],
            last: 0,
            in_place: 0,
        }
    }

    /// Loads each, has it call back, and unloads it.
    pub(crate) fn turn(&mut self, kind: usize) {
        for object in &self.objects {
            let at = call_back_from(object, kind);
            self.in_place += usize::from(at == self.last);
            self.last = at;
        }
    }
}

fn call_back_from(object: &CStr, kind: usize) -> u64 {
    // SAFETY: the object is one of those made above, whose function has this signature; it is unloaded after its code ran.
    unsafe {
        let handle = libc::dlopen(object.as_ptr(), libc::RTLD_NOW);
        let call = libc::dlsym(handle, c"call".as_ptr());
        assert!(!call.is_null());
        let function: extern "C" fn(extern "C" fn()) = std::mem::transmute(call);
        comparing(kind, || function(allocate_some));
        assert_eq!(libc::dlclose(handle), 0);
        call as u64
    }
}

/// C code with frames whose size is found when it runs, some on a stack that it realigns.
pub(crate) fn frames_of_any_size() {
    static FUNCTIONS: OnceLock<[usize; 2]> = OnceLock::new();
    let functions = FUNCTIONS.get_or_init(|| {
        let object = object("frames", 50);
        // SAFETY: the object is the one made above; it stays.
        unsafe {
            let handle = libc::dlopen(object.as_ptr(), libc::RTLD_NOW);
            [c"grown", c"aligned"].map(|name| libc::dlsym(handle, name.as_ptr()) as usize)
        }
    });
    for function in functions {
        for size in [8, 100, 5000] {
            // SAFETY: both functions have this signature.
            let function: extern "C" fn(extern "C" fn(), i32) =
                unsafe { std::mem::transmute(*function) };
            function(allocate_some, size);
        }
    }
}

extern "C" fn allocate_some() {
    for number in 0..5 {
        black_box(format!("{number}"));
    }
}
