//! Other nodes: messages are sent to them in order, files are asked of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::{Node, PEER_HEADER};
use crate::envelope::Message;

/// A message that a peer would not take is given up after this many tries.
const TRIES: u32 = 50;

/// The peers a node is connected to.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) client: Client,
    lines: Mutex<BTreeMap<String, Line>>,
}

#[derive(Debug)]
struct Line {
    messages: UnboundedSender<Arc<Value>>,
    sender: AbortHandle,
}

impl Peers {
    pub(super) fn new() -> reqwest::Result<Self> {
        let client = crate::http_client()
            .connect_timeout(Duration::from_secs(2))
            .read_timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self { client, lines: Mutex::default() })
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.lines().keys().cloned().collect()
    }
}

impl Node {
    /// Connects to a peer and sends it every message in force.
    pub fn connect(self: &Arc<Self>, peer: &str) {
        let peer = peer.trim_end_matches('/').to_owned();
        let (messages, queue) = unbounded_channel();
        for message in self.history() {
            // The queue is held right here, so that it can't be closed.
            let _ = messages.send(Arc::new(message));
        }
        let own = self.url.get().cloned().unwrap_or_default();
        let task = tokio::spawn(send_all(self.peers.client.clone(), own, peer.clone(), queue));
        let sender = task.abort_handle();
        let line = Line { messages, sender };
        if let Some(old) = self.peers.lines().insert(peer, line) {
            old.sender.abort();
        }
    }

    /// Parts from a peer, or from all of them.
    pub fn disconnect(&self, peer: Option<&str>) {
        let peer = peer.map(|peer| peer.trim_end_matches('/'));
        self.peers.lines().retain(|url, line| {
            let stays = peer.is_some_and(|peer| peer != url);
            if !stays {
                line.sender.abort();
            }
            stays
        });
    }

    /// Whether a STORE is processed though its file is not here.
    pub(super) fn is_trusting(&self) -> bool {
        let alone = || self.peers.lines().is_empty();
        self.config.trusting.unwrap_or_else(alone)
    }

    /// The peers' URLs.
    pub fn peer_urls(&self) -> Vec<String> {
        self.peers.urls()
    }

    /// Sends a message to all peers.
    pub(super) fn publish(&self, message: &Message) {
        let message = Arc::new(json!(message.envelope));
        for line in self.peers.lines().values() {
            // A line that is closed has been parted from.
            let _ = line.messages.send(message.clone());
        }
    }

    fn history(&self) -> Vec<Value> {
        let ledger = self.ledger();
        let mut records: Vec<_> =
            ledger.records().filter(|record| record.status.is_in_force()).collect();
        records.sort_by(|a, b| a.received.total_cmp(&b.received));
        records.into_iter().map(|record| json!(record.message.envelope)).collect()
    }
}

async fn send_all(
    client: Client,
    own: String,
    peer: String,
    mut queue: UnboundedReceiver<Arc<Value>>,
) {
    while let Some(message) = queue.recv().await {
        let mut delay = Duration::from_millis(50);
        for _ in 0..TRIES {
            if send(&client, &own, &peer, &message).await {
                break;
            }
            sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(2));
        }
    }
}

/// Whether the peer took the message, or never will.
async fn send(client: &Client, own: &str, peer: &str, message: &Value) -> bool {
    let sent = client
        .post(format!("{peer}/api/v0/messages"))
        .header(PEER_HEADER, own)
        .json(&json!({"sync": false, "message": message}))
        .send()
        .await;
    sent.is_ok_and(|answer| !answer.status().is_server_error())
}
