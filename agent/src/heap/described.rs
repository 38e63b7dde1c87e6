//! NOUNS: layouts from arrays, for tests.

use std::rc::Rc;

use super::layout::{
    Beside, Content, Field, Layout, Layouts, Place, Shape, Static, TypeId, Written,
};
use super::{Address, Site};

/// Types by their numbers, and what else is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub(crate) types: Vec<Rc<Layout>>,
    pub(crate) statics: Vec<Static>,
    /// What the blocks of a site hold, by the site's number.
    pub(crate) contents: Vec<(u32, Content)>,
}

pub(crate) const WORD: TypeId = TypeId(0);
pub(crate) const ENTITY: TypeId = TypeId(1);
const POINTER: TypeId = TypeId(2);
const RAW: TypeId = TypeId(3);
pub(crate) const VEC: TypeId = TypeId(4);
pub(crate) const CACHE: TypeId = TypeId(5);
/// Where the cache is.
pub(crate) const CACHE_AT: u64 = 0x80_0000;
/// Where its entities are.
pub(crate) const ENTITIES_AT: u64 = 0x90_0000;

impl Described {
    /// `static CACHE: Cache`, which has `entries: Vec<CacheEntity>`, and blocks of site 1 that are an `Arc<CacheEntity>`.
    pub(crate) fn cache() -> Self {
        let layout = |name: &str, size, shape| Layout {
            name: name.into(),
            size,
            align: 8,
            shape,
            over: Vec::new(),
        };
        let of_entity = |layout| Layout {
            over: vec![("T".into(), ENTITY)],
            ..layout
        };
        let types = [
            layout("u64", 8, Shape::Unsigned),
            layout(
                "demo_server::CacheEntity",
                16,
                fields(&[("id", 0, WORD), ("requests", 8, WORD)]),
            ),
            layout("*const u8", 8, Shape::Pointer(None, Beside::Nothing)),
            of_entity(layout(
                "alloc::raw_vec::RawVec<demo_server::CacheEntity>",
                16,
                fields(&[("ptr", 0, POINTER), ("cap", 8, WORD)]),
            )),
            of_entity(layout(
                "alloc::vec::Vec<demo_server::CacheEntity>",
                24,
                fields(&[("buf", 0, RAW), ("len", 16, WORD)]),
            )),
            layout("demo_server::Cache", 24, fields(&[("entries", 0, VEC)])),
        ];
        Described {
            types: types.into_iter().map(Rc::new).collect(),
            statics: vec![Static {
                name: "demo_server::CACHE".into(),
                place: Place::At(Address(CACHE_AT)),
                of: CACHE,
            }],
            contents: vec![(1, Content::Counted(ENTITY))],
        }
    }
}

fn fields(of: &[(&str, u64, TypeId)]) -> Shape {
    let field = |(name, offset, of): &(&str, u64, TypeId)| Field {
        name: (*name).into(),
        offset: *offset,
        of: *of,
    };
    Shape::Struct(of.iter().map(field).collect())
}

impl Layouts for Described {
    fn layout(&self, of: TypeId) -> Option<Rc<Layout>> {
        self.types.get(of.0 as usize).cloned()
    }

    fn written(&self, of: TypeId) -> Written {
        let full = self.layout(of).map(|layout| layout.name.clone());
        let full = full.unwrap_or_default();
        Written {
            short: full.rsplit("::").next().unwrap_or_default().into(),
            full,
        }
    }

    fn content(&self, site: &Site, _: u64, _: u64) -> Content {
        let mut contents = self.contents.iter();
        let found = contents.find(|(known, _)| *known == site.id.0);
        found.map_or(Content::Unknown, |(_, content)| *content)
    }

    fn statics(&self) -> Rc<[Static]> {
        self.statics.clone().into()
    }

    fn behind(&self, _: Address) -> Option<TypeId> {
        None
    }
}
