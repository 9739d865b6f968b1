//! How a node is set up.

use std::path::PathBuf;

/// Upload limits, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files uploaded to the storage engine with a signed message.
    pub storage: u64,
    /// Files uploaded to the storage engine without one.
    pub storage_unsigned: u64,
    /// Files uploaded to the ipfs engine with a signed message.
    pub ipfs: u64,
    /// Files uploaded to the ipfs engine without one.
    pub ipfs_unsigned: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            storage: 100 << 20,
            storage_unsigned: 25 << 20,
            ipfs: 1 << 30,
            ipfs_unsigned: 25 << 20,
        }
    }
}

/// The settings of one node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder with all of the node's state.
    pub data: PathBuf,
    /// Other nodes that messages are sent to and files fetched from.
    pub peers: Vec<String>,
    /// Whether the node has the ipfs engine.
    pub ipfs: bool,
    /// Whether a STORE is processed though its file is not here; unless said, while without peers.
    pub trusting: Option<bool>,
    /// The account whose posts set balances and give credits.
    pub authority: String,
    /// Credits given at the start.
    pub credits: Vec<(String, u64)>,
    /// No account is ever asked whether it can pay.
    pub unlimited_credit: bool,
    /// Upload limits.
    pub limits: Limits,
}
