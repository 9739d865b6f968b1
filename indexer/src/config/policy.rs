//! Settings of what is wanted of replicas, and of what is done about them.

use std::path::PathBuf;

use alloy::primitives::Address;
use serde::Deserialize;

use super::Span;
use crate::repair::{Budget, Caps, Credits};

/// `[replicas]`: the policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplicasConfig {
    /// Independent verified replicas that a content needs.
    pub min: u32,
    /// How many of them must be held by the node itself.
    pub min_held: u32,
    /// How long after its mint a content may still be on its way.
    pub grace: Span,
    /// How often each replica is probed. `0s`: every round.
    pub recheck: Span,
    /// What happens to content that an update replaced.
    pub history: History,
    /// How long it is kept what probes saw of content that is probed no longer, and incidents that are over.
    pub evidence: Span,
}

impl Default for ReplicasConfig {
    fn default() -> Self {
        Self {
            min: 3,
            min_held: 0,
            grace: Span::secs(600),
            recheck: Span::secs(86_400),
            history: History::Drop,
            evidence: Span::secs(90 * 86_400),
        }
    }
}

/// `[probes]`: how much may be asked of nodes. 0: as much as one likes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbesConfig {
    /// Probes under way at once at one node.
    pub per_node: u32,
    /// Probes a second at one node, on average; what was not used in ten seconds is not lost.
    pub node_requests_per_second: u64,
    /// Bytes a second from one node, on average.
    pub node_bytes_per_second: u64,
    /// Probes a second at all nodes together, on average.
    pub requests_per_second: u64,
    /// Bytes a second from all nodes together, on average.
    pub bytes_per_second: u64,
    /// How often a few blocks of large files are looked at between full probes. `0s`: never.
    pub spot_check: Span,
}

impl Default for ProbesConfig {
    fn default() -> Self {
        Self {
            per_node: 16,
            node_requests_per_second: 100,
            node_bytes_per_second: 0,
            requests_per_second: 0,
            bytes_per_second: 0,
            spot_check: Span::secs(6 * 3600),
        }
    }
}

/// What happens to content of earlier revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// It is no longer watched once the update is final.
    Drop,
    /// It is watched for as long as the token lives.
    Keep,
}

/// `[repair]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepairConfig {
    /// Whether anything is repaired at all.
    pub enabled: bool,
    /// Encrypted key (Web3 secret storage) that signs and pays for STORE messages.
    pub keystore: Option<PathBuf>,
    /// The same key as 64 hex digits in a file.
    pub private_key_file: Option<PathBuf>,
    /// File that holds the keystore's password.
    pub password_file: Option<PathBuf>,
    /// On whose behalf STOREs are signed: the account that pays, which lets the key sign for it by its
    /// `security` aggregate. Absent: the key's own.
    pub account: Option<Address>,
    /// How long a node gets to fetch before it is sent the bytes.
    pub wait: Span,
    /// How long a pinning service gets until others serve what it was told to pin.
    pub pin_wait: Span,
    /// Larger content is not repaired, in bytes.
    pub max_size: u64,
    /// Whether it is only said what would be done.
    pub dry_run: bool,
    /// How long the account's credits must last, or an incident is opened.
    pub credits_last: Span,
    /// How much may be spent.
    pub budget: BudgetConfig,
}

impl Default for RepairConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            keystore: None,
            private_key_file: None,
            password_file: None,
            account: None,
            wait: Span::secs(30),
            pin_wait: Span::secs(6 * 3600),
            max_size: 1 << 30,
            dry_run: false,
            credits_last: Span::secs(7 * 86_400),
            budget: BudgetConfig::default(),
        }
    }
}

/// `[repair.budget]`: caps on everything together, and on what is done for each collection, token and
/// owner. What is left out is not capped; 0 is nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// Actions in any hour.
    pub actions: Option<u64>,
    /// Bytes sent in any hour.
    pub bytes: Option<u64>,
    /// Credits an hour that the STOREs signed in any hour may cost.
    pub credits: Option<Credits>,
    /// Credits an hour that all STOREs signed here may cost together.
    pub recurring: Option<Credits>,
    /// The same of each collection.
    pub collection: Caps,
    /// The same of each token.
    pub token: Caps,
    /// The same of each owner, over all their tokens.
    pub owner: Caps,
}

impl BudgetConfig {
    /// The budgets, with nothing spent.
    pub fn unspent(&self) -> Budget {
        let Self { actions, bytes, credits, recurring, .. } = *self;
        let all = Caps { actions, bytes, credits, recurring };
        Budget::new(all, self.collection, self.token, self.owner)
    }
}
