//! From files to the CID of the folder they are in.
//!
//! UnixFS specification, sections "Directory" and "HAMT directory", with the parameters of
//! `unixfs-v0-2015` and `unixfs-v1-2025` (IPIP-499): a directory becomes shards where names and
//! CIDs of its entries take more than 256 KiB, 256 places to a shard.

use std::collections::BTreeMap;

use super::{CidVersion, ContentId, unixfs::Block, walk::hamt_hash};

/// Names and CIDs in one block take at most so many bytes.
const MAX_FLAT: usize = 256 << 10;

/// Bits of a name's hash that a shard of 256 places looks at.
const PLACE_BITS: u32 = 8;

/// A file or folder as an entry of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Imported(pub(super) Block);

impl Imported {
    /// Its name.
    pub fn id(&self) -> ContentId {
        self.0.id
    }

    /// Bytes of all its blocks, repeated ones counted each time.
    pub fn total_size(&self) -> u64 {
        self.0.total_size
    }
}

/// A folder that is being hashed. Its memory grows with its entries, not with their bytes.
#[derive(Clone, Debug)]
pub struct Folder {
    version: CidVersion,
    entries: BTreeMap<String, Block>,
}

/// Why a folder has no CID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A name that can't be one of an entry.
    #[error("`{}` can't be the name of an entry", name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// Two entries of one name.
    #[error("the folder has `{}` twice", name.escape_debug())]
    Twice {
        /// The name.
        name: String,
    },
    /// Names with the same murmur3 hash, which no shard can hold apart. They are made on purpose.
    #[error("`{}` and another name have the same hash", name.escape_debug())]
    Collision {
        /// One of them.
        name: String,
    },
}

impl Folder {
    /// A folder without entries. `version` is how its entries are linked: as their profile says.
    pub fn new(version: CidVersion) -> Folder {
        Folder { version, entries: BTreeMap::new() }
    }

    /// Adds a file, or a folder that is finished.
    ///
    /// # Errors
    /// [`FolderError::Name`] for an empty name, `.`, `..`, and one with a slash or NUL in it;
    /// [`FolderError::Twice`].
    pub fn add(&mut self, name: &str, entry: Imported) -> Result<(), FolderError> {
        if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
            return Err(FolderError::Name { name: name.to_owned() });
        }
        match self.entries.insert(name.to_owned(), entry.0) {
            None => Ok(()),
            Some(_) => Err(FolderError::Twice { name: name.to_owned() }),
        }
    }

    /// The folder as an entry of another one, and its name.
    ///
    /// # Errors
    /// [`FolderError::Collision`].
    pub fn finish(self) -> Result<Imported, FolderError> {
        let entries: Vec<(&str, Block)> =
            self.entries.iter().map(|(name, block)| (&**name, *block)).collect();
        let size = |(name, block): &(&str, Block)| name.len() + block.link_len(self.version);
        if entries.iter().map(size).sum::<usize>() <= MAX_FLAT {
            return Ok(Imported(Block::directory(&entries, self.version)));
        }
        let mut hashed: Vec<Hashed<'_>> =
            entries.iter().map(|(name, block)| (hamt_hash(name), *name, *block)).collect();
        hashed.sort_by_key(|(hash, ..)| *hash);
        shard(&hashed, 0, self.version).map(Imported)
    }
}

/// Hash, name and block of an entry.
type Hashed<'a> = (u64, &'a str, Block);

/// The shard of entries, sorted by hash, whose hashes agree in their first `used` bits.
fn shard(entries: &[Hashed<'_>], used: u32, version: CidVersion) -> Result<Block, FolderError> {
    let mut bitfield = [0_u8; 32];
    let mut links = Vec::new();
    let Some(shift) = (u64::BITS - PLACE_BITS).checked_sub(used) else {
        let name = entries.first().map_or("", |(_, name, _)| name).to_owned();
        return Err(FolderError::Collision { name });
    };
    let place = |hash: u64| (hash >> shift) as u8;
    for together in entries.chunk_by(|(one, ..), (other, ..)| place(*one) == place(*other)) {
        let at = place(together[0].0);
        bitfield[31 - usize::from(at / 8)] |= 1 << (at % 8);
        links.push(match together {
            [(_, name, block)] => (format!("{at:02X}{name}"), *block),
            _ => (format!("{at:02X}"), shard(together, used + PLACE_BITS, version)?),
        });
    }
    Ok(Block::shard(&links, &bitfield, version))
}
