//! From where a content is repaired.

use tempfile::NamedTempFile;

use crate::{
    content::ContentId,
    health::ReplicaState,
    ledger::{Content, DueProbe, Known, Replica, RowId},
    nodes::probe_to_file,
    picture::ContentPicture,
    vault::{Blocks, blocks_from},
    watch::{Watch, WatchError, budget::ticks, verify::Probed},
};

/// A content whose bytes are wanted.
#[derive(Clone, Debug)]
pub(in crate::watch) struct Wanted {
    pub(in crate::watch) row: RowId,
    pub(in crate::watch) id: ContentId,
    pub(in crate::watch) known: Known,
    /// Nodes whose replica is verified.
    pub(in crate::watch) sources: Vec<RowId>,
}

impl From<&ContentPicture> for Wanted {
    fn from(picture: &ContentPicture) -> Self {
        let verified = |replica: &&Replica| replica.view.state == Some(ReplicaState::Verified);
        let sources = picture.replicas.iter().filter(verified).map(|replica| replica.node);
        let Content { row, id, known, .. } = picture.content;
        Self { row, id, known, sources: sources.collect() }
    }
}

/// From where its bytes come.
pub(in crate::watch) enum Source {
    /// The right bytes, in a file.
    Copy(NamedTempFile),
    /// Nobody now: a node that has it wants to be left alone, or can't be reached.
    Resting,
    /// Nobody.
    None,
}

impl Watch {
    /// The bytes, from a node whose replica is verified, or else from the vault.
    pub(super) async fn verified_copy(&self, wanted: &Wanted) -> Result<Source, WatchError> {
        match self.copy_from_nodes(wanted).await? {
            Source::Copy(file) => Ok(Source::Copy(file)),
            otherwise => self.vault_copy(wanted, otherwise).await,
        }
    }

    /// The bytes, from a node whose replica is verified, hashed again on their way to the disk.
    /// What turns out to be verified no more is written down.
    pub(in crate::watch) async fn copy_from_nodes(
        &self,
        wanted: &Wanted,
    ) -> Result<Source, WatchError> {
        let mut none = Source::None;
        for node in &wanted.sources {
            match self.copy_of(wanted, *node).await? {
                Source::None => {}
                Source::Resting => none = Source::Resting,
                copy => return Ok(copy),
            }
        }
        Ok(none)
    }

    async fn copy_of(&self, wanted: &Wanted, row: RowId) -> Result<Source, WatchError> {
        let Some(node) = self.source(row).await else { return Ok(Source::None) };
        // A node that wants to be left alone, or is silent, is no source now; nothing was seen of it.
        if !self.may_be_asked(row) {
            return Ok(Source::Resting);
        }
        let (seen, file) = probe_to_file(node.as_ref(), &wanted.id, wanted.known).await?;
        self.desks(|desks| desks.saw(row, &seen, ticks()));
        if seen.state == ReplicaState::Verified {
            return Ok(Source::Copy(file));
        }
        let (id, known) = (wanted.id, wanted.known);
        let due = DueProbe { content: wanted.row, id, known, node: row, parse: false };
        let rests = seen.left_alone.is_some();
        self.write_seen(Probed::new(due, seen)).await?;
        Ok(if rests { Source::Resting } else { Source::None })
    }

    /// All blocks of a content in an archive of at most so many bytes, from a node that has it and gives
    /// blocks; else the best that any said.
    pub(in crate::watch) async fn blocks_from_nodes(
        &self,
        wanted: &Wanted,
        most: u64,
    ) -> Result<Blocks, WatchError> {
        let mut none = Blocks::None;
        for row in &wanted.sources {
            let Some(node) = self.source(*row).await else { continue };
            let Some(blocks) = node.blocks() else { continue };
            let given = match self.may_be_asked(*row) {
                true => blocks_from(blocks, &wanted.id, most).await?,
                false => Blocks::NotNow,
            };
            match (given, &none) {
                (Blocks::Car(car), _) => return Ok(Blocks::Car(car)),
                // Whoever may give them another time may have fewer bytes of them.
                (Blocks::None, _) | (_, Blocks::NotNow) => {}
                (given, _) => none = given,
            }
        }
        Ok(none)
    }

    /// Whether a node may be asked beside its schedule. If so, that counts as a request.
    pub(in crate::watch) fn may_be_asked(&self, node: RowId) -> bool {
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
