//! What people say of incidents: that somebody looks after one, or that nobody is to be told for a while.

use serde_json::json;

use super::outbox::{Telling, enqueue, random_id, told};
use crate::{
    config::{Config, ConfigError},
    incident::Transition,
    ledger::{self, Ack, Incident, Ledger, LedgerError, Millis, Scope, Silence, Tx, silent_until},
    time_text,
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    /// There is no such incident.
    #[error("there is no incident {0}: `everhold incident list` shows those that are open")]
    Unknown(String),
    /// It is over.
    #[error("incident {0} is over since {1}: nobody is told of it any more")]
    Over(String, String),
    /// There is no such collection.
    #[error("{0} is no collection of the ledger: `everhold status` shows them")]
    NoCollection(String),
    /// There is no such content.
    #[error(
        "the ledger knows no content {0}: `everhold token` shows a token's; a content can be silenced once a \
         token names it"
    )]
    NoContent(String),
    /// There is no such silence.
    #[error("nothing silences that: `everhold incident list` shows the silences in force")]
    NotSilent,
    /// Those who are told.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Writes down that somebody looks after an incident, and tells those who were told of it. Whoever does
/// is still told that it got worse, and that it is over.
///
/// # Errors
/// [`CareError`].
pub async fn acknowledge(
    ledger: &Ledger,
    config: &Config,
    id: &str,
    (by, reason): (&str, &str),
) -> Result<Incident, CareError> {
    let telling = Telling::configured(config)?;
    let now = ledger::now();
    let mut tx = ledger.write().await?;
    let mut incident = open(&mut tx, id).await?;
    let ack = Ack { at: now, by: by.to_owned(), reason: reason.to_owned() };
    if !tx.acknowledge(id, &ack).await? {
        // It ended since it was read.
        let over = tx.incident(id).await?.and_then(|known| known.closed_at);
        return Err(CareError::Over(id.to_owned(), time_text(over.unwrap_or(now))));
    }
    let content = incident.subject.content().or(incident.subject.removal());
    let more = json!({
        "content": content.map(|(_, id)| json!({ "id": id.to_string(), "cid": id.cid() })),
        "path": incident.subject.path(),
        "tokens": [],
        "health": incident.health,
        "previous": incident.health,
        "acknowledged_by": by,
        "reason": reason,
    });
    let message = format!("{by} looks after it: {reason}");
    let transition = Transition::Acknowledged;
    let body = told(&incident, transition, more, (&message, &message), now);
    enqueue(&mut tx, &telling, &incident, transition, body, now).await?;
    tx.commit().await?;
    incident.care.ack = Some(ack);
    Ok(incident)
}

/// Lets nobody be told of some incidents until a time; what is still wrong then is told then. Gives the
/// silence, and those that are open now of the incidents it is about.
///
/// # Errors
/// [`CareError`].
pub async fn silence(
    ledger: &Ledger,
    scope: Scope,
    until: Millis,
    (by, reason): (&str, &str),
) -> Result<(Silence, Vec<Incident>), CareError> {
    let now = ledger::now();
    let mut tx = ledger.write().await?;
    check(&mut tx, &scope).await?;
    let (by, reason) = (by.to_owned(), reason.to_owned());
    let silence = Silence { id: random_id(), scope, reason, by, at: now, until };
    tx.silence(&silence).await?;
    settle(&mut tx, now).await?;
    let open = covered(&mut tx, &silence.scope).await?;
    tx.commit().await?;
    Ok((silence, open))
}

/// Ends the silences over exactly this: what they held back is told now. Gives those that are open of the
/// incidents it is about.
///
/// # Errors
/// [`CareError`].
pub async fn unsilence(
    ledger: &Ledger,
    scope: &Scope,
    by: &str,
) -> Result<Vec<Incident>, CareError> {
    let now = ledger::now();
    let mut tx = ledger.write().await?;
    if tx.unsilence(scope, by, now).await? == 0 {
        check(&mut tx, scope).await?;
        return Err(CareError::NotSilent);
    }
    settle(&mut tx, now).await?;
    let open = covered(&mut tx, scope).await?;
    tx.commit().await?;
    Ok(open)
}

async fn open(tx: &mut Tx, id: &str) -> Result<Incident, CareError> {
    let incident = tx.incident(id).await?;
    let incident = incident.ok_or_else(|| CareError::Unknown(id.to_owned()))?;
    match incident.closed_at {
        Some(at) => Err(CareError::Over(id.to_owned(), time_text(at))),
        None => Ok(incident),
    }
}

/// Whether there is what a silence is to be about: a typing error must not pass for one.
async fn check(tx: &mut Tx, scope: &Scope) -> Result<(), CareError> {
    match scope {
        Scope::Incident(id) => open(tx, id).await.map(|_| ()),
        Scope::Collection(address) => {
            let known = tx.all_collections().await?;
            match known.iter().any(|one| one.address == *address) {
                true => Ok(()),
                false => Err(CareError::NoCollection(address.to_checksum(None))),
            }
        }
        Scope::Content(digest) => match tx.is_known(digest).await? {
            true => Ok(()),
            false => Err(CareError::NoContent(digest.to_string())),
        },
    }
}

/// Holds back what waits and is silent now, and lets go what is silent no more.
async fn settle(tx: &mut Tx, now: Millis) -> Result<(), LedgerError> {
    let silences = tx.silences(now).await?;
    for incident in tx.incidents_to_tell().await? {
        tx.withhold(&incident.id, silent_until(&silences, &incident), now).await?;
    }
    Ok(())
}

async fn covered(tx: &mut Tx, scope: &Scope) -> Result<Vec<Incident>, LedgerError> {
    let open = tx.incidents(Millis::MAX).await?;
    Ok(open.into_iter().filter(|one| scope.covers(one)).collect())
}
