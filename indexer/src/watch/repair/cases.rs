//! What is known of each replica that is not well, and so which action is next there.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::PoisonError,
};

use futures::{StreamExt, future::join_all, stream};
use tracing::debug;

use super::{MEMORY, Wanted, act::AT_ONCE, blocks::makes_blocks, can_be_repaired, stores::Live};
use crate::{
    content::ContentId,
    health::{ReplicaState, is_believed},
    ledger::{self, Millis, Replica, RowId, Undone},
    nodes::{
        Configured, NodeKind,
        aleph::{Engine, MessageStatus},
    },
    picture::ContentPicture,
    repair::{
        Action, AlephCase, Attempt, Case, Class, Decision, IpfsCase, Outcome, Patience, WhyNone,
        decide, options,
    },
    watch::{Watch, WatchError},
};

/// A replica at which something is done.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) wanted: Wanted,
    pub(super) node: RowId,
    pub(super) action: Action,
    /// The row of the attempt that is taken up again.
    pub(super) again: Option<RowId>,
    /// The live STORE that goes with it.
    pub(super) message: Option<crate::nodes::aleph::Message>,
}

impl Target {
    /// Its content and its node.
    pub(super) fn replica(&self) -> (RowId, RowId) {
        (self.wanted.row, self.node)
    }
}

/// What is done now, and what can't be.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) targets: Vec<Target>,
    pub(super) undone: Vec<Undone>,
    /// Contents at which nothing is done any more, and why, at each node.
    pub(super) stuck: Vec<(RowId, Vec<String>)>,
}

/// A replica that may be repaired.
struct Candidate<'a> {
    content: &'a ContentPicture,
    replica: &'a Replica,
    before: &'a [Attempt],
}

/// What is next at it.
enum Next {
    Act(Box<Target>),
    /// Something of this class was sent there, and is to be proved.
    Awaits(Class),
    Undone(Undone),
    /// Something in the way may pass.
    NotNow,
    Nothing,
}

/// The largest files that a node takes: with a signed STORE, and without.
type Limits = HashMap<(RowId, Engine), (u64, u64)>;

impl Watch {
    /// What is next at each replica of these contents.
    pub(super) async fn choose(
        &self,
        mut unwell: Vec<ContentPicture>,
        patience: Patience,
    ) -> Result<Chosen, WatchError> {
        unwell.retain(|content| {
            !(matches!(patience, Patience::Patient) && self.is_on_its_way(content))
        });
        let rows: Vec<RowId> = unwell.iter().map(|content| content.content.row).collect();
        let since = ledger::now().saturating_sub(MEMORY);
        let mut tx = self.ledger.read().await?;
        let mut before = tx.attempts(&rows, since).await?;
        let kept = tx.kept_in_vault(&rows).await?;
        drop(tx);
        let now = ledger::now();
        before
            .retain(|(content, _), attempts| self.is_of_account(attempts, kept.get(content), now));
        self.note_rejections(&mut before).await?;
        let awake = self.silent_but_awake(&unwell).await;
        // Most often nothing is next, whatever could be done: then no node is asked what that is.
        let is_next = |one: &Candidate<'_>| {
            !matches!(decide(&Action::ALL, true, one.before, patience, now), Decision::Later(_))
        };
        let all = self.candidates(&unwell, &before, &awake);
        let (candidates, paused): (Vec<_>, Vec<_>) = all.partition(is_next);
        let mut reasons: BTreeMap<RowId, Vec<String>> = BTreeMap::new();
        for one in paused {
            let last = one.before.last().filter(|last| last.action.is_none());
            if let Some(said) = last.and_then(|last| last.detail.as_deref()) {
                let reason = format!("{}: {said}", self.name_of(one.replica.node));
                reasons.entry(one.content.content.row).or_default().push(reason);
            }
        }
        let (candidates, held_back): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|one| !self.is_held_back(one, patience, now));
        let mut busy: HashSet<RowId> =
            held_back.iter().map(|one| one.content.content.row).collect();
        let has_source = |one: &&Candidate<'_>| {
            let replicas = &one.content.replicas;
            let serves = |at: &Replica| at.view.state == Some(ReplicaState::Verified);
            replicas.iter().any(serves) || kept.contains_key(&one.content.content.row)
        };
        let live = self.live_stores(&at_aleph(candidates.iter().filter(has_source))).await;
        self.note_listing(&live);
        let limits = self.limits(&candidates).await;
        let mut chosen = Chosen::default();
        for some in candidates.chunk_by(|a, b| a.content.content.row == b.content.content.row) {
            let wanted = Wanted::from(some[0].content);
            let has_source = !wanted.sources.is_empty() || kept.contains_key(&wanted.row);
            let nexts = some.iter().map(|one| match has_source {
                true => self.next(one, &wanted, &live, &limits, patience),
                false => self.without_source(one, &wanted, patience),
            });
            let nexts: Vec<_> = nexts.collect();
            for next in &nexts {
                if let Next::Undone(undone) = next {
                    let reason = format!("{}: {}", self.name_of(undone.node), undone.detail);
                    reasons.entry(wanted.row).or_default().push(reason);
                }
            }
            if self.settle_on(nexts, some[0].content, &mut chosen) {
                busy.insert(wanted.row);
            }
        }
        reasons.retain(|row, _| !busy.contains(row));
        chosen.stuck = reasons.into_iter().collect();
        Ok(chosen)
    }

    /// Whether what was tried before is of account: not where all was in vain while the vault did not have
    /// the bytes, nor where nothing could be tried with the settings that another process had.
    fn is_of_account(
        &self,
        attempts: &mut Vec<Attempt>,
        kept: Option<&Millis>,
        now: Millis,
    ) -> bool {
        let Some(last) = attempts.last().filter(|last| last.action.is_none()) else { return true };
        let kept = kept.filter(|at| is_believed(**at, now));
        if kept.is_some_and(|at| *at > last.started_at) {
            return false;
        }
        let began = self.repairing.began;
        while Attempt::is_idle(attempts)
            && is_believed(began, now)
            && attempts.last().is_some_and(|last| last.started_at < began)
        {
            attempts.pop();
        }
        true
    }

    /// Asks nodes what became of messages that they had taken, where that has not helped: they may have
    /// rejected them later.
    async fn note_rejections(
        &self,
        before: &mut HashMap<(RowId, RowId), Vec<Attempt>>,
    ) -> Result<(), WatchError> {
        let nodes = self.nodes();
        let asked = before.iter_mut().filter_map(|((_, node), attempts)| {
            let last = attempts.last_mut()?;
            let is_open = last.outcome == Outcome::Disproved && is_with_message(last.action?);
            let (hash, client) = (last.message.clone()?, nodes.get(node)?.aleph.clone()?);
            is_open.then_some(async move { (last, client.message_status(&hash).await) })
        });
        let asked: Vec<_> = asked.collect();
        let answers = stream::iter(asked).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
        let mut rejected = Vec::new();
        for (last, said) in answers {
            if let Ok(MessageStatus::Rejected(reason)) = said {
                let detail = format!("the node took the STORE, and rejected it later: {reason}");
                (last.outcome, last.detail) = (Outcome::Refused, Some(detail.clone()));
                rejected.push((last.row, detail));
            }
        }
        if rejected.is_empty() || self.settings.dry_run {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        for (row, detail) in rejected {
            tx.message_was_rejected(row, &detail).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Whether a replica waits for a budget, or was only said to be repaired, and is left alone for a while.
    fn is_held_back(&self, one: &Candidate<'_>, patience: Patience, now: Millis) -> bool {
        let key = (one.content.content.row, one.replica.node);
        // Whoever panicked left whole entries.
        let held_back = self.repairing.held_back.lock().unwrap_or_else(PoisonError::into_inner);
        let until = held_back.get(&key).filter(|_| matches!(patience, Patience::Patient));
        until.is_some_and(|until| now < *until && is_believed(*until, now))
    }

    /// A node, for a person.
    pub(super) fn name_of(&self, node: RowId) -> String {
        let nodes = self.nodes();
        nodes.get(&node).map(|node| crate::nodes::name(node.node.url())).unwrap_or_default()
    }

    fn candidates<'a>(
        &self,
        unwell: &'a [ContentPicture],
        before: &'a HashMap<(RowId, RowId), Vec<Attempt>>,
        awake: &'a HashSet<RowId>,
    ) -> impl Iterator<Item = Candidate<'a>> {
        let nodes = self.nodes();
        let max_size = self.settings.max_size;
        unwell.iter().flat_map(move |content| {
            let nodes = nodes.clone();
            let is_small = content.content.known.size.is_none_or(|size| size <= max_size);
            let replicas = content.replicas.iter().filter(move |replica| {
                let node = nodes.get(&replica.node);
                let is_awake = awake.contains(&replica.node);
                is_small && node.is_some_and(|node| is_a_target(node, replica, is_awake))
            });
            replicas.map(move |replica| {
                let before = before.get(&(content.content.row, replica.node));
                Candidate { content, replica, before: before.map_or(&[], Vec::as_slice) }
            })
        })
    }

    /// Own Kubo nodes that gave no answer about a content, and are up: some look for what they lack for
    /// longer than anybody waits.
    async fn silent_but_awake(&self, unwell: &[ContentPicture]) -> HashSet<RowId> {
        let silent = |replica: &&Replica| {
            replica.view.state == Some(ReplicaState::Unreachable) && replica.http_status.is_none()
        };
        let silent = unwell.iter().flat_map(|content| content.replicas.iter().filter(silent));
        let silent: HashSet<RowId> = silent.map(|replica| replica.node).collect();
        let nodes = self.nodes();
        let asked = silent.into_iter().filter_map(|row| {
            let kubo = nodes.get(&row)?.kubo.clone()?;
            Some(async move { kubo.is_up().await.then_some(row) })
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// What each aleph node takes.
    async fn limits(&self, candidates: &[Candidate<'_>]) -> Limits {
        let mut keys: Vec<_> = candidates
            .iter()
            .map(|one| (one.replica.node, Engine::of(&one.content.content.id)))
            .collect();
        keys.sort_unstable_by_key(|(node, engine)| (*node, engine.as_str()));
        keys.dedup();
        let nodes = self.nodes();
        let asked = keys.into_iter().filter_map(|key| {
            let client = nodes.get(&key.0)?.aleph.clone()?;
            Some(async move { (key, client.limits(key.1).await) })
        });
        join_all(asked).await.into_iter().collect()
    }

    fn next(
        &self,
        one: &Candidate<'_>,
        wanted: &Wanted,
        live: &Live,
        limits: &Limits,
        patience: Patience,
    ) -> Next {
        let (content, node) = (&one.content.content, one.replica.node);
        let stores = live.messages(&content.id, node);
        let refused: HashSet<&str> = Attempt::refused_stores(one.before, patience)
            .filter_map(|attempt| attempt.message.as_deref())
            .collect();
        let untried = stores.iter().find(|one| !refused.contains(one.item_hash.as_str()));
        let case = self.case(one, live, limits, !refused.is_empty() && untried.is_none());
        let found = options(&case);
        if found == Err(WhyNone::Enough) {
            return Next::Nothing;
        }
        let able = found.as_ref().map_or(&[][..], Vec::as_slice);
        match decide(able, untried.is_some(), one.before, patience, ledger::now()) {
            Decision::Act { action, again } => {
                // What was planned is sent as it was.
                let planned = again.and_then(|_| one.before.last()?.message.as_deref());
                let planned = stores.iter().find(|one| Some(one.item_hash.as_str()) == planned);
                let message = planned.or(untried).or(stores.first()).copied();
                Next::Act(Box::new(Target {
                    wanted: wanted.clone(),
                    node,
                    action,
                    again,
                    message: message.filter(|_| action == Action::UploadWithStore).cloned(),
                }))
            }
            Decision::AwaitProof => Next::awaits(one.before),
            Decision::Later(_) => Next::Nothing,
            Decision::Exhausted => {
                let last = Attempt::last_of_pass(one.before, patience);
                let is_unlisted = found == Err(WhyNone::NotInNeed)
                    && one.content.assessment.health.is_problem()
                    && !live.is_known(&content.id);
                if is_unlisted
                    && last.is_none()
                    && matches!(patience, Patience::Patient)
                    && self.may_list_soon(&content.id, live)
                {
                    return Next::NotNow;
                }
                let why = match (last, found) {
                    (Some(last), _) => {
                        let said = last.detail.as_deref().unwrap_or("it did not help");
                        format!("all was tried that could help; at last: {said}")
                    }
                    (None, Err(_)) if is_unlisted => self.unlisted_by(&content.id, live),
                    (None, Err(why)) => why.words().to_owned(),
                    (None, Ok(_)) => "all was tried that could help".to_owned(),
                };
                self.undone(one, why)
            }
        }
    }

    /// That too many nodes could not say which STOREs live, and which these are.
    fn unlisted_by(&self, id: &ContentId, live: &Live) -> String {
        let names: Vec<_> = live.unlisted(id).map(|node| self.name_of(node)).collect();
        match names.is_empty() {
            true => "no node says which STOREs of it live: none is signed before that".to_owned(),
            false => format!(
                "{} can't list which STOREs of it live: none is signed before that is known",
                names.join(", ")
            ),
        }
    }

    fn undone(&self, one: &Candidate<'_>, detail: String) -> Next {
        let (content, node) = (&one.content.content, one.replica.node);
        debug!("{}: {} can't be repaired: {detail}", content.id, self.name_of(node));
        Next::Undone(Undone { content: content.row, node, action: None, detail })
    }

    /// Nobody has the bytes. A young content may come; of others that is said, once in a while. Those who
    /// may find them elsewhere are asked to.
    fn without_source(&self, one: &Candidate<'_>, wanted: &Wanted, patience: Patience) -> Next {
        if !one.content.assessment.health.is_problem() {
            return Next::Nothing;
        }
        let node = one.replica.node;
        // How large it is nobody knows whose bytes were never seen: an owner may point a token at anything.
        let is_sized = one.content.content.known.size.is_some();
        let able = match self.nodes().get(&node).map(|node| node.node.kind()) {
            Some(NodeKind::Kubo) if is_sized => &[Action::KuboPin][..],
            Some(NodeKind::Pinning) if is_sized => &[Action::PinRequest][..],
            _ => &[][..],
        };
        match decide(able, false, one.before, patience, ledger::now()) {
            Decision::Act { action, again } => {
                let wanted = wanted.clone();
                Next::Act(Box::new(Target { wanted, node, action, again, message: None }))
            }
            Decision::Exhausted => {
                let why = "no node serves the right bytes: there is nothing to repair it from";
                self.undone(one, why.to_owned())
            }
            Decision::AwaitProof => Next::awaits(one.before),
            Decision::Later(_) => Next::Nothing,
        }
    }

    fn case(&self, one: &Candidate<'_>, live: &Live, limits: &Limits, was_refused: bool) -> Case {
        let (content, node) = (&one.content.content, one.replica.node);
        let in_need = one.content.assessment.health.is_problem();
        let kind = self.nodes().get(&node).map(|node| node.node.kind());
        if kind != Some(NodeKind::Aleph) {
            let had_it = one.replica.view.verified_at.is_some();
            let has_blocks = makes_blocks(content.id, content.known);
            let case = IpfsCase { has_blocks, had_it, in_need };
            return match kind {
                Some(NodeKind::Pinning) => Case::Pinning(case),
                _ => Case::Kubo(case),
            };
        }
        let key = (node, Engine::of(&content.id));
        let (signed, unsigned) = limits.get(&key).copied().unwrap_or_default();
        Case::Aleph(AlephCase {
            bytes: content.known.size.unwrap_or(0),
            signed,
            unsigned,
            store_here: live.is_here(&content.id, node),
            store_elsewhere: live.is_anywhere(&content.id),
            stores_known: live.is_known(&content.id),
            was_refused,
            in_need,
            can_sign: self.repairer.is_some(),
        })
    }

    /// Of one content: what is cheapest is done; what is dearer waits until that has proved to be of no
    /// use. Of several services, no more are asked than replicas are lacking. Gives whether something is
    /// done, or to be proved.
    fn settle_on(&self, nexts: Vec<Next>, content: &ContentPicture, chosen: &mut Chosen) -> bool {
        let (mut acts, mut awaited, mut has_more) = (Vec::new(), Vec::new(), false);
        for next in nexts {
            match next {
                Next::Act(target) => acts.push(*target),
                Next::Awaits(class) => awaited.push(class),
                Next::Undone(undone) => chosen.undone.push(undone),
                Next::NotNow => has_more = true,
                Next::Nothing => {}
            }
        }
        let awaited = awaited.into_iter().min();
        let Some(cheapest) = acts.iter().map(|target| target.action.class()).min() else {
            return awaited.is_some() || has_more;
        };
        let taken_up = |target: &Target| target.again.is_some();
        acts.retain(|target| taken_up(target) || target.action.class() == cheapest);
        // What is cheaper than all that is awaited need not wait for it.
        if cheapest != Class::Free && awaited.is_some_and(|awaited| awaited <= cheapest) {
            acts.retain(taken_up);
        }
        if cheapest == Class::Service {
            let lacking = self.settings.policy.min.saturating_sub(content.assessment.independent);
            acts.truncate(lacking.max(1) as usize);
        }
        chosen.targets.append(&mut acts);
        true
    }
}

impl Next {
    /// What was sent last is to be proved.
    fn awaits(before: &[Attempt]) -> Self {
        let sent = before.last().and_then(|last| last.action);
        Self::Awaits(sent.map_or(Class::Free, Action::class))
    }
}

/// Whether a node may reject what was sent after it has taken it.
fn is_with_message(action: Action) -> bool {
    matches!(action, Action::UploadWithStore | Action::NewStore)
}

/// Whether there is something to do at a replica, and a way to.
fn is_a_target(node: &Configured, replica: &Replica, is_awake: bool) -> bool {
    let has_way = node.aleph.is_some() || node.kubo.is_some() || node.pinning.is_some();
    let is_silent = replica.view.state == Some(ReplicaState::Unreachable);
    // A service that says that it has it is taken by its word, for as long as that takes to be seen.
    let claims = node.pinning.is_some() && replica.view.state == Some(ReplicaState::Claimed);
    has_way && (can_be_repaired(replica) || (is_awake && is_silent) || claims)
}

/// The contents that aleph nodes are asked about, by node.
fn at_aleph<'a>(
    candidates: impl Iterator<Item = &'a Candidate<'a>>,
) -> HashMap<RowId, Vec<ContentId>> {
    let mut by_node: HashMap<RowId, Vec<ContentId>> = HashMap::new();
    for one in candidates {
        by_node.entry(one.replica.node).or_default().push(one.content.content.id);
    }
    by_node
}
