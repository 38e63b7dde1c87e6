//! `resolve`: a symbol's name -> a function, for code without debug information. Pure.
//!
//! The v0 mangling keeps generics (`alloc::vec::from_elem::<u8>`), the legacy one only their names (`RawVec<T,A>`).

use std::rc::Rc;

use super::function::Function;
use super::name;
use super::paths::{closing, split_generics, split_list, without_generics};
use super::sizes;

/// The function that a symbol names.
pub(super) fn function(symbol: &str) -> Function {
    let text = format!("{:#}", rustc_demangle::demangle(symbol));
    let (subject, rest) = match text.strip_prefix('<') {
        Some(inside) => inside.split_at(closing(inside).unwrap_or(inside.len())),
        None => ("", text.as_str()),
    };
    let (of, interface) = split_as(subject);
    let path = path_of(of, rest.trim_start_matches('>'));
    let mut arguments = own_arguments(of);
    arguments.extend(all_arguments(interface));
    arguments.extend(all_arguments(rest));
    Function {
        method_of: (!of.is_empty()).then(|| Rc::new(sizes::by_name(of))),
        symbol: symbol.to_string(),
        ..Function::from_texts(path, &arguments)
    }
}

/// The static or thread-local that a symbol names, as a reader knows it: what `thread_local!` wraps around one is left out.
pub(super) fn variable(symbol: &str) -> String {
    let text = format!("{:#}", rustc_demangle::demangle(symbol));
    let (outer, last) = text.rsplit_once("::").unwrap_or(("", &text));
    let wrapped = matches!(last, "VAL" | "__RUST_STD_INTERNAL_VAL" | "__KEY");
    let whole = outer.find("::{").filter(|_| wrapped);
    match whole.and_then(|end| outer.get(..end)) {
        Some(name) => name.to_owned(),
        None => text,
    }
}

/// A function as a reader knows it: `<demo::Cache as core::ops::drop::Drop>::drop`, generics left out.
pub(super) fn displayed(function: &Function) -> String {
    let by_impl = function.path.rsplit_once("{impl#").and_then(|(_, rest)| {
        let (_, item) = rest.split_once("}::")?;
        Some(format!(
            "{}::{}",
            subject(&function.symbol, item)?,
            name::plain(item)
        ))
    });
    by_impl.unwrap_or_else(|| name::plain(&function.path))
}

/// What the `impl` block of an item is for, from the item's symbol: `<demo::Cache as Drop>` or `demo::Cache`.
fn subject(symbol: &str, item: &str) -> Option<String> {
    let text = format!("{:#}", rustc_demangle::demangle(symbol));
    if let Some(inside) = text.strip_prefix('<') {
        return Some(format!(
            "<{}>",
            without_generics(&inside[..closing(inside)?])
        ));
    }
    let method = item.split("::").next()?;
    let text = without_generics(&text);
    let (before, _) = text.rsplit_once(&format!("::{method}"))?;
    Some(before.to_string())
}

/// `A as B` in its halves.
fn split_as(subject: &str) -> (&str, &str) {
    let at = subject.match_indices(" as ").map(|(at, _)| at).find(|at| {
        let open = subject[..*at].matches('<').count();
        open == subject[..*at].matches('>').count() - subject[..*at].matches("->").count()
    });
    at.map_or((subject, ""), |at| {
        (&subject[..at], &subject[at + " as ".len()..])
    })
}

fn path_of(of: &str, rest: &str) -> String {
    let rest = without_generics(rest);
    match of {
        "" => rest,
        slice if slice.starts_with('[') => format!("alloc::slice{rest}"),
        of => without_generics(of) + &rest,
    }
}

fn own_arguments(of: &str) -> Vec<&str> {
    match of.strip_prefix('[').and_then(|of| of.strip_suffix(']')) {
        Some(element) => vec![element],
        None => split_generics(of).1,
    }
}

/// The generic arguments of every segment.
fn all_arguments(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        let close = closing(rest).unwrap_or(rest.len());
        arguments.extend(split_list(&rest[..close]));
        rest = &rest[close..];
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v0_names_keep_their_types() {
        // <alloc::vec::Vec<u8>>::push and alloc::vec::from_elem::<u32>, as text: demangling leaves text alone.
        let push = function("<alloc::vec::Vec<u8>>::push");
        assert_eq!(push.path, "alloc::vec::Vec::push");
        assert_eq!(push.parameter("T").unwrap().name, "u8");
        let from = function("alloc::vec::from_elem::<u32>");
        assert_eq!(
            (from.path.as_str(), from.parameter("T").unwrap().size),
            ("alloc::vec::from_elem", Some(4))
        );
        let clone = function("<alloc::vec::Vec<(a::B, u8)> as core::clone::Clone>::clone");
        assert_eq!(clone.path, "alloc::vec::Vec::clone");
        assert_eq!(clone.parameter("T").unwrap().name, "(a::B, u8)");
    }

    #[test]
    fn variables_are_called_as_in_the_source() {
        for (symbol, name) in [
            (
                "_ZN11demo_server5CACHE17h0123456789abcdefE",
                "demo_server::CACHE",
            ),
            ("demo::SEEN::{{constant}}::{{closure}}::VAL", "demo::SEEN"),
            (
                "demo::SEEN::{constant#0}::{closure#1}::__RUST_STD_INTERNAL_VAL",
                "demo::SEEN",
            ),
            (
                "demo::main::{{closure}}::OPEN",
                "demo::main::{{closure}}::OPEN",
            ),
            ("demo::VAL", "demo::VAL"),
            ("environ", "environ"),
        ] {
            assert_eq!(variable(symbol), name);
        }
    }

    #[test]
    fn legacy_names_lose_them() {
        let grow = function("_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$8grow_one17h0123456789abcdefE");
        assert_eq!(grow.path, "alloc::raw_vec::RawVec::grow_one");
        assert_eq!(grow.parameters, []);
    }

    #[test]
    fn a_reader_sees_no_numbers() {
        let function = |path: &str, symbol: &str| Function {
            path: path.into(),
            symbol: symbol.into(),
            ..Function::default()
        };
        assert_eq!(
            displayed(&function("demo::serve::{async_fn#0}", "")),
            "demo::serve"
        );
        assert_eq!(
            displayed(&function("demo::run::{closure#2}", "")),
            "demo::run::{closure}"
        );
        let symbol = "<demo::Set<T> as core::ops::Drop>::drop";
        assert_eq!(
            displayed(&function("demo::{impl#4}::drop", symbol)),
            "<demo::Set as core::ops::Drop>::drop"
        );
    }

    #[test]
    fn broken_names_are_taken_as_they_are() {
        for text in [
            "<", "<<<", ">", "<a as ", "a<b", "_R", "<-> as >", "", "[", "<[T",
        ] {
            function(text);
        }
    }
}
