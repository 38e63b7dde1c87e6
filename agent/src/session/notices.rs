//! What the agent could not do as it was asked to. It is said twice: at once in the program's log, and at every look in
//! `info` and on the first screen.

use std::sync::{Mutex, PoisonError};

use crate::track::arena;

/// At most so many are kept; a program that goes on making them has been told.
const MOST: usize = 16;
/// Bytes of each that are kept. The log has had it whole.
const LONGEST: usize = 500;

static NOTICES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Says a line in the log, which is the program's code, and keeps it: on the program's own threads only.
pub(super) fn say(line: String) {
    let _untracked = arena::untracked();
    tracing::warn!(target: "sigheap", "{line}");
    keep(line);
}

/// Keeps a line for the looks to come, and says nothing.
pub(super) fn keep(mut line: String) {
    if line.len() > LONGEST {
        line.truncate(cut(&line, LONGEST).len());
        line.push('…');
    }
    let mut notices = NOTICES.lock().unwrap_or_else(PoisonError::into_inner);
    if notices.len() < MOST && !notices.contains(&line) {
        notices.push(line);
    }
}

/// All of them. Takes a lock that the program's threads take: only before they are stopped.
pub(super) fn all() -> Vec<String> {
    let notices = NOTICES.lock().unwrap_or_else(PoisonError::into_inner);
    notices.clone()
}

/// The beginning of a text, of so many bytes at the most.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_any_length_is_kept_short() {
        keep("é".repeat(1 << 20));
        let kept = all();
        assert!(kept.iter().any(|line| line.ends_with("éé…")));
        assert!(kept.iter().all(|line| line.len() < LONGEST + 4));
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 9), "aé");
    }
}
