//! Follows the chain: revert what a reorg took back, then commit what is new.

use std::{
    collections::{BTreeSet, HashSet},
    time::Instant,
};

use alloy::primitives::Bloom;
use futures::{StreamExt, TryStreamExt, stream};
use tracing::{debug, info};

use super::{
    Watch, WatchError,
    chain::{Chain, Followed},
};
use crate::{
    chain::{
        BlockRef, Creation, MOST_ADDRESSES, RpcError, TokenEvent, TokenEventKind, Traces, View,
        Watched,
    },
    ledger::{self, Collection, Commit, LedgerError, Tx},
};

/// What indexing did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Indexed {
    pub(super) events: u64,
    pub(super) reorgs: u64,
    pub(super) halted: u64,
    /// The head that was seen last.
    pub(super) head: u64,
}

/// Blocks remembered at least, so that a reorg of that depth can be followed.
const WINDOW: u64 = 128;
/// Blocks remembered at most, however far finality lags.
const MOST_WINDOW: u64 = 4096;
/// Times a chain that moves under our hands is read again before the round gives up.
const PATIENCE: u32 = 5;

/// Headers asked for at once.
const HEADERS: usize = 16;

/// A stretch of blocks that some collections are read in together, those that begin in it too.
pub(super) struct Stretch {
    pub(super) collections: Vec<Collection>,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Blocks that a reorg may take back, as they were read.
pub(super) struct Recent {
    watched: Vec<Watched>,
    from: u64,
    /// Their headers, and those below that are to be remembered with them.
    blocks: Vec<BlockRef>,
    events: Vec<TokenEvent>,
}

/// What was read up to a block, with headers of recent blocks up to it.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) to: u64,
    pub(super) blocks: &'a [BlockRef],
    pub(super) events: &'a [TokenEvent],
}

impl Indexed {
    /// Blocks from this one on were written.
    pub(super) fn count(&mut self, from: u64, read: Read<'_>) {
        self.events += read.events.len() as u64;
        debug!("blocks {from} to {}: {} events", read.to, read.events.len());
    }
}

impl Stretch {
    pub(super) fn watched(&self) -> Vec<Watched> {
        self.collections.iter().map(Collection::watched).collect()
    }
}

impl Recent {
    /// Whether it was read for these collections, from the same block on.
    fn is_of(&self, stretch: &Stretch) -> bool {
        self.from == stretch.from && self.watched == stretch.watched()
    }
}

impl Watch {
    /// Reads a chain up to its head.
    pub(super) async fn index(&self, followed: &Followed) -> Result<Indexed, WatchError> {
        let mut done = Indexed::default();
        self.index_into(followed, &mut done).await.map(|()| done)
    }

    /// As [`Watch::index`]; endpoints that want to be left alone for a while are waited for.
    pub(super) async fn index_patiently(&self, followed: &Followed) -> Result<Indexed, WatchError> {
        let mut done = Indexed::default();
        followed.patiently(async || self.index_into(followed, &mut done).await).await?;
        Ok(done)
    }

    async fn index_into(&self, followed: &Followed, done: &mut Indexed) -> Result<(), WatchError> {
        let chain = self.reach(followed).await?;
        let mut changes = 0;
        loop {
            match self.index_view(chain, done).await {
                Err(WatchError::Rpc(RpcError::Changed)) if changes < PATIENCE => {
                    changes += 1;
                    debug!("the chain moved while it was read; reading again");
                }
                other => return other,
            }
        }
    }

    /// Reads one state of a chain up to its head.
    async fn index_view(&self, chain: &Chain, done: &mut Indexed) -> Result<(), WatchError> {
        let view = chain.view().await?;
        done.head = view.head.number;
        if !self.follow_fork(chain, &view, done).await? {
            return self.note_head(chain, &view.head).await;
        }
        let window_start = window_start(chain, &view);
        let mut ahead = None;
        loop {
            let mut tx = self.ledger.read().await?;
            if tx.is_at(chain.id(), view.head.number).await? {
                drop(tx);
                return self.note_head(chain, &view.head).await;
            }
            let collections = tx.followed(Some(chain.id())).await?;
            drop(tx);
            let Some(stretch) = next_stretch(&collections, view.head.number) else {
                return self.at_head(chain, &view.head, &collections).await;
            };
            if stretch.from < window_start {
                ahead = self.backfill(chain, &view, stretch, window_start - 1, done).await?;
            } else {
                let recent = match ahead.take().filter(|ahead: &Recent| ahead.is_of(&stretch)) {
                    Some(recent) => recent,
                    None => self.read_recent(chain, &view, &stretch).await?,
                };
                self.write_recent(chain, &view, &stretch, &recent, done).await?;
            }
        }
    }

    /// Reads blocks that a reorg may take back, with their headers.
    pub(super) async fn read_recent(
        &self,
        chain: &Chain,
        view: &View<'_>,
        stretch: &Stretch,
    ) -> Result<Recent, WatchError> {
        let (watched, from) = (stretch.watched(), stretch.from);
        // Where none is remembered right below the stretch, those below it are remembered too: a
        // reorg may reach there.
        let known = self.ledger.read().await?.window(chain.id()).await?;
        let below = known.iter().any(|block| block.number.checked_add(1) == Some(from));
        let lowest = if below { from } else { window_start(chain, view) };
        // No more than one request brings: what was read is kept, whatever comes then.
        let (before, headers, mut events) = loop {
            let to = stretch.to.min(from.saturating_add(view.reach() - 1));
            let before = view.settled_block(to).await?;
            let below = recent_headers(view, lowest, to);
            let (events, headers) = tokio::join!(view.events(&watched, from, to), below);
            match events {
                Ok(events) => break (before, headers?, events),
                Err(error) if to > from && error.may_be_too_much() => {}
                Err(error) => return Err(error.into()),
            }
        };
        // After the logs, since all others are linked to it.
        let last = view.fresh_header(before.number).await?.ok_or(RpcError::Changed)?;
        let headers = [headers, vec![last]].concat();
        let blocks: Vec<_> = headers.iter().map(|(block, _)| *block).collect();
        check(&before, &blocks, &events)?;
        // Each of these is asked for by its hash.
        complete(view, &watched, &headers, from, &mut events).await?;
        Ok(Recent { watched, from, blocks, events })
    }

    async fn write_recent(
        &self,
        chain: &Chain,
        view: &View<'_>,
        stretch: &Stretch,
        recent: &Recent,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let Recent { from, blocks, events, .. } = recent;
        let to = blocks.last().map_or(*from, |block| block.number);
        let mut tx = self.ledger.write().await?;
        let read = Read { to, blocks, events };
        self.put(&mut tx, chain, view, &stretch.collections, read).await?;
        settle(chain, tx, events).await?;
        done.count(*from, read);
        Ok(())
    }

    /// Puts what was read into a transaction, with its checkpoint.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        chain: &Chain,
        view: &View<'_>,
        collections: &[Collection],
        read: Read<'_>,
    ) -> Result<(), WatchError> {
        let Read { to, blocks, events } = read;
        let commit = Commit {
            chain_id: chain.id(),
            collections,
            to,
            blocks,
            events,
            finalized: view.finalized,
            window_start: window_start(chain, view),
            keep_history: self.settings.keep_history,
            now: ledger::now(),
        };
        tx.commit_blocks(&commit).await.map_err(|error| match error {
            LedgerError::Unlinked(_) => WatchError::Rpc(RpcError::Changed),
            other => other.into(),
        })?;
        tx.see_head(commit.chain_id, &view.head, commit.now).await?;
        Ok(())
    }
}

/// Commits what was put into a transaction, and tells what it brought.
pub(super) async fn settle<'a>(
    chain: &Chain,
    tx: Tx,
    events: impl IntoIterator<Item = &'a TokenEvent>,
) -> Result<(), WatchError> {
    tx.commit().await?;
    chain.told.head_is_written(Instant::now());
    say_creations(events);
    Ok(())
}

/// Creations that are told one by one; of more at once, only their number is.
const FEW: usize = 5;

/// Says which collections were made.
fn say_creations<'a>(events: impl IntoIterator<Item = &'a TokenEvent>) {
    let made = |event: &TokenEvent| match &event.kind {
        TokenEventKind::Created(made) => Some((event.block_number, made.clone())),
        _ => None,
    };
    let made: Vec<_> = events.into_iter().filter_map(made).collect();
    if made.len() > FEW {
        info!("factory: {} collections were made", made.len());
        return;
    }
    for (block, Creation { name, collection, creator, .. }) in
        made.iter().map(|(block, made)| (block, made.as_ref()))
    {
        info!("factory: {name} at {collection} was made in block {block}, for {creator}");
    }
}

/// The first block that a reorg may take back: what is not final, and more.
fn window_start(chain: &Chain, view: &View<'_>) -> u64 {
    let start = view.head.number.saturating_sub(WINDOW.max(chain.confirmations));
    let final_until = view.finalized.map_or(start, |finalized| start.min(finalized));
    final_until.max(view.head.number.saturating_sub(MOST_WINDOW))
}

/// The next blocks to read: from where the collections that are furthest behind stand, until
/// where the next others do that were read already. Those that begin between are read along: a
/// contract logs nothing before it is there, so thousands that a factory made one after the other are
/// one stretch. Those that are halted are not read.
fn next_stretch(collections: &[Collection], head: u64) -> Option<Stretch> {
    let followed = || collections.iter().filter(|c| c.halted.is_none());
    let from = followed().map(Collection::next_block).min()?;
    if from > head {
        return None;
    }
    let others = followed().filter(|c| c.indexed_block.is_some()).map(Collection::next_block);
    let others = others.filter(|number| *number > from).min();
    let to = head.min(others.map_or(head, |number| number - 1));
    let collections = followed().filter(|c| c.next_block() <= to).cloned().collect();
    Some(Stretch { collections, from, to })
}

/// The headers from a block to below another.
async fn recent_headers(
    view: &View<'_>,
    from: u64,
    to: u64,
) -> Result<Vec<(BlockRef, Bloom)>, RpcError> {
    stream::iter(from..to)
        .map(|number| async move { view.fresh_header(number).await?.ok_or(RpcError::Changed) })
        .buffered(HEADERS)
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
    let mut found = Vec::new();
    // Those that were asked for together: what one answer tells says nothing of another.
    for together in collections.chunks(MOST_ADDRESSES) {
        let these: HashSet<_> = together.iter().map(|one| one.address).collect();
        let told = events.iter().filter(|event| these.contains(&event.collection));
        let told: BTreeSet<_> = told.map(|event| event.block_number).collect();
        let traces = Traces::of(together);
        let silent = |(block, bloom): &&(BlockRef, Bloom)| {
            block.number >= from && !told.contains(&block.number) && traces.may_be_in(bloom)
        };
        for (block, _) in headers.iter().filter(silent) {
            found.extend(view.events_of_block(together, block.hash).await?);
        }
    }
    events.append(&mut found);
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
