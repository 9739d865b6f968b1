//! Hashes again what the vault holds.

use futures::{StreamExt, stream};
use tracing::warn;

use super::super::{Watch, WatchError, verify::LEASE};
use crate::{
    ledger::{self, VaultObject},
    vault::{Unproved, VaultError},
};

/// Contents taken at once, and hashed at once.
const BATCH: u32 = 32;
const AT_ONCE: usize = 2;

impl Watch {
    /// Hashes again what is due; gives how many that were.
    pub(super) async fn check_vault(&self) -> Result<u64, WatchError> {
        let (begun, mut checked, mut readable) = (ledger::now(), 0, false);
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
                    Ok(()) => readable = true,
                    Err(WatchError::Vault(error)) => unread.push((one, error)),
                    Err(error) => return Err(error),
                }
            }
            self.are_unreadable(unread, readable).await?;
        }
    }

    /// What can't be read counts as lost where others can be; else something is wrong with the vault.
    async fn are_unreadable(
        &self,
        unread: Vec<(&VaultObject, VaultError)>,
        others_are_not: bool,
    ) -> Result<(), WatchError> {
        for (one, error) in unread {
            if !others_are_not {
                return Err(error.into());
            }
            warn!("{}: {error}; it is copied again where a node has it", one.id);
            self.is_wrong(one, &error.to_string()).await?;
        }
        Ok(())
    }

    async fn check_in_vault(&self, one: &VaultObject) -> Result<(), WatchError> {
        let vault = &self.tended.keeper.vault;
        let (id, row) = (one.id, one.content);
        let proved = vault.prove(&id, one.form, one.known, &mut |_| {}).await;
        match proved {
            Ok(_) => {
                let now = ledger::now();
                let due = self.tended.keeper.next_check(now);
                let mut tx = self.ledger.write().await?;
                tx.record_vault_check(row, now, due).await?;
                Ok(tx.commit().await?)
            }
            Err(Unproved::Failed(error)) => Err(error.into()),
            Err(Unproved::Missing) => {
                warn!(
                    "{id}: it is not in the vault any more; it is copied again where a node has it"
                );
                self.is_wrong(one, "it was not there any more").await
            }
            Err(Unproved::Wrong(why)) => {
                warn!(
                    "{id}: what the vault has of it is wrong ({why}); it is set aside, and copied again \
                     where a node has it"
                );
                vault.set_aside(&id, one.form).await?;
                self.is_wrong(one, &why).await
            }
        }
    }

    /// Writes down that it is to be copied again, at once.
    async fn is_wrong(&self, one: &VaultObject, why: &str) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.want_in_vault(one.content, Some(why), 0).await?;
        Ok(tx.commit().await?)
    }
}
