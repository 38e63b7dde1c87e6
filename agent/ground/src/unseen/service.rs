//! Parts of a service, written as one writes them: each is used a little, and its blocks are told by where its fields point.

use std::any::Any;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex, RwLock};

use crate::case::{Case, at, case, others, rest};

/// Where the block of something shared begins: its counts come first.
fn counted<T: ?Sized>(of: *const T, owner: impl Into<String>) -> (usize, String) {
    (of.cast::<u8>() as usize - 16, owner.into())
}

/// A type of this module.
fn own(name: &str) -> String {
    format!("{}::{name}", module_path!())
}

fn names() -> Vec<String> {
    let all = black_box(["ann", "bob", "cid", "dora", "eve", "fay", "gus", "hal"]);
    all.iter().map(|name| (*name).to_string()).collect()
}

// Who is logged in.

struct Session {
    user: String,
    roles: Vec<Role>,
    peer: Option<Box<Peer>>,
    inbox: Mutex<VecDeque<Letter>>,
}

#[derive(Clone, Copy)]
#[expect(dead_code, reason = "a part of a vector's buffer")]
enum Role {
    Reader { since: u32 },
    Writer(u32),
    Admin,
}

#[expect(dead_code, reason = "what a box holds")]
struct Peer {
    address: [u8; 16],
    port: u16,
}

struct Letter {
    _from: u64,
    text: Box<str>,
}

#[derive(Default)]
struct Sessions {
    by_id: RwLock<HashMap<u128, Arc<Session>>>,
}

impl Sessions {
    fn open(&self, id: u128, user: &str) -> Arc<Session> {
        let session = Arc::new(Session {
            user: user.to_owned(),
            roles: vec![Role::Admin, Role::Writer(1), Role::Reader { since: 3 }],
            peer: id.is_multiple_of(2).then(|| {
                Box::new(Peer {
                    address: [1; 16],
                    port: 80,
                })
            }),
            inbox: Mutex::default(),
        });
        self.by_id.write().unwrap().insert(id, session.clone());
        session
    }

    fn tell(&self, to: u128, text: &str) {
        if let Some(session) = self.by_id.read().unwrap().get(&to) {
            let text = Box::from(text);
            session
                .inbox
                .lock()
                .unwrap()
                .push_back(Letter { _from: 1, text });
        }
    }
}

fn sessions(out: &mut Vec<Case>) {
    case!(
        out,
        "sessions",
        |made: &Arc<Sessions>| {
            let mut known = vec![
                counted(Arc::as_ptr(made), format!("Arc<{}>", own("Sessions"))),
                others(format!("HashMap<u128, Arc<{}>>", own("Session"))),
            ];
            for one in made.by_id.read().unwrap().values() {
                let inbox = one.inbox.lock().unwrap();
                known.push(counted(
                    Arc::as_ptr(one),
                    format!("Arc<{}>", own("Session")),
                ));
                known.push(at(one.user.as_ptr(), "String"));
                known.push(at(one.roles.as_ptr(), format!("Vec<{}>", own("Role"))));
                known.push(at(
                    inbox.as_slices().0.as_ptr(),
                    format!("VecDeque<{}>", own("Letter")),
                ));
                known.extend(
                    inbox
                        .iter()
                        .map(|letter| at(letter.text.as_ptr(), "Box<str>")),
                );
                let peer = one.peer.as_deref();
                known.extend(peer.map(|peer| at(peer, format!("Box<{}>", own("Peer")))));
            }
            known
        },
        {
            let all = Arc::new(Sessions::default());
            for (number, name) in names().iter().enumerate() {
                all.open(number as u128, name);
                all.tell(number as u128, name);
            }
            all
        }
    );
}

// A cache of the program's own, with a list through its slots.

struct Slot<K, V> {
    key: K,
    value: V,
    before: usize,
    after: usize,
}

struct Cache<K, V> {
    places: HashMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    room: usize,
}

impl<K: Clone + Eq + Hash, V> Cache<K, V> {
    fn with_room(room: usize) -> Self {
        Cache {
            places: HashMap::new(),
            slots: Vec::new(),
            room,
        }
    }

    fn put(&mut self, key: K, value: V) {
        let last = self.slots.len();
        if last == self.room {
            return;
        }
        if let Some(place) = self.places.get(&key) {
            self.slots[*place].value = value;
            return;
        }
        self.places.insert(key.clone(), last);
        self.slots.push(Slot {
            key,
            value,
            before: last,
            after: 0,
        });
        black_box(self.slots[last].before + self.slots[last].after);
    }
}

fn caches(out: &mut Vec<Case>) {
    case!(
        out,
        "cache of numbers",
        |made: &Cache<u32, [u64; 3]>| {
            vec![
                at(
                    made.slots.as_ptr(),
                    format!("Vec<{}>", own("Slot<u32, [u64; 3]>")),
                ),
                others("HashMap<u32, usize>"),
            ]
        },
        {
            let mut cache = Cache::with_room(100);
            (0..black_box(30)).for_each(|key| cache.put(key, [7; 3]));
            cache
        }
    );
    case!(
        out,
        "cache of pages",
        |made: &Cache<String, Box<[u8]>>| {
            let slot = own("Slot<String, Box<[u8]>>");
            let mut known = vec![
                at(made.slots.as_ptr(), format!("Vec<{slot}>")),
                others("HashMap<String, usize>"),
            ];
            for one in &made.slots {
                known.push(at(one.key.as_ptr(), "String"));
                // Made into a box as it stands.
                known.push(at(one.value.as_ptr(), "Vec<u8>"));
            }
            known.extend(made.places.keys().map(|key| at(key.as_ptr(), "String")));
            known
        },
        {
            let mut cache = Cache::with_room(100);
            for (number, name) in names().into_iter().enumerate() {
                cache.put(name, vec![1; 10 * number + 9].into_boxed_slice());
            }
            cache
        }
    );
    case!(
        out,
        "cache of shared rows",
        |made: &Cache<(u16, u16), Arc<Row>>| {
            let slot = own(&format!("Slot<(u16, u16), Arc<{}>>", own("Row")));
            let mut known = vec![
                at(made.slots.as_ptr(), format!("Vec<{slot}>")),
                others("HashMap<(u16, u16), usize>"),
            ];
            for one in &made.slots {
                known.push(counted(
                    Arc::as_ptr(&one.value),
                    format!("Arc<{}>", own("Row")),
                ));
            }
            known
        },
        {
            let mut cache = Cache::with_room(100);
            for number in 0..black_box(9) {
                cache.put((number, number), Arc::new(Row::new(number)));
            }
            cache
        }
    );
}

#[derive(Clone, Debug, PartialEq, PartialOrd)]
struct Row {
    number: u16,
    cells: [f32; 5],
}

impl Row {
    fn new(number: u16) -> Self {
        Row {
            number,
            cells: [0.5; 5],
        }
    }
}

// What happens when.

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    due: u64,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Sweep,
    Send(Vec<u16>),
}

trait Handle {
    fn handle(&mut self, row: &Row) -> usize;
}

struct Count(usize);

struct Remember {
    rows: Vec<Row>,
}

impl Handle for Count {
    fn handle(&mut self, row: &Row) -> usize {
        self.0 += usize::from(row.number);
        self.0
    }
}

impl Handle for Remember {
    fn handle(&mut self, row: &Row) -> usize {
        self.rows.push(row.clone());
        self.rows.len()
    }
}

async fn fetch(row: Row, times: u32) -> f32 {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
    row.cells[0]
}

fn events(out: &mut Vec<Case>) {
    case!(
        out,
        "schedule",
        |made: &BinaryHeap<Reverse<Job>>| {
            let mut known = vec![others(format!(
                "BinaryHeap<core::cmp::Reverse<{}>>",
                own("Job")
            ))];
            for Reverse(job) in made {
                if let What::Send(to) = &job.what {
                    known.push(at(to.as_ptr(), "Vec<u16>"));
                }
            }
            known
        },
        {
            let mut all = BinaryHeap::new();
            for due in 0..black_box(9u64) {
                let what = match due % 3 {
                    0 => What::Sweep,
                    _ => What::Send((0..due as u16).collect()),
                };
                all.push(Reverse(Job { due, what }));
            }
            all
        }
    );
    let remember = |handler: &dyn Handle| std::ptr::from_ref(handler).cast::<u8>();
    let bus = |made: &Vec<Box<dyn Handle>>| {
        vec![
            at(made.as_ptr(), format!("Vec<Box<dyn {}>>", own("Handle"))),
            at(remember(&*made[0]), format!("Box<{}>", own("Count"))),
            at(remember(&*made[1]), format!("Box<{}>", own("Remember"))),
            others(format!("Vec<{}>", own("Row"))),
        ]
    };
    case!(out, "handlers", bus, {
        let mut all: Vec<Box<dyn Handle>> = Vec::new();
        all.push(Box::new(Count(1)));
        all.push(Box::new(Remember { rows: Vec::new() }));
        for number in 0..black_box(12) {
            for one in &mut all {
                black_box(one.handle(&Row::new(number)));
            }
        }
        all
    });
    case!(
        out,
        "registry of any",
        |made: &BTreeMap<&str, Box<dyn Any>>| {
            let place = |key: &str| std::ptr::from_ref(&*made[key]).cast::<u8>();
            vec![
                at(place("row"), format!("Box<{}>", own("Row"))),
                at(place("text"), "Box<String>"),
                at(
                    made["text"].downcast_ref::<String>().unwrap().as_ptr(),
                    "String",
                ),
                others("BTreeMap<&str, Box<dyn core::any::Any>>"),
            ]
        },
        {
            let mut all: BTreeMap<&str, Box<dyn Any>> = BTreeMap::new();
            all.insert("row", Box::new(Row::new(1)));
            all.insert("text", Box::new(format!("a text of {}", black_box(3))));
            all
        }
    );
    case!(
        out,
        "futures",
        |made: &Vec<Pin<Box<dyn Future<Output = f32> + Send>>>| {
            let future = |one: &Pin<Box<dyn Future<Output = f32> + Send>>| {
                at(
                    std::ptr::from_ref(&**one).cast::<u8>(),
                    format!("Box<async fn {}>", own("fetch")),
                )
            };
            made.iter().map(future).collect()
        },
        {
            let mut all: Vec<Pin<Box<dyn Future<Output = f32> + Send>>> = Vec::new();
            for number in 0..black_box(3) {
                all.push(Box::pin(fetch(Row::new(number), 3)));
            }
            all
        }
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    case!(out, "spawned", rest(format!("task {}", own("fetch"))), {
        runtime.spawn(fetch(Row::new(1), 2)).abort_handle()
    });
    let line = line!() + 1;
    let block = |number: u16| async move { fetch(Row::new(number), 2).await + 1.0 };
    let task = format!("task {{async block at {}:{line}}}", file!());
    case!(out, "spawned block", rest(task), {
        runtime.spawn(block(black_box(1))).abort_handle()
    });
    std::mem::forget(runtime);
    let threshold = black_box(3u16);
    let line = line!() + 1;
    let filter = move |row: &Row| row.number > threshold;
    let closure = format!("Box<closure at {}:{line}>", file!());
    case!(out, "filter", rest(closure), {
        Box::new(filter) as Box<dyn Fn(&Row) -> bool>
    });
}

// Trees, and what points back.

#[derive(Default)]
struct Trie {
    next: BTreeMap<u8, Trie>,
    ends: bool,
}

impl Trie {
    fn add(&mut self, word: &[u8]) {
        match word.split_first() {
            Some((first, rest)) => self.next.entry(*first).or_default().add(rest),
            None => self.ends = true,
        }
    }
}

struct Tree<K> {
    root: Option<Box<Branch<K>>>,
}

struct Branch<K> {
    key: K,
    less: Tree<K>,
    more: Tree<K>,
}

impl<K: Ord> Tree<K> {
    fn add(&mut self, key: K) {
        match &mut self.root {
            Some(here) if key < here.key => here.less.add(key),
            Some(here) => here.more.add(key),
            None => {
                let (less, more) = (Tree { root: None }, Tree { root: None });
                self.root = Some(Box::new(Branch { key, less, more }));
            }
        }
    }
}

struct Folder {
    name: String,
    parent: RefCell<Weak<Folder>>,
    inside: RefCell<Vec<Rc<Folder>>>,
}

impl Folder {
    fn new(name: &str) -> Rc<Self> {
        Rc::new(Folder {
            name: name.into(),
            parent: RefCell::default(),
            inside: RefCell::default(),
        })
    }

    fn add(self: &Rc<Self>, name: &str) -> Rc<Self> {
        let made = Folder::new(name);
        *made.parent.borrow_mut() = Rc::downgrade(self);
        self.inside.borrow_mut().push(made.clone());
        made
    }
}

fn folders(of: &Rc<Folder>, known: &mut Vec<(usize, String)>) {
    let folder = own("Folder");
    known.push(counted(Rc::as_ptr(of), format!("Rc<{folder}>")));
    known.push(at(of.name.as_ptr(), "String"));
    let inside = of.inside.borrow();
    if !inside.is_empty() {
        known.push(at(inside.as_ptr(), format!("Vec<Rc<{folder}>>")));
    }
    inside.iter().for_each(|one| folders(one, known));
}

fn trees(out: &mut Vec<Case>) {
    let trie = format!("BTreeMap<u8, {}>", own("Trie"));
    case!(out, "trie", rest(trie), {
        let mut all = Trie::default();
        for word in ["one", "only", "once", "two", "twelve"] {
            all.add(black_box(word).as_bytes());
        }
        black_box(all.ends);
        all
    });
    case!(
        out,
        "tree of numbers",
        rest(format!("Box<{}>", own("Branch<i32>"))),
        {
            let mut all = Tree { root: None };
            [5, 2, 8, 1, 9]
                .into_iter()
                .for_each(|key| all.add(black_box(key)));
            all
        }
    );
    case!(
        out,
        "tree of pairs",
        rest(format!("Box<{}>", own("Branch<(u64, char)>"))),
        {
            let mut all = Tree { root: None };
            let keys: [(u64, char); 3] = [(5, 'a'), (2, 'b'), (8, 'c')];
            keys.into_iter().for_each(|key| all.add(black_box(key)));
            all
        }
    );
    case!(
        out,
        "folders",
        |made: &Rc<Folder>| {
            let mut known = Vec::new();
            folders(made, &mut known);
            known
        },
        {
            let root = Folder::new(black_box("root"));
            let home = root.add("home");
            for name in ["ann", "bob"] {
                home.add(black_box(name)).add("notes");
            }
            root
        }
    );
    case!(
        out,
        "itself",
        |made: &Arc<Watcher>| {
            vec![
                counted(Arc::as_ptr(made), format!("Arc<{}>", own("Watcher"))),
                others("VecDeque<(u64, u64)>"),
            ]
        },
        {
            Arc::new_cyclic(|me| Watcher {
                _me: me.clone(),
                _seen: RefCell::new(VecDeque::with_capacity(black_box(7))),
            })
        }
    );
}

struct Watcher {
    _me: std::sync::Weak<Watcher>,
    _seen: RefCell<VecDeque<(u64, u64)>>,
}

// A small language.

enum Expr {
    Number(f64),
    Name(String),
    Binary(Box<Expr>, char, Box<Expr>),
    Call(Rc<str>, Vec<Expr>),
}

struct Parser<'a> {
    words: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl Parser<'_> {
    fn expression(&mut self) -> Expr {
        let left = self.atom();
        match self.words.next_if(|word| ["+", "*"].contains(word)) {
            Some(operator) => {
                let right = self.expression();
                Expr::Binary(
                    Box::new(left),
                    operator.chars().next().unwrap(),
                    Box::new(right),
                )
            }
            None => left,
        }
    }

    fn atom(&mut self) -> Expr {
        let word = self.words.next().unwrap();
        if let Ok(number) = word.parse() {
            return Expr::Number(number);
        }
        if self.words.next_if_eq(&"(").is_none() {
            return Expr::Name(word.to_lowercase());
        }
        let mut arguments = Vec::new();
        while self.words.next_if_eq(&")").is_none() {
            arguments.push(self.expression());
        }
        Expr::Call(Rc::from(word), arguments)
    }
}

fn expressions(of: &Expr, known: &mut Vec<(usize, String)>) {
    let expr = own("Expr");
    match of {
        Expr::Number(number) => {
            black_box(number);
        }
        Expr::Name(name) => known.push(at(name.as_ptr(), "String")),
        Expr::Binary(left, operator, right) => {
            black_box(operator);
            for side in [left, right] {
                known.push(at(&raw const **side, format!("Box<{expr}>")));
                expressions(side, known);
            }
        }
        Expr::Call(name, arguments) => {
            known.push(counted(name.as_ptr(), "Rc<str>"));
            known.push(at(arguments.as_ptr(), format!("Vec<{expr}>")));
            arguments.iter().for_each(|one| expressions(one, known));
        }
    }
}

fn language(out: &mut Vec<Case>) {
    let text = black_box("1 + sum ( A * 2 B max ( C ) ) + D");
    case!(
        out,
        "parsed",
        |made: &Expr| {
            let mut known = Vec::new();
            expressions(made, &mut known);
            known
        },
        {
            let words = text.split_whitespace().peekable();
            Parser { words }.expression()
        }
    );
    case!(
        out,
        "tokens",
        |made: &Vec<Token>| {
            let mut known = vec![at(made.as_ptr(), format!("Vec<{}>", own("Token")))];
            known.extend(made.iter().filter_map(|token| match token {
                Token::Word(word) => Some(at(word.as_ptr(), "Box<str>")),
                Token::Other(other) => {
                    black_box(other);
                    None
                }
            }));
            known
        },
        text.split(' ').map(Token::of).collect::<Vec<_>>()
    );
    case!(
        out,
        "interned",
        |made: &Names| {
            let mut known: Vec<_> = made
                .all
                .iter()
                .map(|name| counted(name.as_ptr(), "Arc<str>"))
                .collect();
            known.push(at(made.all.as_ptr(), "Vec<Arc<str>>"));
            known.push(others("HashMap<Arc<str>, u32>"));
            known
        },
        {
            let mut names = Names::default();
            text.split(' ').for_each(|word| {
                names.intern(word);
            });
            names
        }
    );
}

enum Token {
    Word(Box<str>),
    Other(char),
}

impl Token {
    fn of(text: &str) -> Token {
        match text.chars().next() {
            Some(first) if first.is_alphabetic() => Token::Word(text.into()),
            other => Token::Other(other.unwrap_or(' ')),
        }
    }
}

#[derive(Default)]
struct Names {
    numbers: HashMap<Arc<str>, u32>,
    all: Vec<Arc<str>>,
}

impl Names {
    fn intern(&mut self, name: &str) -> u32 {
        if let Some(known) = self.numbers.get(name) {
            return *known;
        }
        let name: Arc<str> = Arc::from(name);
        let number = self.all.len() as u32;
        self.all.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

// Figures.

struct Grid<T> {
    cells: Box<[T]>,
    width: usize,
}

impl<T: Clone> Grid<T> {
    fn new(width: usize, height: usize, with: T) -> Self {
        // Just large enough, so that the vector's buffer becomes the box.
        let cells = vec![with; width * height].into_boxed_slice();
        Grid { cells, width }
    }

    fn turned(&self) -> Self {
        let (width, height) = (self.cells.len() / self.width, self.width);
        let cells = (0..height)
            .flat_map(|x| (0..width).map(move |y| (x, y)))
            .map(|(x, y)| self.cells[y * self.width + x].clone())
            .collect();
        Grid { cells, width }
    }
}

fn figures(out: &mut Vec<Case>) {
    let sides = black_box((4, 6));
    case!(
        out,
        "grid",
        rest("Vec<f64>"),
        Grid::new(sides.0, sides.1, 1.5)
    );
    case!(
        out,
        "grid of rows",
        rest(format!("Vec<{}>", own("Row"))),
        Grid::new(sides.0, sides.1, Row::new(2))
    );
    let grid = Grid::new(sides.0, sides.1, 3u32);
    case!(out, "grid turned", rest("Box<[u32]>"), grid.turned());
    case!(
        out,
        "grouped",
        |made: &BTreeMap<u16, Vec<Row>>| {
            let row = own("Row");
            let mut known = vec![others(format!("BTreeMap<u16, Vec<{row}>>"))];
            known.extend(
                made.values()
                    .map(|rows| at(rows.as_ptr(), format!("Vec<{row}>"))),
            );
            known
        },
        {
            let mut all: BTreeMap<u16, Vec<Row>> = BTreeMap::new();
            for number in 0..black_box(20) {
                all.entry(number % 3).or_default().push(Row::new(number));
            }
            all
        }
    );
    case!(out, "best", rest(format!("Vec<(f32, {})>", own("Row"))), {
        let mut all: Vec<(f32, Row)> = (0..black_box(9))
            .map(|number| (1.0 / f32::from(number + 1), Row::new(number)))
            .collect();
        all.sort_by(|one, other| one.0.total_cmp(&other.0));
        all
    });
    case!(
        out,
        "means",
        rest("Vec<Option<f64>>"),
        (0..black_box(12))
            .map(|number| (number > 3).then_some(f64::from(number) / 2.0))
            .collect::<Vec<_>>()
    );
    case!(
        out,
        "neighbours",
        |made: &Vec<BTreeSet<usize>>| {
            vec![
                at(made.as_ptr(), "Vec<BTreeSet<usize>>"),
                others("BTreeSet<usize>"),
            ]
        },
        {
            let mut all = vec![BTreeSet::new(); black_box(4)];
            for (from, to) in [(0, 1), (1, 2), (2, 3)] {
                all[from].insert(to);
                all[to].insert(from);
            }
            all
        }
    );
    case!(out, "seen", rest("HashSet<(i16, i16)>"), {
        let mut seen = HashSet::new();
        let mut at = (0i16, 0i16);
        while seen.insert(at) && seen.len() < black_box(20) {
            at = (at.0 + 1, at.1 - 1);
        }
        seen
    });
}

pub(crate) fn all(out: &mut Vec<Case>) {
    sessions(out);
    caches(out);
    events(out);
    trees(out);
    language(out);
    figures(out);
}
