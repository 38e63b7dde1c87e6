//! `resolve`: sizes of types that are known by their name alone, for builds that do not describe types. Pure.

use super::paths;
use super::types::Type;

/// A type of which only the name is known.
pub(super) fn by_name(name: &str) -> Type {
    let known = layout(name);
    Type {
        name: name.to_string(),
        size: known.map(|(size, _)| size),
        align: known.map(|(_, align)| align),
    }
}

/// Size and alignment in bytes, on a 64-bit machine.
fn layout(name: &str) -> Option<(u64, u64)> {
    let (path, arguments) = paths::split_generics(name);
    Some(match path {
        "u8" | "i8" | "bool" => (1, 1),
        "u16" | "i16" => (2, 2),
        "u32" | "i32" | "f32" | "char" => (4, 4),
        "u64" | "i64" | "f64" | "usize" | "isize" => (8, 8),
        "u128" | "i128" => (16, 16),
        "()" => (0, 1),
        "&str" => (16, 8),
        "alloc::string::String"
        | "alloc::vec::Vec"
        | "std::path::PathBuf"
        | "std::ffi::os_str::OsString" => (24, 8),
        "alloc::boxed::Box" | "alloc::rc::Rc" | "alloc::sync::Arc" => pointer(arguments.first()?)?,
        _ => return None,
    })
}

/// A pointer to something whose size is known is one word long; to `dyn`, a slice or a string, two.
fn pointer(to: &str) -> Option<(u64, u64)> {
    let wide = to.starts_with("dyn ") || to.starts_with('[') && !to.contains(';') || to == "str";
    Some((if wide { 16 } else { 8 }, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_to_unsized_types_are_two_words() {
        assert_eq!(layout("alloc::boxed::Box<dyn a::B>"), Some((16, 8)));
        assert_eq!(layout("alloc::boxed::Box<[u8]>"), Some((16, 8)));
        assert_eq!(layout("alloc::boxed::Box<[u8; 4]>"), Some((8, 8)));
        assert_eq!(layout("a::B"), None);
    }
}
