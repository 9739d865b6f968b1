//! Has a collection read again from its start, when a person says so.

use alloy::primitives::Address;

use super::{halt, outbox::Telling};
use crate::{
    config::{Config, ConfigError},
    ledger::{self, Collection, Ledger, LedgerError, Millis, Subject, Tx},
    report::{SeveralChains, collection_at},
};

/// Why a collection can't be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReindexError {
    /// The ledger does not know it.
    #[error(
        "{0} is not in the ledger: put it into everhold.toml as a [[collection]], and \
         `everhold watch` reads it"
    )]
    Unknown(Address),
    /// There are several at this address.
    #[error("{0}: --chain-id N says which")]
    Several(#[from] SeveralChains),
    /// Those who are told.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What was forgotten.
#[derive(Clone, Debug)]
pub struct Reindexed {
    /// The collection as it was before.
    pub before: Collection,
    /// The incident that was closed, if it was halted.
    pub incident: Option<String>,
}

/// The collection at an address, on the chain with this id if one is named, whether it is configured
/// or not.
///
/// # Errors
/// [`ReindexError`].
pub async fn find(
    tx: &mut Tx,
    address: Address,
    chain_id: Option<u64>,
) -> Result<Collection, ReindexError> {
    let all = tx.all_collections().await?;
    let found = collection_at(&all, address, chain_id)?.cloned();
    found.ok_or(ReindexError::Unknown(address))
}

/// Forgets what was read of a collection, so that the next round of an indexer (also of one that
/// is running) reads it from its start. A halt is lifted, its incident closed, and those told who
/// were told of it. Contents, replicas and evidence stay, and stay wanted until it has been read.
///
/// # Errors
/// [`ReindexError`].
pub async fn reindex(
    ledger: &Ledger,
    config: &Config,
    address: Address,
    chain_id: Option<u64>,
) -> Result<Reindexed, ReindexError> {
    let now = ledger::now();
    let telling = Telling::configured(config)?;
    let mut tx = ledger.write().await?;
    let before = find(&mut tx, address, chain_id).await?;
    tx.begin_anew(before.id).await?;
    let mut closed = None;
    for incident in tx.incidents(Millis::MAX).await? {
        if incident.collection_id == before.id && incident.subject == Subject::Halted {
            let reason = "by hand: it is read again from its start";
            halt::close(&mut tx, &telling, &incident, Some(&before), reason, now).await?;
            closed = Some(incident.id);
        }
    }
    tx.commit().await?;
    Ok(Reindexed { before, incident: closed })
}
