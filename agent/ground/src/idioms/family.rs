//! One generic function for a dozen types of one layout: the compiler makes one of all instances that come out equal.

use std::any::type_name;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use crate::case::{Case, at, case, others, rest};

/// Keeps what it is given, as a program's own store would.
struct Store<T> {
    all: Vec<T>,
    index: HashMap<u64, T>,
}

impl<T: Copy> Store<T> {
    fn new() -> Self {
        Store {
            all: Vec::new(),
            index: HashMap::new(),
        }
    }

    #[inline(never)]
    fn add(&mut self, one: T) {
        self.all.push(one);
    }

    #[inline(never)]
    fn file(&mut self, key: u64, one: T) {
        self.index.insert(key, one);
    }
}

#[inline(never)]
fn boxed<T>(one: T) -> Box<T> {
    Box::new(one)
}

#[inline(never)]
fn shared<T>(one: T) -> Arc<T> {
    Arc::new(one)
}

#[inline(never)]
fn counted<T>(one: T) -> Rc<T> {
    Rc::new(one)
}

#[inline(never)]
fn repeated<T: Clone>(one: T, count: usize) -> Vec<T> {
    vec![one; count]
}

#[inline(never)]
fn gathered<T>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.collect()
}

#[inline(never)]
fn queued<T: Copy>(one: T, count: usize) -> VecDeque<T> {
    let mut all = VecDeque::new();
    for _ in 0..count {
        all.push_back(one);
    }
    all
}

#[inline(never)]
fn treed<T: Copy>(one: T, count: u64) -> BTreeMap<u64, T> {
    (0..count).map(|key| (key, one)).collect()
}

/// Through three generic functions before anybody allocates.
#[inline(never)]
fn outer<T: Copy>(one: T) -> Vec<Box<T>> {
    middle(one, black_box(3))
}

#[inline(never)]
fn middle<T: Copy>(one: T, count: usize) -> Vec<Box<T>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(boxed(one));
    }
    all
}

macro_rules! family {
    ($($name:ident)*) => {
        $(
            mod $name {
                use super::*;

                #[derive(Clone, Copy, Debug)]
                pub(super) struct T([u64; 2]);

                pub(super) fn all(out: &mut Vec<Case>) {
                    let t = type_name::<T>();
                    let own = |owner: &str| rest(format!("{owner}<{t}>"));
                    let one = T(black_box([1, 2]));
                    let some = black_box(9usize);
                    case!(out, "store.add", own("Vec"), {
                        let mut store = Store::new();
                        for _ in 0..some {
                            store.add(one);
                        }
                        store
                    });
                    case!(out, "store.file", rest(format!("HashMap<u64, {t}>")), {
                        let mut store = Store::new();
                        for key in 0..some {
                            store.file(key as u64, one);
                        }
                        store
                    });
                    case!(out, "boxed", own("Box"), boxed(one));
                    case!(out, "shared", own("Arc"), shared(one));
                    case!(out, "counted", own("Rc"), counted(one));
                    case!(out, "repeated", own("Vec"), repeated(one, some));
                    case!(out, "gathered", own("Vec"), {
                        gathered((0..some).map(|_| one).filter(|one| one.0[0] > 0))
                    });
                    case!(out, "queued", own("VecDeque"), queued(one, some));
                    case!(out, "treed", rest(format!("BTreeMap<u64, {t}>")), treed(one, 30));
                    case!(out, "outer", |made: &Vec<Box<T>>| {
                        vec![
                            at(made.as_ptr(), format!("Vec<Box<{t}>>")),
                            others(format!("Box<{t}>")),
                        ]
                    }, outer(one));
                    case!(out, "plain push", own("Vec"), {
                        let mut all = Vec::new();
                        for _ in 0..some {
                            all.push(one);
                        }
                        all
                    });
                }
            }
        )*

        pub(crate) fn all(out: &mut Vec<Case>) {
            $( $name::all(out); )*
        }
    };
}

family!(a b c d e f g h);
