//! Encoded bodies, which nobody asked for.

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder},
};
use bytes::Bytes;
use everhold_net::{EncodingFault, FetchError, Retry};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::server::{PRIVATE, Server, for_nodes, ok, unhurried};

macro_rules! encode {
    ($encoder:ident, $bytes:expr) => {
        finish($encoder::with_quality(Vec::new(), Level::Default), $bytes, |e| e.into_inner()).await
    };
}

async fn finish<E: AsyncWrite + Unpin>(
    mut encoder: E,
    bytes: &[u8],
    into: impl FnOnce(E) -> Vec<u8>,
) -> Vec<u8> {
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    into(encoder)
}

/// The same bytes in every encoding, with its name.
async fn encoded(bytes: &[u8]) -> [(&'static str, Vec<u8>); 5] {
    [
        ("gzip", encode!(GzipEncoder, bytes)),
        ("deflate", encode!(ZlibEncoder, bytes)),
        ("deflate", encode!(DeflateEncoder, bytes)),
        ("br", encode!(BrotliEncoder, bytes)),
        ("zstd", encode!(ZstdEncoder, bytes)),
    ]
}

fn content() -> Vec<u8> {
    // Neither all alike nor quite without order.
    (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> (n % 24)) as u8 & 0x3f).collect()
}

async fn fetch(encoding: &str, body: &[u8]) -> Result<Bytes, FetchError> {
    let answer = ok(&format!("Content-Encoding: {encoding}\r\n"), body);
    let server = Server::answering(PRIVATE, answer).await;
    let fetcher = for_nodes(unhurried(), &[&server]);
    let mut body = fetcher.get(server.url("/")).open().await?;
    let bytes = body.collect().await?;
    assert_eq!(body.received(), bytes.len() as u64);
    assert!(server.heads()[0].to_lowercase().contains("accept-encoding: identity\r\n"));
    Ok(bytes)
}

fn fault(outcome: Result<Bytes, FetchError>) -> EncodingFault {
    match outcome {
        Err(FetchError::Encoding { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_is_decoded() {
    for content in [content(), b"x".to_vec(), Vec::new()] {
        for (name, bytes) in encoded(&content).await {
            assert_eq!(fetch(name, &bytes).await.unwrap(), content, "{name}");
        }
    }
}

#[tokio::test]
async fn parts_that_follow_each_other_are_one_body() {
    for (name, bytes) in encoded(b"abc").await {
        let twice = [&bytes[..], &bytes].concat();
        match name {
            "gzip" | "zstd" => assert_eq!(fetch(name, &twice).await.unwrap(), "abcabc"),
            _ => assert!(matches!(
                fault(fetch(name, &twice).await),
                EncodingFault::Corrupt { cut: false, .. }
            )),
        }
    }
}

#[tokio::test]
async fn cut_anywhere_is_an_error() {
    let content = &content()[..3000];
    for (name, bytes) in encoded(content).await {
        // A server for all, which announces the length that really comes.
        let server = {
            let bytes = bytes.clone();
            Server::start(PRIVATE, move |head, mut stream: TcpStream| {
                let length = head[5..head.find(" HTTP").unwrap()].parse::<usize>().unwrap();
                let answer = ok(&format!("Content-Encoding: {name}\r\n"), &bytes[..length]);
                async move { stream.write_all(&answer).await.unwrap() }
            })
            .await
        };
        let fetcher = for_nodes(unhurried(), &[&server]);
        let step = (bytes.len() / 100).max(1);
        let ends = (0..bytes.len()).filter(|n| *n < 30 || n % step == 0 || n + 30 > bytes.len());
        for end in ends {
            let url = server.url(&format!("/{end}"));
            let mut body = fetcher.get(url).open().await.unwrap();
            let error = body.collect().await.unwrap_err();
            let text = format!("{name} {end}/{}: {error}", bytes.len());
            assert_eq!(error.retry(), Retry::Later);
            assert!(matches!(error, FetchError::Encoding { .. }), "{text}");
            assert!(body.chunk().await.is_err(), "{text}");
        }
        let whole = server.url(&format!("/{}", bytes.len()));
        assert!(fetcher.get(whole).open().await.unwrap().collect().await.is_ok());
    }
}

#[tokio::test]
async fn corrupt_is_an_error() {
    // Only these carry a checksum; of the others a flipped bit may make other bytes.
    let content = content();
    for (name, bytes) in [encoded(&content).await].concat().into_iter().take(2) {
        for at in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 3] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            fault(fetch(name, &bytes).await);
        }
    }
    for name in ["gzip", "br", "zstd", "deflate"] {
        fault(fetch(name, b"<html>this was never encoded</html>").await);
    }
}

#[tokio::test]
async fn something_after_the_end_is_an_error() {
    for (name, mut bytes) in encoded(b"abc").await {
        bytes.extend_from_slice(b"\xfe\xfe\xfe\xfe");
        let fault = fault(fetch(name, &bytes).await);
        assert!(matches!(fault, EncodingFault::Corrupt { .. }), "{name}: {fault}");
    }
}

#[tokio::test]
async fn cut_by_the_connection_is_a_cut() {
    for (name, bytes) in encoded(&content()).await {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let answer = [head.as_bytes(), &bytes[..bytes.len() / 2]].concat();
        let server = Server::answering(PRIVATE, answer).await;
        let fetcher = for_nodes(unhurried(), &[&server]);
        let error = fetcher.get(server.url("/")).open().await.unwrap().collect().await.unwrap_err();
        assert!(matches!(error, FetchError::Cut { .. }), "{name}: {error}");
    }
}

#[tokio::test]
async fn stacked_and_unknown_are_named() {
    let twice = encode!(GzipEncoder, &encode!(GzipEncoder, b"abc"));
    assert_eq!(
        fault(fetch("gzip, gzip", &twice).await),
        EncodingFault::Stacked("gzip, gzip".to_owned())
    );
    let fault = fault(fetch("compress", b"abc").await);
    assert_eq!(fault, EncodingFault::Unknown("compress".to_owned()));
    let error = fetch("x\u{7f}", b"abc").await.unwrap_err();
    assert!(!error.to_string().contains('\u{7f}'));
    assert_eq!(fetch("identity", b"abc").await.unwrap(), "abc");
}

#[tokio::test]
async fn limits_are_of_decoded_bytes() {
    let content = vec![b'a'; 100_000];
    for (name, bytes) in encoded(&content).await {
        let server =
            Server::answering(PRIVATE, ok(&format!("Content-Encoding: {name}\r\n"), &bytes)).await;
        let fetcher = for_nodes(unhurried(), &[&server]);
        for (limit, fits) in [(100_000, true), (99_999, false), (0, false)] {
            let mut body = fetcher.get(server.url("/")).open().await.unwrap();
            body.limit_to(limit);
            match body.collect().await {
                Ok(bytes) => assert!(fits && bytes == content, "{name} {limit}"),
                Err(FetchError::TooLarge { limit: said, .. }) => {
                    assert!(!fits && said == limit, "{name} {limit}");
                }
                Err(other) => panic!("{name} {limit}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn windows_that_are_too_large_are_refused() {
    // RFC 8878, section 3.1.1.1.2: the exponent of the window is the descriptor's upper five
    // bits and 10. Raw block of one byte, the last.
    let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3, 0x09, 0x00, 0x00, b'x'];
    assert_eq!(fetch("zstd", &frame(23)).await.unwrap(), "x");
    for log in [24, 27, 30, 41] {
        let fault = fault(fetch("zstd", &frame(log)).await);
        assert!(matches!(fault, EncodingFault::Corrupt { cut: false, .. }), "{log}: {fault}");
    }
    // Large window brotli, 2^30: header 0x11, then six bits of the window.
    let fault = fault(fetch("br", &[0x11, 0x1e, 0x03, 0x00]).await);
    assert!(fault.to_string().contains("window is too large"), "{fault}");
}

/// Blocks without content, without end: nothing is decoded, and yet it must end.
#[tokio::test]
async fn endless_nothing() {
    let nothings: [(&str, &[u8], &[u8]); 2] = [
        // A stored block of no bytes (RFC 1951, section 3.2.4), again and again.
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\0\0\0\xff\xff"),
        // Skippable frames (RFC 8878, section 3.1.2).
        ("zstd", b"", b"\x50\x2a\x4d\x18\0\0\0\0"),
    ];
    for (name, start, again) in nothings {
        let server = Server::start(PRIVATE, move |_, mut stream: TcpStream| async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {name}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), start].concat()).await;
            let again = again.repeat(4096);
            while stream.write_all(&again).await.is_ok() {}
        })
        .await;
        let fetcher = for_nodes(unhurried(), &[&server]);
        let mut body = fetcher.get(server.url("/")).open().await.unwrap();
        let error = body.collect().await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{name}: {error}");
        assert_eq!(body.received(), 0);
    }
}
