//! The local, content-addressed copy of verified content, from which lost content is restored: in a
//! folder, or in a bucket of S3.
//!
//! Nothing in it is believed: whatever is read is hashed again, and what is wrong never leaves it as
//! right. What it is to hold, and what must go first, the ledger knows ([`crate::ledger`]).

mod aside;
mod error;
mod folder;
mod form;
mod keeper;
mod listing;
mod names;
mod place;
mod prove;
mod s3;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, path};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt;

pub use self::{
    error::VaultError,
    form::{Blocks, CarFile, blocks_from, is_named_by},
    keeper::{KeepError, Keeper, Room},
    prove::{Proved, Unproved},
};
use self::{
    names::{MARKER, Name},
    place::Place,
};
pub use crate::ledger::Form;
use crate::{
    config::{Config, ConfigError},
    content::ContentId,
    nodes::{Fetcher, Known},
};

/// Bytes of a part. S3 takes none below 5 MiB but the last, and 10,000 of them.
const PART: usize = 8 << 20;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// What is in the marker, for people who wonder.
const MARK: &str = "Everhold keeps a vault here. Where this file is missing, nothing of the vault is taken for lost: it may not \
     be mounted.\n";

/// A vault. Its folder is made when the first content comes.
#[derive(Debug)]
pub struct Vault {
    place: Place,
    /// Bytes of all that it holds, at most.
    pub max_bytes: u64,
    /// Bytes of one content, at most.
    pub max_object: u64,
    /// What was said to be no part of it.
    said: Mutex<HashSet<PathBuf>>,
}

/// The bytes of something in a vault, as they come.
pub type Stream = BoxStream<'static, Result<Bytes, VaultError>>;

/// Something that is in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What it should be.
    pub id: ContentId,
    /// How it is kept.
    pub form: Form,
    /// Bytes that it takes.
    pub bytes: u64,
}

impl Vault {
    /// The vault of a configuration.
    ///
    /// # Errors
    /// Where the keys of a bucket can't be read.
    pub fn configured(config: &Config, fetcher: &Fetcher) -> Result<Self, ConfigError> {
        let (max_bytes, max_object) = (config.vault.max_bytes, config.vault.max_object);
        let (place, said) = (Place::configured(&config.vault, fetcher)?, Mutex::default());
        Ok(Self { place, max_bytes, max_object, said })
    }

    /// Where it is, in words.
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// Whether it is marked as a vault: one that is not mounted is not.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn is_marked(&self) -> Result<bool, VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(false) };
        match store.head(&path::Path::from(MARKER)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Marks it as a vault.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn mark(&self) -> Result<(), VaultError> {
        let store = self.place.made()?;
        let marked = store.put(&path::Path::from(MARKER), MARK.into()).await;
        marked.map(drop).map_err(|error| self.failed(&error))
    }

    /// What is wrong where it is not marked, and should hold so many contents.
    fn absent(&self, objects: u64) -> VaultError {
        VaultError::Absent { vault: self.name(), marker: MARKER, objects }
    }

    /// Puts a file into it under the name of a content, in the place of what may be there; gives how many
    /// bytes that takes. It is there whole, and on the disk, or not at all.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn put(&self, id: &ContentId, form: Form, file: &Path) -> Result<u64, VaultError> {
        let store = self.place.made()?;
        let name = Name::of(id, form).path();
        let mut file = tokio::fs::File::open(file).await?;
        let bytes = file.metadata().await?.len();
        if bytes <= PART as u64 {
            let mut all = Vec::new();
            file.read_to_end(&mut all).await?;
            store.put(&name, all.into()).await.map_err(|error| self.failed(&error))?;
            return Ok(bytes);
        }
        let mut upload = store.put_multipart(&name).await.map_err(|error| self.failed(&error))?;
        match send(upload.as_mut(), file).await {
            Ok(()) => Ok(bytes),
            Err(error) => {
                // Nothing was there yet under that name; what can't be taken back is cleaned up later.
                let _ = upload.abort().await;
                Err(match error {
                    Sending::File(error) => error.into(),
                    Sending::Store(error) => self.failed(&error),
                })
            }
        }
    }

    /// What it has under the name of a content: in both forms, where a process ended before it removed one.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn find(&self, id: &ContentId) -> Result<Vec<Stored>, VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for form in Form::ALL {
            match store.head(&Name::of(id, *form).path()).await {
                Ok(found) => all.push(Stored { id: *id, form: *form, bytes: found.size }),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(all)
    }

    /// Opens what it has, as it is there: nothing is proved by that. `None` where it is not there.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn open(&self, id: &ContentId, form: Form) -> Result<Option<Stream>, VaultError> {
        self.open_at(&Name::of(id, form).path()).await
    }

    async fn open_at(&self, path: &path::Path) -> Result<Option<Stream>, VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(None) };
        let name = self.name();
        match store.get(path).await {
            Ok(found) => {
                let stream = found.into_stream();
                Ok(Some(stream.map_err(move |error| VaultError::of(&name, &error)).boxed()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The bytes of a content, proved, in a temporary file, and what they came from; `None` where it is not
    /// there, or not right.
    ///
    /// # Errors
    /// [`VaultError`], where that can't be told.
    pub async fn copy(
        &self,
        id: &ContentId,
        known: Known,
    ) -> Result<Option<(Stored, NamedTempFile)>, VaultError> {
        for found in self.find(id).await? {
            if let Some(file) = self.copy_as(id, found.form, known).await? {
                return Ok(Some((found, file)));
            }
        }
        Ok(None)
    }

    /// The same of what it has in one form.
    ///
    /// # Errors
    /// [`VaultError`], where that can't be told.
    pub async fn copy_as(
        &self,
        id: &ContentId,
        form: Form,
        known: Known,
    ) -> Result<Option<NamedTempFile>, VaultError> {
        let mut file = NamedTempFile::new()?;
        let mut written = Ok(());
        let proved = self
            .prove(id, form, known, &mut |chunk| {
                if written.is_ok() {
                    written = std::io::Write::write_all(&mut file, chunk);
                }
            })
            .await;
        match proved {
            Ok(_) => {
                written?;
                Ok(Some(file))
            }
            Err(Unproved::Missing) => Ok(None),
            Err(Unproved::Wrong(why)) => {
                let at = self.name();
                tracing::warn!("{id}: what the vault {at} has of it is wrong, and not used: {why}");
                Ok(None)
            }
            Err(Unproved::Failed(error)) => Err(error),
        }
    }

    /// All blocks of a content that is kept so, proved, as the archive that it is kept as; `None` where it
    /// is not there, or not right.
    ///
    /// # Errors
    /// [`VaultError`], where that can't be told.
    pub async fn copy_archive(&self, id: &ContentId) -> Result<Option<NamedTempFile>, VaultError> {
        let Some(mut stream) = self.open(id, Form::Car).await? else { return Ok(None) };
        let mut file = NamedTempFile::new()?;
        while let Some(chunk) = stream.next().await {
            std::io::Write::write_all(&mut file, &chunk?)?;
        }
        // What was copied is what counts: the vault may give other bytes the next time.
        let mut from = tokio::fs::File::open(file.path()).await?;
        let next = async || {
            let mut piece = Vec::with_capacity(PIECE);
            let read = from.read_buf(&mut piece).await?;
            Ok((read > 0).then(|| piece.into()))
        };
        match prove::prove_archive(id, next, &mut |_| {}).await {
            Ok(_) => Ok(Some(file)),
            Err(Unproved::Failed(error)) => Err(error),
            Err(why) => {
                let at = self.name();
                tracing::warn!("{id}: what the vault {at} has of it is wrong, and not used: {why}");
                Ok(None)
            }
        }
    }

    /// Takes a content out of it, in whatever form, and what was set aside of it.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn remove(&self, id: &ContentId) -> Result<(), VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(()) };
        for form in Form::ALL {
            let name = Name::of(id, *form);
            self.delete(store, &name.path()).await?;
            self.delete(store, &name.aside()).await?;
        }
        Ok(())
    }

    /// Takes out the other form than this.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn leave_only(&self, id: &ContentId, form: Form) -> Result<(), VaultError> {
        let Some(store) = self.place.existing()? else { return Ok(()) };
        for other in Form::ALL.iter().filter(|other| **other != form) {
            self.delete(store, &Name::of(id, *other).path()).await?;
        }
        Ok(())
    }

    async fn delete(
        &self,
        store: &Arc<dyn ObjectStore>,
        name: &path::Path,
    ) -> Result<(), VaultError> {
        match store.delete(name).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &object_store::Error) -> VaultError {
        VaultError::of(&self.name(), error)
    }
}

/// What went wrong on the way from a file to a store.
enum Sending {
    File(std::io::Error),
    Store(object_store::Error),
}

async fn send(upload: &mut dyn MultipartUpload, mut file: tokio::fs::File) -> Result<(), Sending> {
    loop {
        let mut part = Vec::with_capacity(PART);
        let mut rest = (&mut file).take(PART as u64);
        rest.read_to_end(&mut part).await.map_err(Sending::File)?;
        if part.is_empty() {
            break;
        }
        upload.put_part(PutPayload::from(part)).await.map_err(Sending::Store)?;
    }
    upload.complete().await.map_err(Sending::Store)?;
    Ok(())
}
