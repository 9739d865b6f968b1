//! What messages must be, and what they do.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;

use common::Devnode;
use common::account::{AUTHORITY, DELEGATE, OWNER, THEN, hash_of, sha256};
use futures::StreamExt;
use serde_json::{Value, json};

async fn refusal(node: &Devnode, message: &Value) -> (Value, Value) {
    let answer = node.publish(message).await;
    assert_eq!(answer.status, 422, "{}", answer.text());
    let path = format!("/api/v0/messages/{}", hash_of(message));
    let record = node.get(&path).await.json();
    assert_eq!(record["status"], json!("rejected"));
    (record["error_code"].clone(), record["details"]["errors"][0].clone())
}

#[tokio::test]
async fn signatures() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add("signed").await;
    let (good, other) = (OWNER.store(&hash), DELEGATE.store(&hash));
    let mut forged = good.clone();
    forged["signature"] = other["signature"].clone();
    let (code, error) = refusal(&node, &forged).await;
    assert_eq!((code, error), (json!(1), json!("The signature of the message is invalid")));
    let upload = node.add_form("storage", Some(&forged), b"signed").await;
    assert_eq!((upload.status, upload.text().as_str()), (403, "403: Forbidden"));
    // The same message with its true signature is taken after all.
    assert_eq!(node.publish(&good).await.status, 200);
}

#[tokio::test]
async fn forms() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let mut tampered = OWNER.store(&sha256("x"));
    let content = tampered["item_content"].as_str().expect("a text");
    tampered["item_content"] = json!(content.replace("credit", "hold"));
    let program = OWNER.message("POST", json!({"type": "t"}));
    let mut program = program;
    program["type"] = json!("PROGRAM");
    for message in [tampered, program, json!(null), OWNER.message("STORE", json!({}))] {
        let answer = node.publish(&message).await;
        assert_eq!((answer.status, answer.text().as_str()), (422, "InvalidMessageFormat"));
    }
    let crossed = json!({"item_type": "ipfs", "item_hash": sha256("x")});
    let (code, _) = refusal(&node, &OWNER.message("STORE", crossed)).await;
    assert_eq!(code, json!(0));
}

#[tokio::test]
async fn permissions() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add("delegated").await;
    let fields = json!({"item_type": "storage", "item_hash": hash});
    let store = DELEGATE.message_for(OWNER.address, "STORE", fields, THEN);
    assert_eq!(refusal(&node, &store).await.0, json!(2));
    let allow = |channel: &str| {
        let entry = json!({"address": DELEGATE.address.to_lowercase(), "types": ["STORE"],
            "channels": [channel]});
        json!({"key": "security", "content": {"authorizations": [entry]}})
    };
    node.publish(&OWNER.message("AGGREGATE", allow("OTHER"))).await;
    assert_eq!(refusal(&node, &store).await.0, json!(2));
    let later = OWNER.message_for(OWNER.address, "AGGREGATE", allow("TEST"), THEN + 1.0);
    node.publish(&later).await;
    assert_eq!(node.publish(&store).await.status, 200);
    let post = json!({"type": "t", "content": 1});
    let post = DELEGATE.message_for(OWNER.address, "POST", post, THEN);
    assert_eq!(refusal(&node, &post).await.0, json!(2));
}

#[tokio::test]
async fn payment() {
    let rich = format!("{}=1000", OWNER.address);
    let node = Devnode::start(&["--credit", &rich]);
    let hash = node.add("paid").await;
    // 129.37 credits a day for each STORE: seven of them, not eight.
    for n in 0..7 {
        let store = OWNER.store_paid(&hash, "credit", THEN + f64::from(n));
        assert_eq!(node.publish(&store).await.status, 200);
    }
    let (code, error) = refusal(&node, &OWNER.store_paid(&hash, "credit", THEN + 7.0)).await;
    assert_eq!(code, json!(6));
    assert_eq!(error["account_credits"], json!("1000"));
    let upload = node.add_form("storage", Some(&DELEGATE.store(&sha256("poor"))), b"poor").await;
    assert_eq!((upload.status, upload.text().as_str()), (402, "402: Payment Required"));
    assert_eq!(node.raw(&sha256("poor")).await.status, 404);

    // Credits come by message, too, but only from the authority.
    let credits = json!({"distribution": {"credits":
        [{"address": DELEGATE.address, "amount": 500}]}});
    let fields = json!({"type": "aleph_credit_distribution", "content": credits});
    node.publish(&OWNER.message("POST", fields.clone())).await;
    assert_eq!(refusal(&node, &DELEGATE.store(&hash)).await.0, json!(6));
    node.publish(&AUTHORITY.message("POST", fields)).await;
    assert_eq!(node.publish(&DELEGATE.store(&hash)).await.status, 200);
}

#[tokio::test]
async fn holding_pays_until_2027() {
    let node = Devnode::start(&["--max-storage-unsigned", "50000000"]);
    let small = node.add("small").await;
    let large = node.add(vec![7; 30 << 20]).await;
    assert_eq!(node.publish(&OWNER.store_paid(&small, "hold", THEN)).await.status, 200);
    assert_eq!(refusal(&node, &OWNER.store_paid(&large, "hold", THEN)).await.0, json!(5));
    let late = OWNER.store_paid(&small, "hold", 1_798_761_600.0);
    assert_eq!(refusal(&node, &late).await, (json!(202), json!(null)));
    let balances = json!({"type": "balances-update", "content":
        {"chain": "ETH", "main_height": 1, "balances": {OWNER.address: 11.0}}});
    node.publish(&AUTHORITY.message("POST", balances)).await;
    assert_eq!(node.publish(&OWNER.store_paid(&large, "hold", THEN)).await.status, 200);
}

#[tokio::test]
async fn forgetting_and_removal() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add("going").await;
    let store = OWNER.store(&hash);
    let forget = |by: common::account::Account| {
        by.message("FORGET", json!({"hashes": [hash_of(&store)], "reason": "test"}))
    };
    // Its target is not here yet.
    assert_eq!(node.publish(&forget(OWNER)).await.status, 202);
    node.publish(&store).await;
    node.until(&store, "forgotten").await;
    assert_eq!(refusal(&node, &OWNER.message("FORGET", json!({}))).await.0, json!(500));

    let other = OWNER.store_paid(&hash, "credit", THEN + 1.0);
    node.publish(&other).await;
    let foreign = DELEGATE.message("FORGET", json!({"hashes": [hash_of(&other)]}));
    assert_eq!(refusal(&node, &foreign).await.0, json!(2));
    for status in ["removing", "processed", "removed"] {
        let wanted = json!({"message": hash_of(&other), "status": status});
        node.dev("status", wanted).await;
        let path = format!("/api/v0/messages/{}", hash_of(&other));
        let record = node.get(&path).await.json();
        assert_eq!(record["status"], json!(status));
        if status != "processed" {
            assert_eq!(record["reason"], json!("credit_insufficient"));
        }
        // The bytes are served until the message is removed.
        let served = node.raw(&hash).await.status;
        assert_eq!(served, if status == "removed" { 404 } else { 200 });
        let path = format!("/api/v0/messages.json?contentHashes={hash}");
        let listed = node.get(&path).await.json();
        assert_eq!(listed["pagination_total"] == json!(1), status != "removed");
    }
}

#[tokio::test]
async fn lists_and_refs() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add("listed").await;
    for n in 0..25 {
        node.publish(&OWNER.store_paid(&hash, "credit", THEN + f64::from(n))).await;
    }
    let page = node.get("/api/v0/messages.json?page=2&owners=x").await.json();
    assert_eq!(page["pagination_total"], json!(0));
    let page = node.get("/api/v0/messages.json?page=2").await.json();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(5));
    assert_eq!(page["messages"][4]["time"], json!(THEN));
    let path = format!("/api/v0/messages.json?startDate={}&pagination=0", THEN + 20.0);
    let recent = node.get(&path).await.json();
    assert_eq!(recent["messages"].as_array().map(Vec::len), Some(5));
    let missing = node.get("/api/v0/storage/by-ref/0x1/none").await;
    assert_eq!((missing.status, missing.text().as_str()), (404, "No file found for tag 0x1/none"));
    let first = hash_of(&OWNER.store_paid(&hash, "credit", THEN)).to_owned();
    let update = json!({"item_type": "storage", "item_hash": node.add("newer").await,
        "ref": first, "payment": {"chain": "ETH", "type": "credit"}});
    let update = OWNER.message_for(OWNER.address, "STORE", update, THEN + 99.0);
    assert_eq!(node.publish(&update).await.status, 200);
    let path = format!("/api/v0/storage/by-ref/{}/{first}", OWNER.address);
    assert_eq!(node.get(&path).await.json()["file_hash"], json!(sha256("newer")));
}

#[tokio::test]
async fn live_messages() {
    let node = Devnode::start(&["--unlimited-credit"]);
    let hash = node.add("live").await;
    node.publish(&OWNER.store(&hash)).await;
    let url = node.url.replace("http", "ws") + "/api/ws0/messages?msgType=STORE";
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("a socket");
    let mut next = async || {
        let frame = socket.next().await.expect("a frame").expect("which is good");
        serde_json::from_str::<Value>(frame.to_text().expect("text")).expect("JSON")
    };
    assert_eq!(next().await["item_hash"], OWNER.store(&hash)["item_hash"]);
    node.publish(&OWNER.message("POST", json!({"type": "t", "content": 1}))).await;
    let coming = OWNER.store_paid(&hash, "hold", THEN);
    node.publish(&coming).await;
    let message = next().await;
    assert_eq!(message["item_hash"], coming["item_hash"]);
    assert_eq!(message["confirmed"], json!(false));
}
