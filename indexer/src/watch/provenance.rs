//! Asks aleph nodes which STORE messages keep each content, checks who sent them, and writes both down.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use alloy::primitives::Address;
use futures::{StreamExt, future::join_all, stream};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::{
    Watch, WatchError,
    listing::{self, Answer, Asked},
};
use crate::{
    ledger::{self, DueStores, Grant, Millis, RowId, Store, StoreAt, StoresAt, StoresSeen},
    nodes::{self, aleph::StoreMessage},
    provenance::{Authorities, Authorization, MOST_STORES, Relation, Standing, agreed},
};

/// Contents that are taken, asked for and written down at once.
const BATCH: u32 = 64;
/// Nobody else takes a content that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 20 * 60 * 1000;
/// While a STORE is about to end, or no node could say anything, its content is looked at again at
/// least so often, in milliseconds.
pub(super) const SOON: Millis = 10 * 60 * 1000;
/// Nodes that are asked whom an account authorised: each only claims it.
const ASKED_FOR_GRANTS: usize = 3;
/// Accounts that are asked about for one content.
const MOST_GRANTORS: usize = 8;
/// Accounts that are asked about at once.
const GRANTORS_AT_ONCE: usize = 8;

/// How long they may take together.
const GRANTS_PATIENCE: Duration = Duration::from_secs(2 * 60);

/// What tracing did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traced {
    pub(super) contents: u64,
    /// How many of them are about to go from some node, as was not known before.
    pub(super) urgent: u64,
}

/// A content, with all that decides about its messages.
struct Subject {
    due: DueStores,
    authorities: Authorities,
    known: Vec<Store>,
}

/// What nodes say of whom accounts authorised: by account, each node that answered.
type Grants = HashMap<Address, Vec<(String, Vec<Authorization>)>>;

impl Watch {
    /// Asks for the STOREs of every content that is due.
    pub(super) async fn trace_due(&self) -> Result<Traced, WatchError> {
        let (mut traced, begun) = (Traced::default(), ledger::now());
        self.close_stale_removals().await?;
        if !self.nodes().values().any(|node| node.aleph.is_some()) {
            self.close_all_removals().await?;
            return Ok(traced);
        }
        loop {
            let mut tx = self.ledger.write().await?;
            tx.schedule_new_stores(BATCH).await?;
            tx.commit().await?;
            let lease = ledger::now().saturating_add(LEASE);
            let mut tx = self.ledger.write().await?;
            let due = tx.take_due_stores(begun, lease, BATCH).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(traced);
            }
            traced.contents += due.len() as u64;
            traced.urgent += self.trace(due).await?;
        }
    }

    /// Gives how many are about to go, as was not known before.
    async fn trace(&self, due: Vec<DueStores>) -> Result<u64, WatchError> {
        let subjects = self.subjects(due).await?;
        let asked: Vec<_> = subjects.iter().map(Subject::asked).collect();
        let known = self.nodes();
        let clients = known.iter().filter_map(|(row, node)| Some((*row, node.aleph.as_ref()?)));
        let mut answers: Vec<(RowId, Answer)> = join_all(clients.map(|(row, client)| {
            let asked = &asked;
            async move { (row, listing::ask(client, row, asked).await) }
        }))
        .await;
        answers.sort_by_key(|(row, _)| *row);
        for (row, answer) in &answers {
            if let Err(why) = answer {
                let node = known.get(row).map(|node| nodes::name(node.node.url()));
                debug!("{}: can't say which STOREs it has: {why}", node.unwrap_or_default());
            }
        }
        let grants = self.grants(&subjects, &answers).await;
        let now = ledger::now();
        let seen: Vec<_> =
            subjects.iter().map(|one| self.seen(one, &answers, &grants, now)).collect();
        let contents: Vec<RowId> = seen.iter().map(|one| one.content).collect();
        let mut urgent = Vec::new();
        let mut tx = self.ledger.write().await?;
        tx.record_stores(&seen, now).await?;
        let open = tx.with_removals(&contents).await?;
        for (subject, seen) in subjects.iter().zip(&seen) {
            let mut at = seen.stores.iter().flat_map(|store| &store.statuses);
            let may_end = open.contains(&seen.content) || at.any(|at| at.status.is_ending());
            if may_end && self.judge_removal(&mut tx, subject.due, now).await? {
                urgent.push(seen.content);
            }
        }
        tx.commit().await?;
        // Apart: probes are written down by others, who hold replicas while they wait.
        for content in &urgent {
            let mut tx = self.ledger.write().await?;
            tx.make_urgent(*content).await?;
            tx.commit().await?;
        }
        Ok(urgent.len() as u64)
    }

    /// What there is to write down of one content.
    fn seen(
        &self,
        subject: &Subject,
        answers: &[(RowId, Answer)],
        grants: &Grants,
        now: Millis,
    ) -> StoresSeen {
        let (stores, nodes) = (subject.stores(answers, grants), subject.nodes(answers));
        // Always after now, so that one round never asks twice.
        let due = now.saturating_add(self.pause(&stores, &nodes).max(1));
        StoresSeen { content: subject.due.content, stores, nodes, due }
    }

    async fn subjects(&self, mut due: Vec<DueStores>) -> Result<Vec<Subject>, WatchError> {
        due.sort_by_key(|one| one.content);
        let contents: Vec<RowId> = due.iter().map(|one| one.content).collect();
        let mut tx = self.ledger.read().await?;
        let mut authorities = tx.authorities(&contents).await?;
        let mut known = tx.stores_of(&contents).await?;
        let mut signed = tx.signed_stores(&contents).await?;
        drop(tx);
        let subject = |due: DueStores| {
            let authorities = authorities.remove(&due.content).unwrap_or_default();
            let known = known.remove(&due.content).unwrap_or_default();
            let signed = signed.remove(&due.content).unwrap_or_default();
            self.subject(due, authorities, known, &signed)
        };
        Ok(due.into_iter().map(subject).collect())
    }

    /// Puts together what is known of a content. `signed`: what was signed here.
    fn subject(
        &self,
        due: DueStores,
        mut authorities: Authorities,
        mut known: Vec<Store>,
        signed: &[String],
    ) -> Subject {
        authorities.repairers.extend(self.repairer.iter().map(|signer| signer.address()));
        for message in signed.iter().filter_map(|envelope| StoreMessage::parse(envelope)) {
            let is_new = known.iter().all(|store| store.item_hash != message.item_hash);
            if message.id == due.id && is_new {
                known.push(store_of(&message));
            }
        }
        // What this ledger once knew for ours, also while the key is not at hand.
        let ours = known.iter().filter(|store| store.verified && store.ours);
        authorities.repairers.extend(ours.filter_map(|store| store.sender.parse::<Address>().ok()));
        Subject { due, authorities, known }
    }

    /// How long until a content is looked at again, with a little chance in it: else all that came
    /// together would always be due together.
    fn pause(&self, stores: &[Store], nodes: &[StoresAt]) -> Millis {
        let keeps_none = |row| nodes.iter().any(|node| node.node == row && node.live == Ok(0));
        let ends = stores.iter().filter(|store| store.verified).any(|store| {
            let mut ending = store.statuses.iter().filter(|at| at.status.is_ending());
            ending.any(|at| !at.status.is_final() || keeps_none(at.node))
        });
        let unsaid = nodes.iter().all(|node| node.live.is_err());
        let usual = self.settings.provenance;
        let pause = if ends || unsaid { usual.min(SOON) } else { usual };
        pause - rand::random_range(0..=pause / 10)
    }

    /// What nodes say of who authorised the senders of messages that nobody who counts sent.
    async fn grants(&self, subjects: &[Subject], answers: &[(RowId, Answer)]) -> Grants {
        let accounts = subjects.iter().filter(|one| one.has_strangers(answers));
        let mut accounts: Vec<Address> = accounts.flat_map(Subject::grantors).collect();
        accounts.sort_unstable();
        accounts.dedup();
        let asked = accounts
            .into_iter()
            .map(|account| async move { (account, self.security_of(account).await) });
        let mut asked = std::pin::pin!(stream::iter(asked).buffer_unordered(GRANTORS_AT_ONCE));
        let end = Instant::now() + GRANTS_PATIENCE;
        let mut grants = Grants::new();
        while let Ok(Some((account, said))) = timeout_at(end, asked.next()).await {
            grants.insert(account, said);
        }
        grants
    }

    /// Whom an account authorised, as some nodes say that answer at all.
    async fn security_of(&self, account: Address) -> Vec<(String, Vec<Authorization>)> {
        let mut said = Vec::new();
        let known = self.nodes();
        let mut rows: Vec<_> = known.iter().collect();
        rows.sort_by_key(|(row, _)| **row);
        for (_, node) in rows {
            let Some(client) = &node.aleph else { continue };
            if let Ok(Some(entries)) = client.security(account).await {
                said.push((nodes::name(node.node.url()), entries));
            }
            if said.len() == ASKED_FOR_GRANTS {
                break;
            }
        }
        said
    }

    /// Traces STOREs at their own pace.
    pub(super) async fn trace_forever(&self) {
        let trace = async || self.trace_due().await.map(|_| ());
        let poll = self.settings.poll.max(Duration::from_millis(500));
        self.again_and_again("tracing STOREs", poll, async |tx| tx.release_stores().await, trace)
            .await;
    }
}

impl Subject {
    fn asked(&self) -> Asked {
        let known = self.known.iter().map(|store| {
            let statuses = store.statuses.iter().map(|at| (at.node, at.status)).collect();
            (store.item_hash.clone(), statuses)
        });
        Asked {
            content: self.due.content,
            id: self.due.id,
            known: known.collect(),
            accounts: self.authorities.all(),
        }
    }

    /// Those whose word would make a stranger none, nearest last: a content that many own has one
    /// creator.
    fn grantors(&self) -> Vec<Address> {
        let mut all = self.authorities.all();
        all.sort_by_key(|one| !self.authorities.creators.contains(one));
        all.truncate(MOST_GRANTORS);
        all
    }

    /// What a node said of this content, where it could say.
    fn said<'a>(
        &self,
        answers: &'a [(RowId, Answer)],
    ) -> impl Iterator<Item = (RowId, &'a listing::Said)> {
        let content = self.due.content;
        answers
            .iter()
            .filter_map(move |(node, answer)| Some((*node, answer.as_ref().ok()?.get(&content)?)))
    }

    fn has_strangers(&self, answers: &[(RowId, Answer)]) -> bool {
        let listed = self.said(answers).flat_map(|(_, said)| &said.listed);
        let listed = listed.filter(|message| message.verified).map(|message| &message.sender);
        let known = self.known.iter().filter(|store| store.verified).map(|store| &store.sender);
        let mut senders = listed.chain(known);
        senders.any(|sender| self.authorities.relation(sender, &[]) == Relation::Stranger)
    }

    /// All messages of this content, those that matter most, with where they stand.
    fn stores(&self, answers: &[(RowId, Answer)], grants: &Grants) -> Vec<Store> {
        let mut all: BTreeMap<String, Store> =
            self.known.iter().map(|store| (store.item_hash.clone(), store.clone())).collect();
        for message in self.said(answers).flat_map(|(_, said)| &said.listed) {
            let store = all.entry(message.item_hash.clone()).or_insert_with(|| store_of(message));
            if message.verified && !store.verified {
                *store =
                    Store { statuses: std::mem::take(&mut store.statuses), ..store_of(message) };
            }
        }
        for store in all.values_mut() {
            for (node, said) in self.said(answers) {
                store.statuses.retain(|at| at.node != node);
                let status = said.statuses.get(&store.item_hash);
                store.statuses.extend(status.map(|status| StoreAt {
                    node,
                    status: *status,
                    since: 0,
                }));
            }
            let sender = store.sender.parse::<Address>();
            store.ours = sender.is_ok_and(|one| self.authorities.repairers.contains(&one));
            if let Some(found) = self.grants_of(store, grants) {
                store.grants = found;
            }
        }
        let mut stores: Vec<_> =
            all.into_values().filter(|store| !store.statuses.is_empty()).collect();
        stores.sort_by_cached_key(|store| (self.standing(store).rank(), store.item_hash.clone()));
        stores.truncate(MOST_STORES);
        stores
    }

    fn standing(&self, store: &Store) -> Standing {
        let grants: Vec<_> = store.grants.iter().map(|grant| grant.authority).collect();
        let relation = store.verified.then(|| self.authorities.relation(&store.sender, &grants));
        Standing {
            relation,
            live_on: store.statuses.iter().filter(|at| at.status.is_live()).count(),
            known_on: store.statuses.len(),
            time: store.time,
        }
    }

    /// Who authorised the sender; `None` where that is not known better than before.
    fn grants_of(&self, store: &Store, grants: &Grants) -> Option<Vec<Grant>> {
        let (chain, channel) = (store.chain.as_str(), store.channel.as_deref());
        if !store.verified || self.authorities.relation(&store.sender, &[]) != Relation::Stranger {
            return Some(Vec::new());
        }
        let mut found = Vec::new();
        let mut answered = false;
        for account in self.grantors() {
            let Some(said) = grants.get(&account).filter(|said| !said.is_empty()) else { continue };
            answered = true;
            let covers = |entries: &[Authorization]| {
                entries.iter().any(|one| one.covers_store(&store.sender, chain, channel))
            };
            let yes: Vec<_> = said.iter().filter(|(_, entries)| covers(entries)).collect();
            if agreed(yes.len(), said.len()) {
                let said_by = yes.into_iter().map(|(node, _)| node.clone()).collect();
                found.push(Grant { authority: account, said_by });
            }
        }
        answered.then_some(found)
    }

    /// How many proved STOREs of this content each node has in force, or why it could not say.
    fn nodes(&self, answers: &[(RowId, Answer)]) -> Vec<StoresAt> {
        let proved = |said: &listing::Said, hash: &String| {
            let mut listed = said.listed.iter();
            let mut known = self.known.iter();
            listed.any(|message| message.verified && message.item_hash == *hash)
                || known.any(|store| store.verified && store.item_hash == *hash)
        };
        let at = |(node, answer): &(RowId, Answer)| StoresAt {
            node: *node,
            live: answer.as_ref().map_err(Clone::clone).map(|said| {
                let Some(said) = said.get(&self.due.content) else { return 0 };
                let live = said.statuses.iter().filter(|(_, status)| status.is_live());
                live.filter(|(hash, _)| proved(said, hash)).count() as u64
            }),
        };
        answers.iter().map(at).collect()
    }
}

fn store_of(message: &StoreMessage) -> Store {
    let message = message.clone();
    Store {
        item_hash: message.item_hash,
        sender: message.sender,
        chain: message.chain,
        address: message.address,
        channel: message.channel,
        payment: message.payment,
        time: message.time,
        verified: message.verified,
        ours: false,
        statuses: Vec::new(),
        grants: Vec::new(),
    }
}
