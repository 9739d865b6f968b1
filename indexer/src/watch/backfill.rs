//! Blocks that no reorg takes back any more: read ahead, and written while more is read.

use std::{slice::from_ref, time::Instant};

use tracing::{debug, info};

use super::{
    Watch, WatchError,
    chain::Chain,
    index::{Indexed, Stretch},
    progress::Progress,
};
use crate::{
    chain::{BlockRef, Reader, RpcError, TokenEvent, View},
    ledger::Collection,
};

/// Events written in one transaction, about.
const COMMIT_EVENTS: usize = 8_192;
/// Blocks after which the checkpoint is written, however little happened in them.
const COMMIT_BLOCKS: u64 = 100_000;

/// What is written in one transaction.
struct Batch {
    from: u64,
    last: BlockRef,
    events: Vec<TokenEvent>,
}

/// Puts batches together from what is read.
struct Batches<'a> {
    view: &'a View<'a>,
    reader: Reader,
    progress: Progress,
    next: u64,
    last: u64,
}

impl Watch {
    /// Reads many blocks at a time, up to `last`.
    pub(super) async fn backfill(
        &self,
        chain: &Chain,
        view: &View<'_>,
        mut stretch: Stretch,
        last: u64,
        done: &mut Indexed,
    ) -> Result<(), WatchError> {
        let last = last.min(stretch.to);
        let watched: Vec<_> = stretch.collections.iter().map(Collection::watched).collect();
        let reader = view.reader(&watched, stretch.from, last);
        let progress = Progress::new(stretch.from, last, Instant::now());
        let mut batches = Batches { view, reader, progress, next: stretch.from, last };
        let mut batch = batches.next().await?;
        while let Some(Batch { from, last, events }) = batch {
            // The next is read while this one is written.
            let (written, following) = tokio::join!(
                self.write(
                    chain,
                    view,
                    &stretch.collections,
                    last.number,
                    from_ref(&last),
                    &events
                ),
                batches.next(),
            );
            written?;
            done.events += events.len() as u64;
            debug!("blocks {from} to {}: {} events", last.number, events.len());
            for collection in &mut stretch.collections {
                collection.was_read_up_to(last.number);
            }
            batch = following?;
        }
        Ok(())
    }
}

impl Batches<'_> {
    /// The next; `None` behind the last.
    async fn next(&mut self) -> Result<Option<Batch>, RpcError> {
        let (from, mut events) = (self.next, Vec::new());
        while let Some(mut read) = self.reader.next().await? {
            let came = read.events.len() as u64;
            events.append(&mut read.events);
            if let Some(line) = self.progress.read(read.to, came, Instant::now()) {
                info!("{line}");
            }
            if events.len() >= COMMIT_EVENTS
                || read.to - from >= COMMIT_BLOCKS
                || read.to >= self.last
            {
                let last = self.view.settled_block(read.to).await?;
                self.next = read.to + 1;
                return Ok(Some(Batch { from, last, events }));
            }
        }
        Ok(None)
    }
}
