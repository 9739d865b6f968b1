//! Where a program keeps its files.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Context, Result};

/// A folder: one of our own that goes with us, or one that was given and stays.
#[derive(Debug)]
pub(crate) struct Workdir {
    path: PathBuf,
    _own: Option<TempDir>,
}

impl Workdir {
    /// The one given, or one of our own.
    pub(crate) fn new(given: Option<&Path>) -> Result<Self> {
        match given {
            Some(path) => {
                std::fs::create_dir_all(path).context(path.display())?;
                let path = path.canonicalize().context(path.display())?;
                Ok(Self { path, _own: None })
            }
            None => {
                let own = tempfile::tempdir().context("temporary folder")?;
                let path = own.path().canonicalize().context(own.path().display())?;
                Ok(Self { path, _own: Some(own) })
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
