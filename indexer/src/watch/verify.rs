//! Probes what is due, and reads metadata from bytes that proved right.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{Watch, WatchError, desks::Desks, whereabouts::address_from};
use crate::{
    content::{Metadata, MetadataLimits},
    health::ReplicaState,
    ledger::{self, DueProbe, Millis, ProbeRecord, RowId, Taking},
    nodes::{ContentNode, NodeKind, Seen, probe},
};

/// Nobody else takes a probe that was taken for this long, in milliseconds.
const LEASE: Millis = 20 * 60 * 1000;
/// No retry of a failed probe is further off than this, in milliseconds.
const LONGEST_DOUBT: u64 = 60_000;
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

/// A probe and what it saw.
pub(super) struct Probed {
    pub(super) due: DueProbe,
    pub(super) seen: Seen,
    /// What its bytes refer to, where they are metadata still to be read.
    metadata: Option<Result<Metadata, String>>,
    /// Whether the node gives blocks.
    gives_blocks: bool,
    pub(super) at: Millis,
    /// The address from which its bytes came.
    from: Option<String>,
}

impl Watch {
    /// Probes everything due now; gives the number of probes.
    pub(super) async fn verify_due(&self) -> Result<u64, WatchError> {
        self.verify_until(ledger::now(), false).await
    }

    /// Probes everything due now and waits for the retries of what failed, so that every
    /// verdict is settled; gives the number of probes.
    pub(super) async fn verify_settled(&self) -> Result<u64, WatchError> {
        Ok(self.verify_due().await? + self.settle_doubts().await?)
    }

    /// Waits for the retries of probes that failed, until no verdict is in doubt; gives the
    /// number of probes.
    pub(super) async fn settle_doubts(&self) -> Result<u64, WatchError> {
        let mut probes = 0;
        loop {
            let next = self.ledger.read().await?.next_doubtful_probe(ledger::now()).await?;
            let Some(next) = next else { return Ok(probes) };
            let wait = u64::try_from(next.saturating_sub(ledger::now())).unwrap_or(0);
            if wait > LONGEST_DOUBT {
                // Another process has taken it.
                return Ok(probes);
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
            probes += self.verify_until(ledger::now(), true).await?;
        }
    }

    /// Probes what is due at `cutoff`, until nothing is. While some are under way, others are taken
    /// from the ledger and written back.
    async fn verify_until(&self, cutoff: Millis, in_doubt_only: bool) -> Result<u64, WatchError> {
        let providers = self.review_providers().await?;
        self.desks(|desks| desks.begin(providers));
        self.adopt_new().await?;
        let (mut running, mut seen) = (FuturesUnordered::new(), Vec::new());
        let (mut probes, mut is_dry) = (0, false);
        let (mut written, mut scheduled) = (Instant::now(), None);
        loop {
            if !is_dry && self.desks(|desks| desks.waiting_at_nodes()) < self.settings.concurrency {
                let fill = self.fill_desks(cutoff, in_doubt_only, &mut scheduled);
                is_dry = beside(&mut running, &mut seen, fill).await?;
            }
            while running.len() + self.desks(|desks| desks.spots()) < self.settings.concurrency
                && let Some(due) = self.desks(|desks| desks.next(ledger::now()))
            {
                running.push(self.take_turn(due));
            }
            let is_time = seen.len() >= RECORD || written.elapsed() >= RECORD_AFTER;
            if !seen.is_empty() && (is_time || running.is_empty()) {
                let batch = std::mem::take(&mut seen);
                probes += batch.len() as u64;
                beside(&mut running, &mut seen, self.write_down(&batch)).await?;
                written = Instant::now();
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

    /// Takes what is due to the desks that have room; gives whether nothing is left to be taken.
    async fn fill_desks(
        &self,
        now: Millis,
        in_doubt_only: bool,
        scheduled: &mut Option<Instant>,
    ) -> Result<bool, WatchError> {
        let away = self.desks(|desks| desks.sent_away(ledger::now()));
        self.put_off(away.iter().map(|(due, until)| (due, *until)).collect()).await?;
        let is_known = scheduled.is_some_and(|at| at.elapsed() < SCHEDULE_EVERY);
        if !in_doubt_only && !is_known {
            self.schedule_new().await?;
            *scheduled = Some(Instant::now());
        }
        let nodes = self.nodes();
        let mut room = self.desks(|desks| desks.room(nodes.keys().copied(), ledger::now()));
        let lease = ledger::now() + LEASE;
        let mut tx = self.ledger.write().await?;
        let providers = tx.due_providers(now).await?;
        self.strangers.meet(&providers);
        let providers = providers.iter().map(|(row, _)| *row);
        self.desks(|desks| desks.room_at_providers(&mut room, providers, ledger::now()));
        // A node that is in the ledger and not configured here can't be asked, and is not waited for.
        let taking = Taking { now, lease, limit: BATCH, nodes: &room.nodes, in_doubt_only };
        let taken = tx.take_probes(&taking).await?;
        tx.commit().await?;
        if !taken.probes.is_empty() || taken.is_contended {
            self.desks(|desks| desks.queue(taken.probes, ledger::now()));
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

    /// One probe whose turn it is; its node is asked unless it is known to be silent.
    async fn take_turn(&self, due: DueProbe) -> Probed {
        let node = due.node;
        let probed = match self.desks(|desks| desks.ask(node, ledger::now())) {
            Ok(()) => {
                let probed = self.probe(due).await;
                self.desks(|desks| desks.saw(node, &probed.seen, probed.at));
                probed
            }
            Err(seen) => Probed::new(due, seen),
        };
        self.desks(|desks| desks.done(node));
        probed
    }

    /// Writes down what probes saw; those whose nodes want to be left alone are due later instead.
    async fn write_down(&self, probed: &[Probed]) -> Result<(), WatchError> {
        let (later, said): (Vec<_>, Vec<_>) = probed
            .iter()
            .partition(|one| one.seen.left_alone.is_some() && !self.strangers.puts_off(one));
        self.record(&said).await?;
        self.announce(&said).await?;
        let until = |one: &Probed| {
            let wait = one.seen.left_alone.unwrap_or_default().as_millis();
            one.at.saturating_add(Millis::try_from(wait).unwrap_or(Millis::MAX))
        };
        self.put_off(later.into_iter().map(|one| (&one.due, until(one))).collect()).await
    }

    /// Gives back probes that could not be made: each is due at its time.
    async fn put_off(&self, later: Vec<(&DueProbe, Millis)>) -> Result<(), WatchError> {
        if later.is_empty() {
            return Ok(());
        }
        let mut tx = self.ledger.write().await?;
        for (due, until) in later {
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
        let limits = MetadataLimits::default();
        let keep = due.parse.then_some(limits.bytes);
        let Some(node) = self.source(due.node).await else {
            return Probed::new(due, Seen::unasked("the node is not configured here"));
        };
        // Providers are not spot checked: they are not asked for more than they announced.
        let gives_blocks = node.kind() != NodeKind::Provider && node.blocks().is_some();
        let asked = probe(node.as_ref(), &due.id, due.known, keep);
        let (mut seen, came_from) = everhold_net::witnessed(asked).await;
        let from = address_from(node.url(), &came_from);
        let metadata = due.parse && seen.state == ReplicaState::Verified;
        let metadata = metadata.then(|| parse(&seen));
        // Hundreds of results wait to be written down together; their bytes must not.
        seen.body = None;
        Probed { metadata, from, gives_blocks, ..Probed::new(due, seen) }
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
        let read = probed.iter().filter_map(|one| Some((one.due.content, one.metadata.as_ref()?)));
        // Several nodes gave the same bytes.
        let read: BTreeMap<_, _> = read.collect();
        if !read.is_empty() {
            let mut tx = self.ledger.write().await?;
            tx.record_documents(&read, ledger::now()).await?;
            tx.commit().await?;
        }
        let records: Vec<_> = probed.iter().map(|one| one.record()).collect();
        let mut tx = self.ledger.write().await?;
        tx.record_probes(&records, &self.settings.schedule).await?;
        // Some may have become a token's metadata while they were fetched.
        let unread = probed
            .iter()
            .filter(|one| one.metadata.is_none() && one.seen.state == ReplicaState::Verified);
        let unread: BTreeSet<_> = unread.map(|one| one.due.content).collect();
        tx.reread(&unread.into_iter().collect::<Vec<_>>()).await?;
        tx.commit().await?;
        let right = probed.iter().filter(|one| one.seen.state == ReplicaState::Verified);
        let learned = right.filter(|one| one.due.known.sha256.is_none());
        Ok(self.deny_seen(&learned.filter_map(|one| one.seen.sha256).collect()).await?)
    }
}

impl Probed {
    /// What was seen just now, by other means than a scheduled probe.
    pub(super) fn new(due: DueProbe, seen: Seen) -> Self {
        Self { due, seen, metadata: None, gives_blocks: false, at: ledger::now(), from: None }
    }

    fn record(&self) -> ProbeRecord {
        let Self { due, seen, at, .. } = self;
        ProbeRecord {
            content: due.content,
            node: due.node,
            seen: seen.state,
            held: seen.held,
            bytes: seen.bytes,
            http_status: seen.http_status,
            computed: seen.computed.clone(),
            sha256: seen.sha256,
            detail: seen.detail.clone(),
            address: self.from.clone(),
            gives_blocks: self.gives_blocks,
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
