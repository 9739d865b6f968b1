//! Settings of those who hold content.

use serde::Deserialize;
use url::Url;

use super::Span;

/// `[aleph]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlephConfig {
    /// Nodes to store on and to check.
    pub nodes: Vec<NodeConfig>,
    /// Channel written into messages.
    pub channel: String,
    /// How STORE messages are paid.
    pub payment: Payment,
    /// How often nodes are asked which STORE messages keep each content. `0s`: every round.
    pub provenance: Span,
}

impl Default for AlephConfig {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            channel: "EVERHOLD".to_owned(),
            payment: Payment::Credit,
            provenance: Span::secs(86_400),
        }
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
}
