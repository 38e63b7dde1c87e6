//! Clients and their connections, which know each other: the ring of `--leak cycle`. Touches nothing but its own memory.
//!
//! A client lists its connections, and each connection says whose it is. Both are `Arc`s, so neither is ever freed by
//! itself: whoever ends a visit must call [`Client::disconnect`]. `--leak cycle` is the server in which nobody does.
//! Were [`Connection::client`] a `Weak`, nobody would have to.

use crate::combined::Entry;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests that a connection is kept alive for.
const REQUESTS_A_CONNECTION: u32 = 100;

/// Somebody who looks at the site.
#[derive(Debug)]
pub(crate) struct Client {
    address: Arc<str>,
    connections: Mutex<Vec<Arc<Connection>>>,
}

/// A connection as the log lets one guess it: requests of one client in one protocol.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Arc<Client>,
    protocol: Protocol,
    requests: AtomicU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
    Other,
}

impl Protocol {
    fn of(entry: &Entry<'_>) -> Self {
        match entry.request.rsplit_once(" HTTP/") {
            Some((_, version)) if version.starts_with('1') => Protocol::Http1,
            Some((_, version)) if version.starts_with('2') => Protocol::Http2,
            _ => Protocol::Other,
        }
    }
}

impl Client {
    /// Without a connection.
    pub(crate) fn new(address: Arc<str>) -> Arc<Self> {
        Arc::new(Client {
            address,
            connections: Mutex::default(),
        })
    }

    /// Adds a request to the connection that it came by, or opens one.
    pub(crate) fn request(self: &Arc<Self>, entry: &Entry<'_>) {
        let protocol = Protocol::of(entry);
        let mut connections = self.connections();
        let alive = |open: &Arc<Connection>| open.protocol == protocol && open.is_alive();
        let open = match connections.iter().find(|open| alive(open)) {
            Some(open) => Arc::clone(open),
            None => self.connect(protocol, &mut connections),
        };
        open.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens a connection in the place of the one that it follows.
    fn connect(
        self: &Arc<Self>,
        protocol: Protocol,
        connections: &mut Vec<Arc<Connection>>,
    ) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            client: Arc::clone(self),
            protocol,
            requests: AtomicU32::new(0),
        });
        connections.retain(|open| open.protocol != protocol);
        connections.push(Arc::clone(&connection));
        connection
    }

    /// Closes the connections, and with them opens the ring.
    pub(crate) fn disconnect(&self) {
        self.connections().clear();
    }

    /// The connection used most.
    pub(crate) fn busiest(&self) -> Option<Arc<Connection>> {
        let connections = self.connections();
        connections
            .iter()
            .max_by_key(|open| open.requests())
            .cloned()
    }

    /// Who else holds its address, itself included.
    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.address)
    }

    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    fn is_alive(&self) -> bool {
        self.requests() < REQUESTS_A_CONNECTION
    }
}

/// The connection in a few words, for the log.
impl fmt::Display for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests();
        write!(
            out,
            "{requests} by one connection of {}",
            self.client.address
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combined::parse;

    const LINE: &str = r#"h - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 7 "-" "-""#;

    fn client(requests: u32) -> Arc<Client> {
        let entry = parse(LINE.as_bytes()).unwrap();
        let client = Client::new(entry.client.into());
        for _ in 0..requests {
            client.request(&entry);
        }
        client
    }

    #[test]
    fn a_client_that_nobody_disconnects_is_never_freed() {
        let kept = client(3);
        let weak = Arc::downgrade(&kept);
        drop(kept);
        let ring = weak.upgrade().expect("the ring holds it");
        ring.disconnect();
        drop(ring);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn connections_are_as_many_as_protocols_however_long_a_visit_lasts() {
        let client = client(10 * REQUESTS_A_CONNECTION + 1);
        let other = LINE.replace("HTTP/1.1", "HTTP/2.0");
        client.request(&parse(other.as_bytes()).unwrap());
        assert_eq!(client.connections().len(), 2);
        let busiest = client.busiest().map(|open| open.to_string());
        assert_eq!(busiest.as_deref(), Some("1 by one connection of h"));
        client.disconnect();
        assert!(client.busiest().is_none());
        assert_eq!(Arc::strong_count(&client), 1);
    }
}
