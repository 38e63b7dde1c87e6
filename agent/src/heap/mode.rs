//! How much of what the program allocates is recorded.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// How much of what the program allocates is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Every block.
    #[default]
    Full,
    /// One block for so many bytes on average: a block of `n` bytes is recorded with probability `1 - exp(-n / mean)`.
    Sampled(NonZeroU64),
    /// None. What is born meanwhile is not known.
    Off,
}

/// Bytes between two samples unless a number is given: 512 KiB, as in tcmalloc's and jemalloc's heap profilers.
const MEAN: NonZeroU64 = NonZeroU64::new(512 << 10).expect("not zero");

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Full => f.pad("full"),
            Mode::Sampled(mean) => write!(f, "sampled {mean}"),
            Mode::Off => f.pad("off"),
        }
    }
}

/// Not the name of a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMode(String);

impl fmt::Display for NoMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no way of tracking; there are `full`, `sampled`, `sampled:512k` and `off`",
            self.0
        )
    }
}

impl std::error::Error for NoMode {}

/// Reads `full`, `off`, `sampled`, `sampled N` or `sampled:N`, where N is in bytes and may end with k, m or g (powers
/// of 1024).
impl FromStr for Mode {
    type Err = NoMode;

    fn from_str(text: &str) -> Result<Self, NoMode> {
        let wrong = || NoMode(text.to_owned());
        let (word, number) = match text.trim().split_once([' ', ':']) {
            Some((word, number)) => (word, Some(number.trim())),
            None => (text.trim(), None),
        };
        match (word, number) {
            ("full", None) => Ok(Mode::Full),
            ("off", None) => Ok(Mode::Off),
            ("sampled", None) => Ok(Mode::Sampled(MEAN)),
            ("sampled", Some(number)) => bytes(number).map(Mode::Sampled).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

fn bytes(text: &str) -> Option<NonZeroU64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    NonZeroU64::new(number.checked_mul(1 << shift)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_typed() {
        let sampled = |mean| Ok(Mode::Sampled(NonZeroU64::new(mean).unwrap()));
        assert_eq!("full".parse(), Ok(Mode::Full));
        assert_eq!(" off ".parse(), Ok(Mode::Off));
        assert_eq!("sampled".parse(), sampled(512 << 10));
        assert_eq!("sampled 4096".parse(), sampled(4096));
        assert_eq!("sampled:64k".parse(), sampled(64 << 10));
        assert_eq!("sampled 1MiB".parse(), sampled(1 << 20));
    }

    #[test]
    fn what_is_written_can_be_read() {
        for text in ["full", "sampled 4096", "off"] {
            assert_eq!(text.parse::<Mode>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in [
            "",
            "fuller",
            "sampled 0",
            "sampled x",
            "sampled 99999999999g",
            "full 3",
            "sampled é",
        ] {
            assert!(text.parse::<Mode>().is_err(), "{text}");
        }
    }
}
