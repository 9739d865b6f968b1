//! The STOREs that make nodes keep contents: those that live, and one of our own where none does.

use std::collections::{BTreeSet, HashMap, HashSet};

use alloy::primitives::Address;
use futures::future::join_all;

use crate::{
    chain::KeyError,
    config::Payment,
    content::ContentId,
    crash,
    ledger::{self, KeptMessage, RowId},
    nodes::{
        FetchError,
        aleph::{Client, Message, sign_store_for},
    },
    watch::{Watch, WatchError},
};

/// STOREs that live, as nodes list them.
#[derive(Default)]
pub(super) struct Live {
    by_node: HashMap<RowId, HashMap<ContentId, Vec<Message>>>,
    /// Whether every node that is up could say.
    pub(super) is_complete: bool,
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

    /// One that lives, best on this node.
    pub(super) fn message(&self, id: &ContentId, node: RowId) -> Option<&Message> {
        let mut others: Vec<_> = self.by_node.keys().filter(|other| **other != node).collect();
        others.sort_unstable();
        let elsewhere = others.into_iter().flat_map(|other| self.here(id, *other));
        self.here(id, node).chain(elsewhere).next()
    }

    fn here(&self, id: &ContentId, node: RowId) -> impl Iterator<Item = &Message> {
        self.by_node.get(&node).and_then(|listed| listed.get(id)).into_iter().flatten()
    }
}

type Listed = Result<HashMap<ContentId, Vec<Message>>, FetchError>;

impl Watch {
    /// Which STOREs of contents live: on the nodes that lack them, and, of contents that have none
    /// there, on all others.
    pub(super) async fn live_stores(&self, asked: &HashMap<RowId, Vec<ContentId>>) -> Live {
        let mut live = Live { is_complete: true, ..Live::default() };
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

    /// The aleph nodes in use.
    pub(super) fn aleph_clients(&self) -> Vec<(RowId, Client)> {
        let nodes = self.nodes();
        let clients = nodes.iter().filter_map(|(row, node)| Some((*row, node.aleph.clone()?)));
        let mut clients: Vec<_> = clients.collect();
        clients.sort_by_key(|(row, _)| *row);
        clients
    }

    /// Of the STOREs kept for a content in our own name, the newest that is good for something.
    pub(super) async fn usable(
        &self,
        kept: Vec<KeptMessage>,
    ) -> Result<Option<(Message, KeptMessage)>, WatchError> {
        let mut ended = Vec::new();
        let mut found = None;
        for one in kept {
            let Ok(message) = serde_json::from_str::<Message>(&one.envelope) else { continue };
            let stands = self.stands(&one.item_hash).await;
            // What no node knows is sent for the first time, and must be what would be signed now.
            let fits = stands.is_known() || message.terms() == Some(self.terms());
            if !fits || !stands.is_of_use() {
                // A node that is down may have it in force: it is told when it is back.
                ended.extend(stands.is_over().then_some(one.item_hash));
                continue;
            }
            found = Some((message, one));
            break;
        }
        if !ended.is_empty() && !self.settings.dry_run {
            let mut tx = self.ledger.write().await?;
            tx.messages_ended(&ended, ledger::now()).await?;
            tx.commit().await?;
            crash::point("store.ended");
        }
        Ok(found)
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
) -> Vec<(RowId, Listed)> {
    let answers = asked.map(|(row, client, mut ids)| async move {
        ids.sort_unstable();
        ids.dedup();
        (row, client.live_stores(&ids).await)
    });
    join_all(answers).await
}

impl Live {
    fn add(&mut self, answers: Vec<(RowId, Listed)>) {
        for (node, listed) in answers {
            match listed {
                Ok(listed) => self.by_node.entry(node).or_default().extend(listed),
                // Whoever is down lists nothing, and nobody waits for that.
                Err(error) => self.is_complete &= matches!(error, FetchError::Connect { .. }),
            }
        }
    }
}
