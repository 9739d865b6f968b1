//! Reads URIs: of collections themselves, of tokens that are new or whose metadata changed at once, of all the others of a
//! collection at intervals, since old contracts change them and tell nobody.

use tracing::{debug, warn};

use super::{
    Watch, WatchError,
    chain::{Chain, Followed},
    meaning::meaning,
};
use crate::{
    chain::{BlockRef, Pinned, RpcError, UriCall},
    ledger::{self, DueUri, LedgerError, Millis, RowId, UriReading, UriRecord},
};

/// URIs that are read and written down at once.
const PAGE: u32 = 512;
/// Nobody else takes a URI that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 20 * 60 * 1000;
/// A token that gave no URI is asked again after this, in milliseconds; twice as long each time.
const RETRY: Millis = 60 * 1000;
/// Times a chain that moves under our hands is read again before the round gives up.
const PATIENCE: u32 = 5;

impl Watch {
    /// Reads every URI of a chain that is due, as it is at the last block that was read; gives how
    /// many are new or others. Nothing, where the chain was not reached yet.
    pub(super) async fn read_uris(&self, followed: &Followed) -> Result<u64, WatchError> {
        let Some(chain) = followed.reached() else { return Ok(0) };
        let mut changes = 0;
        let changed = loop {
            match self.read_uris_once(chain).await {
                Err(WatchError::Rpc(RpcError::Changed)) if changes < PATIENCE => changes += 1,
                other => break other?,
            }
        };
        self.tell_odd_logs().await?;
        Ok(changed)
    }

    async fn read_uris_once(&self, chain: &Chain) -> Result<u64, WatchError> {
        let mut tx = self.ledger.read().await?;
        let Some(top) = tx.top_block(chain.id()).await? else { return Ok(0) };
        let now = ledger::now();
        let before = now.saturating_sub(self.settings.schedule.recheck);
        if !tx.has_due_uris(chain.id(), top.number, before, now).await? {
            return Ok(0);
        }
        drop(tx);
        // Before anything is taken, which is the endpoint's to fail at.
        let view = chain.view().await?;
        let pinned = view.pin(top).await?;
        let mut changed = self.read_due(chain, &pinned).await?;
        for collection in self.take_collections(chain, &top).await? {
            changed += self.read_collection(chain, &pinned, collection).await?;
        }
        Ok(changed)
    }

    /// The collections whose time has come.
    async fn take_collections(
        &self,
        chain: &Chain,
        top: &BlockRef,
    ) -> Result<Vec<RowId>, WatchError> {
        // Of one moment: where every round rechecks, the next round does.
        let now = ledger::now();
        let before = now.saturating_sub(self.settings.schedule.recheck);
        let mut tx = self.ledger.write().await?;
        let mut taken = Vec::new();
        let (id, block) = (chain.id(), top.number);
        while let Some(collection) = tx.take_due_collection(id, block, before, now).await? {
            taken.push(collection);
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Reads what is due by itself, and what becomes so meanwhile.
    async fn read_due(&self, chain: &Chain, pinned: &Pinned<'_>) -> Result<u64, WatchError> {
        let mut changed = 0;
        loop {
            let now = ledger::now();
            let lease = now.saturating_add(LEASE);
            let mut tx = self.ledger.write().await?;
            let (id, block) = (chain.id(), pinned.block().number);
            let due = tx.take_due_uris(id, block, now, lease, PAGE).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(changed);
            }
            match self.read_page(chain, pinned, &due, Some(lease)).await {
                Ok(more) => changed += more,
                Err(error) => {
                    let mut tx = self.ledger.write().await?;
                    tx.give_back_uris(chain.id(), lease).await?;
                    tx.commit().await?;
                    return Err(error);
                }
            }
        }
    }

    /// Reads all URIs of a collection; only others are written down.
    async fn read_collection(
        &self,
        chain: &Chain,
        pinned: &Pinned<'_>,
        collection: RowId,
    ) -> Result<u64, WatchError> {
        let (mut after, mut changed) = (None, 0);
        loop {
            let mut tx = self.ledger.read().await?;
            let page = tx.uris_after(collection, after, pinned.block().number, PAGE).await?;
            drop(tx);
            let Some(last) = page.last() else { return Ok(changed) };
            after = Some(last.token);
            changed += self.read_page(chain, pinned, &page, None).await?;
        }
    }

    async fn read_page(
        &self,
        chain: &Chain,
        pinned: &Pinned<'_>,
        page: &[DueUri],
        lease: Option<Millis>,
    ) -> Result<u64, WatchError> {
        let call = |due: &DueUri| UriCall {
            contract: due.address,
            standard: due.standard,
            token: due.token,
        };
        let calls: Vec<_> = page.iter().map(call).collect();
        let meanings = pinned.uris(&calls, meaning).await?;
        let (mut records, mut unread) = (Vec::new(), Vec::new());
        for (due, meaning) in page.iter().zip(meanings) {
            let DueUri { collection, token, .. } = *due;
            match meaning {
                Some(meaning) => records.push(UriRecord { collection, token, meaning }),
                None => unread.push((collection, token)),
            }
        }
        if let Some(first) = page.iter().find(|due| unread.contains(&(due.collection, due.token))) {
            warn!(
                "the RPC endpoints tell different URIs of {}, {} in all, and no majority the same; \
                 they are read again later",
                first.address,
                unread.len()
            );
        }
        let reading = UriReading {
            chain_id: chain.id(),
            block: pinned.block(),
            records: &records,
            lease,
            retry: RETRY,
            recheck: self.settings.schedule.recheck,
            keep_history: self.settings.keep_history,
            now: ledger::now(),
        };
        let again = reading.now.saturating_add(RETRY);
        let mut tx = self.ledger.write().await?;
        let changed = tx.record_uris(&reading).await.map_err(|error| match error {
            LedgerError::Unlinked(_) => WatchError::Rpc(RpcError::Changed),
            other => other.into(),
        })?;
        tx.postpone_uris(&unread, lease, again).await?;
        tx.commit().await?;
        debug!(
            "{} URIs read at block {}: {changed} new or other",
            page.len(),
            pinned.block().number
        );
        Ok(changed)
    }

    /// Says what was passed over since the last time.
    pub(super) async fn tell_odd_logs(&self) -> Result<(), WatchError> {
        let mut tx = self.ledger.read().await?;
        let odd = tx.odd_logs().await?;
        let collections = tx.followed(None).await?;
        drop(tx);
        for one in odd {
            let known = collections.iter().find(|c| c.id == one.collection);
            let new = match self.told_odd.lock() {
                Ok(mut told) => told.insert((one.collection, one.oddity)),
                Err(_) => false,
            };
            if let Some(collection) = known.filter(|_| new) {
                let (address, block) = (collection.address, one.first_block);
                warn!("{address}: {}, since block {block}", one.oddity.sentence());
            }
        }
        Ok(())
    }
}
