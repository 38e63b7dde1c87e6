//! What to say of a visit that could not be begun: the box that `--leak forget` loses. Touches the log.
//!
//! A [`Trouble`] is a guard: made before the work, it reports the work as failed when it is dropped, unless it was
//! disarmed. Disarming it with [`std::mem::forget`] looks right, since then nothing is reported; but then nothing of it is
//! freed either. `--leak forget` is the server that does so.

use crate::combined::Entry;
use std::sync::Arc;
use std::time::Instant;

/// Reports a failure when dropped, unless disarmed.
#[derive(Debug)]
pub(crate) struct Trouble {
    report: Option<Box<FailureReport>>,
}

/// What would be reported.
#[derive(Debug)]
struct FailureReport {
    client: Arc<str>,
    /// Seconds since 1970-01-01 UTC, by the log's clock.
    at: i64,
    bytes: u64,
    status: u16,
    /// When the work began.
    began: Instant,
}

impl Trouble {
    /// Armed.
    pub(crate) fn expected(client: &Arc<str>, entry: &Entry<'_>) -> Self {
        let report = FailureReport {
            client: Arc::clone(client),
            at: entry.at,
            bytes: entry.bytes,
            status: entry.status,
            began: Instant::now(),
        };
        Trouble {
            report: Some(Box::new(report)),
        }
    }

    /// The work is done, and nothing is reported.
    pub(crate) fn disarm(mut self) {
        self.report = None;
    }

    /// The same, with the mistake in it.
    #[expect(
        clippy::mem_forget,
        reason = "it is the leak: the guard's destructor does not run, and its box is lost"
    )]
    pub(crate) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        if let Some(report) = self.report.take() {
            let took = report.began.elapsed();
            let FailureReport {
                client,
                at,
                bytes,
                status,
                ..
            } = &*report;
            tracing::warn!(
                ?client,
                at,
                bytes,
                status,
                ?took,
                "this visit could not be begun"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 7 "-" "-""#;

    #[test]
    fn a_forgotten_guard_keeps_what_it_holds_and_a_disarmed_one_does_not() {
        let entry = parse(LINE.as_bytes()).unwrap();
        let client: Arc<str> = entry.client.into();
        for _ in 0..10 {
            Trouble::expected(&client, &entry).disarm();
        }
        assert_eq!(Arc::strong_count(&client), 1);
        for _ in 0..10 {
            Trouble::expected(&client, &entry).forget();
        }
        assert_eq!(Arc::strong_count(&client), 11);
    }
}
