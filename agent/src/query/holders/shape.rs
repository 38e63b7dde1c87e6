//! The shapes of chains: which types lead from which root to a block. Blocks whose chains have one shape are one row, so that
//! 65,000 entries of a map give one line. What repeats on a chain, as the nodes of a list do, counts once.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Holders, Place, held_text};
use crate::heap::Hold;
use crate::query::View;
use crate::query::types::Types;

/// The shapes found so far.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    known: HashMap<(Above, usize, Hold), u32>,
    /// The shape of each block that was asked for, or is on the chain of one.
    of_block: HashMap<u32, u32>,
    /// What chains begin at.
    pub(crate) origins: Vec<Rc<str>>,
    origin_numbers: HashMap<Rc<str>, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    above: Above,
    /// The type's place in the look's types.
    kind: usize,
    repeats: bool,
    hold: Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Above {
    Origin(u32),
    Shape(u32),
}

/// A type on a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Its place in the look's types; [`UNKNOWN`] for none.
    pub(crate) kind: usize,
    /// Whether it stands for several blocks in a row.
    pub(crate) repeats: bool,
    /// How the pointer to it holds; of a stack nothing is said.
    pub(crate) hold: Hold,
}

/// The place of what has no type.
pub(crate) const UNKNOWN: usize = usize::MAX;
/// How far back a repetition is looked for: a list whose nodes are several blocks each.
const BACK: usize = 4;

impl Shapes {
    /// The number of the shape of a block's chain.
    pub(crate) fn of(
        &mut self,
        view: &mut View<'_>,
        holders: &Holders,
        types: &Types,
        block: u32,
    ) -> u32 {
        let mut way = Vec::new();
        let mut above = None;
        for block in holders.graph.chain(block) {
            if let Some(known) = self.of_block.get(&block) {
                above = Some(Above::Shape(*known));
                break;
            }
            way.push(block);
        }
        let mut above = above.unwrap_or_else(|| self.origin(view, holders, way.last().copied()));
        let mut last = None;
        for block in way.into_iter().rev() {
            let one = view.numbered(block);
            let kind = types
                .index
                .of(one)
                .map_or(UNKNOWN, |group| types.place_of(group));
            let shape = self.extend(above, kind, holders.hold_on_chain(block));
            self.of_block.insert(block, shape);
            above = Above::Shape(shape);
            last = Some(shape);
        }
        match (last, above) {
            (Some(shape), _) | (None, Above::Shape(shape)) => shape,
            (None, Above::Origin(_)) => self.extend(above, UNKNOWN, Hold::Owning),
        }
    }

    /// The types on chains of a shape, from the root on, and what they begin at.
    pub(crate) fn steps(&self, shape: u32) -> (Rc<str>, Vec<Step>) {
        let mut steps = Vec::new();
        let mut at = Above::Shape(shape);
        while let Above::Shape(number) = at {
            let shape = self.shapes[number as usize];
            steps.push(Step {
                kind: shape.kind,
                repeats: shape.repeats,
                hold: shape.hold,
            });
            at = shape.above;
        }
        steps.reverse();
        let origin = match at {
            Above::Origin(origin) => Rc::clone(&self.origins[origin as usize]),
            Above::Shape(_) => Rc::from(""),
        };
        (origin, steps)
    }

    /// What a chain begins at whose last block is this one.
    fn origin(&mut self, view: &mut View<'_>, holders: &Holders, last: Option<u32>) -> Above {
        let root = last.and_then(|last| holders.graph.root_of(last));
        let text = match (root, last) {
            (Some(root), _) => Place::best(view, holders, root).text,
            (None, Some(last)) => held_text(holders.graph.held(last)).into(),
            (None, None) => "".into(),
        };
        let next = self.origins.len() as u32;
        let number = *self.origin_numbers.entry(Rc::clone(&text)).or_insert(next);
        if number == next {
            self.origins.push(text);
        }
        Above::Origin(number)
    }

    fn extend(&mut self, above: Above, kind: usize, hold: Hold) -> u32 {
        if let Some(earlier) = self.earlier(above, kind) {
            self.shapes[earlier as usize].repeats = true;
            return earlier;
        }
        let next = self.shapes.len() as u32;
        let number = *self.known.entry((above, kind, hold)).or_insert(next);
        if number == next {
            self.shapes.push(Shape {
                above,
                kind,
                repeats: false,
                hold,
            });
        }
        number
    }

    /// The same type a little further up.
    fn earlier(&self, above: Above, kind: usize) -> Option<u32> {
        let mut at = above;
        for _ in 0..BACK {
            let Above::Shape(number) = at else {
                return None;
            };
            let shape = self.shapes[number as usize];
            if shape.kind == kind && kind != UNKNOWN {
                return Some(number);
            }
            at = shape.above;
        }
        None
    }
}
