//! What can go wrong with the vault.

use std::{error::Error, io, path::Path};

/// What can go wrong with the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no room on its disk.
    #[error("the vault {vault} has no room left: {reason}; free some, or lower [vault] max_bytes")]
    Full {
        /// Where it is.
        vault: String,
        /// What the system said.
        reason: String,
    },
    /// It can't be read or written.
    #[error("the vault {vault} can't be used: {reason}")]
    Failed {
        /// Where it is.
        vault: String,
        /// What it said.
        reason: String,
    },
    /// It is not there, though the ledger knows of something in it.
    #[error(
        "the vault {vault} has no {marker}, and should hold {objects} contents: is it mounted? Nothing is \
         taken for lost. If it was emptied, put an empty {marker} there: then what is gone is copied again \
         where a node has it"
    )]
    Absent {
        /// Where it is.
        vault: String,
        /// What should be there.
        marker: &'static str,
        /// How many contents the ledger knows in it.
        objects: u64,
    },
    /// A temporary file, for bytes on their way.
    #[error("temporary file: {0}")]
    Temporary(#[from] io::Error),
}

impl VaultError {
    /// Of a store's error, whose text names a path or a host and no secret.
    pub(super) fn of(vault: &str, error: &object_store::Error) -> Self {
        let vault = vault.to_owned();
        match reason(error) {
            Some(cause) if is_full(cause) => Self::Full { vault, reason: cause.to_string() },
            Some(cause) => Self::Failed { vault, reason: cause.to_string() },
            None => {
                Self::Failed { vault, reason: everhold_net::shown(error.to_string().as_bytes()) }
            }
        }
    }

    /// As [`VaultError::of`], of the system's, at a path.
    pub(super) fn of_system(vault: &str, path: &Path, error: &io::Error) -> Self {
        let (vault, reason) = (vault.to_owned(), format!("{}: {error}", path.display()));
        match is_full(error) {
            true => Self::Full { vault, reason },
            false => Self::Failed { vault, reason },
        }
    }
}

/// The system's error below another.
fn reason(error: &object_store::Error) -> Option<&io::Error> {
    let mut next = Some(error as &(dyn Error + 'static));
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Whether the disk is full, or as full as one may make it.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
