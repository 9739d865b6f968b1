//! One attempt to fetch one content from one node: the bytes decide, nothing else.

use bytes::Bytes;

use super::{ContentNode, FetchError, NodeKind};
use crate::{
    content::{ContentId, Verifier},
    health::ReplicaState,
};

/// What a probe saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The state that follows from it.
    pub state: ReplicaState,
    /// Whether the node is proved to hold its own copy.
    pub held: Option<bool>,
    /// Bytes that came.
    pub bytes: Option<u64>,
    /// HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The name the bytes really have, where they came whole.
    pub computed: Option<String>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// The bytes themselves, where verified, asked for, and short enough.
    pub body: Option<Bytes>,
}

impl Seen {
    /// Nothing: the node was not asked.
    pub fn unasked(why: &str) -> Self {
        Self {
            detail: Some(why.to_owned()),
            bytes: None,
            ..bare(ReplicaState::Unreachable, None, 0)
        }
    }
}

/// Fetches `id` from `node` and hashes what comes. `size` is its length where known; verified
/// bytes of at most `keep` are handed over.
///
/// Memory is that of one chunk, the hasher, and what is kept, however long the content is.
pub async fn probe(
    node: &dyn ContentNode,
    id: &ContentId,
    size: Option<u64>,
    keep: Option<usize>,
) -> Seen {
    let mut kept = keep.map(|_| Vec::new());
    let mut seen = probe_into(node, id, size, &mut |chunk| {
        kept = kept.take().filter(|bytes| Some(bytes.len() + chunk.len()) <= keep);
        if let Some(bytes) = &mut kept {
            bytes.extend_from_slice(chunk);
        }
    })
    .await;
    if seen.state == ReplicaState::Verified {
        seen.body = kept.map(Bytes::from);
    }
    seen
}

/// As [`probe`], handing each chunk to `sink` as it comes: what it has got is the content only
/// if the state is `verified` in the end.
pub async fn probe_into(
    node: &dyn ContentNode,
    id: &ContentId,
    size: Option<u64>,
    sink: &mut (dyn FnMut(&[u8]) + Send),
) -> Seen {
    let mut body = match node.open(id).await {
        Ok(body) => body,
        Err(error) => return failed(node.kind(), &error, 0),
    };
    if let Some(size) = size {
        // A length is known from verified bytes: one byte more is already the wrong content.
        body.limit_to(size);
    }
    let mut verifier = Verifier::any_profile(*id);
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => {
                verifier.update(&chunk);
                sink(&chunk);
            }
            Ok(None) => break,
            // A policy's limit says nothing about the content, and is met as other errors are.
            Err(FetchError::TooLarge { limit, announced, .. }) if size == Some(limit) => {
                let detail = match announced {
                    Some(bytes) => format!("{bytes} bytes are announced; the content has {limit}"),
                    None => format!("more than the content's {limit} bytes came"),
                };
                return Seen {
                    detail: Some(detail),
                    ..bare(ReplicaState::Corrupt, Some(200), body.received())
                };
            }
            Err(error) => {
                return Seen {
                    http_status: Some(200),
                    ..failed(node.kind(), &error, body.received())
                };
            }
        }
    }
    let verdict = verifier.finish();
    if !verdict.matches {
        let computed = verdict.computed.to_string();
        return Seen {
            detail: Some(format!("the bytes hash to {computed}")),
            computed: Some(computed),
            ..bare(ReplicaState::Corrupt, Some(200), verdict.bytes)
        };
    }
    Seen {
        held: node.holds_what_it_serves(id),
        computed: Some(id.to_string()),
        ..bare(ReplicaState::Verified, Some(200), verdict.bytes)
    }
}

fn bare(state: ReplicaState, http_status: Option<u16>, bytes: u64) -> Seen {
    Seen {
        state,
        held: None,
        bytes: Some(bytes),
        http_status,
        computed: None,
        detail: None,
        body: None,
    }
}

fn failed(kind: NodeKind, error: &FetchError, bytes: u64) -> Seen {
    let state =
        if says_missing(kind, error) { ReplicaState::Missing } else { ReplicaState::Unreachable };
    Seen { detail: Some(error.to_string()), ..bare(state, error.status(), bytes) }
}

/// Whether an answer says that the node does not have the content: it knows none (404, 410), or
/// it keeps nothing that is named so (400 and 501, from nodes without IPFS).
fn says_missing(kind: NodeKind, error: &FetchError) -> bool {
    match error {
        FetchError::Status { status: 404 | 410, .. } => true,
        FetchError::Status { status: 400 | 501, .. } => kind == NodeKind::Aleph,
        FetchError::Status { status: 500, body, .. } => {
            kind == NodeKind::Kubo && body.contains("not found")
        }
        _ => false,
    }
}
