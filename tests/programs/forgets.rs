//! `Rc`s and `Arc`s of which it is known which are forgotten, and which only look so: one type a case, each of a size of its
//! own, so that a test finds it by its name.
#![expect(
    clippy::mem_forget,
    unsafe_code,
    reason = "what is forgotten here is what a test finds"
)]

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::thread;

use crate::{go_on, say_whether_active};

macro_rules! cases {
    ($($name:ident $words:literal),*) => {
        $(#[derive(Default)] struct $name { _room: [u64; $words] })*
    };
}

cases! {
    ForgottenClones 11, ForgottenWhole 12, ForgottenRc 13, InStatic 14, OnStack 15, InThreadLocal 16,
    InChannel 17, InFuture 18, RawInStatic 19, GivenToC 20, InMap 21
}

/// Clones that are forgotten of one value.
const CLONES: usize = 40;

static CLONES_KEPT: Mutex<Vec<Arc<ForgottenClones>>> = Mutex::new(Vec::new());
static IN_STATIC: Mutex<Vec<Arc<InStatic>>> = Mutex::new(Vec::new());
static IN_MAP: Mutex<std::collections::BTreeMap<u64, Arc<InMap>>> =
    Mutex::new(std::collections::BTreeMap::new());
static CHANNEL: Mutex<Option<Receiver<Arc<InChannel>>>> = Mutex::new(None);
static FUTURE: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>> = Mutex::new(None);
static RAW: AtomicUsize = AtomicUsize::new(0);
static C: AtomicUsize = AtomicUsize::new(0);
static READY: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static RC: RefCell<Option<Rc<ForgottenRc>>> = const { RefCell::new(None) };
    static LOCAL: RefCell<Vec<Arc<InThreadLocal>>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn forgets() {
    say_whether_active(sigheap::install());
    forgotten();
    kept();
    thread::spawn(on_a_stack);
    while READY.load(Ordering::SeqCst) < 1 {
        thread::yield_now();
    }
    scrub();
    black_box((&RAW, &C));
    println!("forgets all");
    go_on();
}

#[inline(never)]
fn forgotten() {
    let one = black_box(Arc::<ForgottenClones>::default());
    for _ in 0..CLONES {
        std::mem::forget(Arc::clone(&one));
    }
    CLONES_KEPT.lock().expect("nobody panics").push(one);
    for _ in 0..20 {
        std::mem::forget(black_box(Arc::<ForgottenWhole>::default()));
    }
    let counted = black_box(Rc::<ForgottenRc>::default());
    for _ in 0..CLONES {
        _ = black_box(Rc::into_raw(Rc::clone(&counted)));
    }
    RC.set(Some(counted));
}

#[inline(never)]
fn kept() {
    let one = black_box(Arc::<InStatic>::default());
    *IN_STATIC.lock().expect("nobody panics") = (0..100).map(|_| Arc::clone(&one)).collect();
    let one = black_box(Arc::<InMap>::default());
    let entries = (0..100).map(|key| (key, Arc::clone(&one)));
    *IN_MAP.lock().expect("nobody panics") = entries.collect();
    let one = black_box(Arc::<InThreadLocal>::default());
    LOCAL.set((0..100).map(|_| Arc::clone(&one)).collect());
    let (sender, receiver) = channel();
    let one = black_box(Arc::<InChannel>::default());
    for _ in 0..100 {
        sender.send(Arc::clone(&one)).expect("it is received");
    }
    *CHANNEL.lock().expect("nobody panics") = Some(receiver);
    let one = black_box(Arc::<InFuture>::default());
    let again = Arc::clone(&one);
    let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
        std::future::pending::<()>().await;
        black_box((one, again));
    });
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    *FUTURE.lock().expect("nobody panics") = Some(future);
    let one = black_box(Arc::<RawInStatic>::default());
    RAW.store(Arc::into_raw(one) as usize, Ordering::SeqCst);
    // SAFETY: room for a word is asked for and written.
    unsafe {
        let room = black_box(libc::malloc(16)).cast::<usize>();
        assert!(!room.is_null(), "there is memory");
        room.write(Arc::into_raw(black_box(Arc::<GivenToC>::default())) as usize);
        C.store(room as usize, Ordering::SeqCst);
    }
}

#[inline(never)]
fn on_a_stack() {
    let one = black_box(Arc::<OnStack>::default());
    let again = [Arc::clone(&one), Arc::clone(&one)];
    READY.fetch_add(1, Ordering::SeqCst);
    loop {
        thread::park();
        black_box((&one, &again));
    }
}

/// Writes over what calls left below on the stack.
#[inline(never)]
fn scrub() {
    black_box([0u64; 4096]);
}
