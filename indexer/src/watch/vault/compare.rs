//! Compares what lies in the vault with what the ledger says: a process may have ended between the two,
//! and people may have moved things.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::super::{Watch, WatchError};
use crate::{content::ContentId, ledger, vault::Stored};

impl Watch {
    /// Takes note of what is there and was not known to, and of what is not there any more. What the
    /// ledger knows no content of stays where it is: it may know one later. Gives how many that were.
    pub(super) async fn compare_vault(&self) -> Result<u64, WatchError> {
        let vault = &self.tended.keeper.vault;
        vault.clean().await?;
        let known = self.ledger.read().await?.vault_objects().await?;
        let mut there = vault.list().await?;
        let denied = self.remove_denied(&there).await?;
        there.retain(|one| !denied.contains(&one.id));
        let mut changed = 0;
        let all: BTreeSet<_> = there.iter().map(|one| one.id).collect();
        for gone in known.iter().filter(|one| !all.contains(&one.id)) {
            // It may have come since it was listed.
            if vault.find(&gone.id).await?.is_some() {
                continue;
            }
            warn!("{}: it is not in the vault any more", gone.id);
            let mut tx = self.ledger.write().await?;
            tx.want_in_vault(gone.content, Some("it was not there any more"), 0).await?;
            tx.commit().await?;
            changed += 1;
        }
        let known: BTreeSet<_> = known.iter().map(|one| one.id).collect();
        let new = there.iter().filter(|one| !known.contains(&one.id));
        let new: Vec<_> = new.map(|one| (one.id, one.form, one.bytes)).collect();
        if !new.is_empty() {
            let mut tx = self.ledger.write().await?;
            let adopted = tx.adopt_into_vault(&new, ledger::now()).await?;
            tx.commit().await?;
            if adopted > 0 {
                info!("{adopted} contents were found in the vault {}", vault.name());
            }
            changed += adopted;
        }
        Ok(changed)
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
