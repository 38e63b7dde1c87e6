//! A stream of believable lines: visitors come, look at some pages and go. Pure: touches nothing.

use crate::moment;
use std::fmt::Write as _;

/// Visitors who are on the site at any moment.
const VISITORS: usize = 200;

/// One request in so many is its visitor's last.
const REQUESTS_A_VISIT: u64 = 10;

const AGENTS: [&str; 7] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.9.1",
];

const COMING_FROM: [&str; 4] = [
    "-",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://news.ycombinator.com/item?id=41234567",
];

const SITE: &str = "https://shop.example.com";

/// The site's visitors, the same ones in every run.
#[derive(Debug)]
pub(crate) struct Generator {
    random: Random,
    visitors: Vec<Visitor>,
}

impl Generator {
    /// With every visitor about to make a first request.
    pub(crate) fn new() -> Self {
        let mut random = Random(0x5eed);
        let visitors = (0..VISITORS).map(|_| Visitor::new(&mut random)).collect();
        Generator { random, visitors }
    }

    /// The next line, without a line feed; `now` is in seconds since 1970-01-01 UTC.
    pub(crate) fn line(&mut self, now: i64) -> String {
        let chosen = self.random.index(VISITORS);
        let line = self.visitors[chosen].request(&mut self.random, now);
        if self.random.one_in(REQUESTS_A_VISIT) {
            self.visitors[chosen] = Visitor::new(&mut self.random);
        }
        line
    }
}

/// Somebody who looks at the site.
#[derive(Debug)]
struct Visitor {
    address: String,
    agent: &'static str,
    /// Where the next request comes from.
    referer: String,
}

impl Visitor {
    fn new(random: &mut Random) -> Self {
        Visitor {
            address: address(random),
            agent: random.one_of(&AGENTS),
            referer: random.one_of(&COMING_FROM).to_owned(),
        }
    }

    fn request(&mut self, random: &mut Random, now: i64) -> String {
        let path = path(random);
        let line = format!(
            r#"{} - - [{}] "GET {path} HTTP/1.1" {} {} "{}" "{}""#,
            self.address,
            moment::format(now),
            status(random),
            random.below(40_000),
            self.referer,
            self.agent,
        );
        self.referer.clear();
        // Writing to a String cannot fail.
        let _ = write!(self.referer, "{SITE}{path}");
        line
    }
}

fn address(random: &mut Random) -> String {
    let bits = random.next();
    let [a, b, c, d, e, f, ..] = bits.to_le_bytes();
    if random.one_in(8) {
        format!("2001:db8:{a:x}{b:02x}:{c:x}::{d:x}{e:02x}:{f:x}")
    } else {
        format!("{}.{b}.{c}.{d}", 11 + a % 200)
    }
}

fn path(random: &mut Random) -> String {
    let number = random.below(5000);
    match random.below(10) {
        0 => "/".to_owned(),
        1 => format!("/search?q=lamp+{number}&page={}", 1 + number % 9),
        2 | 3 => format!("/static/app.{:08x}.js", number * 97),
        4 => format!("/api/v1/items?after={number}&limit=50"),
        5 => format!("/blog/2026/{:02}/{number}-how-we-ship", 1 + number % 12),
        _ => format!("/products/{number}"),
    }
}

fn status(random: &mut Random) -> u16 {
    match random.below(50) {
        0 => 500,
        1 | 2 => 404,
        3..=6 => 304,
        7 => 301,
        _ => 200,
    }
}

/// SplitMix64: small, and the same everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`; the bias of the remainder does not matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.index(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;
    use std::collections::HashSet;

    #[test]
    fn the_parser_takes_every_line() {
        let mut generator = Generator::new();
        for now in 1_700_000_000..1_700_020_000 {
            let line = generator.line(now);
            let entry = parse(line.as_bytes()).unwrap();
            assert_eq!(entry.at, now);
            assert!(entry.agent.is_some() && entry.path().starts_with('/'));
        }
    }

    #[test]
    fn a_tenth_of_the_lines_brings_a_new_client() {
        let mut generator = Generator::new();
        let lines: Vec<String> = (0..20_000).map(|_| generator.line(0)).collect();
        let clients: HashSet<&str> = lines
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!((1_900..2_500).contains(&clients.len()), "{}", clients.len());
    }

    #[test]
    fn the_stream_is_the_same_in_every_run() {
        let (mut one, mut other) = (Generator::new(), Generator::new());
        assert!((0..1000).all(|now| one.line(now) == other.line(now)));
    }
}
