//! The graph of a token: from its URI to everything that it is made of.

mod expand;
mod key;
mod limits;
mod nodes;
mod picture;

use std::collections::{HashMap, VecDeque};

use serde::{Serialize, Serializer};

use super::{Proof, Reference, id_hex, substitute_id};
use expand::Work;
use key::Key;

pub use limits::{GraphLimits, Limit};
pub use picture::{
    DocumentSummary, Edge, Node, NodeId, NodeState, Outcome, Picture, Root, RootId, RootRole,
};

/// A node to be fetched and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The node, for [`Graph::report`].
    pub node: NodeId,
    /// Where it is.
    pub reference: Reference,
    /// What can be proved of it.
    pub proof: Proof,
    /// No more than these are to be fetched; what is larger is [`Outcome::TooLarge`].
    pub max_bytes: u64,
    /// No more than these are to be given to [`Graph::report`].
    pub keep: usize,
}

/// A report of something that is not under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {} was not handed out, or was reported before", .node.0)]
pub struct GraphError {
    /// The node.
    pub node: NodeId,
}

/// What tokens and contracts are made of, as far as it is known.
///
/// It hands out what is to be fetched, each content or place once however many tokens and links
/// lead to it, takes what came of it, and goes on from the documents among them, within its
/// limits. It fetches nothing itself.
///
/// ```
/// use everhold_content::{Graph, GraphLimits, Outcome};
///
/// let mut graph = Graph::new(GraphLimits::default());
/// let uri = "ipfs://bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e/1";
/// graph.add_token("1", uri, None);
/// let task = graph.next_task().expect("the metadata");
/// let json = br#"{"image":"1.png"}"#;
/// graph.report(task.node, Outcome::Verified, json.len() as u64, Some(json))?;
/// let image = graph.next_task().expect("the image");
/// assert_eq!(image.reference.path.as_deref(), Some("1.png"));
/// graph.report(image.node, Outcome::Missing, 0, None)?;
/// assert!(graph.next_task().is_none() && graph.is_done());
/// # Ok::<(), everhold_content::GraphError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    limits: GraphLimits,
    picture: Picture,
    known: HashMap<Key, NodeId>,
    /// What is kept of each node beside its picture.
    work: Vec<Work>,
    waiting: VecDeque<NodeId>,
    /// Documents that may have links to be followed.
    unread: Vec<NodeId>,
    under_way: usize,
    reserved: u64,
    used: u64,
    memory: usize,
}

impl Graph {
    /// An empty graph.
    pub fn new(limits: GraphLimits) -> Graph {
        Graph {
            limits,
            picture: Picture::default(),
            known: HashMap::new(),
            work: Vec::new(),
            waiting: VecDeque::new(),
            unread: Vec::new(),
            under_way: 0,
            reserved: 0,
            used: 0,
            memory: 0,
        }
    }

    /// Adds a token by what its `tokenURI` or `uri` answers. For ERC-1155, whose URIs hold
    /// `{id}`, `id` is the token's, most significant byte first; for others leave it out.
    ///
    /// `None` where a limit leaves no room for another root.
    pub fn add_token(&mut self, label: &str, uri: &str, id: Option<[u8; 32]>) -> Option<RootId> {
        self.add(label, RootRole::Metadata, uri, id)
    }

    /// Adds a contract by what its `contractURI` answers (ERC-7572), as [`Graph::add_token`].
    pub fn add_contract(&mut self, label: &str, uri: &str) -> Option<RootId> {
        self.add(label, RootRole::Contract, uri, None)
    }

    fn add(
        &mut self,
        label: &str,
        role: RootRole,
        uri: &str,
        id: Option<[u8; 32]>,
    ) -> Option<RootId> {
        let text = id.map(|id| substitute_id(uri, &id, self.limits.inline));
        let reference = match &text {
            Some(None) => Reference::unknown(uri),
            Some(Some(text)) => Reference::parse(text),
            None => Reference::parse(uri),
        };
        if self.references() == self.limits.references {
            self.left_out(Limit::References, 1);
            return None;
        }
        if !self.remember(label.len()) {
            return None;
        }
        let class = reference.class;
        let node = self.node(reference, 0);
        let (label, token) = (label.to_owned(), id.map(|id| id_hex(&id)));
        self.picture.roots.push(Root { label, role, token, class, node });
        if let Some(node) = node {
            self.read_as_document(node, id);
            self.follow();
        }
        Some(RootId(self.picture.roots.len() - 1))
    }

    /// The next node to be fetched. `None` where there is none now: [`Graph::is_done`] tells
    /// whether a report may bring more.
    ///
    /// Several may be under way at once: their bytes are reserved, so that together they stay
    /// within the limit.
    pub fn next_task(&mut self) -> Option<Task> {
        let node = *self.waiting.front()?;
        let left = self.limits.bytes.saturating_sub(self.used).saturating_sub(self.reserved);
        if left < self.limits.node_bytes && self.under_way > 0 {
            return None;
        }
        if left == 0 {
            self.give_up_waiting();
            return None;
        }
        self.waiting.pop_front();
        let max_bytes = left.min(self.limits.node_bytes);
        self.reserved += max_bytes;
        self.under_way += 1;
        let found = self.picture.nodes.get_mut(node.0)?;
        found.state = NodeState::HandedOut { max_bytes };
        let (reference, proof) = (found.reference.clone(), found.proof);
        Some(Task { node, reference, proof, max_bytes, keep: self.limits.metadata.bytes })
    }

    /// Takes what came of a task: its outcome, the bytes that were fetched, and, where they are
    /// no more than [`Task::keep`], the whole body. Bodies of images and the like are welcome:
    /// another token may yet call the same node its metadata.
    ///
    /// Bytes that no proof can cover are at most [`Outcome::Served`], whatever is reported.
    ///
    /// # Errors
    /// [`GraphError`], for a node that is not under way; nothing is changed then.
    pub fn report(
        &mut self,
        node: NodeId,
        outcome: Outcome,
        bytes: u64,
        body: Option<&[u8]>,
    ) -> Result<(), GraphError> {
        let found = self.picture.nodes.get_mut(node.0).ok_or(GraphError { node })?;
        let NodeState::HandedOut { max_bytes } = found.state else {
            return Err(GraphError { node });
        };
        let bytes = bytes.max(body.map_or(0, |body| body.len() as u64));
        let outcome = match outcome {
            _ if bytes > max_bytes => Outcome::TooLarge,
            Outcome::Verified if !found.proof.proves_bytes() => Outcome::Served,
            outcome => outcome,
        };
        let bytes = bytes.min(max_bytes);
        found.state = NodeState::Done { outcome, bytes };
        self.reserved = self.reserved.saturating_sub(max_bytes);
        self.used = self.used.saturating_add(bytes);
        self.under_way -= 1;
        match outcome {
            Outcome::TooLarge if max_bytes < self.limits.node_bytes => {
                self.left_out(Limit::Bytes, 1);
            }
            Outcome::TooLarge => self.left_out(Limit::NodeBytes, 1),
            Outcome::Verified | Outcome::Served => self.read(node, bytes, body),
            _ => {}
        }
        self.follow();
        Ok(())
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.under_way == 0
    }

    /// All that is known so far.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// The same, for keeps.
    pub fn into_picture(self) -> Picture {
        self.picture
    }
}

impl Serialize for Graph {
    /// As its [`Picture`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.picture.serialize(serializer)
    }
}
