//! Paths that lead nowhere: an incident each, however many tokens name it.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::U256;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::{
    Watch, WatchError,
    assess::MOST_TOKENS,
    outbox::{enqueue, opened, told},
};
use crate::{
    incident::{Standing, Transition},
    ledger::{Collection, Incident, Millis, RowId, Subject, Tx},
    picture::LostIn,
};

/// Why an incident over a path ends.
const OVER: &str = "it was found, or nothing names it any more";

impl Watch {
    /// Opens, changes and closes the incidents over paths.
    pub(super) async fn assess_paths(
        &self,
        tx: &mut Tx,
        paths: BTreeMap<(RowId, String), LostIn>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let key = |incident: &Incident| {
            Some((incident.collection_id, incident.subject.path()?.to_owned()))
        };
        let open = tx.incidents(Millis::MAX).await?;
        let mut open: HashMap<_, _> =
            open.into_iter().filter_map(|one| Some((key(&one)?, one))).collect();
        let collections = tx.collections().await?;
        let known = |id: RowId| collections.iter().find(|one| one.id == id);
        for (key, lost) in paths {
            let incident = open.remove(&key);
            if let Some(collection) = known(key.0) {
                self.judge_path(tx, collection, &lost, incident, now).await?;
            }
        }
        for incident in open.into_values() {
            let collection = known(incident.collection_id);
            // While a collection is read again, nobody knows yet what it names.
            if !collection.is_some_and(|collection| collection.rereading) {
                self.end_path(tx, collection, incident, now).await?;
            }
        }
        Ok(())
    }

    async fn judge_path(
        &self,
        tx: &mut Tx,
        collection: &Collection,
        lost: &LostIn,
        incident: Option<Incident>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let (health, problem) = (lost.path.health, &lost.path.problem);
        let (incident, transition) = match incident {
            Some(known) if known.health == health && known.summary == *problem => return Ok(()),
            Some(known) => {
                if !tx.change_incident(&known, health, problem).await? {
                    return Ok(());
                }
                let transition = Standing::of(health).since(&Standing::of(known.health));
                (known, transition)
            }
            None => {
                let subject = Subject::Path { reference: lost.path.reference.clone() };
                let new = opened(collection, subject, health, problem.clone(), now);
                if !tx.open_incident(&new).await? {
                    return Ok(());
                }
                (new, Transition::Opened)
            }
        };
        let summary = summary(collection, lost);
        let message = format!("{summary}: {}", lost.path.problem);
        warn!("{message}");
        let words = (&*summary, &*message);
        let mut body = body_of(&incident, &lost.tokens, transition, words, now);
        body["health"] = json!(health);
        if transition != Transition::Opened {
            body["previous"] = json!(incident.health);
        }
        Ok(enqueue(tx, self.telling(), &incident, transition, body, now).await?)
    }

    async fn end_path(
        &self,
        tx: &mut Tx,
        collection: Option<&Collection>,
        incident: Incident,
        now: Millis,
    ) -> Result<(), WatchError> {
        if !tx.close_incident(&incident.id, OVER, now).await? {
            return Ok(());
        }
        let name = collection.map_or(incident.collection.to_string(), |known| known.name.clone());
        let path = incident.subject.path().unwrap_or_default();
        let message = format!("{name}: {path}: {OVER}");
        info!("{message}");
        let words = (&*message, &*message);
        let mut body = body_of(&incident, &[], Transition::Recovered, words, now);
        body["previous"] = json!(incident.health);
        let transition = Transition::Recovered;
        Ok(enqueue(tx, self.telling(), &incident, transition, body, now).await?)
    }
}

/// What happened, in short.
fn summary(collection: &Collection, lost: &LostIn) -> String {
    let of = match lost.tokens.as_slice() {
        [] => "of the collection itself".to_owned(),
        [one] => format!("of token {one}"),
        many => format!("of {} tokens", many.len()),
    };
    let (name, path) = (&collection.name, &lost.path);
    format!("{name}: {} {of} is {}", path.reference, path.health)
}

/// What every alert over a path says.
fn body_of(
    incident: &Incident,
    tokens: &[U256],
    transition: Transition,
    words: (&str, &str),
    now: Millis,
) -> Value {
    let named: Vec<_> = tokens.iter().take(MOST_TOKENS as usize).map(U256::to_string).collect();
    let more = json!({
        "content": null,
        "path": incident.subject.path(),
        "tokens": named,
        "token_count": tokens.len(),
        "health": null,
        "previous": null,
    });
    told(incident, transition, more, words, now)
}
