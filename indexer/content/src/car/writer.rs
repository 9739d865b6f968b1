//! Writes archives: a header, then a section a block.
//!
//! CARv1: <https://ipld.io/specs/transport/car/carv1/>.

use std::io::{self, Write};

use crate::Cid;

/// Major types of CBOR (RFC 8949, section 3.1), in a byte's upper three bits.
const CBOR_NUMBER: u8 = 0 << 5;
const CBOR_BYTES: u8 = 2 << 5;
const CBOR_TEXT: u8 = 3 << 5;
const CBOR_LIST: u8 = 4 << 5;
const CBOR_MAP: u8 = 5 << 5;
const CBOR_TAG: u8 = 6 << 5;

/// The tag of a CID in DAG-CBOR, whose bytes begin with a zero.
const CID_TAG: u64 = 42;

/// Writes an archive (CARv1) block by block. What a block is called is the caller's word.
///
/// ```
/// use everhold_content::{CarReader, CarWriter, Cid, Codec, HashFunction};
///
/// let block = b"a block";
/// let cid = Cid::of(Codec::Raw, HashFunction::Sha256, block).unwrap();
/// let mut car = CarWriter::new(Vec::new(), &[cid])?;
/// car.block(&cid, block)?;
///
/// let mut reader = CarReader::new(1000);
/// reader.feed(car.get_ref());
/// assert_eq!(reader.block()?.unwrap().cid, cid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CarWriter<W> {
    out: W,
    bytes: u64,
    blocks: u64,
}

impl<W: Write> CarWriter<W> {
    /// An archive of these roots, whose header is written at once.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(mut out: W, roots: &[Cid]) -> io::Result<CarWriter<W>> {
        let header = header(roots);
        out.write_all(&header)?;
        Ok(CarWriter { out, bytes: header.len() as u64, blocks: 0 })
    }

    /// Goes on behind what is written already: the header, and blocks, which are not counted.
    pub fn continued(out: W) -> CarWriter<W> {
        CarWriter { out, bytes: 0, blocks: 0 }
    }

    /// Adds a block.
    ///
    /// # Errors
    /// The writer's.
    pub fn block(&mut self, cid: &Cid, block: &[u8]) -> io::Result<()> {
        let head = section_head(cid, block.len() as u64);
        self.out.write_all(&head)?;
        self.out.write_all(block)?;
        self.bytes += (head.len() + block.len()) as u64;
        self.blocks += 1;
        Ok(())
    }

    /// Adds bytes that are whole sections already, or a part of such, of so many blocks in all.
    ///
    /// # Errors
    /// The writer's.
    pub fn sections(&mut self, bytes: &[u8], blocks: u64) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        self.blocks += blocks;
        Ok(())
    }

    /// Bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Blocks that were written.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Where it is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Ends it; gives that back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// A header with its length before it: `{roots: [CID, …], version: 1}`.
pub(crate) fn header(roots: &[Cid]) -> Vec<u8> {
    let mut map = Vec::new();
    cbor(&mut map, CBOR_MAP, 2);
    cbor_text(&mut map, "roots");
    cbor(&mut map, CBOR_LIST, roots.len() as u64);
    for root in roots {
        let cid = root.to_bytes();
        cbor(&mut map, CBOR_TAG, CID_TAG);
        cbor(&mut map, CBOR_BYTES, cid.len() as u64 + 1);
        map.push(0);
        map.extend_from_slice(&cid);
    }
    cbor_text(&mut map, "version");
    cbor(&mut map, CBOR_NUMBER, 1);
    let mut header = varint(map.len() as u64);
    header.append(&mut map);
    header
}

/// What stands before the bytes of a block of this size.
pub(crate) fn section_head(cid: &Cid, size: u64) -> Vec<u8> {
    let cid = cid.to_bytes();
    let mut head = varint(cid.len() as u64 + size);
    head.extend_from_slice(&cid);
    head
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

/// The head of a CBOR item, in its shortest form, as DAG-CBOR asks.
fn cbor(out: &mut Vec<u8>, major: u8, value: u64) {
    match value {
        0..24 => out.push(major | value as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn cbor_text(out: &mut Vec<u8>, text: &str) {
    cbor(out, CBOR_TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
