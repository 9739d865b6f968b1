//! Blocks that no reorg takes back any more: read ahead, and written while more is read.

use std::{
    pin::pin,
    slice::from_ref,
    time::{Duration, Instant},
};

use futures::future::{Either, select};
use tokio::{task::JoinHandle, time::timeout};
use tracing::{debug, info};

use super::{
    Watch, WatchError,
    chain::Chain,
    index::{Indexed, Read, Recent, Stretch, settle},
    progress::Progress,
};
use crate::{
    chain::{BlockRef, Reader, RpcError, TokenEvent, View},
    ledger::{Collection, Ledger},
};

/// Events written at once, about.
const COMMIT_EVENTS: usize = 8_192;
/// Blocks after which the checkpoint is written, however little happened in them.
const COMMIT_BLOCKS: u64 = 100_000;
/// Batches in one transaction at most. Hashes are in no order: however little a transaction brings, it
/// changes, and logs, nearly every page of their index.
const TOGETHER: usize = 4;
/// How long a transaction stays open for the next batch. Others wait meanwhile.
const LINGER: Duration = Duration::from_millis(100);

/// What is written at once.
struct Batch {
    from: u64,
    last: BlockRef,
    events: Vec<TokenEvent>,
}

/// What comes after a batch.
enum Following {
    Batch(Batch),
    /// Nothing that is final; what comes behind, if it was read.
    Recent(Option<Recent>),
}

/// Puts batches together from what is read.
struct Batches<'a> {
    watch: &'a Watch,
    chain: &'a Chain,
    view: &'a View<'a>,
    reader: Reader,
    progress: Progress,
    next: u64,
    last: u64,
    /// What is to be read behind the last.
    after: Stretch,
}

impl Watch {
    /// Reads many blocks at a time, up to `last`. Gives what comes after them, if it could be read while
    /// the last ones were written.
    pub(super) async fn backfill(
        &self,
        chain: &Chain,
        view: &View<'_>,
        mut stretch: Stretch,
        last: u64,
        done: &mut Indexed,
    ) -> Result<Option<Recent>, WatchError> {
        let last = last.min(stretch.to);
        let reader = view.reader(&stretch.watched(), stretch.from, last);
        let progress = Progress::new(stretch.from, last, Instant::now());
        let after = Stretch {
            collections: stretch.collections.clone(),
            from: last.saturating_add(1),
            to: stretch.to,
        };
        let next = stretch.from;
        let mut batches = Batches { watch: self, chain, view, reader, progress, next, last, after };
        let (mut following, mut aside) = (batches.following().await?, Aside::default());
        loop {
            match following {
                Following::Recent(recent) => return Ok(recent),
                Following::Batch(first) => {
                    let collections = &mut stretch.collections;
                    following = batches.write(collections, first, done).await?;
                    aside.checkpoint(&self.ledger);
                }
            }
        }
    }
}

/// Brings what was written before into the ledger's file, while more is written.
#[derive(Default)]
struct Aside(Option<JoinHandle<()>>);

impl Aside {
    fn checkpoint(&mut self, ledger: &Ledger) {
        if self.0.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        let ledger = ledger.clone();
        self.0 = Some(tokio::spawn(async move {
            if let Err(error) = ledger.checkpoint().await {
                debug!("the ledger's file was not brought up to date: {error}");
            }
        }));
    }
}

impl Batches<'_> {
    /// Writes a batch, and those that are there soon enough after it, in one transaction, while more is
    /// read; gives what comes next.
    async fn write(
        &mut self,
        collections: &mut [Collection],
        first: Batch,
        done: &mut Indexed,
    ) -> Result<Following, WatchError> {
        let (watch, chain, view) = (self.watch, self.chain, self.view);
        let mut tx = watch.ledger.write().await?;
        let (mut written, mut batch) = (Vec::new(), first);
        loop {
            let mut next = pin!(self.following());
            let put = watch.put(&mut tx, chain, view, collections, batch.read());
            let following = match select(pin!(put), next.as_mut()).await {
                Either::Left((put, next)) => {
                    put?;
                    timeout(LINGER, next).await.ok()
                }
                Either::Right((following, put)) => {
                    put.await?;
                    Some(following)
                }
            };
            for collection in &mut *collections {
                collection.was_read_up_to(batch.last.number);
            }
            written.push(batch);
            match following {
                Some(Ok(Following::Batch(there))) if written.len() < TOGETHER => batch = there,
                following => {
                    settle(chain, tx, written.iter().flat_map(|batch| &batch.events)).await?;
                    written.iter().for_each(|batch| done.count(batch.from, batch.read()));
                    let following = match following {
                        Some(following) => following,
                        None => next.await,
                    };
                    return Ok(following?);
                }
            }
        }
    }

    async fn following(&mut self) -> Result<Following, RpcError> {
        if let Some(batch) = self.next().await? {
            return Ok(Following::Batch(batch));
        }
        if self.after.from > self.after.to {
            return Ok(Following::Recent(None));
        }
        // What fails here is read again, and fails by itself then.
        let recent = self.watch.read_recent(self.chain, self.view, &self.after).await.ok();
        Ok(Following::Recent(recent))
    }
}

impl Batch {
    fn read(&self) -> Read<'_> {
        Read { to: self.last.number, blocks: from_ref(&self.last), events: &self.events }
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
