//! A test alert: through all that a real one goes through, but for the outbox.

use everhold_net::Fetcher;
use serde_json::json;

use super::outbox::random_id;
use crate::{
    alert::{LASTS, Outgoing, Refused, Sink, Span},
    config::Config,
    incident::{Kind, Severity, Transition},
    ledger, time_text,
};

const MESSAGE: &str =
    "This is a test of Everhold's alerts, by `everhold alert test`. Nothing is wrong.";

/// Sends a sink a test alert and, where a service keeps what is told until it is over, its end.
///
/// # Errors
/// [`Refused`], where it was not taken.
pub async fn send_test(sink: &Sink, config: &Config, fetcher: &Fetcher) -> Result<(), Refused> {
    let incident = format!("test-{}", random_id());
    send(sink, config, fetcher, &incident, Transition::Opened).await?;
    match sink.kind() {
        "pagerduty" | "alertmanager" => {
            send(sink, config, fetcher, &incident, Transition::Recovered).await
        }
        _ => Ok(()),
    }
}

async fn send(
    sink: &Sink,
    config: &Config,
    fetcher: &Fetcher,
    incident: &str,
    transition: Transition,
) -> Result<(), Refused> {
    let (now, id) = (ledger::now(), random_id());
    let collection = config.collection.first();
    let chain = config.chain.first().and_then(|chain| chain.chain_id);
    let chain = collection.and_then(|one| one.chain_id).or(chain);
    let evidence = config.api.url.as_ref();
    let evidence =
        evidence.map(|url| format!("{}/api/v1/status", url.as_str().trim_end_matches('/')));
    let body = json!({
        "event": transition.event(),
        "at": time_text(now),
        "incident": incident,
        "kind": Kind::Content,
        "chain_id": chain.unwrap_or_default(),
        "collection": collection.map(|one| one.address.to_checksum(None)).unwrap_or_default(),
        "content": null,
        "tokens": [],
        "token_count": 0,
        "health": null,
        "previous": null,
        "severity": Severity::Info,
        "summary": "This is a test of Everhold's alerts",
        "message": MESSAGE,
        "meaning": "Whoever reads this is told of incidents.",
        "done": "Nothing.",
        "todo": "Nothing.",
        "evidence": evidence.unwrap_or_else(|| "everhold status".to_owned()),
        "test": true,
        "id": id,
    });
    let payload = body.to_string();
    let outgoing = Outgoing { id: &id, event: transition.event(), payload: &payload };
    let sent = sink.send(fetcher, outgoing, Span { since: now, now, lasts: LASTS }).await?;
    // Whoever does not get it is why there is a test.
    sent.map_or(Ok(()), Err)
}
