//! What can be wrong with an archive.

use crate::{Cid, DagError};

impl CarError {
    /// Whether something is only more than a limit allows, and not wrong.
    pub fn is_limit(&self) -> bool {
        match self {
            CarError::TooLarge { .. } => true,
            CarError::Dag(error) => error.is_limit(),
            _ => false,
        }
    }
}

/// Why an archive (CAR) is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarError {
    /// Not an archive, or one whose header can't be read.
    #[error("not a CAR: {0}")]
    Header(String),
    /// It ends in the middle of a block, or before the first.
    #[error("the CAR is cut off after {bytes} bytes")]
    Truncated {
        /// Bytes that there were.
        bytes: u64,
    },
    /// A part of it can't be read.
    #[error("the CAR is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Where, from the start of the archive.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A block bigger than the limit.
    #[error("the CAR has a block of {size} bytes at byte {offset}, and {limit} are allowed")]
    TooLarge {
        /// Where, from the start of the archive.
        offset: u64,
        /// Bytes of its CID and itself.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Its header names other roots than what was asked for.
    #[error("the CAR is one of {root}, not of what was asked for")]
    OtherRoot {
        /// The first root that its header names.
        root: Cid,
    },
    /// It has a block that is no part of what was asked for.
    #[error("the CAR has block {cid}, which is no part of what was asked for")]
    Extra {
        /// The block.
        cid: Cid,
    },
    /// It ended before everything that was asked for had come.
    #[error("the CAR does not have block {cid}")]
    Missing {
        /// The block.
        cid: Cid,
    },
    /// A block is not what it should be.
    #[error(transparent)]
    Dag(#[from] DagError),
}
