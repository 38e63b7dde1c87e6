//! ON THE PROGRAM'S HOT PATH: which blocks a sampled heap records. Pure arithmetic.
//!
//! Points are strewn over the bytes that a thread allocates, at random and `mean` apart on average, without regard to
//! what has been before (a Poisson process, as in tcmalloc and jemalloc). A block is recorded if a point falls on it:
//! with probability `1 - exp(-size / mean)`, whatever pattern the program allocates in. Fixed distances would fall on
//! the same kind of block for ever where the pattern has their period.
//!
//! The distance to the next point is kept in parts of the mean, not in bytes: it has no memory, so the same distance
//! goes on being right when the mean changes.

use crate::heap::Rate;

/// Parts of the mean that distances are counted in: bytes of the largest mean.
const PARTS_LOG2: u32 = 23;

/// A block's length in parts of a sample's mean. The largest sizes overflow; no allocator grants them.
#[inline(always)]
pub(super) fn parts(size: usize, rate: Rate) -> u64 {
    // Rates are numbered to 14. Not checked: each instruction counts.
    (size as u64).wrapping_shl(14u32.wrapping_sub(rate.number().into()))
}

/// The distance to the next point, in parts of the mean: the logarithm of a number from 0 to 1, made of random bits.
/// Never zero. Rounded up, it makes the probability exact for whole parts.
pub(super) fn distance(bits: u64) -> u64 {
    let number = ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64;
    let distance = -number.ln() * (1u64 << PARTS_LOG2) as f64;
    (distance.ceil() as u64).max(1)
}

/// Random bits, and what to ask with for the next: SplitMix64, whose state may be any number.
pub(super) fn roll(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ bits >> 31, state)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::heap::Mode;

    fn rate(mean: u64) -> Rate {
        Rate::of(Mode::Sampled(NonZeroU64::new(mean).unwrap())).unwrap()
    }

    /// Picks blocks as a thread does, with distances of the caller's making.
    struct Thread<D> {
        left: u64,
        next: D,
    }

    impl<D: FnMut() -> u64> Thread<D> {
        fn new(mut next: D) -> Self {
            Thread { left: next(), next }
        }

        fn picks(&mut self, size: u64, rate: Rate) -> bool {
            let parts = parts(size as usize, rate);
            let hit = parts >= self.left;
            self.left = if hit {
                (self.next)()
            } else {
                self.left - parts
            };
            hit
        }
    }

    fn random(mut seed: u64) -> impl FnMut() -> u64 {
        move || {
            let (bits, after) = roll(seed);
            seed = after;
            distance(bits)
        }
    }

    /// How far the estimates of count and bytes are from the truth, in standard deviations of their own. Blocks are
    /// picked with the mean and weighed with the same.
    fn errors(thread: &mut Thread<impl FnMut() -> u64>, sizes: &[u64], rate: Rate) -> (f64, f64) {
        let (mut count, mut bytes) = (0.0, 0.0);
        let (mut count_variance, mut bytes_variance) = (0.0, 0.0);
        for &size in sizes {
            let weight = rate.weight(size);
            let taken = if thread.picks(size, rate) {
                weight
            } else {
                0.0
            };
            count += taken - 1.0;
            bytes += (taken - 1.0) * size as f64;
            count_variance += weight - 1.0;
            bytes_variance += (weight - 1.0) * (size as f64).powi(2);
        }
        (count / count_variance.sqrt(), bytes / bytes_variance.sqrt())
    }

    /// From 8 bytes to 10 MiB, most of them small: a Pareto distribution.
    fn heavy_tail(blocks: usize) -> Vec<u64> {
        let mut state = 99;
        let size = |_| {
            let (bits, after) = roll(state);
            state = after;
            let number = ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64;
            (8.0 / number.powf(1.1)).min(10.0 * 1048576.0) as u64
        };
        (0..blocks).map(size).collect()
    }

    /// Two sizes in turn, whose sum is the mean.
    fn in_step(blocks: usize) -> Vec<u64> {
        [64, 65_536 - 64].repeat(blocks / 2)
    }

    #[test]
    #[cfg_attr(miri, ignore = "millions of draws, no pointer among them")]
    fn estimates_lie_within_their_own_error() {
        let cases = [
            ("8 bytes", vec![8; 500_000], 4 << 10),
            ("the mean", vec![64 << 10; 20_000], 64 << 10),
            ("10 MiB", vec![10 << 20; 5000], 8 << 20),
            ("heavy tail", heavy_tail(300_000), 16 << 10),
            ("in step", in_step(100_000), 64 << 10),
        ];
        for (seed, (name, sizes, mean)) in cases.into_iter().enumerate() {
            for seed in [seed as u64, 1 << 60 | seed as u64] {
                let (count, bytes) = errors(&mut Thread::new(random(seed)), &sizes, rate(mean));
                let fine = count.abs() < 4.0 && bytes.abs() < 4.0;
                assert!(fine, "{name}, seed {seed}: {count:.1} and {bytes:.1} sigma");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "millions of draws, no pointer among them")]
    fn the_errors_are_as_large_as_they_ought_to_be() {
        let sizes = heavy_tail(5000);
        let squares = (0..400).map(|seed| {
            let (count, bytes) = errors(&mut Thread::new(random(seed)), &sizes, rate(4 << 10));
            (count * count, bytes * bytes)
        });
        let (count, bytes) = squares.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        // A mean of 400 squares of standard normal numbers is 1, give or take 0.07.
        for variance in [count / 400.0, bytes / 400.0] {
            assert!((0.7..1.3).contains(&variance), "{variance}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "millions of draws, no pointer among them")]
    fn a_biased_sampler_is_caught() {
        let mean = 64 << 10;
        let fixed = || 1u64 << PARTS_LOG2;
        let (count, _) = errors(&mut Thread::new(fixed), &in_step(400_000), rate(mean));
        assert!(count.abs() > 4.0, "fixed distances: {count:.1} sigma");
        let mut lame = random(5);
        let short = move || lame() * 97 / 100;
        let (count, _) = errors(
            &mut Thread::new(short),
            &vec![512; 1_000_000],
            rate(1 << 10),
        );
        assert!(count.abs() > 4.0, "three per cent short: {count:.1} sigma");
    }

    #[test]
    #[cfg_attr(miri, ignore = "millions of draws, no pointer among them")]
    fn a_distance_drawn_for_one_mean_serves_another() {
        let mut thread = Thread::new(random(17));
        let (one, other) = (rate(1 << 10), rate(64 << 10));
        let (mut picked, mut expected) = (0.0, 0.0);
        for turn in 0..100_000 {
            let rate = if turn % 2 == 0 { one } else { other };
            picked += f64::from(u8::from(thread.picks(256, rate)));
            expected += 1.0 / rate.weight(256);
        }
        let sigma = (picked - expected) / f64::sqrt(expected);
        assert!(sigma.abs() < 4.0, "{sigma:.1} sigma");
    }
}
