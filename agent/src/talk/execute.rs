//! One line: taken apart, answered, rendered, and written where it says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::parse::{Line, Redirection, wants_json};
use super::{Error, file, program};
use crate::heap::{Host, Request, Untold};
use crate::query::{self, View, find, first_screen};
use crate::render::{Style, error_text, json, json_error, lines_of_gaps, picture, tame, text};

/// What came of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What to show, lines that end with a line feed; empty for an empty line.
    pub(crate) text: String,
    /// Whether it is an error; then a script's exit status is 1.
    pub(crate) error: bool,
}

/// Runs a line. A command that panics costs its answer alone.
pub(crate) fn execute(
    line: &str,
    view: &mut View<'_>,
    host: &mut dyn Host,
    style: Style,
) -> Outcome {
    match answer(line, view, host, style) {
        Ok(text) => Outcome { text, error: false },
        Err(error) => Outcome {
            text: complaint(line, &error, style),
            error: true,
        },
    }
}

/// What to ask before this line is answered, if it is a short word for a command that ends the program.
pub(super) fn question(line: &str, view: &View<'_>) -> Option<String> {
    let words = Line::read(line).ok()?.words;
    let word = words.first()?;
    let asks = find(word).ok()?.asks_if_called(word);
    asks.then(|| {
        let snapshot = view.snapshot;
        format!("End {} (pid {})?", tame(&snapshot.program), snapshot.pid)
    })
}

/// Whether the answer to a line is for somebody to read: then it may be said meanwhile how far it is.
pub(super) fn is_for_eyes(line: &str) -> bool {
    Line::read(line).is_ok_and(|line| !line.wants_json(&line.words))
}

/// What SIGQUIT writes where there is no terminal to talk at: the state of the heap in a page, as a JVM does.
pub(crate) fn report_short(view: &mut View<'_>, host: &mut dyn Host) -> String {
    let mut page = String::new();
    let mut lines = vec!["info", "top 10"];
    if view.past().is_some() {
        lines.push("growth 10");
    }
    for line in lines {
        let style = Style {
            width: 120,
            colour: false,
            whole: false,
        };
        page += &execute(line, view, &mut Nobody, style).text;
    }
    // Where it cannot be kept, the next look says that it has no peaks to compare with.
    let _kept = guarded(|| view.hand_on_peaks(host));
    let _kept = guarded(|| view.hand_on_names(host));
    page
}

/// What is shown before anything is asked; a panic in it is an error like any other.
pub(super) fn first(view: &mut View<'_>, style: Style) -> Outcome {
    match guarded(|| fitted(view, style)) {
        Ok(text) => Outcome { text, error: false },
        Err(error) => Outcome {
            text: complaint("info", &error, style),
            error: true,
        },
    }
}

/// The first screen with as many types as it has room for, the prompt's own line included.
fn fitted(view: &mut View<'_>, style: Style) -> String {
    /// Types in it at the most.
    const TYPES: usize = 5;
    let lines = view.screen.unwrap_or(usize::MAX);
    let mut types = TYPES;
    loop {
        let report = first_screen(view, types);
        let text = text(&report, style);
        if types == 1 || text.lines().count() < lines {
            view.number(&report.objects);
            return text;
        }
        types -= 1;
    }
}

/// Keeps a panic from going further.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|words| (*words).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        Error::Panic {
            message: message.unwrap_or_else(|| "it did not say why".to_owned()),
        }
    })
}

fn answer(
    line: &str,
    view: &mut View<'_>,
    host: &mut dyn Host,
    style: Style,
) -> Result<String, Error> {
    let typed = line;
    let line = Line::read(line)?;
    let Some((word, rest)) = line.words.split_first() else {
        return Ok(String::new());
    };
    let command = find(word)?;
    if command.of_program {
        // Its answer comes in another look.
        host.request(Request::Run(program::call(command, typed, rest)))
            .map_err(query::Error::from)?;
        return Ok(String::new());
    }
    let mut rest = rest.to_vec();
    if view.settings.full {
        rest.push(FULL.to_owned());
    }
    let style = Style {
        whole: rest.iter().any(|word| word == FULL),
        ..style
    };
    let as_json = line.wants_json(&rest);
    let screen = view.screen.take();
    if !as_json && line.file.is_none() {
        let gaps = lines_of_gaps(&view.gaps(), style);
        view.screen = screen.map(|lines| lines.saturating_sub(gaps));
    }
    let report = guarded(|| command.answer(view, &rest, host));
    view.screen = screen;
    if view.waiting.has_stopped() {
        view.drop_parts();
        return Err(query::Error::Stopped {
            command: command.name,
        }
        .into());
    }
    let report = report??;
    view.number(&report.objects);
    let own = report.picture.as_ref().and_then(|one| one.file.clone());
    if own.is_some() && line.file.is_some() {
        return Err(Error::Redirection);
    }
    let own = own.map(Redirection::to);
    if let Some(to) = own.as_ref().or(line.file.as_ref())
        && let Some((drawn, boxes)) = picture(&report, &to.path)
    {
        file::write(to, drawn.as_bytes())?;
        return Ok(match as_json {
            true => json(&report, &view.capture()) + "\n",
            false => format!("Graph written to {} ({boxes})\n", to.path.display()),
        });
    }
    let written = match (as_json, &line.file) {
        (true, _) => json(&report, &view.capture()) + "\n",
        (false, Some(_)) => text(
            &report,
            Style {
                whole: style.whole,
                ..Style::FILE
            },
        ),
        (false, None) => text(&report, style),
    };
    match line.file {
        None => Ok(written),
        Some(to) => {
            file::write(&to, written.as_bytes())?;
            Ok(format!(
                "{} written to {}\n",
                report.command,
                to.path.display()
            ))
        }
    }
}

fn complaint(line: &str, error: &Error, style: Style) -> String {
    let words = Line::read(line).unwrap_or_default().words;
    let hint = error.hint();
    if !wants_json(&words) {
        return error_text(&error.to_string(), hint.as_deref(), style);
    }
    let word = words.first().map_or("", String::as_str);
    let command = find(word).map_or(word, |command| command.name);
    json_error(command, &error.to_string(), hint.as_deref()) + "\n"
}

/// The flag by which nothing is cut.
const FULL: &str = "--full";

/// A host for commands that ask nothing of the program.
struct Nobody;

impl Host for Nobody {
    fn request(&mut self, _: Request) -> Result<(), Untold> {
        Err(Untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixture::{Asked, Book, past, snapshot};

    const PLAIN: Style = Style {
        width: 80,
        colour: false,
        whole: false,
    };

    fn run(lines: &[&str]) -> Vec<Outcome> {
        let (snapshot, mut book, past) = (snapshot(), Book::default(), past());
        let mut view = View::new(&snapshot, &mut book, Some(&past));
        let mut run = |line: &&str| execute(line, &mut view, &mut Asked::default(), PLAIN);
        lines.iter().map(&mut run).collect()
    }

    #[test]
    fn a_panic_costs_its_answer_alone() {
        let outcomes = run(&["panic", "top 1"]);
        assert!(outcomes[0].error);
        assert_eq!(
            outcomes[0].text,
            "Error: the command panicked: asked for\nthis is a bug in sigheap; the program is not harmed, and the \
             other commands\nstill answer\n"
        );
        assert!(!outcomes[1].error);
    }

    #[test]
    fn an_empty_line_says_nothing() {
        assert_eq!(run(&["", "  "]), [Outcome::default(), Outcome::default()]);
    }

    #[test]
    fn errors_are_documents_where_json_is_asked_for() {
        let outcomes = run(&[
            "to --jsn",
            "list Cache --json",
            "gro --json --al",
            "grwth --json",
        ]);
        assert!(outcomes.iter().all(|outcome| outcome.error));
        assert_eq!(
            outcomes[0].text,
            "Error: `top` has no --jsn\ndid you mean `--json`?\n"
        );
        let documents = [
            r#"{"schema":1,"command":"list","error":"no live block matches `Cache`","hint":"did you mean `Arc<CacheEntity>` or `CacheEntity`?"}"#,
            r#"{"schema":1,"command":"growth","error":"`growth` has no --al","hint":"did you mean `--all`?"}"#,
            r#"{"schema":1,"command":"grwth","error":"there is no command `grwth`","hint":"did you mean `growth`?"}"#,
        ];
        for (outcome, document) in outcomes[1..].iter().zip(documents) {
            assert_eq!(outcome.text, format!("{document}\n"));
        }
    }

    #[test]
    fn documents_have_nothing_before_them() {
        assert!(is_for_eyes("leaks") && is_for_eyes("leaks > a.txt"));
        for line in ["leaks --json", "leaks > a.json", "leaks 'a"] {
            assert!(!is_for_eyes(line), "{line}");
        }
    }

    #[test]
    fn answers_go_to_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("sigheap-talk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let outcomes = run(&[
            &format!("top 1 > {}", file("a.txt")),
            &format!("top 2 > {}", file("a.txt")),
            &format!("top 1 >> {}", file("a.txt")),
            &format!("top > {}", file("a.json")),
            &format!("top > {}", file("none/a.txt")),
        ]);
        assert_eq!(
            outcomes[0].text,
            format!("top written to {}\n", file("a.txt"))
        );
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("a.txt").matches("Arc<CacheEntity>").count(), 2);
        assert_eq!(read("a.txt").matches("Vec<u64>").count(), 1);
        assert!(read("a.json").starts_with(r#"{"schema":1,"command":"top""#));
        let mode = std::fs::metadata(folder.join("a.txt"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(outcomes[4].error && outcomes[4].text.contains("the folder must exist"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_page_for_logs_says_what_fills_the_heap() {
        let (snapshot, mut book) = (snapshot(), Book::default());
        let page = report_short(&mut View::new(&snapshot, &mut book, None), &mut Nobody);
        for words in ["pid 4711", "live Rust blocks", "Arc<CacheEntity>"] {
            assert!(page.contains(words), "{page}");
        }
        assert!(!page.contains("Since look 1"), "{page}");
        let past = past();
        let mut later = View::new(&snapshot, &mut book, Some(&past));
        let page = report_short(&mut later, &mut Nobody);
        assert!(page.contains("Since look 1"), "{page}");
    }
}
