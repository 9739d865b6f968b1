//! Probes what is due, and reads metadata from bytes that proved right.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{Watch, WatchError, budget::ticks, desks::Desks, whereabouts::addresses_from};
use crate::{
    content::{Digest, Metadata, MetadataLimits},
    crash,
    health::ReplicaState,
    ledger::{self, Document, DueProbe, Millis, ProbeRecord, RowId, Taking},
    nodes::{ContentNode, NodeKind, Seen, probe},
};

/// Nobody else takes a probe that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 20 * 60 * 1000;
/// So long the retries of failed probes are waited for altogether: none of ours is further off, but
/// nodes may want to be left alone for as long, and as often, as they like.
pub(super) const LONGEST_DOUBT: Duration = Duration::from_secs(60);
/// Probes taken from the ledger at once.
const BATCH: u32 = 1024;
/// Probes written back at once, if they come so fast.
const RECORD: usize = 256;
/// No probe waits longer to be written down.
pub(super) const RECORD_AFTER: Duration = Duration::from_millis(200);
/// Between looks at desks where all wait.
pub(super) const LOOK: Duration = Duration::from_millis(20);
/// New contents get their probes at least so often.
const SCHEDULE_EVERY: Duration = Duration::from_millis(500);

/// Who came and who went is looked at least so often, however long a round lasts.
const REVIEW_EVERY: Duration = Duration::from_secs(10);
/// More is taken at least so often, though many wait: they may all wait for one node.
const TAKE_EVERY: Duration = Duration::from_millis(500);

/// Which probes a round is about.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// What is due by then; `None`: whatever falls due while others are under way, too.
    cutoff: Option<Millis>,
    in_doubt_only: bool,
}

impl Round {
    fn due_by(self) -> Millis {
        self.cutoff.unwrap_or_else(ledger::now)
    }
}

/// When a round did what it does every so often.
struct Paces {
    written: Instant,
    taken: Instant,
    reviewed: Instant,
    /// New contents have their probes since then.
    scheduled: Option<Instant>,
}

impl Paces {
    fn begin() -> Self {
        let now = Instant::now();
        Self { written: now, taken: now, reviewed: now, scheduled: None }
    }
}

/// A probe and what it saw.
pub(super) struct Probed {
    pub(super) due: DueProbe,
    pub(super) seen: Seen,
    /// What its bytes refer to, where they are metadata still to be read.
    metadata: Option<Result<Metadata, String>>,
    /// Whether the node gives blocks.
    gives_blocks: bool,
    /// When it began.
    began: Millis,
    pub(super) at: Millis,
    /// The addresses from which its bytes came.
    from: BTreeSet<String>,
}

impl Watch {
    /// Probes everything due now; gives the number of probes.
    pub(super) async fn verify_due(&self) -> Result<u64, WatchError> {
        self.verify_round(Round { cutoff: Some(ledger::now()), in_doubt_only: false }).await
    }

    /// Probes everything due now, and what falls due before all of it is done: a node that is slow for
    /// hours keeps no other waiting.
    pub(super) async fn verify_ever(&self) -> Result<u64, WatchError> {
        self.verify_round(Round { cutoff: None, in_doubt_only: false }).await
    }

    /// Probes everything due now and waits for the retries of what failed, so that every
    /// verdict is settled; gives the number of probes.
    pub(super) async fn verify_settled(&self) -> Result<u64, WatchError> {
        Ok(self.verify_due().await? + self.settle_doubts().await?)
    }

    /// Waits for the retries of probes that failed, until no verdict is in doubt that can be settled
    /// soon; gives the number of probes.
    pub(super) async fn settle_doubts(&self) -> Result<u64, WatchError> {
        self.settle_doubts_within(LONGEST_DOUBT).await
    }

    /// As [`Watch::settle_doubts`], with another patience; repairs are proved or disproved by it, too.
    pub(super) async fn settle_doubts_within(
        &self,
        mut patience: Duration,
    ) -> Result<u64, WatchError> {
        let mut probes = 0;
        while let Some(wait) = self.next_doubt().await? {
            // Another process may have taken what was due: a round without a probe has cost something, too.
            let Some(left) = patience.checked_sub(wait.max(LOOK)) else { break };
            patience = left;
            tokio::time::sleep(wait).await;
            let round = Round { cutoff: Some(ledger::now()), in_doubt_only: true };
            probes += self.verify_round(round).await?;
        }
        Ok(probes)
    }

    /// How long until a probe can be made of a replica whose verdict is in doubt. Nodes that are not
    /// configured here can't be asked at all, and those that want to be left alone not before that is over.
    async fn next_doubt(&self) -> Result<Option<Duration>, WatchError> {
        let doubts = self.ledger.read().await?.next_doubtful_probes(ledger::now()).await?;
        let (nodes, now) = (self.nodes(), ledger::now());
        let can_be_asked =
            |row: RowId| nodes.contains_key(&row) || self.strangers.node(row).is_some();
        let doubts = doubts.into_iter().filter(|(node, _)| can_be_asked(*node));
        let waits = doubts.map(|(node, due)| {
            let due = u64::try_from(due.saturating_sub(now)).unwrap_or(0);
            Duration::from_millis(due).max(self.desks(|desks| desks.rest(node, ticks())))
        });
        Ok(waits.min())
    }

    /// Probes what is due, until nothing is. While some are under way, others are taken from the
    /// ledger and written back.
    async fn verify_round(&self, round: Round) -> Result<u64, WatchError> {
        self.desks(Desks::begin);
        self.review().await?;
        let (mut running, mut seen) = (FuturesUnordered::new(), Vec::new());
        let (mut probes, mut is_dry, mut paces) = (0, false, Paces::begin());
        loop {
            if round.cutoff.is_none() && paces.reviewed.elapsed() >= REVIEW_EVERY {
                beside(&mut running, &mut seen, self.review()).await?;
                paces.reviewed = Instant::now();
            }
            if self.is_time_to_take(round, &paces, is_dry) {
                let fill = self.fill_desks(round, &mut paces.scheduled);
                is_dry = beside(&mut running, &mut seen, fill).await?;
                paces.taken = Instant::now();
            }
            while let Some(due) = self.next_turn(running.len()) {
                running.push(self.take_turn(due));
            }
            let is_time = seen.len() >= RECORD || paces.written.elapsed() >= RECORD_AFTER;
            if !seen.is_empty() && (is_time || running.is_empty()) {
                let mut batch = std::mem::take(&mut seen);
                probes += batch.len() as u64;
                beside(&mut running, &mut seen, self.write_down(&mut batch)).await?;
                paces.written = Instant::now();
                // What was read may refer to more.
                is_dry = false;
            } else if running.is_empty() && is_dry && self.desks(|desks| desks.waiting()) == 0 {
                return Ok(probes);
            } else {
                tokio::select! {
                    Some(one) = running.next() => seen.push(one),
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Learns which nodes and providers are in use now: another process may have found some. What is
    /// under way goes on.
    async fn review(&self) -> Result<(), WatchError> {
        let providers = self.review_providers().await?;
        self.desks(|desks| desks.set_providers(providers));
        Ok(self.adopt_new().await?)
    }

    fn is_time_to_take(&self, round: Round, paces: &Paces, is_dry: bool) -> bool {
        let since = paces.taken.elapsed();
        if is_dry {
            // In a round without a cutoff more may have fallen due.
            return round.cutoff.is_none() && since >= self.settings.poll.max(TAKE_EVERY);
        }
        since >= TAKE_EVERY
            || self.desks(|desks| desks.waiting_at_nodes()) < self.settings.concurrency
    }

    fn next_turn(&self, running: usize) -> Option<DueProbe> {
        self.desks(|desks| {
            let has_place = running + desks.spots() < self.settings.concurrency;
            desks.next(has_place, ticks())
        })
    }

    /// Takes what is due to the desks that have room; gives whether nothing is left to be taken.
    async fn fill_desks(
        &self,
        round: Round,
        scheduled: &mut Option<Instant>,
    ) -> Result<bool, WatchError> {
        let (now, in_doubt_only) = (round.due_by(), round.in_doubt_only);
        let away = self.desks(|desks| desks.sent_away(ticks()));
        self.put_off(away.iter().map(|(due, rest)| (due, *rest)).collect()).await?;
        let is_known = scheduled.is_some_and(|at| at.elapsed() < SCHEDULE_EVERY);
        if !in_doubt_only && !is_known {
            self.schedule_new().await?;
            *scheduled = Some(Instant::now());
        }
        let nodes = self.nodes();
        let mut room = self.desks(|desks| desks.room(nodes.keys().copied(), ticks()));
        let lease = ledger::now() + LEASE;
        let mut tx = self.ledger.write().await?;
        let providers = tx.due_providers(now).await?;
        self.strangers.meet(&providers);
        let providers = providers.iter().map(|(row, _)| *row);
        self.desks(|desks| desks.room_at_providers(&mut room, providers, ticks()));
        // A node that is in the ledger and not configured here can't be asked, and is not waited for.
        let taking = Taking { now, lease, limit: BATCH, nodes: &room.nodes, in_doubt_only };
        let taken = tx.take_probes(&taking).await?;
        tx.commit().await?;
        if !taken.probes.is_empty() || taken.is_contended {
            self.desks(|desks| desks.queue(taken.probes, ticks()));
            return Ok(false);
        }
        if in_doubt_only || !is_known {
            return Ok(!room.is_limited);
        }
        *scheduled = None;
        Ok(false)
    }

    async fn schedule_new(&self) -> Result<(), WatchError> {
        let mut tx = self.ledger.write().await?;
        tx.schedule_new(BATCH).await?;
        Ok(tx.commit().await?)
    }

    /// One probe whose turn it is.
    async fn take_turn(&self, due: DueProbe) -> Probed {
        let (node, content) = (due.node, due.content);
        let probed = self.ask_at_desk(due).await;
        self.desks(|desks| desks.done(node, content));
        probed
    }

    /// One probe; its node is asked unless it is known to be silent, and what that costs is charged.
    pub(super) async fn ask_at_desk(&self, due: DueProbe) -> Probed {
        let node = due.node;
        match self.desks(|desks| desks.ask(node, ticks())) {
            Ok(()) => {
                let probed = self.probe(due).await;
                self.desks(|desks| desks.saw(node, &probed.seen, ticks()));
                probed
            }
            Err(seen) => Probed::new(due, seen),
        }
    }

    /// Writes down what probes saw; those whose nodes want to be left alone are due later instead,
    /// unless they said so too often.
    async fn write_down(&self, probed: &mut [Probed]) -> Result<(), WatchError> {
        self.judge_refusals(probed);
        let (later, said): (Vec<_>, Vec<_>) = probed
            .iter()
            .partition(|one| one.seen.left_alone.is_some() && !self.strangers.puts_off(one));
        self.record(&said).await?;
        self.announce(&said).await?;
        // Where we ourselves had no turn for it, nobody refused anything.
        let refused = later.iter().filter(|one| one.seen.http_status == Some(429));
        let refused: Vec<RowId> = refused.map(|one| one.due.content).collect();
        if !refused.is_empty() {
            let mut tx = self.ledger.write().await?;
            tx.note_refusals(&refused, ledger::now()).await?;
            tx.commit().await?;
        }
        let rest = |one: &Probed| one.seen.left_alone.unwrap_or_default();
        self.put_off(later.into_iter().map(|one| (&one.due, rest(one))).collect()).await
    }

    pub(super) fn judge_refusals(&self, probed: &mut [Probed]) {
        // Whoever panicked left whole numbers.
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        for one in probed {
            refusals.judge((one.due.content, one.due.node), &mut one.seen);
        }
    }

    /// Gives back probes that could not be made: each is due after a while.
    async fn put_off(&self, later: Vec<(&DueProbe, Duration)>) -> Result<(), WatchError> {
        if later.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        for (due, rest) in later {
            let rest = Millis::try_from(rest.as_millis()).unwrap_or(Millis::MAX);
            let until = ledger::now().saturating_add(rest);
            tx.postpone(due.content, due.node, until).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(super) fn desks<T>(&self, use_them: impl FnOnce(&mut Desks) -> T) -> T {
        // Whoever panicked left whole numbers.
        use_them(&mut self.desks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One probe. A node that is in the ledger but no longer configured can't be asked.
    pub(super) async fn probe(&self, due: DueProbe) -> Probed {
        let began = ledger::now();
        let limits = MetadataLimits::default();
        let keep = due.parse.then_some(limits.bytes);
        let Some(node) = self.source(due.node).await else {
            return Probed::new(due, Seen::unasked("the node is not configured here"));
        };
        // Providers are not spot checked: they are not asked for more than they announced.
        let gives_blocks = node.kind() != NodeKind::Provider && node.blocks().is_some();
        let asked = probe(node.as_ref(), &due.id, due.known, keep);
        let (mut seen, came_from) = everhold_net::witnessed(asked).await;
        let from = addresses_from(node.url(), node.kind(), &came_from);
        let metadata = due.parse && seen.state == ReplicaState::Verified;
        let metadata = metadata.then(|| parse(&seen));
        // Hundreds of results wait to be written down together; their bytes must not.
        seen.body = None;
        Probed { metadata, from, gives_blocks, began, ..Probed::new(due, seen) }
    }

    /// A node from which content is fetched that it was seen to have.
    pub(super) async fn source(&self, row: RowId) -> Option<Arc<dyn ContentNode>> {
        match self.strangers.node(row) {
            Some(provider) => Some(Arc::new(provider)),
            None => self.node(row).await.map(|node| node.node.clone()),
        }
    }

    /// Writes down what probes saw. Metadata first: a process that dies between the two leaves
    /// its probes leased, and they are made again.
    pub(super) async fn record(&self, probed: &[&Probed]) -> Result<(), WatchError> {
        let read = probed.iter().filter_map(|one| {
            let document = Document { sha256: one.seen.sha256, read: one.metadata.as_ref()? };
            Some((one.due.content, document))
        });
        // Several nodes gave the same bytes.
        let read: BTreeMap<_, _> = read.collect();
        if !read.is_empty() {
            let mut tx = self.ledger.write().await?;
            tx.record_documents(&read, ledger::now()).await?;
            tx.commit().await?;
        }
        let records = probed.iter().map(|one| one.record()).collect();
        // Some may have become a token's metadata while they were fetched.
        let unread = probed
            .iter()
            .filter(|one| one.metadata.is_none() && one.seen.state == ReplicaState::Verified);
        let unread: BTreeSet<_> = unread.map(|one| one.due.content).collect();
        let right = probed.iter().filter(|one| one.seen.state == ReplicaState::Verified);
        let learned = right.filter(|one| one.due.known.sha256.is_none());
        let learned: BTreeSet<_> = learned.filter_map(|one| one.seen.sha256).collect();
        let (unread, learned) = (unread.into_iter().collect(), learned.into_iter().collect());
        let results = Results { records, unread, learned };
        if !self.write_results(&results, Beside::Others).await? {
            self.write_results(&results, Beside::Nobody).await?;
        }
        Ok(())
    }

    /// Writes down all that follows from probes, or nothing: gives `false`, where bytes that were seen for
    /// the first time are denied. What the list takes back is written by nobody else meanwhile, and a
    /// transaction that began beside others can't wait for them without harm.
    async fn write_results(&self, results: &Results, beside: Beside) -> Result<bool, WatchError> {
        let mut tx = self.ledger.write().await?;
        if beside == Beside::Nobody {
            tx.alone().await?;
        }
        tx.record_probes(&results.records, &self.settings.schedule).await?;
        tx.reread(&results.unread).await?;
        // Whoever denies some of them at this moment has done so, or waits and will find their sha-256.
        let learned = &results.learned;
        let denied = !learned.is_empty() && !tx.denied_among(learned).await?.is_empty();
        match (denied, beside) {
            (true, Beside::Others) => return Ok(false),
            (true, Beside::Nobody) => self.deny_seen(&mut tx).await?,
            (false, _) => {}
        }
        crash::point("probe.before-record");
        tx.commit().await?;
        crash::point("probe.recorded");
        Ok(true)
    }
}

/// What probes saw, as it is written down.
struct Results {
    records: Vec<ProbeRecord>,
    /// Contents whose metadata may be still to be read.
    unread: Vec<RowId>,
    /// Plain sha-256 of contents of which none was known.
    learned: Vec<Digest>,
}

/// Who else may write at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Others,
    Nobody,
}

impl Probed {
    /// What was seen just now, by other means than a scheduled probe.
    pub(super) fn new(due: DueProbe, seen: Seen) -> Self {
        let now = ledger::now();
        Self {
            due,
            seen,
            metadata: None,
            gives_blocks: false,
            began: now,
            at: now,
            from: BTreeSet::new(),
        }
    }

    fn record(&self) -> ProbeRecord {
        let Self { due, seen, began, at, .. } = self;
        ProbeRecord {
            content: due.content,
            node: due.node,
            seen: seen.state,
            held: seen.held,
            is_untold: seen.is_untold,
            bytes: seen.bytes,
            http_status: seen.http_status,
            computed: seen.computed.clone(),
            sha256: seen.sha256,
            detail: seen.detail.clone(),
            addresses: self.from.clone(),
            gives_blocks: self.gives_blocks,
            began: *began,
            at: *at,
        }
    }
}

/// Does some work while probes go on; those that end meanwhile are put to what was seen.
pub(super) async fn beside<P, T>(
    running: &mut FuturesUnordered<impl Future<Output = P>>,
    seen: &mut Vec<P>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(one) = running.next() => seen.push(one),
        }
    }
}

fn parse(seen: &Seen) -> Result<Metadata, String> {
    let limits = MetadataLimits::default();
    match &seen.body {
        Some(bytes) => Metadata::parse(bytes, &limits).map_err(|error| error.to_string()),
        None => Err(format!("it is larger than {} bytes", limits.bytes)),
    }
}
