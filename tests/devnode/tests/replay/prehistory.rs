//! What the recorded nodes had been through before the recording began.
//!
//! Exchange 84 lists the account's files: 17 of them were stored before the first exchange.
//! Exchange 6 shows three distributions of credits where the recording holds one, and what was
//! locked by then. In exchange 31 a delegated STORE is processed before the recording sets the
//! `security` aggregate: it had been set before, too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::World;
use crate::common::account::{AUTHORITY, DELEGATE, OWNER, hash_of};
use crate::common::form;
use crate::recording::Exchange;

/// Of the earlier STOREs, those that exchange 6 does not count as paid by holding.
const PAID_WITH_CREDITS: [&str; 2] = [
    "ba782a4b1b14660e7585cc6ce75fba2e593de144e478fed64a2ab6ed71f66462",
    "1d81588e8e749bce375cf9a56711e0f48f6512ff859177d40a8d6339d1cf0d94",
];
const EARLIER: f64 = 1_795_327_000.0;

/// Lives through it again. Bytes and messages are our own, of the recorded sizes and times.
pub(crate) async fn relive(world: &mut World, exchanges: &[Exchange]) {
    for n in 1..=2 {
        let credits = json!([{"address": OWNER.address, "amount": 5_000_000_000_u64, "price": "1",
            "tx_hash": format!("0x{n}"), "provider": "ALEPH"}]);
        let fields = json!({"type": "aleph_credit_distribution", "content":
            {"distribution": {"credits": credits, "token": "ALEPH", "chain": "ETH"}}});
        let time = EARLIER + f64::from(n);
        send(world, &AUTHORITY.message_for(AUTHORITY.address, "POST", fields, time)).await;
    }
    let authorizations = json!([{"address": DELEGATE.address, "types": ["STORE"],
        "channels": ["TEST"]}]);
    let fields = json!({"key": "security", "content": {"authorizations": authorizations}});
    send(world, &OWNER.message_for(OWNER.address, "AGGREGATE", fields, EARLIER)).await;

    let mut hashes = BTreeMap::new();
    for file in earlier_files(exchanges).iter().rev() {
        store(world, file, &mut hashes).await;
    }
}

/// The files of exchange 84 that no recorded message stored, newest first.
fn earlier_files(exchanges: &[Exchange]) -> Vec<Value> {
    let text = exchanges[83].response.body.as_ref();
    let text = text.and_then(|body| body.text.as_deref()).expect("exchange 84");
    let listed: Value = serde_json::from_str(text).expect("JSON");
    let sent: String = exchanges
        .iter()
        .filter_map(|exchange| exchange.request.body.as_ref()?.text.clone())
        .collect();
    let files = listed["files"].as_array().expect("files").iter();
    files
        .filter(|file| !sent.contains(file["item_hash"].as_str().expect("a hash")))
        .cloned()
        .collect()
}

async fn store(world: &mut World, file: &Value, hashes: &mut BTreeMap<String, String>) {
    let (recorded, message) = (text(file, "file_hash"), text(file, "item_hash"));
    if !hashes.contains_key(recorded) {
        let size = file["size"].as_u64().expect("a size");
        let bytes = world.bytes(usize::try_from(size).expect("a small file"));
        let engine = if recorded.len() == 64 { "storage" } else { "ipfs" };
        let kind = format!("multipart/form-data; boundary={}", crate::common::BOUNDARY);
        let path = format!("/api/v0/{engine}/add_file");
        let body = form(None, &bytes).into();
        let answer = world.nodes[0].send(reqwest::Method::POST, &path, Some(&kind), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let hash = text(&answer.json(), "hash").to_owned();
        world.map(recorded, &hash);
        hashes.insert(recorded.to_owned(), hash);
    }
    let payment = if PAID_WITH_CREDITS.contains(&message) { "credit" } else { "hold" };
    let ours = OWNER.store_paid(&hashes[recorded], payment, seconds(text(file, "created")));
    send(world, &ours).await;
    world.map(message, hash_of(&ours));
}

async fn send(world: &World, message: &Value) {
    let answer = world.nodes[0].publish(message).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    world.nodes[1].until(message, "processed").await;
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

/// The seconds of a time on the day of the recording.
fn seconds(time: &str) -> f64 {
    let clock = time.strip_prefix("2026-11-22T").and_then(|time| time.strip_suffix('Z'));
    let mut parts =
        clock.expect("the day").split(':').map(|part| part.parse::<f64>().expect("a number"));
    let mut part = || parts.next().expect("three parts");
    let midnight = 1_795_305_600.0;
    midnight + part() * 3600.0 + part() * 60.0 + part()
}
