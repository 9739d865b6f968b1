//! Compares what lies in the vault with what the ledger says: a process may have ended between the two,
//! and people may have moved things.

use std::collections::{BTreeSet, HashSet};

use tracing::{info, warn};

use super::super::{Watch, WatchError};
use crate::{
    content::ContentId,
    ledger::{self, Form, VaultObject},
    vault::Stored,
};

impl Watch {
    /// Takes note of what is there and was not known to, and of what is not there any more. What the
    /// ledger knows no content of stays where it is: it may know one later. Gives how many that were.
    pub(super) async fn compare_vault(&self) -> Result<u64, WatchError> {
        let (keeper, vault) = (&self.tended.keeper, &self.tended.keeper.vault);
        vault.clean().await?;
        let known = self.ledger.read().await?.vault_objects().await?;
        let mut there = vault.list().await?;
        let denied = self.remove_denied(&there).await?;
        there.retain(|one| !denied.contains(&one.id));
        // It may have gone while it was looked at.
        keeper.is_there().await?;
        let names: HashSet<_> = there.iter().map(|one| (one.id, one.form)).collect();
        let mut changed = 0;
        for one in &known {
            let is_there = |form: &&Form| names.contains(&(one.id, **form));
            match Form::ALL.iter().filter(is_there).collect::<Vec<_>>()[..] {
                [] => changed += self.is_gone(one).await?,
                [form] if *form == one.form => {}
                [_] => changed += self.is_otherwise(one, &there).await?,
                _ => self.leave_one(one).await?,
            }
        }
        let known: HashSet<_> = known.iter().map(|one| one.id).collect();
        there.retain(|one| !known.contains(&one.id));
        let adopted = keeper.adopt(&there).await?;
        if adopted > 0 {
            info!("{adopted} contents were found in the vault {}", vault.name());
        }
        let mut tx = self.ledger.write().await?;
        tx.note_unnamed_in_vault(ledger::now()).await?;
        tx.commit().await?;
        Ok(changed + adopted)
    }

    /// Takes note of what is not there any more, unless it came since that was listed, or nobody can say;
    /// gives how many that are.
    async fn is_gone(&self, gone: &VaultObject) -> Result<u64, WatchError> {
        let found = self.tended.keeper.vault.find(&gone.id).await;
        if !found.is_ok_and(|found| found.is_empty()) {
            return Ok(0);
        }
        warn!("{}: it is not in the vault any more", gone.id);
        self.is_wrong(gone, "it was not there any more").await?;
        Ok(1)
    }

    /// Takes note of what is there in another form than it was. A process ended, or people did it.
    async fn is_otherwise(&self, one: &VaultObject, there: &[Stored]) -> Result<u64, WatchError> {
        let found: Vec<_> = there.iter().filter(|found| found.id == one.id).copied().collect();
        self.is_wrong(one, "it was not there any more in the form in which it was").await?;
        Ok(self.tended.keeper.adopt(&found).await?)
    }

    /// Removes the form that the ledger does not know, where a process ended before it did: it counts for
    /// nothing. It stays for as long as the other one may be wrong.
    async fn leave_one(&self, one: &VaultObject) -> Result<(), WatchError> {
        let vault = &self.tended.keeper.vault;
        if vault.prove(&one.id, one.form, one.known, &mut |_| {}).await.is_ok() {
            vault.leave_only(&one.id, one.form).await?;
            info!("{}: what the vault had of it in another form is removed", one.id);
        }
        Ok(())
    }

    /// Removes what lies there, or was set aside, and is denied, whether or not the ledger has a row of it:
    /// it may be a new ledger, or a process ended in between. Gives what that was.
    async fn remove_denied(&self, there: &[Stored]) -> Result<BTreeSet<ContentId>, WatchError> {
        let vault = &self.tended.keeper.vault;
        let aside = vault.list_aside().await?;
        let all: BTreeSet<_> = there.iter().map(|one| one.id).chain(aside).collect();
        let digests: Vec<_> = all.iter().map(|id| id.digest).collect();
        let mut tx = self.ledger.read().await?;
        let by_digest = tx.denied_among(&digests).await?;
        let known = tx.denied_contents().await?;
        drop(tx);
        let known: BTreeSet<_> = known.into_iter().map(|content| content.id).collect();
        let is_denied = |id: &ContentId| by_digest.contains_key(&id.digest) || known.contains(id);
        let denied: BTreeSet<_> = all.into_iter().filter(is_denied).collect();
        for id in &denied {
            vault.remove(id).await?;
            info!("{id}: it is denied, and no longer in the vault");
        }
        Ok(denied)
    }
}
