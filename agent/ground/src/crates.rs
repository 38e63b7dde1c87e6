//! Crates as their authors published them, over types of this program. Where a crate's own type is what it allocates, its name
//! was read in the crate's source.

use std::any::type_name;
use std::collections::BTreeMap;
use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::{FutureExt, StreamExt};

use crate::case::{Case, at, case, others, rest};

macro_rules! drivers {
    ($module:ident, $name:ident { $($field:ident: $of:ty),* }) => {
        mod $module {
            use super::*;

            #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            struct $name { $($field: $of),* }

            type T = $name;

            fn one(seed: u64) -> T {
                let made = black_box((seed, T::default()));
                made.1
            }

            fn many() -> std::ops::Range<u64> {
                1..black_box(41)
            }

            pub(super) fn all(out: &mut Vec<Case>) {
                tables(out);
                sequences(out);
                channels(out);
                futures(out);
                graphs(out);
            }

            fn tables(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                case!(out, "hashbrown entry", rest(format!("hashbrown::HashMap<u64, {t}>")), {
                    let mut all = hashbrown::HashMap::new();
                    for seed in many() {
                        all.entry(seed).or_insert_with(|| one(seed));
                    }
                    all
                });
                case!(out, "hashbrown set", rest(format!("hashbrown::HashSet<{t}>")), {
                    many().map(one).collect::<hashbrown::HashSet<T>>()
                });
                case!(out, "hashbrown table", rest(format!("hashbrown::HashTable<{t}>")), {
                    let mut all = hashbrown::HashTable::new();
                    for seed in many() {
                        all.insert_unique(seed, one(seed), |_| seed);
                    }
                    all
                });
                case!(out, "indexmap entry", rest(format!("IndexMap<u64, {t}>")), {
                    let mut all = indexmap::IndexMap::new();
                    for seed in many() {
                        all.entry(seed).or_insert_with(|| one(seed));
                    }
                    all
                });
                case!(out, "indexset", rest(format!("IndexSet<{t}>")), {
                    let mut all = indexmap::IndexSet::with_capacity(5);
                    all.insert(one(1));
                    all
                });
                let entry = format!("lru::LruEntry<u64, {t}>");
                let mut cache = lru::LruCache::<u64, T>::new(NonZeroUsize::new(64).unwrap());
                case!(out, "lru put", rest(format!("Box<{entry}>")), {
                    for seed in many() {
                        cache.put(seed, one(seed));
                    }
                });
                std::mem::forget(cache);
                let map = dashmap::DashMap::<u64, T>::with_shard_amount(4);
                // Its shards hold one of hashbrown's raw tables each.
                let shard = format!("DashMap<u64, {t}>");
                case!(out, "dashmap insert", rest(shard), {
                    for seed in many() {
                        map.insert(seed, one(seed));
                    }
                });
                std::mem::forget(map);
                let mut headers = http::HeaderMap::<T>::with_capacity(8);
                headers.insert("one", one(1));
                case!(out, "http append", rest(format!("Vec<http::header::map::ExtraValue<{t}>>")), {
                    for seed in many().take(4) {
                        headers.append("one", one(seed));
                    }
                });
                std::mem::forget(headers);
            }

            fn sequences(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                case!(out, "smallvec spills", rest(format!("SmallVec<[{t}; 3]>")), {
                    let mut all = smallvec::SmallVec::<[T; 3]>::new();
                    for seed in many() {
                        all.push(one(seed));
                    }
                    all
                });
                case!(out, "smallvec collect", rest(format!("SmallVec<[{t}; 3]>")), {
                    many().map(one).collect::<smallvec::SmallVec<[T; 3]>>()
                });
                case!(out, "smallvec with_capacity", rest(format!("SmallVec<[{t}; 2]>")), {
                    smallvec::SmallVec::<[T; 2]>::with_capacity(many().count())
                });
                case!(out, "slab", rest(format!("Vec<slab::Entry<{t}>>")), {
                    let mut all = slab::Slab::new();
                    for seed in many() {
                        all.insert(one(seed));
                    }
                    all
                });
                case!(out, "slab with_capacity", rest(format!("Vec<slab::Entry<{t}>>")), {
                    slab::Slab::<T>::with_capacity(many().count())
                });
                let node = format!("Arc<im::nodes::hamt::Node<(u64, {t})>>");
                let mut map = im::HashMap::<u64, T>::new();
                case!(out, "im hashmap", rest(node), {
                    for seed in many() {
                        map.insert(seed, one(seed));
                    }
                });
                std::mem::forget(map);
                let node = format!("Arc<im::nodes::btree::Node<(u64, {t})>>");
                case!(out, "im ordmap", rest(node), {
                    let mut map = im::OrdMap::<u64, T>::new();
                    for seed in many() {
                        map.insert(seed, one(seed));
                    }
                    map
                });
            }

            fn channels(out: &mut Vec<Case>) {
                let t = type_name::<T>();
                let block = format!("tokio::sync::mpsc::block::Block<{t}>");
                let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<T>();
                case!(out, "tokio mpsc send", rest(format!("Box<{block}>")), {
                    for seed in many() {
                        drop(sender.send(one(seed)));
                    }
                });
                std::mem::forget((sender, receiver));
                case!(out, "tokio oneshot", rest(format!("Arc<tokio::sync::oneshot::Inner<{t}>>")), {
                    tokio::sync::oneshot::channel::<T>()
                });
                case!(out, "tokio watch", rest(format!("Arc<tokio::sync::watch::Shared<{t}>>")), {
                    tokio::sync::watch::channel(one(1))
                });
                let mutex = type_name::<tokio::sync::Mutex<T>>();
                case!(out, "Arc<tokio Mutex>", rest(format!("Arc<{mutex}>")), {
                    Arc::new(tokio::sync::Mutex::new(one(1)))
                });
                let cell = type_name::<tokio::sync::OnceCell<T>>();
                case!(out, "Arc<tokio OnceCell>", rest(format!("Arc<{cell}>")), {
                    Arc::new(tokio::sync::OnceCell::new_with(Some(one(1))))
                });
                let counter = format!(
                    "Box<crossbeam_channel::counter::Counter<crossbeam_channel::flavors::list::Channel<{t}>>>"
                );
                case!(out, "crossbeam unbounded", rest(counter), crossbeam_channel::unbounded::<T>());
                let (sender, receiver) = crossbeam_channel::unbounded::<T>();
                let block = format!("Box<crossbeam_channel::flavors::list::Block<{t}>>");
                case!(out, "crossbeam send", rest(block), {
                    for seed in many() {
                        drop(sender.send(one(seed)));
                    }
                });
                std::mem::forget((sender, receiver));
            }

            async fn work(with: T) -> T {
                tokio::task::yield_now().await;
                with
            }

            async fn both(with: T) -> (T, T) {
                tokio::join!(work(with.clone()), work(with))
            }

            fn futures(out: &mut Vec<Case>) {
                let module = module_path!();
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                case!(out, "spawn", rest(format!("task {module}::work")), runtime.spawn(work(one(1))));
                case!(out, "spawn join!", rest(format!("task {module}::both")), runtime.spawn(both(one(1))));
                case!(out, "spawn Box::pin", |made: &(tokio::task::JoinHandle<T>, usize)| {
                    vec![
                        (made.1, format!("Box<async fn {module}::work>")),
                        others(format!("task {module}::work")),
                    ]
                }, {
                    let boxed = Box::pin(work(one(1)));
                    let place = std::ptr::from_ref(&*boxed) as usize;
                    (runtime.spawn(boxed), place)
                });
                let local = tokio::task::LocalSet::new();
                case!(out, "spawn_local", |_: &tokio::task::JoinHandle<T>| {
                    vec![others(format!("task {module}::work"))]
                }, local.spawn_local(work(one(1))));
                std::mem::forget((local, runtime));
                case!(out, "boxed()", rest(format!("Box<async fn {module}::work>")), work(one(1)).boxed());
                case!(out, "Vec<Pin<Box<dyn Future>>>", |made: &Vec<Pin<Box<dyn Future<Output = T>>>>| {
                    let inner = type_name::<Pin<Box<dyn Future<Output = T>>>>();
                    vec![
                        at(made.as_ptr(), format!("Vec<{inner}>")),
                        others(format!("Box<async fn {module}::work>")),
                    ]
                }, {
                    let mut all: Vec<Pin<Box<dyn Future<Output = T>>>> = Vec::new();
                    for seed in many() {
                        all.push(Box::pin(work(one(seed))));
                    }
                    all
                });
                case!(out, "stream collect", rest(format!("Vec<{}>", type_name::<T>())), {
                    let stream = futures_util::stream::iter(many().map(one)).filter(|_| std::future::ready(true));
                    let mut all = Box::pin(stream.collect::<Vec<T>>());
                    match all.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                        std::task::Poll::Ready(all) => all,
                        std::task::Poll::Pending => Vec::new(),
                    }
                });
                let mut unordered = futures_util::stream::FuturesUnordered::new();
                let task = format!(
                    "Arc<futures_util::stream::futures_unordered::task::Task<async fn {module}::work>>"
                );
                case!(out, "FuturesUnordered push", rest(task), {
                    unordered.push(work(one(1)));
                });
                unordered.clear();
                std::mem::forget(unordered);
            }

            fn graphs(out: &mut Vec<Case>) {
                let (node, edge) = (
                    format!("Vec<{}>", type_name::<petgraph::graph::Node<T>>()),
                    format!("Vec<{}>", type_name::<petgraph::graph::Edge<u64>>()),
                );
                type Graph = petgraph::Graph<T, u64>;
                case!(out, "petgraph nodes", rest(node), {
                    let mut graph = Graph::new();
                    for seed in many() {
                        graph.add_node(one(seed));
                    }
                    graph
                });
                let mut graph = Graph::with_capacity(2, 0);
                let (a, b) = (graph.add_node(one(1)), graph.add_node(one(2)));
                case!(out, "petgraph edges", rest(edge), {
                    for seed in many() {
                        graph.add_edge(a, b, seed);
                    }
                });
                std::mem::forget(graph);
                let stable = format!("Vec<{}>", type_name::<petgraph::graph::Node<Option<T>>>());
                case!(out, "petgraph stable nodes", rest(stable), {
                    let mut graph = petgraph::stable_graph::StableGraph::<T, u64>::new();
                    for seed in many() {
                        graph.add_node(one(seed));
                    }
                    graph
                });
                case!(out, "json to T", rest("Vec<u64>"), {
                    let many: Vec<u64> = many().collect();
                    serde_json::from_value::<Vec<u64>>(serde_json::json!(many)).unwrap()
                });
            }
        }
    };
}

drivers!(
    session,
    Session {
        id: u64,
        at: u32,
        flags: [u16; 3]
    }
);
drivers!(device, Device { id: u64, seen: u64 });
drivers!(
    place,
    Place {
        east: i64,
        north: i64
    }
);
drivers!(frame, Frame { bytes: [[u8; 16]; 4], kind: Option<char> });

fn bytes(out: &mut Vec<Case>) {
    use bytes::{BufMut, Bytes, BytesMut};
    let text = black_box("some bytes that a socket gave");
    // Its buffer is a vector's.
    let buffer = || rest("Vec<u8>");
    case!(out, "BytesMut grows", buffer(), {
        let mut all = BytesMut::new();
        for _ in 0..black_box(9) {
            all.put_slice(text.as_bytes());
        }
        all
    });
    case!(
        out,
        "BytesMut with_capacity",
        buffer(),
        BytesMut::with_capacity(text.len())
    );
    case!(out, "BytesMut put_u64", buffer(), {
        let mut all = BytesMut::new();
        all.put_u64(black_box(9));
        all
    });
    let whole = Bytes::from(text.as_bytes().to_vec());
    case!(
        out,
        "Bytes clone",
        rest("Box<bytes::bytes::Shared>"),
        whole.clone()
    );
    let mut mutable = BytesMut::from(text);
    case!(
        out,
        "BytesMut split",
        rest("Box<bytes::bytes_mut::Shared>"),
        mutable.split_to(4)
    );
    std::mem::forget((whole, mutable));
}

fn json(out: &mut Vec<Case>) {
    use serde_json::Value;
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    case!(
        out,
        "json macro",
        |made: &Value| {
            let all = made.as_array().unwrap();
            let mut known = vec![at(all.as_ptr(), "Vec<serde_json::value::Value>")];
            known.extend(
                all.iter()
                    .filter_map(|one| Some(at(one.as_str()?.as_ptr(), "String"))),
            );
            known
        },
        serde_json::json!(["one", "two", black_box(3)])
    );
    case!(
        out,
        "json nested",
        |made: &Value| {
            let rows = made["rows"].as_array().unwrap();
            let mut known = vec![at(rows.as_ptr(), "Vec<serde_json::value::Value>")];
            for row in rows {
                known.extend(row.as_object().unwrap().iter().flat_map(|(key, value)| {
                    let value = value.as_str().map(|text| at(text.as_ptr(), "String"));
                    [Some(at(key.as_ptr(), "String")), value]
                        .into_iter()
                        .flatten()
                }));
            }
            known.extend(
                made.as_object()
                    .unwrap()
                    .keys()
                    .map(|key| at(key.as_ptr(), "String")),
            );
            known.push(others("BTreeMap<String, serde_json::value::Value>"));
            known
        },
        parse(r#"{"rows": [{"a": "x\ny", "b": 1}, {"a": "z"}], "n": 2.5}"#)
    );
    case!(
        out,
        "json to a map",
        |made: &BTreeMap<String, Vec<f64>>| {
            let mut known: Vec<_> = made
                .iter()
                .flat_map(|(key, all)| [at(key.as_ptr(), "String"), at(all.as_ptr(), "Vec<f64>")])
                .collect();
            known.push(others("BTreeMap<String, Vec<f64>>"));
            known
        },
        serde_json::from_str(r#"{"a": [1, 2.5], "b": [3, 4, 5, 6, 7]}"#).unwrap()
    );
    case!(
        out,
        "json to strings",
        |made: &Vec<String>| {
            let mut known = vec![at(made.as_ptr(), "Vec<String>")];
            known.extend(made.iter().map(|text| at(text.as_ptr(), "String")));
            known
        },
        serde_json::from_str(r#"["a", "b\tc", "d"]"#).unwrap()
    );
    case!(
        out,
        "json to_vec",
        rest("Vec<u8>"),
        serde_json::to_vec(&parse("[1, 2]")).unwrap()
    );
    case!(out, "json pretty", rest("Vec<u8>"), {
        serde_json::to_string_pretty(&["a", black_box("b")]).unwrap()
    });
    case!(
        out,
        "json Value clone",
        |made: &Value| {
            let all = made.as_array().unwrap();
            let mut known = vec![at(all.as_ptr(), "Vec<serde_json::value::Value>")];
            known.extend(
                all.iter()
                    .filter_map(|one| Some(at(one.as_str()?.as_ptr(), "String"))),
            );
            known
        },
        parse(r#"["a", "b", 3]"#).clone()
    );
    case!(
        out,
        "json Value to_string",
        rest("String"),
        parse("[1, [2]]").to_string()
    );
}

fn patterns(out: &mut Vec<Case>) {
    let text = black_box("2024-01-02 and 2025-03-04");
    let pattern = regex::Regex::new(r"(\d+)-(\d+)").unwrap();
    // Its caches are made, and grow, at the first search.
    drop(pattern.replace_all(text, "$2/$1"));
    let searches = (
        pattern.find_iter(text),
        pattern.captures_iter(text),
        pattern.split(text),
    );
    black_box((searches.0.count(), searches.1.count(), searches.2.count()));
    case!(
        out,
        "regex replace_all",
        rest("String"),
        pattern.replace_all(text, "$2/$1").into_owned()
    );
    case!(
        out,
        "regex find_iter",
        |made: &Vec<String>| {
            let mut known = vec![at(made.as_ptr(), "Vec<String>")];
            known.extend(made.iter().map(|text| at(text.as_ptr(), "String")));
            known
        },
        pattern
            .find_iter(text)
            .map(|found| found.as_str().to_string())
            .collect::<Vec<_>>()
    );
    case!(
        out,
        "regex split",
        rest("Vec<&str>"),
        pattern.split(text).collect::<Vec<_>>()
    );
    case!(
        out,
        "regex matches",
        rest(format!("Vec<{}>", type_name::<regex::Match<'_>>())),
        pattern.find_iter(text).collect::<Vec<_>>()
    );
    case!(
        out,
        "regex captures",
        rest(format!("Vec<{}>", type_name::<regex::Captures<'_>>())),
        {
            let all: Vec<_> = pattern.captures_iter(text).collect();
            all.into_iter()
                .filter(|all| all.len() > 99)
                .collect::<Vec<_>>()
        }
    );
    case!(out, "regex escape", rest("String"), regex::escape(text));
}

pub(crate) fn all(out: &mut Vec<Case>) {
    session::all(out);
    device::all(out);
    place::all(out);
    frame::all(out);
    bytes(out);
    json(out);
    patterns(out);
}
