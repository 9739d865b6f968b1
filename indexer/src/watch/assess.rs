//! What is to be judged, and what is told of it.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tracing::info;

use super::{
    Watch, WatchError,
    judge::Case,
    outbox::{end_over, of_whom, token_ids},
};
use crate::{
    crash,
    health::{Assessment, Health, Past, Policy, ReplicaState, next_assessment},
    incident::{Standing, Transition},
    ledger::{
        self, Collection, DueAssessment, Incident, Judged, Millis, NamedBy, Node, RowId, Subject,
        Tx,
    },
    picture::{ContentPicture, Pages},
    time_text,
};

/// Of the tokens that share a content, an alert names this many.
pub(super) const MOST_TOKENS: u32 = 20;

/// Contents judged in one transaction.
const BATCH: u32 = 500;

impl Watch {
    /// Judges every content of which something changed, or that time alone may have changed, and
    /// opens, changes and closes incidents accordingly. An incident and its alerts are written in one
    /// transaction with the verdict.
    pub(super) async fn assess(&self) -> Result<(), WatchError> {
        let now = ledger::now();
        if self.ledger.read().await?.has_moved(now).await? {
            let mut tx = self.ledger.write().await?;
            tx.rejudge_moved(now).await?;
            tx.commit().await?;
        }
        while self.assess_some(now).await? {}
        if self.ledger.read().await?.has_unfound_paths().await? {
            let mut tx = self.ledger.write().await?;
            let mut pages = Pages::begin(&mut tx, &self.settings.policy, now).await?;
            let mut lost = BTreeMap::new();
            while let Some(page) = pages.next(&mut tx).await? {
                page.add_lost_paths(&mut lost);
            }
            self.assess_paths(&mut tx, lost, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// As [`Watch::assess`], with everything over which an incident is open: what names it may have
    /// changed.
    pub(super) async fn assess_again(&self) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.rejudge_incidents().await?;
        tx.commit().await?;
        self.assess().await
    }

    /// Judges some; gives whether there may be more.
    async fn assess_some(&self, now: Millis) -> Result<bool, WatchError> {
        let mut tx = self.ledger.write().await?;
        let due = tx.due_assessments(now, BATCH).await?;
        let more = due.len() == BATCH as usize;
        let mut judged = Vec::with_capacity(due.len());
        let mut around = None;
        for one in due {
            let row = one.content.row;
            if !one.wanted {
                self.abandon_all(&mut tx, one.incidents, now).await?;
                judged.push(Judged { content: row, health: None, next: None });
                continue;
            }
            let policy = &self.settings.policy;
            let DueAssessment { content, replicas, incidents, .. } = one;
            let content = ContentPicture::of(content, replicas, policy, now);
            let (health, past) = (content.assessment.health, content.content.past);
            let was_healthy = past.was_healthy || health == Health::Healthy;
            let past = Past { was_healthy, ..past };
            let next = next_assessment(&content.views(), policy, past, now);
            judged.push(Judged { content: row, health: Some(health), next });
            if health.is_problem() || !incidents.is_empty() {
                let around = match &mut around {
                    Some(known) => known,
                    None => around.insert(Around::of(&mut tx).await?),
                };
                self.judge_everywhere(&mut tx, around, &content, incidents, now).await?;
            }
        }
        tx.write_assessments(&judged).await?;
        crash::point("assess.before-commit");
        tx.commit().await?;
        crash::point("assess.committed");
        Ok(more)
    }

    /// Judges a content in each collection that hangs on it.
    async fn judge_everywhere(
        &self,
        tx: &mut Tx,
        around: &Around,
        content: &ContentPicture,
        incidents: Vec<Incident>,
        now: Millis,
    ) -> Result<(), WatchError> {
        let mut open: HashMap<RowId, Incident> =
            incidents.into_iter().map(|one| (one.collection_id, one)).collect();
        let policy = &self.settings.policy;
        let nodes = &around.nodes;
        for named in tx.named_by(content.content.row, MOST_TOKENS).await? {
            let Some(collection) = around.collections.get(&named.collection) else { continue };
            let incident = open.remove(&collection.id);
            let story = Story { nodes, collection, content, named, policy };
            self.judge(tx, &story, incident.as_ref(), now).await?;
        }
        // While a collection is read again, nobody knows yet what its tokens name.
        let rereading = |one: &Incident| {
            around.collections.get(&one.collection_id).is_some_and(|known| known.rereading)
        };
        self.abandon_all(tx, open.into_values().filter(|one| !rereading(one)), now).await
    }

    async fn abandon_all(
        &self,
        tx: &mut Tx,
        incidents: impl IntoIterator<Item = Incident>,
        now: Millis,
    ) -> Result<(), WatchError> {
        for incident in incidents {
            self.abandon(tx, incident, now).await?;
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
        let message = format!("{content}: {reason}; nothing is to be done.");
        if end_over(tx, self.telling(), &incident, content, (reason, &message), now).await? {
            info!("incident over {content} is closed: {reason}");
        }
        Ok(())
    }
}

/// What all stories are told by.
struct Around {
    collections: HashMap<RowId, Collection>,
    nodes: Vec<Node>,
}

impl Around {
    async fn of(tx: &mut Tx) -> Result<Self, WatchError> {
        let collections = tx.collections().await?;
        let collections = collections.into_iter().map(|one| (one.id, one)).collect();
        Ok(Self { collections, nodes: tx.nodes().await? })
    }
}

/// A content in a collection, and all that is told of it.
struct Story<'a> {
    nodes: &'a [Node],
    collection: &'a Collection,
    content: &'a ContentPicture,
    named: NamedBy,
    policy: &'a Policy,
}

impl Story<'_> {
    fn node(&self, id: RowId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Which nodes are not well, and how: what makes two states of an incident differ. Who only says
    /// who has it is none of them, nor is a provider: nobody is to be told each time that another one
    /// announces, or no longer does, what it has not.
    fn unwell(&self) -> String {
        let unwell = self.content.replicas.iter().filter_map(|replica| {
            let state = replica.view.state?;
            let node = self.node(replica.node)?;
            let counts = state != ReplicaState::Verified && node.kind.is_waited_for();
            counts.then(|| format!("{} {state}", node.url))
        });
        unwell.collect::<Vec<_>>().join(", ")
    }

    /// What happened, for a person, in short.
    fn headline(&self, transition: Transition, previous: Option<Health>) -> String {
        let health = self.content.assessment.health;
        let of = of_whom(&self.named);
        let (name, content) = (&self.collection.name, self.content.content.id);
        match (transition, previous) {
            (Transition::Recovered, _) => format!("{name}: content {content} {of} is well again"),
            (Transition::Flapping, _) => {
                format!("{name}: content {content} {of} comes and goes, and is {health} now")
            }
            (_, Some(previous)) if previous != health => {
                format!("{name}: content {content} {of} went from {previous} to {health}")
            }
            _ => format!("{name}: content {content} {of} is {health}"),
        }
    }

    /// The same, with what was seen.
    fn message(&self, headline: &str) -> String {
        let assessment = &self.content.assessment;
        let held = match self.policy.min_held {
            0 => format!("{} held", assessment.held),
            needed => format!("{} of {needed} required held", assessment.held),
        };
        let counts = format!(
            "{} of {} required independent replicas verified, {held}",
            assessment.independent, self.policy.min,
        );
        let unwell = self.unwell();
        let detail = if unwell.is_empty() { String::new() } else { format!("; {unwell}") };
        format!("{headline}: {counts}{detail}")
    }

    fn evidence(&self) -> Vec<Value> {
        let replicas = self.content.replicas.iter();
        let evidence = replicas.map(|replica| {
            json!({
                "node": self.node(replica.node).map(|node| &node.url),
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

impl Case for Story<'_> {
    fn collection(&self) -> &Collection {
        self.collection
    }

    fn subject(&self) -> Subject {
        let known = &self.content.content;
        Subject::Content { row: known.row, id: known.id }
    }

    fn standing(&self) -> Standing {
        let Assessment { health, independent, held, .. } = self.content.assessment;
        Standing { health, independent: Some(independent), held: Some(held) }
    }

    fn summary(&self) -> String {
        self.unwell()
    }

    fn over(&self) -> &'static str {
        "recovered"
    }

    fn words(&self, transition: Transition, previous: Option<Health>) -> (String, String) {
        let headline = self.headline(transition, previous);
        let message = self.message(&headline);
        (headline, message)
    }

    fn more(&self, _: Transition) -> Value {
        let content = &self.content.content;
        let assessment = &self.content.assessment;
        json!({
            "content": {
                "id": content.id.to_string(),
                "cid": content.id.cid(),
                "role": self.named.role,
                "size": content.known.size,
            },
            "tokens": token_ids(&self.named),
            "token_count": self.named.token_count,
            "health": assessment.health,
            "required": self.policy.min,
            "independent": assessment.independent,
            "verified": assessment.verified,
            "required_held": self.policy.min_held,
            "held": assessment.held,
            "replicas": self.evidence(),
        })
    }
}
