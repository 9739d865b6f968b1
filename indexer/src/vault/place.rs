//! Where a vault is.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use object_store::{ObjectStore, local::LocalFileSystem};

use super::{VaultError, s3};
use crate::{
    config::{ConfigError, VaultConfig},
    nodes::Fetcher,
};

/// Where a vault is.
#[derive(Debug)]
pub(super) enum Place {
    /// A folder, which may not be there yet.
    Folder { path: PathBuf, store: OnceLock<Arc<dyn ObjectStore>> },
    /// A bucket, or the part of it below a prefix.
    Bucket { name: String, store: Arc<dyn ObjectStore> },
}

impl Place {
    pub(super) fn configured(config: &VaultConfig, fetcher: &Fetcher) -> Result<Self, ConfigError> {
        if let Some(s3) = &config.s3 {
            let name = format!("s3://{}/{}", s3.bucket, s3.prefix.trim_matches('/'));
            return Ok(Self::Bucket { name, store: s3::store(s3, fetcher)? });
        }
        Ok(Self::Folder { path: config.folder().to_owned(), store: OnceLock::new() })
    }

    /// In words.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Folder { path, .. } => path.display().to_string(),
            Self::Bucket { name, .. } => name.clone(),
        }
    }

    /// The folder, where it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder { path, .. } => Some(path),
            Self::Bucket { .. } => None,
        }
    }

    /// The store, where it is there.
    pub(super) fn existing(&self) -> Result<Option<&Arc<dyn ObjectStore>>, VaultError> {
        match self {
            Self::Folder { path, store } if store.get().is_none() => {
                match path.try_exists().map_err(|error| self.system(path, &error))? {
                    true => self.made().map(Some),
                    false => Ok(None),
                }
            }
            _ => self.made().map(Some),
        }
    }

    /// The store, made if need be.
    pub(super) fn made(&self) -> Result<&Arc<dyn ObjectStore>, VaultError> {
        let (path, store) = match self {
            Self::Bucket { store, .. } => return Ok(store),
            Self::Folder { path, store } => (path, store),
        };
        if let Some(store) = store.get() {
            return Ok(store);
        }
        std::fs::create_dir_all(path).map_err(|error| self.system(path, &error))?;
        let made = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| VaultError::of(&self.name(), &error))?;
        // Who finds a name there finds the whole of it, whatever happened to the machine.
        Ok(store.get_or_init(|| Arc::new(made.with_fsync(true))))
    }

    fn system(&self, path: &Path, error: &std::io::Error) -> VaultError {
        VaultError::of_system(&self.name(), path, error)
    }
}
