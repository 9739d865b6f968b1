//! The vectors that the contract is tested with (`tests/data/unixfs`), which an importer in
//! JavaScript made, made again by one in Rust, `aleph-cid`, and by ours.

use crate::{Codec, ContentId, Digest, id_of};
use serde::Deserialize;

const VECTORS: &str = include_str!("../../../../tests/data/unixfs/vectors.json");
const BLOCK: usize = 262_144;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    one_block: Vec<Vector>,
    two_blocks: TwoBlocks,
}

#[derive(Deserialize)]
struct Vector {
    length: usize,
    digest: String,
    cid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TwoBlocks {
    #[serde(flatten)]
    root: Vector,
    root_block: String,
    leaves: Vec<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

/// The document of a length, by the rule that the file itself states.
fn document(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((31 * i + i / 256) % 256) as u8).collect()
}

fn aleph_cid_of(bytes: &[u8]) -> String {
    aleph_cid::verify::compute_cid(bytes).as_str().to_owned()
}

fn check(vector: &Vector) {
    let Vector { length, digest, cid } = vector;
    let bytes = document(*length);
    let id: ContentId = cid.parse().unwrap();
    assert_eq!(*cid, aleph_cid_of(&bytes), "{length} bytes");
    assert_eq!(id.digest, digest.parse().unwrap(), "{length} bytes");
    assert_eq!(id, id_of(Codec::DagPb, &bytes), "{length} bytes");
}

#[test]
fn every_vector_is_what_another_importer_makes() {
    let Vectors { one_block, two_blocks } = vectors();
    let lengths: Vec<_> = one_block.iter().map(|vector| vector.length).collect();
    assert_eq!(lengths, [0, 1, 127, 128, 16_383, 16_384, BLOCK - 1, BLOCK]);
    assert_eq!(two_blocks.root.length, BLOCK + 1);
    one_block.iter().chain([&two_blocks.root]).for_each(check);
}

#[test]
fn the_root_block_of_two_is_the_one_that_was_hashed() {
    let TwoBlocks { root, root_block, leaves } = vectors().two_blocks;
    let block = bytes_of(&root_block);
    assert_eq!(Digest::of(&block), root.digest.parse().unwrap());

    let document = document(root.length);
    assert_eq!(leaves, [aleph_cid_of(&document[..BLOCK]), aleph_cid_of(&document[BLOCK..])]);
    for leaf in leaves {
        let digest = leaf.parse::<ContentId>().unwrap().digest.0;
        assert!(block.windows(32).any(|window| window == digest), "the root does not link {leaf}");
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    ::cid::multibase::Base::Base16Lower.decode(hex.trim_start_matches("0x")).unwrap()
}
