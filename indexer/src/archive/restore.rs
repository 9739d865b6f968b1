//! Content that the ledger knows, out of an archive into the vault.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::{Index, WrongBlock, listing::said};
use crate::{
    aside::io_aside,
    content::{Cid, Codec, ContentId, DagError, DagLimits, Found, Outline, RecentBlocks, Walk},
    health::Policy,
    ledger::{self, Content, Ledger, LedgerError, RowId},
    picture::ContentPicture,
    vault::{CarFile, Form, KeepError, Keeper, Unproved},
};

/// Contents read from the ledger at once.
const BATCH: u32 = 1000;
/// What was taken out of an archive.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Restored {
    /// The archive.
    pub file: PathBuf,
    /// Its blocks that are right.
    pub blocks: u64,
    /// Contents that are in the vault by this.
    pub restored: Vec<String>,
    /// Contents that were there already.
    pub present: Vec<String>,
    /// Contents that the ledger knows, or that the archive says it has, and that are not whole in it, or
    /// can't be kept.
    pub incomplete: Vec<Incomplete>,
    /// Contents that the archive says it has, and that nothing in the ledger names now.
    pub unknown: u64,
    /// Its right blocks that are no part of anything that the ledger knows.
    pub unnamed_blocks: u64,
    /// Blocks that are not what they are called: none of them was used. The first thousand.
    pub wrong: Vec<WrongBlock>,
    /// How many these are.
    pub wrong_blocks: u64,
    /// Blocks that nothing can prove, since their hash function is not known here: none of them was used.
    pub unprovable_blocks: u64,
    /// Why it was read no further, if so; what came whole before was used.
    pub broken: Option<String>,
}

/// A content that an archive does not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incomplete {
    /// Its name, as aleph nodes take it.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Why nothing can be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The vault.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The archive can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// It.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is none.
    #[error("{}: {reason}", path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// What it is not.
        reason: String,
    },
}

impl Restored {
    /// Whether all that it should give was right and whole.
    pub fn is_whole(&self) -> bool {
        self.incomplete.is_empty() && self.wrong_blocks == 0 && self.broken.is_none()
    }
}

/// Puts into the vault whatever an archive has whole of what is wanted.
///
/// # Errors
/// [`RestoreError`]. What came into the vault before stays there.
pub async fn restore(
    ledger: &Ledger,
    policy: &Policy,
    keeper: &Keeper,
    path: &Path,
) -> Result<Restored, RestoreError> {
    let failed = |source| RestoreError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    keeper.is_there().await?;
    let index = io_aside(move || Index::of(file)).await.map_err(failed)?;
    if let (true, Some(reason)) = (index.roots.is_empty() && index.is_empty(), &index.broken) {
        return Err(RestoreError::NoArchive { path: path.to_owned(), reason: reason.clone() });
    }
    let mut restored = Restored { file: path.to_owned(), ..Restored::default() };
    let archive = Archive { index: Arc::new(Mutex::new(index)) };
    let listing = archive.clone();
    let mut said = io_aside(move || said(&mut listing.lock())).await.map_err(failed)?;
    let mut after = RowId::MIN;
    loop {
        let wanted = ledger.read().await?.wanted_after(after, BATCH).await?;
        let Some(last) = wanted.last() else { break };
        after = last.row;
        for content in &wanted {
            let is_said = said.remove(&content.id);
            if is_said || archive.has(&content.id) {
                let mut restoring = Restoring { ledger, policy, keeper, archive: &archive };
                match restoring.one(content).await? {
                    One::Restored => restored.restored.push(content.id.to_string()),
                    One::Present => restored.present.push(content.id.to_string()),
                    One::Not(reason) => {
                        restored.incomplete.push(Incomplete { id: content.id.to_string(), reason });
                    }
                }
            }
        }
    }
    restored.unknown = said.len() as u64;
    let index = archive.lock();
    restored.blocks = index.len();
    restored.unnamed_blocks = index.unused();
    restored.wrong.clone_from(&index.wrong);
    restored.wrong_blocks = index.wrong_count;
    restored.unprovable_blocks = index.unprovable;
    restored.broken.clone_from(&index.broken);
    drop(index);
    Ok(restored)
}

/// What became of a content.
enum One {
    Restored,
    Present,
    Not(String),
}

/// An archive that was read, shared with the thread that takes it apart.
#[derive(Clone)]
struct Archive {
    index: Arc<Mutex<Index>>,
}

impl Archive {
    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        // Who panicked left offsets and counts.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, id: &ContentId) -> bool {
        self.lock().size_of(&Cid::from(*id)).is_some()
    }
}

struct Restoring<'a> {
    ledger: &'a Ledger,
    policy: &'a Policy,
    keeper: &'a Keeper,
    archive: &'a Archive,
}

impl Restoring<'_> {
    async fn one(&mut self, content: &Content) -> Result<One, RestoreError> {
        let (id, archive, most) = (content.id, self.archive.clone(), self.keeper.vault.max_object);
        // Also of what is there already, so that its blocks count as named.
        let taken = io_aside(move || take(&mut archive.lock(), &id, most)).await;
        let taken = taken.map_err(|error| KeepError::Vault(error.into()))?;
        if self.is_there(content).await? {
            return Ok(One::Present);
        }
        let (form, file) = match taken {
            Ok(taken) => taken,
            Err(reason) => return Ok(One::Not(reason)),
        };
        let mut tx = self.ledger.read().await?;
        let now = ledger::now();
        let pictures = ContentPicture::of_rows(&mut tx, &[content.row], self.policy, now).await?;
        drop(tx);
        let independent = pictures.first().map_or(0, |one| one.assessment.independent);
        let key = (content.row, &id);
        match self.keeper.keep(key, form, file.path(), independent).await? {
            true => Ok(One::Restored),
            false => Ok(One::Not(format!(
                "the vault {} is full of what no more nodes have: raise [vault] max_bytes",
                self.keeper.vault.name()
            ))),
        }
    }

    /// Whether the vault has it, and right.
    async fn is_there(&self, content: &Content) -> Result<bool, RestoreError> {
        let vault = &self.keeper.vault;
        let Some(object) = self.ledger.read().await?.vault_object(content.row).await? else {
            return Ok(false);
        };
        match vault.prove(&content.id, object.form, content.known, &mut |_| {}).await {
            Ok(_) => Ok(true),
            Err(Unproved::Missing | Unproved::Wrong(_)) => Ok(false),
            Err(Unproved::Failed(error)) => Err(KeepError::from(error).into()),
        }
    }
}

/// A content as it can be kept, proved, or why it can't be had.
type Taken = Result<(Form, NamedTempFile), String>;

fn take(index: &mut Index, id: &ContentId, most: u64) -> io::Result<Taken> {
    match id.codec {
        Codec::Raw => take_raw(index, id, most),
        Codec::DagPb => take_dag(index, id, most),
    }
}

fn lacks(cid: &Cid) -> String {
    format!("block {cid} is not in the archive")
}

fn is_too_large(most: u64) -> String {
    format!("it is larger than [vault] max_object = {most}")
}

/// One block is the whole file, however large.
fn take_raw(index: &mut Index, id: &ContentId, most: u64) -> io::Result<Taken> {
    let cid = Cid::from(*id);
    match index.size_of(&cid) {
        None => return Ok(Err(lacks(&cid))),
        Some(size) if size > most => return Ok(Err(is_too_large(most))),
        Some(_) => {}
    }
    let Some(mut block) = index.reader(&cid)? else { return Ok(Err(lacks(&cid))) };
    let mut file = NamedTempFile::new()?;
    io::copy(&mut block, &mut file)?;
    drop(block);
    // The file may have changed since it was read first.
    match Outline::of(*id, File::open(file.path())?)? {
        Some(_) => Ok(Ok((Form::File, file))),
        None => Ok(Err(format!("block {cid} is another by now: the archive was changed"))),
    }
}

fn take_dag(index: &mut Index, id: &ContentId, most: u64) -> io::Result<Taken> {
    let mut file = BufWriter::new(NamedTempFile::new()?);
    if let Err(reason) = walk(index, id, most, |_, data| file.write_all(data).map(|()| true))? {
        return Ok(Err(reason));
    }
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    if Outline::of(*id, File::open(file.path())?)?.is_some() {
        return Ok(Ok((Form::File, file)));
    }
    drop(file);
    let mut car = CarFile::new(id, most)?;
    let walked = walk(index, id, most, |block, _| match block {
        Some((cid, block)) => car.add(cid, block),
        None => Ok(true),
    })?;
    match walked {
        Ok(()) => Ok(Ok((Form::Car, car.finish()?))),
        Err(reason) => Ok(Err(reason)),
    }
}

/// Walks over the blocks of a content. `take` gets each block, unless it was taken shortly before, and the
/// part of the file in it, and gives whether that fits.
fn walk(
    index: &mut Index,
    id: &ContentId,
    most: u64,
    mut take: impl FnMut(Option<(&Cid, &[u8])>, &[u8]) -> io::Result<bool>,
) -> io::Result<Result<(), String>> {
    let limits = DagLimits { file_bytes: most, ..DagLimits::default() };
    let mut walk = Walk::new(Cid::from(*id), &[], limits);
    let mut recent = RecentBlocks::default();
    while let Some(cid) = walk.wanted() {
        let given = if let Some(block) = recent.get(&cid) {
            walk.give_again(block).map(|data| take(None, data))
        } else if let Some(block) = cid.inlined() {
            walk.give(block).map(|data| take(None, data))
        } else {
            let Some(block) = index.block(&cid, limits.block_bytes)? else {
                return Ok(Err(match index.size_of(&cid) {
                    Some(size) => format!("block {cid} has {size} bytes, more than one may have"),
                    None => lacks(&cid),
                }));
            };
            let given = walk.give(&block).map(|data| take(Some((&cid, &block)), data));
            recent.keep(cid, block);
            given
        };
        match given {
            Ok(fits) => match fits? {
                true => {}
                false => return Ok(Err(is_too_large(most))),
            },
            Err(DagError::FileTooLarge { .. }) => return Ok(Err(is_too_large(most))),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(match walk.found() {
        Some(Found::File { .. }) => Ok(()),
        _ => Err("it is a folder, and no file".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{CarWriter, Hasher, Profile};

    /// The archive of a file that was cut in a way nobody knows.
    fn unusual(bytes: &[u8]) -> (ContentId, Index) {
        let profile = Profile { chunk_size: 10, max_links: 3, ..Profile::DEFAULT };
        let mut hasher = Hasher::with_profile(profile);
        hasher.update(bytes);
        let id = hasher.finish();
        let outline = Outline::by_profiles(id, &[profile], bytes).unwrap().unwrap();
        let mut sections = Vec::new();
        io::Read::read_to_end(&mut outline.sections(bytes), &mut sections).unwrap();
        let mut car = CarWriter::new(tempfile::tempfile().unwrap(), &[Cid::from(id)]).unwrap();
        car.sections(&sections, outline.blocks()).unwrap();
        let mut file = car.into_inner();
        io::Seek::rewind(&mut file).unwrap();
        (id, Index::of(file).unwrap())
    }

    #[test]
    fn what_takes_more_than_is_allowed_is_walked_over_no_further() {
        let bytes: Vec<u8> = (0..3000_u32).flat_map(u32::to_be_bytes).collect();
        let (id, mut index) = unusual(&bytes);
        let (form, _) = take_dag(&mut index, &id, 1 << 20).unwrap().unwrap();
        assert_eq!(form, Form::Car);
        // Its bytes fit, and its blocks do not.
        let most = bytes.len() as u64 + 100;
        let reason = take_dag(&mut index, &id, most).unwrap().unwrap_err();
        assert!(reason.contains("max_object"), "{reason}");
        let mut taken = 0;
        let walked = walk(&mut index, &id, most, |_, _| {
            taken += 1;
            Ok(taken < 5)
        });
        assert_eq!((walked.unwrap().unwrap_err(), taken), (is_too_large(most), 5));
    }
}
