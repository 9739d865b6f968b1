//! Nodes that are peers, nodes that are alone, and nodes that come back.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;

use common::Devnode;
use common::account::{OWNER, hash_of, sha256};
use serde_json::json;

async fn pair() -> (Devnode, Devnode) {
    let first = Devnode::start(&["--unlimited-credit"]);
    let second = Devnode::start(&["--unlimited-credit", "--peer", &first.url]);
    first.dev("connect", json!({"peer": second.url})).await;
    (first, second)
}

#[tokio::test]
async fn a_store_makes_the_peer_fetch_the_file() {
    let (first, second) = pair().await;
    let hash = first.add("shared").await;
    let store = OWNER.store(&hash);
    assert_eq!(first.publish(&store).await.status, 200);
    second.until(&store, "processed").await;
    assert_eq!(second.raw(&hash).await.text(), "shared");
    // What nodes do among themselves is not in the log.
    let report = first.get("/dev/requests").await.json();
    assert_eq!(report["total"], json!(2));
}

#[tokio::test]
async fn a_new_store_brings_a_lost_file_back_but_leaves_a_corrupt_one() {
    let (first, second) = pair().await;
    let hash = first.add("shared").await;
    let store = OWNER.store(&hash);
    first.publish(&store).await;
    second.until(&store, "processed").await;

    second.dev("corrupt", json!({"hash": hash})).await;
    let again = OWNER.store_paid(&hash, "hold", 1_795_330_001.0);
    first.publish(&again).await;
    second.until(&again, "processed").await;
    assert_ne!(second.raw(&hash).await.text(), "shared");

    second.dev("lose", json!({"hash": hash})).await;
    let once_more = OWNER.store_paid(&hash, "hold", 1_795_330_002.0);
    first.publish(&once_more).await;
    second.until(&once_more, "processed").await;
    assert_eq!(second.raw(&hash).await.text(), "shared");
}

#[tokio::test]
async fn pending_until_the_file_comes() {
    let (first, second) = pair().await;
    let hash = sha256("late");
    let store = OWNER.store(&hash);
    let answer = first.publish(&store).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json()["message_status"], json!("pending"));
    second.until(&store, "pending").await;
    second.add("late").await;
    second.until(&store, "processed").await;
    first.until(&store, "processed").await;
    assert_eq!(first.raw(&hash).await.text(), "late");
}

#[tokio::test]
async fn wrong_bytes_of_a_peer_are_not_taken() {
    let (first, second) = pair().await;
    let hash = first.add("shared").await;
    first.dev("corrupt", json!({"hash": hash})).await;
    let store = OWNER.store(&hash);
    assert_eq!(first.publish(&store).await.status, 200);
    second.until(&store, "pending").await;
    assert!(!second.file(&hash).exists());
    first.add("shared").await;
    second.until(&store, "processed").await;
}

#[tokio::test]
async fn alone_a_node_answers_processed_without_the_file() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = sha256("elsewhere");
    let store = OWNER.store(&hash);
    assert_eq!(node.publish(&store).await.status, 200);
    assert_eq!(node.standing(&store).await, "processed");
    assert_eq!(node.raw(&hash).await.status, 404);
    let path = format!("/api/v0/storage/metadata/{hash}");
    assert_eq!(node.get(&path).await.status, 404);

    let strict = Devnode::start(&["--unlimited-credit", "--trusting", "false"]);
    assert_eq!(strict.publish(&store).await.status, 202);
    strict.add("elsewhere").await;
    strict.until(&store, "processed").await;
}

#[tokio::test]
async fn parted_nodes_do_not_hear_of_each_other_until_connected_again() {
    let (first, second) = pair().await;
    first.dev("disconnect", json!({})).await;
    second.dev("disconnect", json!({"peer": first.url})).await;
    let hash = first.add("shared").await;
    let store = OWNER.store(&hash);
    assert_eq!(first.publish(&store).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(second.standing(&store).await, "unknown");
    // Connecting sends everything that is in force.
    first.dev("connect", json!({"peer": second.url})).await;
    second.until(&store, "processed").await;
}

#[tokio::test]
async fn held_back_by_a_test() {
    let (first, second) = pair().await;
    second.dev("replication", json!({"paused": true})).await;
    let hash = first.add("shared").await;
    let store = OWNER.store(&hash);
    first.publish(&store).await;
    second.until(&store, "pending").await;
    second.dev("replication", json!({"paused": false})).await;
    second.until(&store, "processed").await;
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let options = ["--unlimited-credit", "--trusting", "false"];
    let node = Devnode::start(&options);
    let hash = node.add("kept").await;
    let (kept, forgotten) = (OWNER.store(&hash), OWNER.store_paid(&hash, "hold", 1_795_330_001.0));
    let waiting = OWNER.store(&sha256("late"));
    let aggregate = OWNER.message("AGGREGATE", json!({"key": "k", "content": {"a": 1}}));
    for message in [&kept, &forgotten, &waiting, &aggregate] {
        node.publish(message).await;
    }
    let forget = OWNER.message("FORGET", json!({"hashes": [hash_of(&forgotten)]}));
    assert_eq!(node.publish(&forget).await.status, 200);
    let paths = [
        format!("/api/v0/messages/{}", hash_of(&kept)),
        format!("/api/v0/messages/{}", hash_of(&forgotten)),
        format!("/api/v0/storage/count/{hash}"),
        format!("/api/v0/addresses/{}/balance", OWNER.address),
        format!("/api/v0/addresses/{}/files", OWNER.address),
        format!("/api/v0/aggregates/{}.json", OWNER.address),
        "/api/v0/messages.json".to_owned(),
    ];
    let mut before = Vec::new();
    for path in &paths {
        before.push(node.get(path).await.text());
    }
    let node = node.restart(&options);
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(node.get(path).await.text(), before, "{path}");
    }
    assert_eq!(node.raw(&hash).await.text(), "kept");
    assert_eq!(node.standing(&waiting).await, "pending");
    node.add("late").await;
    node.until(&waiting, "processed").await;
}
