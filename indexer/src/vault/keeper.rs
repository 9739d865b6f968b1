//! The vault together with the ledger, which knows what it holds.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Form, Vault, VaultError};
use crate::{
    config::VaultConfig,
    content::ContentId,
    health::Policy,
    ledger::{self, Ledger, LedgerError, Millis, RowId, VaultObject},
    picture::ContentPicture,
};

/// Contents that are looked at to make room, at once.
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

    /// Room for so many bytes of a content that so many independent nodes have, made at the cost of none
    /// but those that are safer; `None`, where there is none. What nothing names goes first, then what
    /// most nodes have. What no node has stays.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn room(&self, bytes: u64, independent: u32) -> Result<Option<Room<'_>>, KeepError> {
        let _door = self.door.lock().await;
        loop {
            let held = self.ledger.read().await?.vault_summary().await?.bytes;
            let coming = self.coming.load(Ordering::Relaxed);
            let all = held.saturating_add(coming).saturating_add(bytes);
            let Some(mut over) = all.checked_sub(self.vault.max_bytes).filter(|over| *over > 0)
            else {
                self.coming.fetch_add(bytes, Ordering::Relaxed);
                return Ok(Some(Room { coming: &self.coming, bytes }));
            };
            let expendable = self.expendable(independent).await?;
            if expendable.is_empty() {
                return Ok(None);
            }
            for one in expendable {
                if over == 0 {
                    break;
                }
                self.evict(&one).await?;
                over = over.saturating_sub(one.bytes);
            }
        }
    }

    /// What may go, in its order, for one that so many independent nodes have.
    async fn expendable(&self, independent: u32) -> Result<Vec<VaultObject>, KeepError> {
        let now = ledger::now();
        let mut tx = self.ledger.read().await?;
        let unnamed = tx.unnamed_in_vault(BATCH).await?;
        if !unnamed.is_empty() {
            return Ok(unnamed);
        }
        let since = now.saturating_sub(self.policy.max_age());
        let safest = tx.safest_in_vault(since, BATCH).await?;
        let rows: Vec<RowId> = safest.iter().map(|one| one.content).collect();
        let pictures = ContentPicture::of_rows(&mut tx, &rows, &self.policy, now).await?;
        let have = |one: &VaultObject| {
            let picture = pictures.iter().find(|picture| picture.content.row == one.content);
            picture.map_or(0, |picture| picture.assessment.independent)
        };
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
