//! The allocator that compares: around [`sigheap::Heap`], after each call, our stack with the system unwinder's.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sigheap::Heap;
use sigheap::internals::{self, Address, Site};

pub(crate) struct Compared(pub(crate) Heap);

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

/// Kinds of code that can be told apart.
pub(crate) const KINDS: usize = 32;

thread_local! {
    /// The kind of code for which this thread compares, if it does.
    static COMPARING: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs something while this thread compares, for a kind of code.
pub(crate) fn comparing<T>(kind: usize, what: impl FnOnce() -> T) -> T {
    let before = COMPARING.replace(Some(kind));
    let answer = what();
    COMPARING.set(before);
    answer
}

/// Runs something while this thread does not compare. It is told for which kind it would.
pub(crate) fn unwatched<T>(what: impl FnOnce(usize) -> T) -> T {
    let before = COMPARING.take();
    let answer = what(before.unwrap_or(KINDS - 1));
    COMPARING.set(before);
    answer
}

/// The kind for which this thread compares, for a thread that it starts.
pub(crate) fn kind() -> usize {
    COMPARING.get().unwrap_or(KINDS - 1)
}

/// What comparing came to, for a kind of code.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) equal: AtomicU64,
    /// Equal but for a recursion that ours has once.
    pub(crate) folded: AtomicU64,
    /// Equal as far as ours goes, and marked as too deep for more.
    pub(crate) deep: AtomicU64,
    /// Equal as far as ours goes, and marked as broken.
    pub(crate) broken: AtomicU64,
}

pub(crate) static COUNTS: [Counts; KINDS] = [const {
    Counts {
        equal: AtomicU64::new(0),
        folded: AtomicU64::new(0),
        deep: AtomicU64::new(0),
        broken: AtomicU64::new(0),
    }
}; KINDS];
/// Captures compared, of all kinds.
pub(crate) static CAPTURES: AtomicU64 = AtomicU64::new(0);
/// The first stacks that differed: kind, the tracker's, the system's.
static DIFFERENT: Mutex<Vec<(usize, Site, Vec<u64>)>> = Mutex::new(Vec::new());

/// Frames of the system's that are looked at: more than a walk of ours goes.
const FRAMES: usize = 700;

/// Compares the stack of a block just allocated with the system's, if this thread compares.
#[inline(always)]
fn compared(block: *mut u8) -> *mut u8 {
    if let Some(kind) = COMPARING.take() {
        let mut system = Backtrace {
            frames: [0; FRAMES],
            count: 0,
        };
        // SAFETY: the callback has the demanded signature and gets what it expects.
        unsafe { _Unwind_Backtrace(collect, (&raw mut system).cast()) };
        compare(kind, block, &system.frames[..system.count]);
        COMPARING.set(Some(kind));
    }
    block
}

#[inline(never)]
fn compare(kind: usize, block: *mut u8, system: &[u64]) {
    CAPTURES.fetch_add(1, Ordering::Relaxed);
    let block = internals::block_at(Address(block as u64));
    let site = block.and_then(|block| internals::site(block.site));
    let counter = site
        .as_ref()
        .and_then(|site| judged(&COUNTS[kind], site, system));
    match counter {
        Some(counter) => drop(counter.fetch_add(1, Ordering::Relaxed)),
        None => {
            let mut different = DIFFERENT.lock().unwrap();
            different.push((kind, site.unwrap_or_default(), system.to_vec()));
        }
    }
}

/// What the two stacks are to each other; nothing if they differ.
pub(crate) fn judged<'a>(counts: &'a Counts, site: &Site, system: &[u64]) -> Option<&'a AtomicU64> {
    let tracked: Vec<u64> = site.frames.iter().map(|frame| frame.0).collect();
    // The system's first frame is in the comparing allocator; the tracker's has others within it before that.
    let system = &system[1..];
    let own = tracked
        .iter()
        .position(|frame| system.first() == Some(frame));
    let tracked = &tracked[own.unwrap_or(0)..];
    let kept = &system[..system.len().min(tracked.len())];
    let marks = site.marks;
    match () {
        // Not even out of the comparing allocator, whose frame fills the page.
        () if own.is_none() => marks.broken.then_some(&counts.broken),
        () if marks.broken => (tracked == kept).then_some(&counts.broken),
        () if marks.folded => in_order(tracked, system).then_some(&counts.folded),
        () if marks.deep => (tracked == kept).then_some(&counts.deep),
        () => (tracked == system).then_some(&counts.equal),
    }
}

/// Whether a folded stack lacks nothing but repetitions: its frames are the system's, in its order.
fn in_order(folded: &[u64], system: &[u64]) -> bool {
    let mut rest = system.iter();
    folded.iter().all(|frame| rest.any(|other| other == frame))
}

struct Backtrace {
    frames: [u64; FRAMES],
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

/// Says what differed, by addresses.
pub(crate) fn verdict() -> Result<(), String> {
    let different = DIFFERENT.lock().unwrap();
    let Some((kind, site, system)) = different.first() else {
        return Ok(());
    };
    let tracked: Vec<u64> = site.frames.iter().map(|frame| frame.0).collect();
    Err(format!(
        "{} differ, the first of kind {kind}, {:?}:\n{tracked:x?}\n{system:x?}",
        different.len(),
        site.marks
    ))
}
