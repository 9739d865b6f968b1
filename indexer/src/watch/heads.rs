//! At the head: what is remembered of it, and what is said once.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::info;

use super::{Watch, WatchError, chain::Chain};
use crate::{
    chain::BlockRef,
    ledger::{self, Collection, RowId},
};

/// Where nothing else is written, the head is no more often than this.
const HEAD: Duration = Duration::from_secs(5);

/// What this process has said and written of a chain.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When the head was last written.
    head: Mutex<Option<Instant>>,
    /// Collections whose start block is not there yet.
    waiting: Mutex<HashSet<RowId>>,
}

/// Whoever panicked left it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Told {
    /// The head was written just now.
    pub(super) fn head_is_written(&self, now: Instant) {
        *lock(&self.head) = Some(now);
    }

    /// Whether it is time to write the head.
    fn head_is_due(&self, now: Instant) -> bool {
        lock(&self.head).is_none_or(|last| now.saturating_duration_since(last) >= HEAD)
    }

    /// Whether it is the first time that this collection has to wait.
    fn begins_to_wait(&self, collection: RowId) -> bool {
        lock(&self.waiting).insert(collection)
    }
}

impl Watch {
    /// Everything was read up to the head.
    pub(super) async fn at_head(
        &self,
        chain: &Chain,
        head: &BlockRef,
        collections: &[Collection],
    ) -> Result<(), WatchError> {
        for collection in collections {
            if collection.is_ahead_of(head.number) && chain.told.begins_to_wait(collection.id) {
                let (name, start) = (&collection.name, collection.start_block);
                info!("{name}: its start_block is {start}, the head is {}; waiting", head.number);
            }
            if collection.rereading && collection.halted.is_none() {
                self.finish_rereading(collection).await?;
            }
        }
        self.note_head(chain, head).await
    }

    async fn finish_rereading(&self, collection: &Collection) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        let keep = self.settings.keep_history;
        let finished = tx.has_been_reread(collection, keep, ledger::now()).await?;
        tx.commit().await?;
        if finished {
            info!("{}: it has been read again", collection.name);
        }
        Ok(())
    }

    /// Remembers the head, unless that was done a moment ago.
    pub(super) async fn note_head(&self, chain: &Chain, head: &BlockRef) -> Result<(), WatchError> {
        let now = Instant::now();
        if !chain.told.head_is_due(now) {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        tx.see_head(chain.id(), head, ledger::now()).await?;
        tx.commit().await?;
        chain.told.head_is_written(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_due_at_first_and_then_now_and_then() {
        let (told, begun) = (Told::default(), Instant::now());
        assert!(told.head_is_due(begun));
        told.head_is_written(begun);
        assert!(!told.head_is_due(begun));
        assert!(!told.head_is_due(begun + HEAD - Duration::from_millis(1)));
        assert!(told.head_is_due(begun + HEAD));
    }

    #[test]
    fn each_collection_begins_to_wait_once() {
        let told = Told::default();
        let said: Vec<_> = [1, 2, 1].into_iter().map(|id| told.begins_to_wait(id)).collect();
        assert_eq!(said, [true, true, false]);
    }
}
