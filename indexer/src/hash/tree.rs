//! Files and folders.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::hash_file;
use crate::content::{Digest, Folder, FolderError, Imported, Profile};

/// Folders within folders; deeper ones are refused, not followed.
const MAX_DEPTH: usize = 200;

/// What a file or folder is called.
#[derive(Clone, Debug)]
pub struct Hashed {
    /// Bytes of the file, or of all files of the folder.
    pub bytes: u64,
    /// sha-256 of a file.
    pub sha256: Option<Digest>,
    /// The root of its DAG, by each profile that was asked for.
    pub roots: Vec<Imported>,
    /// The files of a folder.
    pub files: Vec<HashedEntry>,
}

/// A file of a folder.
#[derive(Clone, Debug)]
pub struct HashedEntry {
    /// Its path below the folder, by slashes.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// sha-256 of its bytes.
    pub sha256: Digest,
    /// The root of its DAG, by each profile that was asked for.
    pub roots: Vec<Imported>,
}

/// How far the hashing has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes that were read.
    pub bytes: AtomicU64,
    /// Files that were begun.
    pub files: AtomicU64,
}

/// Why something on disk has no name. Each says which file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A symbolic link: some importers follow them and others keep them, to other CIDs.
    #[error(
        "{}: a symbolic link, which some importers follow and others keep: \
         put what it leads to in its place",
        path.display()
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Neither a file nor a folder: a socket, a pipe, a device.
    #[error("{}: neither a file nor a folder", path.display())]
    Special {
        /// What it is called.
        path: PathBuf,
    },
    /// A name that no DAG can hold.
    #[error("{}: its name is not UTF-8", path.display())]
    Name {
        /// The file or folder.
        path: PathBuf,
    },
    /// More folders within folders than are followed.
    #[error("{}: more than {MAX_DEPTH} folders within one another", path.display())]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that no DAG can hold.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: FolderError,
    },
}

/// Hashes a file, or a folder with everything in it, by each profile.
///
/// `path` itself may be a symbolic link; in a folder they are refused.
///
/// # Errors
/// [`HashError`], at the first thing that can't be hashed: a folder's name is of all that is in it.
pub fn hash_path(
    path: &Path,
    profiles: &[Profile],
    progress: &Progress,
) -> Result<Hashed, HashError> {
    let io = |source| HashError::Io { path: path.to_owned(), source };
    let kind = fs::metadata(path).map_err(io)?.file_type();
    if !kind.is_dir() && !kind.is_file() {
        return Err(HashError::Special { path: path.to_owned() });
    }
    let mut walk = Walk { profiles, progress, files: Vec::new() };
    if kind.is_dir() {
        let roots = walk.folder(path, "", 0)?;
        let bytes = walk.files.iter().map(|file| file.bytes).sum();
        return Ok(Hashed { bytes, sha256: None, roots, files: walk.files });
    }
    walk.file(path, String::new())?;
    let file = walk.files.pop();
    let file = file.ok_or_else(|| io(io::Error::other("it was not hashed")))?;
    Ok(Hashed {
        bytes: file.bytes,
        sha256: Some(file.sha256),
        roots: file.roots,
        files: Vec::new(),
    })
}

struct Walk<'a> {
    profiles: &'a [Profile],
    progress: &'a Progress,
    files: Vec<HashedEntry>,
}

impl Walk<'_> {
    fn file(&mut self, path: &Path, name: String) -> Result<Vec<Imported>, HashError> {
        self.progress.files.fetch_add(1, Ordering::Relaxed);
        let seen = |bytes| {
            self.progress.bytes.fetch_add(bytes, Ordering::Relaxed);
        };
        let hashes = hash_file(path, self.profiles, &seen)
            .map_err(|source| HashError::Io { path: path.to_owned(), source })?;
        let roots = hashes.roots.clone();
        self.files.push(HashedEntry {
            path: name,
            bytes: hashes.bytes,
            sha256: hashes.sha256,
            roots: hashes.roots,
        });
        Ok(roots)
    }

    /// A folder whose path from the top is `above`, which ends with a slash if it is not empty.
    fn folder(
        &mut self,
        path: &Path,
        above: &str,
        depth: usize,
    ) -> Result<Vec<Imported>, HashError> {
        if depth > MAX_DEPTH {
            return Err(HashError::TooDeep { path: path.to_owned() });
        }
        let io = |source| HashError::Io { path: path.to_owned(), source };
        let mut entries =
            fs::read_dir(path).map_err(io)?.collect::<io::Result<Vec<_>>>().map_err(io)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut folders: Vec<Folder> =
            self.profiles.iter().map(|profile| Folder::new(profile.cid_version)).collect();
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(HashError::Name { path });
            };
            let kind = entry.file_type();
            let kind = kind.map_err(|source| HashError::Io { path: path.clone(), source })?;
            let roots = if kind.is_dir() {
                self.folder(&path, &format!("{above}{name}/"), depth + 1)?
            } else if kind.is_file() {
                self.file(&path, format!("{above}{name}"))?
            } else if kind.is_symlink() {
                return Err(HashError::Link { path });
            } else {
                return Err(HashError::Special { path });
            };
            for (folder, root) in folders.iter_mut().zip(roots) {
                let added = folder.add(name, root);
                added.map_err(|source| HashError::Folder { path: path.clone(), source })?;
            }
        }
        let roots = folders.into_iter().map(Folder::finish).collect::<Result<_, _>>();
        roots.map_err(|source| HashError::Folder { path: path.to_owned(), source })
    }
}
