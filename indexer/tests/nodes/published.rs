//! Messages on their way to a node whose connections end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use everhold::nodes::{
    FetchError,
    aleph::{AlephError, Client, Message, MessageStatus},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::fetcher;

const HASH: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

fn message() -> Message {
    let message = json!({"sender": "0xab", "chain": "ETH", "signature": "0xcd", "type": "STORE",
        "item_type": "inline", "item_content": "{}", "item_hash": HASH, "time": 1});
    serde_json::from_value(message).unwrap()
}

/// The next request of a connection: its first line. `None` where no other comes.
async fn next(connection: &mut TcpStream) -> Option<String> {
    let (mut request, mut part) = (Vec::new(), vec![0; 4096]);
    loop {
        let bytes = connection.read(&mut part).await.ok().filter(|bytes| *bytes > 0)?;
        request.extend_from_slice(&part[..bytes]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
        });
        if body.len() >= length.unwrap_or(0) {
            return head.lines().next().map(str::to_owned);
        }
    }
}

/// A node that answers so many messages by ending their connections; gives a client of it, and how many
/// messages came.
async fn cuts(times: usize) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            while let Some(request) = next(&mut connection).await {
                let answer = match request.starts_with("POST /api/v0/messages") {
                    true if count.fetch_add(1, SeqCst) < times => break,
                    true => "HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}",
                    false => "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
                };
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (Client::new(url.clone(), fetcher([url])), came)
}

/// As one does on which an upload was refused before it was read.
#[tokio::test]
async fn a_message_that_meets_the_end_of_a_connection_is_sent_once_more() {
    let (client, came) = cuts(1).await;
    let known = client.message_status(HASH).await.unwrap();
    assert_eq!(known, MessageStatus::Unknown, "and its connection is kept");
    client.publish(&message()).await.unwrap();
    assert_eq!(came.load(SeqCst), 2);
}

#[tokio::test]
async fn a_node_that_ends_every_connection_is_not_asked_for_ever() {
    let (client, came) = cuts(usize::MAX).await;
    let error = client.publish(&message()).await.unwrap_err();
    assert!(matches!(error, AlephError::Fetch(FetchError::Cut { .. })), "{error}");
    assert_eq!(came.load(SeqCst), 2);
}
