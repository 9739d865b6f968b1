//! Contents that some node is about to give up, since the last STORE that kept them there ends: the
//! earliest warning there is, while the bytes are served still.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracing::{info, warn};

use super::{
    Watch, WatchError,
    assess::MOST_TOKENS,
    outbox::{Telling, end_over, enqueue, of_whom, opened, token_ids, told},
};
use crate::{
    health::{Assessment, Health},
    incident::Transition,
    ledger::{
        Collection, Content, DueStores, Incident, Millis, NamedBy, RowId, Store, Subject, Tx,
    },
    nodes,
    picture::ContentPicture,
    provenance::{StoreStatus, is_ending},
    time_text,
};

/// Why such an incident ends.
const KEPT: &str = "another STORE keeps it, or this one again";
const UNNAMED: &str = "no token names this content any more";
const NOBODY: &str = "no aleph node is configured any more";

/// A STORE that ends on a node where no other keeps its content.
struct Ending<'a> {
    node: String,
    store: &'a Store,
    status: StoreStatus,
    since: Millis,
}

impl Watch {
    /// Opens, changes and closes the incidents over the end of a content's STOREs; gives whether one
    /// was opened. To be called where one is open, or some STORE ends, once that is written down.
    pub(super) async fn judge_removal(
        &self,
        tx: &mut Tx,
        due: DueStores,
        now: Millis,
    ) -> Result<bool, WatchError> {
        let open = tx.removals(due.content).await?;
        // Read back: since when, and of nodes that could not say now, what they said before.
        let stores = tx.stores(due.content).await?;
        let live = tx.live_stores(due.content).await?;
        let endings = self.endings(&stores, &live);
        if endings.is_empty() {
            for incident in open {
                self.end_removal(tx, incident, KEPT, now).await?;
            }
            return Ok(false);
        }
        let Some(content) = tx.content(due.content).await? else { return Ok(false) };
        let assessment = self.assessment(tx, &content, now).await?;
        let collections = tx.collections().await?;
        let mut opened = false;
        for named in tx.named_by(due.content, MOST_TOKENS).await? {
            let Some(collection) = collections.iter().find(|one| one.id == named.collection) else {
                continue;
            };
            let known = open.iter().find(|one| one.collection_id == named.collection);
            let story =
                Story { collection, content: &content, named, endings: &endings, assessment };
            opened |= self.judge_in(tx, &story, known, now).await?;
        }
        Ok(opened)
    }

    async fn judge_in(
        &self,
        tx: &mut Tx,
        story: &Story<'_>,
        known: Option<&Incident>,
        now: Millis,
    ) -> Result<bool, WatchError> {
        let (summary, health) = (story.summary(), story.assessment.health);
        let (incident, transition) = match known {
            Some(known) if known.summary == summary => return Ok(false),
            Some(known) => {
                if !tx.change_incident(known, health, &summary).await? {
                    return Ok(false);
                }
                (known.clone(), Transition::Changed)
            }
            None => {
                let new = story.opened(summary, now);
                if !tx.open_incident(&new).await? {
                    return Ok(false);
                }
                (new, Transition::Opened)
            }
        };
        let message = story.message();
        warn!("{message}");
        let mut more = story.told();
        more["previous"] = json!(known.map(|known| known.health));
        let body = told(&incident, transition, more, (&story.headline(), &message), now);
        enqueue(tx, self.telling(), &incident, transition, body, now).await?;
        Ok(transition == Transition::Opened)
    }

    /// Closes the incidents over contents that are named no more.
    pub(super) async fn close_stale_removals(&self) -> Result<(), WatchError> {
        let stale = self.ledger.read().await?.stale_removals().await?;
        if stale.is_empty() {
            return Ok(());
        }
        let now = crate::ledger::now();
        let mut tx = self.ledger.write().await?;
        for incident in stale {
            self.end_removal(&mut tx, incident, UNNAMED, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Closes them all: there is nobody whom they could be about.
    pub(super) async fn close_all_removals(&self) -> Result<(), WatchError> {
        let open = self.ledger.read().await?.incidents(Millis::MAX).await?;
        let open: Vec<_> = open.into_iter().filter(|one| one.subject.removal().is_some()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let now = crate::ledger::now();
        let mut tx = self.ledger.write().await?;
        for incident in open {
            self.end_removal(&mut tx, incident, NOBODY, now).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn end_removal(
        &self,
        tx: &mut Tx,
        incident: Incident,
        reason: &str,
        now: Millis,
    ) -> Result<(), WatchError> {
        Ok(end(tx, self.telling(), &incident, reason, now).await?)
    }

    /// Each node that is about to give the content up, with the STORE that kept it there last.
    fn endings<'a>(&self, stores: &'a [Store], live: &BTreeMap<RowId, u64>) -> Vec<Ending<'a>> {
        let mut endings = Vec::new();
        let known = self.nodes();
        for (node, live) in live {
            let Some(configured) = known.get(node) else { continue };
            let here = stores.iter().filter(|store| store.verified).filter_map(|store| {
                Some((store, store.statuses.iter().find(|at| at.node == *node)?))
            });
            let here: Vec<_> = here.collect();
            let statuses: Vec<_> = here.iter().map(|(_, at)| at.status).collect();
            if !is_ending(&statuses, *live) {
                continue;
            }
            let last = here.into_iter().filter(|(_, at)| at.status.is_ending());
            // What ends last says how much time there is.
            if let Some((store, at)) = last.min_by_key(|(_, at)| (at.status, -at.since)) {
                let node = nodes::name(configured.node.url());
                endings.push(Ending { node, store, status: at.status, since: at.since });
            }
        }
        endings
    }

    async fn assessment(
        &self,
        tx: &mut Tx,
        content: &Content,
        now: Millis,
    ) -> Result<Assessment, WatchError> {
        let (content, replicas) = (content.clone(), tx.replicas_of(content.row).await?);
        Ok(ContentPicture::of(content, replicas, &self.settings.policy, now).assessment)
    }
}

/// Closes an incident over the end of a content's STOREs, and tells of it.
pub(super) async fn end(
    tx: &mut Tx,
    telling: &Telling,
    incident: &Incident,
    reason: &str,
    now: Millis,
) -> Result<(), crate::ledger::LedgerError> {
    let Some((_, id)) = incident.subject.removal() else { return Ok(()) };
    let message = format!("{id}: it is no longer about to be removed: {reason}");
    if end_over(tx, telling, incident, id, (reason, &message), now).await? {
        info!("{message}");
    }
    Ok(())
}

/// A content in a collection, and all that is told of its end.
struct Story<'a> {
    collection: &'a Collection,
    content: &'a Content,
    named: NamedBy,
    endings: &'a [Ending<'a>],
    assessment: Assessment,
}

impl Story<'_> {
    fn opened(&self, summary: String, now: Millis) -> Incident {
        let Content { row, id, .. } = *self.content;
        let subject = Subject::Removal { row, id };
        opened(self.collection, subject, self.assessment.health, summary, now)
    }

    /// Which nodes, and how: what makes two states of an incident differ.
    fn summary(&self) -> String {
        let each = self.endings.iter().map(|ending| format!("{} {}", ending.node, ending.status));
        each.collect::<Vec<_>>().join(", ")
    }

    /// What happened, in short.
    fn headline(&self) -> String {
        let (name, id) = (&self.collection.name, self.content.id);
        format!("{name}: content {id} {} is about to be removed", of_whom(&self.named))
    }

    /// What happened, what happens next, and what to do, for a person.
    fn message(&self) -> String {
        let each = self.endings.iter().map(Ending::sentence).collect::<Vec<_>>().join("; ");
        let bytes = match self.assessment.health {
            Health::Lost => "no node serves its bytes any more",
            _ => "its bytes are still served",
        };
        format!("{}, and {bytes}: {each}. {}", self.headline(), self.remedy())
    }

    /// What to do about it.
    fn remedy(&self) -> String {
        let mut payers: Vec<String> = Vec::new();
        for ending in self.endings.iter().filter(|ending| ending.status == StoreStatus::Removing) {
            payers.extend(ending.remedy().filter(|remedy| !payers.contains(remedy)));
        }
        let again =
            "store it anew, by `everhold publish` or `everhold update` with a key that can pay";
        match payers.is_empty() {
            true => format!("To keep it, {again}."),
            false => format!("To keep it, {}, or {again}.", payers.join(", ")),
        }
    }

    fn told(&self) -> Value {
        let content = self.content;
        let stores = self.endings.iter().map(|ending| {
            let Ending { node, store, status, since } = ending;
            json!({
                "node": node,
                "status": status,
                "since": time_text(*since),
                "item_hash": store.item_hash,
                "sender": store.sender,
                "address": store.address,
                "payment": store.payment,
            })
        });
        json!({
            "content": {
                "id": content.id.to_string(),
                "cid": content.id.cid(),
                "size": content.known.size,
            },
            "tokens": token_ids(&self.named),
            "token_count": self.named.token_count,
            "health": self.assessment.health,
            "previous": null,
            "stores": stores.collect::<Vec<_>>(),
            "todo": self.remedy(),
        })
    }
}

impl Ending<'_> {
    fn sentence(&self) -> String {
        let Self { node, store, status, since } = self;
        let (hash, sender) = (&store.item_hash, &store.sender);
        let next = match status {
            StoreStatus::Removed => "it may delete the bytes at any moment",
            _ => "it serves the bytes until about a day after that",
        };
        format!(
            "on {node} the last STORE that keeps it ({hash}, by {sender}) is {status}, seen so since \
             {}: {next}",
            time_text(*since)
        )
    }

    /// How whoever pays could have it kept.
    fn remedy(&self) -> Option<String> {
        let payer = self.store.address.as_ref()?;
        match self.store.payment.as_deref() {
            Some("credit") => Some(format!("give {payer} credits")),
            Some("hold") => Some(format!("have {payer} hold more ALEPH")),
            _ => None,
        }
    }
}
