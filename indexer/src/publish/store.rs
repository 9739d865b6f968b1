//! Stores contents on every configured node, and believes none of them: a content is stored
//! where a full GET gave the right bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use alloy::signers::local::PrivateKeySigner;
use futures::{StreamExt, stream};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Item;
use crate::{
    config::{Config, Payment},
    content::ContentId,
    health::ReplicaState,
    nodes::{
        self, FetchError, Fetcher, Known,
        aleph::{AlephError, Client, Message, MessageStatus, lists_suffice, sign_store},
        probe,
    },
};

/// Why contents could not be stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No node to store on.
    #[error("no aleph node is configured: set [aleph] nodes")]
    NoNodes,
    /// All nodes are down.
    #[error("none of the nodes can be reached: {0}")]
    AllDown(String),
    /// The account can't pay.
    #[error("{node} refused to store {}: HTTP 402, payment required; account {account}: {reason}", path.display())]
    Payment {
        /// Which node.
        node: String,
        /// Which file.
        path: std::path::PathBuf,
        /// Who should pay.
        account: String,
        /// What the network says.
        reason: String,
    },
    /// No node would take it.
    #[error("no node took {} ({id}): {reason}", path.display())]
    Refused {
        /// Which file.
        path: std::path::PathBuf,
        /// Its name.
        id: Box<ContentId>,
        /// What the last node said.
        reason: String,
    },
    /// Too few nodes say which STOREs there are already.
    #[error(
        "nodes can't list which STOREs of {account} live, and another of the same file would be billed, too: {reasons}; try again later, or leave such nodes out of [aleph] nodes"
    )]
    Unlisted {
        /// Whose.
        account: String,
        /// What each of these nodes said.
        reasons: String,
    },
    /// A message could not be signed.
    #[error("can't sign a STORE message: {0}")]
    Sign(#[from] alloy::signers::Error),
}

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How each node stands after storing.
#[derive(Clone, Debug, serde::Serialize)]
pub struct NodeReport {
    /// Its URL.
    pub url: String,
    /// Contents it served right.
    pub verified: usize,
    /// Contents it does not serve right.
    pub lacking: usize,
    /// Why it could not be asked, if so.
    pub down: Option<String>,
}

/// What storing did.
#[derive(Clone, Debug, serde::Serialize)]
pub struct StoreReport {
    /// Contents that are to be stored.
    pub contents: usize,
    /// Uploads made, counted once a node and content.
    pub uploads: u64,
    /// STORE messages signed anew; each is billed as at least 25 MiB.
    pub stores: u64,
    /// Each node.
    pub nodes: Vec<NodeReport>,
    /// The fewest nodes that serve a content right.
    pub fewest: usize,
}

impl StoreReport {
    /// Nodes that must serve each content for the policy's `min`. Gateways can't be stored on,
    /// so they are not missed here.
    pub fn required(&self, min: u32) -> usize {
        self.nodes.len().min(min as usize)
    }
}

/// Which nodes serve which contents right, before or after.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Pairs of node and item index.
    verified: BTreeSet<(usize, usize)>,
    /// Nodes that can't be asked, and why.
    down: BTreeMap<usize, String>,
}

/// Stores contents with a key that signs and pays.
#[derive(Debug)]
pub struct Storer {
    clients: Vec<Client>,
    signer: PrivateKeySigner,
    channel: String,
    payment: Payment,
    wait: Duration,
    uploads: AtomicU64,
    stores: AtomicU64,
}

/// Contents in work at once.
const AT_ONCE: usize = 8;
/// A node that has not heard of a message after this is not connected to the one that has.
const GOSSIP: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(400);
/// Uploads up to this length need no signed message (the network's default).
const UNSIGNED: u64 = 25 << 20;

impl Storer {
    /// Stores on the aleph nodes of the configuration.
    pub fn new(config: &Config, fetcher: &Fetcher, signer: PrivateKeySigner) -> Result<Self> {
        let client =
            |node: &crate::config::NodeConfig| Client::new(node.url.clone(), fetcher.clone());
        let clients: Vec<_> = config.aleph.named().iter().map(client).collect();
        if clients.is_empty() {
            return Err(StoreError::NoNodes);
        }
        Ok(Self {
            clients,
            signer,
            channel: config.aleph.channel.clone(),
            payment: config.aleph.payment,
            wait: config.repair.wait.0,
            uploads: AtomicU64::new(0),
            stores: AtomicU64::new(0),
        })
    }

    fn account(&self) -> String {
        self.signer.address().to_checksum(None)
    }

    /// Asks every node for every content, and hashes what comes.
    pub async fn survey(&self, items: &[Item]) -> Result<Survey> {
        let mut survey = Survey::default();
        for (node, client) in self.clients.iter().enumerate() {
            let probes = stream::iter(items.iter().enumerate())
                .map(|(index, item)| async move {
                    (index, probe(client, &item.id, Known::default(), None).await)
                })
                .buffer_unordered(AT_ONCE);
            let mut probes = std::pin::pin!(probes);
            while let Some((index, seen)) = probes.next().await {
                if seen.state == ReplicaState::Verified {
                    survey.verified.insert((node, index));
                } else if seen.state == ReplicaState::Unreachable && seen.http_status.is_none() {
                    let why = seen.detail.unwrap_or_default();
                    warn!("{} is down: {why}; the others go on", client_name(client));
                    survey.down.insert(node, why);
                    break;
                }
            }
        }
        if survey.down.len() == self.clients.len() {
            let all = survey.down.iter();
            let all =
                all.map(|(node, why)| format!("{}: {why}", client_name(&self.clients[*node])));
            return Err(StoreError::AllDown(all.collect::<Vec<_>>().join("; ")));
        }
        Ok(survey)
    }

    /// Stores every item on every node that is up: on one first, so that connected nodes fetch
    /// from it, then on those that lag.
    pub async fn store(&self, items: &[Item], survey: &mut Survey) -> Result<StoreReport> {
        let mut messages = BTreeMap::new();
        let seeded: Vec<Result<_>> = {
            let before = &*survey;
            stream::iter(items.iter().enumerate())
                .map(|(index, item)| self.seed(index, item, before))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await
        };
        for seed in seeded {
            let Some((index, node, message)) = seed? else { continue };
            survey.verified.insert((node, index));
            messages.insert(index, Seeded { node, message });
        }
        self.catch_up(items, &messages, survey).await;
        Ok(self.report(items.len(), survey))
    }

    /// What storing would do, and how things stand.
    pub fn report(&self, contents: usize, survey: &Survey) -> StoreReport {
        let nodes = self.clients.iter().enumerate().map(|(node, client)| {
            let verified = survey.verified.iter().filter(|(n, _)| *n == node).count();
            let down = survey.down.get(&node).cloned();
            NodeReport { url: client_name(client), verified, lacking: contents - verified, down }
        });
        let holders = |index| survey.verified.iter().filter(|(_, i)| *i == index).count();
        StoreReport {
            contents,
            uploads: self.uploads.load(Ordering::Relaxed),
            stores: self.stores.load(Ordering::Relaxed),
            nodes: nodes.collect(),
            fewest: (0..contents).map(holders).min().unwrap_or(0),
        }
    }

    fn up<'a>(&'a self, survey: &'a Survey) -> impl Iterator<Item = (usize, &'a Client)> {
        let clients = self.clients.iter().enumerate();
        clients.filter(|(node, _)| !survey.down.contains_key(node))
    }

    /// Puts an item with its STORE on the first node that takes it. `None` where every node that
    /// is up serves it already and a STORE of it lives.
    async fn seed(
        &self,
        index: usize,
        item: &Item,
        survey: &Survey,
    ) -> Result<Option<(usize, usize, Message)>> {
        let (message, known) = self.message_for(&item.id, survey).await?;
        let verified = |node: usize| survey.verified.contains(&(node, index));
        if known && self.up(survey).all(|(node, _)| verified(node)) {
            return Ok(None);
        }
        let mut reason = String::new();
        // A node that has the bytes needs only the message.
        let mut order: Vec<_> = self.up(survey).collect();
        order.sort_by_key(|(node, _)| !verified(*node));
        for (node, client) in order {
            let sent = if verified(node) && known {
                Ok(())
            } else if verified(node) {
                client.publish(&message).await
            } else {
                self.upload(client, item, Some(&message)).await
            };
            match sent {
                Ok(()) if verified(node) || self.serves(client, &item.id).await => {
                    return Ok(Some((index, node, message)));
                }
                Ok(()) => {
                    reason = format!("{}: took it, but does not serve it", client_name(client))
                }
                Err(error) if error.is_payment() => {
                    return Err(self.unpaid(client, item, &message).await);
                }
                Err(error) => reason = format!("{}: {error}", client_name(client)),
            }
        }
        let id = Box::new(item.id);
        Err(StoreError::Refused { path: item.path.clone(), id, reason })
    }

    /// A live STORE in our own name, found on a node that is up (`true`), or signed now.
    async fn message_for(&self, id: &ContentId, survey: &Survey) -> Result<(Message, bool)> {
        let account = self.account();
        let (mut up, mut unlisted) = (0, Vec::new());
        for (_, client) in self.up(survey) {
            up += 1;
            match client.stores_of(id, Some(&account)).await {
                Ok(found) => {
                    if let Some(ours) = found.into_iter().next() {
                        return Ok((ours, true));
                    }
                }
                Err(error) => unlisted.push(error.to_string()),
            }
        }
        if !lists_suffice(unlisted.len(), up) {
            return Err(StoreError::Unlisted { account, reasons: unlisted.join("; ") });
        }
        let time = crate::ledger::now() as f64 / 1000.0;
        let message = sign_store(&self.signer, id, &self.channel, self.payment, time).await?;
        self.stores.fetch_add(1, Ordering::Relaxed);
        Ok((message, false))
    }

    async fn upload(
        &self,
        client: &Client,
        item: &Item,
        message: Option<&Message>,
    ) -> Result<(), AlephError> {
        let done = client.upload(&item.id, &item.payload, message).await;
        if done.is_ok() {
            debug!("{} uploaded to {}", item.id, client_name(client));
            self.uploads.fetch_add(1, Ordering::Relaxed);
        }
        done
    }

    async fn serves(&self, client: &Client, id: &ContentId) -> bool {
        probe(client, id, Known::default(), None).await.state == ReplicaState::Verified
    }

    /// Finds out why the account can't pay: the message, published by itself, is rejected with
    /// a reason that an upload's answer does not give.
    async fn unpaid(&self, client: &Client, item: &Item, message: &Message) -> StoreError {
        let account = self.account();
        let published = client.publish(message).await;
        let status = client.message_status(&message.item_hash).await;
        let credits = client.credits(&account).await.ok().flatten();
        let mut reason = match (status, published) {
            (Ok(MessageStatus::Rejected(reason)), _) => format!("the STORE was rejected: {reason}"),
            (_, Err(AlephError::Refused { body, .. })) if !body.is_empty() => body,
            _ => "the node gives no reason".to_owned(),
        };
        if let Some(credits) = credits {
            reason = format!("it has {credits} credits; {reason}");
        }
        StoreError::Payment { node: client_name(client), path: item.path.clone(), account, reason }
    }

    /// Waits for the nodes that lag, and uploads to those that will not come by themselves:
    /// never heard of the message, processed it without the bytes, or took too long.
    async fn catch_up(
        &self,
        items: &[Item],
        messages: &BTreeMap<usize, Seeded>,
        survey: &mut Survey,
    ) {
        let started = Instant::now();
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        for (node, _) in self.up(survey) {
            let others = messages.iter().filter(|(_, seeded)| seeded.node != node);
            waiting.extend(others.map(|(index, _)| (node, *index)));
        }
        if !waiting.is_empty() {
            info!("waiting for {} replicas on the other nodes", waiting.len());
        }
        while !waiting.is_empty() {
            tokio::time::sleep(LOOK).await;
            let waited = started.elapsed();
            let verified = &survey.verified;
            let looks: Vec<_> = stream::iter(waiting)
                .map(|(node, index)| async move {
                    let has_bytes = verified.contains(&(node, index));
                    let (client, message) = (&self.clients[node], &messages[&index].message);
                    let look = self.look(client, &items[index], message, waited, has_bytes);
                    (node, index, look.await)
                })
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            waiting = Vec::new();
            for (node, index, look) in looks {
                match look {
                    Look::Verified => {
                        survey.verified.insert((node, index));
                    }
                    Look::Waiting => waiting.push((node, index)),
                    Look::Failed(why) => {
                        let name = client_name(&self.clients[node]);
                        warn!("{name}: {}: {why}; left to `everhold watch`", items[index].id);
                    }
                    Look::Down(why) => {
                        let name = client_name(&self.clients[node]);
                        warn!("{name} is down: {why}; the others go on");
                        survey.down.insert(node, why);
                    }
                }
            }
            waiting.retain(|(node, _)| !survey.down.contains_key(node));
        }
    }

    /// One look at a node that lags: in bytes or, with `has_bytes`, in the message alone.
    async fn look(
        &self,
        client: &Client,
        item: &Item,
        message: &Message,
        waited: Duration,
        has_bytes: bool,
    ) -> Look {
        let status = match client.message_status(&message.item_hash).await {
            Err(FetchError::Connect { reason: why, .. }) => return Look::Down(why),
            status => status.unwrap_or(MessageStatus::Pending),
        };
        let ready = match &status {
            MessageStatus::Processed if has_bytes || self.serves(client, &item.id).await => {
                return Look::Verified;
            }
            // It will not fetch any more.
            MessageStatus::Processed | MessageStatus::Gone => true,
            MessageStatus::Unknown => waited >= GOSSIP.min(self.wait),
            MessageStatus::Pending | MessageStatus::Rejected(_) => waited >= self.wait,
        };
        if !ready {
            return Look::Waiting;
        }
        // A node that knows the message needs the bytes only, and may balk at the message again.
        let known = !matches!(status, MessageStatus::Unknown | MessageStatus::Gone);
        let message = (!known || item.payload.len() > UNSIGNED).then_some(message);
        let sent = match message {
            Some(message) if has_bytes => client.publish(message).await,
            _ if has_bytes => return Look::Verified,
            message => self.upload(client, item, message).await,
        };
        match sent {
            Ok(()) if has_bytes || self.serves(client, &item.id).await => Look::Verified,
            Ok(()) => Look::Failed("it took the bytes, but does not serve them".to_owned()),
            Err(AlephError::Fetch(FetchError::Connect { reason: why, .. })) => Look::Down(why),
            Err(error) => Look::Failed(error.to_string()),
        }
    }
}

/// Where a content was put first, and the message it was put with.
struct Seeded {
    node: usize,
    message: Message,
}

/// What a look at a node that lags shows.
enum Look {
    Verified,
    Waiting,
    Failed(String),
    Down(String),
}

fn client_name(client: &Client) -> String {
    use crate::nodes::ContentNode;
    nodes::name(client.url())
}
