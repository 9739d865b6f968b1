//! Probes what is due, and reads metadata from bytes that proved right.

use std::time::Duration;

use futures::{StreamExt, stream};

use super::{Watch, WatchError};
use crate::{
    content::{Metadata, MetadataLimits},
    health::ReplicaState,
    ledger::{self, DueProbe, Millis, ProbeRecord},
    nodes::{Seen, probe},
};

/// Nobody else takes a probe that was taken for this long, in milliseconds.
const LEASE: Millis = 20 * 60 * 1000;
/// No retry of a failed probe is further off than this, in milliseconds.
const LONGEST_DOUBT: u64 = 60_000;
/// Probes taken from the ledger, and written back, at once.
const BATCH: u32 = 512;

/// A probe and what it saw.
pub(super) struct Probed {
    pub(super) due: DueProbe,
    pub(super) seen: Seen,
    /// What its bytes refer to, where they are metadata still to be read.
    metadata: Option<Result<Metadata, String>>,
    pub(super) at: Millis,
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
            let next = self.ledger.read().await?.next_doubtful_probe().await?;
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

    async fn verify_until(&self, cutoff: Millis, in_doubt_only: bool) -> Result<u64, WatchError> {
        let mut probes = 0;
        loop {
            if !in_doubt_only {
                let mut tx = self.ledger.write().await?;
                tx.schedule_new(BATCH).await?;
                tx.commit().await?;
            }
            let lease = ledger::now() + LEASE;
            let mut tx = self.ledger.write().await?;
            let due = tx.take_due_probes(cutoff, lease, BATCH, in_doubt_only).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(probes);
            }
            let probed: Vec<_> = stream::iter(due)
                .map(|due| self.probe(due))
                .buffer_unordered(self.settings.concurrency)
                .collect()
                .await;
            probes += probed.len() as u64;
            self.record(&probed).await?;
        }
    }

    /// One probe. A node that is in the ledger but no longer configured can't be asked.
    pub(super) async fn probe(&self, due: DueProbe) -> Probed {
        let limits = MetadataLimits::default();
        let keep = due.parse.then_some(limits.bytes);
        let mut seen = match self.node(due.node).await {
            Some(node) => probe(node.node.as_ref(), &due.id, due.known, keep).await,
            None => Seen::unasked("the node is not configured here"),
        };
        let metadata = due.parse && seen.state == ReplicaState::Verified;
        let metadata = metadata.then(|| parse(&seen));
        // Hundreds of results wait to be written down together; their bytes must not.
        seen.body = None;
        Probed { metadata, ..Probed::new(due, seen) }
    }

    /// Writes down what probes saw. Metadata first: a process that dies between the two leaves
    /// its probes leased, and they are made again.
    pub(super) async fn record(&self, probed: &[Probed]) -> Result<(), WatchError> {
        if probed.iter().any(|one| one.metadata.is_some()) {
            let mut tx = self.ledger.write().await?;
            for one in probed {
                if let Some(metadata) = &one.metadata {
                    tx.record_metadata(one.due.content, metadata, one.at).await?;
                }
            }
            tx.commit().await?;
        }
        // In one order everywhere, so that two workers never wait for each other.
        let mut probed: Vec<_> = probed.iter().collect();
        probed.sort_by_key(|one| (one.due.content, one.due.node));
        let mut tx = self.ledger.write().await?;
        for one in probed {
            tx.record_probe(&one.record(), &self.settings.schedule).await?;
            if one.metadata.is_none() && one.seen.state == ReplicaState::Verified {
                // It may have become a token's metadata while it was fetched.
                tx.reread(one.due.content).await?;
            }
        }
        Ok(tx.commit().await?)
    }
}

impl Probed {
    /// What was seen just now, by other means than a scheduled probe.
    pub(super) fn new(due: DueProbe, seen: Seen) -> Self {
        Self { due, seen, metadata: None, at: ledger::now() }
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
            at: *at,
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
