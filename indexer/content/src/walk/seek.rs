//! The way down to one byte of a file, past everything else.

use super::{DagError, DagLimits, Parsed, Part, check};
use crate::Cid;

/// The way from the root of a file's DAG to the block that holds the byte at an offset: a block a
/// level, however large the file is.
///
/// Like a [`Walk`](super::Walk) it does no I/O. Sizes are what each block says of those below it; a
/// block below that is of another size ends the way, so none leads past the file.
///
/// ```
/// use everhold_content::{Cid, Codec, DagLimits, HashFunction, Seek};
///
/// let block = b"a file of one block";
/// let root = Cid::of(Codec::Raw, HashFunction::Sha256, block).unwrap();
/// let mut seek = Seek::new(root, 19, 2, DagLimits::default());
/// assert_eq!(seek.wanted(), Some(root));
/// assert_eq!(seek.give(block)?, Some(b'f'));
/// assert_eq!(seek.wanted(), None);
/// # Ok::<(), everhold_content::DagError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Seek {
    limits: DagLimits,
    /// The block that comes next, and how far into its part of the file the byte is.
    next: Option<(Part, u64)>,
    levels: usize,
}

impl Seek {
    /// The way to the byte at `offset` of a file of `size` bytes. Beyond its end there is none, and
    /// no block is wanted.
    pub fn new(root: Cid, size: u64, offset: u64, limits: DagLimits) -> Seek {
        let next = (offset < size).then_some((Part { cid: root, size }, offset));
        Seek { limits, next, levels: 0 }
    }

    /// The block that comes next; `None` at the end, and after an error.
    pub fn wanted(&self) -> Option<Cid> {
        self.next.map(|(part, _)| part.cid)
    }

    /// Takes the block that was [wanted](Seek::wanted); gives the byte, once it is reached.
    ///
    /// # Errors
    /// [`DagError`]. After [`DagError::WrongBlock`] and [`DagError::BlockTooLarge`], which are about
    /// these bytes only, the block is still wanted; after others the way is over.
    pub fn give(&mut self, block: &[u8]) -> Result<Option<u8>, DagError> {
        let Some(cid) = self.wanted() else { return Ok(None) };
        check(cid, block, &self.limits)?;
        self.give_again(block)
    }

    /// As [`Seek::give`], of a block that was taken before under the same CID: it is not hashed
    /// again.
    ///
    /// # Errors
    /// As [`Seek::give`].
    pub fn give_again(&mut self, block: &[u8]) -> Result<Option<u8>, DagError> {
        let Some((part, offset)) = self.next.take() else { return Ok(None) };
        self.levels += 1;
        if self.levels > self.limits.levels {
            return Err(DagError::TooMany { what: "levels", limit: self.limits.levels as u64 });
        }
        let cid = part.cid;
        let parsed = Parsed::read(cid, block, self.limits.links)?;
        let found = parsed.file_size(cid)?;
        if found != part.size {
            return Err(DagError::WrongSize { cid, declared: part.size, found });
        }
        let (data, parts) = parsed.into_parts();
        if let Some(byte) = usize::try_from(offset).ok().and_then(|at| data.get(at)) {
            return Ok(Some(*byte));
        }
        self.next = down(parts, offset.saturating_sub(data.len() as u64));
        Ok(None)
    }
}

/// The part that holds the byte at an offset into all of them, and where it is in that one.
fn down(parts: Vec<Part>, mut offset: u64) -> Option<(Part, u64)> {
    for part in parts {
        if offset < part.size {
            return Some((part, offset));
        }
        offset -= part.size;
    }
    None
}
