//! How many live blocks a recorded one stands for.

use std::num::NonZeroU64;

use super::Mode;

/// How many live blocks a recorded one stands for: itself alone where every block was recorded, and more where it was
/// picked out of many.
///
/// A block of `n` bytes is picked with probability `1 - exp(-n / mean)`, and so stands for one over that many. The mean
/// is a power of two, so that four bits of a block's record say how it was picked, whatever the mode is by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u8);

/// Base-two logarithm of a mean one less than the least: 1 KiB.
const BASE: u8 = 9;
/// The largest number of a rate: a mean of 8 MiB.
const LAST: u8 = 14;

impl Rate {
    /// Every block is recorded.
    pub const WHOLE: Rate = Rate(0);

    /// How blocks are picked in a mode; none where none is.
    pub fn of(mode: Mode) -> Option<Rate> {
        match mode {
            Mode::Full => Some(Rate::WHOLE),
            Mode::Sampled(mean) => Some(Rate::near(mean)),
            Mode::Off => None,
        }
    }

    /// The mode in which blocks are picked like that.
    pub fn mode(self) -> Mode {
        self.mean().map_or(Mode::Full, Mode::Sampled)
    }

    /// By its number, from 0 to 14, which [`number`](Self::number) gave.
    pub const fn numbered(number: u8) -> Rate {
        Rate(if number < LAST { number } else { LAST })
    }

    /// Its number: zero for every block, otherwise the mean's base-two logarithm less nine.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Bytes from one picked block to the next on average; none if every block is recorded.
    pub fn mean(self) -> Option<NonZeroU64> {
        match self.0 {
            0 => None,
            number => NonZeroU64::new(1 << (number + BASE)),
        }
    }

    /// How many live blocks of `size` bytes a recorded one stands for on average.
    pub fn weight(self, size: u64) -> f64 {
        self.mean().map_or(1.0, |mean| {
            -1.0 / (-(size.max(1) as f64) / mean.get() as f64).exp_m1()
        })
    }

    /// The rate whose mean is nearest, by ratio.
    fn near(mean: NonZeroU64) -> Rate {
        let (log2, mean) = (mean.ilog2(), u128::from(mean.get()));
        let nearest = if mean * mean > 1 << (2 * log2 + 1) {
            log2 + 1
        } else {
            log2
        };
        Rate((nearest as u8).clamp(BASE + 1, BASE + LAST) - BASE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_power_of_two_in_range_is_its_own_mean() {
        for log2 in 10..=23 {
            let mode = Mode::Sampled(NonZeroU64::new(1 << log2).unwrap());
            let rate = Rate::of(mode).unwrap();
            assert_eq!(rate.mode(), mode);
            assert_eq!(Rate::numbered(rate.number()), rate);
        }
    }

    #[test]
    fn other_means_go_to_the_nearest() {
        let mean = |bytes| Rate::near(NonZeroU64::new(bytes).unwrap()).mean().unwrap();
        let kib = 1 << 10;
        assert_eq!(mean(90 * kib).get(), 64 * kib);
        assert_eq!(mean(91 * kib).get(), 128 * kib);
        assert_eq!(mean(1).get(), kib);
        assert_eq!(mean(u64::MAX).get(), 8 << 20);
    }

    #[test]
    fn what_is_rarely_picked_stands_for_many() {
        assert_eq!(Rate::WHOLE.weight(8), 1.0);
        let rate = Rate::near(NonZeroU64::new(64 << 10).unwrap());
        assert!((rate.weight(64) - 1024.5).abs() < 0.01);
        assert!((rate.weight(64 << 10) - 1.582).abs() < 0.001);
        assert_eq!(rate.weight(1 << 30), 1.0);
    }
}
