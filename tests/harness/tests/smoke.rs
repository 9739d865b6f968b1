//! The harness's own parts do what they say.

use std::time::Duration;

use everhold_harness::{
    AlertReceiver, Anvil, DevNode, Everhold, NodeOptions, Sample, SampleOptions, Settings,
    accounts, sha256_file,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn a_chain_can_be_reorganised() {
    let anvil = Anvil::start().await.unwrap();
    let pay = |value: &str| json!({"from": accounts::CREATOR.address, "to": accounts::OWNER.address, "value": value});
    let kept = anvil.send(pay("0x1")).await.unwrap();
    let gone = anvil.send(pay("0x2")).await.unwrap();
    let before = anvil.mined(&kept).await.unwrap();
    anvil.mined(&gone).await.unwrap();
    let raw = anvil.raw_transaction(&kept).await.unwrap();
    anvil.reorg(2, &[(raw, 1)]).await.unwrap();
    anvil.mine(3).await.unwrap();
    let after = anvil.receipt(&kept).await.unwrap();
    assert_ne!(before["blockHash"], after["blockHash"]);
    assert!(anvil.receipt(&gone).await.unwrap().is_null());
    assert_eq!(anvil.head().await.unwrap(), 5);
    assert!(anvil.rpc("no_method", json!([])).await.is_err());
}

#[tokio::test]
async fn a_node_keeps_its_disk_and_its_url() {
    let mut node = DevNode::start(NodeOptions::default()).await.unwrap();
    assert!(node.files().await.unwrap().is_empty());
    let hash = "0".repeat(64);
    assert!(node.lose(&hash).await.is_err());
    std::fs::write(node.path(&hash), "bytes").unwrap();
    let url = node.url();
    node.restart().await.unwrap();
    assert_eq!(node.url(), url);
    let files = node.files().await.unwrap();
    assert_eq!((files.len(), files[0].size), (1, Some(5)));
    node.corrupt(&hash).await.unwrap();
    assert_ne!(std::fs::read(node.path(&hash)).unwrap(), b"bytes");
    node.lose(&hash).await.unwrap();
    assert!(!node.path(&hash).exists());
    node.stop().await.unwrap();
    assert!(node.files().await.is_err());
}

/// A request to the receiver; gives the status line, or nothing where nobody answers.
async fn post(receiver: &AlertReceiver, signature: &str, body: &str) -> Option<String> {
    let url = receiver.url();
    let address = url.trim_start_matches("http://").split('/').next()?;
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "POST /alerts HTTP/1.1\r\nHost: {address}\r\nX-Everhold-Event: incident.opened\r\n\
         X-Everhold-Signature: {signature}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.lines().next().map(str::to_owned)
}

#[tokio::test]
async fn a_receiver_counts_only_what_is_signed() {
    let mut receiver = AlertReceiver::start("key").await.unwrap();
    // HMAC-SHA256 with the key `key`, by another implementation.
    let body = "The quick brown fox jumps over the lazy dog";
    let right = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
    let wrong = right.replace("f7", "f8");
    let ok = Some("HTTP/1.1 200 OK".to_owned());
    assert_eq!(post(&receiver, right, body).await, ok);
    assert_eq!(post(&receiver, &wrong, body).await, ok);
    assert_eq!(post(&receiver, "", body).await, ok);
    receiver.refuse(1);
    let refused = post(&receiver, right, body).await.unwrap();
    assert!(refused.contains("500"), "{refused}");
    assert_eq!((receiver.requests().len(), receiver.alerts().len()), (4, 1));
    receiver.down().await;
    assert_eq!(post(&receiver, right, body).await, None);
    receiver.up().await.unwrap();
    assert_eq!(post(&receiver, right, body).await, ok);
    assert_eq!(receiver.alerts().len(), 2);
}

#[test]
fn a_sample_is_the_same_each_time() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let made = dirs.iter().map(|dir| Sample::make(dir.path(), SampleOptions::default()).unwrap());
    let made: Vec<_> = made.collect();
    let hashes = |sample: &Sample| {
        let tokens = sample.tokens().iter();
        tokens.map(|token| token.image_sha256.clone()).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&made[0]), hashes(&made[1]));
    let large = made[0].token(8).unwrap();
    assert!(large.image_bytes > 1 << 20);
    assert_eq!(sha256_file(&large.image).unwrap(), large.image_sha256);
    let revised = made[0].revise(8, 2).unwrap();
    assert_ne!(revised.image_sha256, large.image_sha256);
}

#[tokio::test]
async fn everhold_is_run_and_measured() {
    let everhold = Everhold::new().unwrap();
    let init = everhold.run(["init"]).await.unwrap();
    assert_eq!(init.status, 0, "{}", init.stderr);
    assert!(everhold.config().exists());
    everhold.configure(&Settings::default()).unwrap();
    let status = everhold.run(["status"]).await.unwrap();
    assert!(status.peak_memory > 1 << 20, "{}", status.peak_memory);
    assert_eq!(status.json.unwrap()["collections"], json!([]));
    // Nothing to watch: it ends by itself, with 2.
    let mut watcher = everhold.watch(&[]).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), watcher.process().wait());
    assert_eq!(ended.await.unwrap().unwrap().code(), Some(2));
    assert_eq!(watcher.log_tail(1).len(), 1);
}

/// Two commands may be the first to open a ledger: `watch` as a service, and `status` by hand.
#[tokio::test]
async fn a_new_ledger_bears_several_commands_at_once() {
    // Several ledgers, since a race may be won.
    for _ in 0..4 {
        let everhold = Everhold::new().unwrap();
        everhold.configure(&Settings::default()).unwrap();
        let status = || everhold.run(["status"]);
        let (a, b, c, d) = tokio::join!(status(), status(), status(), status());
        for finished in [a, b, c, d] {
            let finished = finished.unwrap();
            assert_eq!(finished.status, 0, "{}", finished.last_line());
        }
    }
}
