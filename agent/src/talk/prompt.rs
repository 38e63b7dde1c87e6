//! The prompt: lines read and answered until one of them leaves.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, ColorMode, CompletionType, Config, Editor};

use super::choices::Screen;
use super::complete::Words;
use super::execute::{execute, first, guarded, is_for_eyes, question};
use super::meanwhile::Meanwhile;
use super::page::page;
use super::{Error, Terminal, program};
use crate::heap::{Answered, Host, Request, Told, Untold};
use crate::query::View;
use crate::render::Style;

const PROMPT: &str = "(sigheap) ";
/// How long the first screen waits for names: what is heaviest has one by then. Code that was not optimised reads them ten
/// times as slowly.
const PATIENCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 100 });
/// Lines of history kept.
const HISTORY: usize = 1000;
/// The longest line a plain reader takes, in bytes.
const LINE: usize = 64 << 10;

/// A prompt that is ready before the program stops: making it reads the environment and opens the terminal, which would
/// hang once the program's locks are frozen.
pub(crate) struct Prompt {
    /// None where the terminal cannot move its cursor, or the editor could not be made.
    editor: Option<Editor<Words, FileHistory>>,
    history: Option<PathBuf>,
    colour: bool,
}

impl Prompt {
    /// Opens the terminal, reads `TERM` and `NO_COLOR`, and the history if there is any.
    ///
    /// # Errors
    /// [`Error::NoTerminal`] where /dev/tty cannot be opened. The editor does not tell: it would read standard input
    /// instead, which may be the program's data.
    pub(crate) fn new(history: Option<&Path>) -> Result<Self, Error> {
        let open = OpenOptions::new().read(true).write(true).open("/dev/tty");
        open.map_err(Error::NoTerminal)?;
        let term = std::env::var_os("TERM").unwrap_or_default();
        let plain = ["dumb", "cons25", "emacs"].iter().any(|dumb| term == *dumb);
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let colour = !plain && !no_color;
        let mut editor = if plain { None } else { editor(colour) };
        if let (Some(editor), Some(history)) = (&mut editor, history) {
            make_folder(history);
            // A history that is not there yet, or not readable, is an empty one.
            _ = editor.load_history(history);
        }
        Ok(Prompt {
            editor,
            history: history.map(Path::to_owned),
            colour,
        })
    }

    /// Shows the first screen, or what a command of the program's own answered, and answers lines, until a command asks the program to go on or to end. Ctrl-D, and a
    /// terminal that is gone, let it go on.
    pub(crate) fn run(
        mut self,
        view: &mut View<'_>,
        terminal: &mut dyn Terminal,
        host: &mut dyn Host,
        answered: Option<&Answered>,
        meanwhile: &Meanwhile<'_>,
    ) {
        let mut leaving = Leaving { host, asked: false };
        if self
            .talk(view, terminal, &mut leaving, answered, meanwhile)
            .is_err()
            && !leaving.asked
        {
            // Unheard, the end of the look says the same.
            let _heard = leaving.request(Request::Continue);
        }
    }

    fn talk(
        &mut self,
        view: &mut View<'_>,
        terminal: &mut dyn Terminal,
        host: &mut Leaving<'_>,
        answered: Option<&Answered>,
        meanwhile: &Meanwhile<'_>,
    ) -> io::Result<()> {
        if self.editor.is_some() {
            terminal.hide_typing();
        }
        tick(view);
        view.screen = screen(terminal);
        let style = self.style(view, terminal);
        match answered {
            None => {
                let began = Instant::now();
                view.hurry(move || began.elapsed() > PATIENCE);
                let screen = first(view, style);
                view.take_time();
                terminal.write_all(screen.text.as_bytes())?;
                terminal.flush()?;
            }
            Some(answered) => {
                let answer = program::show(answered, view, style);
                self.show(&answer.text, view.settings.paging, terminal)?;
            }
        }
        if let Some(words) = self.editor.as_mut().and_then(Editor::helper_mut) {
            words.threads = view.thread_names();
        }
        self.read_on(view, terminal)?;
        let mut learned = false;
        while !host.asked {
            if !learned && view.knows_types() {
                self.learn(view, host);
                learned = true;
            }
            self.know(view, terminal);
            meanwhile.forget_keys();
            let line = match self.read(terminal)? {
                Typed::Line(line) => line,
                Typed::Nothing => continue,
                Typed::End => "continue".to_owned(),
            };
            tick(view);
            view.screen = screen(terminal);
            if let Some(question) = question(&line, view)
                && !confirmed(&question, terminal)?
            {
                continue;
            }
            meanwhile.begin(self.editor.is_some() && is_for_eyes(&line));
            let outcome = execute(&line, view, host, self.style(view, terminal));
            meanwhile.end();
            self.show(&outcome.text, view.settings.paging, terminal)?;
        }
        Ok(())
    }

    /// Reads the types for which the first screen did not wait, under a prompt that stands already, until something is typed.
    fn read_on(&self, view: &mut View<'_>, terminal: &mut dyn Terminal) -> io::Result<()> {
        if self.editor.is_none() || view.knows_types() || !view.snapshot.tracking.present {
            return Ok(());
        }
        terminal.write_all(PROMPT.as_bytes())?;
        terminal.flush()?;
        let _read = guarded(|| view.read_on(&|| terminal.has_input()));
        // The editor writes its own.
        terminal.write_all(b"\r\x1b[K")
    }

    /// What all types are good for beside answers: completion, and the looks to come.
    fn learn(&mut self, view: &mut View<'_>, host: &mut Leaving<'_>) {
        if let Some(words) = self.editor.as_mut().and_then(Editor::helper_mut) {
            (words.types, words.paths) = guarded(|| view.type_names()).unwrap_or_default();
        }
        // Where it cannot be kept, the next look says that it has no peaks to compare with.
        let _kept = guarded(|| view.hand_on_peaks(host));
        let _kept = guarded(|| view.hand_on_names(host));
    }

    /// For completion: what may have changed since the last line.
    fn know(&mut self, view: &View<'_>, terminal: &dyn Terminal) {
        if let Some(words) = self.editor.as_mut().and_then(Editor::helper_mut) {
            let marks = view.ledger.marks.iter();
            words.marks = marks.map(|mark| mark.name.clone()).collect();
            words.rows = view.rows_stand_for();
            words.statics = view.static_names();
            if let (columns @ 1.., lines @ 1..) = terminal.size() {
                words.screen = Screen {
                    columns: columns.into(),
                    lines: lines.into(),
                };
            }
        }
    }

    /// As was set, and where nothing was, as the terminal is.
    fn style(&self, view: &View<'_>, terminal: &dyn Terminal) -> Style {
        let columns = match terminal.size() {
            (0, _) => 80,
            (columns, _) => columns,
        };
        Style {
            width: usize::from(view.settings.width.unwrap_or(columns)),
            colour: view.settings.colour.unwrap_or(self.colour),
            whole: false,
        }
    }

    /// A terminal that cannot clear a line is not paged.
    fn show(&self, text: &str, paging: bool, terminal: &mut dyn Terminal) -> io::Result<()> {
        match self.editor {
            Some(_) if paging => page(text, terminal),
            _ => terminal.write_all(text.as_bytes()),
        }
    }

    fn read(&mut self, terminal: &mut dyn Terminal) -> io::Result<Typed> {
        let Some(editor) = &mut self.editor else {
            return read_plain(terminal);
        };
        match editor.readline(PROMPT) {
            Ok(line) => {
                self.remember(line.trim_end());
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Nothing),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// A history that cannot be written is no reason to stop.
    fn remember(&mut self, line: &str) {
        if let Some(editor) = &mut self.editor
            && !line.is_empty()
            && let Ok(true) = editor.add_history_entry(line)
            && let Some(history) = &self.history
        {
            _ = editor.append_history(history);
        }
    }
}

enum Typed {
    Line(String),
    /// The line was given up.
    Nothing,
    /// No more lines come.
    End,
}

/// Passes requests on and notices the one that ends the look.
struct Leaving<'a> {
    host: &'a mut dyn Host,
    asked: bool,
}

impl Host for Leaving<'_> {
    fn request(&mut self, request: Request) -> Result<(), Untold> {
        let leaves = request.leaves();
        self.host.request(request)?;
        self.asked |= leaves;
        Ok(())
    }

    fn keep(&mut self, content: &[u8]) -> Result<(), Untold> {
        self.host.keep(content)
    }

    fn keep_names(&mut self, told: &[Told]) {
        self.host.keep_names(told);
    }
}

/// What was typed is the user's own affair, and so is the folder. Without it there is no history, and all else works.
fn make_folder(history: &Path) {
    if let Some(folder) = history.parent() {
        _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
}

/// Nothing in the configuration may be left to the environment: it would be read again at every line.
fn editor(colour: bool) -> Option<Editor<Words, FileHistory>> {
    let colours = match colour {
        true => ColorMode::Forced,
        false => ColorMode::Disabled,
    };
    let config = Config::builder()
        .behavior(Behavior::PreferTerm)
        .color_mode(colours)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        // Never ask: `fitting` bounds the list, and no key but y and n would end the question.
        .completion_prompt_limit(usize::MAX)
        .max_history_size(HISTORY)
        .ok()?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config).ok()?;
    editor.set_helper(Some(Words::default()));
    Some(editor)
}

fn read_plain(terminal: &mut dyn Terminal) -> io::Result<Typed> {
    terminal.write_all(PROMPT.as_bytes())?;
    terminal.flush()?;
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        let read = match terminal.read(&mut byte) {
            // Ctrl-C; the terminal itself has forgotten what was typed.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                terminal.write_all(b"\n")?;
                return Ok(Typed::Nothing);
            }
            read => read?,
        };
        match (read, byte[0]) {
            (0, _) if line.is_empty() => return Ok(Typed::End),
            (0, _) | (_, b'\n') => break,
            (_, byte) if line.len() < LINE => line.push(byte),
            _ => {}
        }
    }
    Ok(Typed::Line(String::from_utf8_lossy(&line).into_owned()))
}

/// Asks whether something is meant. Only `y` says so.
fn confirmed(question: &str, terminal: &mut dyn Terminal) -> io::Result<bool> {
    let key = terminal.key(&format!("{question} (y or n) "));
    let yes = matches!(key, Ok(b'y' | b'Y'));
    terminal.write_all(if yes { b"y\n" } else { b"n\n" })?;
    Ok(yes)
}

/// Lines of the terminal, if it has a height.
fn screen(terminal: &dyn Terminal) -> Option<usize> {
    match terminal.size() {
        (_, 0) => None,
        (_, lines) => Some(lines.into()),
    }
}

/// Brings the length of the pause up to date; a calendar that was set back counts as none.
fn tick(view: &mut View<'_>) {
    let now = SystemTime::now();
    view.paused = now.duration_since(view.snapshot.taken).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixture::{Asked, Book, snapshot};
    use crate::talk::page::tests::Text;

    /// What a plain prompt shows and asks for when this is typed.
    fn converse(typed: &str) -> (String, Vec<Request>) {
        let (snapshot, mut book) = (snapshot(), Book::default());
        let mut view = View::new(&snapshot, &mut book, None);
        let mut asked = Asked::default();
        let mut terminal = Text {
            size: (80, 24),
            typed: typed.bytes().collect(),
            ..Text::default()
        };
        let prompt = Prompt {
            editor: None,
            history: None,
            colour: false,
        };
        let meanwhile = Meanwhile::new(None);
        prompt.run(&mut view, &mut terminal, &mut asked, None, &meanwhile);
        (String::from_utf8(terminal.shown).unwrap(), asked.0)
    }

    #[test]
    fn lines_are_answered_until_one_leaves() {
        let (shown, asked) = converse("panic\n\ntop 1\nquit 3\ntop\n");
        assert_eq!(asked, [Request::Quit(3)]);
        assert_eq!(shown.matches(PROMPT).count(), 4);
        assert!(shown.contains("the command panicked"));
        assert!(shown.ends_with("Ending demo-server with exit code 3.\n"));
    }

    #[test]
    fn the_end_of_input_continues() {
        let (shown, asked) = converse("");
        assert_eq!(asked, [Request::Continue]);
        assert!(shown.starts_with("demo-server (pid 4711), look 2: paused for"));
    }

    /// One letter and Enter ended a server.
    #[test]
    fn a_short_word_for_quit_asks_first() {
        for (typed, asked, asks) in [
            ("q\ny", Request::Quit(0), true),
            ("qui 3\nY", Request::Quit(3), true),
            ("q\nnquit 4\n", Request::Quit(4), true),
            ("q\n", Request::Continue, true),
            ("q\n\nc\n", Request::Continue, true),
            ("quit\n", Request::Quit(0), false),
            ("exit\n", Request::Quit(0), false),
        ] {
            let (shown, requests) = converse(typed);
            assert_eq!(requests, [asked], "{typed:?}");
            let question = "End demo-server (pid 4711)? (y or n) ";
            assert_eq!(shown.contains(question), asks, "{shown}");
        }
    }

    #[test]
    fn abort_is_typed_whole() {
        let (shown, asked) = converse("abor\nabort\n");
        assert_eq!(asked, [Request::Abort]);
        assert!(shown.contains("type `abort` to mean it"));
    }
}
