//! Reports as JSON: one document on one line, as schema 1 has it.
//!
//! `{"schema":1,"command":…,"capture":{"time":…,"frozen":…,"pid":…},"rows":[…],"total":{…},"gaps":[…]}`, and for an error
//! `{"schema":1,"command":…,"error":…,"hint":…}`. It is written by hand, since `serde_json`'s own objects lose the order.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::heap::Gap;
use crate::report::{Capture, Column, Report, Row, Value};

/// A report as one line, without its line feed.
pub(crate) fn json(report: &Report, capture: &Capture) -> String {
    let rows = report.rows.iter().map(|row| json_row(row, &report.columns));
    let total = report
        .total
        .iter()
        .map(|(key, value)| (*key, json_value(value)));
    object([
        ("schema", "1".to_owned()),
        ("command", quoted(report.command)),
        ("capture", json_capture(capture)),
        ("rows", array(rows)),
        ("total", object(total)),
        ("gaps", array(report.gaps.iter().map(json_gap))),
    ])
}

/// An error as one line, without its line feed.
pub(crate) fn json_error(command: &str, error: &str, hint: Option<&str>) -> String {
    object([
        ("schema", "1".to_owned()),
        ("command", quoted(command)),
        ("error", quoted(error)),
        ("hint", hint.map_or_else(null, quoted)),
    ])
}

fn json_capture(capture: &Capture) -> String {
    object([
        ("time", quoted(&rfc3339(capture.time))),
        ("frozen", capture.frozen.to_string()),
        ("pid", capture.pid.to_string()),
    ])
}

fn json_row(row: &Row, columns: &[Column]) -> String {
    let cells = columns.iter().zip(&row.cells);
    let mut pairs: Vec<_> = cells
        .map(|(column, value)| (column.key, json_value(value)))
        .collect();
    if !row.children.is_empty() {
        let children = row.children.iter().map(|child| json_row(child, columns));
        pairs.push(("children", array(children)));
    }
    object(pairs)
}

fn json_gap(gap: &Gap) -> String {
    object([
        ("what", quoted(&gap.what)),
        ("why", quoted(&gap.why)),
        ("mend", gap.mend.as_deref().map_or_else(null, quoted)),
    ])
}

fn json_value(value: &Value) -> String {
    match value {
        Value::None => null(),
        Value::Text(words) => quoted(words),
        Value::Name { full, .. } => quoted(full),
        Value::Count(n) | Value::Bytes(n) => n.to_string(),
        Value::Share(share) => number(*share),
        Value::Address(address) => quoted(&address.to_string()),
        Value::Span(span) => number(span.as_secs_f64()),
        Value::DeltaCount(n) | Value::DeltaBytes(n) => n.to_string(),
        Value::Confidence(confidence) => quoted(&confidence.to_string()),
        Value::Flag(yes) => yes.to_string(),
        Value::List(values) => array(values.iter().map(json_value)),
        Value::Map(pairs) => object(pairs.iter().map(|(key, value)| (*key, json_value(value)))),
    }
}

/// To a millionth, which shares and seconds do not exceed in truth; JSON has no infinity.
fn number(n: f64) -> String {
    let rounded = (n * 1e6).round() / 1e6;
    serde_json::Number::from_f64(rounded).map_or_else(null, |n| n.to_string())
}

fn quoted(words: &str) -> String {
    serde_json::Value::from(words).to_string()
}

fn null() -> String {
    "null".to_owned()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn object<'k>(pairs: impl IntoIterator<Item = (&'k str, String)>) -> String {
    let pair = |(key, value)| format!("{}:{value}", quoted(key));
    let pairs: Vec<String> = pairs.into_iter().map(pair).collect();
    format!("{{{}}}", pairs.join(","))
}

/// In universal time, to a millisecond: `2026-11-23T08:45:42.123Z`.
fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let millis = since.subsec_millis();
    let second = second % 60;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a number of days since 1970, after Howard Hinnant's `civil_from_days`: years begin in March,
/// so that the leap day is the last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::{Address, Confidence};
    use std::time::Duration;

    #[test]
    fn a_report_is_one_document() {
        let mut row = Row::new([
            Value::Name {
                short: "B".into(),
                full: "a::B".into(),
            },
            Value::Address(Address(0x10)),
            Value::Span(Duration::from_millis(1500)),
            Value::Confidence(Confidence::Likely),
            Value::Share(1.0 / 3.0),
        ]);
        row.children = vec![Row::new([Value::text("a \"quoted\"\nword")])];
        let report = Report {
            command: "list",
            columns: ["type", "address", "age_s", "confidence", "share"]
                .map(|key| Column::new(key, ""))
                .to_vec(),
            rows: vec![row],
            total: vec![("bytes", Value::Bytes(u64::MAX)), ("n", Value::None)],
            gaps: vec![Gap::new("types", "no debug info")],
            ..Report::default()
        };
        let capture = Capture {
            time: UNIX_EPOCH + Duration::from_millis(1_795_423_542_123),
            frozen: true,
            pid: 7,
        };
        let expected = concat!(
            r#"{"schema":1,"command":"list","capture":{"time":"2026-11-23T08:45:42.123Z","frozen":true,"pid":7},"#,
            r#""rows":[{"type":"a::B","address":"0x10","age_s":1.5,"confidence":"likely","share":0.333333,"#,
            r#""children":[{"type":"a \"quoted\"\nword"}]}],"total":{"bytes":18446744073709551615,"n":null},"#,
            r#""gaps":[{"what":"types","why":"no debug info","mend":null}]}"#
        );
        assert_eq!(json(&report, &capture), expected);
    }

    #[test]
    fn an_error_is_one_document() {
        assert_eq!(
            json_error("top", "no", None),
            r#"{"schema":1,"command":"top","error":"no","hint":null}"#
        );
    }

    #[test]
    fn days_are_counted_through_leap_years() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date);
        }
    }
}
