//! Hashers and verifiers on arbitrary bytes; `aleph-cid` is the independent implementation.

use proptest::{collection::vec, prelude::*};

use super::sample;
use crate::{
    CidVersion, Codec, ContentId, Digest, Hasher, Profile, Verification, Verifier, id_of,
    id_of_reader,
};

/// Every length at which a varint grows or a chunk, a node or a level begins.
const BORDERS: [usize; 16] = [
    0, 1, 119, 127, 128, 16_374, 16_383, 16_384, 262_143, 262_144, 262_145, 524_288, 1_048_577,
    45_613_055, 45_613_056, 45_613_057,
];

fn oracle(bytes: &[u8]) -> ContentId {
    aleph_cid::verify::compute_cid(bytes).as_str().parse().unwrap()
}

fn verify(mut verifier: Verifier, bytes: &[u8]) -> Verification {
    verifier.update(bytes);
    verifier.finish()
}

#[test]
fn ids_are_aleph_cids_at_every_border() {
    assert_eq!(BORDERS[14], 174 * 262_144);
    let all = sample(BORDERS[15]);
    for size in BORDERS {
        assert_eq!(id_of(Codec::DagPb, &all[..size]), oracle(&all[..size]), "{size} bytes");
    }
}

#[test]
fn a_reader_gives_the_same_id() {
    let bytes = sample(700_001);
    for codec in [Codec::DagPb, Codec::Raw] {
        let read = id_of_reader(codec, bytes.as_slice()).unwrap();
        assert_eq!(read, (id_of(codec, &bytes), 700_001));
    }
}

#[test]
fn raw_is_plain_sha_256() {
    let abc = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(id_of(Codec::Raw, b"abc").digest, abc.parse::<Digest>().unwrap());
    assert_eq!(id_of(Codec::Raw, b"abc").digest, Digest::of(b"abc"));
}

#[test]
fn nonsense_profiles_do_not_hang() {
    let cid_version = CidVersion::V1;
    let profile = Profile { chunk_size: 0, raw_leaves: false, max_links: 0, cid_version };
    let mut hasher = Hasher::with_profile(profile);
    hasher.update(&sample(1000));
    let tight = Profile { chunk_size: 1, max_links: 2, ..profile };
    let mut same = Hasher::with_profile(tight);
    same.update(&sample(1000));
    assert_eq!(hasher.finish(), same.finish());
}

#[test]
fn no_memory_but_one_chunk_and_the_open_nodes() {
    let mut hasher = Hasher::new(Codec::DagPb);
    let piece = sample(100_000);
    (0..1000).for_each(|_| hasher.update(&piece));
    assert_eq!(hasher.bytes(), 100_000_000);
    // 381 leaves, of which two times 174 have become a parent each; and the start of the next.
    let state = format!("{hasher:?}");
    assert_eq!(state.matches("total_size").count(), 381 - 2 * 174 + 2);
    assert!(state.contains(&format!("Open({})", 100_000_000 % 262_144)), "{state}");
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![0..2000_usize, 250_000..280_000_usize, 0..3_000_000_usize]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ids_are_aleph_cids(size in size(), start in 0..5000_usize) {
        let bytes = &sample(size + start)[start..];
        prop_assert_eq!(id_of(Codec::DagPb, bytes), oracle(bytes));
    }

    #[test]
    fn splits_do_not_matter(size in size(), cuts in vec(1..600_000_usize, 1..20)) {
        let bytes = sample(size);
        for profile in Profile::KNOWN {
            let (mut whole, mut pieces) =
                (Hasher::with_profile(profile), Hasher::with_profile(profile));
            whole.update(&bytes);
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                pieces.update(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(pieces.bytes(), size as u64);
            prop_assert_eq!(pieces.finish(), whole.finish());
        }
    }

    #[test]
    fn altered_bytes_never_match(size in size(), at in any::<prop::sample::Index>(),
                                 bit in 0..8_u8, extra in any::<u8>()) {
        let bytes = sample(size + 1);
        let mut flipped = bytes.clone();
        flipped[at.index(size + 1)] ^= 1 << bit;
        let cut = &bytes[..at.index(size + 1)];
        let longer = [bytes.as_slice(), &[extra]].concat();
        for codec in [Codec::DagPb, Codec::Raw] {
            let id = id_of(codec, &bytes);
            prop_assert!(verify(Verifier::any_profile(id), &bytes).matches);
            for altered in [flipped.as_slice(), cut, &longer] {
                prop_assert!(!verify(Verifier::any_profile(id), altered).matches);
                prop_assert!(!verify(Verifier::new(id), altered).matches);
            }
        }
    }

    #[test]
    fn a_codec_never_stands_in_for_the_other(bytes in vec(any::<u8>(), 0..500)) {
        let (dag, raw) = (id_of(Codec::DagPb, &bytes), id_of(Codec::Raw, &bytes));
        let crossed = [
            ContentId::new(Codec::Raw, dag.digest),
            ContentId::new(Codec::DagPb, raw.digest),
        ];
        for id in crossed {
            prop_assert!(!verify(Verifier::any_profile(id), &bytes).matches);
        }
    }
}
