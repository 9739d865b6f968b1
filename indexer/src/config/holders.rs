//! Settings of those who hold content.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::{ConfigError, Span};

/// `[aleph]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlephConfig {
    /// Nodes to store on and to check; absent: found through the network's own list.
    pub nodes: Option<Vec<NodeConfig>>,
    /// Nodes that are asked for the network's list; most of them must agree on each entry.
    pub network: Vec<Url>,
    /// How many nodes of the list are used, at most one of an owner; 0: one of each owner.
    pub sample: u32,
    /// How often the list is read.
    pub refresh: Span,
    /// Nodes of the list that may be on private addresses, each by its URL.
    pub private_hosts: Vec<Url>,
    /// Channel written into messages.
    pub channel: String,
    /// How STORE messages are paid.
    pub payment: Payment,
    /// What a MiB on aleph costs, in credits an hour (the network's price of storage).
    pub credits_per_mib_hour: f64,
    /// How often nodes are asked which STORE messages keep each content. `0s`: every round.
    pub provenance: Span,
}

impl Default for AlephConfig {
    fn default() -> Self {
        Self {
            nodes: None,
            network: NETWORK.iter().filter_map(|url| url.parse().ok()).collect(),
            sample: 10,
            refresh: Span::secs(6 * 3600),
            private_hosts: Vec::new(),
            channel: "EVERHOLD".to_owned(),
            payment: Payment::Credit,
            credits_per_mib_hour: 0.1797,
            provenance: Span::secs(86_400),
        }
    }
}

impl IpfsConfig {
    /// Whether anybody is asked who announces content.
    pub fn has_routers(&self) -> bool {
        !self.routing.is_empty() || !self.kubo_routing.is_empty()
    }
}

/// The public API hosts of the network.
const NETWORK: [&str; 3] =
    ["https://api.aleph.im", "https://api2.aleph.im", "https://api3.aleph.im"];

impl AlephConfig {
    /// The nodes that are named, if any are.
    pub fn named(&self) -> &[NodeConfig] {
        self.nodes.as_deref().unwrap_or_default()
    }
}

/// How a STORE is paid (aleph message content, `payment.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Payment {
    /// Prepaid credits: the only kind from 2027-01-01 on.
    Credit,
    /// ALEPH tokens held.
    Hold,
}

/// From then on the network takes no new STORE that is not paid by credits: 2027-01-01, in seconds since
/// 1970 (pyaleph, `CREDIT_ONLY_CUTOFF_TIMESTAMP`).
const CREDITS_ONLY: f64 = 1_798_761_600.0;

impl Payment {
    /// How a STORE of this time (seconds since 1970) can be paid, where this is how it should be.
    pub fn in_force(self, time: f64) -> Self {
        if time >= CREDITS_ONLY { Self::Credit } else { self }
    }
}

/// A node: a URL, or a URL and who runs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "NodeText")]
pub struct NodeConfig {
    /// Base URL, without `/api/v0` or `/ipfs`.
    pub url: Url,
    /// Who runs it: nodes of one operator count as one replica.
    pub operator: Option<String>,
}

impl From<NodeText> for NodeConfig {
    fn from(text: NodeText) -> Self {
        match text {
            NodeText::Url(url) => Self { url, operator: None },
            NodeText::Named { url, operator } => Self { url, operator },
        }
    }
}

#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a node is a URL or { url = \"…\", operator = \"…\" }"
)]
enum NodeText {
    Url(Url),
    Named { url: Url, operator: Option<String> },
}

/// `[ipfs]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpfsConfig {
    /// Gateways asked for `/ipfs/CID`.
    pub gateways: Vec<NodeConfig>,
    /// Kubo RPC endpoints.
    pub kubo: Vec<NodeConfig>,
    /// Delegated routers, asked who announces content.
    pub routing: Vec<NodeConfig>,
    /// Kubo RPC endpoints that are asked the same, of their own routing.
    pub kubo_routing: Vec<NodeConfig>,
    /// Providers that may be on private addresses, each by a URL with its port.
    pub private_hosts: Vec<Url>,
}

/// `[[pinning]]`: a pinning service, asked whether it has pinned content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinningConfig {
    /// Its endpoint, without `/pins`.
    pub url: Url,
    /// File with the account's token (surrounding white space is dropped).
    pub token_file: PathBuf,
    /// Who runs it.
    pub operator: Option<String>,
}

impl PinningConfig {
    /// The token.
    ///
    /// # Errors
    /// Where the file can't be read, or has none.
    pub fn token(&self) -> Result<String, ConfigError> {
        let path = self.token_file.display();
        let said =
            |what: String| ConfigError::Invalid(format!("[[pinning]] token_file {path}: {what}"));
        let text =
            std::fs::read_to_string(&self.token_file).map_err(|error| said(error.to_string()))?;
        match text.trim() {
            "" => Err(said("it is empty".to_owned())),
            token => Ok(token.to_owned()),
        }
    }
}
