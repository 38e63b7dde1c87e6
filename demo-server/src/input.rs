//! Where lines come from: a stream of our own, a file or standard input, TCP clients. Touches files and sockets.
//!
//! Every source ends when nobody takes its lines any more. None of them lives by a deadline: a
//! server that was frozen for minutes goes on where it stood.

use crate::follow::follow;
use crate::generate::Generator;
use crate::lines::{Assembler, Line};
use crate::options::Source;
use socket2::{SockRef, TcpKeepalive};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{error, info, warn};

/// Bytes read at once.
const CHUNK: usize = 8 * 1024;

/// Clients served at once; the next one waits in the listener's queue.
const MAX_CLIENTS: usize = 900;

/// How often the generated stream gives lines.
const BEAT: Duration = Duration::from_millis(10);

/// A client that is silent for so long is asked by the kernel whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Starts the source. An error means that it has no first line to give.
pub(crate) async fn start(source: &Source, lines: Sender<Line>) -> io::Result<()> {
    match source {
        Source::Generated { rate } => {
            tokio::spawn(generate(*rate, lines));
        }
        Source::Stdin => spawn_reader(io::stdin(), lines)?,
        Source::File(path) => spawn_reader(open(path)?, lines)?,
        Source::Follow(path) => {
            let path = path.clone();
            in_a_thread(move || follow(path, &lines))?;
        }
        Source::Listen(address) => {
            let listener = TcpListener::bind(address).await?;
            info!("listening on {}", listener.local_addr()?);
            tokio::spawn(listen(listener, lines));
        }
    }
    Ok(())
}

/// Gives `rate` lines a second. Beats missed while the process stood still are not made up for.
async fn generate(rate: u32, lines: Sender<Line>) {
    let mut generator = Generator::new();
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let beats_a_second = 1000 / BEAT.subsec_millis();
    let mut due = 0;
    loop {
        beat.tick().await;
        due += rate;
        while due >= beats_a_second {
            due -= beats_a_second;
            let line = generator.line(now()).into_bytes();
            if lines.send(Line::Text(line)).await.is_err() {
                return;
            }
        }
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs().cast_signed())
}

fn open(path: &std::path::Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

/// A thread for what can only be read by waiting. It is left behind when the server ends while it
/// waits for standard input.
fn spawn_reader(from: impl Read + Send + 'static, lines: Sender<Line>) -> io::Result<()> {
    in_a_thread(move || read(from, &lines))
}

fn in_a_thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("input".to_owned());
    thread.spawn(work).map(drop)
}

fn read(mut from: impl Read, lines: &Sender<Line>) {
    let mut assembler = Assembler::default();
    let mut chunk = vec![0; CHUNK];
    let mut wanted = true;
    while wanted {
        match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => assembler.feed(&chunk[..length], |line| {
                wanted = wanted && lines.blocking_send(line).is_ok();
            }),
            // A stop of all threads, by a signal, may interrupt a read.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                error!("reading stopped: {error}");
                break;
            }
        }
    }
    if let Some(line) = assembler.finish() {
        // Nobody takes it when the server is ending.
        let _ = lines.blocking_send(line);
    }
}

/// Serves each client that comes, at most [`MAX_CLIENTS`] at once.
async fn listen(listener: TcpListener, lines: Sender<Line>) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (client, address) = accept(&listener).await;
        let lines = lines.clone();
        tokio::spawn(async move {
            serve(client, address, lines).await;
            drop(place);
        });
    }
}

/// The next client. No failure ends the listener: most pass (too many open files, a client gone).
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                warn!("cannot accept a client: {error}");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Takes one client's lines until it closes, vanishes, or the server ends.
async fn serve(client: TcpStream, address: SocketAddr, lines: Sender<Line>) {
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE);
    if let Err(error) = SockRef::from(&client).set_tcp_keepalive(&keep_alive) {
        warn!(%address, "cannot tell when this client vanishes: {error}");
    }
    if let Err(error) = read_client(client, &lines).await {
        info!(%address, "client lost: {error}");
    }
}

async fn read_client(mut client: impl AsyncRead + Unpin, lines: &Sender<Line>) -> io::Result<()> {
    let mut assembler = Assembler::default();
    let mut chunk = vec![0; CHUNK];
    let mut ready = Vec::new();
    let ended = loop {
        match client.read(&mut chunk).await {
            Ok(0) => break Ok(()),
            Ok(length) => assembler.feed(&chunk[..length], |line| ready.push(line)),
            Err(error) => break Err(error),
        }
        for line in ready.drain(..) {
            if lines.send(line).await.is_err() {
                return Ok(());
            }
        }
    };
    if let Some(line) = assembler.finish() {
        // Nobody takes it when the server is ending.
        let _ = lines.send(line).await;
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use tokio::sync::mpsc;

    /// Gives its parts one at a time; `None` is an interruption.
    struct Parts(VecDeque<Option<&'static [u8]>>);

    impl Read for Parts {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.pop_front() {
                Some(Some(part)) => {
                    buffer[..part.len()].copy_from_slice(part);
                    Ok(part.len())
                }
                Some(None) => Err(ErrorKind::Interrupted.into()),
                None => Ok(0),
            }
        }
    }

    fn text(line: &str) -> Line {
        Line::Text(line.into())
    }

    #[test]
    fn an_interruption_ends_no_stream() {
        let parts = [Some(&b"one\ntw"[..]), None, Some(b"o\nthr"), None];
        let (sender, mut lines) = mpsc::channel(8);
        read(Parts(parts.into()), &sender);
        drop(sender);
        let read: Vec<Line> = std::iter::from_fn(|| lines.blocking_recv()).collect();
        assert_eq!(read, [text("one"), text("two"), text("thr")]);
    }

    #[test]
    fn a_reader_ends_when_nobody_takes_its_lines() {
        let (sender, lines) = mpsc::channel(1);
        drop(lines);
        read(io::repeat(b'\n'), &sender);
    }

    #[tokio::test]
    async fn clients_send_side_by_side_and_one_is_cut_off() {
        let (sender, mut lines) = mpsc::channel(8);
        let one = read_client(&b"a\nb\n"[..], &sender);
        let other = read_client(&b"c\ncut of"[..], &sender);
        let (one, other) = tokio::join!(one, other);
        one.and(other).unwrap();
        drop(sender);
        let mut read = Vec::new();
        while let Some(line) = lines.recv().await {
            read.push(line);
        }
        assert_eq!(read, [text("a"), text("b"), text("c"), text("cut of")]);
    }

    #[test]
    fn a_directory_is_no_log() {
        let error = open(&std::env::temp_dir()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }
}
