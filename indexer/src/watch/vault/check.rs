//! Hashes again what the vault holds.

use futures::{StreamExt, stream};
use tracing::warn;

use super::super::{Watch, WatchError, verify::LEASE};
use crate::{
    crash,
    ledger::{self, VaultObject},
    vault::Unproved,
};

/// Contents taken at once, and hashed at once.
const BATCH: u32 = 32;
const AT_ONCE: usize = 2;

/// Objects that are asked whether the vault can be read at all, of those that were right before.
const WITNESSES: usize = 3;

impl Watch {
    /// Hashes again what is due; gives how many that were.
    pub(super) async fn check_vault(&self) -> Result<u64, WatchError> {
        let (begun, mut checked) = (ledger::now(), 0);
        loop {
            let now = ledger::now();
            let mut tx = self.ledger.write().await?;
            let due = tx.take_vault_checks(begun, now.saturating_add(LEASE), BATCH).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(checked);
            }
            checked += due.len() as u64;
            let results: Vec<_> = stream::iter(&due)
                .map(async |one| (one, self.check_in_vault(one).await))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let mut unread = Vec::new();
            for (one, checked) in results {
                match checked {
                    Ok(()) => {}
                    Err(WatchError::Vault(_)) => unread.push(one),
                    Err(error) => return Err(error),
                }
            }
            self.read_again(&unread).await?;
        }
    }

    /// What can't be read counts as lost where it can't be a second time, and others can be just then.
    /// Else it is the vault that can't be: a disk, a network or a server is away for a while, and what
    /// is on it is not lost.
    async fn read_again(&self, unread: &[&VaultObject]) -> Result<(), WatchError> {
        for one in unread {
            match self.check_in_vault(one).await {
                Err(WatchError::Vault(error)) if self.can_read_others(unread).await? => {
                    warn!("{}: {error}; it is copied again where a node has it", one.id);
                    self.is_wrong(one, &error.to_string()).await?;
                }
                checked => checked?,
            }
        }
        Ok(())
    }

    /// Whether something else in the vault can be read now.
    async fn can_read_others(&self, unread: &[&VaultObject]) -> Result<bool, WatchError> {
        let limit = u32::try_from(unread.len() + WITNESSES).unwrap_or(u32::MAX);
        let others = self.ledger.read().await?.smallest_in_vault(limit).await?;
        let is_unread = |one: &VaultObject| unread.iter().any(|other| other.content == one.content);
        for one in others.iter().filter(|one| !is_unread(one)).take(WITNESSES) {
            let vault = &self.tended.keeper.vault;
            if vault.prove(&one.id, one.form, one.known, &mut |_| {}).await.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn check_in_vault(&self, one: &VaultObject) -> Result<(), WatchError> {
        let (keeper, vault) = (&self.tended.keeper, &self.tended.keeper.vault);
        let (id, row) = (one.id, one.content);
        let proved = vault.prove(&id, one.form, one.known, &mut |_| {}).await;
        match proved {
            Ok(_) => {
                let now = ledger::now();
                let due = keeper.next_check(now);
                let mut tx = self.ledger.write().await?;
                tx.record_vault_check(row, now, due).await?;
                Ok(tx.commit().await?)
            }
            Err(Unproved::Failed(error)) => Err(error.into()),
            Err(Unproved::Missing) => {
                // Where the vault itself is gone, no content of it is lost.
                keeper.is_there().await?;
                if self.is_wrong(one, "it was not there any more").await? {
                    warn!(
                        "{id}: it is not in the vault any more; it is copied again where a node has it"
                    );
                }
                Ok(())
            }
            Err(Unproved::Wrong(why)) => {
                if vault.set_aside(&id, one.form, one.known).await?
                    && self.is_wrong(one, &why).await?
                {
                    warn!(
                        "{id}: what the vault has of it is wrong ({why}); it is set aside, and copied \
                         again where a node has it"
                    );
                }
                Ok(())
            }
        }
    }

    /// Writes down that what was read before is to be copied again, at once; unless it was put there anew
    /// since then, which is told.
    pub(super) async fn is_wrong(&self, one: &VaultObject, why: &str) -> Result<bool, WatchError> {
        let mut tx = self.ledger.write().await?;
        let is_lost = tx.lose_in_vault(one, why).await?;
        tx.commit().await?;
        crash::point("vault.lost");
        Ok(is_lost)
    }
}
