//! WebSockets: only to what is configured, and bounded.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use everhold_net::{FetchError, Fetcher, Limits, Refusal, Taken, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

const LIMIT: u64 = 1000;

/// A server that does `work` with its first connection.
async fn serve<F>(work: impl FnOnce(TcpStream) -> F + Send + 'static) -> Url
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v2/key", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        work(stream).await;
    });
    Url::parse(&url).unwrap()
}

fn fetcher(url: &Url) -> Fetcher {
    let second = Duration::from_secs(1);
    let limits = Limits { connect: second, first_byte: second, ..Limits::default() };
    Fetcher::new(limits, [url.clone()]).unwrap()
}

#[tokio::test]
async fn messages_go_both_ways() {
    use futures::{SinkExt, StreamExt};
    let url = serve(|stream| async move {
        let mut socket = accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let url = url.await;
    let mut socket = fetcher(&url).socket(&url, LIMIT).await.unwrap();
    assert!(!format!("{socket:?}").contains("key"));
    socket.send("hello".to_owned()).await.unwrap();
    assert_eq!(socket.take().await.unwrap(), Taken::Message("hello".into()));
    socket.ping().await.unwrap();
    assert_eq!(socket.take().await.unwrap(), Taken::Alive);
}

#[tokio::test]
async fn what_is_not_configured_is_not_connected_to() {
    let url = Url::parse("ws://127.0.0.1:4024/").unwrap();
    let other = Url::parse("ws://127.0.0.1:10/").unwrap();
    let refused = |error| match error {
        FetchError::Refused { why, .. } => why,
        other => panic!("{other}"),
    };
    let public = Url::parse("wss://example.com/").unwrap();
    for stranger in [&url, &public] {
        let error = fetcher(&other).socket(stranger, LIMIT).await.unwrap_err();
        assert_eq!(refused(error), Refusal::Address, "{stranger}");
    }
    let http = Url::parse("http://127.0.0.1:10/").unwrap();
    let error = fetcher(&other).socket(&http, LIMIT).await.unwrap_err();
    assert_eq!(refused(error), Refusal::Scheme("http".to_owned()));
    let error = fetcher(&other).socket(&other, LIMIT).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn messages_are_bounded_whole_and_in_pieces() {
    use futures::SinkExt;
    let whole = serve(|stream| async move {
        let mut socket = accept_async(stream).await.unwrap();
        let _ = socket.send(Message::text("x".repeat(LIMIT as usize + 1))).await;
        std::future::pending::<()>().await;
    });
    let in_pieces = serve(|stream| async move {
        let mut stream = accept_async(stream).await.unwrap().into_inner();
        // The first of a message's frames, and others that go on with it, of 100 bytes each.
        for opcode in std::iter::once(0x01).chain(std::iter::repeat(0x00)) {
            let frame = [&[opcode, 100][..], &[b'x'; 100]].concat();
            if stream.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    for url in [whole.await, in_pieces.await] {
        let mut socket = fetcher(&url).socket(&url, LIMIT).await.unwrap();
        let error = socket.take().await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { limit: LIMIT, .. }), "{error}");
        assert!(!error.to_string().contains("key"));
    }
}

#[tokio::test]
async fn handshakes_are_bounded_and_their_statuses_kept() {
    let silent = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let url = silent.await;
    let begun = Instant::now();
    let error = fetcher(&url).socket(&url, LIMIT).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let busy = serve(|mut stream| async move {
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request[..length]).into_owned();
        let expected = STANDARD.encode("me:s3cr@t");
        let status = if text.contains(&format!("Basic {expected}")) { 429 } else { 401 };
        let head =
            format!("HTTP/1.1 {status} X\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow");
        stream.write_all(head.as_bytes()).await.unwrap();
    });
    let mut url = busy.await;
    url.set_username("me").unwrap();
    url.set_password(Some("s3cr@t")).unwrap();
    let error = fetcher(&url).socket(&url, LIMIT).await.unwrap_err();
    assert_eq!(error.status(), Some(429), "{error}");
    let wait = everhold_net::Retry::After(Duration::from_secs(7));
    assert_eq!(error.retry(), wait);
    assert!(!error.to_string().contains("s3cr"), "{error}");
}
