//! `resolve`: how a stack reads: functions as a person knows them, with file and line. Pure.

use std::rc::Rc;

use super::function::Function;
use super::image::Place;
use super::name::belongs_to;
use super::paths::last_segment;
use super::symbols;
use crate::heap::{Frame, Module};

/// The frames of one return address, innermost first. `address` is in the module's own numbering.
pub(super) fn frames(
    found: &[Rc<Function>],
    places: &[Option<Place>],
    module: Option<&Module>,
    address: u64,
) -> Vec<Frame> {
    if found.is_empty() {
        return vec![nameless(module, address)];
    }
    let outermost = found.len() - 1;
    let show = |(number, function): (usize, &Rc<Function>)| {
        let (file, line) = places.get(number).cloned().flatten().unwrap_or_default();
        Frame {
            function: symbols::displayed(function).into(),
            // C has no paths, and what Rust programs have of it is libraries.
            library: file.library || !function.path.contains("::"),
            file: file.path,
            line,
            inlined: number != outermost,
            machinery: is_machinery(&function.path),
        }
    };
    found.iter().enumerate().map(show).collect()
}

/// A place in code without any name.
fn nameless(module: Option<&Module>, address: u64) -> Frame {
    let function = match module {
        Some(module) => format!("{}+{address:#x}", file_name(&module.name)),
        None => format!("{address:#x}"),
    };
    Frame {
        function: function.into(),
        library: true,
        machinery: module.is_none_or(|module| is_runtime(file_name(&module.name))),
        ..Frame::default()
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_runtime(library: &str) -> bool {
    ["libc.", "libc-", "libpthread", "ld-linux", "libgcc_s"]
        .into_iter()
        .any(|runtime| library.starts_with(runtime))
}

/// Crates that allocate on behalf of others, or start the program.
const MACHINERY: &[&str] = &["alloc", "core", "std", "hashbrown", "sigheap", "__rustc"];
/// Functions of the C library and the linker that call the program's own.
const STARTS: &[&str] = &[
    "_start",
    "main",
    "start_thread",
    "clone",
    "clone3",
    "__libc_start_main",
    "__libc_start_main_impl",
    "__libc_start_call_main",
    "__clone",
    "__clone3",
];

fn is_machinery(path: &str) -> bool {
    let symbol = path.split('@').next().unwrap_or(path);
    belongs_to(path, MACHINERY)
        || last_segment(path).starts_with("__rust_")
        || STARTS.contains(&symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_and_the_allocation_say_little() {
        for path in [
            "alloc::vec::Vec::push",
            "std::rt::lang_start",
            "main",
            "__rust_alloc",
            "sigheap::track::alloc",
        ] {
            assert!(is_machinery(path), "{path}");
        }
        for path in ["demo::main", "tokio::runtime::spawn", "allocator::x"] {
            assert!(!is_machinery(path), "{path}");
        }
    }

    #[test]
    fn code_without_a_name_is_a_place_in_its_module() {
        let module = Module {
            path: "/lib/libz.so.1".into(),
            name: "/lib/libz.so.1".into(),
            start: 0x1000,
            end: 0x2000,
            bias: 0,
        };
        assert_eq!(
            &*frames(&[], &[], Some(&module), 0x1f)[0].function,
            "libz.so.1+0x1f"
        );
        assert_eq!(&*frames(&[], &[], None, 0x1f)[0].function, "0x1f");
    }
}
