//! What answers about blocks do not know because not all was recorded.

use crate::heap::{Gap, Mode, Tracking};
use crate::report::{Value, count};

/// As gaps of an answer.
pub(crate) fn gaps(tracking: &Tracking) -> Vec<Gap> {
    let gaps = [estimated(tracking), unborn(tracking), crowded(tracking)];
    gaps.into_iter().flatten().collect()
}

fn estimated(tracking: &Tracking) -> Option<Gap> {
    let sampled = !tracking.sampled_for.is_zero() && tracking.unknown_blocks > 0;
    let gap = || {
        Gap::new(
            "exact counts and bytes of what was born while tracking was sampled",
            format!(
                "they are estimates from {}; one from n blocks is good to about 1 part in the root of n",
                count(tracking.sample, "recorded block")
            ),
        )
    };
    sampled.then(|| match tracking.mode {
        Mode::Full => gap(),
        _ => gap().mended_by("`track full`"),
    })
}

fn unborn(tracking: &Tracking) -> Option<Gap> {
    if tracking.off_for.is_zero() || tracking.unknown_blocks == 0 {
        return None;
    }
    // Of the blocks without a record, those of a sample are in its estimates.
    let most = if tracking.sampled_for.is_zero() {
        ""
    } else {
        "at most "
    };
    let gap = Gap::new(
        format!(
            "{most}{} of {}, born in the {} while tracking was off",
            count(tracking.unknown_blocks, "live block"),
            Value::Bytes(tracking.unknown_bytes),
            Value::Span(tracking.off_for),
        ),
        "they have no record, and so no type, and are in no row",
    );
    Some(match tracking.mode {
        Mode::Off => gap.mended_by("`track full`, for what is born from then on"),
        _ => gap,
    })
}

fn crowded(tracking: &Tracking) -> Option<Gap> {
    let gap = || {
        let lost = count(tracking.crowded, "record");
        Gap::new(
            "some of the smallest blocks",
            format!(
                "the allocator puts blocks closer together than they can be told apart; {lost} lost"
            ),
        )
        .mended_by("`sigheap::Heap::new(…)` around the allocator asks it for 32 bytes at a time")
    };
    (tracking.crowded > 0).then(gap)
}

/// Whether every live block has a record.
pub(crate) fn is_whole(tracking: &Tracking) -> bool {
    tracking.mode == Mode::Full && tracking.unknown_blocks == 0 && tracking.crowded == 0
}
