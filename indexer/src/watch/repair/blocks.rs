//! Puts the blocks of a content on own Kubo nodes, in an archive.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{
    act::{NotTaken, Taken},
    admit::Step,
    source::Wanted,
};
use crate::{
    content::{Codec, ContentId, Outline},
    crash,
    ledger::Known,
    nodes::{Kubo, aleph::Payload},
    vault::Blocks,
    watch::{Watch, WatchError},
};

/// The largest file that is one block of IPFS: others take no larger ones from their peers.
const LARGEST_BLOCK: u64 = 1 << 20;

/// What is said of what was imported, while nothing proves it.
const IMPORTED: &str = "the node took the blocks, but serves no right bytes";
const NO_BLOCKS: &str = "it was cut in a way that nobody knows, and nobody gives its blocks";

/// Whether the blocks of a content may be made of its bytes, and are small enough for others.
pub(super) fn makes_blocks(id: ContentId, known: Known) -> bool {
    match id.codec {
        Codec::DagPb => true,
        Codec::Raw => known.size.is_some_and(|size| size <= LARGEST_BLOCK),
    }
}

impl Watch {
    /// Imports the blocks of a content into a Kubo node, which pins them.
    pub(super) async fn import(
        &self,
        step: &Step,
        kubo: &Kubo,
        payload: &Payload,
    ) -> Result<Taken, NotTaken> {
        let Payload::File { path, .. } = payload else { return Err(NotTaken::because(NO_BLOCKS)) };
        let car = self.all_blocks(&step.target.wanted, path).await;
        let car = car.map_err(|error| NotTaken::because(&error.to_string()))?;
        let car = car.ok_or_else(|| NotTaken::because(NO_BLOCKS))?;
        crash::point("repair.before-import");
        let id = &step.target.wanted.id;
        let taken = kubo.import(id, car.path()).await;
        taken.map_err(|error| NotTaken::because(&error.to_string()))?;
        crash::point("repair.imported");
        Ok(Taken::now(IMPORTED))
    }

    /// All blocks of a content in an archive: made of its bytes, from the vault, or from somebody who gives
    /// blocks.
    async fn all_blocks(
        &self,
        wanted: &Wanted,
        file: &Path,
    ) -> Result<Option<NamedTempFile>, WatchError> {
        let (id, path) = (wanted.id, file.to_owned());
        let made = tokio::task::spawn_blocking(move || made_of(id, path)).await;
        if let Some(car) = made.map_err(io::Error::other)?? {
            return Ok(Some(car));
        }
        if let Some(car) = self.tended.keeper.vault.copy_archive(&id).await? {
            return Ok(Some(car));
        }
        match self.blocks_from_nodes(wanted, self.settings.max_size).await? {
            Blocks::Car(car) => Ok(Some(car)),
            Blocks::NotNow | Blocks::TooLarge | Blocks::None => Ok(None),
        }
    }
}

/// The archive of a file that was cut in a known way.
fn made_of(id: ContentId, path: PathBuf) -> io::Result<Option<NamedTempFile>> {
    let Some(outline) = Outline::of(id, BufReader::new(File::open(&path)?))? else {
        return Ok(None);
    };
    let car = NamedTempFile::new()?;
    let mut to = BufWriter::new(car.as_file());
    io::copy(&mut outline.archive(BufReader::new(File::open(&path)?)), &mut to)?;
    to.flush()?;
    drop(to);
    Ok(Some(car))
}
