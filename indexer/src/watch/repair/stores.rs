//! The STOREs that make nodes keep contents: those that live, and one of our own where none does.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::PoisonError,
    time::Duration,
};

use alloy::primitives::Address;
use futures::future::join_all;
use tokio::time::Instant;

use super::forget::Use;
use crate::{
    chain::KeyError,
    config::Payment,
    content::ContentId,
    crash,
    ledger::{self, KeptMessage, RowId},
    nodes::{
        FetchError,
        aleph::{Client, LiveStores, Message, lists_suffice, sign_store_for},
    },
    watch::{Watch, WatchError},
};

/// What a node has failed at for longer does not pass by itself.
const PASSING: Duration = Duration::from_secs(600);
/// STOREs of one content that are tried at a node before a new one is signed.
const MOST_TRIED: usize = 3;

/// STOREs that live, as nodes list them.
#[derive(Default)]
pub(super) struct Live {
    by_node: HashMap<RowId, HashMap<ContentId, Vec<Message>>>,
    /// The nodes that are up.
    up: BTreeSet<RowId>,
    /// Those of them that could not list the STOREs of a content.
    unlisted: HashMap<ContentId, BTreeSet<RowId>>,
    /// Whose STOREs are our own.
    ours: Vec<Address>,
}

impl Live {
    /// Whether one lives on a node.
    pub(super) fn is_here(&self, id: &ContentId, node: RowId) -> bool {
        self.here(id, node).next().is_some()
    }

    /// Whether one lives anywhere.
    pub(super) fn is_anywhere(&self, id: &ContentId) -> bool {
        self.by_node.keys().any(|node| self.is_here(id, *node))
    }

    /// Whether enough nodes said which live.
    pub(super) fn is_known(&self, id: &ContentId) -> bool {
        lists_suffice(self.unlisted(id).count(), self.up.len())
    }

    /// The nodes that could list everything they were asked for, and those that could not.
    fn by_success(&self) -> (BTreeSet<RowId>, BTreeSet<RowId>) {
        let failing: BTreeSet<RowId> = self.unlisted.values().flatten().copied().collect();
        (self.up.difference(&failing).copied().collect(), failing)
    }

    /// The nodes that are up and could not say.
    pub(super) fn unlisted(&self, id: &ContentId) -> impl Iterator<Item = RowId> {
        self.unlisted.get(id).into_iter().flatten().copied()
    }

    /// Some that live: best our own, then those that live on this node, then those that most nodes list. Who
    /// signed the others need not be able to pay.
    pub(super) fn messages(&self, id: &ContentId, node: RowId) -> Vec<&Message> {
        let mut found: BTreeMap<&str, (&Message, bool, usize)> = BTreeMap::new();
        for at in self.by_node.keys() {
            for message in self.here(id, *at) {
                let known = found.entry(&message.item_hash).or_insert((message, false, 0));
                (known.1, known.2) = (known.1 || *at == node, known.2 + 1);
            }
        }
        let is_ours = |message: &Message| {
            let payer = message.terms().map(|(account, _)| account);
            payer.is_some_and(|payer| self.ours.contains(&payer))
        };
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|(message, here, nodes)| {
            (!is_ours(message), !*here, Reverse(*nodes), message.item_hash.clone())
        });
        found.into_iter().take(MOST_TRIED).map(|(message, ..)| message).collect()
    }

    fn here(&self, id: &ContentId, node: RowId) -> impl Iterator<Item = &Message> {
        self.by_node.get(&node).and_then(|listed| listed.get(id)).into_iter().flatten()
    }

    fn add(&mut self, answers: Vec<(RowId, LiveStores)>) {
        for (node, listed) in answers {
            // Whoever is down lists nothing, and nobody waits for that.
            if matches!(listed.failure, Some(FetchError::Connect { .. })) {
                continue;
            }
            self.up.insert(node);
            self.by_node.entry(node).or_default().extend(listed.stores);
            for id in listed.unlisted {
                self.unlisted.entry(id).or_default().insert(node);
            }
        }
    }
}

impl Watch {
    /// Which STOREs of contents live: on the nodes that lack them, and, of contents that have none
    /// there, on all others.
    pub(super) async fn live_stores(&self, asked: &HashMap<RowId, Vec<ContentId>>) -> Live {
        let signer = self.repairer.as_ref().map(|signer| signer.address());
        let ours = signer.into_iter().chain(self.settings.account).collect();
        let mut live = Live { ours, ..Live::default() };
        let clients = self.aleph_clients();
        let at_home = clients
            .iter()
            .filter_map(|(row, client)| Some((*row, client.clone(), asked.get(row)?.clone())));
        live.add(ask_all(at_home).await);
        let mut without: BTreeSet<ContentId> = BTreeSet::new();
        for (node, ids) in asked {
            without.extend(ids.iter().filter(|id| !live.is_here(id, *node)));
        }
        if without.is_empty() {
            return live;
        }
        let elsewhere = clients.iter().filter_map(|(row, client)| {
            let known: HashSet<_> = asked.get(row).into_iter().flatten().collect();
            let ids: Vec<_> = without.iter().filter(|id| !known.contains(id)).copied().collect();
            (!ids.is_empty()).then(|| (*row, client.clone(), ids))
        });
        live.add(ask_all(elsewhere).await);
        live
    }

    /// Notes which nodes can't list STOREs, and since when.
    pub(super) fn note_listing(&self, live: &Live) {
        let (well, failing) = live.by_success();
        // Whoever panicked left whole entries.
        let mut since = self.repairing.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        since.retain(|node, _| !well.contains(node));
        for node in failing {
            since.entry(node).or_insert_with(Instant::now);
        }
    }

    /// Whether a node that could not list the STOREs of a content may soon.
    pub(super) fn may_list_soon(&self, id: &ContentId, live: &Live) -> bool {
        let since = self.repairing.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |node| since.get(&node).is_none_or(|at: &Instant| at.elapsed() < PASSING);
        live.unlisted(id).any(is_fresh)
    }

    /// The aleph nodes in use.
    pub(super) fn aleph_clients(&self) -> Vec<(RowId, Client)> {
        let nodes = self.nodes();
        let clients = nodes.iter().filter_map(|(row, node)| Some((*row, node.aleph.clone()?)));
        let mut clients: Vec<_> = clients.collect();
        clients.sort_by_key(|(row, _)| *row);
        clients
    }

    /// Of the STOREs kept for a content in our own name, the newest that is good for something; else how many
    /// of the others may live.
    pub(super) async fn usable(
        &self,
        kept: Vec<KeptMessage>,
    ) -> Result<Result<Message, usize>, WatchError> {
        let (mut ended, mut in_doubt) = (Vec::new(), 0);
        let mut found = None;
        for one in kept {
            let Ok(message) = serde_json::from_str::<Message>(&one.envelope) else { continue };
            let fits = message.terms() == Some(self.terms());
            match self.stands(&one.item_hash).await.use_of(fits) {
                Use::Good => {
                    found = Some(message);
                    break;
                }
                Use::Over => ended.push(one.item_hash),
                Use::None => in_doubt += 1,
            }
        }
        if !ended.is_empty() && !self.settings.dry_run {
            let mut tx = self.ledger.write().await?;
            tx.messages_ended(&ended, ledger::now()).await?;
            tx.commit().await?;
            crash::point("store.ended");
        }
        Ok(found.ok_or(in_doubt))
    }

    /// Who is to pay for a STORE that is signed now, and how.
    fn terms(&self) -> (Address, Payment) {
        let signer = self.repairer.as_ref().map(|signer| signer.address());
        let account = self.settings.account.or(signer).unwrap_or_default();
        (account, self.settings.payment.in_force(ledger::now() as f64 / 1000.0))
    }

    /// Whether STOREs that are signed now are paid by credits.
    pub(super) fn pays_credits(&self) -> bool {
        self.terms().1 == Payment::Credit
    }

    /// A new STORE in our own name, or in that of the account on whose behalf we act. It is good for nothing
    /// before it is written down.
    pub(super) async fn signed_store(&self, id: &ContentId) -> Result<Option<Message>, WatchError> {
        let Some(signer) = &self.repairer else { return Ok(None) };
        let account = self.settings.account.unwrap_or(signer.address());
        let (channel, payment) = (&self.settings.channel, self.settings.payment);
        let time = ledger::now() as f64 / 1000.0;
        let signed = sign_store_for(signer, account, id, channel, payment, time).await;
        let message = signed.map_err(|error| KeyError::None(error.to_string()))?;
        crash::point("store.signed");
        Ok(Some(message))
    }
}

async fn ask_all(
    asked: impl Iterator<Item = (RowId, Client, Vec<ContentId>)>,
) -> Vec<(RowId, LiveStores)> {
    let answers = asked.map(|(row, client, mut ids)| async move {
        ids.sort_unstable();
        ids.dedup();
        (row, client.live_stores(&ids).await)
    });
    join_all(answers).await
}
