//! No time that a server takes is without a bound.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use everhold_net::{FetchError, Fetcher, Limits, RequestBody, Resolver, Retry, Url};
use futures::{StreamExt, future, future::BoxFuture, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::server::{PRIVATE, Server, for_nodes, ok, quick};

/// A server that says `start`, then `again` at every beat.
async fn dripping(start: &'static str, again: &'static str, beat: u64) -> Server {
    Server::start(PRIVATE, move |_, mut stream: TcpStream| async move {
        let _ = stream.write_all(start.as_bytes()).await;
        while stream.write_all(again.as_bytes()).await.is_ok() {
            sleep(Duration::from_millis(beat)).await;
        }
    })
    .await
}

/// A server that takes a request and says nothing.
async fn silent() -> Server {
    Server::start(PRIVATE, |_, stream: TcpStream| async move {
        let _held = stream;
        future::pending().await
    })
    .await
}

async fn fetch(server: &Server, limits: Limits) -> Result<Bytes, FetchError> {
    for_nodes(limits, &[server]).get(server.url("/")).open().await?.collect().await
}

#[tokio::test]
async fn silence_after_the_connection() {
    let server = silent().await;
    let begun = Instant::now();
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
    assert_eq!(error.to_string(), format!("{}: no byte came for 400ms", server.address));
    // The time for connecting is not added to it.
    assert!(begun.elapsed() < quick().connect, "{:?}", begun.elapsed());
    assert_eq!(error.retry(), Retry::Later);
}

#[tokio::test]
async fn head_that_drips() {
    let server = dripping("HTTP/1.1 200 OK\r\nX: ", "x", 20).await;
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

#[tokio::test]
async fn interim_answers_without_end() {
    for beat in [0, 20] {
        let server = dripping("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", beat).await;
        let error = fetch(&server, quick()).await.unwrap_err();
        assert!(matches!(error, FetchError::Idle { .. }), "{error}");
    }
}

#[tokio::test]
async fn body_that_stops() {
    let server = dripping("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "", 50).await;
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

#[tokio::test]
async fn body_that_drips() {
    let server = dripping("HTTP/1.1 200 OK\r\n\r\n", "x", 50).await;
    let begun = Instant::now();
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error}");
    assert!(begun.elapsed() < quick().total, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn chunk_lengths_that_drip() {
    let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n1;";
    let server = dripping(start, "x", 50).await;
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

#[tokio::test]
async fn trailers_that_drip() {
    let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
    let server = dripping(start, "X: x\r\n", 50).await;
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

#[tokio::test]
async fn body_that_takes_too_long_at_a_good_pace() {
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[0; 1000]).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let limits = Limits { total: Duration::from_millis(1200), ..quick() };
    let error = fetch(&server, limits).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooSlow { after, .. } if after == Duration::from_millis(1200)),
        "{error}"
    );
}

/// Bytes that are always there are no reason to go on for ever.
#[tokio::test]
async fn body_that_takes_too_long_at_full_speed() {
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[0; 65536]).await.is_ok() {}
    })
    .await;
    let limits = Limits { total: Duration::from_millis(500), max_content: u64::MAX, ..quick() };
    let error = fetch_discarding(&server, limits).await.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error}");
}

async fn fetch_discarding(server: &Server, limits: Limits) -> Result<(), FetchError> {
    let mut body = for_nodes(limits, &[server]).get(server.url("/")).open().await?;
    let give_up = Instant::now() + Duration::from_secs(5);
    while body.chunk().await?.is_some() {
        assert!(Instant::now() < give_up, "it goes on");
    }
    Ok(())
}

#[tokio::test]
async fn encoded_body_that_drips() {
    let start = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f";
    // What follows is no gzip; but nobody waits for it.
    let server = dripping(start, "", 50).await;
    let error = fetch(&server, quick()).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

struct Silent;

impl Resolver for Silent {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(future::pending())
    }
}

#[tokio::test]
async fn connection_that_is_never_made() {
    let fetcher = Fetcher::builder(quick()).resolver(Silent).build().unwrap();
    let begun = Instant::now();
    let url = Url::parse("http://example.com/").unwrap();
    let error = fetcher.get(url).open().await.unwrap_err();
    // Connecting takes longer than the first byte may: its own time runs first.
    assert!(begun.elapsed() >= quick().connect, "{:?}", begun.elapsed());
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
    assert!(error.to_string().contains("it took too long"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let server = Server::answering(PRIVATE, "").await;
    let (fetcher, url) = (for_nodes(quick(), &[&server]), server.url("/"));
    drop(server);
    sleep(Duration::from_millis(50)).await;
    let error = fetcher.get(url).open().await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
    assert!(!error.answered());
}

#[tokio::test]
async fn server_that_takes_no_upload() {
    let server = silent().await;
    let fetcher = for_nodes(quick(), &[&server]);
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 65536])));
    let request = fetcher.post(server.url("/")).body(RequestBody::wrap_stream(endless));
    let error = request.ask_within(Duration::from_millis(600)).await.unwrap_err();
    assert!(matches!(error, FetchError::Idle { .. }), "{error}");
}

#[tokio::test]
async fn patience_is_for_this_request_only() {
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        sleep(Duration::from_millis(900)).await;
        let _ = stream.write_all(&ok("", b"late")).await;
    })
    .await;
    let fetcher = for_nodes(quick(), &[&server]);
    let asked = fetcher.get(server.url("/")).ask_within(Duration::from_secs(3)).await.unwrap();
    assert_eq!(asked, (200, Bytes::from_static(b"late")));
    assert!(fetcher.get(server.url("/")).ask().await.is_err());
}

#[tokio::test]
async fn stream_and_reader_give_the_same_bytes() {
    let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let server = Server::answering(PRIVATE, ok("", &body)).await;
    let fetcher = for_nodes(quick(), &[&server]);
    let mut read = Vec::new();
    let opened = fetcher.get(server.url("/")).open().await.unwrap();
    opened.into_reader().read_to_end(&mut read).await.unwrap();
    assert_eq!(read, body);
    let opened = fetcher.get(server.url("/")).open().await.unwrap();
    let chunks: Vec<_> = opened.into_stream().map(Result::unwrap).collect().await;
    assert_eq!(chunks.concat(), body);
}
