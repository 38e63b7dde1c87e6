//! Closures, futures, channels, errors, trees, and other people's crates.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;

use crate::case::{Case, at, case, rest};

pub(crate) fn all(out: &mut Vec<Case>) {
    closures(out);
    futures(out);
    json(out);
    others(out);
}

fn closures(out: &mut Vec<Case>) {
    let captured = black_box([1u64, 2, 3]);
    let here = |line: u32| format!("closure at {}:{line}", file!());
    let line = line!() + 1;
    let boxed = move || captured[1];
    case!(out, "Box<closure>", rest(format!("Box<{}>", here(line))), {
        Box::new(boxed) as Box<dyn Fn() -> u64>
    });
    let line = line!() + 1;
    let shared = move |x: u64| captured[1] + x;
    case!(out, "Arc<closure>", rest(format!("Arc<{}>", here(line))), {
        Arc::new(shared) as Arc<dyn Fn(u64) -> u64>
    });
}

async fn serve(id: u64, name: [u64; 4]) -> u64 {
    tokio::task::yield_now().await;
    id + name[0]
}

fn futures(out: &mut Vec<Case>) {
    case!(
        out,
        "Box::pin(async fn)",
        rest("Box<async fn ground::idioms::code::serve>"),
        Box::pin(serve(3, [1; 4])) as Pin<Box<dyn Future<Output = u64>>>
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    case!(
        out,
        "spawn",
        rest("task ground::idioms::code::serve"),
        runtime.spawn(serve(4, [2; 4]))
    );
    let captured = black_box([1u64, 2, 3]);
    let line = line!() + 1;
    let block = || async move { serve(captured[0], [2; 4]).await };
    let task = format!("task {{async block at {}:{line}}}", file!());
    case!(out, "spawn block", rest(task), runtime.spawn(block()));
    case!(
        out,
        "oneshot",
        rest("Arc<tokio::sync::oneshot::Inner<u64>>"),
        tokio::sync::oneshot::channel::<u64>()
    );
    std::mem::forget(runtime);
}

fn json(out: &mut Vec<Case>) {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    case!(
        out,
        "json array",
        rest("Vec<serde_json::value::Value>"),
        parse("[1,2,3,4,5,6]")
    );
    case!(out, "json string", rest("String"), parse("\"a text\""));
    case!(
        out,
        "json object",
        |made: &serde_json::Value| {
            let key = made.as_object().unwrap().keys().next().unwrap();
            vec![
                at(key.as_ptr(), "String"),
                (0, "BTreeMap<String, serde_json::value::Value>".into()),
            ]
        },
        parse("{\"key\": 1}")
    );
    case!(
        out,
        "json to_string",
        // Written as bytes, and made a `String` of as it stands.
        rest("Vec<u8>"),
        serde_json::to_string(&[1, 2, 3]).unwrap()
    );
    case!(
        out,
        "json Vec<u32>",
        rest("Vec<u32>"),
        serde_json::from_str::<Vec<u32>>("[1,2,3,4,5,6]").unwrap()
    );
}

#[derive(Debug)]
struct Failure([u64; 3]);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Failure {}

struct Node {
    _left: Option<Box<Node>>,
    _right: Option<Box<Node>>,
}

fn tree(depth: u32) -> Option<Box<Node>> {
    let _left = (depth > 0).then(|| tree(depth - 1)).flatten();
    let _right = (depth > 1).then(|| tree(depth - 2)).flatten();
    Some(Box::new(Node { _left, _right }))
}

fn others(out: &mut Vec<Case>) {
    case!(
        out,
        "Box<dyn Error>",
        rest("Box<ground::idioms::code::Failure>"),
        Box::<dyn std::error::Error>::from(Failure(black_box([1; 3])))
    );
    case!(
        out,
        "io::Error",
        |made: &std::io::Error| {
            let inner = made.get_ref().unwrap();
            vec![
                at(
                    std::ptr::from_ref(inner),
                    "Box<ground::idioms::code::Failure>",
                ),
                (0, "Box<std::io::error::Custom>".into()),
            ]
        },
        std::io::Error::other(Failure(black_box([1; 3])))
    );
    case!(
        out,
        "tree",
        rest("Box<ground::idioms::code::Node>"),
        tree(black_box(4))
    );
    case!(
        out,
        "channel",
        rest("Box<std::sync::mpmc::counter::Counter<std::sync::mpmc::list::Channel<u64>>>"),
        std::sync::mpsc::channel::<u64>()
    );
}
