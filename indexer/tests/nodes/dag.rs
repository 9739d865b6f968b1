//! A file of some blocks, put together by hand.

use everhold::content::{Cid, Codec, ContentId, HashFunction, id_of};

/// A file's blocks, the root first, and its bytes.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: ContentId,
    pub(crate) blocks: Vec<(Cid, Vec<u8>)>,
    pub(crate) bytes: Vec<u8>,
    /// Blocks from the root to a leaf.
    pub(crate) levels: usize,
}

impl File {
    /// A root over two raw leaves, which no usual layout cuts so.
    pub(crate) fn of_three_blocks(seed: u8) -> Self {
        let leaves = [seed, seed + 1].map(|byte| vec![byte; 700]);
        Self::of(leaves.to_vec(), 2)
    }

    /// Raw leaves of so many bytes, each another, and nodes of at most so many links above them.
    pub(crate) fn of_leaves(count: usize, size: usize, links: usize) -> Self {
        let leaf = |at: usize| at.to_be_bytes().into_iter().cycle().take(size).collect();
        Self::of((0..count).map(leaf).collect(), links)
    }

    fn of(leaves: Vec<Vec<u8>>, links: usize) -> Self {
        let bytes = leaves.concat();
        let raw = |leaf: Vec<u8>| {
            let cid = Cid::of(Codec::Raw, HashFunction::Sha256, &leaf).unwrap();
            ((cid, leaf.len()), (cid, leaf))
        };
        let (mut level, mut blocks): (Vec<_>, Vec<_>) = leaves.into_iter().map(raw).unzip();
        let mut levels = 1;
        while levels == 1 || level.len() > 1 {
            let nodes = level.chunks(links).map(node);
            let (above, mut made): (Vec<_>, Vec<_>) = nodes.unzip();
            made.append(&mut blocks);
            (level, blocks, levels) = (above, made, levels + 1);
        }
        Self { id: level[0].0.content_id().unwrap(), blocks, bytes, levels }
    }

    /// The same file below so many nodes of one link each.
    pub(crate) fn below(mut self, nodes: usize) -> Self {
        for _ in 0..nodes {
            let ((cid, _), made) = node(&[(self.blocks[0].0, self.bytes.len())]);
            self.blocks.insert(0, made);
            self.id = cid.content_id().unwrap();
        }
        self.levels += nodes;
        self
    }

    /// One raw block.
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        let id = id_of(Codec::Raw, bytes);
        let blocks = vec![(id.into(), bytes.to_vec())];
        Self { id, blocks, bytes: bytes.to_vec(), levels: 1 }
    }
}

/// A node over these parts, by name and size: its own, and its block.
fn node(parts: &[(Cid, usize)]) -> ((Cid, usize), (Cid, Vec<u8>)) {
    let mut block = Vec::new();
    for (cid, size) in parts {
        // PBLink: Hash, Name, Tsize.
        let link = [field(1, &cid.to_bytes()), field(2, b""), number(3, *size)].concat();
        block.extend(field(2, &link));
    }
    // UnixFS: Type File, filesize, blocksizes.
    let whole = parts.iter().map(|(_, size)| size).sum();
    let sizes = parts.iter().flat_map(|(_, size)| number(4, *size));
    let data = [number(1, 2), number(3, whole)].concat().into_iter().chain(sizes);
    block.extend(field(1, &data.collect::<Vec<_>>()));
    let cid = Cid::of(Codec::DagPb, HashFunction::Sha256, &block).unwrap();
    ((cid, whole), (cid, block))
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
