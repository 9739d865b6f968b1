//! Who announces content: answers of delegated routing, version 1
//! (<https://specs.ipfs.tech/routing/http-routing-v1/>), read piece by piece, so that a million
//! providers take no more memory than one.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::Deserialize;
use url::Url;

use crate::{Multiaddr, is_visible};

/// Bytes of one record; a longer one is passed over.
const LONGEST: usize = 16 << 10;
/// Providers with a web server that are kept; more are counted.
const MOST_KEPT: usize = 32;
/// Providers that are told apart, and so counted: half a megabyte for their hashes.
const MOST_COUNTED: usize = 32_768;
/// Characters of a peer's name.
const LONGEST_ID: usize = 128;

/// How records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{"Providers": [record, …]}`, `application/json`.
    Json,
    /// A record a line, `application/x-ndjson`.
    Lines,
    /// What Kubo's RPC says while it looks (`routing/findprovs`), an event a line.
    Kubo,
}

/// A provider that has a web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The peer's name, shortened.
    pub id: String,
    /// Its web server: perhaps a trustless gateway.
    pub url: Url,
}

/// What an answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Providers {
    /// How many announce the content, each peer once.
    pub count: u64,
    /// Whether there are more than could be counted.
    pub more: bool,
    /// Some of those with a web server, each server once.
    pub http: Vec<Provider>,
    /// Records that make no sense, or are of a kind that is not known.
    pub passed_over: u64,
}

/// A record of the schema `peer`, and of the older `bitswap`.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "Schema")]
    schema: String,
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Addrs", default)]
    addresses: Option<Vec<serde_json::Value>>,
}

/// Kubo's event (libp2p, `routing.QueryEvent`).
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Type")]
    kind: i64,
    #[serde(rename = "Responses", default)]
    responses: Option<Vec<Peer>>,
}

/// The kind of an event that providers were found.
const PROVIDERS: i64 = 4;

#[derive(Deserialize)]
struct Peer {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Addrs", default)]
    addresses: Option<Vec<serde_json::Value>>,
}

/// Reads an answer as its bytes come.
#[derive(Debug)]
pub struct ProviderReader {
    shape: Shape,
    found: Providers,
    /// Hashes of the names of those who were counted: searches find the same peer again and again.
    counted: HashSet<u64>,
    /// The record that is being read; `None` while it is too long.
    record: Option<Vec<u8>>,
    /// How many braces and brackets are open.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl ProviderReader {
    /// A reader of an answer of this shape.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            found: Providers::default(),
            counted: HashSet::new(),
            record: Some(Vec::new()),
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// What was found so far.
    pub fn found(&self) -> &Providers {
        &self.found
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.shape {
                Shape::Lines | Shape::Kubo if *byte == b'\n' => self.close(),
                Shape::Lines | Shape::Kubo => self.keep(*byte),
                Shape::Json => self.step(*byte),
            }
        }
    }

    /// Ends it. A record that was not closed is of no use.
    pub fn finish(mut self) -> Providers {
        if self.shape != Shape::Json {
            self.close();
        }
        self.found
    }

    /// In JSON, a record is what is inside the third brace: of the document, of its list, its own.
    fn step(&mut self, byte: u8) {
        const RECORD: u32 = 3;
        let opens = !self.in_string && matches!(byte, b'{' | b'[');
        let closes = !self.in_string && matches!(byte, b'}' | b']');
        if opens {
            self.depth = self.depth.saturating_add(1);
        }
        if self.depth >= RECORD {
            self.keep(byte);
        }
        if closes {
            if self.depth == RECORD {
                self.close();
            }
            self.depth = self.depth.saturating_sub(1);
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        match &mut self.record {
            Some(record) if record.len() < LONGEST => record.push(byte),
            _ => self.record = None,
        }
    }

    fn close(&mut self) {
        let record = self.record.replace(Vec::new());
        match record {
            Some(record) if record.trim_ascii().is_empty() => {}
            Some(record) if self.shape == Shape::Kubo => match serde_json::from_slice(&record) {
                Ok(event) => self.take_event(event),
                Err(_) => self.found.passed_over += 1,
            },
            Some(record) => match serde_json::from_slice(&record) {
                Ok(record) => self.take(record),
                Err(_) => self.found.passed_over += 1,
            },
            None => self.found.passed_over += 1,
        }
    }

    /// Other events are of the search.
    fn take_event(&mut self, event: Event) {
        if event.kind == PROVIDERS {
            event.responses.into_iter().flatten().for_each(|peer| self.take_peer(&peer));
        }
    }

    fn take(&mut self, record: Record) {
        match record.schema.as_str() {
            "peer" | "bitswap" => {
                self.take_peer(&Peer { id: record.id, addresses: record.addresses });
            }
            _ => self.found.passed_over += 1,
        }
    }

    fn take_peer(&mut self, peer: &Peer) {
        if peer.id.is_empty() {
            self.found.passed_over += 1;
            return;
        }
        let mut hasher = DefaultHasher::new();
        peer.id.hash(&mut hasher);
        let name = hasher.finish();
        match self.counted.len() < MOST_COUNTED {
            true => self.found.count += u64::from(self.counted.insert(name)),
            false => self.found.more |= !self.counted.contains(&name),
        }
        let addresses = peer.addresses.iter().flatten().filter_map(serde_json::Value::as_str);
        let server = addresses.filter_map(|text| text.parse::<Multiaddr>().ok()?.http).next();
        let Some(url) = server else { return };
        let http = &mut self.found.http;
        if http.len() < MOST_KEPT && http.iter().all(|known| known.url != url) {
            let id = peer.id.chars().filter(|c| is_visible(*c)).take(LONGEST_ID).collect();
            http.push(Provider { id, url });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn read(shape: Shape, text: &str) -> Providers {
        let mut reader = ProviderReader::new(shape);
        reader.feed(text.as_bytes());
        reader.finish()
    }

    fn peer(id: &str, addresses: &[&str]) -> Value {
        json!({"Schema": "peer", "ID": id, "Addrs": addresses, "Protocols": ["transport-bitswap"], "x": {"y": [1]}})
    }

    fn lines(records: &[Value]) -> String {
        records.iter().map(|record| format!("{record}\n")).collect()
    }

    fn document(records: &[Value]) -> String {
        json!({"Providers": records}).to_string()
    }

    #[test]
    fn both_shapes_say_the_same() {
        let records = [
            peer("12D3a", &["/ip4/1.2.3.4/tcp/4001", "/dns4/a.example/tcp/443/tls/http"]),
            peer("12D3b", &["/ip4/1.2.3.4/udp/4001/quic-v1"]),
            json!({"Schema": "peer", "ID": "12D3c", "Addrs": null}),
            json!({"Schema": "bitswap", "ID": "12D3d", "Protocol": "transport-bitswap"}),
            peer("12D3e", &["/dns4/a.example/tcp/443/https"]),
            json!({"Schema": "unknown", "ID": "12D3f"}),
            json!({"Schema": "peer"}),
            json!({"Schema": "peer", "ID": "}]\"\\{[", "Addrs": [5, "x", "/ip4/1.2.3.4/tcp/80/http"]}),
        ];
        let found = read(Shape::Lines, &lines(&records));
        assert_eq!((found.count, found.passed_over), (6, 2));
        let http: Vec<_> =
            found.http.iter().map(|one| (one.id.as_str(), one.url.as_str())).collect();
        assert_eq!(http, [("12D3a", "https://a.example/"), ("}]\"\\{[", "http://1.2.3.4/")]);
        assert_eq!(read(Shape::Json, &document(&records)), found);
        let pretty = serde_json::to_string_pretty(&json!({"Providers": records})).unwrap();
        assert_eq!(read(Shape::Json, &pretty), found);
    }

    #[test]
    fn kubo_tells_of_its_search_too() {
        let text = lines(&[
            json!({"Extra": "", "ID": "12D3x", "Responses": null, "Type": 0}),
            json!({"ID": "12D3x", "Responses": [{"ID": "12D3y", "Addrs": []}], "Type": 1}),
            json!({"ID": "", "Responses": [{"ID": "12D3a", "Addrs": ["/ip4/1.2.3.4/tcp/80/http"]},
                {"ID": "12D3b", "Addrs": null}], "Type": 4}),
            json!({"ID": "", "Responses": [{"ID": "12D3a", "Addrs": []}], "Type": 4}),
            json!({"Type": "4"}),
        ]);
        let found = read(Shape::Kubo, &text);
        assert_eq!((found.count, found.http.len(), found.passed_over), (2, 1, 1));
    }

    #[test]
    fn nothing_is_announced() {
        for text in ["{}", "{\"Providers\":null}", "{\"Providers\":[]}", "", "null"] {
            assert_eq!(read(Shape::Json, text), Providers::default(), "{text}");
        }
        assert_eq!(read(Shape::Lines, "\n \n\r\n"), Providers::default());
    }

    #[test]
    fn a_million_take_no_more_memory_than_a_few() {
        let mut reader = ProviderReader::new(Shape::Json);
        reader.feed(b"{\"Providers\":[");
        for at in 0..1_000_000 {
            let server =
                format!("/ip4/1.{}.{}.{}/tcp/80/http", at >> 16, (at >> 8) & 255, at & 255);
            reader.feed(
                format!("{{\"Schema\":\"peer\",\"ID\":\"{at}\",\"Addrs\":[\"{server}\"]}},")
                    .as_bytes(),
            );
        }
        let found = &reader.found;
        assert_eq!((found.count, found.more), (MOST_COUNTED as u64, true));
        assert_eq!(found.http.len(), MOST_KEPT);
        let mut endless = ProviderReader::new(Shape::Lines);
        for _ in 0..1000 {
            endless.feed(&[b'['; 1000]);
        }
        assert!(endless.record.as_ref().is_none_or(|record| record.capacity() <= 2 * LONGEST));
        assert_eq!(endless.finish().passed_over, 1);
    }

    proptest! {
        /// However it is cut into pieces, and whatever it is, the same is read.
        #[test]
        fn pieces_do_not_matter(
            ids in proptest::collection::vec("[a-z{}\\[\\]\"\\\\ ]{0,8}", 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..40),
            size in 1_usize..50,
        ) {
            let records: Vec<_> = ids.iter().map(|id| peer(id, &["/ip4/1.2.3.4/tcp/1/http"])).collect();
            let named: HashSet<_> = ids.iter().filter(|id| !id.is_empty()).collect();
            let named = named.len() as u64;
            for (shape, text) in [(Shape::Json, document(&records)), (Shape::Lines, lines(&records))] {
                prop_assert_eq!(read(shape, &text).count, named);
                let bytes = [text.as_bytes(), &noise].concat();
                let mut whole = ProviderReader::new(shape);
                whole.feed(&bytes);
                let mut pieces = ProviderReader::new(shape);
                bytes.chunks(size).for_each(|piece| pieces.feed(piece));
                prop_assert_eq!(whole.finish(), pieces.finish());
            }
        }
    }
}
