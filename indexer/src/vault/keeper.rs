//! The vault together with the ledger, which knows what it holds.

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Form, Stored, Vault, VaultError};
use crate::{
    config::VaultConfig,
    content::ContentId,
    crash,
    health::Policy,
    ledger::{self, Ledger, LedgerError, Millis, RowId, Tx, VaultObject},
    picture::ContentPicture,
};

/// Contents that are looked at to make room at first; four times as many where they are not enough.
const BATCH: u32 = 50;

/// What nothing names is kept for so long all the same, in milliseconds: a week. A collection may have been
/// left out of the settings by mistake.
const UNNAMED: Millis = 7 * 24 * 60 * 60 * 1000;

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

    /// Whether the vault is there; not yet, where nothing is in it. One that is only not mounted is not
    /// taken for one that lost everything, and nothing is put in its place.
    ///
    /// # Errors
    /// [`VaultError::Absent`], where the ledger knows of something in it.
    pub async fn is_there(&self) -> Result<bool, KeepError> {
        if self.vault.is_marked().await? {
            return Ok(true);
        }
        match self.ledger.read().await?.vault_total().await? {
            (0, _) => Ok(false),
            (objects, _) => Err(self.vault.absent(objects).into()),
        }
    }

    /// The same, before something comes into it, or is found there.
    async fn begin(&self) -> Result<(), KeepError> {
        if !self.is_there().await? {
            self.vault.mark().await?;
        }
        Ok(())
    }

    /// Takes note of what was found in the vault; gives how many of these the ledger did not know there.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn adopt(&self, found: &[Stored]) -> Result<u64, KeepError> {
        if found.is_empty() {
            return Ok(0);
        }
        self.begin().await?;
        let found: Vec<_> = found.iter().map(|one| (one.id, one.form, one.bytes)).collect();
        let mut tx = self.ledger.write().await?;
        let adopted = tx.adopt_into_vault(&found, ledger::now()).await?;
        tx.commit().await?;
        Ok(adopted)
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
        self.begin().await?;
        let bytes = std::fs::metadata(file).map_err(VaultError::from)?.len();
        let Some(room) = self.room(row, bytes, independent).await? else { return Ok(false) };
        // Not once it is there: somebody who proves what is wrong may have set aside what is put here.
        self.vault.clear_aside(id).await?;
        crash::point("vault.before-put");
        let bytes = self.vault.put(id, form, file).await?;
        crash::point("vault.put");
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        tx.record_in_vault(row, (form, bytes), now, self.next_check(now)).await?;
        tx.commit().await?;
        crash::point("vault.recorded");
        drop(room);
        // Another process may have put it there in the other form meanwhile.
        let recorded = self.ledger.read().await?.vault_object(row).await?;
        if recorded.is_some_and(|one| one.form == form) {
            self.vault.leave_only(id, form).await?;
        }
        crash::point("vault.kept");
        Ok(true)
    }

    /// Whether there would be room for so many bytes of a content that so many independent nodes have.
    /// Nothing is done for it yet.
    ///
    /// # Errors
    /// [`KeepError`].
    pub async fn has_room(
        &self,
        row: RowId,
        bytes: u64,
        independent: u32,
    ) -> Result<bool, KeepError> {
        let over = self.over(row, bytes).await?;
        Ok(over == 0 || self.expendable(row, over, independent).await?.is_some())
    }

    /// Room for so many bytes of a content that so many independent nodes have, which is here by now, made
    /// at the cost of none but those that are safer; `None`, where there is none: then nothing goes. What
    /// nothing names since [`UNNAMED`] goes first, then what most nodes have. What no node was lately seen
    /// to have stays.
    ///
    /// # Errors
    /// [`KeepError`].
    async fn room(
        &self,
        row: RowId,
        bytes: u64,
        independent: u32,
    ) -> Result<Option<Room<'_>>, KeepError> {
        let _door = self.door.lock().await;
        let over = self.over(row, bytes).await?;
        if over > 0 {
            let Some(expendable) = self.expendable(row, over, independent).await? else {
                return Ok(None);
            };
            for one in &expendable {
                self.evict(one).await?;
            }
        }
        self.coming.fetch_add(bytes, Ordering::Relaxed);
        Ok(Some(Room { coming: &self.coming, bytes }))
    }

    /// How many bytes too many there would be with so many of a content, in the place of those that are
    /// there of it.
    async fn over(&self, row: RowId, bytes: u64) -> Result<u64, KeepError> {
        let mut tx = self.ledger.read().await?;
        let (_, held) = tx.vault_total().await?;
        let replaced = tx.vault_object(row).await?.map_or(0, |one| one.bytes);
        let held = held.saturating_sub(replaced);
        let coming = self.coming.load(Ordering::Relaxed);
        let all = held.saturating_add(coming).saturating_add(bytes);
        Ok(all.saturating_sub(self.vault.max_bytes))
    }

    /// What may go, in its order, so that this many bytes are freed for one that so many independent nodes
    /// have, and that is not counted itself; `None` where all of it is not enough.
    async fn expendable(
        &self,
        row: RowId,
        over: u64,
        independent: u32,
    ) -> Result<Option<Vec<VaultObject>>, KeepError> {
        let (now, mut limit) = (ledger::now(), BATCH);
        let since = now.saturating_sub(self.policy.max_age());
        loop {
            let mut tx = self.ledger.read().await?;
            let mut expendable = tx.unnamed_in_vault(now.saturating_sub(UNNAMED), limit).await?;
            let mut is_all = expendable.len() < limit as usize;
            if is_all && sum(&expendable) < over {
                let safest = tx.safest_in_vault(since, limit).await?;
                is_all = safest.len() < limit as usize;
                expendable.extend(self.safer(&mut tx, safest, independent, now).await?);
            }
            expendable.retain(|one| one.content != row);
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
        // By verdicts that still count: so long ago, at most, each was seen to be there.
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
        crash::point("vault.removed");
        let mut tx = self.ledger.write().await?;
        tx.forget_in_vault(one.content).await?;
        tx.commit().await?;
        crash::point("vault.forgotten");
        tracing::debug!("{}: out of the vault", one.id);
        Ok(())
    }
}

fn sum(objects: &[VaultObject]) -> u64 {
    objects.iter().fold(0, |all, one| all.saturating_add(one.bytes))
}
