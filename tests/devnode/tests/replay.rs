//! Replays the whole recording, in order, against two nodes that are peers of each other.
#![allow(clippy::expect_used, clippy::panic)] // a test that fails says so

mod common;
#[path = "replay/compare.rs"]
mod compare;
#[path = "replay/prehistory.rs"]
mod prehistory;
#[path = "replay/recording.rs"]
mod recording;

use std::time::{Duration, Instant};

use common::account::OWNER;
use common::{Answer, Devnode, PATIENCE, file_part_head};
use recording::{Exchange, read};
use reqwest::Method;
use serde_json::{Value, json};

/// Exchanges left out, each with its reason: none.
const EXCLUDED: [(usize, &str); 0] = [];

/// The file on which the recording tries faults.
const FILE: &str = "4db67fbfac1888f5ba165b77d60bbc69c995c8e390f72993f28dd5020da14a2d";

/// Two nodes, and what stands in for what the recording names.
pub struct World {
    nodes: [Devnode; 2],
    /// Recorded texts (hashes, signatures) and ours.
    map: Vec<(String, String)>,
    /// Our bytes for recorded bodies that were too large to keep, by recorded CID.
    files: Vec<(String, Vec<u8>)>,
    seed: u64,
}

#[tokio::test]
async fn all_95_exchanges() {
    let exchanges = read();
    assert_eq!(exchanges.len(), 95);
    let mut world = World::start().await;
    prehistory::relive(&mut world, &exchanges).await;
    for (n, exchange) in (1..).zip(&exchanges) {
        world.by_hand(n).await;
        if !EXCLUDED.iter().any(|(excluded, _)| *excluded == n) {
            world.replay(n, exchange).await;
        }
    }
}

impl World {
    async fn start() -> Self {
        let ccn1 = Devnode::start(&["--trusting", "false"]);
        let ccn2 = Devnode::start(&["--trusting", "false", "--peer", &ccn1.url]);
        ccn1.dev("connect", json!({"peer": ccn2.url})).await;
        let (map, files, seed) = (Vec::new(), Vec::new(), 1);
        Self { nodes: [ccn1, ccn2], map, files, seed }
    }

    /// What was done on ccn2 between exchanges: to its disk by hand, and by the time a message
    /// needed, which is made certain here.
    async fn by_hand(&self, before: usize) {
        let ccn2 = &self.nodes[1];
        let on_disk = ccn2.file(FILE);
        match before {
            7 | 85 => self.pause(true).await,
            10 | 72 | 87 => self.pause(false).await,
            // HEAD says 200, GET says 404: the file was deleted.
            64 => std::fs::remove_file(on_disk).expect("it is there"),
            // The same length, other bytes.
            69 => std::fs::write(on_disk, "X".repeat(36)).expect("it can be written"),
            // Exchange 73 shows the right bytes again, which a STORE brings back only where
            // nothing is left: the file was deleted once more.
            70 => {
                std::fs::remove_file(on_disk).expect("it is there");
                self.pause(true).await;
            }
            _ => {}
        }
    }

    async fn pause(&self, paused: bool) {
        let ccn2 = &self.nodes[1];
        ccn2.dev("replication", json!({"paused": paused})).await;
    }

    /// Sends a request and compares the answer; asks again while a message is on its way.
    async fn replay(&mut self, n: usize, exchange: &Exchange) {
        let (body, file) = self.request_body(exchange);
        let begun = Instant::now();
        loop {
            let answer = self.ask(exchange, body.clone()).await;
            if let Some((recorded, bytes)) = &file {
                let hash = answer.json()["hash"].as_str().expect("a hash").to_owned();
                self.map(recorded, &hash);
                self.files.push((recorded.clone(), bytes.clone()));
            }
            let Some(difference) = self.difference(exchange, &answer) else {
                return;
            };
            let may_wait = exchange.request.method == "GET" && begun.elapsed() < PATIENCE;
            assert!(may_wait, "exchange {n}, {}: {difference}", exchange.request.path);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn ask(&self, exchange: &Exchange, body: Vec<u8>) -> Answer {
        let request = &exchange.request;
        let node = &self.nodes[usize::from(exchange.node == "ccn2")];
        let method: Method = request.method.parse().expect("a method");
        let path = self.mapped(&request.path);
        let kind = request.content_type.as_deref();
        node.send(method, &path, kind, body.into()).await
    }

    /// The recorded body, or ours in its place; with our file and the CID recorded for it.
    fn request_body(&mut self, exchange: &Exchange) -> (Vec<u8>, Option<(String, Vec<u8>)>) {
        let request = &exchange.request;
        let Some(body) = &request.body else {
            return (Vec::new(), None);
        };
        if let Some(size) = body.bytes {
            let boundary = request.content_type.as_deref();
            let boundary = boundary.and_then(|kind| kind.split_once("boundary="));
            let boundary = boundary.expect("a form").1;
            let (head, tail) = (file_part_head(boundary), format!("\r\n--{boundary}--\r\n"));
            let bytes = self.bytes(size - head.len() - tail.len());
            let whole = [head.as_bytes(), &bytes, tail.as_bytes()].concat();
            let recorded = recorded_json(exchange)["hash"].as_str().map(str::to_owned);
            return (whole, Some((recorded.expect("a hash"), bytes)));
        }
        let text = body.text.as_deref().expect("a text");
        if request.content_type.as_deref() == Some("application/json") {
            return (self.signed_anew(text).into_bytes(), None);
        }
        (text.into(), None)
    }

    /// A recorded message; signed anew where a hash in it is another one here.
    fn signed_anew(&mut self, text: &str) -> String {
        let mut body: Value = serde_json::from_str(text).expect("JSON");
        let message = &body["message"];
        let get = |key: &str| message[key].as_str().expect("a text").to_owned();
        let content = self.mapped(&get("item_content"));
        if content == get("item_content") {
            return text.to_owned();
        }
        assert_eq!(get("sender"), OWNER.address);
        let time = message["time"].as_f64().expect("a time");
        let ours = OWNER.sign(&get("type"), &content, time, &get("channel"));
        for key in ["item_hash", "signature"] {
            let recorded = get(key);
            self.map(&recorded, ours[key].as_str().expect("a text"));
        }
        body["message"] = ours;
        body.to_string()
    }

    fn difference(&self, exchange: &Exchange, answer: &Answer) -> Option<String> {
        let recorded = &exchange.response;
        if recorded.status != answer.status {
            return Some(format!("{} {}", answer.status, answer.text()));
        }
        let is_json = recorded.headers["content-type"].starts_with("application/json");
        for (name, value) in &recorded.headers {
            // Spaces in JSON are another matter than what it says.
            let counts = !(is_json && name == "content-length");
            let answered = answer.headers.get(name).and_then(|value| value.to_str().ok());
            if counts && answered != Some(value) {
                return Some(format!("{name}: {answered:?}, not {value}"));
            }
        }
        if is_json {
            return compare::difference("", &self.mapped_json(exchange), &answer.json());
        }
        let expected = self.expected_bytes(exchange);
        (expected != answer.body).then(|| format!("other bytes: {}", answer.text()))
    }

    fn expected_bytes(&self, exchange: &Exchange) -> Vec<u8> {
        let Some(body) = &exchange.response.body else {
            return Vec::new();
        };
        if let Some(text) = &body.text {
            return text.clone().into_bytes();
        }
        let path = &exchange.request.path;
        let file = self.files.iter().find(|(cid, _)| path.ends_with(cid.as_str()));
        let (_, bytes) = file.expect("a file of ours");
        assert_eq!(body.bytes, Some(bytes.len()));
        bytes.clone()
    }

    fn mapped_json(&self, exchange: &Exchange) -> Value {
        let text = recorded_json(exchange).to_string();
        serde_json::from_str(&self.mapped(&text)).expect("JSON")
    }

    fn mapped(&self, text: &str) -> String {
        let map = self.map.iter();
        map.fold(text.to_owned(), |text, (recorded, ours)| text.replace(recorded, ours))
    }

    fn map(&mut self, recorded: &str, ours: &str) {
        self.map.push((recorded.to_owned(), ours.to_owned()));
    }

    /// Bytes that were never given before.
    fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut next = || {
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            self.seed.to_le_bytes()[3]
        };
        (0..size).map(|_| next()).collect()
    }
}

fn recorded_json(exchange: &Exchange) -> Value {
    let body = exchange.response.body.as_ref();
    let text = body.and_then(|body| body.text.as_deref()).expect("a text");
    serde_json::from_str(text).expect("JSON")
}
