//! Inputs that are hard on a server: logs that move, clients that vanish, a disk that is full.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use rusqlite::{Connection, OpenFlags};
use socket2::SockRef;

use crate::prompt::COMMITTED;
use crate::pty::{Launch, Program};
use crate::screen::eventually;

/// A good line, by its client's number.
fn line(client: u32) -> String {
    let [_, a, b, c] = client.to_be_bytes();
    format!(
        "10.{a}.{b}.{c} - - [10/Oct/2000:13:55:36 -0700] \"GET /page HTTP/1.1\" 200 2326 \"-\" \"curl\"\n"
    )
}

#[test]
fn a_log_that_grows_is_cut_back_and_rotated_is_followed() {
    let server = Launch::demo().with(["--follow", "access.log"]).start();
    let log = server.folder().join("access.log");
    let append = |path: &Path, text: &str| {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("the log can be written");
    };
    server.expect_after(0, "waiting for access.log");
    append(&log, &line(1));
    server.expect_after(0, "rows=1 ");
    let (begin, end) = (line(2), line(3));
    append(&log, &begin[..20]);
    append(&log, &format!("{}{end}", &begin[20..]));
    server.expect_after(0, "rows=3 lines=3 bad=0 ");
    fs::write(&log, line(4)).expect("it can be cut back");
    server.expect_after(0, "was cut back");
    server.expect_after(0, "rows=4 ");
    let old = server.folder().join("access.log.1");
    fs::rename(&log, &old).expect("it can be renamed");
    append(&old, &line(5));
    append(&log, &line(6));
    server.expect_after(0, "rows=6 lines=6 bad=0 ");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn clients_that_vanish_cost_their_line_alone() {
    let server = listening();
    let mut steady = server.connect();
    steady.write_all(line(1).as_bytes()).expect("it reads");
    for number in 0..20 {
        let mut client = server.connect();
        client
            .write_all(&line(100 + number).as_bytes()[..30])
            .expect("it reads");
        if number % 2 == 0 {
            // Gone with a reset instead of an orderly end.
            SockRef::from(&client)
                .set_linger(Some(Duration::ZERO))
                .expect("the socket is open");
        }
    }
    steady
        .write_all(line(2).as_bytes())
        .expect("it still reads");
    server.expect_after(0, "rows=2 lines=22 bad=20 ");
    server.press_ctrl_backslash();
    server.send("quit\r");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn slow_clients_and_one_that_never_ends_its_line_hold_up_nobody() {
    let server = listening();
    let mut endless = server.connect();
    // Far more than a line may have, and than the server's buffers.
    let flood = vec![b'x'; 1 << 20];
    for _ in 0..16 {
        endless.write_all(&flood).expect("it reads");
    }
    let mut slow = server.connect();
    for byte in line(1).as_bytes() {
        slow.write_all(&[*byte]).expect("it reads");
    }
    let idle: Vec<TcpStream> = (0..100).map(|_| server.connect()).collect();
    let mut quick = server.connect();
    quick.write_all(line(2).as_bytes()).expect("it reads");
    server.expect_after(0, "rows=2 lines=2 bad=0 ");
    server.press_ctrl_backslash();
    let top = server.json("top 1000");
    assert!(
        top["total"]["bytes"].as_u64() < Some(4 << 20),
        "the endless line is not kept: {top}"
    );
    server.resume("c\r");
    drop((endless, idle));
    server.expect_after(0, "rows=2 lines=3 bad=1 ");
}

#[test]
fn thousands_of_connections_are_served_a_line_each() {
    const ALL: u32 = 3000;
    let server = listening();
    let mut open = Vec::new();
    for number in 0..ALL {
        let mut client = server.connect();
        client
            .write_all(line(number).as_bytes())
            .expect("it is taken");
        open.push(client);
        // As many as a usual limit of open files allows the test itself.
        if open.len() == 400 {
            open.clear();
        }
    }
    drop(open);
    server.expect_after(0, &format!("rows={ALL} lines={ALL} bad=0 "));
    let database = server.folder().join("demo-server.sqlite");
    assert_eq!(rows_in(&database), u64::from(ALL));
}

#[test]
fn the_rows_that_the_log_says_were_committed_are_in_the_database() {
    let server = Launch::demo().start();
    server.is_serving();
    server.commits();
    let database = server.folder().join("demo-server.sqlite");
    // While it runs, since readers wait for nobody; what is said is there already.
    let said = server.said_rows();
    assert!(
        said > 0 && rows_in(&database) >= said,
        "{said} were said to be there"
    );
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(rows_in(&database), server.said_rows());
    let sql =
        "SELECT count(*) FROM requests WHERE client <> '' AND request LIKE 'GET /%' AND visit > 0";
    assert_eq!(asked(&database, sql), server.said_rows());
}

/// In a mount namespace of its own, which takes its disk with it when it ends.
const ON_A_SMALL_DISK: &str = "mkdir disk && mount -t tmpfs -o size=48m none disk && \
    head -c 47m /dev/zero > disk/ballast && exec \"$0\" --commit-every 200ms --db disk/x.sqlite";

#[test]
fn a_full_disk_is_said_once_and_loses_nothing() {
    let server = Launch::of(Path::new("unshare"))
        .with([
            "-m",
            "sh",
            "-c",
            ON_A_SMALL_DISK,
            env!("CARGO_BIN_EXE_demo-server"),
        ])
        .start();
    let began = server.watch.wait("start", |seen| {
        let refused = seen.text.contains("unshare:") || seen.text.contains("mount:");
        (refused || seen.text.contains(crate::prompt::READY)).then_some(!refused)
    });
    if !began {
        eprintln!("skipped: nobody may mount a disk here");
        return;
    }
    let full = server.expect_after(0, "cannot commit");
    // It serves meanwhile, and what cannot be stored is kept.
    let mut before = 0;
    eventually("visits without commits", || {
        server.press_ctrl_backslash();
        let count = server.json("count CacheEntity")["total"]["count"].as_u64();
        let resumed = server.written();
        server.send("c\r");
        server.expect_after(resumed, "the look is over");
        let now = count.expect("a count");
        let more = before > 0 && now > before;
        before = now;
        // Pressed again at once, the key leaves the server no time to serve.
        std::thread::sleep(std::time::Duration::from_millis(200));
        more
    });
    let before = server.written();
    let disk = format!(
        "/proc/{}/root{}/disk",
        server.pid,
        server.folder().display()
    );
    fs::remove_file(Path::new(&disk).join("ballast")).expect("the ballast goes");
    server.expect_after(before, "commits succeed again");
    server.expect_after(server.written(), COMMITTED);
    // Frozen, it changes nothing while the files are copied. SQLite itself would look for them in this test's mounts.
    server.press_ctrl_backslash();
    for file in ["x.sqlite", "x.sqlite-wal"] {
        let (from, to) = (Path::new(&disk).join(file), server.folder().join(file));
        fs::copy(from, to).expect("it can be copied");
    }
    let (said, there) = (
        server.said_rows(),
        rows_in(&server.folder().join("x.sqlite")),
    );
    assert!(
        said > 0 && there >= said,
        "{said} were said to be there, {there} are"
    );
    server.resume("c\r");
    let text = server.watch.seen().text.clone();
    assert_eq!(
        text[full - 20..].matches("cannot commit").count(),
        1,
        "{text}"
    );
    assert!(
        !text.contains("row lost") && !text.contains("are dropped"),
        "{text}"
    );
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().code(), Some(0));
    let text = server.watch.seen().text.clone();
    let last = text.lines().rfind(|line| line.contains(" committed rows="));
    let last = last.expect("the last commit is said");
    assert_eq!(number(last, "rows="), number(last, "lines="), "{last}");
    assert_eq!(number(last, "dropped="), Some(0), "{last}");
}

fn listening() -> Program {
    let server = Launch::demo().with(["--listen", "127.0.0.1:0"]).start();
    server.expect_after(0, crate::prompt::READY);
    server
}

impl Program {
    /// A connection to the port that the server says it listens at.
    fn connect(&self) -> TcpStream {
        let text = self.watch.seen().text.clone();
        let (_, rest) = text.split_once("listening on ").expect("it says where");
        let address: SocketAddr = rest
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .expect("an address");
        TcpStream::connect(address).expect("it listens")
    }

    /// Rows committed in this run, as the log last said.
    fn said_rows(&self) -> u64 {
        let seen = self.watch.seen();
        let mut lines = seen.text.lines().rev();
        lines
            .find_map(|line| number(line, " committed rows="))
            .unwrap_or(0)
    }
}

/// The number behind this word.
fn number(line: &str, word: &str) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    rest.split(' ').next()?.parse().ok()
}

fn rows_in(database: &Path) -> u64 {
    asked(database, "SELECT count(*) FROM requests")
}

fn asked(database: &Path, sql: &str) -> u64 {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let connection = connection.expect("it is a database");
    let rows: i64 = connection
        .query_row(sql, (), |row| row.get(0))
        .expect("it has the table");
    rows.unsigned_abs()
}
