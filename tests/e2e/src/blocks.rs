//! Blocks of DAGs made by hand, wrong ones, too, apart from the product and from every importer.

use everhold_harness::sha256;

use crate::content::cid_v1;

/// A block and its names.
#[derive(Clone, Debug)]
pub struct Block {
    /// CIDv1 in base32.
    pub cid: String,
    /// The same in binary.
    binary: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Block {
    /// A block of this codec: 0x55 raw, 0x70 dag-pb, 0x71 dag-cbor.
    pub fn new(codec: u8, bytes: Vec<u8>) -> Self {
        let digest = sha256(&bytes);
        let byte = |at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap_or_default();
        let mut binary = vec![1, codec, 0x12, 32];
        binary.extend((0..digest.len()).step_by(2).map(byte));
        Self { cid: cid_v1(&format!("{codec:02x}"), &digest), binary, bytes }
    }

    /// Bytes of a file.
    pub fn raw(bytes: &[u8]) -> Self {
        Self::new(0x55, bytes.to_vec())
    }

    /// A file of these parts, with the sizes that it says they have.
    pub fn file(parts: &[(&Block, u64)]) -> Self {
        let sizes: Vec<u8> = parts.iter().flat_map(|(_, size)| number(4, *size)).collect();
        let whole = parts.iter().fold(0_u64, |sum, (_, size)| sum.wrapping_add(*size));
        let links: Vec<(&str, &Block)> = parts.iter().map(|(part, _)| ("", *part)).collect();
        Self::node(&links, &[number(1, 2), number(3, whole), sizes].concat())
    }

    /// A folder.
    pub fn folder(entries: &[(&str, &Block)]) -> Self {
        Self::node(entries, &number(1, 1))
    }

    fn node(links: &[(&str, &Block)], data: &[u8]) -> Self {
        let link = |(name, block): &(&str, &Block)| {
            let fields = [field(1, &block.binary), field(2, name.as_bytes()), number(3, 0)];
            field(2, &fields.concat())
        };
        let links: Vec<u8> = links.iter().flat_map(link).collect();
        Self::new(0x70, [links, field(1, data)].concat())
    }
}

/// An archive (CARv1) that names this root.
pub fn car(root: &Block, blocks: &[&Block]) -> Vec<u8> {
    let mut header = b"\xa2eroots\x81\xd8\x2a\x58\x25\x00".to_vec();
    header.extend_from_slice(&root.binary);
    header.extend_from_slice(b"gversion\x01");
    let mut car = [varint(header.len() as u64), header].concat();
    for block in blocks {
        let size = block.binary.len() + block.bytes.len();
        car.extend([varint(size as u64), block.binary.clone(), block.bytes.clone()].concat());
    }
    car
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn field(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}
