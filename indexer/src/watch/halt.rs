//! Halted collections: the incident each has, and who is told.

use serde_json::json;
use tracing::{info, warn};

use super::outbox::{Telling, enqueue, opened, told};
use crate::{
    health::Health,
    incident::Transition,
    ledger::{Collection, Incident, LedgerError, Millis, Subject, Tx},
};

/// The command that ends a halt.
pub(crate) fn remedy(collection: &Collection) -> String {
    reindex_command(&collection.address.to_checksum(None), collection.chain_id)
}

/// The same, of the collection at an address.
pub(super) fn reindex_command(address: &str, chain: u64) -> String {
    format!("everhold reindex {address} --chain-id {chain}")
}

/// Says that a collection is halted, and what to do.
pub(super) fn say(collection: &Collection) {
    let Some(halt) = &collection.halted else { return };
    warn!(
        "{} is halted: {}; nothing of it was changed, and it is not read any further; when the \
         chain is as it will stay, run `{}`",
        collection.name,
        halt.reason,
        remedy(collection)
    );
}

/// Opens the incident of a collection that was just halted, if it has none.
pub(super) async fn open(
    tx: &mut Tx,
    telling: &Telling,
    collection: &Collection,
    now: Millis,
) -> Result<(), LedgerError> {
    let Some(halt) = &collection.halted else { return Ok(()) };
    let (subject, reason) = (Subject::Halted, halt.reason.clone());
    let incident = opened(collection, subject, Health::Unverifiable, reason, now);
    if tx.open_incident(&incident).await? {
        let message = format!("{} is halted: {}", collection.name, halt.reason);
        let words = (&*format!("{} is halted", collection.name), &*message);
        let mut body = body_of(&incident, Some(collection), Transition::Opened, words, now);
        body["health"] = json!(incident.health);
        body["command"] = json!(remedy(collection));
        enqueue(tx, telling, &incident, Transition::Opened, body, now).await?;
    }
    Ok(())
}

/// Closes the incident of a collection that was halted.
pub(super) async fn close(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    collection: Option<&Collection>,
    reason: &str,
    now: Millis,
) -> Result<(), LedgerError> {
    if !tx.close_incident(&incident.id, reason, now).await? {
        return Ok(());
    }
    let name = collection.map_or(incident.collection.to_string(), |known| known.name.clone());
    let message = format!("{name} is no longer halted: {reason}");
    let words = (&*format!("{name} is no longer halted"), &*message);
    let mut body = body_of(incident, collection, Transition::Recovered, words, now);
    body["previous"] = json!(incident.health);
    enqueue(tx, telling, incident, Transition::Recovered, body, now).await
}

/// What every alert over a halt says.
fn body_of(
    incident: &Incident,
    collection: Option<&Collection>,
    transition: Transition,
    words: (&str, &str),
    now: Millis,
) -> serde_json::Value {
    let more = json!({
        "content": null,
        "tokens": [],
        "health": null,
        "previous": null,
        "indexed_block": collection.and_then(|known| known.indexed_block),
        "shared_block": collection.and_then(|known| known.halted.as_ref()?.shared),
    });
    told(incident, transition, more, words, now)
}

/// At the start of the indexer: says which collections are halted, and brings incidents in line
/// with what the configuration has made of them.
pub(super) async fn settle(tx: &mut Tx, telling: &Telling, now: Millis) -> Result<(), LedgerError> {
    let collections = tx.followed(None).await?;
    for incident in tx.incidents(Millis::MAX).await? {
        if incident.subject != Subject::Halted {
            continue;
        }
        let collection = collections.iter().find(|known| known.id == incident.collection_id);
        let reason = match collection {
            None => "it is left out of the configuration",
            Some(known) if known.halted.is_none() => "it is read again from its start",
            Some(_) => continue,
        };
        info!("incident over {} is closed: {reason}", incident.collection);
        close(tx, telling, &incident, collection, reason, now).await?;
    }
    for collection in collections.iter().filter(|known| known.halted.is_some()) {
        open(tx, telling, collection, now).await?;
        say(collection);
    }
    Ok(())
}
