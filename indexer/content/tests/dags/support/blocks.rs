//! Blocks written by hand, right and wrong.

use everhold_content::{Cid, Codec, HashFunction};

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A protobuf field of a number.
pub(crate) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A protobuf field of bytes.
pub(crate) fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint((field << 3) | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A link of a dag-pb node.
pub(crate) fn link(cid: Cid, name: &str) -> Vec<u8> {
    let fields = [bytes(1, &cid.to_bytes()), bytes(2, name.as_bytes()), number(3, 0)];
    bytes(2, &fields.concat())
}

/// A dag-pb node of links and UnixFS data.
pub(crate) fn node(links: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
    [links.concat(), bytes(1, data)].concat()
}

/// A node of a file: what it holds itself, and its children with their sizes.
pub(crate) fn file(own: &[u8], children: &[(Cid, u64)]) -> Vec<u8> {
    let size = own.len() as u64 + children.iter().map(|(_, size)| size).sum::<u64>();
    file_of(own, children, Some(size))
}

/// As [`file`], with another size than it has, or none.
pub(crate) fn file_of(own: &[u8], children: &[(Cid, u64)], size: Option<u64>) -> Vec<u8> {
    let links: Vec<Vec<u8>> = children.iter().map(|(cid, _)| link(*cid, "")).collect();
    let sizes: Vec<u8> = children.iter().flat_map(|(_, size)| number(4, *size)).collect();
    let own = if own.is_empty() { Vec::new() } else { bytes(2, own) };
    let size = size.map_or_else(Vec::new, |size| number(3, size));
    node(&links, &[number(1, 2), own, size, sizes].concat())
}

/// A directory.
pub(crate) fn directory(entries: &[(&str, Cid)]) -> Vec<u8> {
    let links: Vec<Vec<u8>> = entries.iter().map(|(name, cid)| link(*cid, name)).collect();
    node(&links, &number(1, 1))
}

/// A shard, with links as they are.
pub(crate) fn shard(links: &[(&str, Cid)], hash_type: u64, fanout: u64) -> Vec<u8> {
    let links: Vec<Vec<u8>> = links.iter().map(|(name, cid)| link(*cid, name)).collect();
    let data = [number(1, 5), bytes(2, &[0xff]), number(5, hash_type), number(6, fanout)];
    node(&links, &data.concat())
}

/// The CID of a dag-pb block.
pub(crate) fn dag_pb(block: &[u8]) -> Cid {
    Cid::of(Codec::DagPb, HashFunction::Sha256, block).unwrap()
}

/// The CID of a raw block.
pub(crate) fn raw(block: &[u8]) -> Cid {
    Cid::of(Codec::Raw, HashFunction::Sha256, block).unwrap()
}

/// An archive with this root in its header.
pub(crate) fn car(root: Cid, blocks: &[(Cid, &[u8])]) -> Vec<u8> {
    let mut cid = vec![0];
    cid.extend_from_slice(&root.to_bytes());
    let mut header = b"\xa2eroots\x81\xd8\x2a\x58".to_vec();
    header.push(cid.len() as u8);
    header.extend_from_slice(&cid);
    header.extend_from_slice(b"gversion\x01");
    let mut car = [varint(header.len() as u64), header].concat();
    blocks.iter().for_each(|(cid, block)| car.extend(section(*cid, block)));
    car
}

/// A block as archives hold it.
pub(crate) fn section(cid: Cid, block: &[u8]) -> Vec<u8> {
    let cid = cid.to_bytes();
    [varint((cid.len() + block.len()) as u64), cid, block.to_vec()].concat()
}
