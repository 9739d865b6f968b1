//! How far a graph goes.

use serde::{Deserialize, Serialize};

use crate::MetadataLimits;

/// Bounds on a graph. Where one is reached, it is [said](super::Picture::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLimits {
    /// Steps from a token's URI (0) to the furthest content: its metadata's links are 1.
    pub depth: usize,
    /// Contents and places in all.
    pub nodes: usize,
    /// Links in all, those from tokens counted.
    pub references: usize,
    /// Bytes that are fetched or decoded in all.
    pub bytes: u64,
    /// Bytes of one node that are fetched.
    pub node_bytes: u64,
    /// Bytes of inline data, decoded.
    pub inline: usize,
    /// Bytes of texts that the graph keeps in memory.
    pub memory: usize,
    /// Bounds on each document.
    pub metadata: MetadataLimits,
}

impl Default for GraphLimits {
    /// Room for a collection of some ten thousand tokens: 4 steps, 200,000 nodes, a million
    /// links, 1 TiB in all and 4 GiB a node, 16 MiB of inline data, 256 MiB of texts.
    fn default() -> GraphLimits {
        GraphLimits {
            depth: 4,
            nodes: 200_000,
            references: 1_000_000,
            bytes: 1 << 40,
            node_bytes: 4 << 30,
            inline: 16 << 20,
            memory: 256 << 20,
            metadata: MetadataLimits::default(),
        }
    }
}

/// One of the bounds, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Limit {
    /// [`GraphLimits::depth`]: links that were not followed.
    Depth,
    /// [`GraphLimits::nodes`]: links to nodes that are not in the graph.
    Nodes,
    /// [`GraphLimits::references`]: links that are not in the graph.
    References,
    /// [`GraphLimits::bytes`]: nodes that were not fetched or decoded, or not to their end.
    Bytes,
    /// [`GraphLimits::node_bytes`]: nodes that are larger.
    NodeBytes,
    /// [`GraphLimits::inline`]: inline data that is larger.
    Inline,
    /// [`GraphLimits::memory`]: links that are not in the graph.
    Memory,
}
