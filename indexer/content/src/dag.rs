//! From a stream of bytes to the root of its DAG, in constant memory.
//!
//! [`Leaves`] cuts the stream and hashes each leaf once; any number of [`Tree`]s that differ only
//! in how they stack the same leaves can grow over them.

use std::{fmt, mem};

use sha2::{Digest as _, Sha256};

use super::{CidVersion, ContentId, Profile, unixfs::Block};

/// Cuts a stream into leaves of a fixed size.
#[derive(Clone, Debug)]
pub(super) struct Leaves {
    chunk_size: usize,
    open: Open,
    /// Whether a leaf has been cut: an empty file has one empty leaf, others have none.
    any: bool,
}

/// The leaf that is not full yet.
#[derive(Clone)]
enum Open {
    /// A raw leaf is only its bytes: they are hashed as they come.
    Raw { hasher: Sha256, size: usize },
    /// The length stands before the bytes, and only a full leaf's is known: so they are kept
    /// (at most `chunk_size` of them), but never where an update holds the whole leaf.
    File { buffer: Vec<u8> },
}

impl Leaves {
    pub(super) fn new(profile: &Profile) -> Leaves {
        let open = match profile.raw_leaves {
            true => Open::Raw { hasher: Sha256::new(), size: 0 },
            false => Open::File { buffer: Vec::new() },
        };
        Leaves { chunk_size: profile.chunk_size.max(1), open, any: false }
    }

    /// The next bytes of the file; `emit` gets each leaf that they complete.
    pub(super) fn update(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Block)) {
        while !bytes.is_empty() {
            let room = self.chunk_size - self.open.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(leaf) = self.open.take(now, self.chunk_size) {
                self.any = true;
                emit(leaf);
            }
            bytes = later;
        }
    }

    /// The last leaf, unless a full one ended the file.
    pub(super) fn finish(mut self) -> Option<Block> {
        (self.open.len() > 0 || !self.any).then(|| self.open.close())
    }
}

impl Open {
    fn len(&self) -> usize {
        match self {
            Open::Raw { size, .. } => *size,
            Open::File { buffer } => buffer.len(),
        }
    }

    /// Takes bytes that fit; the leaf, if they fill it.
    fn take(&mut self, bytes: &[u8], chunk_size: usize) -> Option<Block> {
        match self {
            Open::File { buffer } if buffer.is_empty() && bytes.len() == chunk_size => {
                return Some(Block::file_leaf(bytes));
            }
            Open::File { buffer } => buffer.extend_from_slice(bytes),
            Open::Raw { hasher, size } => {
                hasher.update(bytes);
                *size += bytes.len();
            }
        }
        (self.len() == chunk_size).then(|| self.close())
    }

    /// The leaf as it is now; the next one starts empty.
    fn close(&mut self) -> Block {
        match self {
            Open::Raw { hasher, size } => {
                Block::raw_leaf(mem::take(hasher), mem::take(size) as u64)
            }
            Open::File { buffer } => {
                let leaf = Block::file_leaf(buffer);
                buffer.clear();
                leaf
            }
        }
    }
}

impl fmt::Debug for Open {
    /// Its length: the bytes are too many to be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.len()).finish()
    }
}

/// A balanced tree that grows from its leaves: `levels[0]` holds the leaves whose parent is not
/// made yet, `levels[1]` their parents' siblings, and so on; none holds more than `max_links`.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    max_links: usize,
    version: CidVersion,
    levels: Vec<Vec<Block>>,
    /// The inner nodes, where they are kept: those over the leaves first, each level in its order.
    inner: Option<Vec<Vec<Inner>>>,
}

/// An inner node of a tree.
#[derive(Clone, Debug)]
pub(super) struct Inner {
    /// Its name.
    pub(super) id: ContentId,
    /// It.
    pub(super) bytes: Vec<u8>,
    /// Nodes that are right below it.
    pub(super) children: usize,
}

impl Tree {
    pub(super) fn new(profile: &Profile) -> Tree {
        Tree {
            max_links: profile.max_links.max(2),
            version: profile.cid_version,
            levels: Vec::new(),
            inner: None,
        }
    }

    /// A tree that keeps its inner nodes: some fifty bytes for each leaf.
    pub(super) fn keeping(profile: &Profile) -> Tree {
        Tree { inner: Some(Vec::new()), ..Tree::new(profile) }
    }

    /// The inner nodes that are kept.
    pub(super) fn take_inner(&mut self) -> Vec<Vec<Inner>> {
        self.inner.take().unwrap_or_default()
    }

    /// The node over all that is open at a level.
    fn parent_of(&mut self, level: usize) -> Block {
        let blocks = &self.levels[level];
        let (block, bytes) = Block::parent(blocks, self.version);
        if let Some(inner) = &mut self.inner {
            if inner.len() == level {
                inner.push(Vec::new());
            }
            inner[level].push(Inner { id: block.id, bytes, children: blocks.len() });
        }
        block
    }

    /// Adds the next leaf.
    pub(super) fn push(&mut self, leaf: Block) {
        self.push_at(0, leaf);
    }

    /// Adds a block to a level; one that is full moves up as one parent first, and only then,
    /// because the last of them becomes the root.
    fn push_at(&mut self, mut level: usize, mut block: Block) {
        while let Some(blocks) = self.levels.get_mut(level) {
            if blocks.len() < self.max_links {
                blocks.push(block);
                return;
            }
            let parent = self.parent_of(level);
            self.levels[level].clear();
            self.levels[level].push(mem::replace(&mut block, parent));
            level += 1;
        }
        self.levels.push(vec![block]);
    }

    /// Joins every level to the one above until one block is left. Without any leaf that is
    /// the empty file's.
    pub(super) fn root(&mut self) -> Block {
        let mut level = 0;
        while let Some(blocks) = self.levels.get(level)
            && (blocks.len() > 1 || level + 1 < self.levels.len())
        {
            let parent = self.parent_of(level);
            level += 1;
            self.push_at(level, parent);
        }
        let root = self.levels.get(level).and_then(|blocks| blocks.first());
        root.copied().unwrap_or_else(|| Block::file_leaf(&[]))
    }
}
