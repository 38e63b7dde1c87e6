//! Grows a picture from the blocks that are asked for, breadth first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use super::super::holders::{Holders, Place, held_text, root_text};
use super::super::types::{Types, type_value};
use super::super::view::{View, age};
use super::columns::Columns;
use crate::heap::{Block, Confidence, Edge, Held, Hold, RootHold};
use crate::report::{Arrow, Graph, Node, NodeKind, Value, count};

/// How large a picture gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Steps from what is asked for.
    pub(super) depth: usize,
    /// Neighbours of a block.
    pub(super) fan: usize,
    /// Boxes in all.
    pub(super) most: usize,
}

/// A picture, and what its boxes stand for.
#[derive(Debug)]
pub(super) struct Grown {
    pub(super) graph: Graph,
    /// One a node.
    pub(super) means: Vec<Means>,
}

/// What a box stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Means {
    Block(u32),
    Root(Place),
    /// Blocks of a chain.
    LeftOut,
}

/// A box for what was left out of chains: its place, and the blocks that it stands for in the shortest and the longest of them.
#[derive(Clone, Copy, Debug)]
struct LeftOut {
    place: usize,
    least: usize,
    most: usize,
}

pub(super) struct Grow<'g, 'a> {
    view: &'g mut View<'a>,
    holders: Rc<Holders>,
    types: Rc<Types>,
    size: Size,
    down: bool,
    graph: Graph,
    means: Vec<Means>,
    /// The place of each block that has a box, and of each root.
    of_block: HashMap<u32, usize>,
    of_root: HashMap<String, usize>,
    /// The same of what was left out of chains, by the block above it.
    of_left_out: HashMap<u32, LeftOut>,
    /// How many blocks were asked for.
    asked: usize,
    drawn: HashSet<(usize, usize)>,
    /// The pointers of blocks that were asked for: those of a hub are asked for again and again.
    edges: HashMap<u32, Rc<[Edge]>>,
}

/// Pointers that are kept.
const MOST_KEPT: usize = 1 << 20;
/// Blocks of a chain that are shown: of a longer one those at its ends.
const CHAIN_SHOWN: usize = 10;
const NEAR: usize = 6;
const FAR: usize = 2;
/// Blocks that are asked for at once in a picture whose chains are shown so; of more the ends are shorter.
const FEW: usize = 20;
const NEAR_OF_MANY: usize = 3;
/// Columns of a picture of few blocks, and of many: a list of three hundred, all of whose entries are asked for, would have as many.
const COLUMNS: usize = 14;
const COLUMNS_OF_MANY: usize = 8;
/// Steps of a chain that are looked at, and neighbours for which they are: more would take too long.
const CHAIN: usize = 64;
const CHECKED: usize = 1000;
/// Neighbours of a block that are looked at: a hub has hundreds of thousands.
const LOOKED_AT: usize = 100_000;

impl<'g, 'a> Grow<'g, 'a> {
    pub(super) fn new(view: &'g mut View<'a>, size: Size, down: bool) -> Self {
        Grow {
            holders: view.holders(),
            types: view.types(),
            view,
            size,
            down,
            graph: Graph::default(),
            means: Vec::new(),
            of_block: HashMap::new(),
            of_root: HashMap::new(),
            of_left_out: HashMap::new(),
            asked: 0,
            drawn: HashSet::new(),
            edges: HashMap::new(),
        }
    }

    /// Puts the blocks in, with what is around them.
    pub(super) fn from(&mut self, blocks: &[&Block]) {
        let numbers: Vec<u32> = blocks
            .iter()
            .map(|block| self.view.number_of(block))
            .collect();
        self.asked = numbers.len();
        let mut queue: VecDeque<(u32, usize)> = VecDeque::new();
        for number in &numbers {
            let place = self.add_block(*number);
            self.graph.nodes[place].kind = NodeKind::Asked;
            queue.push_back((*number, 0));
        }
        if !self.down {
            numbers.iter().for_each(|number| self.add_chain(*number));
        }
        let mut seen: HashSet<u32> = numbers.into_iter().collect();
        while let Some((number, depth)) = queue.pop_front() {
            if depth >= self.size.depth {
                continue;
            }
            for next in self.widen(number) {
                if seen.insert(next) {
                    queue.push_back((next, depth + 1));
                }
            }
        }
    }

    /// The picture, with what was left out of it.
    pub(super) fn grown(mut self, title: String) -> Grown {
        for place in 0..self.means.len() {
            if let Means::Block(number) = self.means[place] {
                self.draw_between(number);
            }
        }
        self.narrow();
        for place in 0..self.means.len() {
            if let Means::Block(number) = self.means[place] {
                self.graph.nodes[place].cut = self.left_out(place, number);
            }
        }
        self.graph.title = title;
        self.graph.down = self.down;
        Grown {
            graph: self.graph,
            means: self.means,
        }
    }

    /// Puts in the neighbours of a block, as many as there may be; those that have a box.
    fn widen(&mut self, number: u32) -> Vec<u32> {
        let mut room = self.size.fan;
        if !self.down {
            for hold in self.holds(number).into_iter().take(room) {
                room -= usize::from(self.add_root(hold));
            }
        }
        let mut next = Vec::new();
        for neighbour in self.neighbours(number) {
            if self.is_through(neighbour, number) || self.owns(number, neighbour) {
                continue;
            }
            let is_new = !self.of_block.contains_key(&neighbour);
            if next.len() >= room || is_new && self.is_full() {
                break;
            }
            self.add_block(neighbour);
            self.draw(number, neighbour);
            next.push(neighbour);
        }
        next
    }

    /// Those beside it, each once: the one that holds it most strongly first.
    fn neighbours(&self, number: u32) -> Vec<u32> {
        let graph = &self.holders.graph;
        let links = match self.down {
            true => graph.links(number),
            false => graph.back(number),
        };
        let via = graph.via(number).filter(|_| !self.down);
        let links = links.iter().take(LOOKED_AT).map(|link| link.to());
        let mut seen = HashSet::from([number]);
        let all = via.into_iter().chain(links);
        all.filter(|other| seen.insert(*other)).collect()
    }

    /// Whether a holder is itself held through the block, as the nodes of a tree are that point back at the one above them. It
    /// says nothing of why the block is there.
    fn is_through(&self, holder: u32, block: u32) -> bool {
        let mut chain = self.holders.graph.chain(holder).take(CHAIN);
        !self.down && chain.any(|step| step == block)
    }

    /// Whether a block owns one that points at it: the same.
    fn owns(&mut self, number: u32, holder: u32) -> bool {
        let is_owning = |edge: &Edge| edge.to == holder && edge.hold == Hold::Owning;
        !self.down && self.edges_of(number).iter().any(is_owning)
    }

    /// The words of roots that hold a block: of those that say less only where nothing else does.
    fn holds(&self, number: u32) -> Vec<RootHold> {
        let graph = &self.holders.graph;
        let held = graph.held(number);
        let kinds = |hold: &&RootHold| {
            let kind = graph.strength(hold);
            kind.is_some_and(|kind| kind.is_reached() || kind == held)
        };
        graph.holds(number).iter().filter(kinds).copied().collect()
    }

    /// The shortest chain to a block from a root, all of it, or its ends.
    fn add_chain(&mut self, number: u32) {
        let chain: Vec<u32> = self.holders.graph.chain(number).take(LOOKED_AT).collect();
        let near = if self.asked > FEW { NEAR_OF_MANY } else { NEAR };
        let left_out = match chain.len() {
            all if all <= near + CHAIN_SHOWN - NEAR => 0..0,
            all => near..all - FAR,
        };
        for (i, pair) in chain.windows(2).enumerate() {
            let [held, holder] = *pair else { continue };
            if self.is_full() {
                return;
            }
            if left_out.contains(&(i + 1)) {
                if i + 1 == left_out.start {
                    self.add_left_out(held, left_out.len(), chain[left_out.end]);
                }
                continue;
            }
            self.add_block(holder);
            if !left_out.contains(&i) {
                self.draw(held, holder);
            }
        }
        let last = chain.last().copied().filter(|_| !self.is_full());
        if let Some(hold) = last.and_then(|last| self.holders.graph.root_of(last)) {
            self.add_root(hold);
        }
    }

    fn add_left_out(&mut self, below: u32, blocks: usize, above: u32) {
        let place = self.left_out_below(above, blocks);
        let (below, above) = (self.add_block(below), self.add_block(above));
        for (from, to) in [(above, place), (place, below)] {
            if self.drawn.insert((from, to)) {
                self.graph.edges.push(plain_arrow(from, to));
            }
        }
    }

    /// The place of the box for what is left out below a block: chains that meet above share it.
    fn left_out_below(&mut self, above: u32, blocks: usize) -> usize {
        let mut left = match self.of_left_out.get(&above) {
            Some(left) => *left,
            None => LeftOut {
                place: self.add(Node::default(), Means::LeftOut),
                least: blocks,
                most: blocks,
            },
        };
        left.least = left.least.min(blocks);
        left.most = left.most.max(blocks);
        self.of_left_out.insert(above, left);
        let node = &mut self.graph.nodes[left.place];
        node.kind = NodeKind::LeftOut;
        node.label = match left.least == left.most {
            true => count(blocks as u64, "more block"),
            false => format!(
                "{} to {}",
                Value::Count(left.least as u64),
                count(left.most as u64, "more block")
            ),
        };
        left.place
    }

    /// Takes out the arrows that make the picture wider than anybody reads it. A chain of which one is taken goes on from what
    /// is left out below its other end, so that a list whose entries all have boxes is folded into lines.
    fn narrow(&mut self) {
        let most = match self.asked {
            0..=FEW => COLUMNS,
            _ => COLUMNS_OF_MANY,
        };
        let mut columns = Columns::new(most.max(self.size.depth + 3));
        let arrows = std::mem::take(&mut self.graph.edges);
        let (ours, others): (Vec<_>, Vec<_>) =
            arrows.into_iter().partition(|arrow| self.is_chain(arrow));
        for arrow in ours.into_iter().chain(others) {
            let (from, to) = (arrow.from, arrow.to);
            if columns.takes(from, to) {
                self.graph.edges.push(arrow);
                continue;
            }
            self.drawn.remove(&(from, to));
            for (from, to) in self.way_around(from, to) {
                if !self.drawn.contains(&(from, to)) && columns.takes(from, to) {
                    self.drawn.insert((from, to));
                    self.graph.edges.push(plain_arrow(from, to));
                }
            }
        }
    }

    /// Whether an arrow is of the shortest chain to what is held: a root's, one from what was left out, or from the holder there.
    fn is_chain(&self, arrow: &Arrow) -> bool {
        match (&self.means[arrow.from], &self.means[arrow.to]) {
            (Means::Block(holder), Means::Block(held)) => {
                !self.down && self.holders.graph.via(*held) == Some(*holder)
            }
            _ => true,
        }
    }

    /// The arrows that stand for one of a chain that was taken out: from the chain's far end by a box for what is between.
    fn way_around(&mut self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let (Means::Block(holder), Means::Block(held)) = (&self.means[from], &self.means[to])
        else {
            return Vec::new();
        };
        let (holder, held) = (*holder, *held);
        if self.down || self.holders.graph.via(held) != Some(holder) {
            return Vec::new();
        }
        let chain: Vec<u32> = self.holders.graph.chain(holder).take(LOOKED_AT).collect();
        let at = chain.len().saturating_sub(FAR);
        match chain
            .get(at)
            .and_then(|above| Some((*above, *self.of_block.get(above)?)))
        {
            Some((above, place)) if at > 0 => {
                let between = self.left_out_below(above, at);
                vec![(place, between), (between, to)]
            }
            _ => Vec::new(),
        }
    }

    /// Draws the pointers between a block and those that have a box, whatever led there.
    fn draw_between(&mut self, number: u32) {
        let neighbours = self.neighbours(number).into_iter();
        let boxed: Vec<u32> = neighbours
            .filter(|other| self.of_block.contains_key(other))
            .take(self.size.fan)
            .collect();
        boxed.into_iter().for_each(|other| self.draw(number, other));
    }

    /// Draws the pointer between two blocks, of which the second is further from what is asked for.
    fn draw(&mut self, near: u32, far: u32) {
        let (from, to) = if self.down { (near, far) } else { (far, near) };
        let places = (self.add_block(from), self.add_block(to));
        if !self.drawn.insert(places) {
            return;
        }
        let edges = self.edges_of(from);
        let edges = edges.iter().filter(|edge| edge.to == to);
        let Some(edge) = edges.min_by_key(|edge| (edge.hold == Hold::Weak, edge.hold)) else {
            return;
        };
        self.graph.edges.push(Arrow {
            from: places.0,
            to: places.1,
            label: self.holders.field(self.view, &self.types, edge),
            hold: Some(edge.hold),
            confidence: edge.confidence,
        });
    }

    fn edges_of(&mut self, from: u32) -> Rc<[Edge]> {
        if let Some(known) = self.edges.get(&from) {
            return Rc::clone(known);
        }
        let edges: Rc<[Edge]> = self.holders.edges(self.view, &self.types, from).into();
        let kept: usize = self.edges.values().map(|edges| edges.len()).sum();
        if kept + edges.len() > MOST_KEPT {
            self.edges.clear();
        }
        self.edges.insert(from, Rc::clone(&edges));
        edges
    }

    /// Puts a root in with an arrow; whether that is a new one.
    fn add_root(&mut self, hold: RootHold) -> bool {
        let place = Place::of(self.view, hold);
        let (to, text) = (self.add_block(hold.to), place.text.to_string());
        let whole = root_text(&place);
        let at = match self.of_root.get(&text) {
            Some(at) => *at,
            None => {
                let node = Node {
                    kind: NodeKind::Root,
                    label: text.clone(),
                    more: vec![text.clone()],
                    ..Node::default()
                };
                let at = self.add(node, Means::Root(place.clone()));
                self.of_root.insert(text.clone(), at);
                at
            }
        };
        let is_new = self.drawn.insert((at, to));
        if is_new {
            let label = whole.strip_prefix(&text).unwrap_or_default();
            self.graph.edges.push(Arrow {
                from: at,
                to,
                label: label.trim().to_owned(),
                hold: None,
                confidence: Confidence::Exact,
            });
        }
        is_new
    }

    /// The place of a block's box.
    fn add_block(&mut self, number: u32) -> usize {
        if let Some(place) = self.of_block.get(&number) {
            return *place;
        }
        let node = self.node(number);
        let place = self.add(node, Means::Block(number));
        self.of_block.insert(number, place);
        place
    }

    fn add(&mut self, node: Node, means: Means) -> usize {
        self.graph.nodes.push(node);
        self.means.push(means);
        self.means.len() - 1
    }

    fn node(&self, number: u32) -> Node {
        let (view, types) = (&*self.view, &self.types);
        let block = view.numbered(number);
        let name = types.name_of(block);
        let value = self.holders.line(view, types, block);
        let held = self.holders.graph.held(number);
        let size = Value::Bytes(block.size);
        let whole = format!("{} ({})", type_value(&name, true), name.confidence);
        let size_and_age = match age(view.snapshot, block) {
            Value::None => format!("{size} at {}", block.address),
            age => format!("{size} at {}, {age} old", block.address),
        };
        let mut more = vec![whole, size_and_age];
        if !held.is_reached() {
            more.push(format!("held by {}", held_text(held)));
        }
        more.extend((!value.is_empty()).then(|| value.clone()));
        Node {
            kind: match held {
                Held::Nothing => NodeKind::Lost,
                _ => NodeKind::Block,
            },
            label: type_value(&name, false).to_string(),
            detail: format!("{size}  {}", block.address),
            value,
            more,
            cut: 0,
        }
    }

    /// Holders of a block that have no arrow, or blocks that it holds.
    fn left_out(&self, place: usize, number: u32) -> u64 {
        let is_drawn = |other: &u32| {
            let other = self.of_block.get(other);
            other.is_some_and(|other| {
                let ends = if self.down {
                    (place, *other)
                } else {
                    (*other, place)
                };
                self.drawn.contains(&ends)
            })
        };
        let neighbours = self.neighbours(number);
        let checks = neighbours.len() <= CHECKED;
        let counts =
            |other: &&u32| !(is_drawn(other) || checks && self.is_through(**other, number));
        let left = neighbours.iter().filter(counts).count();
        // Several words of one root are one arrow, and where there is one, that is what matters.
        let is_rooted = self
            .of_root
            .values()
            .any(|root| self.drawn.contains(&(*root, place)));
        let roots = match self.down || is_rooted {
            true => 0,
            false => self.holds(number).len(),
        };
        (left + roots) as u64
    }

    fn is_full(&self) -> bool {
        self.means.len() >= self.size.most
    }
}

/// An arrow to or from what was left out.
fn plain_arrow(from: usize, to: usize) -> Arrow {
    Arrow {
        from,
        to,
        label: String::new(),
        hold: None,
        confidence: Confidence::Exact,
    }
}
