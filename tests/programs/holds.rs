//! Small heaps of which it is known who holds what: one type a case, so that a test finds each by its name. What is lost here
//! is lost on purpose.
#![expect(unsafe_code, reason = "what it holds, safe Rust does not let go of")]

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use crate::{go_on, say_whether_active};

/// A type a case, of a size of its own in words: of types that are alike, optimised code is merged, and then has the name of one.
macro_rules! cases {
    ($($name:ident $words:literal),*) => {
        $(#[derive(Default)] struct $name { _room: [u64; $words] })*
    };
}

cases! {
    InVector 6, InStatic 7, InThreadLocal 8, OnStack 9, InRegister 10, InVectorRegister 11, Inside 12,
    PastTheEnd 13, Tagged 14, Mixed 15, UpperBits 16, GivenToC 17, InMapping 18, KeptFromCopies 19,
    GivenToKernel 20, Forgotten 21, Inner 22, WeakAlone 23, WeakToo 24, InField 25, WeakInStatic 26,
    InSpareRoom 27, AsNumber 28, AsNumberToo 29
}

/// Holds something by a field of its own.
struct Registry {
    limit: u64,
    slots: Vec<Option<Box<InField>>>,
}

/// Holds another, and is lost.
struct Outer {
    _inner: Box<Inner>,
}

/// Holds itself through another.
struct Parent {
    child: RefCell<Option<Rc<Child>>>,
}

struct Child {
    _parent: Rc<Parent>,
}

static IN_STATIC: Mutex<Option<Box<InStatic>>> = Mutex::new(None);
#[expect(clippy::vec_box, reason = "blocks of their own are what a test counts")]
static IN_VECTOR: Mutex<Vec<Box<InVector>>> = Mutex::new(Vec::new());
static WEAK_ALONE: Mutex<Vec<Weak<WeakAlone>>> = Mutex::new(Vec::new());
static WEAK_TOO: Mutex<Vec<Weak<WeakToo>>> = Mutex::new(Vec::new());
static STRONG: Mutex<Vec<Arc<WeakToo>>> = Mutex::new(Vec::new());
static IN_FIELD: Mutex<Registry> = Mutex::new(Registry {
    limit: 4,
    slots: Vec::new(),
});
static WEAK_IN_STATIC: Mutex<Option<Weak<WeakInStatic>>> = Mutex::new(None);
#[expect(clippy::vec_box, reason = "blocks of their own are what a test counts")]
static SPARE_ROOM: Mutex<Vec<Box<InSpareRoom>>> = Mutex::new(Vec::new());
static NUMBERS: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static NUMBERED_TOO: Mutex<Option<Box<AsNumberToo>>> = Mutex::new(None);
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static PAST_THE_END: AtomicUsize = AtomicUsize::new(0);
static TAGGED: AtomicUsize = AtomicUsize::new(0);
static MIXED: AtomicUsize = AtomicUsize::new(0);
static UPPER_BITS: AtomicUsize = AtomicUsize::new(0);
static MAPPING: AtomicUsize = AtomicUsize::new(0);
static GIVEN: AtomicUsize = AtomicUsize::new(0);
static READY: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IN_THREAD_LOCAL: Cell<Option<Box<InThreadLocal>>> = const { Cell::new(None) };
}

/// What is mixed into an address so that it does not read as one.
const KEY: usize = 0x5a5a_5a5a_5a5a_5a5a;

pub(crate) fn holds() {
    let agent = sigheap::install();
    say_whether_active(agent);
    held();
    stale();
    hidden();
    given_away();
    lost();
    thread::spawn(on_a_stack);
    thread::spawn(in_registers);
    while READY.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    scrub();
    // What nobody reads a compiler leaves out.
    black_box((&INSIDE, &PAST_THE_END, &TAGGED, &MIXED));
    black_box((&UPPER_BITS, &MAPPING, &GIVEN));
    println!("holds all");
    go_on();
}

#[inline(never)]
fn held() {
    *IN_STATIC.lock().expect("nobody panics") = Some(black_box(Box::default()));
    let mut registry = IN_FIELD.lock().expect("nobody panics");
    registry.slots.push(Some(black_box(Box::default())));
    registry.limit += 1;
    let many = (0..500).map(|_| Box::default());
    *IN_VECTOR.lock().expect("nobody panics") = black_box(many.collect());
    IN_THREAD_LOCAL.set(Some(black_box(Box::default())));
    let (alone, too) = (black_box(Arc::default()), black_box(Arc::default()));
    WEAK_ALONE
        .lock()
        .expect("nobody panics")
        .push(Arc::downgrade(&alone));
    WEAK_TOO
        .lock()
        .expect("nobody panics")
        .push(Arc::downgrade(&too));
    STRONG.lock().expect("nobody panics").push(too);
    INSIDE.store(address(Box::<Inside>::default()) + 17, Ordering::SeqCst);
    PAST_THE_END.store(
        address(Box::<PastTheEnd>::default()) + size_of::<PastTheEnd>(),
        Ordering::SeqCst,
    );
    TAGGED.store(address(Box::<Tagged>::default()) | 1, Ordering::SeqCst);
}

/// What words lead to of which it is known that they are no pointers, and a weak one.
#[inline(never)]
fn stale() {
    let weak = black_box(Arc::<WeakInStatic>::default());
    *WEAK_IN_STATIC.lock().expect("nobody panics") = Some(Arc::downgrade(&weak));
    let mut room = SPARE_ROOM.lock().expect("nobody panics");
    room.push(black_box(Box::default()));
    // Where it stood the vector's buffer still has its address.
    std::mem::forget(room.pop());
    let mut numbers = NUMBERS.lock().expect("nobody panics");
    numbers.push(address(Box::<AsNumber>::default()) as u64);
    let too = Box::<AsNumberToo>::default();
    numbers.push(&raw const *too as u64);
    *NUMBERED_TOO.lock().expect("nobody panics") = Some(too);
}

/// What is held in a way that no scan sees.
#[inline(never)]
fn hidden() {
    MIXED.store(mixed::<Mixed>(), Ordering::SeqCst);
    UPPER_BITS.store(
        address(Box::<UpperBits>::default()) | 1 << 63,
        Ordering::SeqCst,
    );
}

#[inline(never)]
fn given_away() {
    // SAFETY: room for two words is asked for and written; of each page the first word is written; the kernel copies the event.
    unsafe {
        let room = black_box(libc::malloc(16)).cast::<usize>();
        assert!(!room.is_null(), "there is memory");
        room.write(address(Box::<GivenToC>::default()));
        // As a C library does, which keeps its own objects where Rust cannot see them.
        GIVEN.store(room as usize ^ KEY, Ordering::SeqCst);
        let page = page();
        page.write(address(Box::<InMapping>::default()));
        MAPPING.store(page as usize ^ KEY, Ordering::SeqCst);
        let page = self::page();
        assert_eq!(libc::madvise(page.cast(), PAGE, libc::MADV_DONTFORK), 0);
        page.write(address(Box::<KeptFromCopies>::default()));
        let (poll, pipe) = (libc::epoll_create1(0), libc::eventfd(0, 0));
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: address(Box::<GivenToKernel>::default()) as u64,
        };
        assert_eq!(
            libc::epoll_ctl(poll, libc::EPOLL_CTL_ADD, pipe, &raw mut event),
            0,
            "it is added"
        );
        // It lies on this stack, too.
        event.u64 = 0;
        black_box(&event);
    }
}

const PAGE: usize = 4096;

/// A mapping of the program's own.
fn page() -> *mut usize {
    // SAFETY: a new mapping at an address of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    assert_ne!(page, libc::MAP_FAILED, "there is memory");
    page.cast()
}

#[inline(never)]
fn lost() {
    for _ in 0..20 {
        std::mem::forget(black_box(Box::<Forgotten>::default()));
        std::mem::forget(black_box(Box::new(Outer {
            _inner: Box::default(),
        })));
        let parent = Rc::new(Parent {
            child: RefCell::new(None),
        });
        let child = Rc::new(Child {
            _parent: Rc::clone(&parent),
        });
        *parent.child.borrow_mut() = Some(child);
    }
}

fn on_a_stack() {
    let here = black_box(Box::<OnStack>::default());
    READY.fetch_add(1, Ordering::SeqCst);
    loop {
        thread::park();
        black_box(&here);
    }
}

/// Nothing but two registers holds them, in a loop that calls nothing.
fn in_registers() {
    let (one, two) = (mixed::<InRegister>(), mixed::<InVectorRegister>());
    scrub();
    turn(one, two);
}

/// Takes both apart from their key, and turns in a circle.
#[inline(never)]
fn turn(one: usize, two: usize) {
    // SAFETY: it counts up a word that lives for ever; what it moves between registers it does not follow.
    unsafe {
        std::arch::asm!(
            "xor {two}, {key}",
            "movq xmm5, {two}",
            "xor {two}, {two}",
            "xor {one}, {key}",
            "lock inc qword ptr [{ready}]",
            "2: pause",
            "jmp 2b",
            one = in(reg) one,
            two = in(reg) two,
            key = in(reg) KEY,
            ready = in(reg) READY.as_ptr(),
            options(noreturn)
        );
    }
}

/// The address of a new block, in a form that does not read as one.
#[inline(never)]
fn mixed<T: Default>() -> usize {
    address(Box::<T>::default()) ^ KEY
}

fn address<T>(value: Box<T>) -> usize {
    Box::into_raw(black_box(value)) as usize
}

/// Writes over what calls left below on the stack.
#[inline(never)]
fn scrub() {
    black_box([0u64; 4096]);
}
