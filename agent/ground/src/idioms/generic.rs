//! Containers as programs write them for themselves, generic, so that the same code is compiled for many types.

use std::sync::Arc;

/// Chunks that never move.
pub(crate) struct Arena<T> {
    chunks: Vec<Vec<T>>,
}

impl<T> Arena<T> {
    const CHUNK: usize = 8;

    pub(crate) fn new() -> Self {
        Arena { chunks: Vec::new() }
    }

    #[inline(never)]
    pub(crate) fn add(&mut self, one: T) {
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() == Self::CHUNK)
        {
            self.chunks.push(Vec::with_capacity(Self::CHUNK));
        }
        self.chunks.last_mut().unwrap().push(one);
    }

    /// Where its buffers are: that of the chunks, and each chunk's.
    pub(crate) fn places(&self) -> (usize, impl Iterator<Item = usize>) {
        let chunks = self.chunks.iter().map(|chunk| chunk.as_ptr() as usize);
        (self.chunks.as_ptr() as usize, chunks)
    }
}

pub(crate) struct Node<T> {
    _of: T,
    _next: Option<Box<Node<T>>>,
}

pub(crate) struct List<T> {
    head: Option<Box<Node<T>>>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List { head: None }
    }
}

impl<T> List<T> {
    pub(crate) fn push(&mut self, of: T) {
        let next = self.head.take();
        self.head = Some(Box::new(Node {
            _of: of,
            _next: next,
        }));
    }
}

/// Methods that any value has, and that allocate for it.
pub(crate) trait Keeps: Sized + Clone {
    #[inline(never)]
    fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    #[inline(never)]
    fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    #[inline(never)]
    fn repeated(self, count: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.clone());
        }
        all
    }
}

impl<T: Clone> Keeps for T {}

/// An enum that holds itself.
pub(crate) enum Nested<T> {
    Leaf(T),
    Boxed(Box<Nested<T>>),
    Many(Vec<Nested<T>>),
}

impl<T> Nested<T> {
    #[inline(never)]
    pub(crate) fn deep(one: T, two: T) -> Self {
        let many = Nested::Many(vec![Nested::Leaf(one), Nested::Leaf(two)]);
        Nested::Boxed(Box::new(many))
    }

    /// Where the box is that [`Nested::deep`] made, and where the vector's buffer.
    pub(crate) fn places(&self) -> (usize, usize) {
        match self {
            Nested::Boxed(inner) => {
                let first = std::ptr::from_ref(&**inner) as usize;
                match &**inner {
                    Nested::Many(all) => (first, all.as_ptr() as usize),
                    _ => (first, 0),
                }
            }
            Nested::Leaf(one) => (std::ptr::from_ref(one) as usize, 0),
            Nested::Many(_) => (0, 0),
        }
    }
}
