//! Follows paths below content addresses, in URIs and in metadata, to the contents that lie there.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt, stream};
use tracing::debug;

use super::{Watch, WatchError};
use crate::{
    content::{
        Cid, ContentId, Digest, ID_PLACE, MAX_REFERENCE_BYTES, Proof, Reference, substitute_id,
    },
    deny::digest_in,
    health::FAILURES_THAT_COUNT,
    ledger::{self, DENIED, DuePath, Millis, PathOf},
    nodes::PathError,
};

/// Paths that are taken and written down at once.
const PAGE: u32 = 256;
/// Nobody else takes a path that was taken for this long, in milliseconds.
pub(super) const LEASE: Millis = 20 * 60 * 1000;
/// What could not be followed often enough, or leads nowhere, is tried again after this, in
/// milliseconds; twice as long each time, up to [`LONGEST`].
const AGAIN: Millis = 10 * 60 * 1000;
pub(super) const LONGEST: Millis = 24 * 60 * 60 * 1000;
/// No retry that a round waits for is further off than this, in milliseconds.
const LONGEST_DOUBT: u64 = 60_000;

/// Where a path leads.
enum End {
    Content(ContentId),
    /// Why its folder is denied.
    Denied(String),
    /// Why it can't be said, or not yet.
    Failed(PathError),
}

impl Watch {
    /// Follows every path that is due; gives how many led to a content.
    pub(super) async fn follow_paths(&self) -> Result<u64, WatchError> {
        self.follow_due(false).await
    }

    /// The same, and tries again what failed until that counts.
    pub(super) async fn follow_paths_settled(&self) -> Result<u64, WatchError> {
        let mut found = self.follow_due(false).await?;
        loop {
            let next = self.ledger.read().await?.next_doubtful_path().await?;
            let Some(next) = next else { return Ok(found) };
            let wait = u64::try_from(next.saturating_sub(ledger::now())).unwrap_or(0);
            if wait > LONGEST_DOUBT {
                // Another process has taken it.
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
            found += self.follow_due(true).await?;
        }
    }

    async fn follow_due(&self, in_doubt_only: bool) -> Result<u64, WatchError> {
        let (mut found, begun) = (0, ledger::now());
        loop {
            let lease = ledger::now().saturating_add(LEASE);
            let mut tx = self.ledger.write().await?;
            let due = tx.take_due_paths(begun, lease, PAGE, in_doubt_only).await?;
            tx.commit().await?;
            if due.is_empty() {
                return Ok(found);
            }
            let due: Vec<_> = due.into_iter().map(|path| (reference_of(&path), path)).collect();
            let roots: Vec<_> =
                due.iter().filter_map(|(reference, _)| root_of(reference)).collect();
            let denied = self.ledger.read().await?.denied_among(&roots).await?;
            // Paths of one folder one after the other: the first brings it, the others find it there.
            let mut folders: BTreeMap<Option<Cid>, Vec<(DuePath, Reference)>> = BTreeMap::new();
            let mut kept_away = Vec::new();
            for (reference, path) in due {
                match root_of(&reference).and_then(|root| denied.get(&root)) {
                    Some(reason) => kept_away.push((path, End::Denied(reason.clone()))),
                    None => folders.entry(reference.cid).or_default().push((path, reference)),
                }
            }
            let ends: Vec<Vec<_>> = stream::iter(folders.into_values())
                .map(|paths| self.follow_all(paths))
                .buffer_unordered(self.settings.concurrency)
                .collect()
                .await;
            let ends = ends.into_iter().flatten().chain(kept_away).collect();
            found += self.record_ends(ends).await?;
        }
    }

    async fn follow_all(&self, paths: Vec<(DuePath, Reference)>) -> Vec<(DuePath, End)> {
        let mut ends = Vec::with_capacity(paths.len());
        // A folder that nobody gives is not asked for again by each of its files.
        let mut unreachable: Option<PathError> = None;
        for (path, reference) in paths {
            let end = match &unreachable {
                Some(error) => End::Failed(error.clone()),
                None => self.end_of(&path, &reference).await,
            };
            if let End::Failed(error @ PathError::Unreachable(_)) = &end {
                unreachable = Some(error.clone());
            }
            ends.push((path, end));
        }
        ends
    }

    async fn end_of(&self, path: &DuePath, reference: &Reference) -> End {
        let unverifiable = |why: &str| End::Failed(PathError::Unverifiable(why.to_owned()));
        if matches!(path.of, PathOf::Link { .. }) && path.text.contains(ID_PLACE) {
            return unverifiable("{id} in a document is another content for each token");
        }
        let (Proof::PathByHash, Some(root), Some(names)) =
            (reference.proof(), reference.cid, &reference.path)
        else {
            return unverifiable("it is no path below a content address that is checked here");
        };
        let names: Vec<&str> = names.split('/').collect();
        match self.resolver.find(root, &names).await {
            Ok(cid) => match cid.content_id() {
                Some(id) => End::Content(id),
                None => unverifiable("what lies there is named by a hash that is not kept here"),
            },
            Err(error) => End::Failed(error),
        }
    }

    async fn record_ends(&self, ends: Vec<(DuePath, End)>) -> Result<u64, WatchError> {
        let mut found = 0;
        let now = ledger::now();
        let mut tx = self.ledger.write().await?;
        // What leads to a content is written by who writes alone, and that first.
        let (contents, failed): (Vec<_>, Vec<_>) =
            ends.into_iter().partition(|(_, end)| matches!(end, End::Content(_)));
        for (path, end) in &contents {
            if let End::Content(id) = end {
                tx.path_found(path, *id, self.settings.keep_history, now).await?;
                found += 1;
            }
        }
        for (path, end) in &failed {
            let error = match end {
                End::Content(_) => continue,
                End::Failed(error) => error,
                End::Denied(reason) => {
                    let problem = format!("{DENIED}{reason}");
                    tx.path_failed(path, &problem, 0, now.saturating_add(LONGEST)).await?;
                    continue;
                }
            };
            debug!("{}: {error}", path.text);
            let problem = error.to_string();
            let failures = match error {
                PathError::Unverifiable(_) => {
                    tx.path_unverifiable(path, &problem).await?;
                    continue;
                }
                PathError::Nobody => 0,
                PathError::Nothing(_) => path.failures.max(FAILURES_THAT_COUNT) + 1,
                PathError::Unreachable(_) => path.failures.saturating_add(1),
            };
            let again = now.saturating_add(self.pause_after(failures));
            tx.path_failed(path, &problem, failures, again).await?;
        }
        tx.commit().await?;
        Ok(found)
    }

    /// How long after so many failures a path is tried again.
    fn pause_after(&self, failures: u32) -> Millis {
        match failures {
            0 => AGAIN,
            few if few < FAILURES_THAT_COUNT => {
                self.settings.schedule.retry.saturating_mul(1 << (few - 1))
            }
            many => {
                let doublings = (many - FAILURES_THAT_COUNT).min(16);
                AGAIN.saturating_mul(1 << doublings).min(LONGEST)
            }
        }
    }
}

/// The digest of the folder that a path begins at.
fn root_of(reference: &Reference) -> Option<Digest> {
    digest_in(reference.cid.as_ref()?)
}

/// The reference that a path is part of.
fn reference_of(path: &DuePath) -> Reference {
    let id = path.id.map(|id| id.to_be_bytes::<32>());
    match id.map(|id| substitute_id(&path.text, &id, MAX_REFERENCE_BYTES)) {
        None => Reference::parse(&path.text),
        Some(Some(text)) => Reference::parse(&text),
        Some(None) => Reference::unknown(&path.text),
    }
}
