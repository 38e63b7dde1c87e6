//! `walk`: the standard library's containers, one a file, read by the names of their fields in the debug information. A
//! container that does not hold together is torn: its plain fields are shown instead.

mod cells;
mod counted;
mod deque;
mod linked;
mod once;
mod table;
mod text;
mod tree;
mod vec;

use super::{Spot, Walker};
use crate::heap::{Address, TypeId};

pub(super) use counted::{Behind, behind};
pub(super) use table::in_block as table_in_block;

/// What a container is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// Bytes that are to be read as such.
    Text(Text),
    /// Values in order.
    List(List),
    /// Entries under keys.
    Map(Map),
    /// A value behind something that has to be said of it: counts, a lock's state.
    Held(String, Option<Spot>),
    /// The same, of what is no single value.
    Around(String, Box<Seen>),
}

/// A text, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) at: Address,
    /// In bytes.
    pub(super) length: u64,
    /// Whether it is meant to be UTF-8.
    pub(super) is_text: bool,
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) of: TypeId,
    /// From one to the next, in bytes.
    pub(super) stride: u64,
    /// Where runs of them begin, and how many there are.
    pub(super) runs: Vec<(Address, u64)>,
    /// How many there is room for, where that may be more.
    pub(super) room: Option<u64>,
}

/// Keys, and what stands under them; a set has keys alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) entries: Vec<(Spot, Option<Spot>)>,
    /// All that there are, also those beyond what was read.
    pub(super) length: u64,
}

/// Why a container could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Torn(pub(super) String);

impl Torn {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Torn(why.into())
    }
}

/// What a reader is given, and what it makes of it. None: the layout is not as expected.
type Read = fn(&Walker<'_>, Spot) -> Option<Result<Seen, Torn>>;

/// Who reads what, by the path of the type.
const READERS: &[(&str, Read)] = &[
    ("alloc::vec::Vec", vec::vec),
    ("alloc::collections::binary_heap::BinaryHeap", vec::heap),
    ("alloc::collections::vec_deque::VecDeque", deque::deque),
    ("alloc::collections::linked_list::LinkedList", linked::list),
    ("alloc::collections::btree::map::BTreeMap", tree::map),
    ("alloc::collections::btree::set::BTreeSet", tree::set),
    ("std::collections::hash::map::HashMap", table::map),
    ("std::collections::hash::set::HashSet", table::map),
    ("hashbrown::map::HashMap", table::map),
    ("hashbrown::set::HashSet", table::map),
    ("hashbrown::table::HashTable", table::map),
    ("hashbrown::raw::RawTable", table::map),
    ("alloc::string::String", text::string),
    ("std::path::PathBuf", text::os),
    ("std::ffi::os_str::OsString", text::os),
    ("alloc::ffi::c_str::CString", text::c),
    ("bytes::bytes::Bytes", text::bytes),
    ("bytes::bytes_mut::BytesMut", text::bytes),
    ("alloc::rc::Rc", counted::strong),
    ("alloc::sync::Arc", counted::strong),
    ("alloc::rc::Weak", counted::weak),
    ("alloc::sync::Weak", counted::weak),
    ("core::cell::RefCell", cells::ref_cell),
    ("std::sync::poison::mutex::Mutex", cells::mutex),
    ("std::sync::mutex::Mutex", cells::mutex),
    ("std::sync::poison::rwlock::RwLock", cells::rw_lock),
    ("std::sync::rwlock::RwLock", cells::rw_lock),
    ("std::sync::once_lock::OnceLock", once::lock),
    ("std::sync::lazy_lock::LazyLock", once::lazy),
    ("core::sync::atomic::AtomicBool", cells::flag),
    ("core::time::Duration", cells::duration),
];

impl Walker<'_> {
    /// What a value is, if it is a container.
    pub(super) fn container(&self, spot: Spot) -> Option<Result<Seen, Torn>> {
        let layout = self.layout(spot.of)?;
        if let Some(behind) = self.indirect(spot, &layout) {
            return Some(behind);
        }
        let (_, read) = READERS.iter().find(|(path, _)| *path == layout.path())?;
        Some(read(self, spot).unwrap_or_else(|| {
            Err(Torn::new(
                "its fields are not those that are known of it, or not in memory",
            ))
        }))
    }
}
