//! The stacks of stopped threads: threads that wait in known functions are found in them, and every frame further out is
//! the one that `_Unwind_Backtrace` named before they waited.
#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "C callbacks and signal handlers are what is tested"
)]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::ffi::c_void;
use std::hint::black_box;
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, mpsc};
use std::time::{Duration, Instant};

use sigheap::internals::{self, Doing, Pause, Thread, arena};

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

/// What a thread says of itself before it waits.
struct Told {
    tid: u32,
    /// Return addresses by `_Unwind_Backtrace`, those of the function it waits in first.
    frames: Vec<u64>,
}

static TOLD: Mutex<Vec<(&str, Told)>> = Mutex::new(Vec::new());
static DONE: AtomicBool = AtomicBool::new(false);
static LOCKED: Mutex<()> = Mutex::new(());
static RANG: Condvar = Condvar::new();
static BELL: Mutex<()> = Mutex::new(());

/// Tells where the calling function, of this name, is.
#[inline(never)]
fn tell(name: &'static str) {
    let mut frames = Vec::new();
    backtrace::trace(|frame| {
        frames.push(frame.ip() as u64);
        true
    });
    let inside = |ip: &u64| {
        let mut is = false;
        backtrace::resolve(*ip as *mut c_void, |symbol| {
            is |= symbol
                .name()
                .is_some_and(|found| found.to_string().contains(name));
        });
        is
    };
    let begin = frames.iter().position(inside).unwrap();
    let told = Told {
        // SAFETY: takes nothing, cannot fail.
        tid: unsafe { libc::syscall(libc::SYS_gettid) } as u32,
        frames: frames.split_off(begin),
    };
    TOLD.lock().unwrap().push((name, told));
}

#[inline(never)]
fn wait_for_a_mutex() {
    tell("wait_for_a_mutex");
    drop(black_box(LOCKED.lock()));
}

#[inline(never)]
fn wait_for_a_condition() {
    tell("wait_for_a_condition");
    let done = |_: &mut ()| !DONE.load(Ordering::SeqCst);
    drop(black_box(RANG.wait_while(BELL.lock().unwrap(), done)));
}

#[inline(never)]
fn wait_for_a_message(from: &mpsc::Receiver<()>) {
    tell("wait_for_a_message");
    _ = black_box(from.recv());
}

#[inline(never)]
fn wait_for_bytes(mut from: std::io::PipeReader) {
    tell("wait_for_bytes");
    _ = black_box(from.read(&mut [0; 8]));
}

#[inline(never)]
fn sleep_long() {
    tell("sleep_long");
    std::thread::sleep(Duration::from_secs(3600));
}

#[inline(never)]
fn spin_round() {
    tell("spin_round");
    while !DONE.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

#[inline(never)]
fn go_deep(depth: u32) -> u32 {
    if depth == 0 {
        wait_deep_down();
    }
    black_box(depth.checked_sub(1).map_or(0, go_deep)) + 1
}

#[inline(never)]
fn wait_deep_down() {
    tell("wait_deep_down");
    std::thread::sleep(Duration::from_secs(3600));
}

/// A frame that realigns its stack, whose rule does not fit the packed form.
#[inline(never)]
fn on_a_large_frame() {
    let mut room = [0u8; 200_000];
    black_box(&mut room);
    wait_on_a_large_frame();
    black_box(&mut room);
}

#[inline(never)]
fn wait_on_a_large_frame() {
    tell("wait_on_a_large_frame");
    std::thread::sleep(Duration::from_secs(3600));
}

extern "C" fn compare_in_qsort(_: *const c_void, _: *const c_void) -> i32 {
    tell("compare_in_qsort");
    std::thread::sleep(Duration::from_secs(3600));
    0
}

#[inline(never)]
fn sort_in_c() {
    let mut numbers = [2u32, 1];
    // SAFETY: two elements of four bytes, and a comparison that touches neither.
    unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 2, 4, Some(compare_in_qsort)) };
}

extern "C" fn handle_a_signal(_: i32) {
    tell("handle_a_signal");
    std::thread::sleep(Duration::from_secs(3600));
}

#[inline(never)]
fn raise_a_signal() {
    // SAFETY: the handler has a handler's signature; what it does is fit for a signal raised at this place.
    unsafe {
        libc::signal(libc::SIGUSR1, handle_a_signal as *const () as usize);
        libc::raise(libc::SIGUSR1);
    }
}

/// Names whose frames must be in the stack of the thread that told its name, and the system calls it may wait in.
const FUTEX: &[u32] = &[libc::SYS_futex as u32];
const SLEEP: &[u32] = &[libc::SYS_clock_nanosleep as u32, libc::SYS_nanosleep as u32];
const CASES: &[(&str, &[&str], &[u32])] = &[
    ("wait_for_a_mutex", &[], FUTEX),
    ("wait_for_a_condition", &[], FUTEX),
    ("wait_for_a_message", &[], FUTEX),
    ("wait_for_bytes", &[], &[libc::SYS_read as u32]),
    ("sleep_long", &[], SLEEP),
    ("spin_round", &[], &[]),
    ("wait_deep_down", &["go_deep"], SLEEP),
    ("wait_on_a_large_frame", &["on_a_large_frame"], SLEEP),
    ("compare_in_qsort", &["qsort", "sort_in_c"], SLEEP),
    ("handle_a_signal", &["raise_a_signal"], SLEEP),
];

fn start(pipe: std::io::PipeReader, channel: mpsc::Receiver<()>) {
    let held = LOCKED.lock().unwrap();
    std::thread::spawn(wait_for_a_mutex);
    std::mem::forget(held);
    std::thread::spawn(wait_for_a_condition);
    std::thread::spawn(move || wait_for_a_message(&channel));
    std::thread::spawn(move || wait_for_bytes(pipe));
    std::thread::spawn(sleep_long);
    std::thread::spawn(spin_round);
    std::thread::spawn(|| go_deep(50));
    std::thread::spawn(on_a_large_frame);
    std::thread::spawn(sort_in_c);
    std::thread::spawn(raise_a_signal);
}

/// Stops the world and looks. What is seen is copied out of the arena.
fn look() -> Vec<Thread> {
    static GENERATION: AtomicU32 = AtomicU32::new(0);
    let seen = {
        let _arena = arena::enter();
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed) + 1;
        let pause = Pause::begin(generation, Duration::from_secs(30)).unwrap();
        let (threads, gap) = internals::threads_of(&pause);
        drop(pause);
        assert_eq!(gap, None);
        threads
    };
    seen.clone()
}

/// Whether each thread waits where it must, or what it does instead.
fn judge(threads: &[Thread]) -> Result<(), String> {
    let told = TOLD.lock().unwrap();
    for (name, through, calls) in CASES {
        let (_, told) = told.iter().find(|(told, _)| told == name).ok_or(*name)?;
        let thread = threads
            .iter()
            .find(|thread| thread.tid == told.tid)
            .ok_or(*name)?;
        waits(thread, calls).map_err(|wrong| format!("{name} {wrong}: {thread:?}"))?;
        agrees(thread, told).map_err(|wrong| format!("{name}: {wrong}"))?;
        let names = names(thread);
        for wanted in [name].into_iter().chain(*through) {
            if !names.iter().any(|found| found.contains(wanted)) {
                return Err(format!("{name}: no {wanted} in {names:#?}"));
            }
        }
    }
    Ok(())
}

fn waits(thread: &Thread, calls: &[u32]) -> Result<(), &'static str> {
    match thread.doing {
        Doing::Running if calls.is_empty() => Ok(()),
        Doing::Calling(Some(number)) if calls.contains(&number) => Ok(()),
        // The C library's `syscall` takes the number as an argument, which is gone by then.
        Doing::Calling(None) if calls == FUTEX => Ok(()),
        _ => Err("does something else"),
    }
}

/// The frames from the function's caller outwards are those that `_Unwind_Backtrace` named; the function's own has gone on.
fn agrees(thread: &Thread, told: &Told) -> Result<(), String> {
    if thread.stack.marks.truncated() {
        return Err(format!("truncated: {:?}", names(thread)));
    }
    let outer = &told.frames[1..];
    let walked: Vec<u64> = thread.stack.frames.iter().map(|frame| frame.0).collect();
    // It names the outermost frame of a thread, which has no caller, or not: as the C library was built.
    let outer = outer.strip_suffix(&[0]).unwrap_or(outer);
    if walked.ends_with(outer) || is_signal(outer, &walked) {
        return Ok(());
    }
    Err(format!("walked {walked:#x?}\nunwound {outer:#x?}"))
}

/// An interrupted instruction is kept as the byte behind its first, and unwound as its own address.
fn is_signal(unwound: &[u64], walked: &[u64]) -> bool {
    let Some(begin) = walked.len().checked_sub(unwound.len()) else {
        return false;
    };
    let pairs = unwound.iter().zip(&walked[begin..]);
    let odd = pairs
        .filter(|(unwound, walked)| unwound != walked)
        .collect::<Vec<_>>();
    matches!(odd[..], [(unwound, walked)] if unwound + 1 == *walked)
}

fn names(thread: &Thread) -> Vec<String> {
    let mut names = Vec::new();
    for frame in &thread.stack.frames {
        backtrace::resolve((frame.0 - 1) as *mut c_void, |symbol| {
            names.extend(symbol.name().map(|name| name.to_string()));
        });
    }
    names
}

/// One test, because it stops the whole process.
#[test]
fn threads_are_found_where_they_wait() {
    arena::reserve().unwrap();
    internals::prepare_to_stop().unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let (_sender, receiver) = mpsc::channel();
    start(reader, receiver);
    let late = Instant::now() + Duration::from_secs(60);
    loop {
        match judge(&look()) {
            Ok(()) => break,
            Err(wrong) if Instant::now() > late => panic!("{wrong}"),
            Err(_) => std::thread::yield_now(),
        }
    }
    // Again and again: interrupted waits are entered anew, at other instructions.
    for _ in 0..20 {
        let threads = look();
        let told = TOLD.lock().unwrap();
        for (_, told) in told.iter() {
            let thread = threads
                .iter()
                .find(|thread| thread.tid == told.tid)
                .unwrap();
            agrees(thread, told).unwrap();
        }
    }
}
