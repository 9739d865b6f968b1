//! Has the deny list count: what is on it is looked after no more, and its incidents are over.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::{
    Watch, WatchError,
    outbox::{Telling, end_over},
    removal,
};
use crate::{
    config::{Config, ConfigError, History},
    content::{Codec, ContentId, Digest},
    deny::{DenyError, NoDigest, digest_of},
    ledger::{self, Incident, Ledger, LedgerError, Millis, RowId, Tx},
    vault::Vault,
};

/// What changing the list did.
#[derive(Clone, Debug)]
pub struct Denied {
    /// The digest.
    pub digest: Digest,
    /// Whether the list is another now.
    pub changed: bool,
    /// Why it is denied still, if it is.
    pub reason: Option<String>,
    /// The contents of the ledger that this is about.
    pub contents: Vec<ContentId>,
}

/// Why the list was not changed.
#[derive(Debug, thiserror::Error)]
pub enum DenyingError {
    /// What was given is no id.
    #[error("`{0}`: {1}")]
    NoDigest(String, NoDigest),
    /// A file of the configuration denies it.
    #[error(
        "{0} is denied by a file of [deny] files ({1}): take it out there, and start `everhold watch` \
         anew"
    )]
    ByFile(String, String),
    /// Those who are told.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The files, or the ledger.
    #[error(transparent)]
    List(#[from] DenyError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Puts what an id names on the deny list, in force at once, also for an indexer that is running.
///
/// # Errors
/// [`DenyingError`].
pub async fn deny(
    ledger: &Ledger,
    config: &Config,
    id: &str,
    reason: &str,
) -> Result<Denied, DenyingError> {
    let digest = parsed(id)?;
    let telling = Telling::configured(config)?;
    let now = ledger::now();
    let mut tx = ledger.write().await?;
    let before = tx.denied_among(&[digest]).await?;
    tx.deny(&digest, reason, now).await?;
    apply(&mut tx, &telling, keeps_history(config), now).await?;
    let denied = found(&mut tx, digest).await?;
    tx.commit().await?;
    if let Err(error) = take_out(config, digest, &denied.contents).await {
        warn!("{error}; `everhold watch` takes it out of the vault, if it is there");
    }
    Ok(Denied { changed: before.is_empty(), ..denied })
}

/// Takes what an id names off the deny list: what something names of it is due at once.
///
/// # Errors
/// [`DenyingError`].
pub async fn allow(ledger: &Ledger, config: &Config, id: &str) -> Result<Denied, DenyingError> {
    let digest = parsed(id)?;
    let telling = Telling::configured(config)?;
    let now = ledger::now();
    let mut tx = ledger.write().await?;
    let before = found(&mut tx, digest).await?;
    let changed = tx.allow(&digest).await?;
    if let (false, Some(reason)) = (changed, &before.reason) {
        return Err(DenyingError::ByFile(id.to_owned(), reason.clone()));
    }
    apply(&mut tx, &telling, keeps_history(config), now).await?;
    let reason = tx.denied_among(&[digest]).await?.remove(&digest);
    tx.commit().await?;
    Ok(Denied { changed, reason, ..before })
}

/// Takes out of the vault what a digest denies, whatever the ledger knows of it.
async fn take_out(
    config: &Config,
    digest: Digest,
    contents: &[ContentId],
) -> Result<(), WatchError> {
    let vault = Vault::configured(config, &config.fetcher()?)?;
    let by_digest = [Codec::Raw, Codec::DagPb].map(|codec| ContentId::new(codec, digest));
    for id in by_digest.iter().chain(contents) {
        vault.remove(id).await?;
    }
    Ok(())
}

fn parsed(id: &str) -> Result<Digest, DenyingError> {
    let shown = || everhold_net::shown(id.as_bytes());
    digest_of(id).map_err(|error| DenyingError::NoDigest(shown(), error))
}

/// What is denied by a digest.
async fn found(tx: &mut Tx, digest: Digest) -> Result<Denied, LedgerError> {
    let contents = tx.denied_contents().await?.into_iter();
    let is_it =
        |known: &ledger::Content| known.id.digest == digest || known.known.sha256 == Some(digest);
    let contents = contents.filter(is_it).map(|known| known.id).collect();
    let reason = tx.denied_among(&[digest]).await?.remove(&digest);
    Ok(Denied { digest, changed: false, reason, contents })
}

fn keeps_history(config: &Config) -> bool {
    config.replicas.history == History::Keep
}

/// At the start of the indexer: the files of the configuration count as they are now.
pub(super) async fn settle(
    tx: &mut Tx,
    config: &Config,
    telling: &Telling,
    entries: &[(Digest, String)],
    now: Millis,
) -> Result<(), LedgerError> {
    tx.deny_by_files(entries, now).await?;
    apply(tx, telling, keeps_history(config), now).await
}

/// Has the list count as it is, and closes the incidents over what it denies.
async fn apply(
    tx: &mut Tx,
    telling: &Telling,
    keep_history: bool,
    now: Millis,
) -> Result<(), LedgerError> {
    let denied = tx.apply_denials(keep_history, now).await?;
    // What lies below a denied folder is found to be so when its path is next followed, and what lies
    // below one that is not denied any more is followed again.
    tx.release_paths().await?;
    if denied.is_empty() {
        return Ok(());
    }
    for incident in tx.incidents(Millis::MAX).await? {
        if let Some(row) = concerned(&incident, &denied) {
            let reason = tx.denial(row).await?.unwrap_or_default();
            end(tx, telling, &incident, &format!("denied: {reason}"), now).await?;
        }
    }
    Ok(())
}

impl Watch {
    /// Has the list count for contents whose bytes were seen for the first time, in the transaction that
    /// writes them down: nothing that is denied is ever due by it.
    pub(super) async fn deny_seen(&self, tx: &mut Tx) -> Result<(), LedgerError> {
        apply(tx, self.telling(), self.settings.keep_history, ledger::now()).await
    }
}

/// The content that an incident is about, if it is one of these.
fn concerned(incident: &Incident, denied: &BTreeSet<RowId>) -> Option<RowId> {
    let about = incident.subject.content().or(incident.subject.removal());
    about.map(|(row, _)| row).filter(|row| denied.contains(row))
}

async fn end(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    reason: &str,
    now: Millis,
) -> Result<(), LedgerError> {
    let Some((_, id)) = incident.subject.content() else {
        return removal::end(tx, telling, incident, reason, now).await;
    };
    let message = format!("{id}: {reason}; nobody looks after it any more");
    if end_over(tx, telling, incident, id, (reason, &message), now).await? {
        info!("{message}");
    }
    Ok(())
}
