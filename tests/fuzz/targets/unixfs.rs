//! DAGs: a row of blocks (two bytes of length, little-endian, before each), the last of which is the root. Whatever they
//! are, a walk ends, and a file that it finishes is as long as its root says.
#![no_main]

use std::collections::HashMap;

use everhold_content::{Cid, Codec, DagLimits, Found, HashFunction, Walk};
use libfuzzer_sys::fuzz_target;

const LIMITS: DagLimits =
    DagLimits { block_bytes: 1 << 12, file_bytes: 1 << 20, levels: 8, links: 64, blocks: 256 };

fuzz_target!(|input: &[u8]| {
    let Some((root, named)) = blocks(input) else { return };
    walk(root, &[], &named);
    walk(root, &["1.json"], &named);
});

/// Every block by its names, and the last one's. Links, which a fuzzer can't guess, lead somewhere: 32 times the byte n
/// stand for the digest of block n.
fn blocks(mut input: &[u8]) -> Option<(Cid, HashMap<Cid, Vec<u8>>)> {
    let (mut named, mut digests, mut root) = (HashMap::new(), Vec::<Vec<u8>>::new(), None);
    while let Some((size, rest)) = input.split_first_chunk::<2>() {
        let size = usize::from(u16::from_le_bytes(*size)).min(rest.len());
        let (block, rest) = rest.split_at(size);
        input = rest;
        let mut block = block.to_vec();
        for (at, digest) in digests.iter().enumerate().take(256) {
            let mark = [at as u8; 32];
            while let Some(begin) = block.windows(32).position(|window| window == mark) {
                block[begin..begin + 32].copy_from_slice(digest);
            }
        }
        digests.push(HashFunction::Sha256.digest(&block));
        named.insert(Cid::of(Codec::Raw, HashFunction::Sha256, &block)?, block.clone());
        root = Cid::of(Codec::DagPb, HashFunction::Sha256, &block);
        named.insert(root?, block);
    }
    Some((root?, named))
}

fn walk(root: Cid, path: &[&str], named: &HashMap<Cid, Vec<u8>>) {
    let mut walk = Walk::new(root, path, LIMITS);
    let mut bytes = 0;
    while let Some(wanted) = walk.wanted() {
        let block = match wanted.inlined() {
            Some(block) => block.to_vec(),
            None => match named.get(&wanted) {
                Some(block) => block.clone(),
                None => return,
            },
        };
        match walk.give(&block) {
            Ok(data) => bytes += data.len() as u64,
            Err(_) => return,
        }
    }
    assert!(walk.is_finished());
    if let Some(Found::File { size }) = walk.found() {
        assert_eq!(*size, bytes);
    }
}
