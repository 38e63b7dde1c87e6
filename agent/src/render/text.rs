//! Reports as text, fitted to the terminal.

use super::fit::{tame, wrap};
use super::table::table;
use super::{Ink, Style};
use crate::heap::Gap;
use crate::report::Report;

/// The narrowest terminal that is written for.
const NARROWEST: usize = 40;

/// A report as text: what stands above the table, the table, its notes, and what could not be known. Every line fits
/// and ends with a line feed.
pub(crate) fn text(report: &Report, style: Style) -> String {
    let style = Style {
        width: style.width.max(NARROWEST),
        ..style
    };
    let mut lines: Vec<String> = wrapped(&report.head, style).collect();
    lines.extend(table(report, style));
    lines.extend(wrapped(&report.notes, style).map(|line| style.paint(Ink::Dim, &line)));
    let gaps: Vec<String> = report.gaps.iter().map(describe).collect();
    lines.extend(wrapped(&gaps, style).map(|line| style.paint(Ink::Yellow, &line)));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// How many lines these gaps take.
pub(crate) fn lines_of_gaps(gaps: &[Gap], style: Style) -> usize {
    let gaps: Vec<String> = gaps.iter().map(describe).collect();
    wrapped(&gaps, style).count()
}

/// An error as text.
pub(crate) fn error_text(error: &str, hint: Option<&str>, style: Style) -> String {
    let style = Style {
        width: style.width.max(NARROWEST),
        ..style
    };
    let error = [format!("Error: {error}")];
    let hint: Vec<String> = hint
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    let error = wrapped(&error, style).map(|line| style.paint(Ink::Red, &line));
    error
        .chain(wrapped(&hint, style))
        .map(|line| line + "\n")
        .collect()
}

fn wrapped(lines: &[String], style: Style) -> impl Iterator<Item = String> {
    lines
        .iter()
        .flat_map(move |line| wrap(&tame(line), style.width))
}

fn describe(gap: &Gap) -> String {
    let mut line = format!("Not known: {}: {}.", gap.what, gap.why);
    if let Some(mend) = &gap.mend {
        line += &format!(" To mend it: {mend}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Column, Line, Object, Row, Value};

    const PLAIN: Style = Style {
        width: 40,
        colour: false,
        whole: false,
    };

    fn report() -> Report {
        let row = |name: &str, count: u64, bytes: u64| {
            Row::new([
                Value::text(name),
                Value::Count(count),
                Value::Bytes(bytes),
                Value::text("for programs"),
            ])
        };
        let mut rows = vec![
            row("HashMap<String, demo::Session>", 5000, 1 << 20),
            row("日本", 2, 10),
        ];
        rows[0].below.push(Line {
            text: "main at src/main.rs:7".to_owned(),
            dim: true,
        });
        rows[1].children.push(row("child", 1, 5));
        Report {
            command: "top",
            head: vec!["The heap of demo, with more words than fit.".to_owned()],
            columns: vec![
                Column::flexible("type", "type"),
                Column::new("count", "count").spare(),
                Column::new("bytes", "bytes"),
                Column::new("site", ""),
            ],
            objects: vec![Object::Type("a".into()), Object::Type("b".into())],
            rows,
            total: vec![
                ("bytes", Value::Bytes(1 << 20)),
                ("hidden", Value::Count(1)),
            ],
            notes: vec!["a note".to_owned()],
            gaps: vec![Gap::new("types", "no debug information").mended_by("debug = 2")],
            ..Report::default()
        }
    }

    #[test]
    fn a_report_fits_forty_columns() {
        let expected = "\
The heap of demo, with more words than
fit.
#  type                   count    bytes
1  HashMap<St…::Session>  5,000  1.0 MiB
      main at src/main.rs:7
2  日本                       2     10 B
     child                    1      5 B
   total                         1.0 MiB
a note
Not known: types: no debug information.
To mend it: debug = 2
";
        assert_eq!(text(&report(), PLAIN), expected);
    }

    #[test]
    fn figures_are_never_cut() {
        let row = Row::new([
            Value::Address(crate::heap::Address(0x7f12_3456_7890)),
            Value::Bytes(1 << 40),
            Value::Count(123_456_789),
            Value::text("HashMap<String, demo_server::sessions::Session>"),
        ]);
        let report = Report {
            columns: vec![
                Column::new("address", "address"),
                Column::new("size", "size"),
                Column::new("count", "count"),
                Column::flexible("type", "type"),
            ],
            objects: vec![Object::Type("a".into())],
            rows: vec![row],
            total: vec![("size", Value::Bytes(1 << 40))],
            ..Report::default()
        };
        let expected = "\
#         address     size
         count  type
1  0x7f1234567890  1.0 TiB
   123,456,789  HashMap<Str…ns::Session>
                   1.0 TiB
                total
";
        assert_eq!(text(&report, PLAIN), expected);
        let whole = "\
   123,456,789  HashMap<String,
                demo_server::sessions::
                Session>
";
        let style = Style {
            whole: true,
            ..PLAIN
        };
        assert!(
            text(&report, style).contains(whole),
            "{}",
            text(&report, style)
        );
    }

    #[test]
    fn colours_only_where_wanted() {
        let coloured = text(
            &report(),
            Style {
                colour: true,
                ..PLAIN
            },
        );
        assert!(coloured.contains("\x1b[1m"));
        assert!(!text(&report(), PLAIN).contains('\x1b'));
    }

    #[test]
    fn names_cannot_command_the_terminal() {
        let mut report = report();
        report.rows[0].cells[0] = Value::text("a\x1b[2J\nb");
        report.head[0] = "c\rd".to_owned();
        let text = text(&report, PLAIN);
        assert!(text.contains("a?[2J?b") && text.contains("c?d"), "{text}");
    }

    #[test]
    fn errors_have_a_hint() {
        assert_eq!(
            error_text("no", Some("try this"), PLAIN),
            "Error: no\ntry this\n"
        );
        assert_eq!(error_text("no", None, PLAIN), "Error: no\n");
    }
}
