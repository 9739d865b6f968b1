//! Settings of chains and of what is followed on them.

use alloy::primitives::Address;
use serde::Deserialize;
use url::Url;

use super::{Span, Standard};

/// `[chain]`, or one of several `[[chain]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainConfig {
    /// EIP-155 chain id; needed where there are several chains. Endpoints of another one are refused.
    pub chain_id: Option<u64>,
    /// JSON-RPC endpoints of one chain (`http`, `https`, `ws`, `wss`); several are compared.
    pub rpc: Vec<Url>,
    /// Whether every block that is read is proved, back from the head: headers by their hashes,
    /// logs by the receipts root. For those who have one endpoint and need not trust it.
    pub prove_logs: bool,
    /// Blocks on top of a block after which it counts as final (`finality = "confirmations"`).
    pub confirmations: u64,
    /// What marks a block final. It never delays indexing.
    pub finality: Finality,
    /// How often the head is asked for.
    pub poll: Span,
}

impl Default for ChainConfig {
    fn default() -> Self {
        let rpc = Url::parse("http://127.0.0.1:8545").into_iter().collect();
        Self {
            chain_id: None,
            rpc,
            prove_logs: false,
            confirmations: 12,
            finality: Finality::Confirmations,
            poll: Span::secs(2),
        }
    }
}

/// What marks a block as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// A number of blocks on top.
    Confirmations,
    /// The chain's own `safe` block.
    Safe,
    /// The chain's own `finalized` block.
    Finalized,
}

/// `[[collection]]`
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct CollectionConfig {
    /// EIP-155 id of the chain it is on; needed where there are several.
    #[serde(default)]
    pub chain_id: Option<u64>,
    /// The contract.
    pub address: Address,
    /// The first block to read: the one it was deployed in, or earlier.
    #[serde(default)]
    pub start_block: u64,
    /// What the contract is; absent: it is found out.
    #[serde(default)]
    pub standard: Option<Standard>,
}

/// `[[factory]]`
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct FactoryConfig {
    /// EIP-155 id of the chain it is on; needed where there are several.
    pub chain_id: Option<u64>,
    /// The contract; absent: the one that `everhold deploy` goes by, at the same address on every
    /// chain.
    pub address: Option<Address>,
    /// The first block to read: the one it was deployed in, or one before the collections that matter.
    pub start_block: u64,
    /// Whose collections are watched; empty: everybody's. Anyone may make collections.
    pub creators: Vec<Address>,
}
