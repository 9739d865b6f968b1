//! Checks a DAG block by block, in constant memory, whichever way its file was cut.
//!
//! A CID does not say how its file became a DAG, so bytes alone prove nothing where it was an
//! unusual way. Blocks prove themselves: each hashes to the name by which the block above links
//! it, and the root to the name that is on the chain.

mod directory;
mod error;
mod limits;
mod seek;

use std::{collections::VecDeque, vec};

pub use directory::Entry;
pub use error::DagError;
pub use limits::DagLimits;
pub use seek::Seek;

use crate::{
    Cid,
    cid::{DAG_PB, RAW},
    node::{Kind, Link, Node, UnixFs},
};
pub(crate) use directory::hamt_hash;
use directory::{Name, Step};

/// A walk through the blocks of a DAG: along a path, then over the whole file there, in its order.
///
/// It does no I/O: it says which block it wants ([`Walk::wanted`]), takes the block
/// ([`Walk::give`]), and gives the bytes of the file that the block holds, proved.
///
/// ```
/// use everhold_content::{Cid, Codec, DagLimits, Found, HashFunction, Walk};
///
/// let block = b"a file of one block";
/// let root = Cid::of(Codec::Raw, HashFunction::Sha256, block).unwrap();
/// let mut walk = Walk::new(root, &[], DagLimits::default());
/// assert_eq!(walk.wanted(), Some(root));
/// assert_eq!(walk.give(block)?, block);
/// assert!(walk.is_finished());
/// assert_eq!(walk.found(), Some(&Found::File { size: 19 }));
/// # Ok::<(), everhold_content::DagError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Walk {
    limits: DagLimits,
    path: VecDeque<String>,
    at: At,
    target: Cid,
    found: Option<Found>,
    blocks: u64,
    /// Bytes of blocks that the file may still cost; known from its first block on.
    budget: Option<u64>,
}

/// Bytes of blocks for each byte of a file, at most. Who cuts files into single bytes, with 32-byte
/// links to them, stays below.
const MOST_AROUND: u64 = 64;

/// Where a walk is.
#[derive(Clone, Debug)]
enum At {
    /// Before the first block of a file or directory.
    Root(Cid),
    /// In a shard, on the way to a name.
    Shard(Cid, Name),
    /// In a file.
    File(Descent),
    /// At its end.
    End,
    /// Broken off by an error.
    Failed,
}

/// What a walk found at the end of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file of so many bytes. Known from its first block on, proved with its last.
    File {
        /// Its size in bytes.
        size: u64,
    },
    /// A directory, of which this walk looks only at the first block.
    Directory {
        /// The entries that stand in its first block.
        entries: Vec<Entry>,
        /// Whether there are more, in shards below.
        more: bool,
    },
}

/// The levels of a file between its root and the next block.
#[derive(Clone, Debug, Default)]
struct Descent {
    next: Option<Part>,
    levels: Vec<vec::IntoIter<Part>>,
    waiting: usize,
}

/// A part of a file: its block, and the bytes that should be in and below it.
#[derive(Clone, Copy, Debug)]
struct Part {
    cid: Cid,
    size: u64,
}

impl Walk {
    /// A walk from `root` along `path` (names of directory entries, each as it is).
    pub fn new(root: Cid, path: &[&str], limits: DagLimits) -> Walk {
        Walk {
            limits,
            path: path.iter().map(|&name| name.to_owned()).collect(),
            at: At::Root(root),
            target: root,
            found: None,
            blocks: 0,
            budget: None,
        }
    }

    /// The block that comes next; `None` at the end, and after an error.
    pub fn wanted(&self) -> Option<Cid> {
        match &self.at {
            At::Root(cid) | At::Shard(cid, _) => Some(*cid),
            At::File(descent) => descent.next.map(|part| part.cid),
            At::End | At::Failed => None,
        }
    }

    /// Whether the walk came to its end: then, and only then, everything is proved.
    pub fn is_finished(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// Takes the block that was [wanted](Walk::wanted); gives the part of it that is the file's
    /// next bytes, which may be none. Where nothing is wanted, nothing is taken.
    ///
    /// # Errors
    /// [`DagError`]. After [`DagError::WrongBlock`] and [`DagError::BlockTooLarge`], which are
    /// about these bytes only, the block is still wanted; after others the walk is over, and not
    /// finished.
    pub fn give<'b>(&mut self, block: &'b [u8]) -> Result<&'b [u8], DagError> {
        let Some(cid) = self.wanted() else {
            return Ok(&[]);
        };
        check(cid, block, &self.limits)?;
        self.take(cid, block)
    }

    /// As [`Walk::give`], of a block that a walk took before under the same CID: it is not hashed
    /// again. DAGs of a few blocks can want the same one millions of times.
    ///
    /// # Errors
    /// As [`Walk::give`].
    pub fn give_again<'b>(&mut self, block: &'b [u8]) -> Result<&'b [u8], DagError> {
        let Some(cid) = self.wanted() else {
            return Ok(&[]);
        };
        self.take(cid, block)
    }

    fn take<'b>(&mut self, cid: Cid, block: &'b [u8]) -> Result<&'b [u8], DagError> {
        let at = std::mem::replace(&mut self.at, At::Failed);
        self.blocks += 1;
        if self.blocks > self.limits.blocks {
            return Err(DagError::TooMany { what: "blocks", limit: self.limits.blocks });
        }
        if let Some(budget) = &mut self.budget {
            let Some(left) = budget.checked_sub(block.len() as u64) else {
                let what = "bytes of blocks for each byte of its file";
                return Err(DagError::TooMany { what, limit: MOST_AROUND });
            };
            *budget = left;
        }
        let parsed = Parsed::read(cid, block, self.limits.links)?;
        match at {
            At::Root(_) => self.enter(cid, parsed),
            At::Shard(_, name) => self.seek(cid, name, &parsed, true).map(|()| &[][..]),
            At::File(descent) => self.advance(descent, cid, parsed),
            At::End | At::Failed => Ok(&[]),
        }
    }

    /// What is at the end of the path; `None` before that is known.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref()
    }

    /// The CID at the end of the path, as far as the walk has come.
    pub fn target(&self) -> Cid {
        self.target
    }

    /// The CID at the end of the path, once every name on it was found; of what lies there, no block
    /// needs to be taken.
    pub fn arrived(&self) -> Option<Cid> {
        let on_the_way = !self.path.is_empty() || matches!(self.at, At::Shard(..) | At::Failed);
        (!on_the_way).then_some(self.target)
    }

    /// How many blocks were taken.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Takes the first block of whatever the path has led to so far.
    fn enter<'b>(&mut self, cid: Cid, parsed: Parsed<'b>) -> Result<&'b [u8], DagError> {
        self.target = cid;
        if let Some(name) = self.path.pop_front() {
            return self.seek(cid, Name::new(name), &parsed, false).map(|()| &[][..]);
        }
        if let Parsed::Node(data, links) = &parsed
            && matches!(data.kind, Kind::Directory | Kind::Shard)
        {
            let (entries, more) = directory::entries(cid, data, links)?;
            self.found = Some(Found::Directory { entries, more });
            self.at = At::End;
            return Ok(&[]);
        }
        let size = parsed.file_size(cid)?;
        if size > self.limits.file_bytes {
            return Err(DagError::FileTooLarge { size, limit: self.limits.file_bytes });
        }
        self.found = Some(Found::File { size });
        // A few blocks are free: the smallest files have one, too.
        let free = 4 * self.limits.block_bytes as u64;
        self.budget = Some(size.saturating_mul(MOST_AROUND).saturating_add(free));
        let descent = Descent { next: Some(Part { cid, size }), ..Descent::default() };
        self.advance(descent, cid, parsed)
    }

    /// Looks for a name in a directory's block.
    fn seek(
        &mut self,
        cid: Cid,
        mut name: Name,
        parsed: &Parsed<'_>,
        nested: bool,
    ) -> Result<(), DagError> {
        let Parsed::Node(data, links) = parsed else {
            return Err(DagError::NotADirectory { name: name.text });
        };
        self.at = match name.step(cid, data, links, nested)? {
            Step::Entry(entry) => {
                self.target = entry;
                At::Root(entry)
            }
            Step::Shard(shard) => At::Shard(shard, name),
        };
        Ok(())
    }

    /// Takes the next block of a file.
    fn advance<'b>(
        &mut self,
        mut descent: Descent,
        cid: Cid,
        parsed: Parsed<'b>,
    ) -> Result<&'b [u8], DagError> {
        let found = parsed.file_size(cid)?;
        if let Some(part) = descent.next
            && part.size != found
        {
            return Err(DagError::WrongSize { cid, declared: part.size, found });
        }
        let (data, parts) = parsed.into_parts();
        descent.push(parts, &self.limits)?;
        self.at = match descent.next {
            Some(_) => At::File(descent),
            None => At::End,
        };
        Ok(data)
    }
}

/// Whether a block is the one that was asked for, and of a size that is allowed.
fn check(cid: Cid, block: &[u8], limits: &DagLimits) -> Result<(), DagError> {
    let (size, limit) = (block.len(), limits.block_bytes);
    if size > limit {
        return Err(DagError::BlockTooLarge { cid, size, limit });
    }
    match cid.names(block) {
        Ok(true) => Ok(()),
        Ok(false) => Err(DagError::WrongBlock { cid }),
        Err(reason) => Err(DagError::Hash { cid, reason }),
    }
}

impl Descent {
    /// Goes down into these parts, or, where there are none, on to the part that comes next.
    fn push(&mut self, parts: Vec<Part>, limits: &DagLimits) -> Result<(), DagError> {
        if !parts.is_empty() {
            self.waiting += parts.len();
            self.levels.push(parts.into_iter());
        }
        if self.levels.len() > limits.levels {
            return Err(DagError::TooMany { what: "levels", limit: limits.levels as u64 });
        }
        if self.waiting > limits.links {
            return Err(DagError::TooMany { what: "links", limit: limits.links as u64 });
        }
        self.next = None;
        while let Some(level) = self.levels.last_mut() {
            self.next = level.next();
            if self.next.is_some() {
                self.waiting -= 1;
                break;
            }
            self.levels.pop();
        }
        Ok(())
    }
}

/// A block as what its codec makes of it.
enum Parsed<'a> {
    Raw(&'a [u8]),
    Node(UnixFs<'a>, Vec<Link<'a>>),
}

impl<'a> Parsed<'a> {
    fn read(cid: Cid, block: &'a [u8], max_links: usize) -> Result<Parsed<'a>, DagError> {
        match cid.codec() {
            RAW => Ok(Parsed::Raw(block)),
            DAG_PB => {
                let node = Node::read(block, max_links);
                let read = node.and_then(|node| Ok((UnixFs::read(node.data)?, node.links)));
                let (data, links) = read.map_err(|reason| DagError::Malformed { cid, reason })?;
                Ok(Parsed::Node(data, links))
            }
            _ => Err(DagError::Codec { cid }),
        }
    }

    /// Bytes of the file in this block and below it, as the block says: of itself and of each
    /// link. Whether that is so, the blocks below show.
    fn file_size(&self, cid: Cid) -> Result<u64, DagError> {
        let (data, links) = match self {
            Parsed::Raw(bytes) => return Ok(bytes.len() as u64),
            Parsed::Node(data, links) => (data, links),
        };
        match data.kind {
            Kind::File | Kind::Raw => {}
            Kind::Symlink => {
                let target = String::from_utf8_lossy(data.data).into_owned();
                return Err(DagError::Symlink { target });
            }
            Kind::Directory | Kind::Shard => {
                return Err(DagError::Malformed { cid, reason: "a directory inside a file" });
            }
        }
        let malformed = |reason| DagError::Malformed { cid, reason };
        if data.block_sizes.len() != links.len() {
            return Err(malformed("not one size for each link"));
        }
        let own = data.data.len() as u64;
        let add = |sum: u64, size: &u64| sum.checked_add(*size);
        let sum = data.block_sizes.iter().try_fold(own, add);
        let found = sum.ok_or_else(|| malformed("sizes beyond 64 bits"))?;
        match data.file_size {
            Some(declared) if declared != found => {
                Err(DagError::WrongSize { cid, declared, found })
            }
            _ => Ok(found),
        }
    }

    /// The file's bytes in this block, and the parts below it.
    fn into_parts(self) -> (&'a [u8], Vec<Part>) {
        match self {
            Parsed::Raw(bytes) => (bytes, Vec::new()),
            Parsed::Node(data, links) => {
                let parts = links.iter().zip(&data.block_sizes);
                let parts = parts.map(|(link, &size)| Part { cid: link.cid, size });
                (data.data, parts.collect())
            }
        }
    }
}
