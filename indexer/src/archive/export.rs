//! All content that a collection names, into one archive.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use alloy::primitives::U256;
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{Holders, source::Taken};
use crate::{
    aside::io_aside,
    content::{CarReader, CarWriter, Cid, ContentId, DagLimits, Manifest, Outline},
    health::Policy,
    ledger::{self, Collection, Ledger, LedgerError, RowId},
    picture::{ContentPicture, Pages, Picture},
    vault::Form,
};

/// Contents read from the ledger at once.
const BATCH: usize = 100;
/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// What an export did.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The archive.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Its blocks.
    pub blocks: u64,
    /// Contents that are in it, whole.
    pub contents: u64,
    /// Those that are not.
    pub missing: Vec<Left>,
}

/// A content that is not in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its name, as aleph nodes take it.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A token that is not in the ledger.
    #[error("the ledger has no token {0} of it (as far as it is indexed)")]
    NoToken(U256),
    /// There is something of that name.
    #[error("{} is there already: with --yes it is replaced", .0.display())]
    Exists(PathBuf),
    /// It can't be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The contents that a collection, or one token of it, names, in their order, each once.
///
/// # Errors
/// [`ExportError::NoToken`], and the ledger's.
pub async fn named(
    ledger: &Ledger,
    policy: &Policy,
    collection: &Collection,
    token: Option<U256>,
) -> Result<Vec<RowId>, ExportError> {
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    let mut add = |picture: &Picture| {
        for one in picture.collections.iter().filter(|one| one.collection.id == collection.id) {
            let own = one.own.iter().flat_map(|own| &own.contents);
            let tokens = one.tokens.iter().flat_map(|token| &token.contents);
            rows.extend(own.chain(tokens).map(|(_, row)| *row).filter(|row| seen.insert(*row)));
        }
    };
    let mut tx = ledger.read().await?;
    let mut pages = Pages::begin(&mut tx, policy, ledger::now()).await?;
    if let Some(id) = token {
        let picture = pages.token(&mut tx, collection.id, id).await?;
        add(&picture.ok_or(ExportError::NoToken(id))?);
        return Ok(rows);
    }
    pages.only(collection.id);
    while let Some(picture) = pages.next(&mut tx).await? {
        add(&picture);
    }
    Ok(rows)
}

/// Writes the archive of contents: a manifest, which is its root, then the blocks of each in the order of
/// a walk. What nobody gives is left out. It is there whole, in the place of what was there where that
/// may be, or not at all.
///
/// # Errors
/// [`ExportError`].
pub async fn export(
    ledger: &Ledger,
    policy: &Policy,
    holders: &Holders,
    (collection, rows): (&Collection, &[RowId]),
    (path, replace): (&Path, bool),
) -> Result<Exported, ExportError> {
    if !replace && path.exists() {
        return Err(ExportError::Exists(path.to_owned()));
    }
    let write = |source| ExportError::Write { path: path.to_owned(), source };
    let mut archive = Archive::begin(ledger, policy, collection, (path, rows)).await?;
    let urls: HashMap<_, _> =
        ledger.read().await?.nodes().await?.into_iter().map(|node| (node.id, node.url)).collect();
    for batch in rows.chunks(BATCH) {
        let (mut tx, now) = (ledger.read().await?, ledger::now());
        let mut pictures = ContentPicture::of_rows(&mut tx, batch, policy, now).await?;
        let denied = tx.denials_of(batch).await?;
        drop(tx);
        pictures.sort_by_key(|one| batch.iter().position(|row| *row == one.content.row));
        for content in &pictures {
            let taken = match denied.get(&content.content.row) {
                Some(reason) => Err(format!("it is denied: {reason}")),
                None => holders.take(content, &urls).await.map_err(write)?,
            };
            match taken {
                Ok(taken) => archive.add(content.content.id, taken).await.map_err(write)?,
                Err(reason) => archive.leave_out(content.content.id, reason),
            }
        }
    }
    archive.finish(replace).await.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(path.to_owned()),
        _ => write(error),
    })
}

/// An archive that is being written, in a file beside the one that it becomes.
struct Archive {
    path: PathBuf,
    manifest: Manifest,
    file: NamedTempFile,
    /// Where the contents begin, behind the manifest.
    begin: u64,
    blocks: u64,
    missing: Vec<Left>,
    absent: HashSet<ContentId>,
}

impl Archive {
    /// Writes what is before the contents, as if there were all of them.
    async fn begin(
        ledger: &Ledger,
        policy: &Policy,
        collection: &Collection,
        (path, rows): (&Path, &[RowId]),
    ) -> Result<Self, ExportError> {
        let mut contents = Vec::with_capacity(rows.len());
        for batch in rows.chunks(BATCH) {
            let mut tx = ledger.read().await?;
            let pictures = ContentPicture::of_rows(&mut tx, batch, policy, ledger::now()).await?;
            let ids: HashMap<_, _> =
                pictures.iter().map(|one| (one.content.row, one.content.id)).collect();
            contents.extend(batch.iter().filter_map(|row| ids.get(row)));
        }
        let manifest = Manifest {
            chain_id: collection.chain_id,
            collection: collection.address.to_checksum(None),
            contents,
        };
        let written = beside(path).and_then(|mut file| {
            let (begin, _) = write_manifest(&manifest, file.as_file_mut())?;
            Ok((file, begin))
        });
        let (file, begin) =
            written.map_err(|source| ExportError::Write { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            manifest,
            file,
            begin,
            blocks: 0,
            missing: Vec::new(),
            absent: HashSet::new(),
        })
    }

    /// Adds a content.
    async fn add(&mut self, id: ContentId, taken: Taken) -> io::Result<()> {
        let mut out = self.file.as_file().try_clone()?;
        let blocks = io_aside(move || match taken.form {
            Form::File => {
                let open = || File::open(taken.file.path());
                // It was proved just now.
                let outline = Outline::of(id, open()?)?.ok_or(io::ErrorKind::InvalidData)?;
                let mut sections = BufReader::with_capacity(PIECE, outline.sections(open()?));
                io::copy(&mut sections, &mut out)?;
                Ok(outline.blocks())
            }
            Form::Car => copy_sections(File::open(taken.file.path())?, out),
        });
        self.blocks += blocks.await?;
        Ok(())
    }

    fn leave_out(&mut self, id: ContentId, reason: String) {
        self.absent.insert(id);
        self.missing.push(Left { id: id.to_string(), reason });
    }

    /// Gives it its name.
    async fn finish(mut self, replace: bool) -> io::Result<Exported> {
        if !self.absent.is_empty() {
            self.begin_anew().await?;
        }
        let manifest = self.manifest.blocks().len() as u64;
        let bytes = self.file.as_file().metadata()?.len();
        let file = self.file.as_file().try_clone()?;
        io_aside(move || file.sync_all()).await?;
        let named = match replace {
            true => self.file.persist(&self.path),
            false => self.file.persist_noclobber(&self.path),
        };
        named.map_err(|error| error.error)?;
        sync_folder(&self.path)?;
        Ok(Exported {
            file: self.path,
            bytes,
            blocks: self.blocks + manifest,
            contents: self.manifest.contents.len() as u64,
            missing: self.missing,
        })
    }

    /// Copies the contents behind a manifest that names no more than these: whoever follows its links finds
    /// all of them.
    async fn begin_anew(&mut self) -> io::Result<()> {
        self.manifest.contents.retain(|id| !self.absent.contains(id));
        let mut file = beside(&self.path)?;
        (self.begin, _) = {
            let begin = self.begin;
            let (behind, root) = write_manifest(&self.manifest, file.as_file_mut())?;
            let (mut from, mut to) =
                (self.file.as_file().try_clone()?, file.as_file().try_clone()?);
            io_aside(move || {
                from.seek(SeekFrom::Start(begin))?;
                io::copy(&mut from, &mut to)
            })
            .await?;
            (behind, root)
        };
        self.file = file;
        Ok(())
    }
}

/// A file in the same folder, which goes unless it gets its name.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".everhold-").suffix(".car");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file of one's own, less what the umask takes.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// What was renamed is so after a crash, too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match cfg!(unix) {
        true => File::open(folder.unwrap_or(Path::new(".")))?.sync_all(),
        false => Ok(()),
    }
}

/// Writes an archive's header and manifest; gives how many bytes that takes, and the root.
fn write_manifest(manifest: &Manifest, file: &mut File) -> io::Result<(u64, Cid)> {
    let blocks = manifest.blocks();
    let roots: Vec<Cid> = blocks.iter().take(1).map(|(cid, _)| *cid).collect();
    let mut car = CarWriter::new(BufWriter::new(file), &roots)?;
    for (cid, block) in &blocks {
        car.block(cid, block)?;
    }
    let bytes = car.bytes();
    car.into_inner().flush()?;
    Ok((bytes, roots[0]))
}

/// Copies the blocks of one archive into another; gives how many.
fn copy_sections(mut from: File, to: File) -> io::Result<u64> {
    let wrong = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut reader = CarReader::new(DagLimits::default().block_bytes);
    let mut car = CarWriter::continued(BufWriter::new(to));
    let mut piece = vec![0; PIECE];
    loop {
        while let Some(block) = reader.block().map_err(wrong)? {
            car.block(&block.cid, block.bytes)?;
        }
        match from.read(&mut piece)? {
            0 => break,
            read => reader.feed(&piece[..read]),
        }
    }
    reader.finish().map_err(wrong)?;
    let blocks = car.blocks();
    car.into_inner().flush()?;
    Ok(blocks)
}
