//! How far a long piece of work is, in a line.

use std::time::Duration;

use crate::heap::{Step, Unit};
use crate::report::Value;

/// `reading pointers 43 % of 1.2 GiB, 3 s left`. `taken` is how long the step has taken so far.
pub(crate) fn progress(step: Step, taken: Duration) -> String {
    let Step {
        what, done, total, ..
    } = step;
    if total == 0 {
        return what.to_owned();
    }
    let whole = match step.unit {
        Unit::Bytes => Value::Bytes(total).to_string(),
        Unit::Of(things) => format!("{} {things}", Value::Count(total)),
    };
    let percent = u128::from(done) * 100 / u128::from(total);
    let left = taken.as_secs_f64() * total.saturating_sub(done) as f64 / done.max(1) as f64;
    match left.round() {
        // What has hardly begun says nothing of how long it will take.
        _ if percent == 0 => format!("{what} {percent} % of {whole}"),
        left if left < 1.0 => format!("{what} {percent} % of {whole}"),
        left => format!("{what} {percent} % of {whole}, {left} s left"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_how_long_it_will_take() {
        let at = |done, taken| {
            let step = Step {
                what: "reading pointers",
                done,
                total: 5 << 28,
                unit: Unit::Bytes,
            };
            progress(step, Duration::from_millis(taken))
        };
        assert_eq!(
            at(5 << 27, 3000),
            "reading pointers 50 % of 1.2 GiB, 3 s left"
        );
        assert_eq!(at(5 << 27, 300), "reading pointers 50 % of 1.2 GiB");
        assert_eq!(at(1, 300), "reading pointers 0 % of 1.2 GiB");
        let kinds = Step {
            what: "naming types",
            done: 6800,
            total: 6800,
            unit: Unit::Of("kinds of blocks"),
        };
        assert_eq!(
            progress(kinds, Duration::from_secs(9)),
            "naming types 100 % of 6,800 kinds of blocks"
        );
        let unknown = Step { total: 0, ..kinds };
        assert_eq!(progress(unknown, Duration::ZERO), "naming types");
    }
}
