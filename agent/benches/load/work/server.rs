//! What a server does: JSON, a cache, a database, a network.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::thread;

use lru::LruCache;
use rusqlite::Connection;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Dice;

/// One line of a client's.
fn line(dice: &mut Dice) -> String {
    let user = dice.roll(5_000);
    let items: Vec<String> = (0..1 + dice.roll(6))
        .map(|_| {
            format!(
                r#"{{"sku":"item-{}","count":{},"price":{}.5}}"#,
                dice.roll(900),
                dice.roll(9),
                dice.roll(100)
            )
        })
        .collect();
    format!(
        r#"{{"user":"user-{user}","session":"{:016x}","tags":["a","tag-{}"],"items":[{}]}}"#,
        dice.roll(1 << 40),
        dice.roll(20),
        items.join(",")
    )
}

/// What becomes of it.
struct Order {
    user: String,
    items: Vec<Item>,
    tags: BTreeMap<String, usize>,
}

struct Item {
    sku: String,
    count: u64,
    price: f64,
}

impl Order {
    fn read(line: &str) -> Option<Order> {
        let value: Value = serde_json::from_str(line).ok()?;
        let item = |item: &Value| {
            Some(Item {
                sku: item["sku"].as_str()?.to_owned(),
                count: item["count"].as_u64()?,
                price: item["price"].as_f64()?,
            })
        };
        let tags = value["tags"].as_array()?.iter().enumerate();
        Some(Order {
            user: value["user"].as_str()?.to_owned(),
            items: value["items"].as_array()?.iter().filter_map(item).collect(),
            tags: tags
                .filter_map(|(at, tag)| Some((tag.as_str()?.to_owned(), at)))
                .collect(),
        })
    }

    fn total(&self) -> f64 {
        let each = self.items.iter();
        each.map(|item| item.count as f64 * item.price + item.sku.len() as f64)
            .sum()
    }
}

/// Two threads, each with a cache and a database of its own.
pub(super) fn lines() {
    let threads = [1, 2].map(|seed| thread::spawn(move || serve(seed)));
    for thread in threads {
        assert!(matches!(thread.join(), Ok(Ok(()))), "the database failed");
    }
}

fn serve(seed: u64) -> rusqlite::Result<()> {
    let mut dice = Dice::new(seed);
    let database = Connection::open_in_memory()?;
    database
        .execute_batch("create table orders (user text primary key, total real, items integer)")?;
    let mut cache: LruCache<String, Order> = LruCache::new(NonZeroUsize::MIN.saturating_add(1_999));
    for _ in 0..25_000 {
        let Some(order) = Order::read(&line(&mut dice)) else {
            continue;
        };
        let mut insert =
            database.prepare_cached("insert or replace into orders values (?1, ?2, ?3)")?;
        insert.execute((
            &order.user,
            order.total(),
            (order.items.len() + order.tags.len()) as i64,
        ))?;
        cache.put(order.user.clone(), order);
    }
    Ok(())
}

/// Clients send lines over loopback and wait for an answer to each.
pub(super) fn loopback() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let done = runtime.and_then(|runtime| runtime.block_on(clients()));
    assert!(done.is_ok(), "{done:?}");
}

async fn clients() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let client = |seed| tokio::spawn(ask(address, seed));
    for client in (0..8).map(client).collect::<Vec<_>>() {
        client.await.map_err(std::io::Error::other)??;
    }
    accepting.abort();
    Ok(())
}

async fn ask(address: std::net::SocketAddr, seed: u64) -> std::io::Result<()> {
    let mut dice = Dice::new(seed);
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let mut reply = String::new();
    for _ in 0..2_500 {
        let text = line(&mut dice) + "\n";
        stream.get_mut().write_all(text.as_bytes()).await?;
        reply.clear();
        stream.read_line(&mut reply).await?;
    }
    Ok(())
}

async fn answer(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut text = String::new();
        if stream.read_line(&mut text).await? == 0 {
            return Ok(());
        }
        let total = Order::read(&text).map_or(0.0, |order| order.total());
        stream
            .get_mut()
            .write_all(format!("{total}\n").as_bytes())
            .await?;
    }
}
