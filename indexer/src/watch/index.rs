//! Follows the chain: revert what a reorg took back, then commit what is new.

use std::collections::BTreeSet;

use alloy::primitives::Bloom;
use futures::{StreamExt, TryStreamExt, stream};
use tracing::{debug, info, warn};

use super::{Watch, WatchError};
use crate::{
    chain::{BlockRef, RpcError, TokenEvent, View, Watched, may_concern},
    ledger::{self, Collection, Commit, LedgerError},
};

/// What indexing did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Indexed {
    pub(super) events: u64,
    pub(super) reorgs: u64,
}

/// Blocks remembered at least, so that a reorg of that depth can be followed.
const WINDOW: u64 = 128;
/// Events written in one transaction, about.
const COMMIT_EVENTS: usize = 16_384;
/// Blocks after which the checkpoint is written, however little happened in them.
const COMMIT_BLOCKS: u64 = 100_000;
/// Blocks remembered at most, however far finality lags.
const MOST_WINDOW: u64 = 4096;
/// Times a chain that moves under our hands is read again before the round gives up.
const PATIENCE: u32 = 5;

/// A stretch of blocks that some collections are read in together.
struct Stretch {
    collections: Vec<Collection>,
    from: u64,
    to: u64,
}

impl Watch {
    /// Reads the chain up to its head.
    pub(super) async fn index(&self) -> Result<Indexed, WatchError> {
        let mut done = Indexed::default();
        let mut changes = 0;
        loop {
            match self.index_view(&mut done).await {
                Err(WatchError::Rpc(RpcError::Changed)) if changes < PATIENCE => {
                    changes += 1;
                    debug!("the chain moved while it was read; reading again");
                }
                other => return other.map(|()| done),
            }
        }
    }

    /// Reads one state of the chain up to its head.
    async fn index_view(&self, done: &mut Indexed) -> Result<(), WatchError> {
        let settings = &self.settings;
        let view = self.rpc.view(settings.finality, settings.confirmations).await?;
        if !self.follow_reorg(&view, done).await? {
            return Ok(());
        }
        let window_start = self.window_start(&view);
        loop {
            let collections = self.ledger.read().await?.collections().await?;
            let Some(stretch) = next_stretch(&collections, view.head.number) else {
                return Ok(());
            };
            if stretch.from < window_start {
                self.backfill(&view, stretch, window_start - 1, done).await?;
            } else {
                self.index_recent(&view, &stretch, done).await?;
            }
        }
    }

    /// The first block that a reorg may take back: what is not final, and more.
    fn window_start(&self, view: &View<'_>) -> u64 {
        let start = view.head.number.saturating_sub(WINDOW.max(self.settings.confirmations));
        let final_until = view.finalized.map_or(start, |finalized| start.min(finalized));
        final_until.max(view.head.number.saturating_sub(MOST_WINDOW))
    }

    /// Reads blocks that no reorg takes back any more, many at a time, up to `last`.
    async fn backfill(
        &self,
        view: &View<'_>,
        mut stretch: Stretch,
        last: u64,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let last = last.min(stretch.to);
        let watched: Vec<_> = stretch.collections.iter().map(Collection::watched).collect();
        let mut reader = view.reader(&watched, stretch.from, last);
        let mut events = Vec::new();
        while let Some(mut read) = reader.next().await? {
            events.append(&mut read.events);
            if events.len() < COMMIT_EVENTS
                && read.to - stretch.from < COMMIT_BLOCKS
                && read.to < last
            {
                continue;
            }
            let header = view.block(read.to).await?.ok_or(RpcError::Changed)?;
            self.write(view, &stretch.collections, read.to, &[header], &events).await?;
            done.events += events.len() as u64;
            debug!("blocks {} to {}: {} events", stretch.from, read.to, events.len());
            events.clear();
            stretch.from = read.to + 1;
            for collection in &mut stretch.collections {
                collection.indexed_block = Some(read.to);
            }
        }
        Ok(())
    }

    /// Compares the window with the chain and takes back what is no longer on it. Gives `false`
    /// where the endpoints are behind the ledger: then there is nothing to do but wait.
    async fn follow_reorg(&self, view: &View<'_>, done: &mut Indexed) -> Result<bool, WatchError> {
        let chain_id = self.rpc.chain_id();
        let window = self.ledger.read().await?.window(chain_id).await?;
        let (Some(top), Some(last)) = (window.first(), window.last()) else { return Ok(true) };
        if view.head.number < last.number {
            let head = view.head.number;
            warn!("the RPC is at block {head}, below all that is remembered; waiting for it");
            return Ok(false);
        }
        let mut oldest = top.number;
        for known in window.iter().filter(|block| block.number <= view.head.number) {
            // No answer below the head is no fork: the endpoint contradicts itself.
            let now = view.block(known.number).await?.ok_or(RpcError::Changed)?;
            if now.hash == known.hash {
                if known.number == top.number {
                    return Ok(true);
                }
                if known.number == view.head.number {
                    debug!("the RPC is at block {}, the ledger at {}", known.number, top.number);
                    return Ok(false);
                }
                self.take_back(chain_id, known.number, top.number).await?;
                done.reorgs += 1;
                return Ok(true);
            }
            oldest = known.number;
        }
        Err(WatchError::ReorgTooDeep { oldest })
    }

    async fn take_back(&self, chain: u64, ancestor: u64, top: u64) -> Result<(), WatchError> {
        info!("reorg: blocks {} to {top} are taken back", ancestor + 1);
        let mut tx = self.ledger.write().await?;
        let keep = self.settings.keep_history;
        tx.revert_blocks(chain, ancestor, keep, ledger::now()).await?;
        Ok(tx.commit().await?)
    }

    /// Reads blocks that a reorg may take back, with their headers, and writes them.
    async fn index_recent(
        &self,
        view: &View<'_>,
        stretch: &Stretch,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let Stretch { collections, from, .. } = stretch;
        let watched: Vec<_> = collections.iter().map(Collection::watched).collect();
        // No more than one request brings: what was read is kept, whatever comes then.
        let (before, mut events) = loop {
            let to = stretch.to.min(from.saturating_add(view.span() - 1));
            let before = view.block(to).await?.ok_or(RpcError::Changed)?;
            match view.events(&watched, *from, to).await {
                Ok(events) => break (before, events),
                Err(error) if to > *from && error.may_be_too_much() => {}
                Err(error) => return Err(error.into()),
            }
        };
        let to = &before.number;
        // The first time, blocks below the stretch are remembered too: a reorg may reach there.
        let known = self.ledger.read().await?.window(self.rpc.chain_id()).await?;
        let lowest = if known.is_empty() { self.window_start(view) } else { *from };
        let headers = recent_headers(view, lowest, *to).await?;
        complete(view, &watched, &headers, *from, &mut events).await?;
        let blocks: Vec<_> = headers.into_iter().map(|(block, _)| block).collect();
        check(&before, &blocks, &events)?;
        self.write(view, collections, *to, &blocks, &events).await?;
        done.events += events.len() as u64;
        debug!("blocks {from} to {to}: {} events", events.len());
        Ok(())
    }

    /// Writes what was read, with its checkpoint.
    async fn write(
        &self,
        view: &View<'_>,
        collections: &[Collection],
        to: u64,
        blocks: &[BlockRef],
        events: &[TokenEvent],
    ) -> Result<(), WatchError> {
        let commit = Commit {
            chain_id: self.rpc.chain_id(),
            collections,
            to,
            blocks,
            events,
            finalized: view.finalized,
            window_start: self.window_start(view),
            keep_history: self.settings.keep_history,
            now: ledger::now(),
        };
        let mut tx = self.ledger.write().await?;
        tx.commit_blocks(&commit).await.map_err(|error| match error {
            LedgerError::Unlinked(_) => WatchError::Rpc(RpcError::Changed),
            other => other.into(),
        })?;
        Ok(tx.commit().await?)
    }
}

/// The next blocks to read: from where the collections that are furthest behind stand, until
/// where the next others do.
fn next_stretch(collections: &[Collection], head: u64) -> Option<Stretch> {
    let next = |c: &Collection| c.indexed_block.map_or(c.start_block, |block| block + 1);
    let from = collections.iter().map(next).min()?;
    if from > head {
        return None;
    }
    let others = collections.iter().map(next).filter(|number| *number > from).min();
    let to = head.min(others.map_or(head, |number| number - 1));
    let collections = collections.iter().filter(|c| next(c) == from).cloned().collect();
    Some(Stretch { collections, from, to })
}

/// The headers of a range, and always that of its last block, read after its logs were.
async fn recent_headers(
    view: &View<'_>,
    from: u64,
    to: u64,
) -> Result<Vec<(BlockRef, Bloom)>, RpcError> {
    stream::iter(from.min(to)..=to)
        .map(|number| async move { view.fresh_header(number).await?.ok_or(RpcError::Changed) })
        .buffered(8)
        .try_collect()
        .await
}

/// Asks for recent blocks one by one of which a range told nothing, though their filters say
/// that there may be something. Puts events into the chain's order.
async fn complete(
    view: &View<'_>,
    collections: &[Watched],
    headers: &[(BlockRef, Bloom)],
    from: u64,
    events: &mut Vec<TokenEvent>,
) -> Result<(), RpcError> {
    let told: BTreeSet<_> = events.iter().map(|event| event.block_number).collect();
    let silent = |(block, bloom): &&(BlockRef, Bloom)| {
        !told.contains(&block.number) && may_concern(bloom, collections)
    };
    for (block, _) in headers.iter().filter(|(block, _)| block.number >= from).filter(silent) {
        events.extend(view.events_of_block(collections, block.hash).await?);
    }
    events.sort_by_key(|event| (event.block_number, event.log_index, event.sub_index));
    Ok(())
}

/// Whether logs and headers are of one chain: the last block is the same before and after the
/// logs were read, headers link, and each log is of the header of its number.
fn check(before: &BlockRef, blocks: &[BlockRef], events: &[TokenEvent]) -> Result<(), RpcError> {
    let linked = blocks.windows(2).all(|pair| pair[1].parent_hash == pair[0].hash);
    let same_end = blocks.last().is_some_and(|last| last.hash == before.hash);
    let first = blocks.first().map_or(0, |block| block.number);
    let matching = events.iter().filter(|event| event.block_number >= first).all(|event| {
        let index = usize::try_from(event.block_number - first).unwrap_or(usize::MAX);
        blocks.get(index).is_some_and(|block| block.hash == event.block_hash)
    });
    if linked && same_end && matching { Ok(()) } else { Err(RpcError::Changed) }
}
