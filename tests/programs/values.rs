//! A program that keeps a value of every kind where `show` finds it.

#![expect(dead_code, reason = "the fields are read from outside")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI16, AtomicPtr, AtomicU64};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, RwLock, Weak};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::{go_on, say_whether_active};

static SHELF: Mutex<Option<Shelf>> = Mutex::new(None);
static SET: OnceLock<u32> = OnceLock::new();
static UNSET: OnceLock<u32> = OnceLock::new();
static LAZY: LazyLock<Vec<u16>> = LazyLock::new(|| vec![7, 8, 9]);
static NOT_ASKED: LazyLock<String> = LazyLock::new(String::new);

/// Longer than any stack is deep.
static CHAIN: Mutex<Option<Box<Link>>> = Mutex::new(None);

struct Link {
    number: u32,
    next: Option<Box<Link>>,
}

pub(crate) fn keep() {
    say_whether_active(sigheap::install());
    let add = |next, number| Some(Box::new(Link { number, next }));
    *CHAIN.lock().expect("nobody panicked") = (0..50_000).fold(None, add);
    SET.get_or_init(|| 42);
    println!("{} asked for", LAZY.len());
    *SHELF.lock().expect("nobody panicked") = Some(Shelf::new());
    std::hint::black_box((&UNSET, &NOT_ASKED, Kind::variants()));
    go_on();
}

struct Shelf {
    plain: Plain,
    texts: Texts,
    lists: Lists,
    maps: Maps,
    pointers: Pointers,
    cells: Cells,
    kinds: Vec<Kind>,
    code: Code,
}

struct Plain {
    byte: u8,
    negative: i64,
    huge: u128,
    float: f64,
    yes: bool,
    letter: char,
    pair: (u16, &'static str),
    nothing: (),
    array: [i32; 3],
    span: Duration,
    small: Small,
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Small {
    One = 1,
    Far = 200,
}

struct Texts {
    owned: String,
    quoted: String,
    borrowed: &'static str,
    boxed: Box<str>,
    shared: Arc<str>,
    bytes: Vec<u8>,
    path: PathBuf,
    empty: String,
}

struct Lists {
    numbers: Vec<u64>,
    structs: Vec<Plainest>,
    nested: Vec<Vec<u8>>,
    none: Vec<u32>,
    ring: VecDeque<u16>,
    linked: LinkedList<u8>,
    heap: BinaryHeap<u32>,
    boxed: Box<[u32]>,
    shared: Arc<[u32]>,
    borrowed: &'static [u16],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Plainest {
    x: u32,
    y: u32,
}

struct Maps {
    by_text: HashMap<String, u32>,
    by_number: HashMap<u64, Plainest>,
    set: HashSet<u8>,
    tree: BTreeMap<u32, String>,
    tree_set: BTreeSet<&'static str>,
    empty: HashMap<u8, u8>,
    no_tree: BTreeMap<u8, u8>,
}

struct Pointers {
    boxed: Box<Plainest>,
    counted: Arc<Plainest>,
    again: Arc<Plainest>,
    weak: Weak<Plainest>,
    gone: Weak<Plainest>,
    never: Weak<Plainest>,
    shape: Box<dyn Shape + Send>,
    shared_shape: Arc<dyn Shape + Send + Sync>,
    raw: AtomicPtr<Plainest>,
    function: fn(u8) -> u8,
}

struct Cells {
    cell: Cell<i8>,
    borrowed: RefCell<Vec<u8>>,
    free: RefCell<u32>,
    unlocked: Mutex<u32>,
    read_write: RwLock<String>,
    flag: AtomicBool,
    count: AtomicU64,
    negative: AtomicI16,
}

enum Kind {
    Unit,
    Tuple(u32, String),
    Named { x: i8, y: Option<Box<u64>> },
    Niche(Option<NonZeroU32>),
    Result(Result<u8, String>),
}

impl Kind {
    fn variants() -> Vec<Kind> {
        vec![
            Kind::Unit,
            Kind::Tuple(7, "seven".to_owned()),
            Kind::Named {
                x: -3,
                y: Some(Box::new(9)),
            },
            Kind::Named { x: 4, y: None },
            Kind::Niche(None),
            Kind::Niche(NonZeroU32::new(5)),
            Kind::Result(Ok(1)),
            Kind::Result(Err("wrong".to_owned())),
        ]
    }
}

trait Shape {
    fn area(&self) -> f64;
}

struct Square {
    side: f64,
}

impl Shape for Square {
    fn area(&self) -> f64 {
        self.side * self.side
    }
}

struct Code {
    closure: Box<dyn Fn(u32) -> u32 + Send>,
    future: Pin<Box<dyn Future<Output = u32> + Send>>,
}

async fn outer(number: u32) -> u32 {
    let local = format!("local {number}");
    inner(&local).await;
    local.len() as u32
}

async fn inner(text: &str) {
    std::future::pending::<()>().await;
    println!("{text}");
}

fn increment(n: u8) -> u8 {
    n + 1
}

impl Shelf {
    fn new() -> Shelf {
        let point = Plainest { x: 1, y: 2 };
        let counted = Arc::new(point);
        let borrowed = RefCell::new(vec![1, 2]);
        std::mem::forget(borrowed.borrow_mut());
        let captured = "captured".to_owned();
        let mut future: Pin<Box<dyn Future<Output = u32> + Send>> = Box::pin(outer(3));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let boxed = Box::new(point);
        let square = || Square { side: 1.5 };
        println!("{}", square().area() + f64::from(increment(1)));
        let mut ring: VecDeque<u16> = (0..8).collect();
        ring.drain(..6);
        ring.extend(8..12);
        Shelf {
            plain: Plain {
                byte: 255,
                negative: -5,
                huge: 1 << 100,
                float: 0.5,
                yes: true,
                letter: 'ß',
                pair: (3, "three"),
                nothing: (),
                array: [1, -2, 3],
                span: Duration::from_millis(1500),
                small: if captured.is_empty() {
                    Small::One
                } else {
                    Small::Far
                },
            },
            texts: Texts {
                owned: "an owned text".to_owned(),
                quoted: "a \"quoted\"\nline\u{1b}".to_owned(),
                borrowed: "borrowed",
                boxed: "boxed".into(),
                shared: "shared".into(),
                bytes: b"GET /\r\n\xff".to_vec(),
                path: "/tmp/x".into(),
                empty: String::new(),
            },
            lists: Lists {
                numbers: (0..100).collect(),
                structs: vec![point, Plainest { x: 3, y: 4 }],
                nested: vec![vec![b'a'], vec![]],
                none: Vec::new(),
                ring,
                linked: LinkedList::from([1, 2, 3]),
                heap: BinaryHeap::from([1, 5, 3]),
                boxed: Box::new([4, 5]),
                shared: Arc::new([6, 7, 8]),
                borrowed: &[9, 10],
            },
            maps: Maps {
                by_text: [("one".to_owned(), 1), ("two words".to_owned(), 2)].into(),
                by_number: (0..1000)
                    .map(|n| (n, Plainest { x: n as u32, y: 0 }))
                    .collect(),
                set: HashSet::from([4]),
                tree: (0..500).map(|n| (n, n.to_string())).collect(),
                tree_set: BTreeSet::from(["b", "a"]),
                empty: HashMap::new(),
                no_tree: BTreeMap::new(),
            },
            pointers: Pointers {
                raw: AtomicPtr::new((&raw const *boxed).cast_mut()),
                boxed,
                weak: Arc::downgrade(&counted),
                again: Arc::clone(&counted),
                counted,
                gone: Arc::downgrade(&Arc::new(point)),
                never: Weak::new(),
                shape: Box::new(square()),
                shared_shape: Arc::new(square()),
                function: increment,
            },
            cells: Cells {
                cell: Cell::new(-1),
                borrowed,
                free: RefCell::new(6),
                unlocked: Mutex::new(5),
                read_write: RwLock::new("rw".to_owned()),
                flag: AtomicBool::new(true),
                count: AtomicU64::new(77),
                negative: AtomicI16::new(-2),
            },
            kinds: Kind::variants(),
            code: Code {
                closure: Box::new(move |n| n + captured.len() as u32),
                future,
            },
        }
    }
}
