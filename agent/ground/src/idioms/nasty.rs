//! The idioms that made trouble for others, or look as if they would: blocks that change their owner, code that many types
//! share, buffers made by one type's function for another.

use std::any::{Any, type_name};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, RwLock, mpsc};

use super::generic::{Arena, Keeps, List, Nested};
use crate::case::{Case, at, case, others, rest};

macro_rules! plain {
    ($(#[$meta:meta])* $name:ident { $($field:ident: $of:ty = $make:expr),* }) => {
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $(#[$meta])*
        pub(crate) struct $name { $(pub(crate) $field: $of),* }

        impl Sample for $name {
            fn sample(seed: u64) -> Self {
                let make = |seed: u64| $name { $($field: $make(seed)),* };
                make(seed)
            }
        }
    };
}

plain!(Token {
    key: u64 = |seed| seed,
    value: u64 = |seed: u64| !seed
});
plain!(Edge {
    from: u64 = |seed| seed,
    to: u64 = |seed: u64| seed + 9
});
plain!(
    /// Wants more alignment than the allocator gives by itself.
    #[repr(align(64))]
    Aligned { words: [u64; 3] = |seed| [seed; 3] }
);
plain!(Digest {
    bytes: [u8; 20] = |seed| [seed as u8; 20]
});

/// As large as a word, thanks to what no `NonZeroU64` is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Niche {
    Empty,
    Full(NonZeroU64),
}

pub(crate) trait Sample {
    fn sample(seed: u64) -> Self;
}

impl Sample for Niche {
    fn sample(seed: u64) -> Self {
        NonZeroU64::new(seed).map_or(Niche::Empty, Niche::Full)
    }
}

/// Of the same layout as what it wraps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Wrap<T>(T);

macro_rules! nasty {
    ($module:ident, $t:ty) => {
        mod $module {
            use super::*;

            type T = $t;

            trait Speaks {
                fn speak(&self) -> usize;
            }

            impl Speaks for T {
                fn speak(&self) -> usize {
                    black_box(self) as *const T as usize
                }
            }

            fn one(seed: u64) -> T {
                <T as Sample>::sample(black_box(seed))
            }

            fn many() -> std::ops::Range<u64> {
                1..black_box(38)
            }

            fn keep(one: &T) -> bool {
                black_box(one) as *const T as usize != 0
            }

            /// With room to spare.
            #[inline(never)]
            fn roomy() -> Vec<T> {
                black_box(module_path!());
                let mut all = Vec::with_capacity(black_box(64));
                for seed in many() {
                    all.push(one(seed));
                }
                all
            }

            pub(super) fn all(out: &mut Vec<Case>) {
                boxes(out);
                counted(out);
                cells(out);
                vectors(out);
                chains(out);
                queues(out);
                tables(out);
                trees(out);
                generics(out);
            }

            fn boxes(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                let slice = || rest(format!("Box<[{t}]>"));
                case!(out, "into_boxed_slice", slice(), roomy().into_boxed_slice());
                case!(out, "Box<[T]> clone", slice(), {
                    let all: Box<[T]> = roomy().into();
                    (all.clone(), all)
                });
                // Born as an array, and made a slice of as it stands.
                let array = rest(format!("Box<[{t}; 3]>"));
                case!(out, "Box<[T]> from array", array, {
                    Box::<[T]>::from([one(1), one(2), one(3)])
                });
                case!(out, "Box<[T]> new_uninit_slice", slice(), {
                    let mut all = Box::<[T]>::new_uninit_slice(many().count());
                    all.iter_mut().for_each(|at| {
                        at.write(one(3));
                    });
                    all
                });
                case!(out, "Box::new_uninit", own("Box"), {
                    let mut place = Box::<T>::new_uninit();
                    place.write(one(3));
                    place
                });
                case!(
                    out,
                    "Box<MaybeUninit>",
                    own("Box"),
                    Box::new(MaybeUninit::new(one(2)))
                );
                case!(out, "Box::pin", own("Box"), Box::pin(one(2)));
                case!(out, "Box::leak", own("Box"), &*Box::leak(Box::new(one(2))));
                case!(
                    out,
                    "Box<dyn Any>",
                    own("Box"),
                    Box::new(one(3)) as Box<dyn Any>
                );
                case!(out, "map to Box<dyn>", own("Box"), {
                    Some(one(3)).map(|one| Box::new(one) as Box<dyn Speaks>)
                });
                case!(
                    out,
                    "Box<Box<dyn>>",
                    |made: &Box<Box<dyn Speaks>>| {
                        let inner = type_name::<Box<dyn Speaks>>();
                        vec![
                            at(&**made, format!("Box<{inner}>")),
                            others(format!("Box<{t}>")),
                        ]
                    },
                    Box::new(Box::new(one(3)) as Box<dyn Speaks>)
                );
                case!(
                    out,
                    "Vec<Box<dyn>>",
                    |made: &Vec<Box<dyn Speaks>>| {
                        let inner = type_name::<Box<dyn Speaks>>();
                        vec![
                            at(made.as_ptr(), format!("Vec<{inner}>")),
                            others(format!("Box<{t}>")),
                        ]
                    },
                    {
                        let mut all: Vec<Box<dyn Speaks>> = Vec::new();
                        for seed in many() {
                            all.push(Box::new(one(seed)));
                        }
                        all
                    }
                );
                case!(out, "Box::from_raw(alloc)", own("Box"), {
                    let layout = std::alloc::Layout::new::<T>();
                    // SAFETY: no type here is of size zero, and the place is written before it is owned.
                    unsafe {
                        let place = std::alloc::alloc(layout).cast::<T>();
                        place.write(one(3));
                        Box::from_raw(place)
                    }
                });
            }

            fn counted(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                let slice = |owner: &str| rest(format!("{owner}<[{t}]>"));
                case!(
                    out,
                    "Weak only",
                    own("Arc"),
                    Arc::downgrade(&Arc::new(one(1)))
                );
                case!(
                    out,
                    "Rc::from(Box)",
                    own("Rc"),
                    Rc::<T>::from(Box::new(one(1)))
                );
                case!(out, "Arc::pin", own("Arc"), Arc::pin(one(1)));
                case!(out, "Arc::new_uninit", own("Arc"), Arc::<T>::new_uninit());
                case!(out, "Rc::make_mut", own("Rc"), {
                    let first = Rc::new(one(1));
                    let mut second = first.clone();
                    *Rc::make_mut(&mut second) = one(3);
                    (first, second)
                });
                case!(
                    out,
                    "Rc<dyn Any>",
                    own("Rc"),
                    Rc::new(one(1)) as Rc<dyn Any>
                );
                case!(
                    out,
                    "Rc<[T]> from Vec",
                    slice("Rc"),
                    Rc::<[T]>::from(roomy())
                );
                case!(out, "Arc<[T]> from Box<[T]>", slice("Arc"), {
                    let all: Box<[T]> = roomy().into_boxed_slice();
                    Arc::<[T]>::from(all)
                });
                case!(
                    out,
                    "Arc<[T]> filter",
                    slice("Arc"),
                    many().map(one).filter(keep).collect::<Arc<[T]>>()
                );
                case!(
                    out,
                    "Rc<[T]> cloned",
                    slice("Rc"),
                    roomy().iter().cloned().collect::<Rc<[T]>>()
                );
                case!(
                    out,
                    "Arc<[T]> uninit",
                    slice("Arc"),
                    Arc::<[T]>::new_uninit_slice(many().count())
                );
                case!(out, "Arc<[T; 3]>", rest(format!("Arc<[{t}; 3]>")), {
                    Arc::new([one(1), one(2), one(3)])
                });
                case!(
                    out,
                    "Vec<Arc>",
                    |made: &Vec<Arc<T>>| {
                        vec![
                            at(made.as_ptr(), format!("Vec<Arc<{t}>>")),
                            others(format!("Arc<{t}>")),
                        ]
                    },
                    {
                        let mut all = Vec::new();
                        for seed in many() {
                            all.push(Arc::new(one(seed)));
                        }
                        all
                    }
                );
            }

            fn cells(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                let arc = |of: &str| rest(format!("Arc<{of}>"));
                case!(
                    out,
                    "Rc<RefCell<Vec<Rc>>>",
                    |made: &Rc<RefCell<Vec<Rc<T>>>>| {
                        let cell = type_name::<RefCell<Vec<Rc<T>>>>();
                        vec![
                            at(made.borrow().as_ptr(), format!("Vec<Rc<{t}>>")),
                            // The value follows the two counts.
                            (Rc::as_ptr(made) as usize - 16, format!("Rc<{cell}>")),
                            others(format!("Rc<{t}>")),
                        ]
                    },
                    {
                        let all = Rc::new(RefCell::new(Vec::new()));
                        for seed in many() {
                            all.borrow_mut().push(Rc::new(one(seed)));
                        }
                        all
                    }
                );
                case!(
                    out,
                    "Arc<RwLock<Option>>",
                    arc(type_name::<RwLock<Option<T>>>()),
                    Arc::new(RwLock::new(Some(one(1))))
                );
                case!(
                    out,
                    "Rc<Cell<Option<Box>>>",
                    |made: &Rc<Cell<Option<Box<T>>>>| {
                        let cell = type_name::<Cell<Option<Box<T>>>>();
                        vec![
                            (Rc::as_ptr(made) as usize - 16, format!("Rc<{cell}>")),
                            others(format!("Box<{t}>")),
                        ]
                    },
                    Rc::new(Cell::new(Some(Box::new(one(1)))))
                );
                case!(out, "OnceLock<Box>", own("Box"), {
                    let once = OnceLock::new();
                    once.get_or_init(|| Box::new(one(1)));
                    once
                });
                case!(out, "OnceCell<Vec>", own("Vec"), {
                    let once = OnceCell::new();
                    once.get_or_init(|| many().map(one).collect::<Vec<T>>());
                    once
                });
                case!(out, "LazyLock<Vec>", own("Vec"), {
                    let lazy: LazyLock<Vec<T>> = LazyLock::new(|| vec![one(1), one(2)]);
                    black_box(&*lazy);
                    lazy
                });
                case!(out, "Mutex<Vec>", own("Vec"), {
                    let all = Mutex::new(Vec::new());
                    for seed in many() {
                        all.lock().unwrap().push(one(seed));
                    }
                    all
                });
                case!(out, "thread_local", own("Vec"), {
                    thread_local! {
                        static KEPT: RefCell<Vec<T>> = const { RefCell::new(Vec::new()) };
                    }
                    for seed in many() {
                        KEPT.with_borrow_mut(|all| all.push(one(seed)));
                    }
                });
                let channel = mpsc::channel::<T>();
                case!(
                    out,
                    "mpsc send",
                    rest(format!("Box<std::sync::mpmc::list::Block<{t}>>")),
                    channel.0.send(one(1)).unwrap()
                );
                std::mem::forget(channel);
            }

            fn vectors(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let vec = || rest(format!("Vec<{t}>"));
                case!(out, "retain and shrink", vec(), {
                    let mut all = roomy();
                    let mut number = 0;
                    all.retain(|_| {
                        number += 1;
                        number % 2 == 0
                    });
                    all.shrink_to_fit();
                    all
                });
                case!(out, "drain.collect", vec(), {
                    roomy().drain(3..20).collect::<Vec<_>>()
                });
                case!(out, "splice", vec(), {
                    let mut all = Vec::from([one(1), one(2)]);
                    let with: Vec<T> = roomy();
                    drop(all.splice(1..1, with));
                    all
                });
                case!(out, "extend_from_within", vec(), {
                    let mut all = vec![one(1), one(2)];
                    all.extend_from_within(..);
                    all
                });
                case!(out, "concat", vec(), {
                    [&roomy()[..4], &[one(1)]].concat()
                });
                case!(out, "repeat_n", vec(), {
                    std::iter::repeat_n(one(1), many().count()).collect::<Vec<_>>()
                });
                case!(out, "from VecDeque", vec(), {
                    let mut queue = VecDeque::new();
                    many().for_each(|seed| queue.push_back(one(seed)));
                    queue.shrink_to_fit();
                    let mut all = Vec::from(queue);
                    all.reserve(black_box(500));
                    all
                });
                case!(out, "to_owned", vec(), roomy()[2..9].to_owned());
                case!(out, "Cow::into_owned", vec(), {
                    let all = [one(1), one(2)];
                    std::borrow::Cow::Borrowed(&all[..]).into_owned()
                });
                case!(out, "partition", vec(), {
                    many().map(one).partition::<Vec<T>, _>(keep)
                });
                case!(
                    out,
                    "unzip",
                    |made: &(Vec<T>, Vec<u64>)| {
                        vec![
                            at(made.0.as_ptr(), format!("Vec<{t}>")),
                            at(made.1.as_ptr(), "Vec<u64>"),
                        ]
                    },
                    many()
                        .map(|seed| (one(seed), seed))
                        .unzip::<T, u64, Vec<T>, Vec<u64>>()
                );
                case!(
                    out,
                    "in place to Wrap",
                    // As it was born: the block changes hands, and no allocator hears of it.
                    vec(),
                    { roomy().into_iter().map(Wrap).collect::<Vec<_>>() }
                );
                let wraps = rest(format!("Vec<{}>", type_name::<Wrap<T>>()));
                case!(out, "in place from Wrap", wraps, {
                    let all: Vec<Wrap<T>> = many().map(|seed| Wrap(one(seed))).collect();
                    all.into_iter().map(|wrapped| wrapped.0).collect::<Vec<T>>()
                });
                case!(out, "Vec<(u64, T)>", rest(format!("Vec<(u64, {t})>")), {
                    many().map(|seed| (seed, one(seed))).collect::<Vec<_>>()
                });
                case!(out, "Vec<Option<T>>", rest(format!("Vec<Option<{t}>>")), {
                    let mut all = Vec::new();
                    all.resize_with(many().count(), || None::<T>);
                    all
                });
                case!(out, "Vec<[T; 4]>", rest(format!("Vec<[{t}; 4]>")), {
                    let mut all = Vec::new();
                    for seed in many() {
                        all.push([one(seed), one(1), one(2), one(3)]);
                    }
                    all
                });
                case!(
                    out,
                    "chunks to_vec",
                    |made: &Vec<Vec<T>>| {
                        vec![
                            at(made.as_ptr(), format!("Vec<Vec<{t}>>")),
                            others(format!("Vec<{t}>")),
                        ]
                    },
                    roomy().chunks(9).map(<[T]>::to_vec).collect::<Vec<_>>()
                );
                case!(
                    out,
                    "vec![vec![]; n]",
                    |made: &Vec<Vec<T>>| {
                        vec![
                            at(made.as_ptr(), format!("Vec<Vec<{t}>>")),
                            others(format!("Vec<{t}>")),
                        ]
                    },
                    vec![vec![one(1), one(2)]; black_box(5)]
                );
                case!(out, "sort_by_cached_key", vec(), {
                    let mut all = many().map(one).collect::<Vec<_>>();
                    all.sort_by_cached_key(|one| !one.speak());
                    all.dedup();
                    all
                });
            }

            fn chains(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let vec = || rest(format!("Vec<{t}>"));
                case!(out, "ten adapters", vec(), {
                    many()
                        .chain(many())
                        .skip(1)
                        .step_by(2)
                        .enumerate()
                        .map(|(at, seed)| at as u64 + seed)
                        .inspect(|seed| _ = black_box(*seed))
                        .filter(|seed| *seed != 999)
                        .take_while(|seed| *seed != 998)
                        .map(one)
                        .skip_while(|one| !keep(one))
                        .take(30)
                        .collect::<Vec<_>>()
                });
                case!(out, "flat_map", vec(), {
                    many()
                        .flat_map(|seed| [one(seed), one(1)])
                        .collect::<Vec<_>>()
                });
                case!(out, "scan.rev.collect", vec(), {
                    roomy().iter().rev().cloned().collect::<Vec<_>>()
                });
                case!(out, "Option<Vec>", vec(), {
                    many()
                        .map(|seed| Some(one(seed)))
                        .collect::<Option<Vec<_>>>()
                });
                case!(out, "fold push", vec(), {
                    many().fold(Vec::new(), |mut all, seed| {
                        all.push(one(seed));
                        all
                    })
                });
                case!(out, "successors", vec(), {
                    std::iter::successors(Some(1u64), |seed| (*seed < 99).then_some(seed * 2))
                        .map(one)
                        .collect::<Vec<_>>()
                });
                case!(out, "from_fn peekable", vec(), {
                    let mut left = black_box(9);
                    let mut all = std::iter::from_fn(|| {
                        left -= 1;
                        (left > 0).then(|| one(left))
                    })
                    .peekable();
                    black_box(all.peek());
                    all.collect::<Vec<_>>()
                });
                case!(
                    out,
                    "dyn Iterator",
                    |made: &(Vec<T>, usize)| { vec![at(made.0.as_ptr(), format!("Vec<{t}>"))] },
                    {
                        let all: Box<dyn Iterator<Item = T>> = Box::new(many().map(one));
                        (all.collect::<Vec<_>>(), 1)
                    }
                );
            }

            fn queues(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                case!(out, "VecDeque rotates", own("VecDeque"), {
                    let mut all = VecDeque::with_capacity(4);
                    for seed in many() {
                        all.push_front(one(seed));
                        all.rotate_left(all.len() / 2);
                    }
                    all
                });
                case!(out, "VecDeque collect", own("VecDeque"), {
                    many().map(one).filter(keep).collect::<VecDeque<_>>()
                });
                case!(out, "VecDeque clone", own("VecDeque"), {
                    let all: VecDeque<T> = many().map(one).collect();
                    (all.clone(), all)
                });
                case!(out, "VecDeque split_off", own("VecDeque"), {
                    let mut all: VecDeque<T> = many().map(one).collect();
                    let rest = all.split_off(7);
                    (all, rest)
                });
                case!(out, "VecDeque from array", own("VecDeque"), {
                    VecDeque::from([one(1), one(2), one(3)])
                });
                case!(out, "VecDeque resize", own("VecDeque"), {
                    let mut all = VecDeque::new();
                    all.resize(many().count(), one(3));
                    all
                });
                case!(out, "BinaryHeap collect", own("BinaryHeap"), {
                    many().map(one).collect::<BinaryHeap<_>>()
                });
                case!(out, "BinaryHeap append", own("BinaryHeap"), {
                    let mut all = BinaryHeap::from([one(1)]);
                    all.append(&mut many().map(one).collect());
                    all
                });
                case!(out, "BinaryHeap reserve", own("BinaryHeap"), {
                    let mut all = BinaryHeap::<T>::new();
                    all.reserve(many().count());
                    all
                });
                case!(out, "LinkedList push", own("LinkedList"), {
                    let mut all = LinkedList::new();
                    all.push_front(one(1));
                    all.push_back(one(2));
                    all
                });
                case!(out, "LinkedList clone", own("LinkedList"), {
                    let all: LinkedList<T> = many().map(one).collect();
                    (all.clone(), all)
                });
            }

            fn tables(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let map = |key: &str| rest(format!("HashMap<{key}, {t}>"));
                let filled = || {
                    let mut all = HashMap::new();
                    for seed in many() {
                        all.insert(seed, one(seed));
                    }
                    all
                };
                case!(out, "HashMap shrinks", map("u64"), {
                    let mut all: HashMap<u64, T> = filled();
                    all.retain(|key, _| key % 9 == 0);
                    all.shrink_to_fit();
                    all
                });
                case!(out, "HashMap extend", map("u64"), {
                    let mut all = HashMap::from([(1, one(1))]);
                    all.extend(many().map(|seed| (seed, one(seed))));
                    all
                });
                case!(out, "HashMap drain", map("u64"), {
                    filled().drain().collect::<HashMap<u64, T>>()
                });
                case!(out, "HashMap rehash", map("u64"), {
                    let mut all = filled();
                    for round in 0..200u64 {
                        all.remove(&(round / 2));
                        all.insert(round + 100, one(round));
                    }
                    all
                });
                case!(out, "HashMap reserve", map("i32"), {
                    let mut all = HashMap::<i32, T>::new();
                    all.reserve(many().count());
                    all
                });
                case!(out, "HashMap<(u32, u32)>", map("(u32, u32)"), {
                    let mut all = HashMap::new();
                    for seed in many() {
                        all.entry((seed as u32, 1u32)).or_insert_with(|| one(seed));
                    }
                    all
                });
                case!(out, "HashMap<&str>", map("&str"), {
                    HashMap::from([("a", one(1)), (black_box("b"), one(2))])
                });
                case!(
                    out,
                    "group into Vecs",
                    |made: &HashMap<u64, Vec<T>>| {
                        let mut known: Vec<_> = made
                            .values()
                            .map(|all| at(all.as_ptr(), format!("Vec<{t}>")))
                            .collect();
                        known.push(others(format!("HashMap<u64, Vec<{t}>>")));
                        known
                    },
                    {
                        let mut all: HashMap<u64, Vec<T>> = HashMap::new();
                        for seed in many() {
                            all.entry(seed % 5).or_default().push(one(seed));
                        }
                        all
                    }
                );
                case!(
                    out,
                    "HashMap<u64, Box>",
                    |made: &HashMap<u64, Box<T>>| {
                        let mut known: Vec<_> = made
                            .values()
                            .map(|one| at(&**one, format!("Box<{t}>")))
                            .collect();
                        known.push(others(format!("HashMap<u64, Box<{t}>>")));
                        known
                    },
                    {
                        let mut all = HashMap::new();
                        for seed in many() {
                            all.insert(seed, Box::new(one(seed)));
                        }
                        all
                    }
                );
                case!(out, "HashSet extend", rest(format!("HashSet<{t}>")), {
                    let mut all = HashSet::with_capacity(2);
                    all.extend(many().map(one));
                    all
                });
                case!(out, "HashSet union", rest(format!("HashSet<{t}>")), {
                    let (a, b) = (HashSet::from([one(1)]), HashSet::from([one(2)]));
                    a.union(&b).cloned().collect::<HashSet<T>>()
                });
            }

            fn trees(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let map = |key: &str| rest(format!("BTreeMap<{key}, {t}>"));
                let filled = || {
                    let mut all = BTreeMap::new();
                    for seed in many() {
                        all.insert(seed, one(seed));
                    }
                    all
                };
                case!(out, "BTreeMap split_off", map("u64"), {
                    let mut all: BTreeMap<u64, T> = filled();
                    let rest = all.split_off(&17);
                    (all, rest)
                });
                case!(out, "BTreeMap append", map("u64"), {
                    let mut all = BTreeMap::from([(500, one(1))]);
                    all.append(&mut filled());
                    all
                });
                case!(out, "BTreeMap entry", map("i16"), {
                    let mut all = BTreeMap::new();
                    for seed in many() {
                        all.entry(seed as i16).or_insert_with(|| one(seed));
                    }
                    all
                });
                case!(out, "BTreeMap extend", map("u64"), {
                    let mut all = BTreeMap::new();
                    all.extend(many().map(|seed| (seed, one(seed))));
                    all
                });
                case!(out, "BTreeMap<(u8, u64)>", map("(u8, u64)"), {
                    many()
                        .map(|seed| ((1u8, seed), one(seed)))
                        .collect::<BTreeMap<_, _>>()
                });
                case!(
                    out,
                    "BTreeMap one",
                    map("u64"),
                    BTreeMap::from([(1u64, one(1))])
                );
                case!(out, "BTreeSet insert", rest(format!("BTreeSet<{t}>")), {
                    let mut all = BTreeSet::new();
                    for seed in many() {
                        all.insert(one(seed));
                    }
                    all
                });
                case!(out, "BTreeSet clone", rest(format!("BTreeSet<{t}>")), {
                    let all = BTreeSet::from([one(1), one(2)]);
                    (all.clone(), all)
                });
            }

            fn generics(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                case!(
                    out,
                    "arena",
                    |made: &Arena<T>| {
                        let (chunks, inner) = made.places();
                        let mut known = vec![(chunks, format!("Vec<Vec<{t}>>"))];
                        known.extend(inner.map(|chunk| (chunk, format!("Vec<{t}>"))));
                        known
                    },
                    {
                        let mut arena = Arena::new();
                        for seed in many() {
                            arena.add(one(seed));
                        }
                        arena
                    }
                );
                let node = format!("Box<ground::idioms::generic::Node<{t}>>");
                case!(out, "list of nodes", rest(node), {
                    let mut list = List::default();
                    for seed in many() {
                        list.push(one(seed));
                    }
                    list
                });
                case!(
                    out,
                    "Keeps::boxed",
                    rest(format!("Box<{t}>")),
                    one(1).boxed()
                );
                case!(
                    out,
                    "Keeps::shared",
                    rest(format!("Arc<{t}>")),
                    one(1).shared()
                );
                case!(out, "Keeps::repeated", rest(format!("Vec<{t}>")), {
                    one(1).repeated(black_box(5))
                });
                case!(out, "Box<[T; 6]>", rest(format!("Box<[{t}; 6]>")), {
                    Box::new([const { None::<u8> }; 6].map(|_| one(2)))
                });
                case!(
                    out,
                    "Nested",
                    |made: &Nested<T>| {
                        let (first, second) = made.places();
                        vec![
                            (first, format!("Box<{}>", type_name::<Nested<T>>())),
                            (second, format!("Vec<{}>", type_name::<Nested<T>>())),
                        ]
                    },
                    Nested::deep(one(1), one(2))
                );
            }
        }
    };
}

nasty!(token, super::Token);
nasty!(edge, super::Edge);
nasty!(niche, super::Niche);
nasty!(aligned, super::Aligned);
nasty!(digest, super::Digest);

pub(crate) fn all(out: &mut Vec<Case>) {
    token::all(out);
    edge::all(out);
    niche::all(out);
    aligned::all(out);
    digest::all(out);
}
