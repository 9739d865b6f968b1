//! What a graph looks like from outside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Limit;
use crate::{Digest, MetadataWarning, Proof, Reference, ReferenceClass};

/// A node's place in [`Picture::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub usize);

/// A root's place in [`Picture::roots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RootId(pub usize);

/// All that is known so far. Nodes are in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Tokens and contracts.
    pub roots: Vec<Root>,
    /// Contents and places, each once.
    pub nodes: Vec<Node>,
    /// Links from documents.
    pub edges: Vec<Edge>,
    /// The limits that were reached, and how many things each left out.
    pub limits: BTreeMap<Limit, u64>,
}

/// A token or a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// What the caller calls it.
    pub label: String,
    /// What its document is: a token's metadata, or a contract's.
    pub role: RootRole,
    /// The id that stands for `{id}`: 64 hexadecimal digits.
    pub token: Option<String>,
    /// What kind of reference it has.
    pub class: ReferenceClass,
    /// Its document; `None` where a limit left it out.
    pub node: Option<NodeId>,
}

/// What a root's document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootRole {
    /// What `tokenURI` or `uri` answers.
    Metadata,
    /// What `contractURI` answers.
    Contract,
}

/// A content or a place, however many links lead to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The reference it was first found by; of inline data, only the beginning of the text.
    pub reference: Reference,
    /// What can be proved of its bytes.
    pub proof: Proof,
    /// The fewest steps from a root.
    pub depth: usize,
    /// How far it has come.
    pub state: NodeState,
    /// sha-256 of inline data, decoded and unpacked.
    pub sha256: Option<Digest>,
    /// What it says as a document, where it is to be one and was read.
    pub document: Option<DocumentSummary>,
}

/// How far a node has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum NodeState {
    /// It is still to be handed out.
    Waiting,
    /// It was handed out; its outcome is not reported yet.
    HandedOut {
        /// Bytes that are reserved for it.
        max_bytes: u64,
    },
    /// It is settled.
    Done {
        /// What came of it.
        outcome: Outcome,
        /// Bytes that were fetched or decoded.
        bytes: u64,
    },
    /// Nothing can be fetched: see the node's proof.
    Unfetchable,
    /// A limit was reached before it was fetched or decoded.
    LeftOut {
        /// The limit.
        limit: Limit,
    },
}

/// What came of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The bytes are proved to be those that are meant.
    Verified,
    /// Bytes came, and nothing can prove them.
    Served,
    /// A folder, where a file should be: its own block is proved, and no file.
    Folder,
    /// Inline data was decoded.
    Decoded,
    /// Inline data could not be decoded.
    Undecodable,
    /// Bytes came that are not those that are meant.
    Corrupt,
    /// It is not there.
    Missing,
    /// It could not be asked for.
    Unreachable,
    /// It is larger than the task allowed.
    TooLarge,
}

/// What a node says as a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentSummary {
    /// Its `name`.
    pub name: Option<String>,
    /// Links that it has.
    pub links: u64,
    /// Links of it that a limit left out of the graph; for several tokens, of each.
    pub left_out: u64,
    /// Why it can't be read.
    pub error: Option<String>,
    /// What is odd about it.
    pub warnings: Vec<MetadataWarning>,
}

/// A link from a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The document.
    pub from: NodeId,
    /// What it links to.
    pub to: NodeId,
    /// What for: `image`, `properties.files[0]`, ….
    pub role: String,
    /// Where the link stands in the document: a JSON pointer.
    pub pointer: String,
    /// The media type that the document says.
    pub media_type: Option<String>,
    /// What kind of reference it is: a gateway's URL and `ipfs://` may lead to the same node.
    pub class: ReferenceClass,
    /// The reference as written, where it is another than the node's.
    pub text: Option<String>,
    /// Whether `{id}` stands in it.
    pub templated: bool,
    /// The token whose id was put in; only for that one is this a link.
    pub token: Option<String>,
}
