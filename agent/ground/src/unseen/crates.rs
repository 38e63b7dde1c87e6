//! Crates chosen before anything was measured on them: anyhow, arc-swap, crossbeam-queue, flume, slotmap, toml, triomphe and
//! typed-arena, over types of this program. The names of their own types were read in their sources.

use std::any::type_name;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use anyhow::Context as _;
use slotmap::{DefaultKey, DenseSlotMap, HopSlotMap, SecondaryMap, SlotMap, SparseSecondaryMap};

use crate::case::{Case, at, case, others, rest};

/// Whether a future is ready at once.
fn poll<F: Future + Unpin>(future: &mut F) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(future).poll(&mut context).is_ready()
}

macro_rules! drivers {
    ($module:ident, $name:ident { $($field:ident: $of:ty),* }) => {
        mod $module {
            use super::*;

            #[derive(Clone, Debug, Default, PartialEq)]
            struct $name { $($field: $of),* }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(stringify!($name))
                }
            }

            impl std::error::Error for $name {}

            type T = $name;

            fn make(seed: usize) -> T {
                black_box((seed, T::default())).1
            }

            fn some() -> std::ops::Range<usize> {
                0..black_box(21)
            }

            pub(super) fn all(out: &mut Vec<Case>) {
                errors(out);
                swaps(out);
                queues(out);
                slots(out);
                pointers(out);
            }

            fn errors(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let of = |inner: &str| rest(format!("Box<anyhow::error::ErrorImpl<{inner}>>"));
                case!(out, "anyhow msg", of(&format!("anyhow::wrapper::MessageError<{t}>")), {
                    anyhow::Error::msg(make(1))
                });
                case!(out, "anyhow new", of(t), anyhow::Error::new(make(1)));
                case!(out, "anyhow ?", of(t), {
                    fn fails(seed: usize) -> anyhow::Result<usize> {
                        match seed {
                            0 => Ok(0),
                            _ => Err(make(seed))?,
                        }
                    }
                    fails(black_box(1)).err()
                });
                case!(out, "anyhow context", of(&format!("anyhow::error::ContextError<&str, {t}>")), {
                    Err::<(), T>(make(1)).context("what was tried").err()
                });
                let mut known = Some(anyhow::Error::new(make(1)));
                case!(out, "anyhow context on it", of(&format!("anyhow::error::ContextError<{t}, anyhow::Error>")), {
                    known.take().map(|known| known.context(make(2)))
                });
            }

            fn swaps(out: &mut Vec<Case>) {
                let arc = || rest(format!("Arc<{}>", type_name::<T>()));
                case!(out, "ArcSwap from_pointee", arc(), arc_swap::ArcSwap::from_pointee(make(1)));
                case!(out, "ArcSwapOption", arc(), arc_swap::ArcSwapOption::<T>::from_pointee(Some(make(1))));
                let held = arc_swap::ArcSwap::from_pointee(make(1));
                // A thread's first store makes a node for it.
                held.store(Arc::new(make(1)));
                case!(out, "ArcSwap store", arc(), held.store(Arc::new(make(2))));
                case!(out, "ArcSwap rcu", arc(), held.rcu(|old| T::clone(old)));
                std::mem::forget(held);
            }

            fn queues(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                case!(out, "ArrayQueue", rest(format!("Box<[crossbeam_queue::array_queue::Slot<{t}>]>")), {
                    crossbeam_queue::ArrayQueue::<T>::new(some().len())
                });
                let queue = crossbeam_queue::SegQueue::<T>::new();
                case!(out, "SegQueue push", rest(format!("Box<crossbeam_queue::seg_queue::Block<{t}>>")), {
                    for seed in some() {
                        queue.push(make(seed));
                    }
                });
                std::mem::forget(queue);
                let shared = || rest(format!("Arc<flume::Shared<{t}>>"));
                case!(out, "flume unbounded", shared(), flume::unbounded::<T>());
                case!(out, "flume bounded", shared(), flume::bounded::<T>(some().len()));
                let (sender, receiver) = flume::unbounded::<T>();
                case!(out, "flume send", rest(format!("VecDeque<{t}>")), {
                    for seed in some() {
                        drop(sender.send(make(seed)));
                    }
                });
                case!(out, "flume drain", rest(format!("Vec<{t}>")), receiver.drain().collect::<Vec<T>>());
                std::mem::forget((sender, receiver));
                let (sender, receiver) = flume::bounded::<T>(4);
                case!(out, "flume try_send", rest(format!("VecDeque<{t}>")), {
                    sender.try_send(make(1)).is_ok()
                });
                std::mem::forget((sender, receiver));
                let (_sender, receiver) = flume::unbounded::<T>();
                // The queue of those that wait has room for more than the first.
                let mut first = receiver.recv_async();
                black_box(poll(&mut first));
                let hook = format!("Arc<flume::Hook<{t}, flume::async::AsyncSignal>>");
                case!(out, "flume recv_async", rest(hook), {
                    let mut future = receiver.recv_async();
                    black_box(poll(&mut future));
                    future
                });
                std::mem::forget(first);
            }

            fn slots(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                case!(out, "SlotMap", rest(format!("Vec<slotmap::basic::Slot<{t}>>")), {
                    let mut all = SlotMap::new();
                    for seed in some() {
                        all.insert(make(seed));
                    }
                    all
                });
                case!(out, "HopSlotMap", rest(format!("Vec<slotmap::hop::Slot<{t}>>")), {
                    let mut all = HopSlotMap::new();
                    for seed in some() {
                        all.insert(make(seed));
                    }
                    all
                });
                case!(out, "DenseSlotMap", |made: &DenseSlotMap<DefaultKey, T>| {
                    let first = made.values().next().unwrap();
                    vec![at(std::ptr::from_ref(first), format!("Vec<{t}>"))]
                }, {
                    let mut all = DenseSlotMap::new();
                    for seed in some() {
                        all.insert(make(seed));
                    }
                    all
                });
                case!(out, "SlotMap clone", rest(format!("Vec<slotmap::basic::Slot<{t}>>")), {
                    let all = SlotMap::<DefaultKey, T>::with_capacity(some().len());
                    all.clone()
                });
                let mut keys = SlotMap::new();
                let some_keys: Vec<DefaultKey> = some().map(|seed| keys.insert(seed)).collect();
                case!(out, "SecondaryMap", rest(format!("Vec<slotmap::secondary::Slot<{t}>>")), {
                    let mut all = SecondaryMap::new();
                    for (seed, key) in some_keys.iter().enumerate() {
                        all.insert(*key, make(seed));
                    }
                    all
                });
                let sparse = format!("HashMap<u32, slotmap::sparse_secondary::Slot<{t}>>");
                case!(out, "SparseSecondaryMap", rest(sparse), {
                    let mut all = SparseSecondaryMap::new();
                    for (seed, key) in some_keys.iter().enumerate() {
                        all.insert(*key, make(seed));
                    }
                    all
                });
                case!(out, "slot values", rest(format!("Vec<{t}>")), {
                    let mut all = SlotMap::new();
                    for seed in some() {
                        all.insert(make(seed));
                    }
                    all.drain().map(|(_, value)| value).collect::<Vec<T>>()
                });
            }

            fn pointers(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let inner = || rest(format!("Box<triomphe::arc::ArcInner<{t}>>"));
                case!(out, "triomphe Arc", inner(), triomphe::Arc::new(make(1)));
                case!(out, "triomphe unique", inner(), triomphe::UniqueArc::new(make(1)).shareable());
                let held = triomphe::Arc::new(make(1));
                let mut other = held.clone();
                case!(out, "triomphe make_mut", inner(), {
                    *triomphe::Arc::make_mut(&mut other) = make(2);
                });
                std::mem::forget((held, other));
                case!(out, "typed_arena", rest(format!("Vec<{t}>")), {
                    let all = typed_arena::Arena::with_capacity(black_box(4));
                    all.alloc(make(1));
                    all
                });
            }
        }
    };
}

drivers!(
    order,
    Order {
        id: u64,
        cents: i64
    }
);
drivers!(
    ticket,
    Ticket {
        number: u64,
        holder: u64
    }
);
drivers!(
    reading,
    Reading {
        at: u32,
        value: f32,
        ok: bool
    }
);
drivers!(message, Message { text: String, to: Vec<u8>, tries: Option<u16> });
drivers!(pixel, Pixel { rgb: [u8; 3] });

const CONFIG: &str = r#"
title = "a service"
ports = [8001, 8002, 8003, 8004, 8005]

[owner]
name = "somebody \u00e9"
roles = ["one", "two", "three"]

[limits]
open = 12.5
shut = 1e3
"#;

fn config(out: &mut Vec<Case>) {
    let text = black_box(CONFIG);
    case!(out, "toml table", |made: &toml::Table| known(made), {
        toml::from_str::<toml::Table>(text).unwrap()
    });
    case!(out, "toml parse", |made: &toml::Table| known(made), {
        text.parse::<toml::Table>().unwrap()
    });
    let parsed: toml::Table = toml::from_str(text).unwrap();
    case!(
        out,
        "toml clone",
        |made: &toml::Table| known(made),
        parsed.clone()
    );
    case!(
        out,
        "toml typed",
        |made: &BTreeMap<String, Vec<u16>>| {
            let mut known: Vec<_> = made
                .iter()
                .flat_map(|(key, all)| [at(key.as_ptr(), "String"), at(all.as_ptr(), "Vec<u16>")])
                .collect();
            known.push(others("BTreeMap<String, Vec<u16>>"));
            known
        },
        toml::from_str(black_box("a = [1, 2, 3]\nb = [4, 5, 6, 7, 8, 9]")).unwrap()
    );
    case!(
        out,
        "toml to a map of texts",
        |made: &HashMap<String, String>| {
            let mut known: Vec<_> = made
                .iter()
                .flat_map(|(key, value)| [at(key.as_ptr(), "String"), at(value.as_ptr(), "String")])
                .collect();
            known.push(others("HashMap<String, String>"));
            known
        },
        toml::from_str(black_box(
            "a = \"one\"\nb = '''two'''\n\"c d\" = \"\\tthree\""
        ))
        .unwrap()
    );
    case!(
        out,
        "toml to_string",
        rest("String"),
        toml::to_string(&parsed).unwrap()
    );
    case!(
        out,
        "toml pretty",
        rest("String"),
        toml::to_string_pretty(&parsed).unwrap()
    );
    case!(
        out,
        "toml Value to_string",
        rest("String"),
        parsed["ports"].to_string()
    );
    case!(
        out,
        "toml try_from",
        |made: &toml::Value| {
            vec![at(
                made.as_array().unwrap().as_ptr(),
                "Vec<toml::value::Value>",
            )]
        },
        toml::Value::try_from(vec![1u8, 2, 3]).unwrap()
    );
    let broken = black_box("a = [1, 2");
    case!(
        out,
        "anyhow around toml",
        |made: &anyhow::Error| {
            let inner: &toml::de::Error = made.downcast_ref().unwrap();
            vec![at(inner.message().as_ptr(), "String")]
        },
        {
            toml::from_str::<toml::Table>(broken)
                .context("a broken file")
                .unwrap_err()
        }
    );
}

/// The blocks of a table, but for its nodes' keys and values that own nothing.
fn known(table: &toml::Table) -> Vec<(usize, String)> {
    let mut all = vec![others("BTreeMap<String, toml::value::Value>")];
    for (key, value) in table {
        all.push(at(key.as_ptr(), "String"));
        within(value, &mut all);
    }
    all
}

fn within(value: &toml::Value, all: &mut Vec<(usize, String)>) {
    match value {
        toml::Value::String(text) => all.push(at(text.as_ptr(), "String")),
        toml::Value::Array(items) => {
            all.push(at(items.as_ptr(), "Vec<toml::value::Value>"));
            items.iter().for_each(|item| within(item, all));
        }
        toml::Value::Table(table) => {
            for (key, value) in table {
                all.push(at(key.as_ptr(), "String"));
                within(value, all);
            }
        }
        _ => {}
    }
}

fn messages(out: &mut Vec<Case>) {
    let name = black_box("a name");
    case!(
        out,
        "anyhow!",
        |made: &anyhow::Error| {
            let text: &String = made.downcast_ref().unwrap();
            vec![
                at(text.as_ptr(), "String"),
                others("Box<anyhow::error::ErrorImpl<anyhow::wrapper::MessageError<String>>>"),
            ]
        },
        anyhow::anyhow!("cannot open {name}")
    );
    let of_text = "Box<anyhow::error::ErrorImpl<anyhow::wrapper::MessageError<&str>>>";
    case!(
        out,
        "anyhow! literal",
        rest(of_text),
        anyhow::anyhow!("cannot open it")
    );
    let io = "Box<anyhow::error::ErrorImpl<std::io::error::Error>>";
    case!(out, "anyhow of io", rest(io), {
        fn open(path: &str) -> anyhow::Result<std::fs::File> {
            Ok(std::fs::File::open(path)?)
        }
        open(black_box("/no/such/file")).err()
    });
    let parse = "Box<anyhow::error::ErrorImpl<anyhow::error::ContextError<&str, core::num::error::ParseIntError>>>";
    case!(out, "anyhow of a number", rest(parse), {
        black_box("x").parse::<u32>().context("not a port").err()
    });
    case!(
        out,
        "slotmap of texts",
        |made: &SlotMap<DefaultKey, String>| {
            let mut known: Vec<_> = made
                .values()
                .map(|text| at(text.as_ptr(), "String"))
                .collect();
            known.push(others("Vec<slotmap::basic::Slot<String>>"));
            known
        },
        {
            let mut all = SlotMap::new();
            for number in 0..black_box(6) {
                all.insert(format!("text {number}"));
            }
            all
        }
    );
    case!(
        out,
        "ArcSwap of a map",
        |made: &arc_swap::ArcSwap<HashMap<u16, u32>>| {
            let shared = Arc::as_ptr(&made.load_full()) as usize - 16;
            vec![
                (shared, "Arc<HashMap<u16, u32>>".into()),
                others("HashMap<u16, u32>"),
            ]
        },
        {
            let all: HashMap<u16, u32> = (0..black_box(9)).map(|key| (key, 1)).collect();
            arc_swap::ArcSwap::from_pointee(all)
        }
    );
}

pub(crate) fn all(out: &mut Vec<Case>) {
    order::all(out);
    ticket::all(out);
    reading::all(out);
    message::all(out);
    pixel::all(out);
    config(out);
    messages(out);
}
