//! Bombs end with an error of size, in memory that does not grow with them. A process of its own,
//! since what is measured is the whole process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::{io::Write, time::Duration};

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use everhold_net::{FetchError, Fetcher, Limits, Url};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

const MIB: u64 = 1 << 20;
/// Of content, which the bombs exceed.
const LIMIT: u64 = 160 * MIB;
/// Of memory that may be needed besides: brotli's window of 16 MiB, zstd's of 8, and buffers.
const ROOM: u64 = 48 * MIB;

/// Forgets what making the bombs took (`man 5 proc`, `/proc/pid/clear_refs`).
fn forget_most_memory() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The most memory this process has had since then, in bytes.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

async fn filled<E: AsyncWrite + Unpin>(mut encoder: E, into: fn(E) -> Vec<u8>) -> Vec<u8> {
    let zeros = vec![0; MIB as usize];
    for _ in 0..=LIMIT / MIB {
        encoder.write_all(&zeros).await.unwrap();
    }
    encoder.shutdown().await.unwrap();
    into(encoder)
}

/// A server that sends `body` as `encoding`.
async fn serve(encoding: &'static str, body: Vec<u8>) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let mut answer = Vec::new();
        write!(answer, "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n\r\n").unwrap();
        let _ = stream.write_all(&answer).await;
        let _ = stream.write_all(&body).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    url
}

#[tokio::test]
async fn bombs_end_in_constant_memory() {
    let bombs = [
        (
            "gzip",
            filled(GzipEncoder::with_quality(Vec::new(), Level::Fastest), GzipEncoder::into_inner)
                .await,
        ),
        (
            "br",
            filled(
                BrotliEncoder::with_quality(Vec::new(), Level::Fastest),
                BrotliEncoder::into_inner,
            )
            .await,
        ),
        (
            "zstd",
            filled(ZstdEncoder::with_quality(Vec::new(), Level::Fastest), ZstdEncoder::into_inner)
                .await,
        ),
    ];
    forget_most_memory();
    let before = most_memory();
    for (encoding, bomb) in bombs {
        assert!((bomb.len() as u64) < MIB, "{encoding} is no bomb: {} bytes", bomb.len());
        let url = serve(encoding, bomb).await;
        let limits =
            Limits { max_content: LIMIT, total: Duration::from_secs(300), ..Limits::default() };
        let fetcher = Fetcher::new(limits, [url.clone()]).unwrap();
        let mut body = fetcher.get(url).open().await.unwrap();
        let error = loop {
            match body.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("{encoding}: it ended"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, FetchError::TooLarge { limit: LIMIT, .. }), "{encoding}: {error}");
        let grown = most_memory() - before;
        println!("{encoding}: {} KiB more", grown / 1024);
        assert!(grown < ROOM, "{encoding}: {grown} bytes more");
    }
}
