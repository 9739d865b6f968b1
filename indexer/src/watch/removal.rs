//! Contents that some node is about to give up, since the last STORE that kept them there ends: the
//! earliest warning there is, while the bytes are served still.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tracing::info;

use super::{
    Watch, WatchError,
    assess::MOST_TOKENS,
    judge::Case,
    outbox::{Telling, end_over, ended, of_whom, token_ids},
};
use crate::{
    content::ContentId,
    health::{Assessment, Health},
    incident::{Standing, Transition},
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
        if endings.is_empty() && open.is_empty() {
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
            let case =
                RemovalCase { collection, content: &content, named, endings: &endings, assessment };
            let told = self.judge(tx, &case, known, now).await?;
            opened |= known.is_none() && told.is_some();
        }
        Ok(opened)
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
    let message = kept(id, reason);
    if end_over(tx, telling, incident, id, (reason, &message), now).await? {
        info!("{message}");
    }
    Ok(())
}

fn kept(id: ContentId, reason: &str) -> String {
    format!("{id}: it is no longer about to be removed: {reason}")
}

/// A content in a collection, and all that is told of its end.
struct RemovalCase<'a> {
    collection: &'a Collection,
    content: &'a Content,
    named: NamedBy,
    /// None: it is kept.
    endings: &'a [Ending<'a>],
    assessment: Assessment,
}

impl RemovalCase<'_> {
    /// What happened, in short.
    fn headline(&self, transition: Transition) -> String {
        let (name, id) = (&self.collection.name, self.content.id);
        let what = match transition {
            Transition::Flapping => "is about to be removed again and again",
            _ => "is about to be removed",
        };
        format!("{name}: content {id} {} {what}", of_whom(&self.named))
    }

    /// What happened, what happens next, and what to do, for a person.
    fn message(&self, headline: &str) -> String {
        let each = self.endings.iter().map(Ending::sentence).collect::<Vec<_>>().join("; ");
        let bytes = match self.assessment.health {
            Health::Lost => "no node serves its bytes any more",
            _ => "its bytes are still served",
        };
        format!("{headline}, and {bytes}: {each}. {}", self.remedy())
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
}

impl Case for RemovalCase<'_> {
    fn collection(&self) -> &Collection {
        self.collection
    }

    fn subject(&self) -> Subject {
        let Content { row, id, .. } = *self.content;
        Subject::Removal { row, id }
    }

    fn standing(&self) -> Standing {
        Standing::of(self.assessment.health)
    }

    /// Which nodes, and how.
    fn summary(&self) -> String {
        let each = self.endings.iter().map(|ending| format!("{} {}", ending.node, ending.status));
        each.collect::<Vec<_>>().join(", ")
    }

    fn over(&self) -> &'static str {
        KEPT
    }

    /// While its bytes are served, too.
    fn is_problem(&self) -> bool {
        !self.endings.is_empty()
    }

    /// An incident of its own tells of its health.
    fn differs(&self, known: &Incident) -> bool {
        known.summary != self.summary()
    }

    fn since(&self, _: &Incident) -> Transition {
        Transition::Changed
    }

    fn weighed(&self, _: &Incident) -> (Health, Health) {
        let now = if self.is_problem() { Health::Degraded } else { Health::Healthy };
        (Health::Degraded, now)
    }

    fn words(&self, transition: Transition, _: Option<Health>) -> (String, String) {
        if transition == Transition::Recovered {
            let message = kept(self.content.id, KEPT);
            return (message.clone(), message);
        }
        let headline = self.headline(transition);
        let message = self.message(&headline);
        (headline, message)
    }

    fn more(&self, transition: Transition) -> Value {
        if transition == Transition::Recovered {
            return ended(self.content.id);
        }
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
