//! `resolve`: writes a type as a programmer would: the standard library's owners by their bare names, closures by where they
//! stand, default parameters left out. Pure.

use super::paths::{closing, is_within, last_segment, map_paths};

/// Writes types.
pub(super) struct Writer<'a> {
    /// Where a closure's type stands in the source: `src/pool.rs:42`.
    pub(super) place: &'a dyn Fn(&str) -> Option<String>,
}

/// Types of the standard library that everybody knows by their last name.
const BARE: &[&str] = &[
    "alloc::borrow::Cow",
    "alloc::boxed::Box",
    "alloc::collections::binary_heap::BinaryHeap",
    "alloc::collections::btree::map::BTreeMap",
    "alloc::collections::btree::set::BTreeSet",
    "alloc::collections::linked_list::LinkedList",
    "alloc::collections::vec_deque::VecDeque",
    "alloc::ffi::c_str::CString",
    "alloc::rc::Rc",
    "alloc::rc::Weak",
    "alloc::string::String",
    "alloc::sync::Arc",
    "alloc::sync::Weak",
    "alloc::vec::Vec",
    "core::cell::Cell",
    "core::cell::RefCell",
    "core::option::Option",
    "core::pin::Pin",
    "core::result::Result",
    "core::time::Duration",
    "std::collections::hash::map::HashMap",
    "std::collections::hash::set::HashSet",
    "std::ffi::os_str::OsString",
    "std::path::PathBuf",
    "std::sync::poison::mutex::Mutex",
    "std::sync::poison::rwlock::RwLock",
    "std::time::Instant",
    "std::time::SystemTime",
];

/// Parameters that nobody writes.
const DEFAULTS: &[&str] = &[
    "alloc::alloc::Global",
    "std::hash::random::RandomState",
    "hashbrown::hasher::DefaultHashBuilder",
    "foldhash::fast::RandomState",
];

impl Writer<'_> {
    /// A type, from the way the compiler writes it.
    pub(super) fn write(&self, name: &str) -> String {
        let name = self.name_code(&without_defaults(name));
        map_paths(&name, |path| match BARE.contains(&path) {
            true => last_segment(path).to_string(),
            false => path.to_string(),
        })
    }

    /// Writes the types of closures and futures, whose generics are those of the function around them and are left out.
    fn name_code(&self, name: &str) -> String {
        let mut out = String::with_capacity(name.len());
        let mut rest = name;
        while let Some(at) = rest.find("_env#") {
            let begin = rest[..at]
                .rfind(['<', '(', '[', ' ', ',', '&', '*'])
                .map_or(0, |before| before + 1);
            let end = rest[at..]
                .find('}')
                .map_or(rest.len(), |close| at + close + 1);
            out.push_str(&rest[..begin]);
            out.push_str(&self.code(&rest[begin..end]));
            rest = &rest[end..];
            if let Some(generics) = rest.strip_prefix('<') {
                rest = closing(generics).map_or("", |close| &generics[close + 1..]);
            }
        }
        out + rest
    }

    /// `a::serve::{async_fn_env#0}` -> `async fn a::serve`.
    fn code(&self, path: &str) -> String {
        let (function, kind) = path.rsplit_once("::").unwrap_or(("", path));
        let what = match kind.trim_start_matches('{').split("_env#").next() {
            Some("async_fn") => return format!("async fn {}", plain(function)),
            Some("async_block") => "async block",
            Some("async_closure" | "async_closure_body") => "async closure",
            Some("gen_block" | "gen_fn" | "coroutine") => "coroutine",
            _ => "closure",
        };
        match (self.place)(path) {
            Some(place) => format!("{what} at {place}"),
            None => format!("{what} in {}", plain(function)),
        }
    }
}

/// The path of a function as its reader knows it: without the compiler's numbers for `impl` blocks and closures.
pub(super) fn plain(path: &str) -> String {
    let segments = path
        .split("::")
        .filter_map(|segment| match segment.strip_prefix('{') {
            None => Some(segment),
            Some(made) if made.starts_with("closure") => Some("{closure}"),
            Some(made) if made.starts_with("async_block") => Some("{async block}"),
            Some(_) => None,
        });
    segments.collect::<Vec<_>>().join("::")
}

fn without_defaults(name: &str) -> String {
    let mut name = name.to_string();
    for default in DEFAULTS {
        let text = format!(", {default}");
        let mut from = 0;
        while let Some(at) = name[from..].find(&text).map(|at| from + at) {
            from = at + text.len();
            if name[from..].starts_with(['>', ',']) {
                name.replace_range(at..from, "");
                from = at;
            }
        }
    }
    name
}

/// The crate, or the part of the standard library, that a path belongs to.
pub(super) fn belongs_to(path: &str, roots: &[&str]) -> bool {
    let path = path.trim_start_matches(['<', '&', '[', '(']);
    roots.iter().any(|root| is_within(path, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str) -> String {
        let place =
            |path: &str| (path == "a::f::{closure_env#1}").then(|| "src/pool.rs:42".to_string());
        Writer { place: &place }.write(name)
    }

    #[test]
    fn owners_are_bare_and_defaults_left_out() {
        let name = "std::collections::hash::map::HashMap<alloc::string::String, \
                    alloc::vec::Vec<a::B, alloc::alloc::Global>, std::hash::random::RandomState>";
        assert_eq!(write(name), "HashMap<String, Vec<a::B>>");
        assert_eq!(write("a::Global, x"), "a::Global, x");
        assert_eq!(
            write("&mut [core::option::Option<a::B>; 4]"),
            "&mut [Option<a::B>; 4]"
        );
    }

    #[test]
    fn code_is_named_by_its_place_or_its_function() {
        assert_eq!(
            write("a::f::{closure_env#1}<T, U<V>>"),
            "closure at src/pool.rs:42"
        );
        assert_eq!(write("a::f::{closure_env#0}"), "closure in a::f");
        assert_eq!(
            write("x<a::{impl#3}::serve::{async_fn_env#0}, b>"),
            "x<async fn a::serve, b>"
        );
        assert_eq!(
            write("a::f::{closure#0}::{async_block_env#0}<T>"),
            "async block in a::f::{closure}"
        );
        assert_eq!(write("{closure_env#"), "closure in ");
    }
}
