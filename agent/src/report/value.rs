//! A value with its unit, and how a person reads it.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::heap::{Address, Confidence};

/// A value in a cell. The unit is part of the kind, so that each face can write it as its readers expect.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing: an empty cell, `null` in JSON.
    None,
    /// Words.
    Text(String),
    /// A name: `short` for people, `full` for programs.
    Name {
        /// With paths shortened.
        short: Rc<str>,
        /// With whole paths.
        full: Rc<str>,
    },
    /// A number of things.
    Count(u64),
    /// Bytes.
    Bytes(u64),
    /// A share of the whole, from 0 to 1.
    Share(f64),
    /// An address, `"0x…"` in JSON.
    Address(Address),
    /// A span of time; seconds in JSON.
    Span(Duration),
    /// A change in a number of things.
    DeltaCount(i64),
    /// A change in bytes.
    DeltaBytes(i64),
    /// How sure the row is.
    Confidence(Confidence),
    /// Yes or no.
    Flag(bool),
    /// Several values, for JSON's sake.
    List(Vec<Value>),
    /// An object within a value, for JSON's sake: names and values.
    Map(Vec<(&'static str, Value)>),
}

impl Value {
    /// Words.
    pub(crate) fn text(words: impl Into<String>) -> Self {
        Value::Text(words.into())
    }

    /// Whether it is a figure, and so stands at the right of its column.
    pub(crate) fn is_figure(&self) -> bool {
        !matches!(
            self,
            Value::None | Value::Text(_) | Value::Name { .. } | Value::Confidence(_)
        )
    }
}

/// As people read it: bytes in units of 1,024, shares in per cent without the sign, `~` for likely and `?` for a guess.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Value::None | Value::Map(_) => String::new(),
            Value::Text(words) => words.clone(),
            Value::Name { short, .. } => short.to_string(),
            Value::Count(n) => thousands(*n),
            Value::Bytes(n) => bytes(*n),
            Value::Share(share) => percent(*share),
            Value::Address(address) => address.to_string(),
            Value::Span(span) => duration(*span),
            Value::DeltaCount(n) => signed(*n, thousands),
            Value::DeltaBytes(n) => signed(*n, bytes),
            Value::Confidence(confidence) => mark(*confidence).to_owned(),
            Value::Flag(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Value::List(values) => list(values),
        })
    }
}

/// A number and what it counts: `1 block`, `2,000 blocks`.
pub(crate) fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" })
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut amount = n as f64 / 1024.0;
    let mut unit = 0;
    // 1,023.95 would be written as 1024.0 of the smaller unit.
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

fn signed(n: i64, write: fn(u64) -> String) -> String {
    let sign = match n.signum() {
        1 => "+",
        -1 => "-",
        _ => "",
    };
    format!("{sign}{}", write(n.unsigned_abs()))
}

/// Never `100.0` nor `0.0` for what is not all or nothing.
fn percent(share: f64) -> String {
    match share * 100.0 {
        part if part > 99.95 && part < 100.0 => "99.9".to_owned(),
        part if part > 0.0 && part < 0.05 => "<0.1".to_owned(),
        part => format!("{part:.1}"),
    }
}

fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 if span.as_millis() == 0 => format!("{} us", span.as_micros()),
        0..10 if span.as_millis() < 1000 => format!("{} ms", span.as_millis()),
        0..10 => format!("{:.1} s", span.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn mark(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Likely => "~",
        Confidence::Guess => "?",
        Confidence::Exact | Confidence::Unknown => "",
    }
}

fn list(values: &[Value]) -> String {
    let words: Vec<String> = values.iter().map(Value::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        let written = [
            (Value::Count(1_234_567), "1,234,567"),
            (Value::Count(999), "999"),
            (Value::Bytes(1023), "1023 B"),
            (Value::Bytes(1024), "1.0 KiB"),
            (Value::Bytes(1024 * 1024 - 1), "1.0 MiB"),
            (Value::Bytes(u64::MAX), "16.0 EiB"),
            (Value::DeltaCount(-1200), "-1,200"),
            (Value::DeltaBytes(2048), "+2.0 KiB"),
            (Value::DeltaBytes(0), "0 B"),
            (Value::DeltaBytes(i64::MIN), "-8.0 EiB"),
            (Value::Share(1.0), "100.0"),
            (Value::Share(0.99999), "99.9"),
            (Value::Share(0.00001), "<0.1"),
            (Value::Share(0.0), "0.0"),
            (Value::Span(Duration::from_micros(350)), "350 us"),
            (Value::Span(Duration::from_millis(350)), "350 ms"),
            (Value::Span(Duration::from_millis(1250)), "1.2 s"),
            (Value::Span(Duration::from_secs(119)), "119 s"),
            (Value::Span(Duration::from_secs(7199)), "119 min"),
            (Value::Span(Duration::from_secs(172_800)), "2 d"),
            (Value::Confidence(Confidence::Likely), "~"),
        ];
        for (value, text) in written {
            assert_eq!(value.to_string(), text);
        }
        assert_eq!(count(1, "block"), "1 block");
        assert_eq!(count(2000, "block"), "2,000 blocks");
    }
}
