//! From health to incidents: opened, changed, recovered, each told once.

use std::collections::HashMap;

use alloy::primitives::U256;
use serde_json::json;
use tracing::{info, warn};

use super::{
    Watch, WatchError,
    outbox::{enqueue, random_id, told},
};
use crate::{
    health::{Health, ReplicaState},
    ledger::{self, Incident, Millis, RowId, Subject, Transition, Tx},
    picture::{CollectionPicture, ContentPicture, Picture},
    time_text,
};

/// Of the tokens that share a content, an alert names this many.
pub(super) const MOST_TOKENS: usize = 20;

impl Watch {
    /// Judges every content, and opens, changes and closes incidents accordingly. An incident
    /// and its alerts are written in one transaction.
    pub(super) async fn assess(&self) -> Result<(), WatchError> {
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        let picture = Picture::take(&mut tx, &self.settings.policy, now).await?;
        let mut contents: Vec<_> = picture.contents.values().collect();
        contents.sort_by_key(|content| content.content.row);
        for content in contents {
            let healthy = content.assessment.health == Health::Healthy;
            if healthy && !content.content.past.was_healthy {
                tx.mark_healthy(content.content.row).await?;
            }
        }
        let open = tx.incidents(Millis::MAX).await?;
        let key =
            |incident: &Incident| Some((incident.collection_id, incident.subject.content()?.0));
        let mut open: HashMap<_, _> =
            open.into_iter().filter_map(|i| Some((key(&i)?, i))).collect();
        for ((collection, row), tokens) in picture.used() {
            let incident = open.remove(&(collection, row));
            let Some(story) = self.story(&picture, collection, row, &tokens) else {
                continue;
            };
            self.judge(&mut tx, &story, incident, now).await?;
        }
        let paths = picture.lost_paths();
        // While a collection is read again, nobody knows yet what its tokens name.
        let rereading = |id| {
            picture.collections.iter().any(|c| c.collection.id == id && c.collection.rereading)
        };
        for (_, incident) in open.into_iter().filter(|((id, _), _)| !rereading(*id)) {
            self.abandon(&mut tx, incident, now).await?;
        }
        self.assess_paths(&mut tx, &picture, paths, now).await?;
        Ok(tx.commit().await?)
    }

    fn story<'a>(
        &self,
        picture: &'a Picture,
        collection: RowId,
        row: RowId,
        tokens: &'a [U256],
    ) -> Option<Story<'a>> {
        let collection = picture.collections.iter().find(|c| c.collection.id == collection)?;
        let content = picture.contents.get(&row)?;
        Some(Story { picture, collection, content, tokens, required: self.settings.policy.min })
    }

    async fn judge(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: Option<Incident>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let health = story.content.assessment.health;
        let summary = story.summary();
        match incident {
            None if health.is_problem() => {
                let incident = story.open(health, &summary, now);
                if tx.open_incident(&incident).await? {
                    warn!("{}", story.message(Transition::Opened, None));
                    self.tell(tx, story, &incident, Transition::Opened, None, now).await?;
                }
            }
            Some(incident) if !health.is_problem() => {
                info!("{}", story.message(Transition::Recovered, Some(incident.health)));
                tx.close_incident(&incident.id, "recovered", now).await?;
                let before = Some(incident.health);
                self.tell(tx, story, &incident, Transition::Recovered, before, now).await?;
            }
            Some(incident) if incident.health != health || incident.summary != summary => {
                warn!("{}", story.message(Transition::Changed, Some(incident.health)));
                tx.change_incident(&incident.id, health, &summary).await?;
                let before = Some(incident.health);
                self.tell(tx, story, &incident, Transition::Changed, before, now).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Closes an incident whose content no token names any more: burned, updated, or minted in a
    /// block that a reorg took back.
    async fn abandon(
        &self,
        tx: &mut Tx,
        incident: Incident,
        now: Millis,
    ) -> Result<(), WatchError> {
        let Some((_, content)) = incident.subject.content() else { return Ok(()) };
        let reason = "no token names this content any more";
        info!("incident over {content} is closed: {reason}");
        tx.close_incident(&incident.id, reason, now).await?;
        let more = json!({
            "content": { "id": content.to_string(), "cid": content.cid() },
            "tokens": [],
            "health": null,
            "previous": incident.health,
        });
        let message = format!("{content}: {reason}; nothing is to be done.");
        let body = told(&incident, Transition::Recovered, more, &message, now);
        Ok(enqueue(tx, self.sink_urls(), &incident.id, Transition::Recovered, body, now).await?)
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        incident: &Incident,
        transition: Transition,
        previous: Option<Health>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let body = story.alert(incident, transition, previous, now);
        Ok(enqueue(tx, self.sink_urls(), &incident.id, transition, body, now).await?)
    }
}

/// A content in a collection, and all that is told of it.
struct Story<'a> {
    picture: &'a Picture,
    collection: &'a CollectionPicture,
    content: &'a ContentPicture,
    tokens: &'a [U256],
    required: u32,
}

impl Story<'_> {
    fn open(&self, health: Health, summary: &str, now: Millis) -> Incident {
        Incident {
            id: random_id(),
            collection_id: self.collection.collection.id,
            chain_id: self.collection.collection.chain_id,
            collection: self.collection.collection.address,
            subject: Subject::Content {
                row: self.content.content.row,
                id: self.content.content.id,
            },
            health,
            summary: summary.to_owned(),
            opened_at: now,
            closed_at: None,
            close_reason: None,
        }
    }

    /// Which nodes are not well, and how: what makes two states of an incident differ.
    fn summary(&self) -> String {
        let unwell = self.content.replicas.iter().filter_map(|replica| {
            let state = replica.view.state?;
            let node = self.picture.node(replica.node)?;
            (state != ReplicaState::Verified).then(|| format!("{} {state}", node.url))
        });
        unwell.collect::<Vec<_>>().join(", ")
    }

    /// What happened, for a person.
    fn message(&self, transition: Transition, previous: Option<Health>) -> String {
        let assessment = &self.content.assessment;
        let of = match self.tokens {
            [] => "of the collection itself".to_owned(),
            [one] => format!("of token {one}"),
            many => format!("of {} tokens", many.len()),
        };
        let counts = format!(
            "{} of {} required independent replicas verified",
            assessment.independent, self.required
        );
        let summary = self.summary();
        let detail = if summary.is_empty() { String::new() } else { format!("; {summary}") };
        let name = &self.collection.collection.name;
        let content = self.content.content.id;
        match (transition, previous) {
            (Transition::Recovered, _) => {
                format!("{name}: content {content} {of} is well again: {counts}{detail}")
            }
            (_, Some(previous)) if previous != assessment.health => format!(
                "{name}: content {content} {of} went from {previous} to {}: {counts}{detail}",
                assessment.health
            ),
            _ => {
                format!("{name}: content {content} {of} is {}: {counts}{detail}", assessment.health)
            }
        }
    }

    fn role(&self) -> Option<&str> {
        let tokens = self.collection.tokens.iter();
        let own = self.collection.own.iter().flat_map(|own| &own.contents);
        let mut contents = tokens.flat_map(|token| &token.contents).chain(own);
        contents.find(|(_, row)| *row == self.content.content.row).map(|(role, _)| role.as_str())
    }

    fn alert(
        &self,
        incident: &Incident,
        transition: Transition,
        previous: Option<Health>,
        now: Millis,
    ) -> serde_json::Value {
        let content = &self.content.content;
        let assessment = &self.content.assessment;
        let tokens: Vec<_> = self.tokens.iter().take(MOST_TOKENS).map(U256::to_string).collect();
        let more = json!({
            "content": {
                "id": content.id.to_string(),
                "cid": content.id.cid(),
                "role": self.role(),
                "size": content.known.size,
            },
            "tokens": tokens,
            "token_count": self.tokens.len(),
            "health": assessment.health,
            "previous": previous,
            "required": self.required,
            "independent": assessment.independent,
            "verified": assessment.verified,
            "replicas": self.evidence(),
        });
        told(incident, transition, more, &self.message(transition, previous), now)
    }

    fn evidence(&self) -> Vec<serde_json::Value> {
        let replicas = self.content.replicas.iter();
        let evidence = replicas.map(|replica| {
            json!({
                "node": self.picture.node(replica.node).map(|node| &node.url),
                "state": replica.view.state,
                "checked_at": replica.checked_at.map(time_text),
                "http_status": replica.http_status,
                "bytes": replica.bytes,
                "computed": replica.computed,
                "detail": replica.detail,
            })
        });
        evidence.collect()
    }
}
