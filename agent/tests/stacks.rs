//! Every stack that the tracker takes, compared with the one that the system's unwinder takes at the same call.
//!
//! Around [`sigheap::Heap`] stands an allocator that asks `_Unwind_Backtrace` after each call and compares all frames
//! outside itself. They are equal, or the tracker's says what it lacks.
#![cfg(sigheap_supported)]
#![expect(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator, the system's unwinder and signal handlers are what is tested"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sigheap::Heap;
use sigheap::internals::{self, Address, Site};

#[global_allocator]
static HEAP: Compared = Compared(Heap::system());

struct Compared(Heap);

// SAFETY: forwards to `Heap`.
unsafe impl GlobalAlloc for Compared {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        compared(unsafe { self.0.alloc(layout) })
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(block, layout) }
    }
    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        compared(unsafe { self.0.realloc(block, layout, size) })
    }
}

thread_local! {
    static COMPARING: Cell<bool> = const { Cell::new(false) };
}

/// What comparing came to.
static EQUAL: AtomicU64 = AtomicU64::new(0);
static FOLDED: AtomicU64 = AtomicU64::new(0);
static DEEP: AtomicU64 = AtomicU64::new(0);
static BROKEN: AtomicU64 = AtomicU64::new(0);
static FRAMES: AtomicU64 = AtomicU64::new(0);
/// The first stacks that differed: the tracker's and the system's.
static DIFFERENT: Mutex<Vec<(Site, Vec<u64>)>> = Mutex::new(Vec::new());

/// Compares the stack of a block just allocated with the system's, if this thread compares.
#[inline(always)]
fn compared(block: *mut u8) -> *mut u8 {
    if COMPARING.replace(false) {
        let mut system = Backtrace {
            frames: [0; 256],
            count: 0,
        };
        // SAFETY: the callback has the demanded signature and gets what it expects.
        unsafe { _Unwind_Backtrace(collect, (&raw mut system).cast()) };
        compare(block, &system.frames[..system.count]);
        COMPARING.set(true);
    }
    block
}

#[inline(never)]
fn compare(block: *mut u8, system: &[u64]) {
    let site =
        internals::block_at(Address(block as u64)).and_then(|block| internals::site(block.site));
    let Some(site) = site else {
        DIFFERENT
            .lock()
            .unwrap()
            .push((Site::default(), system.to_vec()));
        return;
    };
    let tracked: Vec<u64> = site.frames.iter().map(|frame| frame.0).collect();
    // The system's first frame is in the comparing allocator; the tracker's has others within it before that.
    let system = &system[1..];
    let own = tracked
        .iter()
        .position(|frame| system.first() == Some(frame));
    let tracked = &tracked[own.unwrap_or(0)..];
    let kept = &system[..system.len().min(tracked.len())];
    let (whole, marks) = (tracked == system, site.marks);
    let counter = match () {
        // Not even out of the comparing allocator, whose frame fills the page.
        () if own.is_none() => marks.broken.then_some(&BROKEN),
        () if marks.folded => same_set(tracked, system).then_some(&FOLDED),
        () if marks.broken => (tracked == kept).then_some(&BROKEN),
        () if marks.deep => (tracked == kept).then_some(&DEEP),
        () => whole.then_some(&EQUAL),
    };
    FRAMES.fetch_add(tracked.len() as u64, Ordering::Relaxed);
    match counter {
        Some(counter) => drop(counter.fetch_add(1, Ordering::Relaxed)),
        None => DIFFERENT.lock().unwrap().push((site, system.to_vec())),
    }
}

/// Whether a folded stack lacks nothing but repetitions: its frames are the system's, in its order.
fn same_set(folded: &[u64], system: &[u64]) -> bool {
    let mut rest = system.iter();
    folded.iter().all(|frame| rest.any(|other| other == frame))
}

struct Backtrace {
    frames: [u64; 256],
    count: usize,
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        callback: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, before: *mut c_int) -> u64;
}

unsafe extern "C" fn collect(context: *mut c_void, argument: *mut c_void) -> c_int {
    let mut exact = 0;
    // SAFETY: the unwinder passes its own context, and our argument.
    let (frame, backtrace) = unsafe {
        let frame = _Unwind_GetIPInfo(context, &mut exact);
        (frame, &mut *argument.cast::<Backtrace>())
    };
    if frame == 0 || backtrace.count == backtrace.frames.len() {
        return 5;
    }
    // The tracker keeps an interrupted instruction so that it, too, is one byte before.
    backtrace.frames[backtrace.count] = frame + u64::from(exact != 0);
    backtrace.count += 1;
    0
}

/// Runs something while this thread compares.
fn comparing<T>(what: impl FnOnce() -> T) -> T {
    COMPARING.set(true);
    let answer = what();
    COMPARING.set(false);
    answer
}

/// Says what differed, with the names of the frames.
fn verdict() -> Result<(), String> {
    let different = DIFFERENT.lock().unwrap();
    let Some((site, system)) = different.first() else {
        return Ok(());
    };
    let tracked: Vec<u64> = site.frames.iter().map(|frame| frame.0).collect();
    let text = format!(
        "{} differ, the first {:?}:\n{tracked:x?}\n{system:x?}",
        different.len(),
        site.marks
    );
    Err(text)
}

#[inline(never)]
fn recurse(depth: u32, made: &mut Vec<String>) {
    made.push(format!("depth {depth}"));
    if depth > 0 {
        recurse(depth - 1, made);
    }
    black_box(made);
}

#[inline(never)]
fn even(depth: u32) -> usize {
    let boxed = Box::new(depth);
    if depth == 0 {
        0
    } else {
        black_box(odd(depth - 1)) + *boxed as usize
    }
}

#[inline(never)]
fn odd(depth: u32) -> usize {
    let boxed = black_box(Box::new(depth));
    if depth == 0 {
        0
    } else {
        black_box(even(depth - 1)) + *boxed as usize
    }
}

/// Recursion from three places in an order in which nothing ever follows itself (Thue's), so that none of it is folded.
#[inline(never)]
fn wander(depth: u32) -> usize {
    let boxed = black_box(Box::new(depth));
    let parity = |number: u32| number.count_ones() % 2;
    let below = match (parity(depth), parity(depth + 1)) {
        _ if depth == 0 => 0,
        (0, 1) => black_box(wander(depth - 1)) + 1,
        (1, 0) => black_box(wander(depth - 1)) + 2,
        _ => black_box(wander(depth - 1)) + 3,
    };
    below + *boxed as usize
}

unsafe extern "C" fn by_text(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: `qsort` passes pointers to elements.
    let (a, b) = unsafe { (*a.cast::<u32>(), *b.cast::<u32>()) };
    a.to_string().cmp(&b.to_string()) as c_int
}

struct Noisy(u32);

impl Drop for Noisy {
    fn drop(&mut self) {
        black_box(format!("dropped {}", self.0));
    }
}

fn panic_below(depth: u32) -> u32 {
    let noisy = Noisy(depth);
    if depth == 0 {
        std::panic::panic_any(depth);
    }
    panic_below(depth - 1) + noisy.0
}

/// A frame of more than 64 KiB, whose rule does not fit 17 bits.
#[inline(never)]
fn large_frame() -> String {
    let mut large = [1u8; 200_000];
    black_box(&mut large);
    format!("{}", large[7])
}

fn varied(seed: usize) {
    let words: Vec<String> = (0..50)
        .map(|n| (n * 7919 % (seed + 13)).to_string())
        .collect();
    let mut tree: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, word) in words.iter().enumerate() {
        tree.entry(word.to_uppercase()).or_default().push(index);
    }
    let mut sorted = words.clone();
    sorted.sort_by_key(|word| word.chars().rev().collect::<String>());
    let calls: Vec<Box<dyn Fn(usize) -> String>> = vec![Box::new(move |n| format!("{n} {seed}"))];
    black_box((calls[0](1), tree.len(), sorted, std::env::args().count()));
}

extern "C" fn on_signal(_: c_int) {
    // Allocating here is what a careful program does not do; the tracker must stand it, as the allocator must.
    black_box(Box::new(5u64));
}

fn raise_signals(flags: c_int, times: usize) {
    // SAFETY: the handler has the demanded signature, and the signals arrive in this thread, outside the allocator.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = flags;
        // The one that std gives a thread is too small for what this test adds around the tracker.
        let alternate = libc::stack_t {
            ss_sp: Vec::leak(vec![0u8; 1 << 16]).as_mut_ptr().cast(),
            ss_flags: 0,
            ss_size: 1 << 16,
        };
        libc::sigaltstack(&alternate, std::ptr::null_mut());
        libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut());
        for _ in 0..times {
            libc::raise(libc::SIGUSR1);
        }
    }
}

/// C code with a frame of its own size that calls back.
fn library(directory: &std::path::Path, name: &str, frame: usize) -> std::ffi::CString {
    let source = directory.join(name).with_extension("c");
    let object = directory.join(name).with_extension("so");
    let code = format!(
        "void call(void (*back)(void)) {{ volatile char room[{frame}]; room[0] = 1; back(); room[1] = 2; }}"
    );
    std::fs::write(&source, code).unwrap();
    let made = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-fomit-frame-pointer"])
        .args(["-fasynchronous-unwind-tables", "-o"])
        .args([&object, &source])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "cc is needed");
    std::ffi::CString::new(object.into_os_string().into_encoded_bytes()).unwrap()
}

/// Loads two object files in turn, and compares the stacks of what they call back. Says how often the second came to lie
/// where the first had been.
fn load_in_turn(times: usize) -> usize {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let small = library(directory, "small", 300);
    let large = library(directory, "large", 900);
    let before = [call_back_from(&small)];
    let addresses: Vec<u64> = (0..times)
        .flat_map(|_| [call_back_from(&large), call_back_from(&small)])
        .collect();
    let all: Vec<u64> = before.into_iter().chain(addresses).collect();
    all.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

fn call_back_from(object: &std::ffi::CStr) -> u64 {
    // SAFETY: the object is the one made above, whose function has this signature; it is unloaded after its code ran.
    unsafe {
        let handle = libc::dlopen(object.as_ptr(), libc::RTLD_NOW);
        let call = libc::dlsym(handle, c"call".as_ptr());
        assert!(!call.is_null());
        let function: extern "C" fn(extern "C" fn()) = std::mem::transmute(call);
        function(allocate_some);
        assert_eq!(libc::dlclose(handle), 0);
        call as u64
    }
}

extern "C" fn allocate_some() {
    comparing(|| (0..5).for_each(|n| drop(black_box(format!("{n}")))));
}

/// One test, because what it compares is the whole process.
#[test]
fn every_stack_is_the_systems_or_says_what_it_lacks() {
    let part = |name: &str, what: &dyn Fn()| {
        let equal = EQUAL.load(Ordering::Relaxed);
        comparing(what);
        verdict().unwrap_or_else(|text| panic!("{name}: {text}"));
        EQUAL.load(Ordering::Relaxed) - equal
    };
    assert!(part("varied", &|| (0..40).for_each(varied)) > 5000);
    part("recursion", &|| recurse(150, &mut Vec::new()));
    part("mutual recursion", &|| {
        black_box(even(200));
    });
    assert!(FOLDED.load(Ordering::Relaxed) > 300);
    part("a deep stack", &|| {
        black_box(wander(120));
    });
    assert!(DEEP.load(Ordering::Relaxed) > 50);
    assert!(part("large frame", &|| drop(large_frame())) > 0);
    let sort = || {
        let mut numbers: Vec<u32> = (0..200).map(|n| n * 7919 % 1009).collect();
        // SAFETY: the elements are as many and as large as said.
        unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 200, 4, Some(by_text)) };
    };
    assert!(part("qsort", &sort) > 1000);
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let panics = || (0..30).for_each(|n| drop(std::panic::catch_unwind(|| panic_below(n))));
    part("panics", &panics);
    std::panic::set_hook(loud);
    let threads = || {
        let spawn = |n| std::thread::spawn(move || comparing(|| varied(n)));
        let threads: Vec<_> = (0..20).map(spawn).collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    };
    assert!(part("threads", &threads) > 2000);
    part("objects loaded in each other's place", &|| {
        COMPARING.set(false);
        let same = load_in_turn(20);
        assert!(same > 0, "none was loaded where the other had been");
    });
    assert!(part("signals", &|| raise_signals(0, 100)) >= 100);
    assert_eq!(BROKEN.load(Ordering::Relaxed), 0);
    part("an alternate stack", &|| {
        raise_signals(libc::SA_ONSTACK, 100)
    });
    assert!(BROKEN.load(Ordering::Relaxed) >= 100);
    let counts =
        [&EQUAL, &FOLDED, &DEEP, &BROKEN, &FRAMES].map(|count| count.load(Ordering::Relaxed));
    println!("equal, folded, deep, broken, frames: {counts:?}");
}
