//! What a probe saw, and what an error says of that.

use std::time::Duration;

use bytes::Bytes;

use super::{FetchError, NodeKind, kubo};
use crate::{
    content::{Digest, Provider},
    health::ReplicaState,
};

/// How long a node is left alone that does not say how long.
const REST: Duration = Duration::from_secs(30);
const SHORTEST_REST: Duration = Duration::from_secs(1);

/// What a probe saw.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The state that follows from it.
    pub state: ReplicaState,
    /// Whether the node is proved to hold its own copy.
    pub held: Option<bool>,
    /// Whether right bytes came, and it could not be told this once whether the node holds them itself:
    /// it did not answer the question, or not for each block.
    pub is_untold: bool,
    /// Bytes that came.
    pub bytes: Option<u64>,
    /// HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The name the bytes really have, where they came whole.
    pub computed: Option<String>,
    /// Plain sha-256 of the bytes, where they came whole.
    pub sha256: Option<Digest>,
    /// In words, what was wrong.
    pub detail: Option<String>,
    /// The bytes themselves, where verified, asked for, and short enough.
    pub body: Option<Bytes>,
    /// Of a router: those with a web server whom it named.
    pub named: Vec<Provider>,
    /// For how long the node wants to be left alone: nothing was seen then, and none of it counts.
    pub left_alone: Option<Duration>,
    /// Whether the node could not even be reached. One that takes a connection and answers 504, or not in
    /// time, may say no more than that nobody has this one content.
    pub is_silence: bool,
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

/// A state, and nothing else.
pub(super) fn bare(state: ReplicaState, http_status: Option<u16>, bytes: u64) -> Seen {
    Seen {
        state,
        held: None,
        is_untold: false,
        bytes: Some(bytes),
        http_status,
        computed: None,
        sha256: None,
        detail: None,
        body: None,
        named: Vec::new(),
        left_alone: None,
        is_silence: false,
    }
}

pub(super) fn failed(kind: NodeKind, error: &FetchError, bytes: u64) -> Seen {
    let state =
        if says_missing(kind, error) { ReplicaState::Missing } else { ReplicaState::Unreachable };
    Seen {
        detail: Some(error.to_string()),
        left_alone: left_alone(error),
        is_silence: error.is_silence(),
        ..bare(state, error.status(), bytes)
    }
}

/// How long a node wants to be left alone that was asked too often (RFC 6585, section 4), or that we
/// have no turn at.
fn left_alone(error: &FetchError) -> Option<Duration> {
    match error {
        FetchError::Status { status: 429, retry_after, .. } => {
            Some(retry_after.unwrap_or(REST).max(SHORTEST_REST))
        }
        FetchError::Busy { .. } => Some(SHORTEST_REST),
        _ => None,
    }
}

/// Whether an answer says that the node does not have the content: it knows none (404, 410), or
/// it keeps nothing that is named so (400 and 501, from nodes without IPFS).
fn says_missing(kind: NodeKind, error: &FetchError) -> bool {
    match error.status() {
        // Of a service, that it is another's: it says what it has not in a list.
        Some(404 | 410) => kind != NodeKind::Pinning,
        Some(400 | 501) => kind == NodeKind::Aleph,
        // It was asked for nothing but its own.
        Some(412) => kind == NodeKind::Provider,
        _ => kind == NodeKind::Kubo && kubo::says_missing(error),
    }
}
