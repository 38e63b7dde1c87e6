//! How often each confidence was right, wrong or silent, and what is demanded of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sigheap::internals::Confidence;

use super::program::Part;

/// The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Wrong,
    Silent,
    Right,
}

/// Of each part of the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    parts: BTreeMap<Part, Tally>,
    pub(crate) took: Duration,
    pub(crate) unjudged: usize,
}

/// Right, wrong and silent for each confidence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Confidence, [usize; 3]>);

/// What a build must reach, as shares.
pub(crate) struct Least {
    pub(crate) right: f64,
    pub(crate) exact: f64,
}

/// Of so many rows that say `exact` one may be wrong.
const EXACT_WRONG_IN: usize = 1000;

pub(crate) const HEADER: &str = "\
| build | pairs | right | `exact`: share | right | `likely`: share | right | `guess`: share | right | unknown | held out: right | `exact`: share | right | unseen: right | `exact`: share | right |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

impl Score {
    pub(crate) fn note(&mut self, part: Part, confidence: Confidence, verdict: Verdict) {
        let tally = self.parts.entry(part).or_default();
        tally.0.entry(confidence).or_default()[2 - verdict as usize] += 1;
    }

    pub(crate) fn all(&self) -> Tally {
        let mut all = Tally::default();
        for (confidence, row) in self.parts.values().flat_map(|part| &part.0) {
            let sum = all.0.entry(*confidence).or_default();
            (0..3).for_each(|at| sum[at] += row[at]);
        }
        all
    }

    fn part(&self, part: Part) -> Tally {
        self.parts.get(&part).cloned().unwrap_or_default()
    }

    /// What is wanting, of all pairs together.
    pub(crate) fn demand(&self, least: &Least) -> Result<(), String> {
        let all = self.all();
        let exact = all.share(Confidence::Exact);
        if all.right() < least.right {
            return Err(format!("only {:.4} right", all.right()));
        }
        if exact < least.exact {
            return Err(format!("only {exact:.4} exact"));
        }
        self.demand_exactness()
    }

    /// That `exact` means it, in whatever build.
    pub(crate) fn demand_exactness(&self) -> Result<(), String> {
        let [right, silent, wrong] = self.all().of(Confidence::Exact);
        match (silent + wrong) * EXACT_WRONG_IN > right + silent + wrong {
            true => Err(format!("`exact` is wrong {wrong} times")),
            false => Ok(()),
        }
    }

    /// Of the table that begins with [`HEADER`].
    pub(crate) fn row(&self, build: &str) -> String {
        let all = self.all();
        let mut row = format!("| {build} | {} | {} |", all.pairs(), percent(all.right()));
        for confidence in [Confidence::Exact, Confidence::Likely, Confidence::Guess] {
            let (share, right) = (all.share(confidence), all.right_of(confidence));
            row += &format!(" {} | {} |", percent(share), right);
        }
        row += &format!(" {} |", percent(all.share(Confidence::Unknown)));
        for part in [Part::HeldOut, Part::Unseen] {
            let part = self.part(part);
            let (right, exact) = (
                percent(part.right()),
                percent(part.share(Confidence::Exact)),
            );
            row += &format!(
                " {right} | {exact} | {} |",
                part.right_of(Confidence::Exact)
            );
        }
        row + "\n"
    }
}

impl Tally {
    fn of(&self, confidence: Confidence) -> [usize; 3] {
        self.0.get(&confidence).copied().unwrap_or_default()
    }

    pub(crate) fn pairs(&self) -> usize {
        self.0.values().flatten().sum()
    }

    pub(crate) fn right(&self) -> f64 {
        let right: usize = self.0.values().map(|row| row[0]).sum();
        right as f64 / self.pairs() as f64
    }

    fn share(&self, confidence: Confidence) -> f64 {
        self.of(confidence).iter().sum::<usize>() as f64 / self.pairs() as f64
    }

    /// Right of those named so, as counts: a share of few says little.
    fn right_of(&self, confidence: Confidence) -> String {
        let row = self.of(confidence);
        format!("{}/{}", row[0], row.iter().sum::<usize>())
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tallies = [
            ("all", self.all()),
            ("seen", self.part(Part::Seen)),
            ("held out", self.part(Part::HeldOut)),
            ("unseen", self.part(Part::Unseen)),
        ];
        for (name, tally) in tallies {
            let (pairs, right) = (tally.pairs(), percent(tally.right()));
            writeln!(f, "{name}: {pairs} pairs, {right} right")?;
            for confidence in tally.0.keys().rev() {
                let [right, silent, wrong] = tally.of(*confidence);
                let share = percent(tally.share(*confidence));
                writeln!(
                    f,
                    "{confidence:>10} {share:>8}: {right:>5} right {wrong:>3} wrong {silent:>3} silent"
                )?;
            }
        }
        let (took, unjudged) = (self.took, self.unjudged);
        write!(
            f,
            "named in {took:?}; {unjudged} blocks are of types that the program does not know"
        )
    }
}
