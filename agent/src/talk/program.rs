//! The program's own commands: how a line calls one, and how its answer is shown in the look that follows.

use super::execute::Outcome;
use super::parse::Line;
use super::{Error, file};
use crate::heap::{Answered, Call};
use crate::query::{self, Command, View};
use crate::render::{Style, error_text, json, json_error, tame};

/// The call that a line makes: all of it for the look that shows the answer, the words for the command.
pub(super) fn call(command: &Command, line: &str, words: &[String]) -> Call {
    let (ours, own) = apart(words);
    let ours = ours.iter().filter(|word| *word != "--json");
    Call {
        line: line.to_owned(),
        name: command.name.to_owned(),
        words: ours.chain(own).cloned().collect(),
    }
}

/// The words before `--` and those behind it.
fn apart(words: &[String]) -> (&[String], &[String]) {
    match words.iter().position(|word| word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None => (words, &[]),
    }
}

/// Shows what a command answered, or writes it to the file that the line names.
pub(super) fn show(answered: &Answered, view: &View<'_>, style: Style) -> Outcome {
    // It was read once before.
    let line = Line::read(&answered.call.line).unwrap_or_default();
    let words = line.words.get(1..).unwrap_or_default();
    let as_json = line.wants_json(apart(words).0);
    let failure = query::failure_of_program(answered);
    let written = match (as_json, &failure) {
        (true, Some((error, hint))) => {
            (json_error(&answered.call.name, error, Some(hint)) + "\n").into_bytes()
        }
        (true, None) => {
            (json(&query::answer_of_program(answered), &view.capture()) + "\n").into_bytes()
        }
        (false, _) if line.file.is_some() => answered.output.clone(),
        (false, _) => shown(answered).into_bytes(),
    };
    let mut text = match line.file {
        None => String::from_utf8_lossy(&written).into_owned(),
        Some(to) => match file::write(&to, &written) {
            Ok(()) => format!("{} written to {}\n", answered.call.name, to.path.display()),
            Err(error) => complaint(&error, style),
        },
    };
    if let (false, Some((error, hint))) = (as_json, &failure) {
        text += &error_text(error, Some(hint), style);
    }
    Outcome {
        text,
        error: failure.is_some(),
    }
}

fn complaint(error: &Error, style: Style) -> String {
    error_text(&error.to_string(), error.hint().as_deref(), style)
}

/// The output as a terminal may have it: what is no text, and what a terminal would obey, is made visible.
fn shown(answered: &Answered) -> String {
    let text = String::from_utf8_lossy(&answered.output);
    let mut shown: String = text
        .lines()
        .map(|line| tame(&line.replace('\t', "    ")) + "\n")
        .collect();
    for gap in query::answer_of_program(answered).gaps {
        shown += &format!("{}: {}.\n", gap.what, gap.why);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Ended;
    use crate::query::find;
    use crate::query::fixture::{Book, snapshot};
    use std::time::Duration;

    const PLAIN: Style = Style {
        width: 80,
        colour: false,
        whole: false,
    };

    fn answer(line: &str, output: &[u8], ended: Ended) -> Outcome {
        let (snapshot, mut book) = (snapshot(), Book::default());
        let view = View::new(&snapshot, &mut book, None);
        crate::query::add("cache", "how full it is");
        let words = Line::read(line).unwrap().words;
        let answered = Answered {
            call: call(find("cache").unwrap(), line, &words[1..]),
            output: output.to_vec(),
            left_out: 0,
            ended,
        };
        show(&answered, &view, PLAIN)
    }

    #[test]
    fn words_go_to_the_command_and_json_does_not() {
        crate::query::add("cache", "how full it is");
        let words = |line: &str| {
            let words = Line::read(line).unwrap().words;
            call(find("cache").unwrap(), line, &words[1..]).words
        };
        assert_eq!(
            words("cache a --deep --json 'b c' > f"),
            ["a", "--deep", "b c"]
        );
        assert_eq!(words("cache a -- --json -- b"), ["a", "--json", "--", "b"]);
    }

    #[test]
    fn what_was_written_is_shown_without_what_a_terminal_obeys() {
        let outcome = answer("cache", b"caf\xe9\tand \x1b[31mred\r\nend", Ended::Well);
        assert_eq!(
            outcome.text,
            "caf\u{fffd}    and ?[31mred\nend\nsome bytes of the output: they are no UTF-8.\n"
        );
        assert!(!outcome.error);
    }

    #[test]
    fn json_has_a_row_a_line() {
        let outcome = answer("cache --json", b"1\n2\xff\n", Ended::Well);
        let document: serde_json::Value = serde_json::from_str(&outcome.text).unwrap();
        assert_eq!(document["command"], "cache");
        assert_eq!(document["rows"][1]["text"], "2\u{fffd}");
        assert_eq!(document["gaps"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn failures_are_errors_after_what_was_written() {
        for (ended, words) in [
            (Ended::Failed("cold".into()), "failed: cold"),
            (Ended::Panicked("full".into()), "panicked: full"),
            (
                Ended::NotYet(Duration::from_secs(3)),
                "has not ended after 3",
            ),
            (Ended::Busy, "still runs"),
        ] {
            let outcome = answer("cache", b"so far\n", ended.clone());
            assert!(outcome.error && outcome.text.starts_with("so far\nError: `cache` "));
            assert!(outcome.text.contains(words), "{}", outcome.text);
            let outcome = answer("cache --json", b"so far\n", ended);
            assert!(
                outcome
                    .text
                    .starts_with(r#"{"schema":1,"command":"cache","error":"#)
            );
        }
    }

    #[test]
    fn a_file_gets_the_bytes_as_they_are() {
        let path = std::env::temp_dir().join(format!("sigheap-answer-{}", std::process::id()));
        let outcome = answer(
            &format!("cache > {}", path.display()),
            b"\xff\x1b\r\n",
            Ended::Well,
        );
        assert!(
            outcome.text.starts_with("cache written to "),
            "{}",
            outcome.text
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"\xff\x1b\r\n");
        std::fs::remove_file(&path).unwrap();
    }
}
