//! The network's own list of its Core Channel Nodes: the aggregate `corechannel`, as a node answers
//! with it (`GET /api/v0/aggregates/ADDRESS.json?keys=corechannel`).

use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::Multiaddr;

/// The port of a Core Channel Node's HTTP interface; the list has that of its peer-to-peer one.
const HTTP_PORT: u16 = 4024;
/// Entries that are read. The network has about 90 nodes.
const MOST: usize = 10_000;

/// A node that is in use, as the network lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListedNode {
    /// Its HTTP interface.
    pub url: Url,
    /// The account that owns it: `0x` and 40 hexadecimal digits in lower case.
    pub owner: String,
}

/// What could be read of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeList {
    /// Nodes in use, each once, sorted.
    pub nodes: Vec<ListedNode>,
    /// Entries that make no sense: without an owner, or with an address of no machine.
    pub nonsense: usize,
    /// Entries of nodes that are not in use: too little is staked on them.
    pub inactive: usize,
}

/// An answer that is no list.
#[derive(Debug, thiserror::Error)]
#[error("no list of nodes: {0}")]
pub struct NodeListError(#[from] serde_json::Error);

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    corechannel: Core<'a>,
}

#[derive(Deserialize)]
struct Core<'a> {
    #[serde(borrow)]
    nodes: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry {
    multiaddress: String,
    owner: String,
    status: String,
}

impl NodeList {
    /// Reads an answer. An entry that makes no sense hides no other; times and scores in it count
    /// for nothing.
    ///
    /// # Errors
    /// Where it is no such document.
    pub fn parse(json: &[u8]) -> Result<Self, NodeListError> {
        let answer: Answer<'_> = serde_json::from_slice(json)?;
        let mut list = Self::default();
        let entries = answer.data.corechannel.nodes;
        list.nonsense = entries.len().saturating_sub(MOST);
        for entry in entries.into_iter().take(MOST) {
            match serde_json::from_str::<Entry>(entry.get()) {
                // The others are `waiting` for a stake.
                Ok(entry) if entry.status != "active" => list.inactive += 1,
                Ok(entry) => match entry.node() {
                    Some(node) => list.nodes.push(node),
                    None => list.nonsense += 1,
                },
                Err(_) => list.nonsense += 1,
            }
        }
        list.nodes.sort();
        list.nodes.dedup();
        Ok(list)
    }
}

impl Entry {
    fn node(&self) -> Option<ListedNode> {
        let digits = self.owner.strip_prefix("0x")?;
        if digits.len() != 40 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let url = self.multiaddress.parse::<Multiaddr>().ok()?.at_port(HTTP_PORT)?;
        Some(ListedNode { url, owner: self.owner.to_ascii_lowercase() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const OWNER: &str = "0xE221373557Cdcf8a52b20EEd4FDFfC2cb7a50Bb4";

    fn list(nodes: Value) -> NodeList {
        let answer = json!({
            "address": "0xa1B3bb7d2332383D96b7796B908fB7f7F3c2Be10",
            "data": {"corechannel": {"nodes": nodes, "resource_nodes": [{"status": "linked"}]}},
        });
        NodeList::parse(answer.to_string().as_bytes()).unwrap()
    }

    /// As the network has it, with what is not looked at.
    fn entry(multiaddress: &str) -> Value {
        json!({
            "hash": "1bc6", "name": "n", "owner": OWNER, "reward": OWNER, "status": "active",
            "time": 99_999_999_999.0, "score": 0.9, "stakers": {}, "locked": true,
            "multiaddress": multiaddress,
        })
    }

    #[test]
    fn nodes_in_use_are_found_at_their_http_port() {
        let list = list(json!([
            entry(
                "/ip4/46.255.204.193/tcp/4025/p2p/Qmb5b2ZwJm9pVWrppf3D3iMF1bXbjZhbJTwGvKEBMZNxa2"
            ),
            entry("/dns4/node.example/tcp/4025/p2p/Qm"),
            entry("/ip6/2001:db8::1/tcp/4025/p2p/Qm"),
            entry("/ip4/46.255.204.193/tcp/4025/p2p/QmAnother"),
        ]));
        let urls: Vec<_> = list.nodes.iter().map(|node| node.url.as_str()).collect();
        let expected = [
            "http://46.255.204.193:4024/",
            "http://[2001:db8::1]:4024/",
            "http://node.example:4024/",
        ];
        assert_eq!(urls, expected);
        assert!(list.nodes.iter().all(|node| node.owner == OWNER.to_ascii_lowercase()));
        assert_eq!((list.nonsense, list.inactive), (0, 0));
    }

    #[test]
    fn nonsense_is_passed_over_and_counted() {
        let mut waiting = entry("/ip4/1.2.3.4/tcp/4025");
        waiting["status"] = "waiting".into();
        let mut of_nobody = entry("/ip4/1.2.3.4/tcp/4025");
        of_nobody["owner"] = "0x12".into();
        let mut without = entry("/ip4/1.2.3.4/tcp/4025");
        without.as_object_mut().unwrap().remove("owner");
        let list = list(json!([
            entry(""),
            entry("none"),
            entry("/ip4/999.1.1.1/tcp/4025"),
            entry("/unix/x"),
            json!(5),
            json!(null),
            json!([]),
            entry(&"/".repeat(100_000)),
            of_nobody,
            without,
            waiting,
            entry("/ip4/1.2.3.4/tcp/4025"),
        ]));
        assert_eq!((list.nodes.len(), list.nonsense, list.inactive), (1, 10, 1));
    }

    #[test]
    fn no_more_are_read_than_a_network_has() {
        let nodes: Vec<_> = (0..MOST + 5)
            .map(|at| entry(&format!("/ip4/1.{}.{}.{}/tcp/1", at >> 16, (at >> 8) & 255, at & 255)))
            .collect();
        let list = list(nodes.into());
        assert_eq!((list.nodes.len(), list.nonsense), (MOST, 5));
    }

    #[test]
    fn other_answers_are_no_list() {
        for answer in
            ["", "[]", "{}", "{\"data\":{}}", "{\"data\":{\"corechannel\":{\"nodes\":{}}}}"]
        {
            assert!(NodeList::parse(answer.as_bytes()).is_err(), "{answer}");
        }
        let deep = format!("{{\"data\":{{\"corechannel\":{{\"nodes\":[{}", "[".repeat(100_000));
        assert!(NodeList::parse(deep.as_bytes()).is_err());
    }
}
