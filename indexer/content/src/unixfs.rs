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

/// The UnixFS type of a file.
const TYPE_FILE: u8 = 2;

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
        let mut head = vec![FILE_TYPE, TYPE_FILE];
        if !bytes.is_empty() {
            put(&mut head, FILE_DATA, size);
        }
        let mut tail = Vec::new();
        put(&mut tail, FILE_SIZE, size);

        let mut frame = Vec::new();
        put(&mut frame, NODE_DATA, head.len() as u64 + size + tail.len() as u64);
        frame.append(&mut head);

        let hasher = Sha256::new().chain_update(&frame).chain_update(bytes).chain_update(&tail);
        Block {
            id: ContentId::new(Codec::DagPb, Digest(hasher.finalize().into())),
            file_size: size,
            total_size: frame.len() as u64 + size + tail.len() as u64,
        }
    }

    /// The inner node over `children`, in their order.
    pub(super) fn parent(children: &[Block], version: CidVersion) -> Block {
        let file_size = children.iter().map(|child| child.file_size).sum();
        let mut node = Vec::with_capacity(children.len() * 64);
        for child in children {
            let link = link(child, version);
            put(&mut node, NODE_LINK, link.len() as u64);
            node.extend_from_slice(&link);
        }
        let mut data = vec![FILE_TYPE, TYPE_FILE];
        put(&mut data, FILE_SIZE, file_size);
        for child in children {
            put(&mut data, FILE_CHILD_SIZE, child.file_size);
        }
        put(&mut node, NODE_DATA, data.len() as u64);
        node.append(&mut data);

        let below: u64 = children.iter().map(|child| child.total_size).sum();
        Block {
            id: ContentId::new(Codec::DagPb, Digest::of(&node)),
            file_size,
            total_size: below + node.len() as u64,
        }
    }
}

/// A link: CID, the empty name that files' links have, total size.
fn link(child: &Block, version: CidVersion) -> Vec<u8> {
    let mut cid = match (child.id.codec, version) {
        (Codec::DagPb, CidVersion::V0) => vec![],
        (codec, _) => vec![1, codec.multicodec()],
    };
    cid.extend_from_slice(&[0x12, 32]);
    cid.extend_from_slice(&child.id.digest.0);

    let mut link = Vec::with_capacity(56);
    put(&mut link, LINK_CID, cid.len() as u64);
    link.append(&mut cid);
    put(&mut link, LINK_NAME, 0);
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
