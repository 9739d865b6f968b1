//! The chain's links, back from a head that is agreed on: with them, one endpoint is enough.
//!
//! A header tells the hash of the one below it, so the head proves every block below, but only
//! from above. Logs are written from below. So the chain is walked down once, every hash
//! recomputed and every 256th kept; then it is read upwards, piece by piece, each proved by the
//! hash kept above it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy::{eips::BlockNumberOrTag, primitives::B256, rpc::types::Header};
use futures::{StreamExt, TryStreamExt, stream};
use tracing::info;

use super::{
    events::{BlockRef, TokenEvent},
    proof,
    rpc_error::{Result, RpcError},
    source::{Depth, Source},
    view::Traces,
};

/// One hash of so many blocks is kept: 40 bytes each, some four megabytes for Ethereum's chain.
const STEP: u64 = 256;
/// Headers asked for at once.
const HEADERS: usize = 16;
/// Blocks whose receipts are read at once. Each may be some ten megabytes.
const RECEIPTS: usize = 4;
/// Pieces between two notes of how far the walk is.
const NOTED: u64 = 1 << 16;

/// Hashes of blocks that are proved.
#[derive(Debug, Default)]
pub(super) struct Linked {
    /// Below what a reorg takes back: of the lowest, the highest, and each 256th between them.
    marks: Mutex<BTreeMap<u64, B256>>,
    /// Of every block close to a head.
    recent: Mutex<(B256, BTreeMap<u64, B256>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each entry was whole and proved before it was put there.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Linked {
    /// The last block of the piece that begins with `number`.
    pub(super) fn mark_from(number: u64) -> u64 {
        number | (STEP - 1)
    }

    /// Links the chain from the head down to `from`, and keeps marks up to `to`.
    pub(super) async fn descend(&self, source: &Source, from: u64, to: u64) -> Result<()> {
        let ends = || {
            let marks = lock(&self.marks);
            let end = |(number, hash): (&u64, &B256)| (*number, *hash);
            (marks.last_key_value().map(end), marks.first_key_value().map(end))
        };
        let head = (source.head.number, source.head.hash);
        let Some((top, top_hash)) = ends().0 else {
            return self.walk(source, head, from, to).await.map(drop);
        };
        if top < to {
            let reached = self.walk(source, head, top, to).await?;
            if reached != top_hash {
                // What was linked before is of another chain.
                lock(&self.marks).clear();
                return self.walk(source, head, from, to).await.map(drop);
            }
        }
        match ends().1 {
            Some(bottom) if bottom.0 > from => self.walk(source, bottom, from, to).await.map(drop),
            _ => Ok(()),
        }
    }

    /// Walks down from a block that is proved to `last`; gives the hash of that.
    async fn walk(&self, source: &Source, top: (u64, B256), last: u64, to: u64) -> Result<B256> {
        let (mut number, mut hash) = top;
        let begun = number;
        loop {
            let first = last.max((number / STEP) * STEP);
            let headers = headers(source, first, (number, hash)).await?;
            let mut marks = lock(&self.marks);
            for header in headers.iter().filter(|header| header.number <= to) {
                let is_end = header.number == to || header.number == last;
                if is_end || header.number == Self::mark_from(header.number) {
                    marks.insert(header.number, header.hash);
                }
            }
            drop(marks);
            let Some(lowest) = headers.first() else { return Err(RpcError::Changed) };
            if lowest.number == last {
                return Ok(lowest.hash);
            }
            if (begun - lowest.number) / NOTED != (begun - number) / NOTED {
                info!("linking blocks for proofs: down at {}, to {last}", lowest.number);
            }
            (number, hash) = (lowest.number - 1, lowest.parent_hash);
        }
    }

    /// What the logs of a range say, proved.
    pub(super) async fn read(
        &self,
        source: &Source,
        from: u64,
        to: u64,
        depth: Depth,
    ) -> Result<Vec<TokenEvent>> {
        let anchor = match depth {
            Depth::Deep => {
                lock(&self.marks).range(to..).next().map(|(number, hash)| (*number, *hash))
            }
            Depth::Recent => Some((to, self.recent(source, from, to).await?)),
        };
        let anchor = anchor.ok_or(RpcError::Changed)?;
        let mut headers = headers(source, from, anchor).await?;
        let traces = Traces::of(&source.watched);
        headers.retain(|header| header.number <= to && traces.may_be_in(&header.logs_bloom));
        let blocks: Vec<Vec<_>> = stream::iter(headers)
            .map(|header| async move { proof::events(source, &header).await })
            .buffered(RECEIPTS)
            .try_collect()
            .await?;
        Ok(blocks.into_iter().flatten().collect())
    }

    /// Whether a block has another hash than the one that is proved, seen from this head.
    pub(super) fn contradicts(&self, head: &BlockRef, block: &BlockRef) -> bool {
        let differs = |hash: &B256| *hash != block.hash;
        if lock(&self.marks).get(&block.number).is_some_and(differs) {
            return true;
        }
        let recent = lock(&self.recent);
        recent.0 == head.hash && recent.1.get(&block.number).is_some_and(differs)
    }

    /// The hash of a block close to the head.
    async fn recent(&self, source: &Source, from: u64, number: u64) -> Result<B256> {
        let BlockRef { number: top, hash: head, .. } = source.head;
        let known = || {
            let recent = lock(&self.recent);
            recent.1.get(&number).copied().filter(|_| recent.0 == head)
        };
        if let Some(hash) = known() {
            return Ok(hash);
        }
        let headers = headers(source, from, (top, head)).await?;
        let hashes = headers.iter().map(|header| (header.number, header.hash)).collect();
        *lock(&self.recent) = (head, hashes);
        known().ok_or(RpcError::Changed)
    }
}

/// The headers of a range whose last block's hash is proved; all are, then.
async fn headers(source: &Source, from: u64, (to, hash): (u64, B256)) -> Result<Vec<Header>> {
    let mut headers: Vec<Option<Header>> = stream::iter(from..=to)
        .map(|number| header(source, number))
        .buffered(HEADERS)
        .try_collect()
        .await?;
    let mut expected = hash;
    for (header, number) in headers.iter_mut().rev().zip((from..=to).rev()) {
        let is_it = |header: &Header| header.hash == expected;
        let proved = match header.take().filter(is_it) {
            Some(header) => header,
            None => by_hash(source, number, expected).await?,
        };
        expected = proved.parent_hash;
        *header = Some(proved);
    }
    Ok(headers.into_iter().flatten().collect())
}

/// A header whose fields give its hash, of the first endpoint that has the block.
async fn header(source: &Source, number: u64) -> Result<Option<Header>> {
    let (mut failure, tag) = (None, BlockNumberOrTag::Number(number));
    for endpoint in source.endpoints.iter().filter(|endpoint| endpoint.standing().is_fine()) {
        match endpoint.header(tag).await {
            Ok(Some(seen)) => return Ok(proof::whole(&seen)),
            Ok(None) => {}
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// The header with this hash, from any endpoint.
async fn by_hash(source: &Source, number: u64, hash: B256) -> Result<Header> {
    let mut broken = false;
    for endpoint in &source.endpoints {
        let Ok(Some(seen)) = endpoint.header_of(hash).await else { continue };
        match proof::whole(&seen).filter(|header| header.number == number) {
            Some(header) => return Ok(header),
            None => broken = true,
        }
    }
    if !broken {
        // The endpoints have left the fork that was agreed on, or one did.
        return Err(RpcError::Changed);
    }
    Err(proof::not_whole(number))
}
