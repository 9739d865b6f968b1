//! What is in a vault, and what lies beside it.

use std::{
    path::{Path, PathBuf},
    sync::PoisonError,
    time::SystemTime,
};

use futures::TryStreamExt;
use object_store::path;

use super::{Stored, Vault, VaultError, folder, names::Name};
use crate::{aside::io_aside, content::ContentId};

/// Foreign things that are named, at most.
const MOST_SAID: usize = 5;

impl Vault {
    /// All that it has.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn list(&self) -> Result<Vec<Stored>, VaultError> {
        let all = self.locations(None).await?.into_iter();
        let stored = |(location, bytes)| {
            Name::read(&location).map(|Name { id, form }| Stored { id, form, bytes })
        };
        Ok(all.filter_map(stored).collect())
    }

    /// What was set aside in it, as wrong.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn list_aside(&self) -> Result<Vec<ContentId>, VaultError> {
        let all = self.locations(Some(&Name::folder_aside())).await?.into_iter();
        Ok(all
            .filter_map(|(location, _)| Name::read_aside(&location))
            .map(|name| name.id)
            .collect())
    }

    /// Where things are, and their bytes; of a bucket, below a prefix alone.
    async fn locations(
        &self,
        prefix: Option<&path::Path>,
    ) -> Result<Vec<(path::Path, u64)>, VaultError> {
        if let Some(folder) = self.place.folder() {
            let inside = self.look(folder).await?;
            self.say_foreign(&inside.foreign);
            let files = inside.files.into_iter();
            return Ok(files.map(|file| (file.location, file.bytes)).collect());
        }
        let store = self.place.made()?;
        let all = store.list(prefix).map_ok(|found| (found.location, found.size));
        all.try_collect().await.map_err(|error| self.failed(&error))
    }

    async fn look(&self, folder: &Path) -> Result<folder::Inside, VaultError> {
        let folder = folder.to_owned();
        let inside = io_aside(move || Ok(folder::look(&folder))).await?;
        inside.map_err(|(path, error)| VaultError::of_system(&self.name(), &path, &error))
    }

    /// Says once what lies there and is not its own.
    fn say_foreign(&self, foreign: &[(PathBuf, String)]) {
        // Who panicked left a set of what was said.
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<_> = foreign.iter().filter(|(path, _)| said.insert(path.clone())).collect();
        let name = self.name();
        for (path, why) in new.iter().take(MOST_SAID) {
            tracing::warn!("the vault {name}: {} is left alone: {why}", path.display());
        }
        if let Some(more @ 1..) = new.len().checked_sub(MOST_SAID) {
            tracing::warn!("the vault {name}: {more} more are left alone");
        }
    }

    /// Removes what processes left half written that ended in the middle of it. A bucket's rules end
    /// uploads that nobody completes.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn clean(&self) -> Result<(), VaultError> {
        let Some(folder) = self.place.folder() else { return Ok(()) };
        let inside = self.look(folder).await?;
        let cleaned = io_aside(move || Ok(folder::clean(&inside, SystemTime::now()))).await?;
        cleaned.map_err(|(path, error)| VaultError::of_system(&self.name(), &path, &error))
    }
}
