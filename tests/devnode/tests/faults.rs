//! Faults, made by hand on the disk and through the control endpoints.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;

use std::time::Duration;

use common::account::{OWNER, sha256};
use common::{Answer, Devnode};
use futures::StreamExt;
use serde_json::json;

const BYTES: &[u8] = b"what an NFT points at";

async fn node_with_file() -> (Devnode, String) {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add(BYTES).await;
    assert_eq!(hash, sha256(BYTES));
    assert_eq!(node.publish(&OWNER.store(&hash)).await.status, 200);
    (node, hash)
}

/// HEAD, metadata and count go on saying that the file is there.
async fn assert_still_claimed(node: &Devnode, hash: &str) {
    let head = node.head(&format!("/api/v0/storage/raw/{hash}")).await;
    assert_eq!((head.status, length(&head)), (200, Some(BYTES.len())));
    let metadata = node.get(&format!("/api/v0/storage/metadata/{hash}")).await;
    assert_eq!(metadata.json()["size"], json!(BYTES.len()));
    let count = node.get(&format!("/api/v0/storage/count/{hash}")).await;
    // The STORE, and the pin that an upload without a message gets.
    assert_eq!(count.text(), "2");
}

fn length(answer: &Answer) -> Option<usize> {
    let length = answer.headers.get("content-length")?;
    length.to_str().ok()?.parse().ok()
}

#[tokio::test]
async fn a_lost_file() {
    let (node, hash) = node_with_file().await;
    let lost = node.dev("lose", json!({"hash": hash})).await;
    assert_eq!(lost, json!({"lost": [hash]}));
    assert!(!node.file(&hash).exists());
    let got = node.raw(&hash).await;
    assert_eq!((got.status, got.text().as_str()), (404, "Not found"));
    assert_still_claimed(&node, &hash).await;
    let files = node.get("/dev/files").await.json();
    assert_eq!(files["files"][0], json!({"hash": hash, "size": null, "recorded": BYTES.len()}));
    // An upload brings it back.
    node.add(BYTES).await;
    assert_eq!(node.raw(&hash).await.body, BYTES);
}

#[tokio::test]
async fn all_files_lost() {
    let (node, hash) = node_with_file().await;
    let other = node.add("another").await;
    node.dev("lose", json!({"all": true})).await;
    for hash in [hash, other] {
        assert_eq!(node.raw(&hash).await.status, 404);
    }
}

#[tokio::test]
async fn a_corrupt_file() {
    let (node, hash) = node_with_file().await;
    node.dev("corrupt", json!({"hash": hash})).await;
    let got = node.raw(&hash).await;
    assert_eq!((got.status, got.body.len()), (200, BYTES.len()));
    assert_ne!(got.body, BYTES);
    assert_still_claimed(&node, &hash).await;
    // A STORE leaves it as it is; an upload overwrites it.
    let fields = json!({"item_type": "storage", "item_hash": hash, "ref": "again",
        "payment": {"chain": "ETH", "type": "credit"}});
    assert_eq!(node.publish(&OWNER.message("STORE", fields)).await.status, 200);
    assert_ne!(node.raw(&hash).await.body, BYTES);
    node.add(BYTES).await;
    assert_eq!(node.raw(&hash).await.body, BYTES);
}

#[tokio::test]
async fn a_file_changed_by_hand() {
    let (node, hash) = node_with_file().await;
    std::fs::write(node.file(&hash), "short").expect("written");
    assert_eq!(node.raw(&hash).await.status, 500);
    // A longer one is cut to the recorded size.
    std::fs::write(node.file(&hash), "L".repeat(1000)).expect("written");
    assert_eq!(node.raw(&hash).await.body, "L".repeat(BYTES.len()).as_bytes());
}

#[tokio::test]
async fn a_cut_body() {
    let (node, hash) = node_with_file().await;
    node.dev("fault", json!({"hash": hash, "kind": "cut_body", "times": 1})).await;
    let url = format!("{}/api/v0/storage/raw/{hash}", node.url);
    let answer = node.client.get(&url).send().await.expect("headers");
    assert_eq!(answer.content_length(), Some(BYTES.len() as u64));
    let mut pieces = answer.bytes_stream();
    let first = pieces.next().await.expect("a piece").expect("which is good");
    assert_eq!(first, &BYTES[..BYTES.len() / 2]);
    assert!(pieces.next().await.expect("an end").is_err());
    // Once was asked for.
    assert_eq!(node.raw(&hash).await.body, BYTES);
}

#[tokio::test]
async fn a_stall() {
    let (node, hash) = node_with_file().await;
    node.dev("fault", json!({"hash": hash, "kind": "stall"})).await;
    let url = format!("{}/api/v0/storage/raw/{hash}", node.url);
    let answer = node.client.get(&url).send().await.expect("headers");
    let mut pieces = answer.bytes_stream();
    let first = pieces.next().await.expect("a piece").expect("which is good");
    assert_eq!(first, &BYTES[..BYTES.len() / 2]);
    let next = tokio::time::timeout(Duration::from_millis(300), pieces.next()).await;
    assert!(next.is_err(), "silence");
    node.dev("fault", json!({"hash": hash, "kind": "none"})).await;
    assert_eq!(node.raw(&hash).await.body, BYTES);
}

#[tokio::test]
async fn a_slow_body() {
    let (node, hash) = node_with_file().await;
    node.dev("fault", json!({"hash": null, "kind": "slow", "delay_ms": 10})).await;
    let begun = std::time::Instant::now();
    assert_eq!(node.raw(&hash).await.body, BYTES);
    assert!(begun.elapsed() > Duration::from_millis(100));
}

#[tokio::test]
async fn statuses() {
    let (node, hash) = node_with_file().await;
    let other = node.add("another").await;
    node.dev("fault", json!({"hash": hash, "kind": "status", "times": 2})).await;
    for status in [503, 503, 200] {
        assert_eq!(node.raw(&hash).await.status, status);
        assert_eq!(node.raw(&other).await.status, 200);
    }
    let path = "/api/v0/storage/limits.json";
    node.dev("fault", json!({"kind": "status", "status": 501, "path": path})).await;
    assert_eq!(node.get(path).await.status, 501);
    assert_eq!(node.get("/api/v0/version").await.status, 200);
    node.dev("fault", json!({"kind": "none"})).await;
    node.dev("fault", json!({"kind": "status", "status": 500})).await;
    assert_eq!(node.get("/api/v0/version").await.status, 500);
    assert_eq!(node.raw(&hash).await.status, 500);
    assert_eq!(node.get("/dev/files").await.status, 200);
}

#[tokio::test]
async fn a_claim() {
    let node = Devnode::start(&["--unlimited-credit", "--trusting", "false"]);
    let hash = sha256("never seen");
    node.dev("fault", json!({"hash": hash, "kind": "claim", "size": 10})).await;
    assert_eq!(node.publish(&OWNER.store(&hash)).await.status, 200);
    let head = node.head(&format!("/api/v0/storage/raw/{hash}")).await;
    assert_eq!((head.status, length(&head)), (200, Some(10)));
    let path = format!("/api/v0/messages.json?contentHashes={hash}&msgTypes=STORE");
    assert_eq!(node.get(&path).await.json()["pagination_total"], json!(1));
    assert_eq!(node.get(&format!("/api/v0/storage/count/{hash}")).await.text(), "1");
    assert_eq!(node.raw(&hash).await.status, 404);
    // Even an upload does not help.
    node.add("never seen").await;
    assert_eq!(node.raw(&hash).await.status, 404);
}

#[tokio::test]
async fn the_log_of_requests() {
    let (node, hash) = node_with_file().await;
    let request = reqwest::Method::DELETE;
    node.send(request, "/dev/requests", None, "".into()).await;
    node.raw(&hash).await;
    node.raw(&hash).await;
    node.get("/api/v0/messages.json?hashes=x").await;
    let report = node.get("/dev/requests").await.json();
    assert_eq!(report["total"], json!(3));
    assert_eq!(report["counts"][format!("GET /api/v0/storage/raw/{hash}")], json!(2));
    assert_eq!(report["log"][2]["query"], json!("hashes=x"));
    assert_eq!(report["log"][2]["status"], json!(200));
}
