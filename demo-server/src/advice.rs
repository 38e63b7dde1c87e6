//! Pages that a visitor may like: what `--leak fragment` is made of. Pure: touches nothing.
//!
//! Products and articles are rated, and the best few are kept for as long as the visit lasts. Cutting the lists down with
//! [`Vec::shrink_to_fit`] frees all but a few bytes of them, as it should; but the allocator shrinks a block where it
//! stands, so a large hole is left between the remainders, and the next list, as large as the last, does not fit in.
//! Nothing is lost and the program uses little, yet the process stays large. `--leak fragment` is the server that does so;
//! the other rates in one list that it keeps, and copies the best.

use crate::combined::Entry;
use std::cmp::Reverse;
use std::fmt;

/// Pages that are rated: a list of them is 64,000 bytes, less than what glibc maps apart and gives back at once.
const PAGES: u32 = 1000;

/// Pages that are kept.
const BEST: usize = 3;

/// A page and how likely it pleases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suggestion {
    page: u32,
    rating: u32,
    /// The rating's parts, one for each trait that pages have.
    parts: [u8; 56],
}

impl fmt::Display for Suggestion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "page {}", self.page)
    }
}

/// Rates pages.
#[derive(Debug)]
pub(crate) struct Adviser {
    scratch: Vec<Suggestion>,
}

impl Adviser {
    /// That has rated nothing so far.
    pub(crate) fn new() -> Self {
        Adviser {
            scratch: Vec::with_capacity(PAGES as usize),
        }
    }

    /// The best pages for a visit that begins so. `cuts` is the leak.
    pub(crate) fn advise(&mut self, first: &Entry<'_>, cuts: bool) -> Advice {
        let interest = interest(first.path());
        let (products, articles) = (interest, !interest);
        if cuts {
            let (products, articles) = (rated(products), rated(articles));
            return Advice {
                products: cut(products),
                articles: cut(articles),
            };
        }
        Advice {
            products: self.best(products),
            articles: self.best(articles),
        }
    }

    fn best(&mut self, interest: u64) -> Vec<Suggestion> {
        rate(&mut self.scratch, interest);
        self.scratch[..BEST].to_vec()
    }
}

/// The best of both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Advice {
    products: Vec<Suggestion>,
    articles: Vec<Suggestion>,
}

impl Advice {
    /// The best of all, if there is any.
    pub(crate) fn best(&self) -> Option<&Suggestion> {
        let best = [self.products.first(), self.articles.first()];
        best.into_iter().flatten().max_by_key(|page| page.rating)
    }
}

fn rated(interest: u64) -> Vec<Suggestion> {
    let mut list = Vec::with_capacity(PAGES as usize);
    rate(&mut list, interest);
    list
}

fn cut(mut list: Vec<Suggestion>) -> Vec<Suggestion> {
    list.truncate(BEST);
    list.shrink_to_fit();
    list
}

/// Fills a list with all pages, the best ones first.
fn rate(list: &mut Vec<Suggestion>, interest: u64) {
    list.clear();
    list.extend((0..PAGES).map(|page| suggestion(page, interest)));
    list.select_nth_unstable_by_key(BEST, |page| Reverse(page.rating));
    list[..BEST].sort_unstable_by_key(|page| Reverse(page.rating));
}

fn suggestion(page: u32, interest: u64) -> Suggestion {
    let shared = u64::from(page).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ interest;
    let mut parts = [0; 56];
    for (part, byte) in parts.iter_mut().zip(shared.to_le_bytes()) {
        *part = byte;
    }
    Suggestion {
        page,
        rating: shared.count_ones(),
        parts,
    }
}

/// What a path is about, as a number: the same for the same path.
fn interest(path: &str) -> u64 {
    path.bytes()
        .fold(17, |sum: u64, byte| sum.wrapping_mul(31) ^ u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 7 "-" "-""#;

    #[test]
    fn both_ways_give_the_same_pages_and_hold_no_spare_room() {
        let entry = parse(LINE.as_bytes()).unwrap();
        let mut adviser = Adviser::new();
        let (cut, copied) = (adviser.advise(&entry, true), adviser.advise(&entry, false));
        assert_eq!(cut, copied);
        for advice in [&cut, &copied] {
            let room = advice.products.capacity() + advice.articles.capacity();
            assert_eq!(room, 2 * BEST);
        }
        let all = rated(interest(entry.path()));
        let best = cut.products.iter().map(|page| page.rating);
        assert!(all[BEST..].iter().map(|page| page.rating).max() <= best.min());
        let best = cut.best().map(|page| page.rating);
        assert!(best >= cut.products.first().map(|page| page.rating));
        assert!(best >= cut.articles.first().map(|page| page.rating));
    }
}
