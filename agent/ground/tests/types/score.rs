//! How often each confidence was right, wrong or silent, and what is demanded of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use sigheap::internals::Confidence;

/// The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Wrong,
    Silent,
    Right,
}

/// Of the half that the inference was made with and of the one held out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    seen: Half,
    held_out: Half,
    pub(crate) took: Duration,
    pub(crate) unjudged: usize,
}

/// Right, wrong and silent for each confidence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Half(BTreeMap<Confidence, [usize; 3]>);

/// What a build must reach, as shares.
pub(crate) struct Least {
    pub(crate) right: f64,
    pub(crate) exact: f64,
}

/// Of so many rows that say `exact` one may be wrong.
const EXACT_WRONG_IN: usize = 1000;

pub(crate) const HEADER: &str = "\
| build | pairs | right | `exact`: share | right | `likely`: share | right | `guess`: share | right | unknown | held out: right | `exact`: share | right |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

impl Score {
    pub(crate) fn note(&mut self, held_out: bool, confidence: Confidence, verdict: Verdict) {
        let half = match held_out {
            true => &mut self.held_out,
            false => &mut self.seen,
        };
        half.0.entry(confidence).or_default()[2 - verdict as usize] += 1;
    }

    pub(crate) fn all(&self) -> Half {
        let mut all = self.seen.clone();
        for (confidence, row) in &self.held_out.0 {
            let sum = all.0.entry(*confidence).or_default();
            (0..3).for_each(|at| sum[at] += row[at]);
        }
        all
    }

    /// What is wanting, of all pairs together.
    pub(crate) fn demand(&self, least: &Least) -> Result<(), String> {
        let all = self.all();
        let [right, silent, wrong] = all.of(Confidence::Exact);
        let exact = all.share(Confidence::Exact);
        if all.right() < least.right {
            return Err(format!("only {:.4} right", all.right()));
        }
        if exact < least.exact {
            return Err(format!("only {exact:.4} exact"));
        }
        if (silent + wrong) * EXACT_WRONG_IN > right + silent + wrong {
            return Err(format!("`exact` is wrong {wrong} times"));
        }
        Ok(())
    }

    /// Of the table that begins with [`HEADER`].
    pub(crate) fn row(&self, build: &str) -> String {
        let all = self.all();
        let mut row = format!("| {build} | {} | {} |", all.pairs(), percent(all.right()));
        for confidence in [Confidence::Exact, Confidence::Likely, Confidence::Guess] {
            let (share, right) = (all.share(confidence), all.right_of(confidence));
            row += &format!(" {} | {} |", percent(share), right);
        }
        let held = &self.held_out;
        row += &format!(
            " {} | {} | {} | {} |\n",
            percent(all.share(Confidence::Unknown)),
            percent(held.right()),
            percent(held.share(Confidence::Exact)),
            held.right_of(Confidence::Exact)
        );
        row
    }
}

impl Half {
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
        let halves = [
            ("all", self.all()),
            ("seen", self.seen.clone()),
            ("held out", self.held_out.clone()),
        ];
        for (name, half) in halves {
            let (pairs, right) = (half.pairs(), percent(half.right()));
            writeln!(f, "{name}: {pairs} pairs, {right} right")?;
            for confidence in half.0.keys().rev() {
                let [right, silent, wrong] = half.of(*confidence);
                let share = percent(half.share(*confidence));
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
