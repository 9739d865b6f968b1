//! Brings replicas back. What a node answers proves nothing: each step ends with a probe, and
//! only the probe decides whether the next step is needed.

mod steps;
mod stores;

use std::io::Write;

use futures::{StreamExt, stream};
use tempfile::NamedTempFile;
use tracing::warn;

use super::{Watch, WatchError, budget::ticks, verify::Probed};
use crate::{
    content::ContentId,
    health::{Health, ReplicaState, is_believed},
    ledger::{self, DueProbe, Known, Millis, RepairState, Replica, RowId, Standing},
    nodes::{
        self, ContentNode,
        aleph::{Client, Message, Payload},
        probe_into,
    },
    picture::ContentPicture,
};

/// What repairing did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repaired {
    pub(super) tried: u64,
    pub(super) proved: u64,
    pub(super) probes: u64,
}

impl std::ops::Add for Repaired {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            tried: self.tried + other.tried,
            proved: self.proved + other.proved,
            probes: self.probes + other.probes,
        }
    }
}

impl std::ops::AddAssign for Repaired {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Contents looked at together.
const BATCH: u32 = 500;
/// Contents under repair at once: each may be a large file on the disk for the while.
const AT_ONCE: usize = 4;
/// After a failed repair of a replica the next comes after this (milliseconds); doubled each time.
const BACKOFF: Millis = 30_000;
const LONGEST_BACKOFF: Millis = 6 * 60 * 60 * 1000;

/// A replica to be brought back.
struct Target<'a> {
    row: RowId,
    id: ContentId,
    known: Known,
    node: RowId,
    client: &'a Client,
    payload: &'a Payload,
    /// Whether so few have it that a new STORE is worth its bill.
    in_need: bool,
    /// Live STOREs found on other nodes.
    elsewhere: &'a [Message],
}

/// From where a content is repaired.
pub(super) enum Source {
    /// The right bytes, in a file.
    Copy(NamedTempFile),
    /// Nobody now: a node that has it wants to be left alone, or can't be reached.
    Resting,
    /// Nobody.
    None,
}

impl Watch {
    /// Repairs every content that needs it; gives what was done. With `backoff`, replicas whose
    /// repair failed lately are left for later.
    pub(super) async fn repair(&self, backoff: bool) -> Result<Repaired, WatchError> {
        let mut sum = Repaired::default();
        let mut after = RowId::MIN;
        loop {
            let unwell = self.unwell(after).await?;
            let Some(last) = unwell.iter().map(|content| content.content.row).max() else {
                return Ok(sum);
            };
            after = last;
            sum += self.repair_some(unwell, backoff).await?;
        }
    }

    /// The next contents, after `after`, some replica of which is not well.
    async fn unwell(&self, after: RowId) -> Result<Vec<ContentPicture>, WatchError> {
        let mut tx = self.ledger.read().await?;
        let rows = tx.unwell_contents(after, BATCH, ledger::now()).await?;
        let mut replicas = tx.replicas_of_rows(&rows).await?;
        let (policy, now) = (&self.settings.policy, ledger::now());
        let contents = tx.contents_of_rows(&rows).await?.into_values();
        let picture = |known: Standing| {
            let replicas = replicas.remove(&known.content.row).unwrap_or_default();
            ContentPicture::of(known.content, replicas, policy, now)
        };
        Ok(contents.map(picture).collect())
    }

    /// Beyond `min`, too, a node that was told to keep content is given it back, as long as that costs
    /// nothing.
    async fn repair_some(
        &self,
        mut unwell: Vec<ContentPicture>,
        backoff: bool,
    ) -> Result<Repaired, WatchError> {
        unwell.retain(|content| !(backoff && self.is_on_its_way(content)));
        unwell.sort_by_key(|content| {
            (std::cmp::Reverse(content.assessment.health), content.content.row)
        });
        let results: Vec<_> = stream::iter(&unwell)
            .map(|content| self.repair_content(content, backoff))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        results.into_iter().try_fold(Repaired::default(), |sum, one| {
            let one = match one {
                // A full disk is no reason to leave the others alone, or people untold.
                Err(WatchError::Temporary(error)) => {
                    warn!("a repair could not be made: temporary file: {error}");
                    Repaired::default()
                }
                one => one?,
            };
            Ok(sum + one)
        })
    }

    /// Whether content is so young that its nodes may still fetch it by themselves.
    fn is_on_its_way(&self, content: &ContentPicture) -> bool {
        let wait = i64::try_from(self.settings.wait.as_millis()).unwrap_or(i64::MAX);
        let now = ledger::now();
        let is_young = |since| is_believed(since, now) && now < since.saturating_add(wait);
        content.assessment.health == Health::Pending
            && content.content.past.wanted_since.is_none_or(is_young)
    }

    async fn repair_content(
        &self,
        content: &ContentPicture,
        backoff: bool,
    ) -> Result<Repaired, WatchError> {
        let mut done = Repaired::default();
        let id = content.content.id;
        let nodes = self.nodes();
        let mut targets = Vec::new();
        for replica in content.replicas.iter().filter(|replica| can_be_repaired(replica)) {
            let Some(client) = nodes.get(&replica.node).and_then(|node| node.aleph.as_ref()) else {
                continue;
            };
            if !backoff || self.is_time(replica).await? {
                targets.push((replica.node, client));
            }
        }
        if targets.is_empty() {
            return Ok(done);
        }
        let source = self.verified_copy(content).await?;
        let Source::Copy(file) = source else {
            let may_come = matches!(source, Source::Resting);
            if may_come || content.assessment.health == Health::Pending {
                // It is tried again; or was minted before it was stored anywhere: that is what the grace
                // is for.
                return Ok(done);
            }
            for (node, client) in targets {
                let reason = "no node serves the right bytes: there is nothing to repair it from";
                self.give_up(content.content.row, id, node, client, reason).await?;
            }
            return Ok(done);
        };
        let bytes = file.as_file().metadata()?.len();
        let payload = Payload::File { path: file.path().to_owned(), bytes };
        let (elsewhere, complete) = self.live_stores(&id).await;
        for (node, client) in targets {
            let row = content.content.row;
            // While a node can't say which STOREs live, none is signed: there may be one.
            let in_need = content.assessment.health.is_problem() && complete;
            let (payload, elsewhere) = (&payload, &elsewhere[..]);
            let known = content.content.known;
            let target = Target { row, id, known, node, client, payload, in_need, elsewhere };
            done.tried += 1;
            done.proved += u64::from(self.bring_back(&target, &mut done.probes).await?);
        }
        Ok(done)
    }

    /// Whether the backoff after failed repairs of this replica is over.
    async fn is_time(&self, replica: &Replica) -> Result<bool, WatchError> {
        let (mut tx, now) = (self.ledger.read().await?, ledger::now());
        let (failed, last) = tx.failed_repairs(replica.content, replica.node, now).await?;
        let Some(last) = last else { return Ok(true) };
        // It failed while the vault did not have the bytes.
        let kept = tx.vault_object(replica.content).await?.and_then(|one| one.stored_at);
        if kept.is_some_and(|at| at > last && is_believed(at, now)) {
            return Ok(true);
        }
        let doublings = u32::try_from(failed.saturating_sub(1)).unwrap_or(0).min(20);
        let wait = BACKOFF.saturating_mul(1 << doublings).min(LONGEST_BACKOFF);
        Ok(now >= last.saturating_add(wait))
    }

    /// The bytes, from a node whose replica is verified, or else from the vault.
    async fn verified_copy(&self, content: &ContentPicture) -> Result<Source, WatchError> {
        match self.copy_from_nodes(content).await? {
            Source::Copy(file) => Ok(Source::Copy(file)),
            otherwise => self.vault_copy(content, otherwise).await,
        }
    }

    /// The bytes, from a node whose replica is verified, hashed again on their way to the disk.
    /// What turns out to be verified no more is written down.
    pub(super) async fn copy_from_nodes(
        &self,
        content: &ContentPicture,
    ) -> Result<Source, WatchError> {
        let mut none = Source::None;
        let verified =
            content.replicas.iter().filter(|r| r.view.state == Some(ReplicaState::Verified));
        for replica in verified {
            let Some(node) = self.source(replica.node).await else { continue };
            // A node that wants to be left alone, or is silent, is no source now; nothing was seen of it.
            if !self.may_be_asked(replica.node) {
                none = Source::Resting;
                continue;
            }
            let mut file = NamedTempFile::new()?;
            let mut written = Ok(());
            let id = content.content.id;
            let seen = probe_into(node.as_ref(), &id, content.content.known, &mut |chunk| {
                if written.is_ok() {
                    written = file.write_all(chunk);
                }
            })
            .await;
            self.desks(|desks| desks.saw(replica.node, &seen, ticks()));
            if seen.state == ReplicaState::Verified {
                written?;
                file.flush()?;
                return Ok(Source::Copy(file));
            }
            let due = DueProbe {
                content: content.content.row,
                id,
                known: content.content.known,
                node: replica.node,
                parse: false,
            };
            if seen.left_alone.is_some() {
                none = Source::Resting;
            }
            self.write_seen(Probed::new(due, seen)).await?;
        }
        Ok(none)
    }

    /// Whether a node may be asked beside its schedule. If so, that counts as a request.
    pub(super) fn may_be_asked(&self, node: RowId) -> bool {
        self.desks(|desks| {
            let now = ticks();
            !desks.is_resting(node, now) && desks.ask(node, now).is_ok()
        })
    }

    /// Writes down what was seen beside the schedule, unless the node only wanted to be left alone.
    async fn write_seen(&self, probed: Probed) -> Result<(), WatchError> {
        match probed.seen.left_alone {
            Some(_) => Ok(()),
            None => self.record(&[&probed]).await,
        }
    }

    /// Writes down that nothing can be done about a replica, so that it is not said every round.
    async fn give_up(
        &self,
        row: RowId,
        id: ContentId,
        node: RowId,
        client: &Client,
        reason: &str,
    ) -> Result<(), WatchError> {
        warn!("{id}: {} can't be repaired: {reason}", nodes::name(client.url()));
        let mut tx = self.ledger.write().await?;
        let repair = tx.plan_repair(row, node, "none", None, ledger::now()).await?;
        tx.update_repair(repair, RepairState::Failed, Some(reason), ledger::now()).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether there is something to repair at a replica: the node is up, and serves no right bytes.
fn can_be_repaired(replica: &Replica) -> bool {
    match replica.view.state {
        Some(ReplicaState::Missing | ReplicaState::Corrupt) => true,
        // A node that answers, but with errors or cut bodies, may have a broken file.
        Some(ReplicaState::Unreachable) => replica.http_status.is_some(),
        _ => false,
    }
}
