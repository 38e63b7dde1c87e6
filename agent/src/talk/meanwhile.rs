//! What is said at the terminal while an answer is being worked out, and the key that gives it up.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::heap::{Step, Waiting};
use crate::render::progress;

/// Whoever waits at the prompt. Outside of a command nobody does, and the work goes on.
pub(crate) struct Meanwhile<'a> {
    terminal: Option<&'a dyn Line>,
    /// The answer that is waited for.
    answer: RefCell<Option<Answer>>,
    stopped: Cell<bool>,
}

/// A terminal with a line to write into, over and over, and a key that interrupts.
pub(crate) trait Line {
    /// Writes at once.
    fn put(&self, text: &str);

    /// Whether the key was pressed since this was last asked.
    fn was_interrupted(&self) -> bool;
}

/// An answer that is waited for.
struct Answer {
    began: Instant,
    /// Whether anything is shown meanwhile.
    shows: bool,
    /// What is being done, and since when.
    step: (&'static str, Instant),
    /// When the line was last written.
    shown: Option<Instant>,
}

/// From when on something is said.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often.
const AGAIN: Duration = Duration::from_millis(100);
/// Clears the line the cursor stands in.
const CLEAR: &str = "\r\x1b[K";

impl<'a> Meanwhile<'a> {
    pub(crate) fn new(terminal: Option<&'a dyn Line>) -> Self {
        Meanwhile {
            terminal,
            answer: RefCell::new(None),
            stopped: Cell::new(false),
        }
    }

    /// A line is about to be read: a key that was pressed before is not for its answer. One that comes between the line and
    /// its answer is.
    pub(super) fn forget_keys(&self) {
        self.was_interrupted();
    }

    /// From now on an answer is waited for; `shows` says whether the terminal can take a line meanwhile.
    pub(super) fn begin(&self, shows: bool) {
        let began = Instant::now();
        self.stopped.set(false);
        self.answer.replace(Some(Answer {
            began,
            shows,
            step: ("", began),
            shown: None,
        }));
    }

    /// The answer is there. The line is as it was before.
    pub(super) fn end(&self) {
        let answer = self.answer.take();
        if answer.is_some_and(|answer| answer.shown.is_some()) {
            self.put(CLEAR);
        }
        self.stopped.set(false);
    }

    fn put(&self, text: &str) {
        if let Some(terminal) = self.terminal {
            terminal.put(text);
        }
    }

    fn was_interrupted(&self) -> bool {
        self.terminal.is_some_and(Line::was_interrupted)
    }

    fn show(&self, answer: &mut Answer, step: Step) {
        let now = Instant::now();
        if answer.step.0 != step.what {
            answer.step = (step.what, now);
        }
        let is_due = match answer.shown {
            None => now.duration_since(answer.began) >= PATIENCE,
            Some(shown) => now.duration_since(shown) >= AGAIN,
        };
        if is_due {
            let line = progress(step, now.duration_since(answer.step.1));
            self.put(&format!("{CLEAR}{line}"));
            answer.shown = Some(now);
        }
    }
}

impl Waiting for Meanwhile<'_> {
    fn goes_on(&self, step: Step) -> bool {
        let mut answer = self.answer.borrow_mut();
        let Some(answer) = &mut *answer else {
            return true;
        };
        if self.stopped.get() || self.was_interrupted() {
            self.stopped.set(true);
            return false;
        }
        if answer.shows {
            self.show(answer, step);
        }
        true
    }

    fn has_stopped(&self) -> bool {
        self.stopped.get()
    }
}

impl std::fmt::Debug for Meanwhile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meanwhile").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::Unit;

    #[derive(Default)]
    struct Screen {
        text: RefCell<String>,
        pressed: Cell<bool>,
    }

    impl Line for Screen {
        fn put(&self, text: &str) {
            self.text.borrow_mut().push_str(text);
        }

        fn was_interrupted(&self) -> bool {
            self.pressed.take()
        }
    }

    const HALF: Step = Step {
        what: "reading pointers",
        done: 1,
        total: 2,
        unit: Unit::Of("blocks"),
    };

    /// Puts the beginning of the answer so long ago.
    fn age(meanwhile: &Meanwhile<'_>, by: Duration) {
        let mut answer = meanwhile.answer.borrow_mut();
        let answer = answer.as_mut().unwrap();
        answer.began = answer.began.checked_sub(by).unwrap();
    }

    #[test]
    fn a_line_is_shown_where_it_takes_long_and_is_gone_when_it_is_over() {
        let screen = Screen::default();
        let meanwhile = Meanwhile::new(Some(&screen));
        for (shows, by) in [(true, Duration::ZERO), (false, PATIENCE)] {
            meanwhile.begin(shows);
            age(&meanwhile, by);
            assert!(meanwhile.goes_on(HALF));
            meanwhile.end();
            assert_eq!(&*screen.text.borrow(), "");
        }
        meanwhile.begin(true);
        age(&meanwhile, PATIENCE);
        assert!(meanwhile.goes_on(HALF) && meanwhile.goes_on(HALF));
        let line = "\r\x1b[Kreading pointers 50 % of 2 blocks";
        assert_eq!(&*screen.text.borrow(), line, "the second came too soon");
        meanwhile.end();
        assert_eq!(&*screen.text.borrow(), &format!("{line}\r\x1b[K"));
    }

    #[test]
    fn the_key_gives_up_the_answer_that_is_waited_for_and_no_other() {
        let screen = Screen::default();
        let meanwhile = Meanwhile::new(Some(&screen));
        screen.pressed.set(true);
        assert!(meanwhile.goes_on(HALF), "nobody waits");
        meanwhile.forget_keys();
        meanwhile.begin(false);
        assert!(meanwhile.goes_on(HALF), "it was pressed before");
        meanwhile.end();
        screen.pressed.set(true);
        meanwhile.begin(false);
        assert!(!meanwhile.goes_on(HALF) && !meanwhile.goes_on(HALF));
        assert!(meanwhile.has_stopped());
        meanwhile.end();
        meanwhile.begin(false);
        assert!(meanwhile.goes_on(HALF) && !meanwhile.has_stopped());
    }
}
