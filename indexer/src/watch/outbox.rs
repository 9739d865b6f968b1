//! Alerts into the outbox, each in the transaction that makes its transition.

use alloy::primitives::U256;
use serde_json::{Value, json};

use super::{Watch, context::Sink};
use crate::{
    content::ContentId,
    health::Health,
    ledger::{
        Collection, Incident, LedgerError, Millis, NamedBy, NewAlert, Subject, Transition, Tx,
    },
    time_text,
};

/// Puts an alert for each sink into the outbox; `body` gets the alert's id.
pub(super) async fn enqueue(
    tx: &mut Tx,
    sinks: impl IntoIterator<Item = String>,
    incident: &str,
    transition: Transition,
    mut body: Value,
    now: Millis,
) -> Result<(), LedgerError> {
    for sink in sinks {
        let id = random_id();
        if let Some(body) = body.as_object_mut() {
            body.insert("id".to_owned(), id.clone().into());
        }
        let alert = NewAlert { id, sink, payload: body.to_string() };
        tx.enqueue_alert(incident, transition, &alert, now).await?;
    }
    Ok(())
}

/// Closes an incident over a content that is looked after no more, or need not be, and tells of it;
/// gives whether it was open. The words are the reason in short, and what a person is told.
pub(super) async fn end_over(
    tx: &mut Tx,
    sinks: Vec<String>,
    incident: &Incident,
    id: ContentId,
    (reason, message): (&str, &str),
    now: Millis,
) -> Result<bool, LedgerError> {
    if !tx.close_incident(&incident.id, reason, now).await? {
        return Ok(false);
    }
    let more = json!({
        "content": { "id": id.to_string(), "cid": id.cid() },
        "tokens": [],
        "health": null,
        "previous": incident.health,
    });
    let body = told(incident, Transition::Recovered, more, message, now);
    enqueue(tx, sinks, &incident.id, Transition::Recovered, body, now).await?;
    Ok(true)
}

/// The body of an alert over an incident: what all have, with what this one says beside it.
pub(super) fn told(
    incident: &Incident,
    transition: Transition,
    more: Value,
    message: &str,
    now: Millis,
) -> Value {
    let mut body = json!({
        "event": transition.event(),
        "at": time_text(now),
        "incident": incident.id,
        "kind": incident.subject.kind(),
        "chain_id": incident.chain_id,
        "collection": incident.collection.to_checksum(None),
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
        body.insert("message".to_owned(), message.into());
    }
    body
}

/// A new incident in a collection.
pub(super) fn opened(
    collection: &Collection,
    subject: Subject,
    health: Health,
    summary: String,
    now: Millis,
) -> Incident {
    Incident {
        id: random_id(),
        collection_id: collection.id,
        chain_id: collection.chain_id,
        collection: collection.address,
        subject,
        health,
        summary,
        opened_at: now,
        closed_at: None,
        close_reason: None,
    }
}

/// Whose content it is, for a person.
pub(super) fn of_whom(named: &NamedBy) -> String {
    match (named.token_count, named.tokens.as_slice()) {
        (0, _) | (_, []) => "of the collection itself".to_owned(),
        (1, [one]) => format!("of token {one}"),
        (many, _) => format!("of {many} tokens"),
    }
}

/// The tokens as an alert names them.
pub(super) fn token_ids(named: &NamedBy) -> Vec<String> {
    named.tokens.iter().map(U256::to_string).collect()
}

/// 128 random bits in hex.
fn random_id() -> String {
    alloy::hex::encode(rand::random::<[u8; 16]>())
}

/// The sinks as the outbox names them.
pub(super) fn urls(sinks: &[Sink]) -> Vec<String> {
    sinks.iter().map(|sink| sink.url.to_string()).collect()
}

impl Watch {
    pub(super) fn sink_urls(&self) -> Vec<String> {
        urls(&self.sinks)
    }
}
