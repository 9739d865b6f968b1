//! Servers on loopback that send what a test says, byte by byte if it likes.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use everhold_net::{Builder, Fetcher, Limits, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Loopback, and no place for anything that is not configured.
pub(crate) const PRIVATE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Loopback, too, but taken for public by the fetchers of [`open`].
pub(crate) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A server that hands each request's head and connection to `handler`; the connection ends
    /// when that does.
    pub(crate) async fn start<F>(
        ip: IpAddr,
        handler: impl Fn(String, TcpStream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_on(ip, 0, handler).await
    }

    async fn start_on<F>(
        ip: IpAddr,
        port: u16,
        handler: impl Fn(String, TcpStream) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let handler = Arc::new(handler);
        let (seen, counted) = (heads.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (handler, seen) = (handler.clone(), seen.clone());
                tokio::spawn(async move {
                    let Some(head) = head(&mut stream).await else { return };
                    seen.lock().unwrap().push(head.clone());
                    let handling = handler(head, stream);
                    handling.await;
                });
            }
        });
        Self { address, heads, connections, task }
    }

    /// A server that answers everything with these bytes and hangs up.
    pub(crate) async fn answering(ip: IpAddr, answer: impl Into<Vec<u8>>) -> Self {
        Self::on(ip, 0, answer).await
    }

    /// The same on a port of its own.
    pub(crate) async fn on(ip: IpAddr, port: u16, answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::start_on(ip, port, move |_, mut stream| {
            let answer = answer.clone();
            async move {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                // Whoever hangs up on unread bytes resets the connection, and takes its answer back.
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        })
        .await
    }

    /// A server that says where to go.
    pub(crate) async fn redirecting(ip: IpAddr, status: u16, location: &str) -> Self {
        let head =
            format!("HTTP/1.1 {status} Moved\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n");
        Self::answering(ip, head).await
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// The heads of the requests that came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// A whole answer of status 200.
pub(crate) fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Limits that a test can wait for.
pub(crate) fn quick() -> Limits {
    Limits {
        connect: Duration::from_millis(1500),
        first_byte: Duration::from_millis(400),
        idle: Duration::from_millis(400),
        total: Duration::from_secs(5),
        slow_start: Duration::from_millis(500),
        max_content: 1 << 20,
        max_answer: 64 << 10,
        ..Limits::default()
    }
}

/// The same, for tests in which nothing is waited for: a busy machine may be slow.
pub(crate) fn unhurried() -> Limits {
    let long = Duration::from_secs(30);
    Limits { connect: long, first_byte: long, idle: long, total: 2 * long, ..quick() }
}

/// A fetcher for which the servers are configured.
pub(crate) fn for_nodes(limits: Limits, servers: &[&Server]) -> Fetcher {
    Fetcher::new(limits, servers.iter().map(|server| server.url("/"))).unwrap()
}

/// A fetcher that is to go to public servers.
pub(crate) fn open(limits: Limits) -> Builder {
    Fetcher::builder(limits).take_for_public(PUBLIC)
}
