//! A file of some blocks, put together by hand.

use everhold::content::{Cid, Codec, ContentId, HashFunction, id_of};

/// A file's blocks, the root first, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: ContentId,
    pub(crate) blocks: Vec<(Cid, Vec<u8>)>,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// A root over two raw leaves, which no usual layout cuts so.
    pub(crate) fn of_three_blocks(seed: u8) -> Self {
        let leaves: Vec<Vec<u8>> = [seed, seed + 1].iter().map(|byte| vec![*byte; 700]).collect();
        let mut root = Vec::new();
        let raw = |leaf: &Vec<u8>| Cid::of(Codec::Raw, HashFunction::Sha256, leaf).unwrap();
        for leaf in &leaves {
            // PBLink: Hash, Name, Tsize.
            let cid = raw(leaf).to_bytes();
            let link = [field(1, &cid), field(2, b""), number(3, leaf.len())].concat();
            root.extend(field(2, &link));
        }
        // UnixFS: Type File, filesize, blocksizes.
        let sizes = leaves.iter().flat_map(|leaf| number(4, leaf.len()));
        let data: Vec<u8> =
            [number(1, 2), number(3, 1400)].concat().into_iter().chain(sizes).collect();
        root.extend(field(1, &data));
        let cid = Cid::of(Codec::DagPb, HashFunction::Sha256, &root).unwrap();
        let bytes = leaves.concat();
        let leaves = leaves.into_iter().map(|leaf| (raw(&leaf), leaf));
        let blocks = std::iter::once((cid, root)).chain(leaves).collect();
        Self { id: cid.content_id().unwrap(), blocks, bytes }
    }

    /// One raw block.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        let id = id_of(Codec::Raw, bytes);
        Self { id, blocks: vec![(id.into(), bytes.to_vec())], bytes: bytes.to_vec() }
    }
}

/// Protocol buffers: a field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2][..], &varint(bytes.len()), bytes].concat()
}

fn number(tag: u8, value: usize) -> Vec<u8> {
    [&[tag << 3][..], &varint(value)].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
