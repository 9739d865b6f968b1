//! The vault together with the ledger, which knows what it holds.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Form, Vault, VaultError};
use crate::{
    config::VaultConfig,
    content::ContentId,
    health::Policy,
    ledger::{self, Ledger, LedgerError, Millis, RowId, Tx, VaultObject},
    picture::ContentPicture,
};

/// Contents that are looked at to make room at first; four times as many where they are not enough.
const BATCH: u32 = 50;

/// The vault and the ledger of what it holds.
#[derive(Debug)]
pub struct Keeper {
    /// The vault.
    pub vault: Vault,
    ledger: Ledger,
    policy: Policy,
    /// Between two looks at what it holds, in milliseconds.
    recheck: i64,
    /// Held by whoever decides whether there is room.
    door: tokio::sync::Mutex<()>,
    /// Bytes that are on their way into it.
    coming: AtomicU64,
}

/// What can go wrong on the way into the vault.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Room in the vault that is kept free, until this is dropped.
#[derive(Debug)]
pub struct Room<'k> {
    coming: &'k AtomicU64,
    bytes: u64,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.coming.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Keeper {
    /// The vault of a configuration, and the ledger.
    pub fn new(vault: Vault, ledger: Ledger, policy: Policy, config: &VaultConfig) -> Self {
        let recheck = config.recheck.millis();
        Self {
            vault,
            ledger,
            policy,
            recheck,
            door: tokio::sync::Mutex::default(),
            coming: AtomicU64::new(0),
        }
    }

    /// When what was found right just now is to be hashed again.
    pub fn next_check(&self, now: Millis) -> Millis {
        now.saturating_add(self.recheck)
    }

    /// Puts the file of a content, which was proved, into the vault; whether there is room. `independent`
    /// nodes have it as well.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn keep(
        &self,
        (row, id): (RowId, &ContentId),
        form: Form,
        file: &Path,
        independent: u32,
    ) -> Result<bool, KeepError> {
        let bytes = std::fs::metadata(file).map_err(VaultError::from)?.len();
        let Some(room) = self.room(bytes, independent).await? else { return Ok(false) };
        let bytes = self.vault.put(id, form, file).await?;
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        tx.record_in_vault(row, (form, bytes), now, self.next_check(now)).await?;
        tx.commit().await?;
        drop(room);
        self.vault.leave_only(id, form).await?;
        Ok(true)
    }

    /// Whether there would be room for so many bytes of a content that so many independent nodes have.
    /// Nothing is done for it yet.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn has_room(&self, bytes: u64, independent: u32) -> Result<bool, KeepError> {
        let over = self.over(bytes).await?;
        Ok(over == 0 || self.expendable(over, independent).await?.is_some())
    }

    /// Room for so many bytes of a content that so many independent nodes have, which is here by now, made
    /// at the cost of none but those that are safer; `None`, where there is none: then nothing goes. What
    /// nothing names goes first, then what most nodes have. What no node has stays.
    ///
    /// # Errors
    /// [`KeepError`].
    async fn room(&self, bytes: u64, independent: u32) -> Result<Option<Room<'_>>, KeepError> {
        let _door = self.door.lock().await;
        let over = self.over(bytes).await?;
        if over > 0 {
            let Some(expendable) = self.expendable(over, independent).await? else {
                return Ok(None);
            };
            for one in &expendable {
                self.evict(one).await?;
            }
        }
        self.coming.fetch_add(bytes, Ordering::Relaxed);
        Ok(Some(Room { coming: &self.coming, bytes }))
    }

    /// How many bytes too many there would be with so many more.
    async fn over(&self, bytes: u64) -> Result<u64, KeepError> {
        let held = self.ledger.read().await?.vault_summary().await?.bytes;
        let coming = self.coming.load(Ordering::Relaxed);
        let all = held.saturating_add(coming).saturating_add(bytes);
        Ok(all.saturating_sub(self.vault.max_bytes))
    }

    /// What may go, in its order, so that this many bytes are freed for one that so many independent nodes
    /// have; `None` where all of it is not enough.
    async fn expendable(
        &self,
        over: u64,
        independent: u32,
    ) -> Result<Option<Vec<VaultObject>>, KeepError> {
        let (now, mut limit) = (ledger::now(), BATCH);
        let since = now.saturating_sub(self.policy.max_age());
        loop {
            let mut tx = self.ledger.read().await?;
            let mut expendable = tx.unnamed_in_vault(limit).await?;
            let mut is_all = expendable.len() < limit as usize;
            if is_all && sum(&expendable) < over {
                let safest = tx.safest_in_vault(since, limit).await?;
                is_all = safest.len() < limit as usize;
                expendable.extend(self.safer(&mut tx, safest, independent, now).await?);
            }
            if sum(&expendable) >= over {
                let mut freed = 0_u64;
                expendable.retain(|one| {
                    let is_needed = freed < over;
                    freed = freed.saturating_add(one.bytes);
                    is_needed
                });
                return Ok(Some(expendable));
            }
            if is_all {
                return Ok(None);
            }
            limit = limit.saturating_mul(4);
        }
    }

    /// Those of these that more than so many independent nodes have, what most have first.
    async fn safer(
        &self,
        tx: &mut Tx,
        safest: Vec<VaultObject>,
        independent: u32,
        now: Millis,
    ) -> Result<Vec<VaultObject>, KeepError> {
        let rows: Vec<RowId> = safest.iter().map(|one| one.content).collect();
        let pictures = ContentPicture::of_rows(tx, &rows, &self.policy, now).await?;
        let have: HashMap<_, _> = pictures
            .iter()
            .map(|picture| (picture.content.row, picture.assessment.independent))
            .collect();
        let have = |one: &VaultObject| have.get(&one.content).copied().unwrap_or(0);
        let mut safer: Vec<_> = safest.into_iter().map(|one| (have(&one), one)).collect();
        // Whatever goes, a node has it still.
        safer.retain(|(nodes, _)| *nodes > independent);
        safer.sort_by_key(|(nodes, one)| (std::cmp::Reverse(*nodes), one.content));
        Ok(safer.into_iter().map(|(_, one)| one).collect())
    }

    /// Takes a content out of the vault.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn evict(&self, one: &VaultObject) -> Result<(), KeepError> {
        // A process that ends between the two leaves a row without an object, which is found; the other
        // way round it would be adopted again.
        self.vault.remove(&one.id).await?;
        let mut tx = self.ledger.write().await?;
        tx.forget_in_vault(one.content).await?;
        tx.commit().await?;
        tracing::debug!("{}: out of the vault", one.id);
        Ok(())
    }
}

fn sum(objects: &[VaultObject]) -> u64 {
    objects.iter().fold(0, |all, one| all.saturating_add(one.bytes))
}
