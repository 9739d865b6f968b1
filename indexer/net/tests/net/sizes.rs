//! No more comes in than was agreed, and never less without an error.

use std::time::Duration;

use bytes::Bytes;
use everhold_net::{FetchError, Retry};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::server::{PRIVATE, Server, for_nodes, ok, quick};

async fn fetch(answer: impl Into<Vec<u8>>) -> Result<Bytes, FetchError> {
    let server = Server::answering(PRIVATE, answer).await;
    for_nodes(quick(), &[&server]).get(server.url("/")).open().await?.collect().await
}

#[tokio::test]
async fn endless_body() {
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
    })
    .await;
    let fetcher = for_nodes(quick(), &[&server]);
    let mut body = fetcher.get(server.url("/")).open().await.unwrap();
    let error = body.collect().await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooLarge { limit: 1048576, announced: None, .. }),
        "{error}"
    );
    assert_eq!(error.retry(), Retry::Never);
    // Whoever overlooks the error does not take what came for the whole.
    assert!(body.chunk().await.is_err());

    let mut body = fetcher.get(server.url("/")).open().await.unwrap();
    body.limit_to(100);
    let error = body.collect().await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: 100, .. }), "{error}");
    let answer = fetcher.get(server.url("/")).limit(7).ask().await;
    assert!(matches!(answer, Err(FetchError::TooLarge { limit: 7, .. })));
}

#[tokio::test]
async fn short_answers_have_a_limit_of_their_own() {
    let server = Server::answering(PRIVATE, ok("", &[b' '; 70_000])).await;
    let fetcher = for_nodes(quick(), &[&server]);
    assert!(fetcher.get(server.url("/")).open().await.unwrap().collect().await.is_ok());
    let answer = fetcher.get(server.url("/")).ask().await;
    assert!(matches!(answer, Err(FetchError::TooLarge { limit: 65536, .. })), "{answer:?}");
    let answer = fetcher.get_json::<u32>(server.url("/")).await;
    assert!(matches!(answer, Err(FetchError::TooLarge { .. })), "{answer:?}");
}

#[tokio::test]
async fn length_above_the_limit_is_refused_before_the_body() {
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        // Whoever waits for the body gets none.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let fetcher = for_nodes(quick(), &[&server]);
    let error = fetcher.get(server.url("/")).open().await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { announced: Some(1048577), .. }), "{error}");
    assert!(error.to_string().ends_with("announces 1048577 bytes, more than 1048576 bytes"));

    let mut body = fetcher.get(server.url("/")).limit(2 << 20).open().await.unwrap();
    body.limit_to(86);
    let error = body.chunk().await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: 86, announced: Some(_), .. }), "{error}");
    assert_eq!(body.received(), 0);
}

#[tokio::test]
async fn body_shorter_than_its_length() {
    for head in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let error = fetch(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n5\r\nabcd")).await.unwrap_err();
        assert!(matches!(error, FetchError::Cut { .. }), "{error}");
        assert!(error.answered() && error.retry() == Retry::Later);
    }
}

/// HTTP/1.1 has no word for bytes after a body's end: they would be the next answer. They are
/// neither taken into this body nor for that answer.
#[tokio::test]
async fn body_longer_than_its_length() {
    let smuggled = b"abcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    let answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", &smuggled[..]].concat();
    let server = Server::answering(PRIVATE, answer).await;
    let fetcher = for_nodes(quick(), &[&server]);
    for _ in 0..5 {
        let mut body = fetcher.get(server.url("/")).open().await.unwrap();
        assert_eq!(body.collect().await.unwrap(), "abc");
    }
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn lengths_that_make_no_sense() {
    for length in [
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 4",
        "Content-Length: -3",
        "Content-Length: +3",
        "Content-Length: 3.0",
        "Content-Length: 0x3",
        "Content-Length: ",
        "Content-Length: 99999999999999999999999999",
        "Content-Length: 18446744073709551615",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ] {
        let error = fetch(format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\nabc")).await.unwrap_err();
        assert!(matches!(error, FetchError::Nonsense { .. }), "{length}: {error}");
    }
    let error = fetch("HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nabc").await;
    assert!(matches!(error, Err(FetchError::TooLarge { announced: Some(_), .. })), "{error:?}");
    // RFC 9110, section 8.6: the same length twice may be taken for one.
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(fetch(twice).await.unwrap(), "abc");
}

#[tokio::test]
async fn endless_head() {
    let many = (0..1000).map(|n| format!("X-{n}: x\r\n")).collect::<String>();
    for head in [many, format!("X: {}\r\n", "x".repeat(1 << 20))] {
        let error = fetch(format!("HTTP/1.1 200 OK\r\n{head}\r\n")).await.unwrap_err();
        assert!(matches!(error, FetchError::Nonsense { .. }), "{error}");
    }
    let server = Server::start(PRIVATE, |_, mut stream: TcpStream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let error = for_nodes(quick(), &[&server]).get(server.url("/")).open().await.unwrap_err();
    assert!(matches!(error, FetchError::Nonsense { .. }), "{error}");
}

#[tokio::test]
async fn answer_that_is_no_http() {
    for answer in ["SSH-2.0-OpenSSH_9.6\r\n", "<html>", "HTTP/1.1 2000 OK\r\n\r\n", "\0\0\0\0"] {
        let error = fetch(answer).await.unwrap_err();
        assert!(!matches!(error, FetchError::Connect { .. }), "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn error_page_with_status_200_comes_through_unharmed() {
    let page = b"<!doctype html><title>502</title>\r\n\0\xff<h1>Bad gateway</h1>";
    let server =
        Server::answering(PRIVATE, ok("Content-Type: Text/HTML; charset=utf-8\r\n", page)).await;
    let fetcher = for_nodes(quick(), &[&server]);
    let mut body = fetcher.get(server.url("/x?y")).open().await.unwrap();
    assert_eq!((body.status(), body.content_type().as_deref()), (200, Some("text/html")));
    assert_eq!(body.header("content-length"), Some("57"));
    assert_eq!(body.final_url(), &server.url("/x?y"));
    assert_eq!(body.collect().await.unwrap(), &page[..]);
    assert_eq!(body.received(), page.len() as u64);
    // As JSON it is an error.
    let error = fetcher.get_json::<u32>(server.url("/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Nonsense { .. }), "{error}");
}

#[tokio::test]
async fn other_status_is_an_error_with_one_short_line() {
    let evil = format!("no\r\n\x1b[2J\u{202e}{}", "x".repeat(10_000));
    let answer = format!("HTTP/1.1 404 Nope\r\nContent-Length: {}\r\n\r\n{evil}", evil.len());
    let error = fetch(answer.clone()).await.unwrap_err();
    assert_eq!((error.status(), error.retry()), (Some(404), Retry::Never));
    let text = error.to_string();
    assert!(text.contains("HTTP 404: no"), "{text}");
    assert!(text.len() < 400 && !text.contains(['\r', '\n', '\x1b', '\u{202e}']), "{text:?}");

    let server = Server::answering(PRIVATE, answer).await;
    let fetcher = for_nodes(quick(), &[&server]);
    let (status, body) = fetcher.get(server.url("/")).ask().await.unwrap();
    assert_eq!((status, body.len()), (404, evil.len()));
}

#[tokio::test]
async fn retry_after_is_read() {
    for (status, header, retry) in [
        (429, "Retry-After: 7", Retry::After(Duration::from_secs(7))),
        (503, "Retry-After: 999999999", Retry::After(everhold_net::MAX_RETRY_AFTER)),
        (503, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", Retry::After(Duration::ZERO)),
        (503, "Retry-After: whenever", Retry::Later),
        (429, "X: 1", Retry::Later),
        (500, "Retry-After: 7", Retry::Later),
        (403, "Retry-After: 7", Retry::Never),
        (501, "X: 1", Retry::Never),
    ] {
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{header}\r\n\r\n");
        let server = Server::answering(PRIVATE, answer).await;
        let fetcher = for_nodes(quick(), &[&server]);
        let error = fetcher.get(server.url("/")).open().await.unwrap_err();
        assert_eq!(error.retry(), retry, "{status} {header}");
        let error = fetcher.get_json::<u32>(server.url("/")).await.unwrap_err();
        assert_eq!(error.retry(), retry, "{status} {header}");
    }
}

#[tokio::test]
async fn head_has_no_body() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\nContent-Encoding: gzip\r\n\r\n";
    let server = Server::answering(PRIVATE, head).await;
    let fetcher = for_nodes(quick(), &[&server]);
    let mut body = fetcher.head(server.url("/")).open().await.unwrap();
    assert_eq!(body.collect().await.unwrap(), "");
    assert!(server.heads()[0].starts_with("HEAD / "));
}
