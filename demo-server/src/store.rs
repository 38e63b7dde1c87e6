//! Rows into SQLite. Touches the database's file, through `rusqlite`, and is called on one thread.
//!
//! Rows are staged in a database in memory, attached to the one on disk, and one transaction moves
//! them over. Whatever keeps the disk from taking them (it is full, another program holds the
//! lock) rolls that transaction back, and the rows are still staged for the next try. A transaction
//! left open on disk would lose them, and would lock other writers out for as long as it lasts.

use crate::combined::Entry;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Rows staged at most, about 200 bytes each; those that come while there is no room are dropped.
pub(crate) const MAX_STAGED: u64 = 200_000;

/// How long a commit waits for another program's lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

const COLUMNS: &str = "(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, client TEXT NOT NULL, \
    user TEXT, request TEXT NOT NULL, status INTEGER NOT NULL, bytes INTEGER NOT NULL, \
    referer TEXT, agent TEXT, visit INTEGER NOT NULL)";

const STAGE: &str = "INSERT INTO staged.requests \
    (at, client, user, request, status, bytes, referer, agent, visit) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const MOVE: &str = "INSERT INTO main.requests \
    (at, client, user, request, status, bytes, referer, agent, visit) \
    SELECT at, client, user, request, status, bytes, referer, agent, visit \
    FROM staged.requests ORDER BY id";

/// A line, as stored.
#[derive(Debug)]
pub(crate) struct Row {
    /// Seconds since 1970-01-01 UTC.
    at: i64,
    client: String,
    user: Option<String>,
    request: String,
    status: u16,
    /// SQLite's integers have a sign; what is over them is cut.
    bytes: i64,
    referer: Option<String>,
    agent: Option<String>,
    /// The visit's number in this run.
    visit: u64,
}

impl Row {
    /// The row of an entry and its visit.
    pub(crate) fn new(entry: Entry<'_>, visit: u64) -> Self {
        Row {
            at: entry.at,
            client: entry.client.to_owned(),
            user: entry.user.map(str::to_owned),
            request: entry.request.into_owned(),
            status: entry.status,
            bytes: i64::try_from(entry.bytes).unwrap_or(i64::MAX),
            referer: entry.referer.map(Into::into),
            agent: entry.agent.map(Into::into),
            visit,
        }
    }
}

/// The database, with what it has and has not taken yet.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    /// Rows that wait for the next commit, at most `room`.
    staged: u64,
    room: u64,
    committed: u64,
    dropped: u64,
}

impl Store {
    /// Opens or makes the database in `file`.
    pub(crate) fn open(file: &Path) -> Result<Self, StoreError> {
        // A name that begins with `file:` is a name, not a URI.
        let flags = OpenFlags::default() & !OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(file, flags)
            .and_then(prepare)
            .map_err(|source| StoreError::Open(file.to_owned(), source))?;
        Ok(Store {
            connection,
            staged: 0,
            room: MAX_STAGED,
            committed: 0,
            dropped: 0,
        })
    }

    /// Stages a row, or drops it where there is no room.
    pub(crate) fn add(&mut self, row: &Row) -> Result<(), StoreError> {
        if self.staged == self.room {
            self.dropped += 1;
            return Ok(());
        }
        self.stage(row).map_err(StoreError::Stage)?;
        self.staged += 1;
        Ok(())
    }

    fn stage(&self, row: &Row) -> rusqlite::Result<usize> {
        let values = rusqlite::params![
            row.at,
            row.client,
            row.user,
            row.request,
            row.status,
            row.bytes,
            row.referer,
            row.agent,
            row.visit.cast_signed(),
        ];
        self.connection.prepare_cached(STAGE)?.execute(values)
    }

    /// Moves the staged rows to the disk in one transaction; returns how many. They stay staged where it fails.
    pub(crate) fn commit(&mut self) -> Result<u64, StoreError> {
        if self.staged > 0 {
            self.move_staged().map_err(StoreError::Commit)?;
        }
        let added = std::mem::take(&mut self.staged);
        self.committed += added;
        Ok(added)
    }

    fn move_staged(&mut self) -> rusqlite::Result<()> {
        let immediate = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(immediate)?;
        transaction.execute(MOVE, ())?;
        transaction.execute("DELETE FROM staged.requests", ())?;
        transaction.commit()
    }

    /// Rows that wait for the next commit.
    pub(crate) fn staged(&self) -> u64 {
        self.staged
    }

    /// Rows committed since the store was opened.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Rows dropped since the store was opened.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(LOCK_PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS main.requests {COLUMNS}; \
         ATTACH ':memory:' AS staged; \
         CREATE TABLE staged.requests {COLUMNS};"
    ))?;
    connection.prepare(MOVE)?;
    Ok(connection)
}

/// What the database refused.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// To be opened, or it is not ours.
    Open(PathBuf, rusqlite::Error),
    /// To stage a row.
    Stage(rusqlite::Error),
    /// To commit; the rows are kept.
    Commit(rusqlite::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Open(file, _) => write!(out, "cannot use the database {}", file.display()),
            StoreError::Stage(_) => out.write_str("cannot stage a row"),
            StoreError::Commit(_) => out.write_str("cannot commit"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StoreError::Open(_, source)
            | StoreError::Stage(source)
            | StoreError::Commit(source) => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    const LINE: &str = r#"h - u [10/Oct/2000:13:55:36 +0000] "GET /a HTTP/1.1" 200 7 "-" "curl""#;

    /// A file that goes when the test does.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let name = format!("demo-server-{}-{test}.sqlite", std::process::id());
            Scratch(std::env::temp_dir().join(name))
        }

        fn count(&self) -> u32 {
            let reader = Connection::open(&self.0).unwrap();
            let sql = "SELECT count(*) FROM requests";
            reader.query_row(sql, (), |row| row.get(0)).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            for end in ["", "-wal", "-shm"] {
                let mut name = self.0.clone().into_os_string();
                name.push(end);
                let _ = std::fs::remove_file(name);
            }
        }
    }

    fn row(visit: u64) -> Row {
        Row::new(parse(LINE.as_bytes()).unwrap(), visit)
    }

    fn add(store: &mut Store, rows: u64) {
        for visit in 0..rows {
            store.add(&row(visit)).unwrap();
        }
    }

    #[test]
    fn rows_reach_the_disk_at_the_commit_and_once() {
        let scratch = Scratch::new("commit");
        let mut store = Store::open(&scratch.0).unwrap();
        add(&mut store, 100);
        assert_eq!(scratch.count(), 0);
        assert_eq!(store.commit().unwrap(), 100);
        assert_eq!(store.commit().unwrap(), 0);
        add(&mut store, 5);
        assert_eq!(store.commit().unwrap(), 5);
        assert_eq!((scratch.count(), store.committed()), (105, 105));
    }

    #[test]
    fn rows_of_an_earlier_run_stay() {
        let scratch = Scratch::new("reopen");
        for _ in 0..2 {
            let mut store = Store::open(&scratch.0).unwrap();
            add(&mut store, 10);
            store.commit().unwrap();
        }
        assert_eq!(scratch.count(), 20);
    }

    #[test]
    fn a_row_is_stored_field_by_field() {
        let scratch = Scratch::new("fields");
        let mut store = Store::open(&scratch.0).unwrap();
        store.add(&row(9)).unwrap();
        store.commit().unwrap();
        let sql = "SELECT at || client || user || request || status || bytes \
            || ifnull(referer, '-') || agent || visit FROM requests";
        let text: String = store
            .connection
            .query_row(sql, (), |row| row.get(0))
            .unwrap();
        assert_eq!(text, "971186136huGET /a HTTP/1.12007-curl9");
    }

    #[test]
    fn a_full_disk_keeps_the_rows_for_the_next_try() {
        let scratch = Scratch::new("full");
        let mut store = Store::open(&scratch.0).unwrap();
        add(&mut store, 10);
        store.commit().unwrap();
        store
            .connection
            .pragma_update(Some("main"), "max_page_count", 3)
            .unwrap();
        add(&mut store, 5000);
        let error = store.commit().unwrap_err();
        assert!(
            error.source().unwrap().to_string().contains("full"),
            "{error:?}"
        );
        assert_eq!((store.staged(), scratch.count()), (5000, 10));
        store
            .connection
            .pragma_update(Some("main"), "max_page_count", 1_000_000)
            .unwrap();
        assert_eq!(store.commit().unwrap(), 5000);
        assert_eq!(scratch.count(), 5010);
    }

    #[test]
    fn another_program_s_lock_keeps_the_rows_for_the_next_try() {
        let scratch = Scratch::new("locked");
        let mut store = Store::open(&scratch.0).unwrap();
        store.connection.busy_timeout(Duration::ZERO).unwrap();
        add(&mut store, 10);
        let other = Connection::open(&scratch.0).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.commit().unwrap_err();
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(store.commit().unwrap(), 10);
    }

    #[test]
    fn rows_without_room_are_dropped_and_counted() {
        let scratch = Scratch::new("room");
        let mut store = Store::open(&scratch.0).unwrap();
        store.room = 10;
        add(&mut store, 15);
        assert_eq!((store.staged(), store.dropped()), (10, 5));
        store.commit().unwrap();
        add(&mut store, 1);
        assert_eq!((store.staged(), store.dropped()), (1, 5));
    }

    #[test]
    fn a_file_that_is_no_database_of_ours_is_refused() {
        let scratch = Scratch::new("foreign");
        std::fs::write(
            &scratch.0,
            "no database, and long enough to tell that it is none",
        )
        .unwrap();
        assert!(matches!(Store::open(&scratch.0), Err(StoreError::Open(..))));
        std::fs::remove_file(&scratch.0).unwrap();
        let other = Connection::open(&scratch.0).unwrap();
        other.execute_batch("CREATE TABLE requests (a)").unwrap();
        assert!(matches!(Store::open(&scratch.0), Err(StoreError::Open(..))));
    }
}
