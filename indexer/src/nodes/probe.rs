//! One attempt to fetch one content from one node: the bytes decide, nothing else.

use std::io::{self, Write};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::oneshot;

use super::{
    Answer, BlockNode, ContentNode, FetchError, Known, NodeKind, announced,
    blocks::{self, BlocksError, Sink, Whose, is_unsupported},
    canary::Heeds,
    seen::{Seen, bare, failed},
};
use crate::{
    content::{
        CarError, Cid, Codec, ContentId, DagError, DagLimits, Digest, Found, Verification,
        Verifier, Walk,
    },
    health::ReplicaState,
};

/// The largest file that is asked for block by block to see whether they are the node's own: a few
/// hundred requests.
const ONE_BY_ONE: u64 = 64 << 20;

/// Fetches `id` from `node` and hashes what comes; verified bytes of at most `keep` are handed over.
///
/// Memory is that of one chunk or block, the hasher, and what is kept, however long the content is.
pub async fn probe(
    node: &dyn ContentNode,
    id: &ContentId,
    known: Known,
    keep: Option<usize>,
) -> Seen {
    let mut kept = keep.map(|_| Vec::new());
    let mut seen = probe_into(node, id, known, &mut |chunk| {
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
///
/// The file as a whole is asked for first: that is what people and their wallets get. Where its
/// bytes make no DAG that is known to bear the name, the node's blocks decide, if it gives any.
/// A node that was seen to give blocks of its own alone is asked for these before. Of a provider,
/// no others are the content's.
pub async fn probe_into(
    node: &dyn ContentNode,
    id: &ContentId,
    known: Known,
    sink: Sink<'_>,
) -> Seen {
    let seen = match (ask(node, id, known, sink).await, node.kind()) {
        (seen, NodeKind::Provider) => announced::of_its_own_alone(seen),
        (seen, _) => seen,
    };
    if seen.state == ReplicaState::Unreachable {
        node.has_failed().await;
    }
    seen
}

/// As [`probe_into`], into a temporary file.
///
/// # Errors
/// Where that can't be written: then nothing more is fetched, and nothing was seen of the node.
pub async fn probe_to_file(
    node: &dyn ContentNode,
    id: &ContentId,
    known: Known,
) -> io::Result<(Seen, NamedTempFile)> {
    let mut file = NamedTempFile::new()?;
    let (fail, mut failed) = oneshot::channel();
    let mut fail = Some(fail);
    let seen = {
        let mut write = |chunk: &[u8]| {
            if fail.is_some()
                && let Err(error) = file.write_all(chunk)
                && let Some(fail) = fail.take()
            {
                // It is looked for below.
                let _ = fail.send(error);
            }
        };
        tokio::select! {
            seen = probe_into(node, id, known, &mut write) => seen,
            Ok(error) = &mut failed => return Err(error),
        }
    };
    match failed.try_recv() {
        Ok(error) => Err(error),
        Err(_) => file.flush().map(|()| (seen, file)),
    }
}

async fn ask(node: &dyn ContentNode, id: &ContentId, known: Known, sink: Sink<'_>) -> Seen {
    let mut answer = Probe { node, id, known, heeds: Heeds::No };
    if let Some(seen) = answer.by_its_own(&mut *sink).await {
        return seen;
    }
    let found = match answer.whole(&mut *sink).await {
        Ok(found) => found,
        // A gateway for blocks alone is a gateway, too.
        Err(Whole::NotServed(seen)) => match node.blocks() {
            Some(blocks) => return answer.blocks_alone(blocks, sink).await.unwrap_or(seen),
            None => return seen,
        },
        Err(Whole::Seen(seen)) => return seen,
    };
    match node.blocks() {
        _ if found.matches => answer.verified(found.sha256, found.bytes),
        Some(blocks) if answer.may_be_cut_otherwise() => answer.settle(blocks, &found).await,
        _ => answer.corrupt(&found),
    }
}

/// A content that is asked for at a node.
struct Probe<'a> {
    node: &'a dyn ContentNode,
    id: &'a ContentId,
    known: Known,
    /// Whether the bytes that came are the node's own copy, should they be right.
    heeds: Heeds,
}

/// Why there are no bytes to judge.
enum Whole {
    Seen(Seen),
    /// The node says that it does not serve files: what to say if it serves no blocks, either.
    NotServed(Seen),
}

impl Probe<'_> {
    /// Fetches the file as a whole.
    async fn whole(&mut self, sink: Sink<'_>) -> Result<Verification, Whole> {
        let kind = self.node.kind();
        let mut body = match self.node.open(self.id).await {
            Ok(Answer::Bytes { body, heeds }) => {
                // Who was asked for its own copy before, and did not say, may have one all the same.
                if heeds != Heeds::No {
                    self.heeds = heeds;
                }
                body
            }
            Ok(Answer::BlocksOnly) => {
                let none = Some("it gives no blocks".to_owned());
                let seen = Seen { detail: none, ..bare(ReplicaState::Unreachable, None, 0) };
                return Err(Whole::NotServed(seen));
            }
            Ok(Answer::Says { claimed, detail, named }) => {
                let state = if claimed { ReplicaState::Claimed } else { ReplicaState::Missing };
                let detail = Some(detail);
                let seen = Seen { detail, named, bytes: None, ..bare(state, Some(200), 0) };
                return Err(Whole::Seen(seen));
            }
            Err(error) if is_unsupported(&error) => {
                return Err(Whole::NotServed(failed(kind, &error, 0)));
            }
            Err(error) => return Err(Whole::Seen(failed(kind, &error, 0))),
        };
        if let Some(size) = self.known.size {
            // A length is known from verified bytes: one byte more is already the wrong content.
            body.limit_to(size);
        }
        // Where the bytes are known, their DAG is only for the evidence.
        let mut verifier = match self.known.sha256 {
            Some(_) => Verifier::new(*self.id),
            None => Verifier::any_profile(*self.id),
        };
        loop {
            match body.chunk().await {
                Ok(Some(chunk)) => {
                    verifier.update(&chunk);
                    sink(&chunk);
                }
                Ok(None) => {
                    let found = verifier.finish();
                    let known = self.known.sha256.map(|sha256| sha256 == found.sha256);
                    return Ok(Verification { matches: known.unwrap_or(found.matches), ..found });
                }
                Err(error) => return Err(Whole::Seen(self.broken_off(&error, body.received()))),
            }
        }
    }

    fn broken_off(&self, error: &FetchError, received: u64) -> Seen {
        match error {
            // A policy's limit says nothing about the content, and is met as other errors are.
            FetchError::TooLarge { limit, announced, .. } if self.known.size == Some(*limit) => {
                let detail = match announced {
                    Some(bytes) => format!("{bytes} bytes are announced; the content has {limit}"),
                    None => format!("more than the content's {limit} bytes came"),
                };
                Seen { detail: Some(detail), ..bare(ReplicaState::Corrupt, Some(200), received) }
            }
            _ => Seen {
                http_status: Some(200),
                is_silence: false,
                ..failed(self.node.kind(), error, received)
            },
        }
    }

    /// Whether bytes that do not match may be the file all the same.
    fn may_be_cut_otherwise(&self) -> bool {
        self.id.codec == Codec::DagPb && self.known.sha256.is_none()
    }

    fn verified(&self, sha256: Digest, bytes: u64) -> Seen {
        Seen {
            held: (self.heeds == Heeds::Yes).then_some(true),
            is_untold: self.heeds == Heeds::Unknown,
            computed: Some(self.id.to_string()),
            sha256: Some(sha256),
            ..bare(ReplicaState::Verified, Some(200), bytes)
        }
    }

    fn corrupt(&self, found: &Verification) -> Seen {
        let computed = found.computed.to_string();
        let cut = match self.may_be_cut_otherwise() {
            true => ", cut in the usual way, and in no known way to what it should be",
            false => "",
        };
        Seen {
            detail: Some(format!("the bytes hash to {computed}{cut}")),
            computed: Some(computed),
            sha256: Some(found.sha256),
            ..bare(ReplicaState::Corrupt, Some(200), found.bytes)
        }
    }

    /// Looks at the blocks of a file whose bytes came whole, and make no known DAG.
    async fn settle(&self, blocks: &dyn BlockNode, found: &Verification) -> Seen {
        let mut ignore = |_: &[u8]| {};
        match self.by_blocks(blocks, found.bytes, &mut ignore).await {
            Ok((sha256, bytes)) if sha256 == found.sha256 => self.verified(sha256, bytes),
            Ok(_) => Seen {
                detail: Some("its blocks are right, but the file it serves is another".to_owned()),
                ..self.corrupt(found)
            },
            Err(Unproved::None) => self.corrupt(found),
            Err(Unproved::Wrong(why)) => Seen {
                detail: Some(format!("neither its bytes nor its blocks are right: {why}")),
                ..self.corrupt(found)
            },
            // Bytes came, and nothing proves them.
            Err(Unproved::Seen(seen)) if seen.state == ReplicaState::Missing => {
                Seen { detail: seen.detail, ..self.corrupt(found) }
            }
            Err(Unproved::Seen(seen)) => *seen,
        }
    }

    /// Fetches blocks of the node's own; `None`, and nothing in `sink`, where it gives none, or too
    /// few to be asked for one by one.
    async fn by_its_own(&mut self, sink: Sink<'_>) -> Option<Seen> {
        let blocks = self.node.blocks()?;
        blocks.own_block(&Cid::from(*self.id))?;
        // A provider is asked for nothing but its own, however large that is.
        let is_too_large = self.node.kind() != NodeKind::Provider
            && self.known.size.is_some_and(|size| size > ONE_BY_ONE);
        if is_too_large {
            return None;
        }
        match self.node.keeps_to_its_own().await {
            Heeds::Yes => {}
            other => {
                self.heeds = other;
                return None;
            }
        }
        let limit = self.known.size.unwrap_or(ONE_BY_ONE);
        let limits = DagLimits { file_bytes: limit, ..DagLimits::default() };
        let walk = Walk::new(Cid::from(*self.id), &[], limits);
        let mut tee = Tee::new(sink);
        let (walked, whose) =
            blocks::its_own_first(blocks, walk, &limits, &mut |data| tee.take(data)).await;
        self.heeds = match (whose, &walked) {
            (Whose::ItsOwn, Ok(_)) => Heeds::Yes,
            // It took too long altogether.
            (Whose::ItsOwn, Err(BlocksError::Fetch(_))) | (Whose::Untold, _) => Heeds::Unknown,
            (Whose::ItsOwn | Whose::Anybodys, _) => Heeds::No,
        };
        match walked {
            Ok(walk) => Some(match tee.of_file(&walk) {
                Ok((sha256, bytes)) => self.verified(sha256, bytes),
                Err(seen) => seen,
            }),
            // The usual way may tell more, and disturbs nothing.
            Err(_) if tee.bytes == 0 => None,
            Err(error) => self.judge(self.unproved(error)),
        }
    }

    /// Fetches blocks only; `None` from a node without any.
    async fn blocks_alone(&self, blocks: &dyn BlockNode, sink: Sink<'_>) -> Option<Seen> {
        let limit = self.known.size.unwrap_or(DagLimits::default().file_bytes);
        match self.by_blocks(blocks, limit, sink).await {
            Ok((sha256, bytes)) => Some(self.verified(sha256, bytes)),
            Err(unproved) => self.judge(unproved),
        }
    }

    fn judge(&self, unproved: Unproved) -> Option<Seen> {
        match unproved {
            Unproved::None => None,
            Unproved::Wrong(why) => {
                let policy = self.known.size.is_none() && why.is_limit();
                let state = if policy { ReplicaState::Unreachable } else { ReplicaState::Corrupt };
                Some(Seen { detail: Some(why.to_string()), ..bare(state, Some(200), 0) })
            }
            Unproved::Seen(seen) => Some(*seen),
        }
    }

    /// Plain sha-256 and length of a file of at most `limit` bytes, every block of which is proved.
    async fn by_blocks(
        &self,
        blocks: &dyn BlockNode,
        limit: u64,
        sink: Sink<'_>,
    ) -> Result<(Digest, u64), Unproved> {
        let limits = DagLimits { file_bytes: limit, ..DagLimits::default() };
        let cid = Cid::from(*self.id);
        let walk = Walk::new(cid, &[], limits);
        // With its blocks' names, an archive is larger than its file.
        let archive = blocks.archive(&cid, &[]).map(|request| {
            request.limit(limit.saturating_mul(2).saturating_add(limits.block_bytes as u64))
        });
        let mut tee = Tee::new(sink);
        let walk = blocks::prove(blocks, walk, archive, &limits, &mut |data| tee.take(data))
            .await
            .map_err(|error| self.unproved(error))?;
        tee.of_file(&walk).map_err(|seen| Unproved::Seen(Box::new(seen)))
    }

    fn unproved(&self, error: BlocksError) -> Unproved {
        match error {
            BlocksError::None(_) => Unproved::None,
            BlocksError::Fetch(error) => {
                Unproved::Seen(Box::new(failed(self.node.kind(), &error, 0)))
            }
            BlocksError::Car(CarError::Missing { .. }) => Unproved::Seen(Box::new(Seen {
                detail: Some(error.to_string()),
                ..bare(ReplicaState::Missing, Some(200), 0)
            })),
            BlocksError::Car(
                CarError::TooLarge { .. }
                | CarError::Dag(
                    DagError::Hash { .. }
                    | DagError::TooMany { .. }
                    | DagError::BlockTooLarge { .. },
                ),
            ) => Unproved::Seen(Box::new(Seen {
                detail: Some(error.to_string()),
                ..bare(ReplicaState::Claimed, Some(200), 0)
            })),
            error => Unproved::Wrong(error),
        }
    }
}

/// Counts and hashes what goes to a sink.
struct Tee<'a> {
    sink: Sink<'a>,
    hasher: Sha256,
    bytes: u64,
}

impl<'a> Tee<'a> {
    fn new(sink: Sink<'a>) -> Self {
        Self { sink, hasher: Sha256::new(), bytes: 0 }
    }

    fn take(&mut self, data: &[u8]) {
        self.hasher.update(data);
        self.bytes += data.len() as u64;
        (self.sink)(data);
    }

    /// Plain sha-256 and length of the file that a walk has led through.
    fn of_file(self, walk: &Walk) -> Result<(Digest, u64), Seen> {
        match walk.found() {
            Some(Found::Directory { .. }) => Err(Seen {
                detail: Some("it is a folder, and no file".to_owned()),
                ..bare(ReplicaState::Claimed, Some(200), 0)
            }),
            _ => Ok((Digest(self.hasher.finalize().into()), self.bytes)),
        }
    }
}

/// Why blocks prove nothing.
enum Unproved {
    /// The node gives none.
    None,
    /// They are wrong.
    Wrong(BlocksError),
    /// They are not to be had, or nobody can say.
    Seen(Box<Seen>),
}
