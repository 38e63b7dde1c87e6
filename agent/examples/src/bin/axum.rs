//! A web server with axum that remembers every visitor.
//!
//! `cargo run -p sigheap-examples --bin axum`, call it (`curl localhost:3000/hello/you`), press Ctrl-\, type `continue`, call
//! it a few times more, and press Ctrl-\ again: `growth` tells that each call has left an `Arc<Visitor>`. While the prompt
//! is open, callers wait; `continue` serves them.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::net::TcpListener;

#[global_allocator]
static HEAP: sigheap::Heap = sigheap::Heap::system();

struct Visitor {
    name: String,
    came: SystemTime,
}

/// Nobody ever takes a visitor out of the book: that is the leak.
type Book = Arc<Mutex<Vec<Arc<Visitor>>>>;

fn main() -> std::io::Result<()> {
    // sigheap says through `tracing` what it cannot do.
    tracing_subscriber::fmt().init();
    // Before the runtime starts its threads.
    sigheap::install();
    tokio::runtime::Runtime::new()?.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!(
        "http://{} is up. Press Ctrl-\\ to look into the heap.",
        listener.local_addr()?
    );
    let app = Router::new()
        .route("/hello/{name}", get(hello))
        .with_state(Book::default());
    axum::serve(listener, app).await
}

async fn hello(State(book): State<Book>, Path(name): Path<String>) -> String {
    let visitor = Arc::new(Visitor {
        name,
        came: SystemTime::now(),
    });
    let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
    book.push(Arc::clone(&visitor));
    let since = book[0].came.elapsed().unwrap_or_default();
    format!(
        "Hello {}, number {} in {since:?}\n",
        visitor.name,
        book.len()
    )
}
