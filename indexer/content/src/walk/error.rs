//! What can be wrong with a DAG.

use crate::{Cid, HashError, shown};

impl DagError {
    /// Whether something is only more than a limit allows, and not wrong.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            DagError::BlockTooLarge { .. }
                | DagError::FileTooLarge { .. }
                | DagError::TooMany { .. }
        )
    }
}

/// Why a DAG is not what it should be, or is more than is allowed. None of these is cured by
/// asking the same place again, but for [`DagError::WrongBlock`], which another place may give
/// rightly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DagError {
    /// Bytes that do not hash to the name they were asked for by.
    #[error("other bytes came than those of block {cid}")]
    WrongBlock {
        /// The block that was asked for.
        cid: Cid,
    },
    /// A block whose hash can't be checked.
    #[error("block {cid}: {reason}")]
    Hash {
        /// The block.
        cid: Cid,
        /// Why.
        reason: HashError,
    },
    /// A block that is neither dag-pb nor raw.
    #[error("block {cid} is {}, which no file is made of", cid.codec_name())]
    Codec {
        /// The block.
        cid: Cid,
    },
    /// A block that can't be read as what it says it is.
    #[error("block {cid} is malformed: {reason}")]
    Malformed {
        /// The block.
        cid: Cid,
        /// What is wrong.
        reason: &'static str,
    },
    /// A part of a file that is not as long as the blocks above say.
    #[error("block {cid} holds {found} bytes of the file, but {declared} are declared")]
    WrongSize {
        /// The block.
        cid: Cid,
        /// Bytes that it, or the block above it, declares.
        declared: u64,
        /// Bytes that it holds, or declares of the blocks below it.
        found: u64,
    },
    /// A block bigger than the limit.
    #[error("block {cid} has {size} bytes, and {limit} are allowed")]
    BlockTooLarge {
        /// The block.
        cid: Cid,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A file bigger than the limit.
    #[error("a file of {size} bytes, and {limit} are allowed")]
    FileTooLarge {
        /// Its size in bytes, as its root declares.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Levels, links or blocks beyond the limits: more than honest importers make.
    #[error("a DAG with more than {limit} {what}")]
    TooMany {
        /// Of what: `levels`, `links`, `blocks`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A path that leads nowhere.
    #[error("`{}` is not in the directory", shown(name))]
    NotFound {
        /// The first name on the path that is not there.
        name: String,
    },
    /// A path through something that is not a directory.
    #[error("`{}` is looked for in something that is not a directory", shown(name))]
    NotADirectory {
        /// The name that is looked for there.
        name: String,
    },
    /// A directory with two entries of one name, of which nobody can say which is meant.
    #[error("the directory has `{}` twice", shown(name))]
    Twice {
        /// The name.
        name: String,
    },
    /// A link of a file system, which leads to another place, perhaps outside the DAG.
    #[error("`{}` is a symbolic link, which is not followed", shown(target))]
    Symlink {
        /// Where it leads.
        target: String,
    },
}
