//! CIDs of files, beside those of npm's importer and of the crate `aleph-cid`.

use std::fs;

use everhold_content::{Cid, CidVersion, Codec, Digest, Hasher, Profile, Verifier};
use serde_json::{Value, json};

use crate::support::{importer::Importer, noise};

const KIB_256: usize = 256 << 10;
const MIB: usize = 1 << 20;

/// What the other importer is told so that it works by a profile.
fn options(profile: &Profile) -> Value {
    json!({
        "cidVersion": if profile.cid_version == CidVersion::V0 { 0 } else { 1 },
        "rawLeaves": profile.raw_leaves,
        "chunker": format!("size-{}", profile.chunk_size),
        "children": profile.max_links,
    })
}

fn ours(profile: Profile, bytes: &[u8]) -> Cid {
    let mut hasher = Hasher::with_profile(profile);
    // Pieces that agree with no chunk.
    bytes.chunks(77_777).for_each(|piece| hasher.update(piece));
    hasher.finish().into()
}

fn aleph_cids(bytes: &[u8]) -> [Cid; 2] {
    [aleph_cid::verify::Hasher::for_ipfs(), aleph_cid::verify::Hasher::for_ipfs_v1_raw_leaves()]
        .map(|mut hasher| {
            hasher.update(bytes);
            hasher.finalize().to_string().parse().unwrap()
        })
}

/// Sizes around every border: of chunks, of the first node above them, of the second.
fn sizes() -> Vec<usize> {
    let around = |border: usize| [border - 1, border, border + 1];
    let borders = [KIB_256, 2 * KIB_256, MIB, 2 * MIB, 173 * KIB_256, 174 * KIB_256, 64 * MIB];
    let mut sizes = vec![0, 1, 2, 100, 77_777, 5_000_001];
    sizes.extend(borders.into_iter().flat_map(around));
    sizes.retain(|size| *size <= 64 * MIB);
    sizes
}

#[test]
fn agree_with_two_importers_around_every_border() {
    let mut importer = Importer::start();
    let path = importer.dir().join("file");
    for (seed, size) in sizes().into_iter().enumerate() {
        let bytes = noise(seed as u64 + 1, size);
        fs::write(&path, &bytes).unwrap();
        for profile in Profile::KNOWN {
            let theirs = importer.add(&path, options(&profile));
            assert_eq!(ours(profile, &bytes), theirs, "{size} bytes by {profile:?}");
        }
        let [v0, v1] = aleph_cids(&bytes);
        assert_eq!(ours(Profile::DEFAULT, &bytes), v0, "{size} bytes");
        assert_eq!(ours(Profile::KUBO_V1, &bytes), v1, "{size} bytes");
    }
}

#[test]
fn agree_where_the_tree_grows_a_third_and_a_fourth_level() {
    let mut importer = Importer::start();
    let path = importer.dir().join("file");
    let narrow = Profile { chunk_size: 16, max_links: 3, ..Profile::DEFAULT };
    for size in (0..=16 * 30).step_by(8).chain([16 * 81 - 1, 16 * 81, 16 * 81 + 1]) {
        let bytes = noise(size as u64 + 1, size);
        fs::write(&path, &bytes).unwrap();
        for profile in [
            narrow,
            Profile { raw_leaves: true, ..narrow },
            Profile { raw_leaves: true, cid_version: CidVersion::V1, ..narrow },
        ] {
            let theirs = importer.add(&path, options(&profile));
            assert_eq!(ours(profile, &bytes), theirs, "{size} bytes by {profile:?}");
        }
    }
}

#[test]
fn any_known_profile_verifies_and_an_unusual_one_is_left_open() {
    let mut importer = Importer::start();
    let bytes = noise(7, 3 * MIB + 5);
    let path = importer.dir().join("file");
    fs::write(&path, &bytes).unwrap();
    for profile in Profile::KNOWN {
        let cid = importer.add(&path, options(&profile));
        let mut verifier = Verifier::for_cid(cid).unwrap();
        verifier.update(&bytes);
        let seen = verifier.finish();
        assert!(seen.matches, "{profile:?}");
        // Two profiles may make the same DAG of a file; the first of them is named.
        assert_eq!(ours(seen.profile.unwrap(), &bytes), cid);
        assert_eq!(seen.sha256, Digest::of(&bytes));
    }
    let cid = importer.add(&path, json!({"chunker": "size-100000"}));
    let mut verifier = Verifier::for_cid(cid).unwrap();
    verifier.update(&bytes);
    let seen = verifier.finish();
    assert!(!seen.matches && !seen.conclusive, "its blocks can tell, these bytes alone can't");
}

#[test]
fn every_hash_function_verifies_the_bytes_it_names_and_no_others() {
    use everhold_content::HashFunction::*;
    let bytes = noise(3, 5000);
    for function in [
        Sha256,
        Sha512,
        DoubleSha256,
        Sha3_224,
        Sha3_256,
        Sha3_384,
        Sha3_512,
        Keccak256,
        Keccak512,
        Blake2b256,
        Blake2b512,
        Blake2s256,
        Blake3,
    ] {
        let cid = Cid::of(Codec::Raw, function, &bytes).unwrap();
        let mut right = Verifier::for_cid(cid).unwrap();
        let mut wrong = right.clone();
        bytes.chunks(999).for_each(|piece| right.update(piece));
        wrong.update(&bytes[1..]);
        assert!(right.finish().matches, "{function}");
        let wrong = wrong.finish();
        assert!(!wrong.matches && wrong.conclusive, "{function}");
    }
}
