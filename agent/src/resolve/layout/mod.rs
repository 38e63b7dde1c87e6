//! `resolve`: how types lie in memory, what blocks hold, and which variables there are, each read when first asked for.

mod read;
mod statics;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::dwarf::Die;
use super::forms;
use super::infer::Found;
use super::name::Writer;
use super::{LEVELS, Resolver, is_of_c};
use crate::heap::{
    Address, Content, Layout, Layouts, Place, Shape, Site, SiteId, Static, TypeId, Written,
};

pub(super) use read::Read;
pub(super) use statics::Statics;

use statics::Spot;

/// What was asked for so far.
#[derive(Default)]
pub(super) struct Known {
    /// The module of each type and its entry there, by the type's number.
    dies: RefCell<Vec<(usize, Die)>>,
    numbers: RefCell<HashMap<(usize, Die), TypeId>>,
    layouts: RefCell<HashMap<TypeId, Option<Rc<Layout>>>>,
    written: RefCell<HashMap<TypeId, Written>>,
    contents: RefCell<HashMap<(SiteId, u64, u64), Content>>,
    statics: OnceCell<Rc<[Static]>>,
}

impl Known {
    fn number(&self, module: usize, die: Die) -> TypeId {
        let mut numbers = self.numbers.borrow_mut();
        *numbers.entry((module, die)).or_insert_with(|| {
            let mut dies = self.dies.borrow_mut();
            dies.push((module, die));
            TypeId(u32::try_from(dies.len() - 1).unwrap_or(u32::MAX))
        })
    }

    fn die(&self, of: TypeId) -> Option<(usize, Die)> {
        self.dies.borrow().get(of.0 as usize).copied()
    }
}

impl Layouts for Resolver<'_> {
    fn layout(&self, of: TypeId) -> Option<Rc<Layout>> {
        if let Some(known) = self.known.layouts.borrow().get(&of) {
            return known.clone();
        }
        let read = self.known.die(of).and_then(|(module, die)| {
            let number = |die| self.known.number(module, die);
            self.image(module)?.layout(die, &number)
        });
        let read = read.map(Rc::new);
        self.known.layouts.borrow_mut().insert(of, read.clone());
        read
    }

    fn written(&self, of: TypeId) -> Written {
        if let Some(known) = self.known.written.borrow().get(&of) {
            return known.clone();
        }
        let name = self
            .known
            .die(of)
            .and_then(|(module, die)| self.image(module)?.name_of_type(die));
        let place = |path: &str| self.places.borrow().get(path).cloned().flatten();
        let writer = Writer { place: &place };
        let full = writer.write(&name.unwrap_or_default());
        let written = Written {
            short: self.shortener.borrow_mut().shorten(&full).into(),
            full: full.into(),
        };
        self.known.written.borrow_mut().insert(of, written.clone());
        written
    }

    fn content(&self, site: &Site, size: u64, align: u64) -> Content {
        let key = (site.id, size, align);
        if let Some(known) = self.known.contents.borrow().get(&key) {
            return *known;
        }
        let found = self.found(site, size, align, |found, _| found);
        let content = found.and_then(|found| self.content_of(site, &found));
        let content = content.unwrap_or(match align {
            1 => Content::Bytes,
            _ => Content::Unknown,
        });
        self.known.contents.borrow_mut().insert(key, content);
        content
    }

    fn statics(&self) -> Rc<[Static]> {
        if let Some(known) = self.known.statics.get() {
            return known.clone();
        }
        let modules = 0..self.modules.len();
        let all: Rc<[Static]> = modules.flat_map(|module| self.statics_of(module)).collect();
        match self.waiting.has_stopped() {
            true => all,
            false => self.known.statics.get_or_init(|| all).clone(),
        }
    }

    fn behind(&self, vtable: Address) -> Option<TypeId> {
        self.own_modules().find_map(|module| {
            let image = self.image(module)?;
            let at = self.modules.get(module)?.to_file(vtable.0);
            let of = image.type_behind(at, self.waiting)?;
            Some(self.known.number(module, of))
        })
    }
}

impl Resolver<'_> {
    /// What a block holds that was found to be made up of a type.
    fn content_of(&self, site: &Site, found: &Found) -> Option<Content> {
        use forms::Shape::{ArrayItems, Counted, CountedItems, Items, One, Table, Text};
        if found.shape == Text || found.shape == Items && matches!(&*found.of.name, "" | "u8") {
            return Some(Content::Bytes);
        }
        let mut near = site.frames.iter().take(LEVELS);
        let of = near.find_map(|address| {
            let (module, image, _) = self.locate(address.0.wrapping_sub(1))?;
            let die = image.type_named(&found.of.name, found.of.size)?;
            Some(self.known.number(module, die))
        })?;
        Some(match found.shape {
            One => self.counted(of).unwrap_or(Content::One(of)),
            Items => Content::Items(of),
            Counted => Content::Counted(of),
            CountedItems => Content::CountedItems(of),
            Table => Content::Table(of),
            Text => Content::Bytes,
            ArrayItems => match self.layout(of)?.shape {
                Shape::Array(element, _) => Content::Items(element),
                _ => return None,
            },
        })
    }

    /// What `Rc` and `Arc` point to may have been found as the one value it is.
    fn counted(&self, of: TypeId) -> Option<Content> {
        let layout = self.layout(of)?;
        let is_counted = [
            "alloc::sync::ArcInner",
            "alloc::rc::RcInner",
            "alloc::rc::RcBox",
        ];
        let value = layout.parameter("T")?;
        is_counted
            .contains(&layout.path())
            .then_some(Content::Counted(value))
    }

    fn statics_of(&self, module: usize) -> Vec<Static> {
        let is_own = self.own_modules().any(|own| own == module);
        let Some(image) = self.image(module).filter(|_| is_own) else {
            return Vec::new();
        };
        let bias = self.modules.get(module).map_or(0, |module| module.bias);
        let statics = image.statics(self.waiting);
        let variables = statics.into_iter().flat_map(|statics| &statics.named);
        let variable = |variable: &statics::Variable| Static {
            name: variable.name.as_str().into(),
            place: match variable.spot {
                Spot::At(address) => Place::At(Address(address.wrapping_add(bias))),
                Spot::OfThread(offset) => Place::OfThread { module, offset },
            },
            of: self.known.number(module, variable.of),
        };
        variables.map(variable).collect()
    }

    /// The modules that may be Rust's, those left out whose file is another's, too.
    fn own_modules(&self) -> impl Iterator<Item = usize> {
        let is_first = |number: &usize| {
            let path = self.modules.get(*number).map(|module| &module.path);
            self.modules
                .iter()
                .position(|other| Some(&other.path) == path)
                == Some(*number)
        };
        let is_rust = |number: &usize| {
            let module = self.modules.get(*number);
            module.is_some_and(|module| !is_of_c(&module.name))
        };
        (0..self.modules.len()).filter(is_rust).filter(is_first)
    }
}
