//! The few bytes of protobuf around file data.
//!
//! A dag-pb node (<https://ipld.io/specs/codecs/dag-pb/spec/>) is its links (field 2), then its
//! data (field 1). The data is a UnixFS message (<https://specs.ipfs.tech/unixfs/>, section
//! "Data"): type (1), data (2), file size (3), the size of each child (4).

use sha2::{Digest as _, Sha256};

use super::{CidVersion, Codec, ContentId, Digest};

/// Field number and wire type in one byte; 0: a varint follows, 2: a length and bytes.
const NODE_LINK: u8 = (2 << 3) | 2;
const NODE_DATA: u8 = (1 << 3) | 2;
const LINK_CID: u8 = (1 << 3) | 2;
const LINK_NAME: u8 = (2 << 3) | 2;
const LINK_TOTAL_SIZE: u8 = 3 << 3;
const FILE_TYPE: u8 = 1 << 3;
const FILE_DATA: u8 = (2 << 3) | 2;
const FILE_SIZE: u8 = 3 << 3;
const FILE_CHILD_SIZE: u8 = 4 << 3;

const SHARD_HASH_TYPE: u8 = 5 << 3;
const SHARD_FANOUT: u8 = 6 << 3;

/// UnixFS types.
const TYPE_DIRECTORY: u8 = 1;
const TYPE_FILE: u8 = 2;
const TYPE_SHARD: u8 = 5;

/// A block of a DAG as its parent sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The block's name.
    pub(super) id: ContentId,
    /// Bytes of the file below it.
    pub(super) file_size: u64,
    /// Bytes of the block and of all blocks below it, repeated ones counted each time.
    pub(super) total_size: u64,
}

impl Block {
    /// The leaf that is these bytes and nothing else, once they have gone through `hasher`.
    pub(super) fn raw_leaf(hasher: Sha256, size: u64) -> Block {
        let id = ContentId::new(Codec::Raw, Digest(hasher.finalize().into()));
        Block { id, file_size: size, total_size: size }
    }

    /// The UnixFS leaf that holds `bytes`, hashed without copying them.
    pub(super) fn file_leaf(bytes: &[u8]) -> Block {
        let size = bytes.len() as u64;
        let (frame, tail) = around_leaf(size);
        let hasher = Sha256::new().chain_update(&frame).chain_update(bytes).chain_update(&tail);
        Block {
            id: ContentId::new(Codec::DagPb, Digest(hasher.finalize().into())),
            file_size: size,
            total_size: frame.len() as u64 + size + tail.len() as u64,
        }
    }

    /// The inner node over `children`, in their order, and its bytes.
    pub(super) fn parent(children: &[Block], version: CidVersion) -> (Block, Vec<u8>) {
        let file_size = children.iter().map(|child| child.file_size).sum();
        let mut data = vec![FILE_TYPE, TYPE_FILE];
        put(&mut data, FILE_SIZE, file_size);
        for child in children {
            put(&mut data, FILE_CHILD_SIZE, child.file_size);
        }
        node(children.iter().map(|child| ("", child)), &data, file_size, version)
    }

    /// The directory of `entries`, which are sorted by name.
    pub(super) fn directory(entries: &[(&str, Block)], version: CidVersion) -> Block {
        let links = entries.iter().map(|(name, block)| (*name, block));
        node(links, &[FILE_TYPE, TYPE_DIRECTORY], 0, version).0
    }

    /// The shard of `entries`, which are sorted by their place, with its `bitfield` of 256 places
    /// (the first place is the last byte's lowest bit) and the number of murmur3-x64-64.
    pub(super) fn shard(
        entries: &[(String, Block)],
        bitfield: &[u8; 32],
        version: CidVersion,
    ) -> Block {
        let begin = bitfield.iter().position(|byte| *byte != 0).unwrap_or(bitfield.len());
        let mut data = vec![FILE_TYPE, TYPE_SHARD];
        put(&mut data, FILE_DATA, (bitfield.len() - begin) as u64);
        data.extend_from_slice(&bitfield[begin..]);
        put(&mut data, SHARD_HASH_TYPE, 0x22);
        put(&mut data, SHARD_FANOUT, 256);
        node(entries.iter().map(|(name, block)| (&**name, block)), &data, 0, version).0
    }

    /// Bytes of the CID by which a parent links this.
    pub(super) fn link_len(&self, version: CidVersion) -> usize {
        cid(self.id, version).len()
    }
}

/// The bytes before and behind those of a file, in a leaf that holds so many of them.
pub(super) fn around_leaf(size: u64) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![FILE_TYPE, TYPE_FILE];
    if size > 0 {
        put(&mut head, FILE_DATA, size);
    }
    let mut tail = Vec::new();
    put(&mut tail, FILE_SIZE, size);

    let mut frame = Vec::new();
    put(&mut frame, NODE_DATA, head.len() as u64 + size + tail.len() as u64);
    frame.append(&mut head);
    (frame, tail)
}

/// A node with links and data, and its bytes.
fn node<'a>(
    links: impl Iterator<Item = (&'a str, &'a Block)>,
    data: &[u8],
    file_size: u64,
    version: CidVersion,
) -> (Block, Vec<u8>) {
    let mut node = Vec::new();
    let mut below = 0;
    for (name, child) in links {
        let link = link(name, child, version);
        put(&mut node, NODE_LINK, link.len() as u64);
        node.extend_from_slice(&link);
        below += child.total_size;
    }
    put(&mut node, NODE_DATA, data.len() as u64);
    node.extend_from_slice(data);
    let block = Block {
        id: ContentId::new(Codec::DagPb, Digest::of(&node)),
        file_size,
        total_size: below + node.len() as u64,
    };
    (block, node)
}

/// A CID as a link holds it.
fn cid(id: ContentId, version: CidVersion) -> Vec<u8> {
    let mut cid = match (id.codec, version) {
        (Codec::DagPb, CidVersion::V0) => vec![],
        (codec, _) => vec![1, codec.multicodec()],
    };
    cid.extend_from_slice(&[0x12, 32]);
    cid.extend_from_slice(&id.digest.0);
    cid
}

/// A link: CID, name (empty in files), total size.
fn link(name: &str, child: &Block, version: CidVersion) -> Vec<u8> {
    let cid = cid(child.id, version);
    let mut link = Vec::with_capacity(56 + name.len());
    put(&mut link, LINK_CID, cid.len() as u64);
    link.extend_from_slice(&cid);
    put(&mut link, LINK_NAME, name.len() as u64);
    link.extend_from_slice(name.as_bytes());
    put(&mut link, LINK_TOTAL_SIZE, child.total_size);
    link
}

/// A field's tag and a varint (its value, or the length of what follows).
fn put(out: &mut Vec<u8>, tag: u8, mut value: u64) {
    out.push(tag);
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
