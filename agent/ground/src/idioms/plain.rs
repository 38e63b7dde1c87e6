//! The idioms that any plain type can go through, written out for each type without generics, as programs are.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use crate::case::{Case, at, case, rest};

/// Two words; [`Span`] has the same layout, so that equal code for both may be merged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Point {
    x: u64,
    y: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    from: u64,
    to: u64,
}

/// What a server keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entity {
    id: u64,
    name: &'static str,
    state: State,
    tags: [u16; 5],
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    Idle,
    Busy(u32),
}

/// Larger than a cache line.
type Wide = [u64; 12];

trait Sample {
    fn sample(seed: u64) -> Self;
}

impl Sample for u64 {
    fn sample(seed: u64) -> Self {
        seed
    }
}

impl Sample for (u32, u16) {
    fn sample(seed: u64) -> Self {
        (seed as u32, 7)
    }
}

impl Sample for Point {
    fn sample(seed: u64) -> Self {
        Point { x: seed, y: !seed }
    }
}

impl Sample for Span {
    fn sample(seed: u64) -> Self {
        let to = seed + 9;
        Span { from: seed, to }
    }
}

impl Sample for Entity {
    fn sample(seed: u64) -> Self {
        let state = match seed % 2 {
            0 => State::Idle,
            _ => State::Busy(seed as u32),
        };
        let tags = [seed as u16; 5];
        Entity {
            id: seed,
            name: "entity",
            state,
            tags,
        }
    }
}

impl Sample for Wide {
    fn sample(seed: u64) -> Self {
        [seed; 12]
    }
}

macro_rules! idioms {
    ($module:ident, $t:ty) => {
        mod $module {
            use super::*;

            type T = $t;

            fn one(seed: u64) -> T {
                <T as Sample>::sample(black_box(seed))
            }

            fn many() -> std::ops::Range<u64> {
                0..black_box(37)
            }

            #[inline(never)]
            fn pushed() -> Vec<T> {
                black_box(module_path!());
                let mut all = Vec::new();
                for seed in many() {
                    all.push(one(seed));
                }
                all
            }

            #[inline(never)]
            fn inserted() -> HashMap<u64, T> {
                black_box(module_path!());
                let mut all = HashMap::new();
                for seed in many() {
                    all.insert(seed, one(seed));
                }
                all
            }

            fn keep(one: &T) -> bool {
                black_box(one) as *const T as usize != 0
            }

            trait Speaks {}

            impl Speaks for T {}

            pub(super) fn all(out: &mut Vec<Case>) {
                owned(out);
                vectors(out);
                slices(out);
                maps(out);
                others(out);
            }

            fn owned(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                case!(out, "Box::new", own("Box"), Box::new(one(1)));
                case!(out, "Some(Box)", own("Box"), Some(Box::new(one(2))));
                let boxed = || Box::new(one(1)).clone();
                case!(out, "Box::clone", own("Box"), boxed());
                case!(out, "Box::from", own("Box"), Box::<T>::from(one(1)));
                case!(
                    out,
                    "Box<dyn>",
                    own("Box"),
                    Box::new(one(3)) as Box<dyn Speaks>
                );
                case!(out, "Rc::new", own("Rc"), Rc::new(one(4)));
                case!(out, "Arc::new", own("Arc"), Arc::new(one(5)));
                case!(out, "Arc::from", own("Arc"), Arc::<T>::from(one(5)));
                case!(
                    out,
                    "Arc<dyn>",
                    own("Arc"),
                    Arc::new(one(6)) as Arc<dyn Speaks>
                );
                case!(out, "Rc::new_cyclic", own("Rc"), Rc::new_cyclic(|_| one(6)));
                case!(out, "Arc::make_mut", own("Arc"), {
                    let first = Arc::new(one(1));
                    let mut second = first.clone();
                    *Arc::make_mut(&mut second) = one(3);
                    (first, second)
                });
                let mutex = type_name::<Mutex<T>>();
                case!(
                    out,
                    "Arc<Mutex>",
                    rest(format!("Arc<{mutex}>")),
                    Arc::new(Mutex::new(one(7)))
                );
                let cell = type_name::<RefCell<T>>();
                case!(
                    out,
                    "Rc<RefCell>",
                    rest(format!("Rc<{cell}>")),
                    Rc::new(RefCell::new(one(8)))
                );
                case!(
                    out,
                    "Vec<Rc>",
                    |made: &Vec<Rc<T>>| {
                        let mut known = vec![at(made.as_ptr(), format!("Vec<Rc<{t}>>"))];
                        known.push((0, format!("Rc<{t}>")));
                        known
                    },
                    (0..4).map(|seed| Rc::new(one(seed))).collect::<Vec<_>>()
                );
            }

            fn vectors(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let vec = || rest(format!("Vec<{t}>"));
                case!(out, "push", vec(), pushed());
                case!(out, "vec![a, b]", vec(), vec![one(1), one(2), one(3)]);
                case!(out, "vec![x; n]", vec(), vec![one(1); many().count()]);
                case!(
                    out,
                    "with_capacity",
                    vec(),
                    Vec::<T>::with_capacity(many().count())
                );
                case!(out, "reserve", vec(), {
                    let mut all = black_box(Vec::<T>::new());
                    all.reserve(many().count());
                    all
                });
                case!(out, "try_reserve_exact", vec(), {
                    let mut all = Vec::<T>::new();
                    all.try_reserve_exact(many().count()).unwrap();
                    all
                });
                case!(out, "collect", vec(), many().map(one).collect::<Vec<_>>());
                case!(
                    out,
                    "filter.collect",
                    vec(),
                    many().map(one).filter(keep).collect::<Vec<_>>()
                );
                case!(
                    out,
                    "collect Result",
                    vec(),
                    many()
                        .map(|seed| (seed < 99).then(|| one(seed)).ok_or(()))
                        .collect::<Result<Vec<_>, ()>>()
                );
                case!(out, "extend", vec(), {
                    let mut all = vec![one(9)];
                    all.extend(many().map(one));
                    all
                });
                case!(out, "extend_from_slice", vec(), {
                    let mut all = Vec::new();
                    let some = [one(9), one(8), one(1), one(2), one(3)];
                    all.extend_from_slice(&some);
                    all.extend_from_slice(&some);
                    all
                });
                case!(out, "Vec::clone", vec(), {
                    let all = pushed();
                    (all.clone(), all)
                });
                case!(out, "to_vec", vec(), [one(9), one(8)].to_vec());
                case!(out, "insert at", vec(), {
                    let mut all = vec![one(1)];
                    all.insert(0, one(2));
                    all
                });
                case!(out, "append", vec(), {
                    let mut all = vec![one(1)];
                    all.append(&mut pushed());
                    all
                });
                case!(out, "resize", vec(), {
                    let mut all = Vec::new();
                    all.resize(many().count(), one(2));
                    all
                });
                case!(out, "split_off", vec(), {
                    let mut all = pushed();
                    let rest = all.split_off(5);
                    (all, rest)
                });
                case!(
                    out,
                    "collect in place",
                    vec(),
                    pushed().into_iter().filter(keep).collect::<Vec<_>>()
                );
                case!(out, "shrink_to_fit", vec(), {
                    let mut all = pushed();
                    all.shrink_to_fit();
                    all
                });
                case!(
                    out,
                    "Vec<Option<Box>>",
                    rest(format!("Vec<Option<Box<{t}>>>")),
                    {
                        let mut all: Vec<Option<Box<T>>> = Vec::new();
                        for _ in many() {
                            all.push(None);
                        }
                        all
                    }
                );
                case!(
                    out,
                    "Vec<Vec>::clone",
                    |made: &(Vec<Vec<T>>, Vec<Vec<T>>)| {
                        let outer = format!("Vec<Vec<{t}>>");
                        vec![
                            at(made.0.as_ptr(), outer.clone()),
                            at(made.1.as_ptr(), outer),
                            (0, format!("Vec<{t}>")),
                        ]
                    },
                    {
                        let all = vec![pushed(), pushed()];
                        (all.clone(), all)
                    }
                );
            }

            fn slices(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let slice = |owner: &str| rest(format!("{owner}<[{t}]>"));
                case!(
                    out,
                    "Box<[T]>",
                    slice("Box"),
                    many().map(one).filter(keep).collect::<Box<[T]>>()
                );
                case!(
                    out,
                    "Arc<[T]> from Vec",
                    slice("Arc"),
                    Arc::<[T]>::from(pushed())
                );
                case!(
                    out,
                    "Arc<[T]> collect",
                    slice("Arc"),
                    many().map(one).collect::<Arc<[T]>>()
                );
                case!(
                    out,
                    "Rc<[T]> from slice",
                    slice("Rc"),
                    Rc::<[T]>::from(&[one(1), one(2)][..])
                );
            }

            fn maps(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let map = |owner: &str, key: &str| rest(format!("{owner}<{key}, {t}>"));
                case!(out, "HashMap::insert", map("HashMap", "u64"), inserted());
                case!(
                    out,
                    "HashMap::with_capacity",
                    map("HashMap", "u64"),
                    HashMap::<u64, T>::with_capacity(many().count())
                );
                case!(
                    out,
                    "HashMap collect",
                    map("HashMap", "u64"),
                    many()
                        .map(|seed| (seed, one(seed)))
                        .collect::<HashMap<_, _>>()
                );
                case!(out, "HashMap::entry", map("HashMap", "u32"), {
                    let mut all = HashMap::<u32, T>::new();
                    for seed in many() {
                        all.entry(seed as u32).or_insert_with(|| one(seed));
                    }
                    all
                });
                case!(out, "HashMap::clone", map("HashMap", "u64"), {
                    let all = inserted();
                    (all.clone(), all)
                });
                case!(
                    out,
                    "HashSet",
                    rest(format!("HashSet<{t}>")),
                    many().map(one).collect::<HashSet<_>>()
                );
                case!(out, "HashSet::insert", rest(format!("HashSet<{t}>")), {
                    let mut all = HashSet::new();
                    all.insert(one(1));
                    all
                });
                case!(
                    out,
                    "hashbrown",
                    map("hashbrown::HashMap", "u64"),
                    many()
                        .map(|seed| (seed, one(seed)))
                        .collect::<hashbrown::HashMap<_, _>>()
                );
                case!(
                    out,
                    "IndexMap",
                    map("IndexMap", "u64"),
                    many()
                        .map(|seed| (seed, one(seed)))
                        .collect::<indexmap::IndexMap<_, _>>()
                );
                case!(out, "BTreeMap::insert", map("BTreeMap", "u64"), {
                    let mut all = BTreeMap::new();
                    for seed in many() {
                        all.insert(seed, one(seed));
                    }
                    all
                });
                case!(
                    out,
                    "BTreeMap collect",
                    map("BTreeMap", "u64"),
                    many()
                        .map(|seed| (seed, one(seed)))
                        .collect::<BTreeMap<_, _>>()
                );
                case!(out, "BTreeMap::clone", map("BTreeMap", "u64"), {
                    let all = many()
                        .map(|seed| (seed, one(seed)))
                        .collect::<BTreeMap<_, _>>();
                    (all.clone(), all)
                });
                case!(
                    out,
                    "BTreeSet",
                    rest(format!("BTreeSet<{t}>")),
                    many().map(one).collect::<BTreeSet<_>>()
                );
            }

            fn others(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let own = |owner: &str| rest(format!("{owner}<{t}>"));
                case!(out, "VecDeque::push_back", own("VecDeque"), {
                    let mut all = VecDeque::new();
                    for seed in many() {
                        all.push_back(one(seed));
                    }
                    all
                });
                case!(
                    out,
                    "VecDeque::with_capacity",
                    own("VecDeque"),
                    VecDeque::<T>::with_capacity(many().count())
                );
                case!(out, "BinaryHeap::push", own("BinaryHeap"), {
                    let mut all = BinaryHeap::new();
                    for seed in many() {
                        all.push(one(seed));
                    }
                    all
                });
                case!(
                    out,
                    "LinkedList",
                    own("LinkedList"),
                    many().map(one).collect::<LinkedList<_>>()
                );
            }
        }
    };
}

idioms!(word, u64);
idioms!(pair, (u32, u16));
idioms!(point, super::Point);
idioms!(span, super::Span);
idioms!(entity, super::Entity);
idioms!(wide, super::Wide);

pub(crate) fn all(out: &mut Vec<Case>) {
    word::all(out);
    pair::all(out);
    point::all(out);
    span::all(out);
    entity::all(out);
    wide::all(out);
}
