//! Looks after the vault: what is denied leaves it, what it holds is hashed again, and what nodes have is
//! copied into it.

mod check;
mod compare;
mod copy;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Watch, WatchError,
    repair::{Source, Wanted},
    verify::LEASE,
};
use crate::{
    ledger::{Millis, Tx},
    vault::{KeepError, Keeper, VaultError},
};

/// Between looks: each goes over all that is wanted.
const PACE: Duration = Duration::from_secs(10);
/// Between comparisons of what is there with what the ledger says.
const COMPARE_EVERY: Duration = Duration::from_secs(60 * 60);

/// The vault, and what this process does about it.
#[derive(Debug)]
pub(super) struct Tended {
    pub(super) keeper: Keeper,
    /// Whether verified content is copied into it.
    pub(super) keep: bool,
    compared: Mutex<Option<Instant>>,
}

/// What a round at the vault did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct VaultRound {
    pub(super) copied: u64,
    pub(super) checked: u64,
}

impl Tended {
    pub(super) fn new(keeper: Keeper, keep: bool) -> Self {
        Self { keeper, keep, compared: Mutex::default() }
    }

    /// The longest that a look at the vault is put off.
    pub(super) fn longest_wait(&self) -> Millis {
        let later = Millis::try_from(copy::MUCH_LATER.as_millis()).unwrap_or(Millis::MAX);
        self.keeper.next_check(0).max(LEASE).max(later)
    }

    /// Whether it is time to compare; then the next time is a while off.
    fn is_time_to_compare(&self) -> bool {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = compared.is_none_or(|at| at.elapsed() >= COMPARE_EVERY);
        if is_time {
            *compared = Some(Instant::now());
        }
        is_time
    }

    fn compare_soon(&self) {
        *self.compared.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Watch {
    /// One look at the vault. What is wrong with the vault itself, as a full disk, stops no more of it
    /// than it must, and is given beside.
    async fn tend_vault(&self) -> Result<(VaultRound, Option<WatchError>), WatchError> {
        let mut round = VaultRound::default();
        let mut trouble = None;
        let mut note = |done: Result<u64, WatchError>| match done {
            Ok(count) => Ok(count),
            Err(error @ (WatchError::Vault(_) | WatchError::Temporary(_))) => {
                trouble.get_or_insert(error);
                Ok(0)
            }
            Err(error) => Err(error),
        };
        note(self.take_denied_out().await)?;
        if let Err(error) = self.tended.keeper.is_there().await {
            note(Err(error.into()))?;
            // Once it is there again, it may be another.
            self.tended.compare_soon();
            return Ok((round, trouble));
        }
        if self.tended.is_time_to_compare() {
            let compared = self.compare_vault().await;
            if compared.is_err() {
                self.tended.compare_soon();
            }
            note(compared)?;
        }
        round.checked = note(self.check_vault().await)?;
        let (copied, filled) = self.fill_vault().await;
        round.copied = copied;
        note(filled.map(|()| copied))?;
        Ok((round, trouble))
    }

    /// The same in a single round, which goes on whatever is wrong with the vault.
    pub(super) async fn tend_vault_once(&self) -> Result<VaultRound, WatchError> {
        let (round, trouble) = self.tend_vault().await?;
        if let Some(error) = trouble {
            warn!("{error}");
        }
        Ok(round)
    }

    /// The same from time to time.
    pub(super) async fn tend_vault_forever(&self) {
        let pace = PACE.max(self.settings.poll);
        let give_back = async |tx: &mut Tx| tx.release_vault().await;
        let tend = async || match self.tend_vault().await?.1 {
            Some(error) => Err(error),
            None => Ok(()),
        };
        self.again_and_again("looking after the vault", pace, give_back, tend).await;
    }

    /// What is denied leaves the vault.
    async fn take_denied_out(&self) -> Result<u64, WatchError> {
        let denied = self.ledger.read().await?.denied_in_vault().await?;
        for one in &denied {
            self.tended.keeper.evict(one).await?;
            info!("{}: it is denied, and no longer in the vault", one.id);
        }
        Ok(denied.len() as u64)
    }

    /// The vault's copy of what no node gives, proved; else what there was `otherwise`.
    pub(super) async fn vault_copy(
        &self,
        wanted: &Wanted,
        otherwise: Source,
    ) -> Result<Source, WatchError> {
        let (id, vault) = (&wanted.id, &self.tended.keeper.vault);
        match vault.copy(id, wanted.known).await {
            Ok(Some((found, file))) => {
                // It may have been found there only now. Its bytes are right, whatever else the vault lacks.
                match self.tended.keeper.adopt(&[found]).await {
                    Err(KeepError::Vault(error)) => warn!("{id}: {error}"),
                    adopted => drop(adopted?),
                }
                info!("{id}: no node gives it now; its bytes are taken from the vault");
                Ok(Source::Copy(file))
            }
            Ok(None) => Ok(otherwise),
            Err(VaultError::Temporary(error)) => Err(error.into()),
            Err(error) => {
                warn!("{id}: {error}");
                Ok(otherwise)
            }
        }
    }
}

impl From<VaultError> for WatchError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Temporary(error) => Self::Temporary(error),
            error => Self::Vault(error),
        }
    }
}

impl From<KeepError> for WatchError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Vault(error) => error.into(),
            KeepError::Ledger(error) => error.into(),
        }
    }
}
