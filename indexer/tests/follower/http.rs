//! A small HTTP server for tests: one request after the other on a connection.

use std::{future::Future, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::Url;

/// What is answered; `None` hangs up.
pub(crate) type Answer = Option<Reply>;

/// An answer.
pub(crate) struct Reply {
    status: u16,
    body: Vec<u8>,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), retry_after: None }
    }

    pub(crate) fn busy(seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(429, "slow down") }
    }
}

/// A running server; it ends with this.
pub(crate) struct Server {
    pub(crate) url: Url,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request's body by `handler`.
    pub(crate) async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Vec<u8>) -> F + Send + Sync + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let handler = Arc::new(handler);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = handler.clone();
                tokio::spawn(async move {
                    let _ = converse(stream, handler).await;
                });
            }
        });
        Self { url: format!("http://{address}").parse().unwrap(), task }
    }

    /// A node that has nothing.
    pub(crate) async fn empty_node() -> Self {
        Self::start(|_| async { Some(Reply::new(404, "not found")) }).await
    }
}

async fn converse<H, F>(stream: TcpStream, handler: Arc<H>) -> std::io::Result<()>
where
    H: Fn(Vec<u8>) -> F,
    F: Future<Output = Answer>,
{
    // Head and body are written apart.
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let Some(length) = content_length(&mut stream).await? else {
            return Ok(());
        };
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let Some(Reply { status, body, retry_after }) = handler(body).await else {
            return Ok(());
        };
        let wait = retry_after.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{wait}Content-Length: {}\r\n\r\n",
            body.len()
        );
        // In one piece: the second would wait until the other side has confirmed the first.
        stream.write_all(&[head.into_bytes(), body].concat()).await?;
        stream.flush().await?;
    }
}

/// Reads a request's head; `None` where the other side is done.
async fn content_length(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<usize>> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let lower = line.trim().to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if lower.is_empty() {
            return Ok(Some(length));
        }
    }
}
