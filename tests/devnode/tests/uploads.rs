//! Files on their way in and out: limits, memory, the ipfs engine.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;

use common::account::{OWNER, sha256};
use common::{Devnode, PATIENCE};
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use serde_json::json;
use sha2::{Digest, Sha256};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn limits_are_kept() {
    let limits = ["--max-storage", "3000000", "--max-storage-unsigned", "1000000"];
    let ipfs = ["--max-ipfs", "5000000", "--max-ipfs-unsigned", "2000000"];
    let options = [&["--unlimited-credit"], &limits[..], &ipfs[..]].concat();
    let node = Devnode::start(&options);
    let told = node.get("/api/v0/storage/limits.json").await.json();
    assert_eq!(told["storage"]["max_file_size"], json!(3_000_000));
    assert_eq!(told["ipfs"]["max_unauthenticated_upload_file_size"], json!(2_000_000));
    let bytes = |size: usize| vec![1; size];
    let path = "/api/v0/storage/add_file";
    let raw = Some("application/octet-stream");
    for (size, status) in [(1_000_000, 200), (1_000_001, 413), (40_000_000, 413)] {
        let answer = node.send(Method::POST, path, raw, bytes(size).into()).await;
        assert_eq!(answer.status, status, "{size}");
    }
    for (engine, signed, size, status) in [
        ("storage", false, 1_000_001, 413),
        ("storage", true, 3_000_000, 200),
        ("storage", true, 3_000_001, 413),
        ("ipfs", false, 2_000_000, 200),
        ("ipfs", false, 2_000_001, 413),
        ("ipfs", false, 40_000_000, 413),
    ] {
        let message = OWNER.store(&sha256(bytes(size)));
        let answer = node.add_form(engine, signed.then_some(&message), &bytes(size)).await;
        assert_eq!(answer.status, status, "{engine} {size}: {}", answer.text());
    }
    let left = std::fs::read_dir(node.folder().join("unfinished")).expect("a folder");
    assert_eq!(left.count(), 0, "refused uploads leave nothing behind");
}

#[tokio::test]
async fn signed_uploads() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let store = OWNER.store(&sha256("right"));
    let wrong = node.add_form("storage", Some(&store), b"wrong").await;
    assert_eq!(wrong.status, 422);
    let expected =
        format!("422: File hash does not match ({} != {})", sha256("wrong"), sha256("right"));
    assert_eq!(wrong.text(), expected);
    assert_eq!(node.standing(&store).await, "unknown");
    assert_eq!(node.add_form("storage", Some(&store), b"right").await.status, 200);
    assert_eq!(node.standing(&store).await, "processed");
    let count = format!("/api/v0/storage/count/{}", sha256("right"));
    assert_eq!(node.get(&count).await.text(), "1");
    let encoded = node.get(&format!("/api/v0/storage/{}", sha256("right"))).await.json();
    assert_eq!(encoded["content"], json!("cmlnaHQ=\n"));
    assert_eq!(encoded["engine"], json!("storage"));
}

#[tokio::test]
async fn both_names_of_a_dag() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let v0 = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4";
    let v1 = "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e";
    let bytes = "{\"name\":\"Everhold #1\",\
        \"image\":\"ipfs://QmaTnbtsrstS9cpbhiHHwFvrhEdbakszkncjEReU3PpwYA\"}";
    let answer = node.add_form("ipfs", None, bytes.as_bytes()).await;
    assert_eq!(answer.json()["hash"], json!(v0));
    for name in [v0, v1] {
        assert_eq!(node.publish(&OWNER.store(name)).await.status, 200);
        assert_eq!(node.raw(name).await.text(), bytes);
    }
    node.dev("lose", json!({"hash": v1})).await;
    assert_eq!(node.raw(v0).await.status, 404);
}

#[tokio::test]
async fn without_ipfs() {
    let node = Devnode::start(&["--no-ipfs", "--unlimited-credit", "--trusting", "false"]);
    let v0 = "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4";
    assert_eq!(node.add_form("ipfs", None, b"x").await.status, 501);
    assert_eq!(node.raw(v0).await.status, 404);
    assert_eq!(node.head(&format!("/api/v0/storage/raw/{v0}")).await.status, 404);
    assert_eq!(node.publish(&OWNER.store(v0)).await.status, 202);
    let limits = node.get("/api/v0/storage/limits.json").await.json();
    assert!(limits.get("ipfs").is_none());
}

/// 500 MiB go in, over to a peer, and out again.
#[tokio::test]
async fn memory_stays_small() {
    let options = [
        "--unlimited-credit",
        "--max-storage-unsigned",
        "1073741824",
        "--max-ipfs-unsigned",
        "1073741824",
    ];
    let first = Devnode::start(&options);
    let second = Devnode::start(&["--unlimited-credit", "--peer", &first.url]);
    first.dev("connect", json!({"peer": second.url})).await;

    let hash = first.add(Body::wrap_stream(pieces())).await;
    let store = OWNER.store(&hash);
    assert_eq!(first.publish(&store).await.status, 200);
    second.until(&store, "processed").await;
    assert_eq!(hash_of_body(&second, &hash).await, hash);

    let head = common::file_part_head(common::BOUNDARY);
    let tail = format!("\r\n--{}--\r\n", common::BOUNDARY);
    let form = stream::iter([Ok(head.into_bytes())])
        .chain(pieces())
        .chain(stream::iter([Ok(tail.into_bytes())]));
    let kind = format!("multipart/form-data; boundary={}", common::BOUNDARY);
    let path = "/api/v0/ipfs/add_file";
    let body = Body::wrap_stream(form);
    let answer = first.send(Method::POST, path, Some(&kind), body).await;
    let cid = answer.json()["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(hash_of_body(&first, &cid).await, hash);

    for node in [first, second] {
        let most = most_memory(&node);
        assert!(most < 64 * 1024, "{most} KiB");
    }
}

fn pieces() -> impl futures::Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static {
    stream::iter(0..500_u32).map(|n| {
        let mut piece = vec![0; MIB];
        piece[..4].copy_from_slice(&n.to_le_bytes());
        Ok(piece)
    })
}

async fn hash_of_body(node: &Devnode, hash: &str) -> String {
    let url = format!("{}/api/v0/storage/raw/{hash}", node.url);
    let answer = node.client.get(url).timeout(PATIENCE * 4).send().await.expect("an answer");
    assert_eq!(answer.content_length(), Some(500 * MIB as u64));
    let mut hasher = Sha256::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        hasher.update(piece.expect("a piece"));
    }
    hex::encode(hasher.finalize())
}

/// The most memory a node ever had, in KiB.
fn most_memory(node: &Devnode) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid()));
    let status = status.expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.expect("VmHWM").trim();
    line.trim_end_matches(" kB").parse().expect("a number")
}
