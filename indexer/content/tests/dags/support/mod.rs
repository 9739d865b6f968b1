//! What the tests stand on.

pub(crate) mod blocks;
pub(crate) mod importer;

use everhold_content::{CarCheck, CarError, CarReader, Cid, DagError, DagLimits, Next, Walk};
use std::collections::HashMap;

/// Bytes without a pattern, the same for a seed on every machine: xorshift64*.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A check of an archive, fed in pieces, that has no other place to get blocks from.
pub(crate) fn check_car(root: Cid, path: &[&str], car: &[u8]) -> Result<(Walk, Vec<u8>), CarError> {
    let limits = DagLimits::default();
    let mut check = CarCheck::new(Walk::new(root, path, limits), limits.block_bytes);
    let mut file = Vec::new();
    let mut sink = |bytes: &[u8]| file.extend_from_slice(bytes);
    let mut pieces = car.chunks(1000);
    let mut next = Next::Bytes;
    loop {
        next = match next {
            Next::Bytes => match pieces.next() {
                Some(piece) => check.feed(piece, &mut sink)?,
                None => check.end(&mut sink)?,
            },
            Next::Turn => check.go_on(&mut sink)?,
            Next::Block(cid) => return Err(CarError::Missing { cid }),
            Next::Nothing => return Ok((check.finish()?, file)),
        }
    }
}

/// The whole walk over blocks that are in memory; the file.
pub(crate) fn walk_over(
    walk: &mut Walk,
    blocks: &HashMap<Cid, Vec<u8>>,
) -> Result<Vec<u8>, DagError> {
    let mut file = Vec::new();
    while let Some(cid) = walk.wanted() {
        let block = cid.inlined().map_or_else(|| blocks[&cid].clone(), <[u8]>::to_vec);
        file.extend_from_slice(walk.give(&block)?);
    }
    Ok(file)
}

/// The blocks of an archive.
pub(crate) fn blocks_of(car: &[u8]) -> HashMap<Cid, Vec<u8>> {
    let mut reader = CarReader::new(DagLimits::default().block_bytes);
    reader.feed(car);
    let mut blocks = HashMap::new();
    while let Some(block) = reader.block().unwrap() {
        blocks.insert(block.cid, block.bytes.to_vec());
    }
    blocks
}
