//! From where a content is repaired.

use std::io::Write;

use tempfile::NamedTempFile;

use super::cases::Target;
use crate::{
    health::ReplicaState,
    ledger::{DueProbe, RowId},
    nodes::probe_into,
    watch::{Watch, WatchError, budget::ticks, verify::Probed},
};

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
    /// The bytes, from a node whose replica is verified, hashed again on their way to the disk.
    /// What turns out to be verified no more is written down.
    pub(super) async fn verified_copy(&self, target: &Target) -> Result<Source, WatchError> {
        let mut none = Source::None;
        for node in &target.sources {
            match self.copy_of(target, *node).await? {
                Source::None => {}
                Source::Resting => none = Source::Resting,
                copy => return Ok(copy),
            }
        }
        Ok(none)
    }

    async fn copy_of(&self, target: &Target, row: RowId) -> Result<Source, WatchError> {
        let Some(node) = self.source(row).await else { return Ok(Source::None) };
        // A node that wants to be left alone, or is silent, is no source now; nothing was seen of it.
        if !self.may_be_asked(row) {
            return Ok(Source::Resting);
        }
        let mut file = NamedTempFile::new()?;
        let mut written = Ok(());
        let seen = probe_into(node.as_ref(), &target.id, target.known, &mut |chunk| {
            if written.is_ok() {
                written = file.write_all(chunk);
            }
        })
        .await;
        self.desks(|desks| desks.saw(row, &seen, ticks()));
        if seen.state == ReplicaState::Verified {
            written?;
            file.flush()?;
            return Ok(Source::Copy(file));
        }
        let (id, known) = (target.id, target.known);
        let due = DueProbe { content: target.row, id, known, node: row, parse: false };
        let rests = seen.left_alone.is_some();
        self.write_seen(Probed::new(due, seen)).await?;
        Ok(if rests { Source::Resting } else { Source::None })
    }

    /// Whether a node may be asked beside its schedule. If so, that counts as a request.
    fn may_be_asked(&self, node: RowId) -> bool {
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
}
