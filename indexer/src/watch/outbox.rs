//! Alerts into the outbox, each in the transaction that makes its transition.

mod held;

use alloy::primitives::U256;
use serde_json::{Value, json};
use url::Url;

use self::held::Held;
use super::{Watch, words};
use crate::{
    alert::{Sink, key_of_webhook, sinks},
    config::{Config, ConfigError},
    content::ContentId,
    health::Health,
    incident::{Filter, Severity, Transition},
    ledger::{
        Care, Collection, Incident, LedgerError, Millis, NamedBy, NewAlert, Subject, Tx,
        silent_until,
    },
    time_text,
};

/// Who is told of what, and where evidence can be looked at.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    sinks: Vec<(String, Filter)>,
    api: Option<Url>,
}

impl Telling {
    pub(super) fn new(sinks: &[Sink], config: &Config) -> Self {
        let sinks = sinks.iter().map(|sink| (sink.key().to_owned(), sink.filter().clone()));
        Self { sinks: sinks.collect(), api: config.api.url.clone() }
    }

    /// For commands that change incidents while an indexer runs, or none does.
    pub(super) fn configured(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self::new(&sinks(config)?, config))
    }
}

/// Puts an alert into the outbox for each sink that is told of this; `body` gets the alert's id, how bad
/// it is, and what it means.
pub(super) async fn enqueue(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    transition: Transition,
    mut body: Value,
    now: Millis,
) -> Result<(), LedgerError> {
    let kind = incident.subject.kind();
    let health = body["health"].as_str().and_then(|health| health.parse().ok());
    let is_now = match transition {
        // Who was told of the worst is told of its end.
        Transition::Recovered => Severity::Info,
        _ => Severity::of(kind, health.unwrap_or(incident.health)),
    };
    let worst = tx.weigh_incident(&incident.id, is_now).await?;
    let severity = if transition == Transition::Recovered { worst } else { is_now };
    let silent = silent_until(&tx.silences(now).await?, incident);
    // Whoever looks after it need not be told that it is as bad as before.
    let is_known = incident.care.ack.is_some() && transition == Transition::Changed;
    if is_known && silent.is_none() {
        return Ok(());
    }
    let held = Held::of(tx, incident, transition, silent.is_some()).await?;
    let repairs = match incident.subject.content() {
        Some((row, _)) => tx.repairs_since(row, incident.opened_at).await?,
        None => Vec::new(),
    };
    words::complete(&mut body, incident, (transition, severity), &repairs, telling.api.as_ref());
    for (sink, filter) in &telling.sinks {
        if is_known && held.is_told(sink) {
            continue;
        }
        let about = (kind, incident.collection);
        let Some(told_as) = filter.tells(about, severity, held.is_told(sink), transition) else {
            held.drop(tx, sink).await?;
            continue;
        };
        let id = random_id();
        if let Some(body) = body.as_object_mut() {
            body.insert("event".to_owned(), told_as.event().into());
            body.insert("id".to_owned(), id.clone().into());
        }
        let alert = NewAlert { id, sink: sink.clone(), severity, payload: body.to_string() };
        held.put(tx, incident, told_as, &alert, now).await?;
        if !transition.is_aside() {
            held.keep_true(tx, telling, (incident, sink), (&body, severity), &repairs).await?;
        }
    }
    if silent.is_some() {
        tx.withhold(&incident.id, silent, now).await?;
    }
    Ok(())
}

/// Has the outbox call sinks as they are called now. Ledgers of before held the URLs of webhooks, which
/// are secrets.
pub(super) async fn settle(tx: &mut Tx, sinks: &[Sink]) -> Result<(), LedgerError> {
    for named in tx.sinks_in_outbox().await? {
        let key = if named.contains("://") { key_of_webhook(&named) } else { named.clone() };
        let sink = sinks.iter().find(|sink| sink.former_keys().contains(&key));
        let key = sink.map_or(key, |sink| sink.key().to_owned());
        if key != named {
            tx.rename_sink(&named, &key).await?;
        }
    }
    Ok(())
}

/// Closes an incident over a content that is looked after no more, or need not be, and tells of it;
/// gives whether it was open. The words are the reason in short, and what a person is told.
pub(super) async fn end_over(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    id: ContentId,
    (reason, message): (&str, &str),
    now: Millis,
) -> Result<bool, LedgerError> {
    if !tx.close_incident(&incident.id, reason, now).await? {
        return Ok(false);
    }
    let mut more = ended(id);
    more["previous"] = json!(incident.health);
    let body = told(incident, Transition::Recovered, more, (message, message), now);
    enqueue(tx, telling, incident, Transition::Recovered, body, now).await?;
    Ok(true)
}

/// What the end of an incident says of a content that is looked after no more, or need not be.
pub(super) fn ended(id: ContentId) -> Value {
    json!({ "content": { "id": id.to_string(), "cid": id.cid() }, "tokens": [], "health": null })
}

/// The body of an alert over an incident: what all have, with what this one says beside it. The words
/// are one line, and all that was seen.
pub(super) fn told(
    incident: &Incident,
    transition: Transition,
    more: Value,
    (summary, message): (&str, &str),
    now: Millis,
) -> Value {
    let mut body = json!({
        "event": transition.event(),
        "at": time_text(now),
        "incident": incident.id,
        "kind": incident.subject.kind(),
        "chain_id": incident.chain_id,
        "collection": incident.collection.to_checksum(None),
        "flapping": incident.care.flapping,
    });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
        body.insert("summary".to_owned(), summary.into());
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
        care: Care::default(),
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
pub(super) fn random_id() -> String {
    alloy::hex::encode(rand::random::<[u8; 16]>())
}

impl Watch {
    pub(super) fn telling(&self) -> &Telling {
        &self.telling
    }
}
